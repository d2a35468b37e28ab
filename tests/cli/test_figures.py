"""`centralita figures`: counted again from a journal, for any period, target and definition."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from centralita.journal import Encoder, SqliteJournal
from centralita.kpi import recount
from centralita.messages import Record
from tests.cli.conftest import Call
from tests.kpi.histories import History


@pytest.fixture(scope="module")
def records() -> list[Record]:
    history = History(11)
    history.play(600)
    return history.records


def kept(folder: Path, records: list[Record]) -> Path:
    """A journal's file with these records, which may begin later than the first."""
    journal = SqliteJournal(folder)
    for part in (records[: len(records) // 2], records[len(records) // 2 :]):
        first = part[0].seq
        journal.append(Encoder().encode(part, after_seq=first - 1, after_ns=0), expected_seq=first - 1)
    journal.close()
    return journal.path


def found(call: Call, *arguments: str) -> Any:
    result = call("figures", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def moment(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).isoformat()


def test_a_whole_journal_gives_the_figures_of_its_records(
    call: Call, tmp_path: Path, records: list[Record]
) -> None:
    assert found(call, str(kept(tmp_path, records))) == json.loads(json.dumps(recount(records).as_dict()))


def test_two_periods_make_one(call: Call, tmp_path: Path, records: list[Record]) -> None:
    path = str(kept(tmp_path, records))
    middle = moment(records[len(records) // 2].at_ns)
    first, then, both = (
        found(call, path, "--to", middle),
        found(call, path, "--from", middle),
        found(call, path),
    )
    for key in ("answered", "abandoned", "removed", "ended"):
        assert first["total"][key] + then["total"][key] == both["total"][key]
    assert both["total"]["answered"] > then["total"]["answered"] > 0


def test_another_target_changes_what_counts_as_in_target_and_nothing_else(
    call: Call, tmp_path: Path, records: list[Record]
) -> None:
    path = str(kept(tmp_path, records))
    strict, lax = (found(call, path, "--target", target)["total"] for target in ("0.001", "100000"))
    assert strict["answered_in_target"] < lax["answered_in_target"] == lax["answered"] == strict["answered"]
    assert lax["service_levels"]["asterisk_sl2"] == 1.0


def test_every_definition_stands_in_the_table_by_its_name(
    call: Call, tmp_path: Path, records: list[Record]
) -> None:
    result = call("figures", str(kept(tmp_path, records)))
    assert result.exit_code == 0
    for name in recount(records).as_dict()["total"]["service_levels"]:
        assert f"\n{name} " in result.stdout


def test_without_a_file_the_configurations_journal_is_counted(
    call: Call, tmp_path: Path, records: list[Record]
) -> None:
    (tmp_path / "centralita.toml").write_text("[queues.help]\n")
    kept(tmp_path / "data" / "journal", records)
    assert found(call)["seq"] == records[-1].seq


def test_files_that_do_not_go_on_are_told(call: Call, tmp_path: Path, records: list[Record]) -> None:
    path = str(kept(tmp_path, records))
    result = call("figures", path, path)
    assert result.exit_code == 1
    assert f"begins with record 1, but the file before ends at {records[-1].seq}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--from", "yesterday"), 2, "'yesterday' is no moment; allowed: 2026-11-29"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), 2, "--from must be before --to"),
        (("--target", "0"), 2, "0.0 is not in the range 0<x<=31536000"),
        (("nowhere.sqlite",), 1, "nowhere.sqlite: there is no such file"),
        (("--to", "1990-01-01"), 1, "there are no records before --to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_counted_is_told(
    call: Call, tmp_path: Path, records: list[Record], arguments: tuple[str, ...], code: int, words: str
) -> None:
    path = str(kept(tmp_path, records))
    named = "nowhere.sqlite" in arguments
    result = call("figures", *(() if named else (path,)), *arguments)
    assert (result.exit_code, words in result.stderr) == (code, True), result.stderr


def test_export_over_the_journal_itself_is_refused(call: Call, tmp_path: Path, records: list[Record]) -> None:
    path = kept(tmp_path, records)
    before = path.read_bytes()
    result = call("journal", "export", str(path), "-o", str(path))
    assert (result.exit_code, path.read_bytes()) == (4, before)
    assert "is the journal itself" in result.stderr


def test_export_to_a_full_disk_says_so(call: Call, tmp_path: Path, records: list[Record]) -> None:
    result = call("journal", "export", str(kept(tmp_path, records)), "-o", "/dev/full")
    assert result.exit_code == 5
    assert result.stderr.startswith("Error: /dev/full can't be written: No space left on device")
