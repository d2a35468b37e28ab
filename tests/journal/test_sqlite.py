"""The SQLite journal under what happens to disks and processes. docs/journal.md tells it to operators."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from centralita.errors import Fenced, JournalCorrupt, JournalError, JournalLocked
from centralita.journal import Encoder, Snapshot, SqliteJournal, SqliteJournalConfig, backup, recover, verify
from centralita.journal.snapshots import SNAPSHOTS_KEPT, SnapshotFiles
from centralita.messages import Record, Tick
from centralita_cli.main import cli
from tests.journal.samples import batch, fill, record, records, seqs

ROOT = Path(__file__).parents[2]
NORMAL = SqliteJournalConfig(synchronous="normal")


@contextmanager
def opened(folder: Path, config: SqliteJournalConfig | None = None) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(folder, config)
    try:
        yield journal
    finally:
        journal.close()


def crashed_copy(journal: SqliteJournal, to: Path) -> Path:
    """The files as a crash at this moment would leave them."""
    to.mkdir()
    for path in journal.path.parent.iterdir():
        if path.is_file() and not path.name.endswith("-shm"):
            shutil.copy(path, to / path.name)
    return to


def change(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


# Opening --------------------------------------------------------------------------------------------


def test_reopened_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 3, 4)
    with opened(tmp_path) as journal:
        assert journal.last_seq == 7
        fill(journal, 2)
        assert seqs(journal) == list(range(1, 10))


def test_folder_may_be_given_in_words(tmp_path: Path) -> None:
    with closing(SqliteJournal(str(tmp_path))) as journal:
        assert journal.path.parent == tmp_path


def test_journal_that_is_closed_takes_no_more_and_says_so(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 1)
    with pytest.raises(JournalError, match=r"records 2 to 2: can't be written: .* closed database"):
        fill(journal, 1)


def test_full_is_the_default_and_both_settings_reach_sqlite(tmp_path: Path) -> None:
    for config, expected in ((None, 2), (NORMAL, 1)):
        with opened(tmp_path, config) as journal:
            (synchronous,) = journal._connection.execute("PRAGMA synchronous").fetchone()
            (mode,) = journal._connection.execute("PRAGMA journal_mode").fetchone()
        assert (synchronous, mode) == (expected, "wal")


def test_second_opener_is_refused_by_name_of_the_first(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        with pytest.raises(JournalLocked, match=rf"journal\.sqlite is in use by process {os.getpid()};"):
            SqliteJournal(tmp_path)
        fill(journal, 1)
    with opened(tmp_path) as journal:
        assert journal.last_seq == 1


def test_killed_process_leaves_no_lock_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.journal.writing", str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(chance.randrange(2, 60))]
        with pytest.raises(JournalLocked, match=f"process {writer.pid}"):
            SqliteJournal(tmp_path)
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.read().splitlines()
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        acknowledged = int([line for line in said if line.strip()][-2])  # the last line may be cut
        with opened(tmp_path) as journal:
            assert journal.last_seq >= acknowledged
            assert [r for some in journal.read() for r in some] == records(1, journal.last_seq)
    assert verify(tmp_path / "journal.sqlite").problems == ()


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 1)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match="has schema 2; this version reads 1 to 1"):
        SqliteJournal(tmp_path)


def test_foreign_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="is not a journal of Centralita"):
        SqliteJournal(tmp_path)
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all, but long enough to look at" * 10)
    with pytest.raises(JournalError, match="is not a journal that can be read"):
        SqliteJournal(tmp_path)


# Writing --------------------------------------------------------------------------------------------


def test_a_writer_past_the_lock_is_fenced_by_the_table(tmp_path: Path) -> None:
    with opened(tmp_path) as first:
        fill(first, 3)
        first._lock.path.unlink()  # what an administrator should not do
        with opened(tmp_path) as second:
            fill(second, 2)
            with pytest.raises(Fenced, match="record 4 was to follow record 3, but the last one is 5"):
                first.append(batch(4, 4), expected_seq=3)
            with pytest.raises(JournalError, match="another writer has taken over"):
                first.append(batch(6, 6), expected_seq=5)
            assert seqs(second) == [1, 2, 3, 4, 5]


def test_time_never_goes_back_between_batches(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 5)
        early = Encoder().encode([Record(seq=6, at_ns=1, command=Tick(), events=[])], after_seq=5, after_ns=0)
        with pytest.raises(ValueError, match="don't follow record 5"):
            journal.append(early, expected_seq=5)
        fill(journal, 1)
        assert journal.last_seq == 6


def test_full_disk_keeps_nothing_of_the_batch_and_can_be_tried_again(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 10)
        (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
        journal._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(JournalError, match="records 11 to 1010: the disk is full; none of them was kept"):
            journal.append(batch(11, 1010), expected_seq=10)
        assert journal.last_seq == 10
        assert seqs(journal) == list(range(1, 11))
        journal._connection.execute("PRAGMA max_page_count = 1000000")
        journal.append(batch(11, 1010), expected_seq=10)
        assert journal.last_seq == 1010
    assert verify(tmp_path / "journal.sqlite").problems == ()


LIMITED = """
import resource, signal, sys
from pathlib import Path
from centralita.errors import JournalError
from centralita.journal import SqliteJournal
from tests.journal.samples import batch, fill
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = SqliteJournal(Path(sys.argv[1]))
fill(journal, 10)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
seq = journal.last_seq
try:
    while True:
        fill(journal, 100)
        seq = journal.last_seq
