"""A server that stands still for a while, or forgets a channel: everything comes right, nothing is lost, nobody is stuck."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from tools.asterisk_server import MUSIC_HZ, Asterisk

from centralita import MemoryJournal
from centralita.messages import (
    AgentSignedIn,
    AgentSignedOut,
    ContactAdmitted,
    ContactForwarded,
    ContactOffered,
    EndContact,
    HoldContact,
    OfferDeclined,
    ResumeContact,
    Target,
    TransferContact,
)
from centralita_asterisk.channel import AsteriskChannel
from centralita_asterisk.phones import AWAY
from centralita_asterisk.server import Server
from tests.voice.house import House, open_house, talk
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
            with trio.fail_after(20):
                await ended.ended.wait()
        await house.back("bea")
        phones = {"ana": ana, "bea": bea}
        async with trio.open_nursery() as nursery:
            for phone in phones.values():
                nursery.start_soon(_answer_when_it_rings, phone)
            await waiting.hears_not(MUSIC_HZ, within_s=20)
            await calling.hears_not(MUSIC_HZ, within_s=20)
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
        ringing = await phone.rings(within_s=60)
        if not ringing.ended.is_set():
            await ringing.answer()


async def test_agent_whose_line_is_gone_unnoticed_is_not_asked_for_ever(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    unheard: set[str] = set()

    def pass_over(self: AsteriskChannel, server: Server, id: str, cause: int = 0) -> None:
        unheard.add(id)

    async with open_house(asterisk, phones={"persistent": True, "tone": []}) as house:
        ana, customer = await house.phone("ana", sign_in=False), await house.customer()
        line = await ana.call("*11")
        await house.event(AgentSignedIn)
        lines = set(asterisk.channels())
        monkeypatch.setattr(AsteriskChannel, "_gone", pass_over)
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


async def _no_channels(house: House) -> None:
    with trio.fail_after(20):
        while await trio.to_thread.run_sync(house.asterisk.channels):
            await trio.sleep(0.05)
