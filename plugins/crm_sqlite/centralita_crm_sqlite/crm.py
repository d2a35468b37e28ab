"""The component: answers who the customer is, and takes in what happens, in worker threads.

One thread writes and one reads, each with a limiter of its own, so neither waits for the other and the
event loop waits for none. Nothing is kept in memory but the open file.

`find_customer` makes nobody up: a customer comes into being when the record of a contact is taken in. So
the second contact of a person is recognised; the first is answered None, or with the customer it has
just become when its record was the quicker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

import trio
from msgspec import Meta

from centralita.messages import Customer, Record
from centralita.protocols import Context, Inbox, PastContact, Person
from centralita.structs import Frozen
from centralita.views import ContactView
from centralita_crm_sqlite import customers, persons
from centralita_crm_sqlite.database import Database
from centralita_crm_sqlite.handles import Handle, Numbering, handle_of
from centralita_crm_sqlite.record import Recorder

Result = TypeVar("Result")

FILE: Final = "crm.sqlite3"


class Settings(Frozen, forbid_unknown_fields=True):
    """`country_code` and `trunk_prefix` say how national numbers are meant; empty: they stay as dialled.

    `prefer_last_agent`: a customer without an agent of their own is for who served them last.
    `transcripts` false keeps no messages.
    """

    country_code: Annotated[str, Meta(pattern=r"^([1-9][0-9]{0,2})?$")] = ""
    trunk_prefix: Annotated[str, Meta(pattern=r"^[0-9]{0,2}$")] = "0"
    international_prefix: Annotated[str, Meta(pattern=r"^[0-9]{0,5}$")] = "00"
    prefer_last_agent: bool = True
    transcripts: bool = True


class SqliteCrm:
    """A `Crm` in one file."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self.name = context.name
        self._clock = context.clock
        self._prefer_last = settings.prefer_last_agent
        self._numbering = Numbering(
            settings.country_code, settings.trunk_prefix, settings.international_prefix
        )
        self._recorder = Recorder(
            crm=context.name, numbering=self._numbering, transcripts=settings.transcripts
        )
        self._database = Database(context.data / FILE)
        self._one_writer = trio.CapacityLimiter(1)
        self._one_reader = trio.CapacityLimiter(1)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Hold the file open until cancelled."""
        await self._in_thread(self._one_writer, self._database.open)
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                # Both, so that nobody is in the middle of reading.
                async with self._one_reader:
                    await self._in_thread(self._one_writer, self._database.close)

    async def find_customer(self, contact: ContactView) -> Customer | None:
        """Who has the contact's address; None when nobody is known by it."""
        handle = self.handle(contact.handle, medium=contact.medium, channel=contact.channel)
        if handle is None:
            return None
        return await self._read(customers.find, handle, crm=self.name, prefer_last=self._prefer_last)

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        """Earlier contacts, newest first, with transcripts: the customer's, or else the address's.

        Without a channel, `handle` is looked for as a telephone number or an e-mail address.
        """
        known = self.handle(handle, medium="", channel="") if handle else None
        if known is not None and not known.names_a_person:
            known = self.handle(handle, medium="voice", channel="")
        return await self._read(customers.history, customer, known, crm=self.name, limit=limit)

    async def find_person(self, person: Person) -> Person:
        """What else is known to be this person's."""
        return await self._read(persons.find, person, self._addresses(person), crm=self.name)

    async def export_person(self, person: Person) -> dict[str, Any]:
        """All that is kept about the person."""
        return await self._read(persons.export, person, crm=self.name)

    async def erase_person(self, person: Person) -> int:
        """Forget the person; how many customers and contacts there were. Contacts stay as figures."""
        erased = await self._write(persons.erase, person, crm=self.name)
        await self._in_thread(self._one_writer, self._database.forget)
        return erased

    def _addresses(self, person: Person) -> list[Handle]:
        """Addresses in every form they may be stored under."""
        found: dict[Handle, None] = {}
        for address in person.handles:
            for medium in ("", "voice", "chat"):
                handle = self.handle(address, medium=medium, channel="")
                if handle is not None:
                    found[handle] = None
        return list(found)

    async def position(self) -> int:
        """The last record taken in."""
        return await self._read(
            lambda connection: int(connection.execute("SELECT seq FROM position").fetchone()[0])
        )

    async def write(self, batch: Sequence[Record]) -> None:
        """Take in a batch and its position together. Cancelled, it finishes the batch."""
        await self._write(self._recorder.take_in, batch)

    # Administration -----------------------------------------------------------------------------

    def handle(self, address: str, *, medium: str, channel: str) -> Handle | None:
        """An address in the form it is stored under; None for an anonymous one."""
        return handle_of(address, medium=medium, channel=channel, numbering=self._numbering)

    async def customer(self, customer: int) -> Customer:
        """A customer by id. Raises UnknownCustomer."""
        return await self._read(customers.get, customer, crm=self.name, prefer_last=self._prefer_last)

    async def handles(self, customer: int) -> list[Handle]:
        """Where a customer is reached."""
        return await self._read(customers.handles, customer)

    async def search(self, text: str, *, limit: int = 20) -> list[Customer]:
        """Customers by a part of their name or the beginning of an address, lately seen first."""
        return await self._read(
            customers.search, text, crm=self.name, prefer_last=self._prefer_last, limit=limit
        )

    async def create_customer(
        self,
        *,
        name: str,
        handles: Sequence[Handle] = (),
        language: str = "",
        vip: bool = False,
        preferred_agent: str = "",
    ) -> int:
        """A new customer; returns the id. Raises ValueError for an address that is somebody's."""
        return await self._write(
            customers.create,
            name=name,
            addresses=list(handles),
            at_ns=self._clock.now_ns(),
            language=language,
            vip=vip,
            preferred_agent=preferred_agent,
        )

    async def update_customer(
        self,
        customer: int,
        *,
        name: str | None = None,
        language: str | None = None,
        vip: bool | None = None,
        preferred_agent: str | None = None,
    ) -> None:
        """Correct a customer; None leaves a thing as it is. Raises UnknownCustomer."""
        await self._write(
            customers.update, customer, name=name, language=language, vip=vip, preferred_agent=preferred_agent
        )

    async def add_handle(self, customer: int, handle: Handle) -> None:
        """Another address of a customer. Raises UnknownCustomer, ValueError when it is another's."""
        await self._write(customers.add_handle, customer, handle)

    async def remove_handle(self, customer: int, handle: Handle) -> bool:
        """Take an address away; whether it was there."""
        return await self._write(customers.remove_handle, customer, handle)

    async def add_note(self, customer: int, *, author: str, text: str) -> None:
        """A note about the customer. Raises UnknownCustomer."""
        await self._write(customers.add_note, customer, author=author, text=text, at_ns=self._clock.now_ns())

    async def merge(self, kept: int, other: int) -> None:
        """Two customers were one. Raises UnknownCustomer, ValueError."""
        await self._write(customers.merge, kept, other)

    async def export(self, customer: int) -> dict[str, Any]:
        """All that is kept about a customer, ready for JSON. Raises UnknownCustomer."""
        return await self._read(customers.export, customer)

    async def erase(self, customer: int) -> int:
        """Forget a customer; how many contacts were emptied. Raises UnknownCustomer.

        The contacts stay as figures, without who it was and what was said.
        """
        emptied = await self._write(customers.erase, customer)
        await self._in_thread(self._one_writer, self._database.forget)
        return emptied

    async def _read(self, function: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        def read() -> Result:
            return function(self._database.reader, *arguments, **named)

        return await self._in_thread(self._one_reader, read)

    async def _write(self, function: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        def write() -> Result:
            with self._database.transaction() as connection:
                return function(connection, *arguments, **named)

        return await self._in_thread(self._one_writer, write)

    async def _in_thread(self, limiter: trio.CapacityLimiter, function: Callable[[], Result]) -> Result:
        return await trio.to_thread.run_sync(function, limiter=limiter)
