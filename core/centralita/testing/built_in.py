"""The other side of what is built in: programs that admit contacts themselves, and a journal without a disk."""

from __future__ import annotations

from typing import ClassVar, Final

from centralita.messages import (
    AbandonContact,
    AdmitContact,
    Attachment,
    ContactEnded,
    MessagePosted,
    PostMessage,
    Record,
    ServiceEnded,
)
from centralita.testing.drivers import ChannelDriver, Customer, Driver
from centralita.testing.house import House

NOT_DURABLE: Final = "it keeps nothing over the end of the process, and says so"


class MemoryJournalDriver(Driver):
    """What a journal in memory does not promise."""

    exempt: ClassVar = {909: NOT_DURABLE, 910: NOT_DURABLE, 913: "two of them share nothing"}


class ProgramDriver(ChannelDriver):
    """Customers of a program that admits its contacts over the switchboard and follows the records."""

    exempt: ClassVar = {
        302: "the program knows who is alive, and reconciles",
        304: "the program has brought the customer, and knows who is there",
    }

    async def arrive(self, house: House, words: str) -> Customer:
        """Admit somebody, as the program does."""
        return await ProgramCustomer.admit(house, words)

    async def attach(self, house: House, customer: Customer) -> Attachment:
        """The program keeps its files itself."""
        return Attachment(id="kit", name="map.pdf", media_type="application/pdf", bytes_n=4)


class ProgramCustomer(Customer):
    """One customer, whose program reads in the records what is said and when it is over."""

    _admitted_n: ClassVar[int] = 0

    def __init__(self, house: House, contact: int) -> None:
        super().__init__()
        self._house = house
        self._contact = contact
        self._said_n = 0
        self._seq = 0

    @classmethod
    async def admit(cls, house: House, words: str) -> ProgramCustomer:
        """Somebody new, with first words."""
        cls._admitted_n += 1
        command = AdmitContact(channel=house.name, provider_id=f"kit {cls._admitted_n}", text=words)
        customer = cls(house, (await house.submit(command)).contact)
        await customer.resume(house)
        return customer

    async def resume(self, house: House) -> None:
        """Go on where the records were left."""
        self._house = house
        house.world.start_soon(self._follow, house)

    async def say(self, words: str) -> None:
        """Hand in a message."""
        self._said_n += 1
        await self._house.submit(
            PostMessage(
                contact=self._contact, author="customer", text=words, message_id=f"kit {self._said_n}"
            )
        )

    async def leave(self) -> None:
        """Say that the customer has gone."""
        await self._house.submit(AbandonContact(contact=self._contact, reason="left"))

    async def _follow(self, house: House) -> None:
        async with house.switchboard.follow(after_seq=self._seq) as batches:
            async for batch in batches:
                for record in batch:
                    self._take(record)

    def _take(self, record: Record) -> None:
        self._seq = record.seq
        for event in record.events:
            if getattr(event, "contact", 0) != self._contact:
                continue
            if isinstance(event, MessagePosted) and event.author != "customer":
                self.heard.append(event.text)
                self.files += [file.name for file in event.attachments]
            elif isinstance(event, ServiceEnded | ContactEnded):
                self.over = True
