"""What time alone changes: rungs passed, preferences over, waits past which a contact may have agents reserved."""

from __future__ import annotations

from centralita.matching.naive.book import Book, Contact
from centralita.matching.protocol import NEVER_NS, NOBODY, NUMBER_LIMIT


def advance(book: Book, now_ns: int) -> list[tuple[int, int]]:
    """Let happen what is due, in order; (contact, rungs passed) for each rung."""
    passed: list[tuple[int, int]] = []
    while (due := next_due(book)) and due[0] <= now_ns:
        contact = book.contacts[due[1]]
        if due == _ring_due(book, contact):
            _, contact.requirement, added = book.ladders[contact.ladder][contact.rung]
            contact.priority = min(max(contact.priority + added, -NUMBER_LIMIT + 1), NUMBER_LIMIT - 1)
            contact.rung += 1
            book.end_reservation(contact.id)
            passed.append((contact.id, contact.rung))
        elif due == _preference_due(contact):
            contact.preferred, contact.preferred_until_ns = NOBODY, 0
        else:
            contact.pressing = True
    return passed


def next_due(book: Book) -> tuple[int, int] | None:
    """(when, contact) of the next ring, end of a preference or wait past which one may reserve."""
    due: list[tuple[int, int] | None] = []
    for contact in book.contacts.values():
        if contact.ladder != -1:
            due.append(_ring_due(book, contact))
        if contact.preferred != NOBODY:
            due.append(_preference_due(contact))
        if book.orders[contact.order].reserve_after_ns != NEVER_NS:
            due.append(_pressing_due(book, contact))
    return min((found for found in due if found is not None), default=None)


def _ring_due(book: Book, contact: Contact) -> tuple[int, int] | None:
    rungs = book.ladders[contact.ladder] if contact.ladder != -1 else ()
    return (contact.queued_ns + rungs[contact.rung][0], contact.id) if contact.rung < len(rungs) else None


def _preference_due(contact: Contact) -> tuple[int, int] | None:
    return (contact.preferred_until_ns, contact.id) if contact.preferred != NOBODY else None


def _pressing_due(book: Book, contact: Contact) -> tuple[int, int] | None:
    after_ns = book.orders[contact.order].reserve_after_ns
    never = contact.pressing or after_ns == NEVER_NS
    return None if never else (contact.queued_ns + after_ns, contact.id)
