"""The journal in an SQLite file: write-ahead log, one commit a batch, forced to the disk.

It refuses to know what a record means and what time it is. One process writes (`lock.py`); any may read.
The theory: a commit in SQLite's log is one append and one fsync, and the log's own checksums cut off an
unfinished commit; ours, over each row, find what decays afterwards. What a torn, full, read-only or
damaged disk does is in docs/journal.md.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final, Literal

import structlog
from msgspec import Meta

from centralita.errors import Fenced, JournalCorrupt, JournalError
from centralita.journal import tables, wal
from centralita.journal.archive import Archive
from centralita.journal.codec import Decoder
from centralita.journal.lock import JournalLock
from centralita.journal.protocol import Batch, Seal, Snapshot
from centralita.journal.sealed_state import close_state, open_state
from centralita.journal.snapshots import SnapshotFiles
from centralita.messages import Record
from centralita.structs import Frozen

READ_RECORDS_N: Final = 1000
"""A reader gets batches of about this many records, more when one commit was larger."""

TIDY_BYTES_MAX: Final = 1024 * 1024
TIDY_ROWS_MAX: Final = 500
"""How much one `tidy` moves: a few milliseconds between two commits."""

CHECKPOINT_PAGES: Final = 2000
LOG_BYTES_MAX: Final = 64 * 1024 * 1024
"""Beyond this the log's file is cut when SQLite begins it anew."""

NS_PER_DAY: Final = 86_400 * 1_000_000_000

_INSERT: Final = """
INSERT INTO batches SELECT ?, ?, ?, ?, ?, ?
WHERE ? = coalesce((SELECT last_seq FROM batches ORDER BY first_seq DESC LIMIT 1), 0)"""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class SqliteJournalConfig(Frozen, forbid_unknown_fields=True):
    """`[journal]`, type "sqlite".

    `path` and `archive` are relative to the journal's data folder. `synchronous`: "full" loses nothing
    acknowledged when the power goes; "normal" may lose the last moments then (never when only the
    process dies) and is quicker. `snapshot_every` counts records; 0 takes none, and then nothing is
    retired. `state_hash_every` counts records too (at least half as many as contacts are live lie between two);
    with 0 no hash of the state is taken, and none is checked at the start. Records older than `keep_days`, by the journal's own time, move to `archive` once two
    snapshots are newer; None keeps all in the journal; an empty `archive` drops them for good.
    """

    path: Annotated[str, Meta(min_length=1)] = "journal.sqlite"
    synchronous: Literal["full", "normal"] = "full"
    snapshot_every: Annotated[int, Meta(ge=0)] = 200_000
    state_hash_every: Annotated[int, Meta(ge=0)] = 10_000
    keep_days: Annotated[float, Meta(ge=0, le=36_500)] | None = 30
    archive: str = "archive"


