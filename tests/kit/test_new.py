"""`centralita plugin new` writes a package that passes at once, against the installed wheels and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from centralita.plugins import HOOKS
from centralita.testing import checks_of
from centralita_cli.main import cli
from centralita_cli.plugin_new import KINDS
from tests.kit.wheelhouse import ROOT, Installed, built, install

__all__ = ["built"]

BIN = Path(sys.executable).parent
RULES = "E,F,W,I,UP,B,SIM,C4,PT,RUF,PL,D1,T20,BLE"
LEFT_ALONE = "D103,D107,D105,PLR,PLC0415,RUF002,RUF001,I001,E501,SIM105"
"""As in this repository; and the order of imports, which a longer name may change."""

PUBLIC = {
    "centralita", "centralita.protocols", "centralita.messages", "centralita.views", "centralita.config",
    "centralita.errors", "centralita.journal", "centralita.testing",
}  # fmt: skip


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(built, tmp_path_factory.mktemp("third_party"))


def new(folder: Path, name: str, kind: str) -> Path:
    result = CliRunner().invoke(
        cli, ["plugin", "new", name, "--kind", kind, "--directory", str(folder / name)]
    )
    assert result.exit_code == 0, result.output
    return folder / name


def test_there_is_a_template_for_every_kind_that_is_not_http() -> None:
    assert {kind.table for kind in KINDS.values()} == set(HOOKS) - {"front_doors", "routes"}


@pytest.mark.parametrize("kind", KINDS)
def test_new_plugin_passes_its_tests_and_every_check_outside_the_repository(
    kind: str, installed: Installed, tmp_path: Path
) -> None:
    name = f"fresh-{kind.replace('_', '-')}"
    module = name.replace("-", "_")
    said = installed.run(f"centralita plugin new {name} --kind {kind}", tmp_path)
    assert f"centralita plugin check {module}" in said
    folder = tmp_path / name
    where = installed.run(
        "python -c 'import centralita, centralita_cli; print(centralita.__file__, centralita_cli.__file__)'",
        folder,
    )
    assert str(ROOT) not in where
    installed.run('pip install --quiet ".[test]"', folder)
    try:
        said = installed.run("pytest -q -p no:cacheprovider", folder)
        assert " passed" in said
        assert "failed" not in said
        checked = installed.run(f"centralita plugin check {module} --strict --only 101 --only 104", folder)
        assert "2 passed" in checked
        listed = installed.run("centralita plugin list", folder)
        assert [module, KINDS[kind].table, module, name, "0.1.0", "1"] in [
            line.split() for line in listed.splitlines()
        ]
    finally:
        installed.run(f"pip uninstall --quiet --yes {name}", folder)


def test_every_check_of_the_kind_is_among_its_tests(installed: Installed, tmp_path: Path) -> None:
    installed.run(
        "centralita plugin new fresh-words --kind classifier && cd fresh-words && pip install --quiet .",
        tmp_path,
    )
    try:
        collected = installed.run("pytest --collect-only -q -p no:cacheprovider", tmp_path / "fresh-words")
    finally:
        installed.run("pip uninstall --quiet --yes fresh-words", tmp_path)
    for check in checks_of("classifiers"):
        assert f"test_contract[{check.number}]" in collected


def call(*command: object, cwd: Path, more: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_tidy_and_public(kind: str, tmp_path: Path) -> None:
    # A name as long as the template's own, so that lines stay as they are.
    folder = new(tmp_path, "a-inkwell", kind)
    files = [path for path in folder.rglob("*") if path.is_file()]
    left = [
        path for path in files if "my_plugin" in path.read_text() + path.name or "{{t" in path.read_text()
    ]
    assert left == []
    settings = ("--quiet", "--isolated", "--line-length", "110")
    call(BIN / "ruff", "check", *settings, "--select", RULES, "--ignore", LEFT_ALONE, ".", cwd=folder)
    call(BIN / "ruff", "format", *settings, "--check", ".", cwd=folder)
    imported = {
        line.split()[1]
        for path in folder.rglob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("from centralita", "import centralita"))
    }
    assert imported <= PUBLIC


def test_what_is_written_is_typed(tmp_path: Path) -> None:
    folders = [
        new(tmp_path, f"{letter}-inkwell", kind) for letter, kind in zip("abcdefg", KINDS, strict=True)
    ]
    # Together, since most of the time goes into reading the library; the contract's test is the same in all.
    modules = [
        path for folder in folders for path in sorted(folder.rglob("*.py")) if path.stem != "test_contract"
    ]
    call(
        BIN / "mypy", "--strict", "--no-error-summary", "--explicit-package-bases", "--cache-dir", tmp_path / "cache",
        *modules, folders[0] / "tests" / "test_contract.py",
        cwd=tmp_path,
        more={"MYPYPATH": ":".join(str(part) for folder in folders for part in (folder, folder / "tests"))},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My-Chat", "the name was 'My-Chat'; allowed: small letters, digits and single hyphens"),
        ("a--b", "the name was 'a--b'"),
        ("../up", "the name was '../up'"),
        ("json", "a module json would hide one that is needed"),
        ("class", "a module class would hide"),
        ("centralita", "a module centralita would hide"),
    ],
)
def test_name_that_can_not_be_is_refused(name: str, words: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["plugin", "new", name, "--kind", "bot", "--directory", str(tmp_path / "x")]
    )
    assert (result.exit_code, words in result.stderr, (tmp_path / "x").exists()) == (2, True, False)


def test_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    result = CliRunner().invoke(cli, ["plugin", "new", "fine", "--kind", "bot", "--directory", str(tmp_path)])
    assert (result.exit_code, "not empty; nothing was written" in result.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_kind_that_is_none_is_told_with_those_known() -> None:
    result = CliRunner().invoke(cli, ["plugin", "new", "fine", "--kind", "channels"])
    assert result.exit_code == 2
    assert "'channel', 'desk', 'crm'" in result.stderr
