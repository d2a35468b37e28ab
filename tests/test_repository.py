"""The house rules that a machine can hold: what the pure engine imports, how files are named, what the wheel needs."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import centralita
from centralita import _routing

ROOT = Path(__file__).parent.parent
ENGINE = ROOT / "core" / "centralita"

PURE = [
    "messages",
    "config",
    "structs.py",
    "errors.py",
    "state.py",
    "engine.py",
    "stages",
    "matching",
    "kpi.py",
    "views.py",
    "explain.py",
    "ahead.py",
    "estimate.py",
    "lint",
    "apply",
    "asks.py",
    "personal.py",
    "lines.py",
    "follow.py",
    "look.py",
    "fold.py",
    "rows.py",
    "tallies.py",
    "trend.py",
    "since.py",
    "memory.py",
    "timers.py",
    "capture.py",
]
IMPURE = {"trio", "time", "datetime", "random", "uuid", "structlog", "sqlite3"}
OUTER = {"centralita.runner", "centralita.simulate", "centralita.testing", "centralita.journal"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
DEPENDENCIES = {"trio", "pluggy", "msgspec", "structlog"}
SOURCES = ["core", "cli", "plugins", "routing_rs", "benchmarks", "tests", "examples"]


def pure_modules() -> list[Path]:
    found: list[Path] = []
    for name in PURE:
        path = ENGINE / name
        assert path.exists(), f"{name} is pure or gone: say which"
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found


def imported_modules(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever it stands; relative ones made absolute."""
    package = ["centralita", *path.relative_to(ENGINE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_pure_engine_imports_no_clock_no_chance_no_io() -> None:
    impure = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in pure_modules()
        for name in imported_modules(path)
        if name.split(".")[0] in IMPURE
    ]
    assert impure == []


def test_pure_engine_imports_nothing_from_the_edge() -> None:
    outward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in pure_modules()
        for name in imported_modules(path)
        if any(name == outer or name.startswith(outer + ".") for outer in OUTER)
    ]
    assert outward == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    vague = [
        str(path.relative_to(ROOT))
        for source in SOURCES
        for path in (ROOT / source).rglob("*")
        if path.suffix in {".py", ".pyi", ".rs", ".js"}
        if "node_modules" not in path.parts and path.stem in VAGUE
    ]
    assert vague == []


def test_engine_wheel_depends_on_four_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]}
    assert declared == DEPENDENCIES
    required = metadata.requires("centralita") or []
    optional = [line for line in required if "extra ==" in line]
    assert {re.split(r"[^\w-]", line)[0] for line in required if line not in optional} == DEPENDENCIES
    assert [re.split(r"[^\w-]", line)[0] for line in optional] == ["pyarrow"]


def test_versions_of_package_wheel_and_queue_agree() -> None:
    assert centralita.__version__ == metadata.version("centralita") == _routing.version()


def test_package_shows_its_public_names_before_they_are_used() -> None:
    assert set(centralita.__all__) <= set(dir(centralita))
    assert all(getattr(centralita, name) is not None for name in centralita.__all__)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("plugins/*/pyproject.toml")), ids=lambda path: path.parent.name
)
def test_plugin_is_found_by_its_entry_point(path: Path) -> None:
    name = path.parent.name
    (entry_point,) = metadata.entry_points(group="centralita", name=name)
    assert entry_point.value == f"centralita_{name}"
    assert entry_point.dist is not None
    assert entry_point.dist.name == "centralita-" + name.replace("_", "-")


def test_committed_settings_name_no_registry_and_no_machine() -> None:
    named = re.compile(r"https?://|--(extra-)?index-url|/root/|/home/|/work/")
    files = [
        ROOT / name for name in ("constraints.txt", "Makefile", "pyproject.toml", "Cargo.toml", ".ci/run")
    ]
    assert [str(path) for path in files if named.search(path.read_text(encoding="utf-8"))] == []
