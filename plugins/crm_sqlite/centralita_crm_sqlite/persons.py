"""One person over all rows: what an export or an erasure finds, hands out and forgets.

Somebody may be a customer here, another CRM's, or only an address that wrote once. A customer of an address is its
person; a customer of a contact is not asked for, since several people may write from one address. Plain
blocking functions over a connection, as in `customers.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from centralita.messages import Customer
from centralita.protocols import Person
from centralita_crm_sqlite import customers
from centralita_crm_sqlite.handles import Handle


def find(connection: sqlite3.Connection, person: Person, known: Iterable[Handle], *, crm: str) -> Person:
    """The customers, addresses and contacts that belong to a person, of whom `known` are addresses as stored."""
    ours = set(_ours(person, crm))
    contacts: set[int] = set()
    for kind, channel, value in known:
        ours |= _column(
            connection,
            "SELECT customer FROM handles WHERE value = ? AND (kind = ? AND channel = ? OR kind = 'account')",
            (value, kind, channel),
        )
        contacts |= _column(
            connection, "SELECT id FROM contacts WHERE handle = ? AND customer IS NULL AND crm = ''", (value,)
        )
    for other in person.customers:
        if other.crm != crm:
            contacts |= _column(
                connection,
                "SELECT id FROM contacts WHERE crm = ? AND crm_customer = ?",
                (other.crm, other.id),
            )
    there = [one for one in sorted(ours) if _is_there(connection, one)]
    handles: list[str] = []
    for customer in there:
        handles += [handle.value for handle in customers.handles(connection, customer)]
        contacts |= {row["id"] for row in customers.theirs(connection, customer)}
    return Person(
        handles=tuple(handles),
        customers=tuple(Customer(crm=crm, id=str(one)) for one in there),
        contacts=tuple(sorted(contacts)),
    )


def export(connection: sqlite3.Connection, person: Person, *, crm: str) -> dict[str, Any]:
    """All rows about a person, ready for JSON."""
    ours = [one for one in _ours(person, crm) if _is_there(connection, one)]
    exported = [customers.export(connection, one) for one in ours]
    told = {contact["id"] for one in exported for contact in one["contacts"]}
    others = [row for row in _contacts(connection, person) if row["id"] not in told]
    return {"customers": exported, "contacts": [customers.whole_contact(connection, row) for row in others]}


def erase(connection: sqlite3.Connection, person: Person, *, crm: str) -> int:
    """Forget a person; how many customers and contacts there were. Contacts stay as figures."""
    erased = 0
    for one in _ours(person, crm):
        if _is_there(connection, one):
            erased += 1 + customers.erase(connection, one)
    for row in _contacts(connection, person):
        customers.empty_contact(connection, row["id"])
        erased += 1
    return erased


def _ours(person: Person, crm: str) -> list[int]:
    return [
        int(one.id) for one in person.customers if one.crm == crm and one.id.isascii() and one.id.isdigit()
    ]


def _contacts(connection: sqlite3.Connection, person: Person) -> list[sqlite3.Row]:
    rows: list[sqlite3.Row] = []
    for number in person.contacts:
        rows += connection.execute("SELECT * FROM contacts WHERE id = ? AND erased = 0", (number,)).fetchall()
    return rows


def _is_there(connection: sqlite3.Connection, customer: int) -> bool:
    found = connection.execute("SELECT 1 FROM customers WHERE id = ?", (customer,)).fetchone()
    return found is not None


def _column(connection: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> set[int]:
    return {int(row[0]) for row in connection.execute(query, values)}
