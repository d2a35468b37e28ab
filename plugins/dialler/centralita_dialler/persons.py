"""One person on the lists: found by number or contact, handed out, forgotten.

A number on the do-not-call list stays there when its owner is forgotten: it is kept so that they are not called again,
and there is nothing beside it but why and since when. Plain blocking functions over the lists' database.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from centralita.protocols import Person
from centralita_dialler.numbers import BadNumber, e164


def find(db: sqlite3.Connection, person: Person, *, region: str) -> Person:
    """The contacts by which the person's numbers were tried."""
    contacts: set[int] = set()
    for record in _records(db, person, region):
        tried = db.execute("SELECT contact FROM attempts WHERE record = ? AND contact != 0", (record["id"],))
        contacts |= {contact for (contact,) in tried}
    return Person(contacts=tuple(sorted(contacts)))


def export(db: sqlite3.Connection, person: Person, *, region: str) -> dict[str, Any]:
    """Records with their attempts, and what the do-not-call list says, ready for JSON."""
    attempts = (
        "SELECT try, contact, ended_ns, result, reason, agent, disposition FROM attempts WHERE record = ?"
    )
    records = []
    for record in _records(db, person, region):
        tried = db.execute(attempts, (record["id"],))
        names = [column[0] for column in tried.description]
        records.append({**record, "tried": [dict(zip(names, row, strict=True)) for row in tried]})
    blocked = []
    for number in sorted(_numbers(person, region)):
        blocked += db.execute(
            "SELECT number, reason, at_ns FROM do_not_call WHERE number = ?", (number,)
        ).fetchall()
    return {
        "records": records,
        "do_not_call": [dict(zip(("number", "reason", "at_ns"), row, strict=True)) for row in blocked],
    }


def erase(db: sqlite3.Connection, person: Person, *, region: str) -> int:
    """Forget the person's records, in the caller's transaction; how many there were."""
    ids = [record["id"] for record in _records(db, person, region)]
    for id in ids:
        db.execute("DELETE FROM attempts WHERE record = ?", (id,))
        db.execute("DELETE FROM records WHERE id = ?", (id,))
    return len(ids)


def _numbers(person: Person, region: str) -> set[str]:
    found = set()
    for handle in person.handles:
        try:
            found.add(e164(handle, region))
        except BadNumber:
            continue  # an address of another kind
    return found


def _records(db: sqlite3.Connection, person: Person, region: str) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    wanted: list[tuple[str, str | int]] = [
        ("number = ?", number) for number in sorted(_numbers(person, region))
    ]
    wanted += [("id IN (SELECT record FROM attempts WHERE contact = ?)", one) for one in person.contacts]
    for where, value in wanted:
        rows = db.execute(f"SELECT * FROM records WHERE {where}", (value,))
        names = [column[0] for column in rows.description]
        for row in rows:
            record = dict(zip(names, row, strict=True))
            found[record["id"]] = record
    return list(found.values())
