"""A SQLite file that many tasks write at once, each waiting until what it wrote is on the disk.

While one transaction is on its way in a worker thread, what comes meanwhile gathers and goes with the
next (DeWitt et al. 1984, "Implementation techniques for main memory database systems", section 5). It
knows no tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar, cast

import trio

from centralita.errors import CentralitaError

BATCH_MAX: Final = 256
"""Writes in one transaction."""
PENDING_MAX: Final = 10_000
"""Writes that wait for the disk; more wait for their turn to wait."""

T = TypeVar("T")


class StoreError(CentralitaError):
    """The store can't be opened (another program's file, a later version's), or is closed already."""


class GroupCommit:
    """The file. Operations are done one after the other, in the order they were handed in."""

    def __init__(self, path: Path, *, schema: str, schema_number: int) -> None:
        self._path = path
        self._schema = schema
        self._schema_number = schema_number
        self._connection: sqlite3.Connection | None = None
        self._waiting: list[_Write[object]] = []
        self._room = trio.CapacityLimiter(PENDING_MAX)
        self._turn = trio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._connection is not None

    async def open(self) -> None:
        """Open or create the file. Raises StoreError when it is not ours."""
        if self._connection is None:
            self._connection = await trio.to_thread.run_sync(self._connect)

    async def close(self) -> None:
        """Close it; what was written is on the disk already."""
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(connection.close)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "secure_delete = ON",
            ):
                connection.execute(f"PRAGMA {pragma}")
            (number,) = connection.execute("PRAGMA user_version").fetchone()
            if number not in (0, self._schema_number):
                raise StoreError(f"{self._path}: schema number was {number}; known: {self._schema_number}")
            if number == 0:
                connection.executescript(
                    f"BEGIN; {self._schema} PRAGMA user_version = {self._schema_number}; COMMIT;"
                )
        except sqlite3.Error as error:
            connection.close()
            raise StoreError(f"{self._path}: {error}") from error
        except BaseException:
            connection.close()
            raise
        return connection

    async def do(self, do: Callable[[sqlite3.Connection], T]) -> T:
        """Run `do` in a transaction and wait until it is durable.

        Whoever gets the turn commits for all who wait. Cancelled while waiting for the turn, the
        operation may still be done by another's turn.
        """
        async with self._room:
            write = _Write(do)
            self._waiting.append(cast(_Write[object], write))
            # Two turns at most while fewer than BATCH_MAX wait; PENDING_MAX bounds their number always.
            while True:
                async with self._turn:
                    if write.done:
                        return write.unwrap()
                    batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                    with trio.CancelScope(shield=True):
                        await trio.to_thread.run_sync(self._commit, batch)

    async def checkpoint(self) -> None:
        """Bring everything into the file itself and empty its log. Raises StoreError when it is closed."""
        async with self._turn:
            connection = self._connection
            if connection is None:
                raise StoreError(f"{self._path}: is closed")
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(connection.execute, "PRAGMA wal_checkpoint(TRUNCATE)")

    def _commit(self, batch: Sequence[_Write[object]]) -> None:
        connection = self._connection
        try:
            if connection is None:
                raise StoreError(f"{self._path}: is closed")
            connection.execute("BEGIN IMMEDIATE")
            try:
                for write in batch:
                    connection.execute("SAVEPOINT one")
                    try:
                        write.result = write.do(connection)
                    except sqlite3.IntegrityError as error:  # this operation's fault alone
                        write.error = error
                        connection.execute("ROLLBACK TO one")
                    connection.execute("RELEASE one")
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        except BaseException as error:
            for write in batch:
                write.error = error
            if not isinstance(error, sqlite3.Error | CentralitaError):
                raise
        finally:
            for write in batch:
                write.done = True


class _Write(Generic[T]):
    """One operation on its way to the disk."""

    def __init__(self, do: Callable[[sqlite3.Connection], T]) -> None:
        self.do = do
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def unwrap(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.result)
