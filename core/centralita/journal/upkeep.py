"""What an operator does with a journal's file: verify, export, back up, compact.

`verify`, `export` and `backup` only read and work while an engine writes; `compact` needs the journal to
itself. They print nothing and refuse to know about terminals. Archive files are journals here too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

from centralita.errors import JournalCorrupt, JournalError, reason
from centralita.journal import tables
from centralita.journal.codec import Decoder
from centralita.journal.protocol import Seal
from centralita.journal.snapshots import SnapshotFiles, sync_folder
from centralita.journal.sqlite import READ_RECORDS_N, SqliteJournal, SqliteJournalConfig
from centralita.messages import Record, named
from centralita.structs import Frozen

PROBLEMS_MAX: Final = 100
"""After so many findings `verify` stops: the file is beyond telling one by one."""


class Verification(Frozen):
    """What `verify` found; the journal is whole when `problems` is empty.

    `first_seq` is more than 1 when older records were retired; recovery then needs a snapshot.
    """

    path: str
    schema: int
    first_seq: int
    last_seq: int
    last_at_ns: int
    records: int
    batches: int
    payload_bytes: int
    state_hashes: int
    snapshots: tuple[int, ...]
    problems: tuple[str, ...]


class Compaction(Frozen):
    """What `compact` did: records retired, bytes of the file before and after."""

    path: str
    archive: str
    retired: int
    first_seq: int
    last_seq: int
    bytes_before: int
    bytes_after: int


def verify(path: Path) -> Verification:
    """Read everything: SQLite's own structure, every checksum, number, time and field, every snapshot.

    Raises JournalError only when there is no journal to read; damage is in `problems`.
    """
    decoder = Decoder()
    problems: list[str] = []
    records = batches = size = hashes = last_seq = last_at_ns = 0
    first_seq: int | None = None
    with closing(reader(path)) as connection:
        kind, schema = tables.check_identity(connection, path)
        unreadable = tables.definition_damage(connection)
        problems += filter(None, [tables.header_damage(path), unreadable])
        if not unreadable:
            problems += _structure(connection)
        with closing(tables.rows_after(connection, 0)) as rows:
            while not unreadable and len(problems) < PROBLEMS_MAX:
                try:
                    row = next(rows, None)
                    if row is None:
                        break
                    if first_seq is not None and row[0] != last_seq + 1:
                        problems.append(f"records {last_seq + 1} to {row[0] - 1}: missing")
                    first_seq = row[0] if first_seq is None else first_seq
                    last_seq = max(row[:2]) if all(isinstance(seq, int) for seq in row[:2]) else row[0]
                    batch = tables.batch_of(row)
                    decoded = decoder.decode(batch)
                except JournalCorrupt as damage:
                    problems.append(str(damage))
                    continue
                for record in decoded:
                    if record.at_ns < last_at_ns:
                        problems.append(f"record {record.seq}: of {record.at_ns} ns, after {last_at_ns} ns")
                    last_at_ns = max(last_at_ns, record.at_ns)
                records += batch.records_n
                batches += 1
                size += len(batch.payload)
                hashes += bool(batch.state_hash)
    first_seq = 1 if first_seq is None else first_seq
    snapshots = _good_snapshots(path, last_seq, problems)
    if kind == tables.JOURNAL and first_seq > 1 and not any(seq >= first_seq - 1 for seq in snapshots):
        problems.append(f"records 1 to {first_seq - 1} were retired and no good snapshot stands for them")
    return Verification(
        path=str(path),
        schema=schema,
        first_seq=first_seq,
        last_seq=last_seq,
        last_at_ns=last_at_ns,
        records=records,
        batches=batches,
        payload_bytes=size,
        state_hashes=hashes,
        snapshots=tuple(snapshots),
        problems=tuple(problems[:PROBLEMS_MAX]),
    )


def export(
    path: Path, *, format: Literal["jsonl"] = "jsonl", after_seq: int = 0, seal: Seal | None = None
) -> Iterator[bytes]:
    """The records as lines of JSON with every field named, oldest first, in pieces of many lines.

    Without its `seal`, what is sealed shows as erased. Raises JournalCorrupt at the first damaged record,
    after everything before it was given.
    """
    if format != "jsonl":
        raise ValueError(f"format was {format!r}; known: jsonl")
    return _json_lines(path, after_seq, seal)


def backup(path: Path, to: Path) -> Verification:
    """Copy the journal as it is at this moment, with its snapshots, to the new file `to`; then verify it.

    Commits go on meanwhile. The archive is not copied: its files never change once finished. Raises
    JournalError when `to` exists, can't be written or does not verify; then nothing is left of it.
    """
    if to.exists():
        raise JournalError(f"{to}: is there already; a backup is never written over")
    partial = to.with_name(to.name + ".partial")
    made: list[Path] = []
    try:
        # The snapshots first: the copy must not end before a snapshot that stands beside it.
        source_files, copy_files = SnapshotFiles(path), SnapshotFiles(to)
        with closing(reader(path)) as source:
            tables.check_identity(source, path, tables.JOURNAL)
            to.parent.mkdir(parents=True, exist_ok=True)
            made = [partial]
            for snapshot in source_files.good():
                made.append(copy_files.path(snapshot.seq))
                copy_files.save(snapshot.seq, snapshot.state)
            partial.unlink(missing_ok=True)
            with closing(tables.connect(partial, write=True)) as copy:
                source.backup(copy)
                # One file, without a log beside it, is what one expects of a backup.
                copy.execute("PRAGMA journal_mode = DELETE")
        partial.replace(to)
        sync_folder(to.parent)
        made.append(to)
        result = verify(to)
        if result.problems:
            raise JournalError(f"{to}: the backup does not verify: {result.problems[0]}")
    except (OSError, sqlite3.Error, JournalError) as error:
        # What can't be written can't be removed either, and the first error counts.
        for left in made:
            with suppress(OSError):
                left.unlink(missing_ok=True)
        if isinstance(error, JournalError):
            raise
        raise JournalError(f"{to}: the backup can't be written: {reason(error)}") from error
    return result


def compact(path: Path, archive: Path | None, *, keep_days: float = 0) -> Compaction:
    """Move records older than `keep_days` into `archive` (None: drop them) and shrink the file.

    Only what two snapshots cover goes. Raises JournalLocked while an engine has the journal open.
    """
    tables.check_there(path)
    config = SqliteJournalConfig(
        path=path.name, keep_days=keep_days, archive=str(archive.absolute()) if archive is not None else ""
    )
    journal = SqliteJournal(path.parent, config)
    try:
        bytes_before = path.stat().st_size
        with closing(tables.connect(path, write=False)) as reader:
            before, _ = tables.bounds(reader)
            while journal.tidy():
                pass
            first, last = tables.bounds(reader)
        journal.shrink()
    finally:
        journal.close()
    return Compaction(
        path=str(path),
        archive=str(archive) if archive is not None else "",
        retired=first - before,
        first_seq=first,
        last_seq=last,
        bytes_before=bytes_before,
        bytes_after=path.stat().st_size,
    )


def records_of(path: Path) -> tuple[int, Iterator[Record]]:
    """(first record kept, all records) of a journal's file, for reading only.

    The iterator raises JournalCorrupt at the first damaged record, after everything before it was given.
    """
    with closing(reader(path)) as connection:
        tables.check_identity(connection, path)
        first_seq, _ = tables.bounds(connection)
    return first_seq, (record for records in _batches(path, first_seq - 1) for record in records)


def state_hashes_of(path: Path) -> list[bytes]:
    """The packed hashes of the state that a journal's file carries, oldest first."""
    with closing(reader(path)) as connection:
        tables.check_identity(connection, path)
        return [batch.state_hash for batch in tables.batches_with_state_hash(connection)]


