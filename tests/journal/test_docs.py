"""docs/journal.md says what is so: its settings, its examples, the names it tells operators to look for."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from centralita import errors, recovery
from centralita.journal import Journal, SqliteJournalConfig, sqlite, upkeep
from centralita.journal import snapshots as snapshot_files
from centralita.runner import keeper

TEXT = (Path(__file__).parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_every_setting_is_shown_with_its_default() -> None:
    table = tomllib.loads(block("toml"))["journal"]
    assert table.pop("type") == "sqlite"
    assert msgspec.convert(table, SqliteJournalConfig) == SqliteJournalConfig()
    assert set(table) == set(SqliteJournalConfig.__struct_fields__)


def test_example_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python"), "docs/journal.md", "exec"), {})
    assert (tmp_path / "data" / "journal" / "journal.sqlite").is_file()


def test_every_log_event_is_explained() -> None:
    modules: tuple[ModuleType, ...] = (sqlite, snapshot_files, keeper)
    source = "".join(inspect.getsource(module) for module in modules)
    logged = set(re.findall(r'log\.\w+\(\s*"(\w+)"', source))
    assert logged == set(re.findall(r"`(journal_\w+)`", TEXT))


def test_every_error_and_function_named_exists() -> None:
    for name in re.findall(r"`(Journal[A-Z]\w+|Fenced|StateDiffers)`", TEXT):
        assert hasattr(errors, name)
    for name in re.findall(r"`(\w+)\(path", TEXT):
        assert hasattr(upkeep, name) or hasattr(recovery, name)
    assert hasattr(Journal, "append")


def test_bad_settings_are_refused() -> None:
    for wrong in (
        {"synchronous": "off"},
        {"keep_days": -1},
        {"snapshot_every": -1},
        {"path": ""},
        {"sync": "full"},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, SqliteJournalConfig)
