"""Journal records as rows: what a contact leaves behind in the CRM.

`take_in` writes a batch and its position in one transaction, so whatever crashes, the rows are exactly
those of the records up to the position. It decides nothing about the contact; it knows of each event only
what a person will want to read later. A customer who was not known becomes one by a name with an
address, or by an address that is a person's everywhere (a telephone number, an e-mail address).

Rows of an erased contact are kept as figures; nothing that is said later is added to them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from centralita.messages import (
    CallbackRequested,
    ContactAdmitted,
    ContactConnected,
    ContactEnded,
    ContactIdentified,
    ContactNoted,
    ContactQueued,
    ContactRated,
    MessagePosted,
    Record,
    SelfServiceEnded,
    WrapUpEnded,
)
from centralita_crm_sqlite.handles import Handle, Numbering, handle_of


class Recorder:
    """How records become rows in the CRM named `crm`."""

    def __init__(self, *, crm: str, numbering: Numbering, transcripts: bool) -> None:
        self._crm = crm
        self._numbering = numbering
        self._transcripts = transcripts

    def take_in(self, connection: sqlite3.Connection, batch: Sequence[Record]) -> int:
        """Write what is new of a batch, in the caller's transaction; returns the new position.

        Raises ValueError when records are missing before the batch; who has nothing yet may begin
        anywhere, since the journal may have retired its oldest records.
        """
        (seq,) = connection.execute("SELECT seq FROM position").fetchone()
        for record in batch:
            if record.seq <= seq:
                continue
            if seq and record.seq != seq + 1:
                raise ValueError(f"record {record.seq} can't follow {seq}")
            for event in record.events:
                write = _WRITE.get(type(event))
                if write is not None:
                    write(self, connection, event, record.at_ns)
            seq = record.seq
        connection.execute("UPDATE position SET seq = ?", (seq,))
        return int(seq)

    def _admitted(self, connection: sqlite3.Connection, event: ContactAdmitted, at_ns: int) -> None:
        if event.direction == "consultation":
            return
        handle = handle_of(
            event.handle, medium=event.medium, channel=event.channel, numbering=self._numbering
        )
        customer = self._customer(connection, handle, event, at_ns) if handle is not None else None
        connection.execute(
            "INSERT INTO conversations (id, customer, subject, first_ns, last_ns) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET last_ns = excluded.last_ns,"
            " customer = coalesce(conversations.customer, excluded.customer)",
            (event.conversation, customer, event.subject, at_ns, at_ns),
        )
        kind, channel, value = handle or ("", "", "")
        connection.execute(
            "INSERT INTO contacts (id, conversation, customer, channel, medium, direction, handle_kind,"
            " handle_channel, handle, customer_name, subject, queue, arrived_ns)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.contact, event.conversation, customer, event.channel, event.medium, event.direction,
                kind, channel, value, event.customer_name, event.subject, event.queue, at_ns,
            ),
        )  # fmt: skip

    def _customer(
        self, connection: sqlite3.Connection, handle: Handle, event: ContactAdmitted, at_ns: int
    ) -> int | None:
        row = connection.execute(
            "SELECT customer FROM handles WHERE value = ? AND kind = ? AND channel = ?",
            (handle.value, handle.kind, handle.channel),
        ).fetchone()
        if row is not None:
            # What is known stays; what was empty is filled. People's names are corrected by people.
            connection.execute(
                "UPDATE customers SET seen_ns = ?, name = iif(name = '', ?, name),"
                " language = iif(language = '', ?, language) WHERE id = ?",
                (at_ns, event.customer_name, event.language, row["customer"]),
            )
            return int(row["customer"])
        if not event.customer_name and not handle.names_a_person:
            return None
        customer = connection.execute(
            "INSERT INTO customers (name, language, created_ns, seen_ns) VALUES (?, ?, ?, ?)",
            (event.customer_name, event.language, at_ns, at_ns),
        ).lastrowid
        connection.execute("INSERT INTO handles VALUES (?, ?, ?, ?)", (*handle, customer))
        return customer

    def _identified(self, connection: sqlite3.Connection, event: ContactIdentified, at_ns: int) -> None:
        if event.conversation:
            connection.execute(
                "INSERT OR IGNORE INTO conversations (id, first_ns, last_ns) VALUES (?, ?, ?)",
                (event.conversation, at_ns, at_ns),
            )
            connection.execute(
                "UPDATE contacts SET conversation = ? WHERE id = ?", (event.conversation, event.contact)
            )
        customer = event.customer
        if customer is None:
            return
        if customer.crm != self._crm:
            connection.execute(
                "UPDATE contacts SET crm = ?, crm_customer = ? WHERE id = ? AND erased = 0",
                (customer.crm, customer.id, event.contact),
            )
            return
        known = customer.id.isascii() and customer.id.isdigit()
        if known:
            connection.execute(
                "UPDATE contacts SET customer = ?1 WHERE id = ?2 AND erased = 0"
                " AND EXISTS (SELECT 1 FROM customers WHERE id = ?1)",
                (int(customer.id), event.contact),
            )
            # An agent's correction also teaches the address, unless it is somebody's already.
            connection.execute(
                "INSERT OR IGNORE INTO handles SELECT handle_kind, handle_channel, handle, customer"
                " FROM contacts WHERE id = ? AND handle <> '' AND customer IS NOT NULL",
                (event.contact,),
            )

    def _queued(self, connection: sqlite3.Connection, event: ContactQueued, at_ns: int) -> None:
        connection.execute("UPDATE contacts SET queue = ? WHERE id = ?", (event.queue, event.contact))

    def _connected(self, connection: sqlite3.Connection, event: ContactConnected, at_ns: int) -> None:
        connection.execute("UPDATE contacts SET agent = ? WHERE id = ?", (event.agent, event.contact))

    def _callback(self, connection: sqlite3.Connection, event: CallbackRequested, at_ns: int) -> None:
        connection.execute("UPDATE contacts SET medium = 'callback' WHERE id = ?", (event.contact,))

    def _summed_up(self, connection: sqlite3.Connection, event: SelfServiceEnded, at_ns: int) -> None:
        connection.execute(
            "UPDATE contacts SET summary = ? WHERE id = ? AND erased = 0", (event.summary, event.contact)
        )

    def _message(self, connection: sqlite3.Connection, event: MessagePosted, at_ns: int) -> None:
        if not self._transcripts:
            return
        attachments = msgspec.json.encode(
            [{"id": one.id, "name": one.name, "media_type": one.media_type, "bytes_n": one.bytes_n}
             for one in event.attachments]
        ).decode()  # fmt: skip
        connection.execute(
            "INSERT OR IGNORE INTO messages SELECT id, ?, ?, ?, ?, ?, ?, ? FROM contacts"
            " WHERE id = ? AND erased = 0",
            (
                event.number, at_ns, event.author, event.author_id, event.text, event.internal, attachments,
                event.contact,
            ),
        )  # fmt: skip

    def _noted(self, connection: sqlite3.Connection, event: ContactNoted, at_ns: int) -> None:
        self._note(connection, event.contact, event.agent, at_ns, event.notes, event.disposition)

    def _wrapped_up(self, connection: sqlite3.Connection, event: WrapUpEnded, at_ns: int) -> None:
        self._note(
            connection, event.contact, event.agent, at_ns, event.notes or None, event.disposition or None
        )

    def _note(
        self,
        connection: sqlite3.Connection,
        contact: int,
        agent: str,
        at_ns: int,
        notes: str | None,
        disposition: str | None,
    ) -> None:
        """Keep the notes of each agent, and on the contact the latest. None: as it was."""
        if notes is None and disposition is None:
            return
        changed = connection.execute(
            "UPDATE contacts SET notes = coalesce(?, notes), disposition = coalesce(?, disposition)"
            " WHERE id = ? AND erased = 0",
            (notes, disposition, contact),
        )
        if changed.rowcount:
            connection.execute(
                "INSERT INTO contact_notes VALUES (?1, ?2, ?3, coalesce(?4, ''), coalesce(?5, ''))"
                " ON CONFLICT (contact, agent) DO UPDATE SET at_ns = ?3, notes = coalesce(?4, notes),"
                " disposition = coalesce(?5, disposition)",
                (contact, agent, at_ns, notes, disposition),
            )

    def _ended(self, connection: sqlite3.Connection, event: ContactEnded, at_ns: int) -> None:
        connection.execute(
            "UPDATE contacts SET outcome = ?, queue = ?, agent = iif(? = '', agent, ?), ended_ns = ?,"
            " waited_ns = ?, talk_ns = ?, hold_ns = ?, wrap_up_ns = ? WHERE id = ?",
            (
                event.outcome, event.queue, event.agent, event.agent, at_ns, event.waited_ns,
                event.talk_ns, event.hold_ns, event.wrap_up_ns, event.contact,
            ),
        )  # fmt: skip
        connection.execute(
            "UPDATE conversations SET last_ns = ? WHERE id = (SELECT conversation FROM contacts WHERE id = ?)",
            (at_ns, event.contact),
        )
        if event.outcome == "served" and event.agent:
            connection.execute(
                "UPDATE customers SET last_agent = ? WHERE id = (SELECT customer FROM contacts WHERE id = ?)",
                (event.agent, event.contact),
            )

    def _rated(self, connection: sqlite3.Connection, event: ContactRated, at_ns: int) -> None:
        connection.execute(
            "UPDATE contacts SET score = ?, comment = iif(erased, '', ?) WHERE id = ?",
            (event.score, event.comment, event.contact),
        )


_Write = Callable[[Recorder, sqlite3.Connection, Any, int], None]
_WRITE: Final[dict[type, _Write]] = {
    ContactAdmitted: Recorder._admitted,
    ContactIdentified: Recorder._identified,
    ContactQueued: Recorder._queued,
    ContactConnected: Recorder._connected,
    CallbackRequested: Recorder._callback,
    SelfServiceEnded: Recorder._summed_up,
    MessagePosted: Recorder._message,
    ContactNoted: Recorder._noted,
    WrapUpEnded: Recorder._wrapped_up,
    ContactEnded: Recorder._ended,
    ContactRated: Recorder._rated,
}
