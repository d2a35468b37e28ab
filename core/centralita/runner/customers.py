"""One customer taken out whole: what everybody keeps about them, handed out or forgotten.

The journal says which contacts were theirs, components what else they know (`protocols.KeepsPersonalData`), until
nobody adds anything. Reading the journal through takes a second for each few hundred thousand records; it is
done in a thread, a piece at a time, so that decisions go on beside it.

Erasing goes from the outside in: components first, then the decision into the journal, then the journal's keys, which are
what finds the contacts again should anything before have failed. It ends by reading the journal once more: what can
still be read of them is said, not hoped. It refuses to know how anybody stores anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import trio

from centralita import personal
from centralita.errors import CustomerKept, JournalError
from centralita.journal.protocol import Journal
from centralita.messages import (
    AdmitContact,
    CallbackRequested,
    ContactAdmitted,
    ContactIdentified,
    Customer,
    EraseContacts,
    PlaceContact,
    Record,
    named,
)
from centralita.protocols import KeepsPersonalData, Person
from centralita.runner.supervise import CallFailed, Supervised

Result = TypeVar("Result")

COMPONENT_S: Final = 60.0
"""How long a component may take to find, hand out or forget one person."""

ROUNDS_MAX: Final = 5
"""How often everybody is asked what else is this person's."""

REST_SHARE: Final = 0.5
"""How much of its time a reading of the journal leaves to others."""


class Customers:
    """Hands out and forgets, for one running engine."""

    def __init__(
        self,
        journal: Journal,
        components: Callable[[], Sequence[Supervised]],
        *,
        live: Callable[[], Iterable[int]],
    ) -> None:
        self._journal = journal
        self._components = components
        self._live = live
        self._one = trio.Lock()

    async def export(self, person: Person) -> dict[str, Any]:
        """Everything about a person. Raises CustomerKept (failed) when a component can't be asked."""
        async with self._one:
            person = await self._whole(person)
            records = await self._in_journal(partial(_records_of, contacts=frozenset(person.contacts)))
            kept = {
                one.path: await self._call(one, one.component.export_person, person, dict)
                for one in self._keeping()
            }
        return {
            "handles": list(person.handles),
            "customers": [{"crm": one.crm, "id": one.id} for one in person.customers],
            "contacts": list(person.contacts),
            "journal": records,
            "components": kept,
        }

    async def erase(
        self, person: Person, *, decide: Callable[[EraseContacts], Any], by: str
    ) -> dict[str, Any]:
        """Forget a person. `decide` submits the command and raises what it was refused with; the keys go as soon as
        it is durable. Raises CustomerKept."""
        async with self._one:
            person = await self._whole(person)
            live = sorted(set(person.contacts) & set(self._live()))
            if live:
                raise CustomerKept("live", f"contact {live[0]} is not over yet; end it, or wait until it is")
            if person.contacts and not hasattr(self._journal, "erase"):
                raise CustomerKept(
                    "not_sealed",
                    "the journal has no keys that could be deleted, so its records can't be erased; "
                    'see [journal] type = "sealed"',
                )
            erased = {
                one.path: await self._call(one, one.component.erase_person, person, int)
                for one in self._keeping()
            }
            readable = 0
            if person.contacts:
                await decide(EraseContacts(contacts=person.contacts, by=by))
                readable = await self._in_journal(partial(_readable_n, contacts=frozenset(person.contacts)))
        return {
            "contacts": len(person.contacts),
            "records_still_readable": readable,
            "components": erased,
        }

    def erase_keys(self, contacts: Sequence[int]) -> None:
        """Delete the journal's keys of contacts whose erasure is durable. Raises JournalError."""
        erase = getattr(self._journal, "erase", None)
        if contacts and erase is not None:
            erase(contacts)

    def _keeping(self) -> list[Supervised]:
        return [one for one in self._components() if isinstance(one.component, KeepsPersonalData)]

    async def _whole(self, person: Person) -> Person:
        """The person with all that anybody knows to be theirs."""
        for _ in range(ROUNDS_MAX):
            before = person
            for one in self._keeping():
                person = _united(person, await self._call(one, one.component.find_person, person, Person))
            contacts = await self._in_journal(partial(_contacts_of, person=person))
            person = _united(person, Person(contacts=tuple(contacts)))
            if person == before:
                break
        return person

    async def _call(
        self, one: Supervised, method: Callable[..., Any], person: Person, kind: type[Result]
    ) -> Result:
        if not one.is_up:
            raise CustomerKept("failed", f"{one.path} is not up; what it keeps can't be reached")
        try:
            answer = await one.call(method, person, limit_s=COMPONENT_S)
        except CallFailed as failure:
            raise CustomerKept("failed", f"{one.path}: {failure.reason}") from failure
        if not isinstance(answer, kind):
            got = type(answer).__name__
            raise CustomerKept(
                "failed", f"{one.path}: {method.__name__} gave a {got}; must be a {kind.__name__}"
            )
        return answer

    async def _in_journal(self, read: Callable[[Iterator[Record]], Result]) -> Result:
        first = getattr(self._journal, "first_seq", 1)
        return await _in_thread(self._journal, lambda: read(_gently(self._journal, first - 1)))


