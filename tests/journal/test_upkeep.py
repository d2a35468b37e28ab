"""Verify, export, back up, compact: what an operator does with a journal, and what retention does by itself."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from centralita.errors import JournalCorrupt, JournalError, JournalLocked
from centralita.journal import (
    SqliteJournal,
    SqliteJournalConfig,
    backup,
    compact,
    export,
    recover,
    verify,
)
from centralita.journal.archive import Archive
from centralita.journal.snapshots import SnapshotFiles
from centralita.messages import named
from tests.journal.samples import batch, fill, record, records, seqs

# The samples are a second apart: with so many days kept, the last 100 records stay.
KEEP_100 = SqliteJournalConfig(keep_days=100 / 86_400)
KEEP_ALL = SqliteJournalConfig(keep_days=None)


def make(folder: Path, *sizes: int, snapshots: tuple[int, ...] = ()) -> Path:
    journal = SqliteJournal(folder, KEEP_ALL)
    fill(journal, *sizes)
    for seq in snapshots:
        journal.save_snapshot(seq, b"state %d" % seq)
    journal.close()
    return journal.path


def change(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount >= 1


def lines(path: Path, after_seq: int = 0) -> list[Any]:
    return [json.loads(line) for some in export(path, after_seq=after_seq) for line in some.splitlines()]


# Verify ---------------------------------------------------------------------------------------------


def test_whole_journal_verifies_with_its_figures(tmp_path: Path) -> None:
    path = make(tmp_path, 3, 40, 7, snapshots=(20, 50))
    result = verify(path)
    assert result.problems == ()
    assert (result.schema, result.first_seq, result.last_seq, result.records, result.batches) == (
        1,
        1,
        50,
        50,
        3,
    )
    assert result.last_at_ns == record(50).at_ns
    assert result.snapshots == (50, 20)


def test_empty_journal_verifies(tmp_path: Path) -> None:
    result = verify(make(tmp_path))
    assert (result.records, result.last_seq, result.problems) == (0, 0, ())


def test_journal_can_be_verified_while_it_is_written(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    fill(journal, 5)
    assert verify(journal.path).last_seq == 5
    fill(journal, 5)
    assert verify(journal.path).last_seq == 10
    journal.close()


def test_every_damaged_place_is_listed(tmp_path: Path) -> None:
    path = make(tmp_path, 5, 5, 5, 5, 5, snapshots=(3, 9))
    change(path, "UPDATE batches SET payload = zeroblob(20) WHERE first_seq = 6")
    change(path, "DELETE FROM batches WHERE first_seq = 16")
    change(path, "UPDATE batches SET state_hash = 'what' WHERE first_seq = 21")
    SnapshotFiles(path).path(9).write_bytes(b"")
    result = verify(path)
    assert [problem.removeprefix(f"{path}") for problem in result.problems] == [
        "records 6 to 10: the checksum is wrong",
        "records 16 to 20: missing",
        "records 21 to 25: the checksum is wrong",
        ".snapshot-00000000000000000009: cut off after 0 bytes",
    ]
    assert (result.records, result.last_seq) == (10, 25)


def test_damage_below_the_rows_is_found(tmp_path: Path) -> None:
    path = make(tmp_path, *[20] * 40)
    content = bytearray(path.read_bytes())
    content[3 * 8192 : 3 * 8192 + 64] = bytes(64)
    path.write_bytes(content)
    assert verify(path).problems != ()


def test_retired_records_without_a_snapshot_are_a_problem(tmp_path: Path) -> None:
    path = make(tmp_path, 5, 5)
    change(path, "DELETE FROM batches WHERE first_seq = 1")
    problem = "records 1 to 5 were retired and no good snapshot stands for them"
    assert verify(path).problems == (problem,)
    journal = SqliteJournal(tmp_path, KEEP_ALL)
    with pytest.raises(JournalError, match="records 1 to 5 are no longer kept"):
        list(recover(journal)[1])
    journal.close()


@pytest.mark.parametrize(
    "what", [verify, lambda path: list(export(path)), lambda path: backup(path, path / "b")]
)
def test_no_journal_is_said_so(tmp_path: Path, what: Any) -> None:
    with pytest.raises(JournalError, match="there is no such file"):
        what(tmp_path / "journal.sqlite")
    (tmp_path / "notes.txt").write_text("not a journal, certainly" * 100)
    with pytest.raises(JournalError, match="is not a journal that can be read"):
        what(tmp_path / "notes.txt")


# Export ---------------------------------------------------------------------------------------------


def test_export_names_every_field(tmp_path: Path) -> None:
    path = make(tmp_path, 2, 3)
    assert lines(path) == [named(one) for one in records(1, 5)]
    assert lines(path)[4]["events"][0]["type"] == "MessagePosted"
    assert [line["seq"] for line in lines(path, after_seq=3)] == [4, 5]
    assert lines(path, after_seq=5) == []


def test_export_gives_what_is_before_the_damage_then_refuses(tmp_path: Path) -> None:
    path = make(tmp_path, 5, 5, 5)
    change(path, "UPDATE batches SET payload = zeroblob(20) WHERE first_seq = 6")
    given: list[bytes] = []
    with pytest.raises(JournalCorrupt, match="records 6 to 10"):
        given.extend(export(path))
    assert len(b"".join(given).splitlines()) == 5


def test_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="format was 'xml'; known: jsonl"):
        export(make(tmp_path, 1), format="xml")  # type: ignore[arg-type]


# Backup ---------------------------------------------------------------------------------------------


def test_backup_of_a_journal_in_use_is_a_journal(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "live")
    fill(journal, 30, 30)
    journal.save_snapshot(40, b"forty")
    result = backup(journal.path, tmp_path / "copy" / "journal.sqlite")
    fill(journal, 10)
    journal.close()
    assert (result.last_seq, result.snapshots, result.problems) == (60, (40,), ())
    copy = SqliteJournal(tmp_path / "copy")
    snapshot, tail = recover(copy)
    assert snapshot is not None
    assert snapshot.state == b"forty"
    assert list(tail) == records(41, 60)
    fill(copy, 5)
    copy.close()


def test_backup_is_never_written_over_and_never_left_half(tmp_path: Path) -> None:
    path = make(tmp_path / "live", 5, 5, snapshots=(5,))
    backup(path, tmp_path / "copy.sqlite")
    with pytest.raises(JournalError, match=r"copy\.sqlite: is there already"):
        backup(path, tmp_path / "copy.sqlite")
    change(path, "UPDATE batches SET payload = zeroblob(20) WHERE first_seq = 1")
    with pytest.raises(JournalError, match="the backup does not verify: records 1 to 5"):
        backup(path, tmp_path / "bad" / "copy.sqlite")
    assert list((tmp_path / "bad").iterdir()) == []


def test_backup_that_can_neither_be_written_nor_cleared_away_says_why(tmp_path: Path) -> None:
    path = make(tmp_path / "live", 5, 5, snapshots=(5,))
    in_the_way = tmp_path / "copy.sqlite.snapshot-00000000000000000005.partial"
    in_the_way.mkdir()  # as on a disk that is read-only, it is neither opened for writing nor unlinked
    with pytest.raises(JournalError, match=r"the snapshot can't be written: Is a directory"):
        backup(path, tmp_path / "copy.sqlite")
    (tmp_path / "other.sqlite.partial").mkdir()
    with pytest.raises(JournalError, match=r"other\.sqlite: the backup can't be written"):
        backup(path, tmp_path / "other.sqlite")


# Retention and compaction ---------------------------------------------------------------------------


def test_compaction_moves_old_records_to_the_archive(tmp_path: Path) -> None:
    path = make(tmp_path / "live", *[50] * 20, snapshots=(400, 800, 900))
    result = compact(path, tmp_path / "archive")
    assert (result.retired, result.first_seq, result.last_seq) == (800, 801, 1000)
    assert result.bytes_after < result.bytes_before
    assert verify(path).problems == ()
    (archived,) = (tmp_path / "archive").iterdir()
    kept = verify(archived)
    assert (kept.first_seq, kept.last_seq, kept.problems) == (1, 800, ())
    assert [line["seq"] for line in lines(archived)] == list(range(1, 801))
    assert [line["seq"] for line in lines(path)] == list(range(801, 1001))


def test_reader_goes_from_the_archive_into_the_journal(tmp_path: Path) -> None:
    path = make(tmp_path, *[50] * 20, snapshots=(400, 800))
    compact(path, tmp_path / "archive")
    journal = SqliteJournal(tmp_path)
    assert seqs(journal) == list(range(1, 1001))
    assert seqs(journal, 399) == list(range(400, 1001))
    fill(journal, 50)
    journal.save_snapshot(1050, b"")
    journal.close()
    compact(path, tmp_path / "archive")
    journal = SqliteJournal(tmp_path)
    assert seqs(journal, 123) == list(range(124, 1051))
    journal.close()
    without = SqliteJournal(tmp_path, SqliteJournalConfig(archive=""))
    with pytest.raises(JournalError, match="records 124 to 800 are no longer kept"):
        seqs(without, 123)
    without.close()


def test_compaction_without_an_archive_drops_for_good(tmp_path: Path) -> None:
    path = make(tmp_path, *[50] * 4, snapshots=(100, 150))
    assert compact(path, None).retired == 100
    assert {one.suffix for one in tmp_path.iterdir() if one.is_dir()} == set()
    journal = SqliteJournal(tmp_path)
    snapshot, tail = recover(journal)
    assert snapshot is not None
    assert [one.seq for one in tail] == list(range(151, 201))
    journal.close()


@pytest.mark.parametrize("snapshots", [(), (150,)])
def test_nothing_goes_that_two_snapshots_do_not_cover(tmp_path: Path, snapshots: tuple[int, ...]) -> None:
    path = make(tmp_path, *[50] * 4, snapshots=snapshots)
    assert compact(path, tmp_path / "archive").retired == 0


def test_compaction_of_a_journal_in_use_is_refused(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    with pytest.raises(JournalLocked):
        compact(journal.path, None)
    journal.close()


def test_retention_counts_by_the_journals_own_time(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, KEEP_100)
    fill(journal, *[10] * 50)
    while journal.tidy():
        pass
    assert verify(journal.path).first_seq == 1
    journal.save_snapshot(200, b"")
    journal.save_snapshot(450, b"")
    while journal.tidy():
        pass
    assert verify(journal.path).first_seq == 201  # the older snapshot's records go, no more
    journal.save_snapshot(500, b"")
    while journal.tidy():
        pass
    assert verify(journal.path).first_seq == 401
    assert seqs(journal) == list(range(1, 501))
    journal.close()


def test_archiving_again_after_a_crash_in_between_doubles_nothing(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, KEEP_100)
    fill(journal, *[10] * 50)
    journal.save_snapshot(400, b"")
    journal.save_snapshot(500, b"")
    Archive(tmp_path / "archive").add(journal._retirable()[:7])  # then the process ended
    while journal.tidy():
        pass
    (archived,) = (tmp_path / "archive").iterdir()
    assert verify(archived).records == 400
    assert seqs(journal) == list(range(1, 501))
    journal.close()


def test_archive_file_is_finished_at_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("centralita.journal.archive.FILE_BYTES_MAX", 30_000)
    monkeypatch.setattr("centralita.journal.sqlite.TIDY_ROWS_MAX", 5)
    path = make(tmp_path, *[10] * 100, snapshots=(900, 950))
    compact(path, tmp_path / "archive")
    files = Archive(tmp_path / "archive").files()
    assert len(files) > 2
    assert next(iter(files)) == 1
    journal = SqliteJournal(tmp_path)
    assert seqs(journal) == list(range(1, 1001))
    journal.close()


def test_archive_that_cannot_be_written_is_loud_and_the_journal_lives(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, KEEP_100)
    fill(journal, *[10] * 50)
    journal.save_snapshot(400, b"")
    journal.save_snapshot(500, b"")
    (tmp_path / "archive").write_text("a file where the folder should be")
    with capture_logs() as logs:
        assert journal.tidy() is False
        assert journal.tidy() is False
    assert [entry["event"] for entry in logs] == ["journal_archive_failed"]
    journal.append(batch(501, 510), expected_seq=500)
    (tmp_path / "archive").unlink()
    journal.save_snapshot(510, b"")
    while journal.tidy():
        pass
    assert verify(journal.path).first_seq > 1
    journal.close()
