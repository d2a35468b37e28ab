"""What the README shows does what it says, in the folder that `centralita init` has made."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from textwrap import indent

from tests.cli.daemon import START_S, run, running

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_engine_is_embedded_as_shown(tmp_path: Path) -> None:
    assert run("init", cwd=tmp_path).returncode == 0
    file = tmp_path / "centralita.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("port = 8470", "port = 0"), encoding="utf-8")
    (shown,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    imports, _, body = shown.partition("\n\n")
    program = f"import trio\n{imports}\n\nasync def main():\n{indent(body, '    ')}\ntrio.run(main)\n"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ContactExplanation(contact=1, phase='" in done.stdout


def test_commands_are_those_shown_and_init_names_pages_that_are_there(tmp_path: Path) -> None:
    commands = re.findall(r"^centralita (\w+) *#", README, re.MULTILINE)
    assert commands[:4] == ["init", "check", "serve", "status"]
    told = run("init", cwd=tmp_path).stdout
    assert run("check", "--strict", cwd=tmp_path).returncode == 0
    pages = re.findall(r"http://127\.0\.0\.1:8470(/\S+)", told)
    assert len(pages) == 3
    with running(tmp_path) as daemon:
        assert run("status", cwd=tmp_path).returncode == 0
        for page in pages:
            with urllib.request.urlopen(daemon.url + page, timeout=START_S) as answer:
                assert answer.read(15).lower() == b"<!doctype html>"
        assert daemon.stop() == 0
