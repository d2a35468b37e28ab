"""The journal's one table in SQLite, and how its rows are read with suspicion.

A row is a committed batch, not a record: one insert, one checksum and one decoding for everything that
gathered while the commit before it was on its way. It refuses to know who writes and when. The archive's
files have the same table, so whatever reads the one reads the other.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Final

from centralita.errors import JournalCorrupt, JournalError
from centralita.journal.codec import SCHEMA, checksum
from centralita.journal.protocol import Batch

JOURNAL: Final = 0x43544C4A
ARCHIVE: Final = 0x43544C41
KINDS: Final = {JOURNAL: "a journal of Centralita", ARCHIVE: "an archive file of a journal of Centralita"}
"""SQLite's application_id tells our files from others, and the two kinds apart."""

BUSY_S: Final = 5.0
"""How long a statement waits for another process's lock (a backup, a checkpoint) before it fails."""

PAGE_BYTES: Final = 8192
FORMAT_VERSION_AT: Final = 18
FORMAT_VERSIONS: Final = (1, 2)

_TABLE: Final = """
CREATE TABLE batches (
    first_seq INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    state_hash BLOB NOT NULL,
    payload BLOB NOT NULL
)"""
_COLUMNS: Final = "first_seq, last_seq, at_ns, checksum, state_hash, payload"

Row = tuple[int, int, int, int, bytes, bytes]


def connect(path: Path, *, write: bool, immutable: bool = False) -> sqlite3.Connection:
    """Open a file in autocommit; for writing it is made, for its owner alone. Raises JournalError.

    `immutable` promises SQLite that nobody writes the file, so it needs no log and no lock beside it.
    """
    if write:
        # Customers' words are in here. SQLite gives the files beside it the same permissions.
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise JournalError(f"{path}: can't be opened for writing: {error.strerror}") from error
    mode = "rw" if write else "ro&immutable=1" if immutable else "ro"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise JournalError(f"{path}: can't be opened: {error}") from error
    # A damaged row may hold text that is none; it is to reach the checksum, not to fail on the way there.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def check_there(path: Path) -> None:
    """Raise JournalError, with why, when there is no file at `path` that could be read."""
    try:
        there = path.is_file()
    except OSError as error:  # a folder that is its owner's alone, as ours are
        raise JournalError(f"{path}: can't be read: {error.strerror}") from error
    if not there:
        raise JournalError(f"{path}: there is no such file")


def header_damage(path: Path) -> str:
    """What is wrong with the file's format version, of which SQLite says only that the file is "readonly"; empty
    when nothing is.

    The database header's offset 18, "The Database File Format", section 1.3.3: 1 or 2, and more is for reading only.
    """
    try:
        with path.open("rb") as file:
            version = file.read(FORMAT_VERSION_AT + 1)[FORMAT_VERSION_AT:]
    except OSError as error:
        return str(error.strerror)
    if not version or version[0] in FORMAT_VERSIONS:
        return ""
    return f"the file's header is damaged: its format version (byte {FORMAT_VERSION_AT}) was {version[0]}; allowed: 1, 2"


def definition_damage(connection: sqlite3.Connection) -> str:
    """What is wrong with the stored definition of the table, which has no checksum and by which SQLite reads it;
    empty when nothing is."""
    try:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'batches'").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        found = None  # sqlite3 decodes its own message, which quotes the damage
    return "" if found == (_TABLE.strip(),) else "the definition of the file's table is damaged"


def prepare(connection: sqlite3.Connection, path: Path, kind: int) -> None:
    """Make the table in an empty file; check that a file with something in it is of this kind."""
    if _identity(connection, path) == (0, 0) and _is_empty(connection):
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {kind}; PRAGMA user_version = {SCHEMA}; {_TABLE}; COMMIT"
        )
    check_identity(connection, path, kind)


def check_identity(connection: sqlite3.Connection, path: Path, *kinds: int) -> tuple[int, int]:
    """(kind, version of the schema) of a file of one of these kinds; none given: of any.

    Raises JournalError when it is something else or has a newer schema than ours.
    """
    application, schema = _identity(connection, path)
    if application not in (kinds or KINDS):
        raise JournalError(f"{path}: is not {' or '.join(KINDS[kind] for kind in kinds or KINDS)}")
    if not 1 <= schema <= SCHEMA:
        raise JournalError(f"{path}: has schema {schema}; this version reads 1 to {SCHEMA}")
    return application, schema


def is_sealed(path: Path) -> bool:
    """Whether a journal's file says that keys belong to it; False when there is no file to ask."""
    if not path.is_file():
        return False
    with closing(connect(path, write=False)) as connection:
        try:
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sealed'").fetchone()
        except sqlite3.DatabaseError:
            return False  # opening it says what is wrong
    return found is not None


