"""docs/tutorial-channel.md, run as it stands: every file is written, every command executed, in an empty folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.kit.wheelhouse import Installed, built, install

__all__ = ["built"]

TEXT = (Path(__file__).parents[2] / "docs" / "tutorial-channel.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETS_UP = {
    "sudo apt-get install ngircd": "test -x /usr/sbin/ngircd",
    "python3 -m venv .venv": "python -c 'import sys; assert sys.prefix != sys.base_prefix'",
    ". .venv/bin/activate": 'test -n "$VIRTUAL_ENV"',
}
"""What the test has done already, and how it is seen that it has."""

SAYS = {
    "pytest": " passed",
    "centralita plugin list": "irc_channel",
    "centralita plugin check irc_channel --strict": "inapplicable",
    "centralita check centralita.toml": "nothing to mend",
    "centralita plugin check irc_channel --config centralita.toml --only 101 --only 306 --only 318": "3 passed",
}


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(built, tmp_path_factory.mktemp("tutorial"))


@pytest.mark.skipif(not Path("/usr/sbin/ngircd").exists(), reason="ngircd is not installed")
@pytest.mark.slow
def test_every_file_and_every_command_of_the_tutorial_works(installed: Installed, tmp_path: Path) -> None:
    here = tmp_path
    ran: list[str] = []
    for path, language, content in BLOCK.findall(TEXT):
        if language == "console":
            for line in content.splitlines():
                command = line.removeprefix("$ ")
                assert line != command, f"not a command: {line}"
                if command.startswith("cd "):
                    here = here / command.removeprefix("cd ")
                    continue
                said = installed.run(SETS_UP.get(command, command), here)
                assert SAYS.get(command, "") in said, said
                ran.append(command)
        else:
            assert path, f"a block that is neither a file nor commands: {content[:50]}"
            (here / path).parent.mkdir(parents=True, exist_ok=True)
            (here / path).write_text(content, encoding="utf-8")
    assert set(SETS_UP) | set(SAYS) <= set(ran)
    assert not shutil.which("centralita", path=str(here))


def test_every_check_is_met_by_the_channel_of_the_tutorial() -> None:
    assert "exempt" not in TEXT
