"""The sink: how many contacts ended on which day, in which queue, and how, in a table of SQLite.

The counts and the position are one transaction, so that nothing is missing or counted twice, whenever the
process ends. SQLite waits for a disk, so it is used in a worker thread, one at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final, TypeVar
from zoneinfo import ZoneInfo

import trio
from msgspec import Meta, Struct

from centralita.errors import ConfigurationError
from centralita.messages import ContactEnded, Record
from centralita.protocols import Context, Inbox

Result = TypeVar("Result")

FILE: Final = "counts.sqlite"
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS position (seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS counts (
    day TEXT NOT NULL, queue TEXT NOT NULL, outcome TEXT NOT NULL, ended INTEGER NOT NULL,
    PRIMARY KEY (day, queue, outcome)
);
"""


class MyPluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[kpi_sinks.NAME] type = "my_plugin"`. `time_zone` says when a day begins."""

    time_zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"


class MyPlugin:
    """The sink, in one file."""

    def __init__(self, settings: MyPluginSettings, context: Context) -> None:
        try:
            self._zone = ZoneInfo(settings.time_zone)
        except (LookupError, ValueError, OSError) as error:
            place = f"{context.kind}.{context.name}.time_zone"
            raise ConfigurationError(
                [f"{place} was {settings.time_zone!r}; must be a time zone such as Europe/Madrid"]
            ) from error
        self._path = context.data / FILE
        self._connection: sqlite3.Connection | None = None
        self._one = trio.CapacityLimiter(1)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Hold the file open until cancelled."""
        await self._in_thread(self._open)
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await self._in_thread(self._close)

    async def position(self) -> int:
        """The last record counted."""
        return await self._with(lambda db: int(db.execute("SELECT seq FROM position").fetchone()[0]))

    async def write(self, batch: Sequence[Record]) -> None:
        """Count what is new of a batch, and move the position with it. Cancelled, it finishes the batch."""

        def count(db: sqlite3.Connection) -> None:
            with db:
                (seq,) = db.execute("SELECT seq FROM position").fetchone()
                for record in batch:
                    if record.seq > seq:
                        self._count(db, record)
                db.execute("UPDATE position SET seq = max(seq, ?)", (batch[-1].seq,))

        await self._with(count)

    async def counts(self) -> list[tuple[str, str, str, int]]:
        """(day, queue, outcome, contacts ended), in order."""
        return await self._with(lambda db: db.execute("SELECT * FROM counts ORDER BY 1, 2, 3").fetchall())

    def _count(self, db: sqlite3.Connection, record: Record) -> None:
        day = datetime.fromtimestamp(record.at_ns // 1_000_000_000, self._zone).date().isoformat()
        for event in record.events:
            if isinstance(event, ContactEnded):
                db.execute(
                    "INSERT INTO counts VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET ended = ended + 1",
                    (day, event.queue, event.outcome),
                )

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._path, check_same_thread=False)
        self._connection.executescript(SCHEMA)
        with self._connection as db:
            db.execute("INSERT INTO position SELECT 0 WHERE NOT EXISTS (SELECT * FROM position)")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _with(self, use: Callable[[sqlite3.Connection], Result]) -> Result:
        def run() -> Result:
            if self._connection is None:
                raise RuntimeError("the sink is not running")
            return use(self._connection)

        return await self._in_thread(run)

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        return await trio.to_thread.run_sync(function, limiter=self._one)
