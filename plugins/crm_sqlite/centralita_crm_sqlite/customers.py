"""Customers as people ask for them: found, read, corrected, merged, handed out whole, erased.

Plain blocking functions over a connection; `crm.py` calls them from its threads. Functions that change
something run in the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec

from centralita.messages import Customer
from centralita.protocols import PastContact
from centralita_crm_sqlite.handles import Handle

HISTORY_MAX: Final = 500
"""Earlier contacts in one answer."""

TRANSCRIPT_MAX: Final = 500
"""Messages of one contact in a history: the last ones. An export has them all."""

SEARCH_MAX: Final = 200


class UnknownCustomer(LookupError):
    """There is no customer of this id."""


def find(connection: sqlite3.Connection, handle: Handle, *, crm: str, prefer_last: bool) -> Customer | None:
    """Who has this address; None when nobody is known by it."""
    row = connection.execute(
        "SELECT customers.* FROM handles JOIN customers ON customers.id = handles.customer"
        " WHERE handles.value = ? AND handles.kind = ? AND handles.channel = ?",
        (handle.value, handle.kind, handle.channel),
    ).fetchone()
    return None if row is None else _customer(row, crm=crm, prefer_last=prefer_last)


def get(connection: sqlite3.Connection, customer: int, *, crm: str, prefer_last: bool) -> Customer:
    """A customer by id. Raises UnknownCustomer."""
    return _customer(_row(connection, customer), crm=crm, prefer_last=prefer_last)


def handles(connection: sqlite3.Connection, customer: int) -> list[Handle]:
    """Where a customer is reached."""
    rows = connection.execute(
        "SELECT kind, channel, value FROM handles WHERE customer = ? ORDER BY kind, value, channel",
        (customer,),
    )
    return [Handle(*row) for row in rows]


def search(
    connection: sqlite3.Connection, text: str, *, crm: str, prefer_last: bool, limit: int
) -> list[Customer]:
    """Customers whose name contains the text or one of whose addresses begins with it, lately seen first."""
    escaped = text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = connection.execute(
        "SELECT * FROM customers WHERE name LIKE ?1 ESCAPE '\\' OR id IN"
        " (SELECT customer FROM handles WHERE value LIKE ?2 ESCAPE '\\')"
        " ORDER BY seen_ns DESC, id DESC LIMIT ?3",
        (f"%{escaped}%", f"{escaped}%", min(limit, SEARCH_MAX)),
    )
    return [_customer(row, crm=crm, prefer_last=prefer_last) for row in rows]


def history(
    connection: sqlite3.Connection, customer: Customer | None, handle: Handle | None, *, crm: str, limit: int
) -> list[PastContact]:
    """Earlier contacts that have ended, newest first, of a customer or else of an address.

    The customer may be another CRM's: contacts that it identified are found by its id.
    """
    values: tuple[int | str, ...]
    if customer is not None and customer.crm == crm and customer.id.isascii() and customer.id.isdigit():
        where, values = "customer = ?", (int(customer.id),)
    elif customer is not None:
        where, values = "crm = ? AND crm_customer = ?", (customer.crm, customer.id)
    elif handle is not None:
        where = (
            "handle = ?1 AND handle_kind = ?2 AND handle_channel = ?3 OR customer ="
            " (SELECT customer FROM handles WHERE value = ?1 AND kind = ?2 AND channel = ?3)"
        )
        values = (handle.value, handle.kind, handle.channel)
    else:
        return []
    rows = connection.execute(
        f"SELECT * FROM contacts WHERE ended_ns IS NOT NULL AND ({where})"
        f" ORDER BY arrived_ns DESC, id DESC LIMIT {max(0, min(limit, HISTORY_MAX))}",
        values,
    ).fetchall()
    return [
        PastContact(
            contact=row["id"],
            conversation=row["conversation"],
            channel=row["channel"],
            medium=row["medium"],
            subject=row["subject"],
            queue=row["queue"],
            agent=row["agent"],
            outcome=row["outcome"],
            arrived_ns=row["arrived_ns"],
            ended_ns=row["ended_ns"],
            disposition=row["disposition"],
            notes=row["notes"],
            summary=row["summary"],
            messages=tuple(_messages(connection, row["id"], limit=TRANSCRIPT_MAX)),
        )
        for row in rows
    ]


def create(
    connection: sqlite3.Connection,
    *,
    name: str,
    addresses: list[Handle],
    at_ns: int,
    language: str = "",
    vip: bool = False,
    preferred_agent: str = "",
) -> int:
    """A new customer; returns the id. Raises ValueError for an address that is somebody's."""
    customer = connection.execute(
        "INSERT INTO customers (name, language, vip, preferred_agent, created_ns, seen_ns) VALUES (?, ?, ?, ?, ?, ?)",
        (name, language, vip, preferred_agent, at_ns, at_ns),
    ).lastrowid
    assert customer is not None
    for handle in addresses:
        add_handle(connection, customer, handle)
    return customer


