"""Where records go that the journal no longer keeps: SQLite files with the journal's own table.

Each file is a journal by itself, so `verify` and `export` work on it, and it is finished once the next
one is begun: then it may be moved away. It refuses to know which records are due.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from centralita.errors import JournalError, reason
from centralita.journal import tables

FILE_BYTES_MAX: Final = 256 * 1024 * 1024
"""A file that has reached this is finished."""

_NAME: Final = re.compile(r"journal-(\d{20})\.sqlite")


class Archive:
    """The archive in `folder`, which is made when the first records come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> dict[int, Path]:
        """The first record of each file → the file, in order."""
        if not self.folder.is_dir():
            return {}
        matches = ((_NAME.fullmatch(path.name), path) for path in sorted(self.folder.iterdir()))
        return {int(match[1]): path for match, path in matches if match}

    def find(self, seq: int) -> Path | None:
        """The file in which record `seq` would be."""
        before = [path for first, path in self.files().items() if first <= seq]
        return before[-1] if before else None

    def add(self, rows: Sequence[tables.Row]) -> None:
        """Keep consecutive rows durably. Rows that are there already (a crash came between adding
        here and deleting there) are left. Raises JournalError with nothing of them kept."""
        first = rows[0][0]
        path = self.find(first)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if path is not None:
                with closing(tables.connect(path, write=True)) as connection:
                    tables.check_identity(connection, path, tables.ARCHIVE)
                    _, last = tables.bounds(connection)
                    rows = [row for row in rows if row[0] > last]
                    if not rows:
                        return
                    if last == rows[0][0] - 1 and path.stat().st_size < FILE_BYTES_MAX:
                        _insert(connection, rows)
                        return
            path = self.folder / f"journal-{rows[0][0]:020d}.sqlite"
            with closing(tables.connect(path, write=True)) as connection:
                tables.prepare(connection, path, tables.ARCHIVE)
                _insert(connection, rows)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{path or self.folder}: can't be written: {reason(error)}") from error


def _insert(connection: sqlite3.Connection, rows: Sequence[tables.Row]) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    with connection:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", rows)