class SqliteJournal:
    """An open journal. Opened anywhere, appended to from one thread, read from any."""

    blocking = True

    def __init__(
        self, folder: Path | str, config: SqliteJournalConfig | None = None, *, seal: Seal | None = None
    ) -> None:
        """Open or make the journal of `config` in `folder`, with customers' words under `seal`.

        Raises JournalLocked when another process has it open, JournalCorrupt when acknowledged records
        are damaged or gone, JournalError when the disk can't be written or the file is of no use.
        """
        folder = Path(folder)
        self._config = config or SqliteJournalConfig()
        self.seal = seal
        self.path = folder / self._config.path
        self._archive = Archive(folder / self._config.archive) if self._config.archive else None
        self._files = SnapshotFiles(self.path)
        self._last_seq = 0
        self._last_at_ns = 0
        self._broken = ""
        self._tidy_due = True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(f"{self.path.parent}: can't be made: {error.strerror}") from error
        self._lock = JournalLock(self.path.with_name(self.path.name + ".lock"), journal=self.path)
        try:
            self._connection = self._open()
        except BaseException:
            self._lock.close()
            raise

    @property
    def snapshot_every(self) -> int:
        """After how many records the runner is to save a snapshot; 0: never."""
        return self._config.snapshot_every

    @property
    def state_hash_every(self) -> int:
        """After how many records the runner is to take a hash of the state; 0: never."""
        return self._config.state_hash_every

    @property
    def first_seq(self) -> int:
        """The first record that can be read, in the archive or here; last_seq + 1 when there is none."""
        archived = self._archive.files() if self._archive is not None else {}
        with closing(tables.connect(self.path, write=False)) as connection:
            first, _ = tables.bounds(connection)
        return min([first, *archived])

    @property
    def last_seq(self) -> int:
        """The number of the last durable record; 0 when there is none."""
        return self._last_seq

    @property
    def last_at_ns(self) -> int:
        """When the last durable record was; 0 when there is none."""
        return self._last_at_ns

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        """Commit a batch: one row, one statement, one fsync.

        Raises Fenced when another writer was here, JournalError when it can't be written. On a full
        disk nothing of it is kept and the same batch may be tried again; after any other failure
        nobody knows what the disk holds, so the journal takes nothing more until it is opened anew.
        """
        if self._broken:
            raise JournalError(f"{self.path}: takes no more records: {self._broken}")
        if batch.first_seq != expected_seq + 1 or batch.at_ns < self._last_at_ns:
            raise ValueError(
                f"records {batch.first_seq} to {batch.last_seq} of {batch.at_ns} ns don't follow "
                f"record {expected_seq}, the journal being at {self._last_at_ns} ns"
            )
        try:
            inserted_n = self._connection.execute(_INSERT, (*tables.row_of(batch), expected_seq)).rowcount
        except sqlite3.Error as error:
            raise self._unwritten(error, batch) from error
        if inserted_n != 1:
            self._broken = "another writer has taken over"
            raise Fenced(
                f"{self.path}: record {batch.first_seq} was to follow record {expected_seq}, "
                f"but the last one is {tables.bounds(self._connection)[1]}: another writer has taken over"
            )
        try:
            self._lock.acknowledge(batch.last_seq)
        except JournalError as error:
            self._broken = str(error)
            raise
        self._last_at_ns, self._last_seq = batch.at_ns, batch.last_seq

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        """The records after `after_seq`, from the archive too. No lock is held between two batches."""
        decoder = Decoder(self.seal)
        for batches in self._since(after_seq):
            records: list[Record] = []
            try:
                for batch in batches:
                    records += decoder.decode(batch)
            except JournalCorrupt:
                if records := [record for record in records if record.seq > after_seq]:
                    yield records
                raise
            if records[0].seq <= after_seq:
                records = records[after_seq + 1 - records[0].seq :]
            after_seq = records[-1].seq
            yield records

    def state_hashes(self, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
        """(last record, packed StateHash) of the batches that carry one."""
        with closing(tables.connect(self.path, write=False)) as connection:
            if after_seq + 1 >= tables.bounds(connection)[0]:
                found = tables.batches_with_state_hash(connection, after_seq)
                yield from ((batch.last_seq, batch.state_hash) for batch in found)
                return
        for batches in self._since(after_seq):
            yield from ((batch.last_seq, batch.state_hash) for batch in batches if batch.state_hash)

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Write a snapshot beside the journal, in the caller's thread; commits go on meanwhile."""
        if seq > self._last_seq:
            raise JournalError(f"a snapshot after record {seq}; the last durable record is {self._last_seq}")
        if self._config.synchronous == "normal":
            # Its records may still be on their way to the disk, and a state must not outlive them.
            _sync_file(self._log_path)
        self._files.save(seq, state if self.seal is None else close_state(state, self.seal))
        self._tidy_due = True

    def snapshots(self) -> Iterator[Snapshot]:
        """The good snapshots, newest first; damaged ones are reported in the log and left out."""
        for snapshot in self._files.good():
            if self.seal is None:
                yield snapshot
            else:
                yield Snapshot(seq=snapshot.seq, state=open_state(snapshot.state, self.seal))

    def tidy(self) -> bool:
        """Move a few of the records that are past `keep_days` to the archive; True when more are due.

        An archive that can't be written is reported in the log and tried again after the next snapshot.
        """
        if not self._tidy_due or self._broken:
            return False
        rows = self._retirable()
        try:
            if rows and self._archive is not None:
                self._archive.add(rows)
        except JournalError as error:
            log.error("journal_archive_failed", path=str(self.path), error=str(error))
            rows = []
        if rows:
            try:
                self._connection.execute("DELETE FROM batches WHERE first_seq <= ?", (rows[-1][0],))
            except sqlite3.Error as error:
                self._broken = str(error)
                raise JournalError(f"{self.path}: retired records can't be deleted: {error}") from error
        self._tidy_due = bool(rows)
        return self._tidy_due

    def shrink(self) -> None:
        """Give the space of retired records back to the disk. Rewrites the file: not while serving."""
        try:
            self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: can't be shrunk: {error}") from error

    def close(self) -> None:
        """Close the file, fold its log into it and release the lock. A second call does nothing."""
        self._connection.close()
        self._lock.close()

    # Opening --------------------------------------------------------------------------------------

    @property
    def _log_path(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    def _open(self) -> sqlite3.Connection:
        scan = wal.scan(self._log_path)
        if not scan.header_good:
            raise JournalCorrupt(
                f"{self._log_path}: the log's header is damaged; SQLite would ignore all of it"
            )
        connection = tables.connect(self.path, write=True)
        try:
            self._configure(connection)
            taken = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
            self._judge_log(scan, max(taken, 0), connection)
            last = tables.last_batch(connection)
        except sqlite3.Error as error:
            connection.close()
            raise JournalError(f"{self.path}: can't be opened for writing: {error}") from error
        except BaseException:
            connection.close()
            raise
        if last is not None:
            self._last_seq, self._last_at_ns = last.last_seq, last.at_ns
        try:
            self._judge_end()
            self._files.remove_unfinished()
        except BaseException:
            connection.close()
            raise
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA page_size = {tables.PAGE_BYTES}")
        # Before anything is changed: the file may be somebody else's.
        tables.prepare(connection, self.path, tables.JOURNAL)
        if damage := tables.header_damage(self.path) or tables.definition_damage(connection):
            raise JournalCorrupt(f"{self.path}: {damage}")
        # SQLite opens a file that it may not write for reading only, and says so at the first write.
        connection.execute("DELETE FROM batches WHERE first_seq < 0")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalError(
                f"{self.path}: SQLite can't keep a write-ahead log here; its mode was {mode!r}"
            )
        connection.execute(f"PRAGMA synchronous = {self._config.synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}")

    def _judge_log(self, scan: wal.WalScan, taken: int, connection: sqlite3.Connection) -> None:
        """Report the unfinished commit that SQLite dropped; refuse when it dropped more than that.

        With "full", a commit is begun only after the one before it is on the disk and acknowledged. So
        of the frames dropped at most one commit's end may be unacknowledged.
        """
        frames, commits = scan.lost_after(taken)
        if frames <= 0:
            return
        if commits > 1 and self._config.synchronous == "full":
            raise JournalCorrupt(
                f"{self._log_path}: {commits} commits after frame {taken} are damaged; all but the last were "
                "acknowledged. Restore a backup, or remove the log to go on without them"
            )
        log.error("journal_unfinished_commit_dropped", path=str(self.path), frames=frames, commits=commits)
        # Begin the log anew, so that what is left of that commit isn't taken for one of the next round.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _judge_end(self) -> None:
        """Refuse a journal that ends before what was acknowledged, or before its own snapshots."""
        acknowledged = self._lock.acknowledged
        if acknowledged > self._last_seq:
            lost = f"records {self._last_seq + 1} to {acknowledged} were acknowledged and are gone"
            if self._config.synchronous == "full":
                raise JournalCorrupt(
                    f"{self.path}: {lost}. Restore what is missing, or remove {self._lock.path.name} "
                    "to go on without them"
                )
            log.error(
                "journal_records_lost", path=str(self.path), first=self._last_seq + 1, last=acknowledged
            )
        ahead = [seq for seq in self._files.seqs() if seq > self._last_seq]
        if ahead:
            raise JournalCorrupt(
                f"{self.path}: ends at record {self._last_seq}, but there is a snapshot after record "
                f"{ahead[0]}. Restore what is missing, or remove {self._files.path(ahead[0]).name}"
            )

    # Reading and retiring -------------------------------------------------------------------------

    def _since(self, after_seq: int) -> Iterator[list[Batch]]:
        """Slices of batches; raises what is wrong only after everything before it was given."""
        with closing(tables.connect(self.path, write=False)) as connection:
            while True:
                batches, damage = self._slice(connection, after_seq)
                if batches:
                    yield batches
                    after_seq = batches[-1].last_seq
                if damage is not None:
                    raise JournalCorrupt(f"{self.path}: {damage}") from damage
                if not batches:
                    return

    def _slice(
        self, connection: sqlite3.Connection, after_seq: int
    ) -> tuple[list[Batch], JournalCorrupt | None]:
        first, last = tables.bounds(connection)
        if after_seq >= last:
            return [], None
        if after_seq + 1 >= first:
            return tables.slice_after(connection, after_seq, records_n=READ_RECORDS_N)
        path = self._archive.find(after_seq + 1) if self._archive is not None else None
        if path is not None:
            with closing(tables.connect(path, write=False)) as archived:
                tables.check_identity(archived, path, tables.ARCHIVE)
                batches, damage = tables.slice_after(archived, after_seq, records_n=READ_RECORDS_N)
            if batches or damage is not None:
                return batches, damage
        raise JournalError(f"{self.path}: records {after_seq + 1} to {first - 1} are no longer kept")

    def _retirable(self) -> list[tables.Row]:
        """The next rows that are past keeping and covered by two snapshots; never the last row."""
        snapshots = self._files.seqs()
        if self._config.keep_days is None or len(snapshots) < 2:
            return []
        before_ns = self._last_at_ns - round(self._config.keep_days * NS_PER_DAY)
        rows: list[tables.Row] = []
        size = 0
        with closing(tables.rows_after(self._connection, 0)) as candidates:
            for row in candidates:
                due = row[1] <= snapshots[1] and row[2] <= before_ns and row[1] < self._last_seq
                if not due or size >= TIDY_BYTES_MAX or len(rows) >= TIDY_ROWS_MAX:
                    break
                rows.append(row)
                size += len(row[5])
        return rows

    def _unwritten(self, error: sqlite3.Error, batch: Batch) -> JournalError:
        what = f"{self.path}: records {batch.first_seq} to {batch.last_seq}"
        # What the module finds out by itself has no code: a connection that is closed.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            return JournalError(f"{what}: the disk is full; none of them was kept")
        self._broken = str(error)
        return JournalError(f"{what}: can't be written: {error}")


def _sync_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise JournalError(f"{path}: can't be forced to the disk: {error.strerror}") from error
    finally:
        os.close(descriptor)