def update(
    connection: sqlite3.Connection,
    customer: int,
    *,
    name: str | None = None,
    language: str | None = None,
    vip: bool | None = None,
    preferred_agent: str | None = None,
) -> None:
    """Correct a customer; None leaves a thing as it is. Raises UnknownCustomer."""
    _row(connection, customer)
    connection.execute(
        "UPDATE customers SET name = coalesce(?, name), language = coalesce(?, language),"
        " vip = coalesce(?, vip), preferred_agent = coalesce(?, preferred_agent) WHERE id = ?",
        (name, language, vip, preferred_agent, customer),
    )


def add_handle(connection: sqlite3.Connection, customer: int, handle: Handle) -> None:
    """Another address of a customer. Raises UnknownCustomer, ValueError when it is another's."""
    _row(connection, customer)
    row = connection.execute(
        "SELECT customer FROM handles WHERE value = ? AND kind = ? AND channel = ?",
        (handle.value, handle.kind, handle.channel),
    ).fetchone()
    if row is None:
        connection.execute("INSERT INTO handles VALUES (?, ?, ?, ?)", (*handle, customer))
    elif row["customer"] != customer:
        raise ValueError(
            f"this {handle.kind} is customer {row['customer']}'s; merge the two, or remove it there"
        )


def remove_handle(connection: sqlite3.Connection, customer: int, handle: Handle) -> bool:
    """Take an address away; whether it was there."""
    removed = connection.execute(
        "DELETE FROM handles WHERE customer = ? AND value = ? AND kind = ? AND channel = ?",
        (customer, handle.value, handle.kind, handle.channel),
    )
    return removed.rowcount > 0


def add_note(connection: sqlite3.Connection, customer: int, *, author: str, text: str, at_ns: int) -> None:
    """A note about the customer, whatever the contact. Raises UnknownCustomer."""
    _row(connection, customer)
    connection.execute(
        "INSERT INTO customer_notes (customer, at_ns, author, text) VALUES (?, ?, ?, ?)",
        (customer, at_ns, author, text),
    )


def merge(connection: sqlite3.Connection, kept: int, other: int) -> None:
    """Two customers were one: everything of `other` becomes `kept`'s. Raises UnknownCustomer, ValueError."""
    if kept == other:
        raise ValueError(f"customer {kept} can't be merged with itself")
    first, second = _row(connection, kept), _row(connection, other)
    for table in ("handles", "contacts", "conversations", "customer_notes"):
        connection.execute(f"UPDATE {table} SET customer = ? WHERE customer = ?", (kept, other))
    connection.execute(
        "UPDATE customers SET name = ?, language = ?, vip = ?, preferred_agent = ?, last_agent = ?,"
        " created_ns = ?, seen_ns = ? WHERE id = ?",
        (
            first["name"] or second["name"],
            first["language"] or second["language"],
            first["vip"] or second["vip"],
            first["preferred_agent"] or second["preferred_agent"],
            first["last_agent"] or second["last_agent"],
            min(first["created_ns"], second["created_ns"]),
            max(first["seen_ns"], second["seen_ns"]),
            kept,
        ),
    )
    connection.execute("DELETE FROM customers WHERE id = ?", (other,))


def export(connection: sqlite3.Connection, customer: int) -> dict[str, Any]:
    """All that is kept about a customer, ready for JSON: what GDPR articles 15 and 20 ask for.

    Raises UnknownCustomer.
    """
    row = _row(connection, customer)
    contacts = theirs(connection, customer)
    conversations = connection.execute(
        "SELECT id, subject, first_ns, last_ns FROM conversations WHERE customer = ? ORDER BY id", (customer,)
    )
    notes = connection.execute(
        "SELECT at_ns, author, text FROM customer_notes WHERE customer = ? ORDER BY id", (customer,)
    )
    return {
        "customer": dict(row),
        "handles": [handle._asdict() for handle in handles(connection, customer)],
        "notes": [dict(note) for note in notes],
        "conversations": [dict(conversation) for conversation in conversations],
        "contacts": [whole_contact(connection, contact) for contact in contacts],
    }