def mark_sealed(connection: sqlite3.Connection) -> None:
    """Have a journal's file say that keys belong to it."""
    connection.execute("CREATE TABLE IF NOT EXISTS sealed (keys TEXT NOT NULL) STRICT")


def row_of(batch: Batch) -> Row:
    """A batch as it is kept."""
    return (
        batch.first_seq,
        batch.last_seq,
        batch.at_ns,
        checksum(batch),
        batch.state_hash,
        batch.payload,
    )


def batch_of(row: Row) -> Batch:
    """A row as a batch. Raises JournalCorrupt when the checksum or the form of the row is wrong."""
    first_seq, last_seq, at_ns, expected, state_hash, payload = row
    batch = Batch(first_seq=first_seq, last_seq=last_seq, at_ns=at_ns, payload=payload, state_hash=state_hash)
    try:
        good = last_seq >= first_seq and checksum(batch) == expected
    except (TypeError, struct.error):  # a damaged row may hold anything; msgspec checks no types here
        good = False
    if not good:
        raise JournalCorrupt(f"records {first_seq} to {last_seq}: the checksum is wrong")
    return batch


def rows_after(connection: sqlite3.Connection, after_seq: int) -> Generator[Row, None, None]:
    """The rows that hold or should hold records after `after_seq`, unchecked, in order.

    The first may lie wholly before it when records are missing. A cursor left open keeps SQLite from
    reusing its log: close the iterator soon. Raises JournalCorrupt when SQLite can't read on.
    """
    try:
        for row in connection.execute(
            f"SELECT {_COLUMNS} FROM batches WHERE first_seq >= "
            "coalesce((SELECT max(first_seq) FROM batches WHERE first_seq <= ?1), ?1) ORDER BY first_seq",
            (after_seq + 1,),
        ):
            yield row
            after_seq = row[1]
    except sqlite3.DatabaseError as error:
        raise corrupt(error, f"reading after record {after_seq}") from error


def slice_after(
    connection: sqlite3.Connection, after_seq: int, *, records_n: int
) -> tuple[list[Batch], JournalCorrupt | None]:
    """Batches with the records after `after_seq`, until `records_n` or the end; and what is wrong after them."""
    batches: list[Batch] = []
    taken_n = 0
    rows = rows_after(connection, after_seq)
    try:
        for row in rows:
            batch = batch_of(row)
            if batch.last_seq <= after_seq:
                continue
            if batch.first_seq > after_seq + 1:
                raise JournalCorrupt(f"records {after_seq + 1} to {batch.first_seq - 1}: missing")
            batches.append(batch)
            taken_n += batch.last_seq - after_seq
            after_seq = batch.last_seq
            if taken_n >= records_n:
                break
    except JournalCorrupt as damage:
        return batches, damage
    finally:
        rows.close()
    return batches, None


def batches_with_state_hash(connection: sqlite3.Connection, after_seq: int = 0) -> list[Batch]:
    """The batches after `after_seq` that carry a hash of the state, in order. Raises JournalCorrupt.

    The payload stands last in a row, so SQLite reads it only of the rows it gives.
    """
    try:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM batches WHERE last_seq > ? AND length(state_hash) > 0 ORDER BY first_seq",
            (after_seq,),
        ).fetchall()
    except sqlite3.DatabaseError as error:
        raise corrupt(error, "looking for hashes of the state") from error
    return [batch_of(row) for row in rows]


def bounds(connection: sqlite3.Connection) -> tuple[int, int]:
    """(first record kept, last record); (1, 0) when there is none. Reads only the tree's edges."""
    try:
        found = connection.execute(
            "SELECT (SELECT min(first_seq) FROM batches),"
            " (SELECT last_seq FROM batches ORDER BY first_seq DESC LIMIT 1)"
        ).fetchone()
    except sqlite3.DatabaseError as error:
        raise corrupt(error, "looking for the first and the last record") from error
    return (found[0], found[1]) if found[0] is not None else (1, 0)


def last_batch(connection: sqlite3.Connection) -> Batch | None:
    """The last batch, checked. Raises JournalCorrupt."""
    try:
        row = connection.execute(f"SELECT {_COLUMNS} FROM batches ORDER BY first_seq DESC LIMIT 1").fetchone()
    except sqlite3.DatabaseError as error:
        raise corrupt(error, "reading the last record") from error
    return batch_of(row) if row is not None else None


def corrupt(error: sqlite3.DatabaseError, doing: str) -> JournalCorrupt:
    """SQLite's own finding as ours."""
    return JournalCorrupt(f"{doing}: SQLite says: {error}")


def _identity(connection: sqlite3.Connection, path: Path) -> tuple[int, int]:
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise JournalError(f"{path}: is not a journal that can be read: {error}") from error
    return application, schema


def _is_empty(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])
