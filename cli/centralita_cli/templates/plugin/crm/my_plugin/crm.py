"""The CRM: whoever has written from an address is known by it from then on.

What happened and how far it has been read are one transaction in SQLite, so that nothing is lost or counted
twice, whenever the process ends. SQLite waits for a disk, so it is used in a worker thread, one at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar

import trio
from msgspec import Meta, Struct

from centralita.messages import ContactAdmitted, ContactEnded, Customer, Record
from centralita.protocols import Context, Inbox, PastContact
from centralita.views import ContactView

Result = TypeVar("Result")

FILE: Final = "customers.sqlite"
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS position (seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS contacts (
    id INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, handle TEXT NOT NULL, name TEXT NOT NULL,
    channel TEXT NOT NULL, medium TEXT NOT NULL, subject TEXT NOT NULL, arrived_ns INTEGER NOT NULL,
    ended_ns INTEGER NOT NULL DEFAULT 0, queue TEXT NOT NULL DEFAULT '', agent TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS by_handle ON contacts (handle, arrived_ns);
"""


class MyPluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[crms.NAME] type = "my_plugin"`. `history_max`: no answer is longer."""

    history_max: Annotated[int, Meta(ge=1, le=1_000)] = 100


class MyPlugin:
    """The CRM, in one file."""

    def __init__(self, settings: MyPluginSettings, context: Context) -> None:
        self._settings = settings
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
        """The last record taken in."""
        return await self._with(lambda db: int(db.execute("SELECT seq FROM position").fetchone()[0]))

    async def write(self, batch: Sequence[Record]) -> None:
        """Take in what is new of a batch, and the position with it. Cancelled, it finishes the batch."""

        def take_in(db: sqlite3.Connection) -> None:
            with db:
                (seq,) = db.execute("SELECT seq FROM position").fetchone()
                for record in batch:
                    if record.seq > seq:
                        _take_in(db, record)
                db.execute("UPDATE position SET seq = max(seq, ?)", (batch[-1].seq,))

        await self._with(take_in)

    async def find_customer(self, contact: ContactView) -> Customer | None:
        """Who has written from this address before."""
        handle = contact.handle
        if not handle:
            return None

        def find(db: sqlite3.Connection) -> Customer | None:
            row = db.execute(
                "SELECT name FROM contacts WHERE handle = ? AND id != ? ORDER BY name = '', id DESC",
                (handle, contact.id),
            ).fetchone()
            return Customer(id=handle, name=row[0]) if row else None

        return await self._with(find)

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        """Earlier contacts from the same address, newest first."""
        address = customer.id if customer is not None else handle
        if not address:
            return []
        most = min(limit, self._settings.history_max)

        def read(db: sqlite3.Connection) -> list[PastContact]:
            rows = db.execute(
                "SELECT id, conversation, channel, medium, subject, queue, agent, outcome, arrived_ns, ended_ns"
                " FROM contacts WHERE handle = ? ORDER BY arrived_ns DESC, id DESC LIMIT ?",
                (address, most),
            )
            return [_past_contact(row) for row in rows]

        return await self._with(read)

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
                raise RuntimeError("the CRM is not running")
            return use(self._connection)

        return await self._in_thread(run)

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        return await trio.to_thread.run_sync(function, limiter=self._one)


def _take_in(db: sqlite3.Connection, record: Record) -> None:
    for event in record.events:
        if isinstance(event, ContactAdmitted) and event.direction != "consultation":
            db.execute(
                "INSERT INTO contacts (id, conversation, handle, name, channel, medium, subject, arrived_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    event.contact,
                    event.conversation,
                    event.handle,
                    event.customer_name,
                    event.channel,
                    event.medium,
                    event.subject,
                    record.at_ns,
                ),
            )
        elif isinstance(event, ContactEnded):
            db.execute(
                "UPDATE contacts SET ended_ns = ?, queue = ?, agent = ?, outcome = ? WHERE id = ?",
                (record.at_ns, event.queue, event.agent, event.outcome, event.contact),
            )


def _past_contact(row: tuple[int, int, str, str, str, str, str, str, int, int]) -> PastContact:
    contact, conversation, channel, medium, subject, queue, agent, outcome, arrived_ns, ended_ns = row
    return PastContact(
        contact=contact,
        conversation=conversation,
        channel=channel,
        medium=medium,
        subject=subject,
        queue=queue,
        agent=agent,
        outcome=outcome,
        arrived_ns=arrived_ns,
        ended_ns=ended_ns,
        disposition="",
        notes="",
        summary="",
    )