except JournalError as error:
    print(seq, "first:", error)
try:
    journal.append(batch(seq + 1, seq + 1), expected_seq=seq)
except JournalError as error:
    print(seq, "then:", error)
"""


def test_failing_disk_stops_the_writer_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.splitlines()
    assert "first:" in said[0]
    assert "can't be written" in said[0] or "the disk is full" in said[0]
    acknowledged = int(said[0].split()[0])
    assert acknowledged >= 110
    with opened(tmp_path) as journal:
        assert seqs(journal)[:acknowledged] == list(range(1, acknowledged + 1))


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody whom file permissions hold; root is held by none."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user can reach: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_read_only_disk_refuses_to_write_and_can_be_read(reachable: Path) -> None:
    with opened(reachable) as journal:
        fill(journal, 3)
    for path in reachable.iterdir():
        path.chmod(0o444)
    reachable.chmod(0o555)
    with unprivileged():
        with pytest.raises(JournalError, match=r"journal\.sqlite: can't be opened for writing"):
            SqliteJournal(reachable)
        assert verify(reachable / "journal.sqlite").last_seq == 3
        told = CliRunner().invoke(cli, ["journal", "info", str(reachable / "journal.sqlite")])
        assert "1 to 3" in told.stdout
    reachable.chmod(0o755)


def test_read_only_file_in_a_writable_folder_is_refused(reachable: Path) -> None:
    with opened(reachable) as journal:
        fill(journal, 3)
    (reachable / "journal.sqlite").chmod(0o444)
    (reachable / "journal.sqlite.lock").chmod(0o666)
    reachable.chmod(0o777)
    with unprivileged(), pytest.raises(JournalError, match="can't be opened for writing"):
        SqliteJournal(reachable)


def test_all_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(tmp_path, SqliteJournalConfig(keep_days=0)) as journal:
            fill(journal, 5, 5)
            journal.save_snapshot(5, b"five")
            journal.save_snapshot(10, b"ten")
            assert journal.tidy()
            backup(journal.path, tmp_path / "copy.sqlite")
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            assert len(files) > 8
            assert [path.name for path in files if path.stat().st_mode & 0o077] == []
    finally:
        os.umask(before)


# Damage ---------------------------------------------------------------------------------------------


def test_unfinished_commit_is_dropped_and_reported(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as journal:
        fill(journal, 5)
        before = crashed_copy(journal, tmp_path / "before")
        journal.append(batch(6, 400), expected_seq=5)
        crash = crashed_copy(journal, tmp_path / "crash")
    # The commit was on its way: the log is cut inside it, and nobody had been told.
    (crash / "journal.sqlite.lock").write_bytes((before / "journal.sqlite.lock").read_bytes())
    log = crash / "journal.sqlite-wal"
    log.write_bytes(log.read_bytes()[:-5000])
    with capture_logs() as logs, opened(crash) as journal:
        assert seqs(journal) == [1, 2, 3, 4, 5]
        fill(journal, 3)
    assert [entry["event"] for entry in logs] == ["journal_unfinished_commit_dropped"]
    with capture_logs() as logs, opened(crash) as journal:
        assert journal.last_seq == 8
    assert logs == []


@settings(max_examples=60)
@given(data=st.data())
def test_log_cut_anywhere_loses_nothing_acknowledged_unseen(data: st.DataObject) -> None:
    """A crash may leave any beginning of the commit under way; damage may take more."""
    with tempfile.TemporaryDirectory() as name:
        with opened(Path(name) / "live") as journal:
            for size in data.draw(st.lists(st.integers(1, 60), max_size=4)):
                fill(journal, size)
            told = journal.last_seq
            safe = (Path(name) / "live" / "journal.sqlite-wal").stat().st_size
            mark = (Path(name) / "live" / "journal.sqlite.lock").read_bytes()
            fill(journal, data.draw(st.integers(1, 300)))
            last = journal.last_seq
            crash = crashed_copy(journal, Path(name) / "crash")
        (crash / "journal.sqlite.lock").write_bytes(mark)
        log = crash / "journal.sqlite-wal"
        whole = log.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        garbage = data.draw(st.booleans())
        log.write_bytes(whole[:cut] + (b"\xa5" * (len(whole) - cut) if garbage else b""))
        try:
            with capture_logs(), opened(crash) as journal:
                assert journal.last_seq in (told, last)
                assert seqs(journal) == list(range(1, journal.last_seq + 1))
                fill(journal, 3)
            assert verify(crash / "journal.sqlite").problems == ()
        except JournalError:
            # SQLite forces the log's header, 32 bytes, to the disk before the first commit behind it.
            assert cut < max(safe, 32)  # what was acknowledged is hit, and that is said


def test_damaged_log_with_acknowledged_commits_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as journal:
        fill(journal, 5)
        start = (tmp_path / "live" / "journal.sqlite-wal").stat().st_size
        fill(journal, 5, 5, 5)
        crash = crashed_copy(journal, tmp_path / "crash")
    log = crash / "journal.sqlite-wal"
    content = bytearray(log.read_bytes())
    content[start + 100] ^= 1
    log.write_bytes(content)
    with pytest.raises(JournalCorrupt, match=r"3 commits after frame .* are damaged; all but the last"):
        SqliteJournal(crash)


def test_log_removed_by_hand_is_noticed(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as journal:
        fill(journal, 5)
        journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        fill(journal, 5, 5)
        crash = crashed_copy(journal, tmp_path / "crash")
    (crash / "journal.sqlite-wal").unlink()
    with pytest.raises(JournalCorrupt, match="records 6 to 15 were acknowledged and are gone"):
        SqliteJournal(crash)
    # With "normal" a loss of power may do the same, as its setting says: loud, but no refusal.
    with capture_logs() as logs, opened(crash, NORMAL) as journal:
        assert journal.last_seq == 5
    assert [(entry["event"], entry["first"], entry["last"]) for entry in logs] == [
        ("journal_records_lost", 6, 15)
    ]


def test_damaged_header_of_the_log_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "live") as journal:
        fill(journal, 5)
        crash = crashed_copy(journal, tmp_path / "crash")
    log = crash / "journal.sqlite-wal"
    content = bytearray(log.read_bytes())
    content[17] ^= 1
    log.write_bytes(content)
    with pytest.raises(JournalCorrupt, match="the log's header is damaged"):
        SqliteJournal(crash)


def test_lost_end_that_was_acknowledged_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 5, 5)
    change(tmp_path / "journal.sqlite", "DELETE FROM batches WHERE first_seq = 6")
    with pytest.raises(JournalCorrupt, match=r"records 6 to 10 were acknowledged and are gone.*\.lock"):
        SqliteJournal(tmp_path)
    (tmp_path / "journal.sqlite.lock").unlink()
    with opened(tmp_path) as journal:
        assert journal.last_seq == 5


def test_damaged_last_record_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 5, 5)
    change(tmp_path / "journal.sqlite", "UPDATE batches SET payload = x'90' || payload WHERE first_seq = 6")
    with pytest.raises(JournalCorrupt, match="records 6 to 10: the checksum is wrong"):
        SqliteJournal(tmp_path)


def test_damaged_middle_record_is_named_after_all_before_it(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 5, 5, 5)
    change(tmp_path / "journal.sqlite", "UPDATE batches SET at_ns = at_ns + 1 WHERE first_seq = 6")
    with opened(tmp_path) as journal:
        good: list[int] = []
        with pytest.raises(JournalCorrupt, match=r"journal\.sqlite: records 6 to 10: the checksum is wrong"):
            good.extend(record.seq for record in recover(journal)[1])
        assert good == [1, 2, 3, 4, 5]


def test_missing_middle_record_is_named(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 5, 5, 5)
    change(tmp_path / "journal.sqlite", "DELETE FROM batches WHERE first_seq = 6")
    with opened(tmp_path) as journal, pytest.raises(JournalCorrupt, match="records 6 to 10: missing"):
        seqs(journal, 3)


def test_header_that_lets_nobody_write_is_named_when_opened_and_when_verified(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 5)
    path = tmp_path / "journal.sqlite"
    content = bytearray(path.read_bytes())
    content[18] = 3
    path.write_bytes(content)
    said = r"header is damaged: its format version \(byte 18\) was 3; allowed: 1, 2"
    with pytest.raises(JournalCorrupt, match=said), opened(tmp_path):
        pass
    (problem,) = verify(path).problems
    assert re.search(said, problem)


@settings(max_examples=60)
@example(at=18, bit=0)  # SQLite calls the file readonly
@example(at=8032, bit=0)  # the table has no key any more
@example(at=7990, bit=7)  # what SQLite says of it is no text
@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_file_never_changes_a_record(at: int, bit: int) -> None:
    """Damage may be refused or may hit what nothing depends on; it never gives another record."""
    with tempfile.TemporaryDirectory() as name:
        with opened(Path(name)) as journal:
            fill(journal, 5, 40, 5)
        path = Path(name) / "journal.sqlite"
        content = bytearray(path.read_bytes())
        content[at % len(content)] ^= 1 << bit
        path.write_bytes(content)
        good = 0
        try:
            with opened(Path(name)) as journal:
                for one in recover(journal)[1]:
                    good += 1
                    assert one == record(good)
                assert good == 50
        except JournalError:
            pass
        result = verify_or_refuse(path)
        assert result is None or result.problems or good == 50


def verify_or_refuse(path: Path) -> Any:
    try:
        return verify(path)
    except JournalError:
        return None


# Snapshots ------------------------------------------------------------------------------------------


def test_snapshots_outlive_the_process_and_the_oldest_go(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 50)
        for seq in (10, 20, 30, 40):
            journal.save_snapshot(seq, b"state %d" % seq)
    with opened(tmp_path) as journal:
        assert [snapshot.seq for snapshot in journal.snapshots()] == [40, 30, 20]
        assert SNAPSHOTS_KEPT == 3
        assert recover(journal)[0] == Snapshot(seq=40, state=b"state 40")


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
def test_damaged_snapshot_is_skipped_loudly_for_an_older_one(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 50)
        journal.save_snapshot(20, b"twenty" * 100)
        journal.save_snapshot(40, b"forty" * 100)
    path = SnapshotFiles(tmp_path / "journal.sqlite").path(40)
    content = path.read_bytes()
    changed = {
        "flip": content[:100] + bytes([content[100] ^ 4]) + content[101:],
        "cut": content[:-1],
        "empty": b"",
        "foreign": b"#" * len(content),
    }
    path.write_bytes(changed[damage])
    with opened(tmp_path) as journal, capture_logs() as logs:
        snapshot, tail = recover(journal)
        assert snapshot is not None
        assert snapshot.seq == 20
        assert [one.seq for one in tail] == list(range(21, 51))
    assert [(entry["event"], entry["log_level"], entry["seq"]) for entry in logs] == [
        ("journal_snapshot_damaged", "error", 40)
    ]


def test_crash_while_a_snapshot_is_written_leaves_the_older_ones(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 50)
        journal.save_snapshot(20, b"twenty")
    partial = tmp_path / "journal.sqlite.snapshot-00000000000000000040.partial"
    partial.write_bytes(b"half")
    with opened(tmp_path) as journal:
        assert [snapshot.seq for snapshot in journal.snapshots()] == [20]
    assert not partial.exists()


def test_journal_that_ends_before_its_snapshot_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        fill(journal, 50)
        journal.save_snapshot(40, b"forty")
    (tmp_path / "journal.sqlite").unlink()
    (tmp_path / "journal.sqlite.lock").unlink()
    with pytest.raises(JournalCorrupt, match="ends at record 0, but there is a snapshot after record 40"):
        SqliteJournal(tmp_path)


@pytest.mark.parametrize("synchronous", ["full", "normal"])
def test_snapshot_is_durable_with_its_records(tmp_path: Path, synchronous: Literal["full", "normal"]) -> None:
    with opened(tmp_path, SqliteJournalConfig(synchronous=synchronous)) as journal:
        fill(journal, 5)
        journal.save_snapshot(5, b"five")
        assert recover(journal)[0] == Snapshot(seq=5, state=b"five")
