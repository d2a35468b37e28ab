"""A fresh environment with our built wheels, as somebody has it who never saw this repository.

The packages of others come from the repository's own environment, by links to each of them: nothing is
fetched. What is ours there (it is installed in place) is left out, so the source tree can't be imported.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = (
    *("centralita", "__editable__", "pytest_trio", "xdist", "pytest_xdist"),
    *("hypothesis", "_hypothesis", "schemathesis"),
)
"""Ours, and what a third party's tests must not need beside pytest."""
TIME_LIMIT_S = 600


class Installed:
    """The environment. `run` is a shell in which it is activated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder / "wheels"
        self.python = folder / "venv" / "bin" / "python"

    @property
    def variables(self) -> dict[str, str]:
        """What a shell with the environment activated has. pip takes from our wheels only."""
        kept = ("HOME", "LANG", "LC_ALL", "TMPDIR", "CI")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": f"{self.python.parent}:/usr/bin:/bin:/usr/sbin",
            "VIRTUAL_ENV": str(self.python.parents[1]),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as the value of an option that begins with `no`
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(
        self, command: str, cwd: Path, *, fails: bool = False, more: Mapping[str, str] | None = None
    ) -> str:
        """Run a line of shell and return what it printed; it must succeed, or fail when told so."""
        done = subprocess.run(
            ["/bin/bash", "-ec", command],
            cwd=cwd,
            env={**self.variables, **(more or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{command}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheels, and links to everybody else's packages: made once for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheelhouse"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            _link_others(folder / "others")
            _build(folder / "wheels")
            (folder / "done").touch()
    return folder


def install(built: Path, folder: Path) -> Installed:
    """An environment of its own below `folder`, with the command line and all that it needs."""
    installed = Installed(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    installed.wheels.symlink_to(built / "wheels")
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(f"{built / 'others'}\n")
    for name in ("pip", "pytest"):
        # Links bring packages, not their commands.
        command = installed.python.parent / name
        command.write_text(f'#!/bin/sh\nexec "{installed.python}" -m {name} "$@"\n')
        command.chmod(0o755)
    installed.run("pip install --quiet centralita-cli", folder)
    return installed


def _link_others(folder: Path) -> None:
    folder.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(LEFT_OUT) and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)


def _build(folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def call(*command: str | Path) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    # The compiled queue is there already: the wheel packs it.
    call("maturin", "build", "--release", "--locked", "--quiet", "--out", folder)
    members: Sequence[Path] = [
        ROOT / "cli",
        *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")),
    ]
    wheel = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    call(*wheel, "--wheel-dir", folder, *members)
