"""Restarts of either side: no call left behind, none ended by ours, and everybody keeps the place."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import trio
from tools.asterisk_server import Asterisk
from tools.audio import MUSIC_HZ

from centralita import MemoryJournal
from centralita.messages import (
    ContactConnected,
    ContactEnded,
    ContactOffered,
    ContactTransferred,
    EndConsultation,
)
from centralita_asterisk import channel, incoming
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.incoming import Incoming
from tests.voice.house import CUSTOMER_HZ, HZ, WITHIN_S, HeldJournal, House, open_house, talk
from tests.voice.phone import Phone, Talk
from tests.voice.test_in_call import consultation


async def test_callers_keep_their_place_across_our_restart(asterisk: Asterisk) -> None:
    journal = MemoryJournal()
    async with trio.open_nursery() as nursery:
        customers = []
        async with open_house(asterisk, journal=journal, tidy=False) as house:
            for number in ("600000001", "600000002", "600000003"):
                phone = Phone(nursery, number, hz=700)
                await phone.open(asterisk.sip)
                customers.append(await phone.call("sales"))
                await house.until(lambda: len(house.switchboard.contacts(phase="waiting")) == len(customers))
            for calling in customers:
                await calling.hears(MUSIC_HZ)
            before = [(view.handle, view.arrived_ns) for view in house.switchboard.contacts()]
        # Nobody is there now, and the music goes on.
        for calling in customers:
            await calling.hears(MUSIC_HZ)
        async with open_house(asterisk, journal=journal) as house:
            after = [(view.handle, view.arrived_ns) for view in house.switchboard.contacts()]
            assert after == before
            ana = await house.phone("ana")
            ringing = await ana.rings()
            assert "600000001" in ringing.header("From")
            await ringing.answer()
            await house.event(ContactConnected)
            await customers[0].hears(900)
            for calling in customers:
                await calling.hang_up()
            await house.quiet()
            assert sorted(house.outcomes()) == ["abandoned", "abandoned", "served"]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("cut_off", ["the answer", "the music"])
async def test_caller_hears_music_whatever_our_going_has_cut_off(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch, cut_off: str
) -> None:
    async def never(*_: Any) -> None:
        await trio.sleep_forever()

    if cut_off == "the answer":
        monkeypatch.setattr(Incoming, "_pick_up", never)
    elif cut_off == "the music":
        for module in (channel, incoming):
            monkeypatch.setattr(module, "arrange_soon", lambda *_: None)
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False) as house:
            house.nursery = nursery
            calling = await (await house.customer()).call("sales")
            await house.phase("waiting")
            calls = exchange_of(house.switchboard, "phone").calls
            await house.until(lambda: [call for call in calls if call.contact])
        await calling.hears(MUSIC_HZ)
        assert calling.answered.is_set()
        await calling.hang_up()
        nursery.cancel_scope.cancel()


async def test_caller_hears_music_whose_contact_is_not_durable_yet_when_we_go(asterisk: Asterisk) -> None:
    journal = HeldJournal()
    journal.token = trio.lowlevel.current_trio_token()

    async def hear_and_let_go(calling: Talk, gate: trio.Event) -> None:
        try:
            await calling.hears(MUSIC_HZ)
        finally:
            gate.set()

    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, journal=journal, tidy=False) as house:
            house.nursery = nursery
            customer = await house.customer()
            gate = journal.gate = trio.Event()
            calling = await customer.call("sales")
            await house.phase("waiting")
            assert [call.contact for call in exchange_of(house.switchboard, "phone").calls] == [0]
            nursery.start_soon(hear_and_let_go, calling, gate)
        await calling.hears(MUSIC_HZ)
        await calling.hang_up()
        nursery.cancel_scope.cancel()


async def test_conversations_go_on_across_our_restart(asterisk: Asterisk) -> None:
    journal = MemoryJournal()
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, journal=journal, tidy=False) as house:
            house.nursery = nursery
            customer, ana = await house.customer(), await house.phone("ana")
            calling, answering = await talk(house, customer, ana)
        await calling.hears(900)
        async with open_house(asterisk, journal=journal) as house:
            await calling.hears(900)
            await answering.hears(700)
            assert not calling.ended.is_set()
            await answering.hang_up()
            with trio.fail_after(WITHIN_S):
                await calling.ended.wait()
            assert (await house.event(ContactEnded)).outcome == "served"
        nursery.cancel_scope.cancel()


async def test_who_hung_up_while_we_were_away_is_gone(asterisk: Asterisk) -> None:
    journal = MemoryJournal()
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, journal=journal, tidy=False) as house:
            house.nursery = nursery
            customer, ana = await house.customer(), await house.phone("ana")
            talking, answering = await talk(house, customer, ana)
            waiting = await customer.call("sales")
            await house.until(lambda: house.switchboard.contacts(phase="waiting"))
        await talking.hang_up()
        await waiting.hang_up()
        async with open_house(asterisk, journal=journal) as house:
            with trio.fail_after(WITHIN_S):
                await answering.ended.wait()
            await house.quiet()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("who", ["ana", "bea", "nobody"])
async def test_conference_goes_on_without_who_hung_up_while_we_were_away(
    asterisk: Asterisk, tmp_path: Path, who: str
) -> None:
    same: dict[str, Any] = {"journal": MemoryJournal(), "folder": tmp_path}
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            contact, _, calling, first, second = await consultation(house)
            await house.do(EndConsultation(contact=contact, agent="ana", then="join"))
            for name in ("ana", "bea"):
                await calling.hears(HZ[name])
        phones = {"ana": first, "bea": second}
        if who != "nobody":
            await phones[who].hang_up()
        async with open_house(asterisk, **same) as house:
            view = house.switchboard.contact(contact)
            assert view is not None
            assert {work.agent for work in view.works} == {"ana", "bea"} - {who}
            for name in {"ana", "bea"} - {who}:
                await calling.hears(HZ[name])
                await phones[name].hears(CUSTOMER_HZ)
            await calling.hang_up()
            await house.quiet()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("who", ["ana", "bea", "both"])
async def test_consultation_that_somebody_left_while_we_were_away_ends_as_if_we_had_seen_it(
    asterisk: Asterisk, tmp_path: Path, who: str
) -> None:
    same: dict[str, Any] = {"journal": MemoryJournal(), "folder": tmp_path}
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            _, _, calling, first, second = await consultation(house)
        for name, talk_of in (("ana", first), ("bea", second)):
            if who in (name, "both"):
                await talk_of.hang_up()
        async with open_house(asterisk, **same) as house:
            if who == "both":
                with trio.fail_after(WITHIN_S):
                    await calling.ended.wait()
            else:
                await calling.hears(HZ["bea" if who == "ana" else "ana"])
                await calling.hears_not(MUSIC_HZ)
                await (second if who == "ana" else first).hears(CUSTOMER_HZ)
                await calling.hang_up()
            await house.quiet()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("persistent", [False, True])
async def test_asker_who_puts_down_after_our_restart_leaves_both_to_each_other(
    asterisk: Asterisk, tmp_path: Path, persistent: bool
) -> None:
    same: dict[str, Any] = {
        "journal": MemoryJournal(),
        "folder": tmp_path,
        "phones": {"persistent": persistent, "tone": []},
    }
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            _, _, calling, first, second = await consultation(house)
        async with open_house(asterisk, tidy=False, **same) as house:
            await first.hears(HZ["bea"])
            await first.hang_up()
            await house.event(ContactTransferred)
            await calling.hears(HZ["bea"])
            await second.hears(CUSTOMER_HZ)
        # To whom they were passed on they talk across one more.
        async with open_house(asterisk, tidy=False, **same) as house:
            await calling.hears(HZ["bea"])
            await second.hears(CUSTOMER_HZ)
            await calling.hang_up()
            await house.event(ContactEnded, outcome="served")
            await second.hang_up()
            await house.quiet()
        nursery.cancel_scope.cancel()


async def test_phone_that_rings_goes_on_ringing_across_our_restart(asterisk: Asterisk) -> None:
    journal = MemoryJournal()
    async with trio.open_nursery() as nursery:
        async with open_house(
            asterisk, journal=journal, tidy=False, phones={"sign_in": "registered"}
        ) as house:
            house.nursery = nursery
            customer, ana = await house.customer(), await house.phone("ana", sign_in=False)
            calling = await customer.call("sales")
            ringing = await ana.rings()
            await house.event(ContactOffered)
        assert not ringing.ended.is_set()
        async with open_house(asterisk, journal=journal, phones={"sign_in": "registered"}) as house:
            async with trio.open_nursery() as answering:
                answering.start_soon(answer_whatever_rings, house, ana, ringing)
                await calling.hears(900)
                answering.cancel_scope.cancel()
            await calling.hang_up()
        nursery.cancel_scope.cancel()


async def answer_whatever_rings(house: House, phone: Phone, ringing: Talk) -> None:
    """With the daemon the agent was lost for a moment, so it may be the same ringing or the next."""

    async def answer(talk: Talk) -> None:
        await house.until(lambda: talk.ended.is_set() or house.switchboard.contacts(phase="offered"))
        if not talk.ended.is_set():
            await talk.answer()

    await answer(ringing)
    while True:
        await answer(await phone.rings(within_s=math.inf))


async def test_calls_end_with_their_server_and_new_ones_come(own_asterisk: Asterisk) -> None:
    async with open_house(own_asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        await talk(house, customer, ana)
        await customer.call("sales")
        await house.until(lambda: house.switchboard.contacts(phase="waiting"))
        own_asterisk.kill()
        await trio.to_thread.run_sync(own_asterisk.start)
        await house.quiet_contacts()
        assert sorted(house.outcomes()) == ["lost", "served"]
        await ana.register()
        # Whoever was on that server may have been offered to her before it was known to be gone.
        await house.back("ana")
        again, _ = await talk(house, customer, ana)
        await again.hang_up()


async def test_server_away_for_too_long_has_lost_its_calls(own_asterisk: Asterisk) -> None:
    async with open_house(own_asterisk, phone={"lost_after_s": 0.5}, tidy=False) as house:
        customer = await house.customer()
        await customer.call("sales")
        await house.phase("waiting")
        own_asterisk.kill()
        await house.quiet_contacts()
        assert house.outcomes() == ["lost"]


async def test_caller_who_comes_while_we_are_away_is_kept(asterisk: Asterisk) -> None:
    async with trio.open_nursery() as nursery:
        phone = Phone(nursery, "600111222", hz=700)
        await phone.open(asterisk.sip)
        calling = await phone.call("sales")
        with trio.fail_after(WITHIN_S):
            await calling.ringing.wait()
        async with open_house(asterisk) as house:
            await house.phase("waiting")
            await calling.hears(MUSIC_HZ)
            await calling.hang_up()
        nursery.cancel_scope.cancel()