def whole_contact(connection: sqlite3.Connection, contact: sqlite3.Row) -> dict[str, Any]:
    """A contact's row with its notes and messages, ready for JSON."""
    notes = connection.execute(
        "SELECT agent, at_ns, notes, disposition FROM contact_notes WHERE contact = ? ORDER BY at_ns",
        (contact["id"],),
    )
    return {
        **dict(contact),
        "agent_notes": [dict(note) for note in notes],
        "messages": _messages(connection, contact["id"], limit=-1),
    }


def erase(connection: sqlite3.Connection, customer: int) -> int:
    """Forget a customer (GDPR article 17); returns how many contacts were emptied. Raises UnknownCustomer.

    Contacts stay as figures: channel, queue, agent, times, outcome, disposition, rating. Who it was and
    what was said goes, from contacts of any of the customer's addresses too. A contact that is still live is
    emptied and stays empty. The journal is not this CRM's: `centralita customer erase` reaches both.
    """
    _row(connection, customer)
    contacts = [row["id"] for row in theirs(connection, customer)]
    for contact in contacts:
        empty_contact(connection, contact)
    connection.execute("UPDATE conversations SET subject = '' WHERE customer = ?", (customer,))
    # Addresses and notes go with the customer.
    connection.execute("DELETE FROM customers WHERE id = ?", (customer,))
    return len(contacts)


def empty_contact(connection: sqlite3.Connection, contact: int) -> None:
    """Leave of a contact what is a figure."""
    connection.execute("DELETE FROM messages WHERE contact = ?", (contact,))
    connection.execute("DELETE FROM contact_notes WHERE contact = ?", (contact,))
    connection.execute(
        "UPDATE conversations SET subject = '' WHERE id = (SELECT conversation FROM contacts WHERE id = ?)",
        (contact,),
    )
    connection.execute(
        "UPDATE contacts SET erased = 1, customer = NULL, crm = '', crm_customer = '', handle_kind = '',"
        " handle_channel = '', handle = '', customer_name = '', subject = '', notes = '', summary = '',"
        " comment = '' WHERE id = ?",
        (contact,),
    )


def theirs(connection: sqlite3.Connection, customer: int) -> list[sqlite3.Row]:
    """Contacts of the customer, and of nobody from one of the customer's addresses."""
    return connection.execute(
        "SELECT * FROM contacts WHERE customer = ?1 OR customer IS NULL AND EXISTS (SELECT 1 FROM handles"
        " WHERE handles.customer = ?1 AND handles.value = contacts.handle"
        " AND handles.kind = contacts.handle_kind AND handles.channel = contacts.handle_channel)"
        " ORDER BY id",
        (customer,),
    ).fetchall()


def _row(connection: sqlite3.Connection, customer: int) -> sqlite3.Row:
    row = connection.execute("SELECT * FROM customers WHERE id = ?", (customer,)).fetchone()
    if row is None:
        raise UnknownCustomer(f"there is no customer {customer}")
    assert isinstance(row, sqlite3.Row)
    return row


def _customer(row: sqlite3.Row, *, crm: str, prefer_last: bool) -> Customer:
    return Customer(
        id=str(row["id"]),
        name=row["name"],
        language=row["language"],
        vip=bool(row["vip"]),
        preferred_agent=row["preferred_agent"] or (row["last_agent"] if prefer_last else ""),
        crm=crm,
    )


def _messages(connection: sqlite3.Connection, contact: int, *, limit: int) -> list[dict[str, Any]]:
    """The last messages of a contact in order; `limit` -1: all."""
    rows = connection.execute(
        "SELECT number, at_ns, author, author_id, text, internal, attachments FROM messages"
        " WHERE contact = ? ORDER BY number DESC LIMIT ?",
        (contact, limit),
    ).fetchall()
    return [
        {
            **dict(row),
            "internal": bool(row["internal"]),
            "attachments": msgspec.json.decode(row["attachments"]),
        }
        for row in reversed(rows)
    ]
