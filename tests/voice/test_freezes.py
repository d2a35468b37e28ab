"""A server that stands still for a while, or forgets a channel: everything comes right, nothing is lost, nobody is stuck."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
import trio
from tools.asterisk_server import Asterisk
from tools.audio import MUSIC_HZ

from centralita import MemoryJournal
from centralita.errors import ControlRefused
from centralita.messages import (
    AgentSignedIn,
    AgentSignedOut,
    ContactAdmitted,
    ContactEnded,
    ContactForwarded,
    ContactOffered,
    EndContact,
    HoldContact,
    OfferDeclined,
    PlaceContact,
    ResumeContact,
    Target,
    TransferContact,
)
from centralita_asterisk.channel import AsteriskChannel
from centralita_asterisk.phones import AWAY
from centralita_asterisk.server import Server
from centralita_asterisk.server_events import ServerEvents
from tests.voice.house import HZ, WITHIN_S, House, open_house, talk
from tests.voice.phone import Phone


@contextmanager
def frozen(asterisk: Asterisk) -> Iterator[None]:
    """The server's process stands still: it answers nothing, and its connections stay."""
    os.kill(asterisk.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(asterisk.pid, signal.SIGCONT)


async def test_everything_comes_right_after_a_server_that_stood_still(own_asterisk: Asterisk) -> None:
    async with open_house(own_asterisk) as house:
        ana = await house.phone("ana")
        first = await house.customer("600000001")
        talking, answered = await talk(house, first, ana)
        held = house.only()
        second = await house.customer("600000002")
        waiting = await second.call("sales")
        await waiting.hears(MUSIC_HZ)
        third = await house.customer("600000003", hz=1900)
        bea = await house.phone("bea", sign_in=False)
        with frozen(own_asterisk):
            calling = await third.call("sales")
            # What the server is asked from here on it does not answer.
            await house.do(HoldContact(contact=held.id, agent="ana"))
            await house.do(ResumeContact(contact=held.id, agent="ana"))
            await house.do(EndContact(contact=held.id, by="ana"))
            declined = await house.event(OfferDeclined)
            assert declined.reason == AWAY
        for ended in (talking, answered):
            with trio.fail_after(WITHIN_S):
                await ended.ended.wait()
        await house.back("bea")
        phones = {"ana": ana, "bea": bea}
        async with trio.open_nursery() as nursery:
            for phone in phones.values():
                nursery.start_soon(_answer_when_it_rings, phone)
            await waiting.hears_not(MUSIC_HZ)
            await calling.hears_not(MUSIC_HZ)
            await house.until(lambda: len(house.switchboard.contacts(phase="connected")) == 2)
            agents = {view.handle: view.agent for view in house.switchboard.contacts(phase="connected")}
            await waiting.hears(phones[agents["600000002"]].hz)
            await calling.hears(phones[agents["600000003"]].hz)
            await waiting.hang_up()
            await calling.hang_up()
            await house.quiet()
            nursery.cancel_scope.cancel()
        assert house.outcomes() == ["served"] * 3
        assert len(house.events(ContactAdmitted)) == 3


async def _answer_when_it_rings(phone: Phone) -> None:
    while True:
        ringing = await phone.rings(within_s=math.inf)
        if not ringing.ended.is_set():
            await ringing.answer()


async def test_number_that_a_silent_server_was_to_call_is_not_called_later(own_asterisk: Asterisk) -> None:
    async with open_house(own_asterisk, phones={"persistent": True, "tone": []}) as house:
        ana, carrier = await house.phone("ana", sign_in=False), await house.carrier()
        line = await ana.call("*11")
        await house.event(AgentSignedIn)
        with frozen(own_asterisk):
            await house.do(
                PlaceContact(agent="ana", channel="phone", provider_id="click-1", handle="600999888")
            )
            ended = await house.event(ContactEnded)
            assert (ended.outcome, ended.reason) == ("unreachable", "failed")
        # The line stays, and what the server made of the old request is undone.
        await house.until(lambda: len(own_asterisk.channels()) == 1)
        await house.until(lambda: not carrier.talks)
        await line.hang_up()


@pytest.mark.parametrize(("word", "value"), [("listen", "dora"), ("call_number", "+34911222333")])
async def test_phone_that_a_silent_server_was_to_ring_for_a_control_is_rung_when_asked_again(
    own_asterisk: Asterisk, word: str, value: str
) -> None:
    async with open_house(own_asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling, answering = await talk(house, customer, ana)
        contact = house.only().id
        asked = await (
            house.carrier(hz=1500) if word == "call_number" else house.phone("dora", sign_in=False)
        )
        with frozen(own_asterisk), pytest.raises(ControlRefused, match="no answer in"):
            await house.switchboard.control(contact, by="ana", word=word, value=value)
        # What was told as failed rings nobody, and the customer is there again. (Requests keep their order: when
        # this one is answered those before it are.)
        await house.switchboard.control(contact, by="ana", word="unmute")
        await house.until(lambda: len(own_asterisk.channels()) == 2)
        await house.until(lambda: not asked.talks)
        await calling.hears(HZ["ana"])
        await house.switchboard.control(contact, by="ana", word=word, value=value)
        listening = await asked.rings()
        while listening.ended.is_set():  # the first was taken back as it began
            listening = await asked.rings()
        await listening.answer()
        await listening.hears(HZ["ana"])
        await listening.hang_up()
        await answering.hang_up()
        await house.quiet()


async def test_agent_whose_line_is_gone_unnoticed_is_not_asked_for_ever(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    unheard: set[str] = set()

    def pass_over(self: ServerEvents, server: Server, id: str, cause: int = 0) -> None:
        unheard.add(id)

    async with open_house(asterisk, phones={"persistent": True, "tone": []}) as house:
        ana, customer = await house.phone("ana", sign_in=False), await house.customer()
        line = await ana.call("*11")
        await house.event(AgentSignedIn)
        lines = set(asterisk.channels())
        monkeypatch.setattr(ServerEvents, "gone", pass_over)
        await line.hang_up()
        await house.until(lambda: unheard == lines)
        monkeypatch.undo()
        calling = await customer.call("sales")
        await house.event(AgentSignedOut)
        await house.phase("waiting")
        await calling.hears(MUSIC_HZ)
        assert len(house.events(ContactOffered)) <= 2
        line = await ana.call("*11")
        await calling.hears(900)
        await calling.hang_up()
        await house.quiet_contacts()
        await line.hang_up()


@pytest.mark.parametrize("wrap_up_s", [0, 60])
async def test_customer_is_handed_on_by_the_next_life_when_a_crash_came_before(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch, wrap_up_s: int
) -> None:
    """The transfer is durable, and the life ends before the channel has been asked."""
    journal = MemoryJournal()
    settings: dict[str, Any] = {
        "phone": {"forward_context": "outside"},
        "sales": {"wrap_up_s": wrap_up_s},
    }

    async def never(*_: Any, **__: Any) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        with monkeypatch.context() as patch:
            patch.setattr(AsteriskChannel, "forward", never)
            async with open_house(asterisk, journal=journal, tidy=False, **settings) as house:
                house.nursery = nursery
                ana, customer, carrier = (
                    await house.phone("ana"),
                    await house.customer(),
                    await house.carrier(),
                )
                calling, _ = await talk(house, customer, ana)
                target = Target(number="600999888")
                await house.do(TransferContact(contact=house.only().id, agent="ana", target=target))
                await house.event(ContactForwarded)
        async with open_house(asterisk, journal=journal, tidy=False, **settings) as house:
            called = await carrier.rings()
            assert "600999888" in called.header("To")
            await called.answer()
            await calling.hears_not(900)
            assert not calling.ended.is_set()
            assert len(house.events(ContactAdmitted)) == 0
            await calling.hang_up()
            await _no_channels(house)
        nursery.cancel_scope.cancel()


async def test_caller_given_up_while_the_server_was_away_begins_anew(
    asterisk: Asterisk,
) -> None:
    async with open_wire(asterisk) as wire, open_house(asterisk, **wire.settings(lost_after_s=0.3)) as house:
        customer = await house.customer()
        calling = await customer.call("sales")
        lost = await house.phase("waiting")
        await calling.hears(MUSIC_HZ)
        await wire.cut()
        assert (await house.event(ContactEnded, contact=lost.id)).outcome == "lost"
        await calling.hears(MUSIC_HZ)
        wire.mend()
        anew = await house.phase("waiting")
        assert anew.id != lost.id
        # Known by its channel still: neither forgotten nor admitted a third time.
        await wire.cut(mended=True)
        await house.until(lambda: wire.connections_n >= 3)
        await (await (await house.phone("ana")).rings()).answer()
        await calling.hears(900)
        assert len(house.events(ContactAdmitted)) == 2
        await calling.hang_up()


async def test_customer_whose_contact_ended_while_the_server_was_away_is_let_go_when_it_is_back(
    asterisk: Asterisk,
) -> None:
    async with open_wire(asterisk) as wire, open_house(asterisk, **wire.settings()) as house:
        calling, answered = await talk(house, await house.customer(), await house.phone("ana"))
        await wire.cut()
        await house.do(EndContact(contact=house.only().id, by="ana"))
        await house.quiet_contacts()
        assert not calling.ended.is_set()
        wire.mend()
        for ended in (calling, answered):
            with trio.fail_after(WITHIN_S):
                await ended.ended.wait()
        await house.quiet()
        assert len(house.events(ContactAdmitted)) == 1


class Wire:
    """What lies between us and the server's ARI, to be cut and mended."""

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk
        self._whole = True
        self._scopes: set[trio.CancelScope] = set()
        self.port = 0
        self.connections_n = 0
        """WebSockets that were let through."""

    def settings(self, **phone: Any) -> dict[str, Any]:
        """Tables for `open_house`."""
        server = {"url": f"http://127.0.0.1:{self.port}/ari"}
        return {"phone": phone, "also": {"channels.phone.servers.main": server}}

    async def cut(self, *, mended: bool = False) -> None:
        """Break what is connected; nothing connects until it is `mended`."""
        self._whole = mended
        for scope in self._scopes:
            scope.cancel()

    def mend(self) -> None:
        """Let connections through again."""
        self._whole = True

    async def run(self, near: trio.SocketStream) -> None:
        """One connection."""
        async with near:
            if not self._whole:
                return
            with trio.CancelScope() as scope:
                self._scopes.add(scope)
                try:
                    async with await trio.open_tcp_stream("127.0.0.1", self._asterisk.http) as far:
                        self.connections_n += 1
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(self._pass_on, far, near)
                            await self._pass_on(near, far)
                            nursery.cancel_scope.cancel()
                finally:
                    self._scopes.discard(scope)

    async def _pass_on(self, source: trio.SocketStream, target: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await target.send_all(data)


@asynccontextmanager
async def open_wire(asterisk: Asterisk) -> AsyncIterator[Wire]:
    wire = Wire(asterisk)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        wire.port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, wire.run, [listener])
        yield wire
        nursery.cancel_scope.cancel()


async def _no_channels(house: House) -> None:
    with trio.fail_after(WITHIN_S):
        while await trio.to_thread.run_sync(house.asterisk.channels):
            await trio.sleep(0.05)
