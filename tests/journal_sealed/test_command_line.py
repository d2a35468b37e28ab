"""The journal's commands on a sealed journal, as a shell calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from centralita_cli.main import cli
from tests.journal_sealed.test_journal import House

CONFIG = """
[domain]
name = "x"
data = "."
[journal]
type = "sealed"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "centralita.toml").write_text(CONFIG)
    (tmp_path / "journal").mkdir()
    house = House(tmp_path / "journal")
    house.customer("ana")
    house.journal.close()
    return tmp_path


def call(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(cli, ["journal", *arguments], input=answer)


def test_export_is_with_words_while_there_are_keys(folder: Path) -> None:
    lines = call("export").stdout
    assert "my card is 4929" in lines
    assert call("verify").exit_code == 0
    assert "my card is 4929" not in call("export", str(folder / "journal" / "journal.sqlite")).stdout
    (folder / "journal" / "customer-keys").unlink()
    without = call("export").stdout
    assert "my card is 4929" not in without
    assert [json.loads(line)["seq"] for line in lines.splitlines()] == [
        json.loads(line)["seq"] for line in without.splitlines()
    ]
    assert call("verify").exit_code == 0


def test_lost_keys_are_forgotten_when_that_is_meant(folder: Path) -> None:
    assert call("forget-keys", "--yes").exit_code == 1, "they are not lost"
    (folder / "journal" / "customer-keys").unlink()
    refused = call("forget-keys", answer="n\n")
    assert refused.exit_code == 4
    assert "no keys were forgotten: the question was not answered with yes" in refused.output
    assert not (folder / "journal" / "customer-keys").exists()
    done = call("forget-keys", answer="y\n")
    assert done.exit_code == 0, done.output
    assert "stay erased" in done.output
    assert call("erase-again").output.endswith("0 keys were there again and are erased\n")


def test_other_journals_have_no_keys(folder: Path) -> None:
    (folder / "centralita.toml").write_text(CONFIG.replace("sealed", "sqlite"))
    for command in (("forget-keys", "--yes"), ("erase-again",)):
        refused = call(*command)
        assert refused.exit_code == 2
        assert "only such a journal has keys" in refused.output
