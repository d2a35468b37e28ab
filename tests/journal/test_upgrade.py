"""A journal written by an older version recovers: one set of files in `data/` for each released schema.

When a test here fails, an upgrade would misread the past. Give a new field its place at the end and a
default; never remove, rename or retype one, nor change the default of a configuration's field, which
is left out of the journal when it has it. While schema 1 is not released, see `schema.py`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from centralita.capture import SNAPSHOT_SCHEMA
from centralita.engine import Engine
from centralita.journal import SCHEMA, SqliteJournal, SqliteJournalConfig, export, recover, verify
from centralita.journal.snapshots import SnapshotFiles
from centralita.recovery import replay, restore
from tests.journal.schema import DATA, as_seen, extends, filled, listing, live

OLD = json.loads((DATA / "schema_1.json").read_text(encoding="utf-8"))
NEW = listing()


def readable(types: list[str]) -> set[str]:
    """The types a field reads, those in a list of several each by itself: a new event in it is no harm."""
    found: set[str] = set()
    for one in types:
        inner = one.removeprefix("list[").removesuffix("]") if one.startswith("list[") else ""
        found |= {f"list[{part}]" for part in inner.split("|")} if inner else {one}
    return found


@pytest.mark.parametrize("name", OLD)
def test_struct_extends_what_schema_1_says(name: str) -> None:
    old, new = OLD[name], NEW.get(name)
    assert new is not None, f"{name} is in old journals and can't go"
    assert (new["array"], new["tag"]) == (old["array"], old["tag"])
    if new["array"]:
        kept = new["fields"][: len(old["fields"])]
        assert [field[0] for field in kept] == [field[0] for field in old["fields"]], "place is meaning here"
    else:
        by_name = {field[0]: field for field in new["fields"]}
        kept = [by_name[field[0]] for field in old["fields"]]
        assert [field[2] for field in kept] == [field[2] for field in old["fields"]], (
            "defaults aren't written"
        )
    for old_field, new_field in zip(old["fields"], kept, strict=True):
        assert readable(old_field[1]) <= readable(new_field[1]), (
            f"{name}.{old_field[0]} must go on reading these"
        )
    old_names = {field[0] for field in old["fields"]}
    added = [field for field in new["fields"] if field[0] not in old_names]
    assert [field[0] for field in added if field[2] is None] == [], "a field that is added needs a default"


def copied(name: str, to: Path) -> SqliteJournal:
    for path in DATA.glob(f"{name}.sqlite*"):
        shutil.copy(path, to / path.name)
    return SqliteJournal(to, SqliteJournalConfig(path=f"{name}.sqlite", keep_days=None))


FILES = ["schema_1_types", "schema_1_life", "schema_1_life_2", "schema_1_life_3"]
"""By schema and form of the snapshot. One that is not listed here is not held to anything."""


def test_there_is_a_file_for_every_schema_and_every_form_of_snapshot() -> None:
    assert sorted(path.stem for path in DATA.glob("*.sqlite")) == sorted(FILES)
    assert {f"schema_{schema}_types" for schema in range(1, SCHEMA + 1)} <= set(FILES)
    forms = {
        msgspec.msgpack.decode(SnapshotFiles(path).load(seq).state)[0]
        for path in DATA.glob("*.sqlite")
        for seq in SnapshotFiles(path).seqs()
    }
    assert forms == set(range(1, SNAPSHOT_SCHEMA + 1))


@pytest.mark.parametrize("name", FILES)
def test_every_field_of_an_old_journal_is_read_as_it_was_meant(name: str) -> None:
    path = DATA / f"{name}.sqlite"
    assert verify(path).problems == ()
    meant = [json.loads(line) for line in path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]
    read = [json.loads(line) for some in export(path) for line in some.splitlines()]
    assert len(read) == len(meant) > 20
    assert [
        number for number, pair in enumerate(zip(read, meant, strict=True), 1) if not extends(*pair)
    ] == []


@pytest.mark.parametrize("core", ["native", "naive"])
@pytest.mark.parametrize("name", [name for name in FILES if "life" in name])
def test_an_old_journal_recovers_with_and_without_its_snapshot(tmp_path: Path, name: str, core: Any) -> None:
    seen = json.loads((DATA / f"{name}.seen.json").read_text(encoding="utf-8"))
    journal = copied(name, tmp_path)
    snapshot, tail = recover(journal)
    assert snapshot is not None
    with_snapshot = Engine.restore(snapshot.state, tail, core=core)
    from_records = Engine.restore(None, (record for some in journal.read() for record in some), core=core)
    restored = restore(journal, kind=Engine, core=core)
    journal.close()
    for engine in (with_snapshot, from_records, restored):
        now = json.loads(json.dumps(as_seen(engine)))
        assert extends(now, seen), now
        assert engine.seq == journal.last_seq
    assert restored.snapshot() == with_snapshot.snapshot()
    reached = {number: one.reached for number, one in from_records.state.contacts.items()}
    assert {number: one.reached for number, one in with_snapshot.state.contacts.items()} == reached
    assert set(reached.values()) == {True, False}
    assert replay(DATA / f"{name}.sqlite").problems == ()


def test_this_versions_own_life_is_recovered_as_it_was() -> None:
    engine, made, middle, middle_seq = live()
    for snapshot, tail in ((None, made), (middle, made[middle_seq:]), (engine.snapshot(), [])):
        again = Engine.restore(snapshot, tail)
        assert as_seen(again) == as_seen(engine)
        assert (again.seq, again.now_ns) == (engine.seq, engine.now_ns)
        assert again.snapshot() == engine.snapshot()


def test_the_file_of_schema_1_holds_every_message_it_lists() -> None:
    text = (DATA / "schema_1_types.jsonl").read_text(encoding="utf-8")
    in_file = {part["type"] for line in text.splitlines() for part in parts(json.loads(line))}
    assert in_file == {struct["tag"] for struct in OLD.values() if struct["tag"]}


def parts(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [record["command"], *record["events"]]


def test_the_check_finds_what_an_upgrade_must_not_do() -> None:
    whole = {"a": 1, "b": [{"c": 2}]}
    assert extends({**whole, "added": 0}, whole)
    assert not extends({"a": 1}, whole)
    assert not extends({"a": 2, "b": [{"c": 2}]}, whole)
    assert not extends({"a": 1, "b": []}, whole)
    assert filled(bool) is True