def reader(path: Path) -> sqlite3.Connection:
    """A journal's file opened for reading, also on a disk that can't be written. Raises JournalError."""
    tables.check_there(path)
    connection = tables.connect(path, write=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise JournalError(
                f"{path}: can't be read: {error}; its log must be worked in first, where the disk can be written"
            ) from error
        # Closed in good order on a disk that can't be written now: the file alone is the whole journal.
        return tables.connect(path, write=False, immutable=True)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # sqlite3 decodes the message in which SQLite quotes a damaged definition, and fails at that.
        connection.close()
        said = error.object.decode("utf-8", "replace") if isinstance(error, UnicodeDecodeError) else error
        raise JournalError(f"{path}: is not a journal that can be read: {said}") from error
    return connection


def _structure(connection: sqlite3.Connection) -> list[str]:
    try:
        found = [row[0] for row in connection.execute(f"PRAGMA quick_check({PROBLEMS_MAX})")]
    except sqlite3.DatabaseError as error:
        return [f"SQLite says: {error}"]
    return [] if found == ["ok"] else [f"SQLite says: {line}" for line in found]


def _good_snapshots(path: Path, last_seq: int, problems: list[str]) -> list[int]:
    files = SnapshotFiles(path)
    good: list[int] = []
    for seq in files.seqs():
        try:
            files.load(seq)
        except JournalError as error:
            problems.append(str(error))
        else:
            good.append(seq)
            if seq > last_seq:
                problems.append(f"there is a snapshot after record {seq}, but the journal ends at {last_seq}")
    return good


def _json_lines(path: Path, after_seq: int, seal: Seal | None) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for records in _batches(path, after_seq, seal):
        yield encoder.encode_lines([named(record) for record in records])


def _batches(path: Path, after_seq: int, seal: Seal | None = None) -> Iterator[list[Record]]:
    """The records after one, a batch at a time; raises what is wrong after everything before it was given."""
    decoder = Decoder(seal)
    with closing(reader(path)) as connection:
        tables.check_identity(connection, path)
        after_seq = max(after_seq, tables.bounds(connection)[0] - 1)
        while True:
            batches, damage = tables.slice_after(connection, after_seq, records_n=READ_RECORDS_N)
            for batch in batches:
                yield [record for record in decoder.decode(batch) if record.seq > after_seq]
                after_seq = batch.last_seq
            if damage is not None:
                raise JournalCorrupt(f"{path}: {damage}") from damage
            if not batches:
                return
