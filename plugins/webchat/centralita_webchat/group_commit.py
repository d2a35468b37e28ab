"""A SQLite file that many tasks write at once, each waiting until what it wrote is on the disk.

While one transaction is on its way in a worker thread, what comes meanwhile gathers and goes with the
next (DeWitt et al. 1984, "Implementation techniques for main memory database systems", section 5). It
knows no tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeVar, cast

import trio

from centralita.errors import CentralitaError

BATCH_MAX: Final = 256
"""Writes in one transaction."""

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
        self._leading = False
        self._led = trio.Event()

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._connection is not None

    async def open(self) -> None:
        """Open or create the file. Raises StoreError when it is not ours."""
        if self._connection is None:
            self._connection = await trio.to_thread.run_sync(self._connect)

    async def close(self) -> None:
        """Close it, after what was handed in before."""
        if self._connection is None:
            return
        with trio.CancelScope(shield=True):
            with suppress(sqlite3.Error, StoreError):
                await self.do(lambda _: None)
            while self._leading:
                await self._led.wait()
            connection, self._connection = self._connection, None
            if connection is not None:
                await self._at_it(connection.close)

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

        Whoever finds nobody at it commits for all who wait, and wakes them together: to let them pass one by one
        would cost a round of the whole program each. Cancelled while waiting, the operation may still
        be done by another's turn.
        """
        write = _Write(do)
        # Nothing may be waited for before this: of two tasks that hand in at once, trio wakes either first, and
        # what the first wrote would then stand over what the second did.
        self._waiting.append(cast(_Write[object], write))
        try:
            while not write.done:
                if self._leading:
                    await write.wake.wait()
                    write.wake = trio.Event()
                else:
                    await self._lead()
            return write.unwrap()
        finally:
            write.left = True
            self._pass_on()

    async def checkpoint(self) -> None:
        """Bring everything into the file itself and empty its log. Raises StoreError when it is closed."""
        while self._leading:
            await self._led.wait()
        connection = self._connection
        if connection is None:
            raise StoreError(f"{self._path}: is closed")
        await self._at_it(partial(connection.execute, "PRAGMA wal_checkpoint(TRUNCATE)"))

    async def _lead(self) -> None:
        """Commit the next of those who wait."""
        batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
        try:
            await self._at_it(partial(self._commit, batch))
        finally:
            for write in batch:
                write.wake.set()

    async def _at_it(self, work: Callable[[], object]) -> None:
        """Do something with the file while nobody else does."""
        self._leading = True
        try:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(work)
        finally:
            self._leading = False
            self._led.set()
            self._led = trio.Event()
            self._pass_on()

    def _pass_on(self) -> None:
        """Have the first who still waits see to it that the rest is committed."""
        if not self._leading:
            for write in self._waiting:
                if not write.left:
                    write.wake.set()
                    return

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
        self.left = False
        """Nobody waits for it any more."""
        self.wake = trio.Event()
        self.result: T | None = None
        self.error: BaseException | None = None

    def unwrap(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.result)
