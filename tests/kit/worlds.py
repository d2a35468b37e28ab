"""Two small worlds in memory, for components to serve and drivers to act in: a post office and a service hall.

They go on while a component is restarted, as a provider's servers do. Nothing in them takes time, so that
what is tried with them can run on a virtual clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

import trio

from centralita.messages import Attachment
from centralita.testing import ChannelDriver, Customer, DeskDriver, House, Seat

Happening = TypeVar("Happening")


class Happenings(Generic[Happening]):
    """What has happened and was not dealt with yet: it is there until it is `done`."""

    def __init__(self) -> None:
        self._waiting: deque[Happening] = deque()
        self._news = trio.lowlevel.ParkingLot()
        self._idle = trio.lowlevel.ParkingLot()

    async def put(self, happening: Happening) -> None:
        """Let something happen; returns when it has been dealt with."""
        self._waiting.append(happening)
        self._news.unpark_all()
        while happening in self._waiting:
            await self._idle.park()

    async def first(self) -> Happening:
        while not self._waiting:
            await self._news.park()
        return self._waiting[0]

    def done(self) -> None:
        self._waiting.popleft()
        self._idle.unpark_all()


class PostCustomer(Customer):
    """A customer with a box at the post office."""

    def __init__(self, office: PostOffice, number: int) -> None:
        super().__init__()
        self.id = f"box-{number}"
        self._office = office
        self._written_n = 0

    async def say(self, words: str) -> None:
        self._written_n += 1
        await self._office.happenings.put(("say", self.id, f"{self.id}:{self._written_n}", words))

    async def leave(self) -> None:
        await self._office.happenings.put(("leave", self.id, "", ""))


class PostOffice:
    """The customers, and what they do: (what, customer, message, words)."""

    def __init__(self) -> None:
        self.customers: dict[str, PostCustomer] = {}
        self.happenings: Happenings[tuple[str, str, str, str]] = Happenings()

    async def arrive(self, words: str) -> PostCustomer:
        customer = PostCustomer(self, len(self.customers) + 1)
        self.customers[customer.id] = customer
        await self.happenings.put(("arrive", customer.id, "", words))
        return customer


class HallSeat(Seat):
    """An agent at a counter of the hall."""

    def __init__(self, hall: Hall, agent: str) -> None:
        super().__init__()
        self.agent = agent
        self._hall = hall

    async def answer(self, contact: int, offer: int, *, accept: bool) -> None:
        await self._hall.happenings.put(("answer", self.agent, (contact, offer, accept)))

    async def say(self, contact: int, words: str) -> None:
        await self._hall.happenings.put(("say", self.agent, (contact, words)))

    async def leave(self) -> None:
        await self._hall.happenings.put(("leave", self.agent, ()))


class Hall:
    """The agents, and what they do: (what, agent, the rest)."""

    def __init__(self) -> None:
        self.seats: dict[str, HallSeat] = {}
        self.happenings: Happenings[tuple[str, str, tuple[Any, ...]]] = Happenings()


WORLDS: dict[int, Any] = {}
"""The worlds by the number that a component finds in its settings."""
_numbers = count(1)


@asynccontextmanager
async def _place(world: Any) -> AsyncIterator[Mapping[str, Any]]:
    number = next(_numbers)
    WORLDS[number] = world
    try:
        yield {"world": number}
    finally:
        del WORLDS[number]


class PostDriver(ChannelDriver):
    """Opens a post office for each check."""

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        async with _place(PostOffice()) as settings:
            yield settings

    async def arrive(self, house: House, words: str) -> Customer:
        office: PostOffice = WORLDS[house.component.settings.world]
        return await office.arrive(words)

    async def attach(self, house: House, customer: Customer) -> Attachment:
        return Attachment(id="1", name="form.pdf", media_type="application/pdf", bytes_n=9)


class HallDriver(DeskDriver):
    """Opens a hall for each check."""

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        async with _place(Hall()) as settings:
            yield settings

    async def sit(self, house: House, agent: str) -> Seat:
        hall: Hall = WORLDS[house.component.settings.world]
        seat = hall.seats[agent] = HallSeat(hall, agent)
        await hall.happenings.put(("sit", agent, ()))
        return seat