async def _in_thread(journal: Journal, function: Callable[[], Result]) -> Result:
    # Virtual time would run on while a thread is waited for.
    return await trio.to_thread.run_sync(function) if journal.blocking else function()


def _gently(journal: Journal, after_seq: int) -> Iterator[Record]:
    """Every record, with rests, so that whoever shares the interpreter isn't held up."""
    try:
        began_s = time.thread_time()
        for batch in journal.read(after_seq):
            yield from batch
            if journal.blocking:
                time.sleep((time.thread_time() - began_s) * REST_SHARE)
                began_s = time.thread_time()
    except JournalError as error:
        raise CustomerKept("failed", str(error)) from error


def _contacts_of(records: Iterator[Record], *, person: Person) -> list[int]:
    """The contacts of a person: by address, by customer, and those that belong to one of theirs."""
    handles = {_plain(handle) for handle in person.handles} - {""}
    customers = {(one.crm, one.id) for one in person.customers}
    found = set(person.contacts)
    for record in records:
        for event in record.events:
            if isinstance(event, ContactAdmitted):
                if _plain(event.handle) in handles or event.parent in found:
                    found.add(event.contact)
            elif isinstance(event, ContactIdentified):
                if event.customer is not None and (event.customer.crm, event.customer.id) in customers:
                    found.add(event.contact)
            elif isinstance(event, CallbackRequested) and _plain(event.handle) in handles:
                found.add(event.contact)
    return sorted(found)


def _records_of(records: Iterator[Record], *, contacts: frozenset[int]) -> list[dict[str, Any]]:
    """What the journal has of these contacts: their events and the commands about them."""
    kept: list[dict[str, Any]] = []
    for record in records:
        events = [event for event in record.events if getattr(event, "contact", 0) in contacts]
        about = getattr(record.command, "contact", 0) in contacts or (
            bool(events) and isinstance(record.command, AdmitContact | PlaceContact)
        )
        if events or about:
            kept.append(
                {
                    "seq": record.seq,
                    "at_ns": record.at_ns,
                    "command": named(record.command) if about else None,
                    "events": named(events),
                }
            )
    return kept


def _readable_n(records: Iterator[Record], *, contacts: frozenset[int]) -> int:
    """How many records still hold words of these contacts."""
    left = 0
    for record in records:
        bare, parts = personal.part(record)
        if parts.keys() & contacts and bare != record:
            left += 1
    return left


def _united(person: Person, more: Mapping[str, Any] | Person) -> Person:
    if not isinstance(more, Person):
        raise CustomerKept("failed", f"find_person returned {type(more).__name__}, not a Person")
    known = {(one.crm, one.id): one for one in (*person.customers, *more.customers)}
    return Person(
        handles=tuple(dict.fromkeys((*person.handles, *more.handles))),
        customers=tuple(Customer(crm=crm, id=id) for crm, id in known),
        contacts=tuple(sorted({*person.contacts, *more.contacts})),
    )


def _plain(handle: str) -> str:
    """An address as it is compared: without case, a number without its signs."""
    text = handle.strip().casefold()
    digits = "".join(char for char in text if char.isdigit())
    if digits and not any(char.isalpha() or char == "@" for char in text):
        return digits.removeprefix("00")
    return text
