"""Telephones for the checks of the types that work with Asterisk: customers who call, agents who pick up.

One server serves all checks. It needs what tests/voice has, so it is no part of the plugin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import trio
from tools.asterisk_server import PASSWORD, USER, Asterisk

from centralita.messages import ContactAdmitted
from centralita.testing import ChannelDriver, Customer, DeskDriver, House, Seat
from centralita.testing.bench import NAME
from centralita.testing.house import ANA, LUIS, QUEUE
from centralita_asterisk.exchange import exchange_of
from tests.voice.phone import WITHIN_S, Phone, Talk

AGENTS = (ANA, LUIS)
LINES = "kit_lines"
"""The channel of calls beside the desk or the mailbox that is checked."""
KEY = "2"
_numbers = count(600_000_001)


def _servers(asterisk: Asterisk) -> dict[str, Any]:
    server = {"url": asterisk.url, "user": USER, "password": PASSWORD}
    return {"servers": {"main": server}, "reconnect_longest_s": 0.5}


def _lines(asterisk: Asterisk, **settings: Any) -> dict[str, Any]:
    """A channel of calls as a further table."""
    return {"channels": {LINES: {"type": "asterisk", "queue": QUEUE, **_servers(asterisk), **settings}}}


class Telephones(ChannelDriver):
    """Callers from outside; the agents' telephones pick up by themselves."""

    words = False

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        async with trio.open_nursery() as nursery:
            for agent in AGENTS:
                phone = Phone(nursery, agent)
                phone.then = lambda talk: talk.answer()
                await phone.open(self._asterisk.sip)
                await phone.register()
            yield {**_servers(self._asterisk), "ring": "accept"}
            nursery.cancel_scope.cancel()
        await _silence(self._asterisk)

    async def arrive(self, house: House, words: str) -> Customer:
        caller = Caller(await _call(house, self._asterisk))
        house.world.start_soon(caller.wait)
        return caller


class Caller(Customer):
    """One call."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    async def wait(self) -> None:
        await self._talk.ended.wait()
        self.over = True

    async def say(self, words: str) -> None:
        raise NotImplementedError

    async def leave(self) -> None:
        await self._talk.hang_up()


class TelephoneDesk(DeskDriver):
    """Agents whose whole desk is a telephone: registered, they are there; it rings, they have an offer."""

    words = False

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk
        self.tables = _lines(asterisk)  # type: ignore[misc]  # where the server is, is known now

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        async with trio.open_nursery() as self._nursery:
            self._phones: list[Phone] = []
            yield {"channel": LINES, "sign_in": "registered"}
            # A telephone of this check is not there in the next.
            for phone in self._phones:
                await phone.register(expires=0)
            self._nursery.cancel_scope.cancel()
        await _silence(self._asterisk)

    async def sit(self, house: House, agent: str) -> Seat:
        await _ready(house)
        phone = Phone(self._nursery, agent)
        self._phones.append(phone)
        await phone.open(self._asterisk.sip)
        seat = TelephoneSeat(house, phone)
        phone.then = seat.ring
        await phone.register()
        return seat

    async def bring(self, house: House, words: str) -> int:
        before = len(house.events(ContactAdmitted))
        await _call(house, self._asterisk)
        await house.until(lambda: len(house.events(ContactAdmitted)) > before, "a caller was not admitted")
        return house.events(ContactAdmitted)[-1].contact


class TelephoneSeat(Seat):
    """One agent's telephone. Which contact rings is told by the caller's number that it shows."""

    def __init__(self, house: House, phone: Phone) -> None:
        super().__init__()
        self._house = house
        self._phone = phone
        self._talks: dict[tuple[int, int], Talk] = {}

    def ring(self, talk: Talk) -> None:
        """The telephone rings."""
        self._house.world.start_soon(self._show, talk)

    async def _show(self, talk: Talk) -> None:
        offer = await self._house.until(lambda: self._offer_of(talk), "a telephone rings for nobody's offer")
        assert offer is not None
        self._talks[offer] = talk
        self.offers.append(offer)
        await _first(talk.answered, talk.ended)
        self.offers.remove(offer)

    def _offer_of(self, talk: Talk) -> tuple[int, int] | None:
        for admitted in self._house.events(ContactAdmitted):
            view = self._house.contact(admitted.contact)
            works = view.works if view is not None else ()
            offers = [work.offer for work in works if work.agent == self._phone.name]
            if offers and f"<sip:{admitted.handle}@" in talk.header("from"):
                return admitted.contact, offers[0]
        return None

    async def answer(self, contact: int, offer: int, *, accept: bool) -> None:
        talk = self._talks[contact, offer]
        if accept:
            await talk.answer()
        else:
            await talk.refuse(603)

    async def say(self, contact: int, words: str) -> None:
        raise NotImplementedError

    async def leave(self) -> None:
        await self._phone.register(expires=0)


class Mailbox(ChannelDriver):
    """Callers who leave a message instead of waiting."""

    words = False
    exempt = {  # the same for all
        315: "whoever has left a message has hung up before there is a contact; the message waits for an agent",
        316: "nobody is on the line who could be told",
        317: "a message outlives restarts, and nobody is on the line who could leave it",
    }

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk
        silent: dict[str, Any] = {"voicemail": [], "voicemail_taken": []}
        self.tables = _lines(  # type: ignore[misc]  # where the server is, is known now
            asterisk, voicemail=NAME, voicemail_key=KEY, voicemail_min_s=0, phrases=silent
        )

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        yield {"channel": LINES}
        await _silence(self._asterisk)

    async def arrive(self, house: House, words: str) -> Customer:
        before = len(house.admitted())
        lines = len(house.events(ContactAdmitted))
        talk = await _call(house, self._asterisk)
        await house.until(lambda: len(house.events(ContactAdmitted)) > lines, "a caller was not admitted")
        contact = house.events(ContactAdmitted)[-1].contact
        await house.until(lambda: _waits(house, contact), "a caller does not wait")
        await talk.press(KEY)
        # A key during the beep is not heard, and nothing tells when that is over.
        with trio.move_on_after(WITHIN_S):
            while len(house.admitted()) == before and not talk.ended.is_set():
                await talk.press("#")
                await trio.sleep(0.1)
        await house.until(lambda: len(house.admitted()) > before, "a message was left, and is no contact")
        return Caller(talk)


def _waits(house: House, contact: int) -> bool:
    view = house.contact(contact)
    return view is not None and view.phase == "waiting"


async def _call(house: House, asterisk: Asterisk) -> Talk:
    """Somebody whom nobody knows calls from outside."""
    await _ready(house)
    phone = Phone(house.world, str(next(_numbers)))
    await phone.open(asterisk.sip)
    return await phone.call("sales")


async def _ready(house: House) -> None:
    """Until the channel of calls is at its server: before, a call goes nowhere."""
    name = house.name if house.bench.subject.type_name == "asterisk" and LINES not in _names(house) else LINES
    servers = exchange_of(house.switchboard, name).servers
    await house.until(
        lambda: servers and all(one.ready for one in servers.values()), "the channel reached no server"
    )


def _names(house: House) -> set[str]:
    return {one.name for one in house.configuration.of_kind("channels")}


async def _first(*events: trio.Event) -> None:
    """Wait for the first of these."""
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in events:
            nursery.start_soon(wait, event)


async def _silence(asterisk: Asterisk) -> None:
    """What one check has left is no concern of the next."""
    with trio.move_on_after(WITHIN_S):
        while await trio.to_thread.run_sync(asterisk.channels):
            await trio.to_thread.run_sync(partial(asterisk.cli, "channel request hangup all"))
            await trio.sleep(0.1)
