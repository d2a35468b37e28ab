"""Agents' phones: how agents come and go, what their phones do besides, and how a call gets to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from tools.asterisk_server import Asterisk

from centralita import MemoryJournal
from centralita.messages import (
    AgentConnectionLost,
    AgentOccupied,
    AgentReleased,
    AgentSignedIn,
    AnswerOffer,
    ApplyConfiguration,
    ConnectionFailed,
    ContactConnected,
    ContactOffered,
    OfferDeclined,
    PlaceContact,
    SetStatus,
    SignIn,
)
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.phones import Phones
from tests.voice.house import CUSTOMER_HZ, HZ, WITHIN_S, HeldJournal, open_house, talk
from tests.voice.phone import Phone

ECHO = "echo"


async def test_private_call_makes_the_agent_busy(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        ana, customer = await house.phone("ana"), await house.customer()
        private = await ana.call(ECHO)
        assert (await house.event(AgentOccupied)).agent == "ana"
        calling = await customer.call("sales")
        await house.phase("waiting")
        view = house.switchboard.agent("ana")
        assert view is not None
        assert (view.state, view.reason) == ("break", "on_the_phone")
        await private.hang_up()
        await house.event(AgentReleased)
        await (await ana.rings()).answer()
        await calling.hears(900)
        assert len(house.events(AgentOccupied)) == 1
        await calling.hang_up()
        await house.quiet()
        assert len(house.events(AgentOccupied)) == 1


async def test_call_of_ours_that_has_just_ended_is_no_private_call(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        devices = exchange_of(house.switchboard, "phone").devices
        customer, ana = await house.customer(), await house.phone("ana")
        for n in range(1, 4):
            calling, answering = await talk(house, customer, ana)
            await answering.hang_up()
            with trio.fail_after(WITHIN_S):
                await calling.ended.wait()
            await house.until(lambda: devices.state("main", "PJSIP/ana") == "NOT_INUSE")
            await house.quiet()
            assert house.outcomes() == ["served"] * n
        assert house.events(AgentOccupied) == []


async def test_private_call_that_goes_on_after_ours_is_noticed(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        _, answering = await talk(house, customer, ana)
        private = await ana.call(ECHO)
        with trio.fail_after(WITHIN_S):
            await private.answered.wait()
        await answering.hang_up()
        assert (await house.event(AgentOccupied)).agent == "ana"
        await private.hang_up()
        await house.event(AgentReleased)


async def test_registered_phone_is_an_agent_who_is_here(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phones={"sign_in": "registered"}) as house:
        ana = await house.phone("ana", sign_in=False)
        await house.until(lambda: getattr(house.switchboard.agent("ana"), "status", "") == "available")
        await ana.register(expires=0)
        assert (await house.event(AgentConnectionLost)).agent == "ana"


async def test_phone_that_goes_while_its_coming_is_told_is_noticed(asterisk: Asterisk) -> None:
    journal = HeldJournal()
    journal.token = trio.lowlevel.current_trio_token()
    async with open_house(asterisk, journal=journal, phones={"sign_in": "registered"}) as house:
        devices = exchange_of(house.switchboard, "phone").devices

        def state() -> str | None:
            return devices.state("main", "PJSIP/ana")

        await house.until(lambda: state() == "UNAVAILABLE")
        journal.gate = trio.Event()
        try:
            ana = await house.phone("ana", sign_in=False)
            # Decided, not durable: the desk still waits for what became of it.
            await house.until(lambda: getattr(house.switchboard.agent("ana"), "status", "") == "available")
            assert house.switchboard.status()["journal_seq"] > house.switchboard.status()["durable_seq"]
            await ana.register(expires=0)
            await house.until(lambda: state() == "UNAVAILABLE")
        finally:
            journal.gate.set()
        assert (await house.event(AgentConnectionLost)).agent == "ana"


async def test_agent_who_is_new_in_the_configuration_is_watched_at_once(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phones={"sign_in": "registered"}) as house:

        async def configure(*agents: str) -> None:
            config_ = house.switchboard.configuration().engine
            known = {name: known_agents[name] for name in agents}
            await house.do(ApplyConfiguration(config=msgspec.structs.replace(config_, agents=known)))

        def status() -> str:
            return getattr(house.switchboard.agent("ana"), "status", "")

        known_agents = house.switchboard.configuration().engine.agents
        await configure("bea")
        ana = await house.phone("ana", sign_in=False)
        await configure("ana", "bea")
        await house.until(lambda: status() == "available")
        await configure("bea")
        await house.until(lambda: house.switchboard.agent("ana") is None)
        # Not as it was left: the phone has been there all the time.
        await configure("ana", "bea")
        await house.until(lambda: status() == "available")
        await ana.register(expires=0)
        assert (await house.event(AgentConnectionLost)).agent == "ana"


async def test_agents_come_and_go_by_codes(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        ana = await house.phone("ana", sign_in=False)

        async def dial(code: str) -> str:
            dialled = await ana.call(code)
            with trio.fail_after(WITHIN_S):
                await dialled.ended.wait()
            view = house.switchboard.agent("ana")
            assert view is not None
            return view.status

        assert [await dial(code) for code in ("*11", "*12", "*11", "*10", "*99")] == [
            "available",
            "break",
            "available",
            "offline",
            "offline",
        ]


async def test_phone_off_the_hook_takes_calls_by_itself(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phones={"persistent": True, "tone": ["sound:beep"]}) as house:
        ana, customer = await house.phone("ana", sign_in=False), await house.customer()
        line = await ana.call("*11")
        await house.event(AgentSignedIn)
        for turn in range(2):
            calling = await customer.call("sales")
            await calling.hears(900)
            await line.hears(CUSTOMER_HZ)
            await calling.hang_up()
            await line.hears_not(CUSTOMER_HZ)
            assert not line.ended.is_set(), turn
        await line.hang_up()
        await house.until(lambda: getattr(house.switchboard.agent("ana"), "status", "") == "offline")


async def test_phone_is_rung_to_be_kept_off_the_hook_when_the_agent_signs_in(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phones={"persistent": True, "tone": []}) as house:
        ana, customer = await house.phone("ana"), await house.customer()
        line = await ana.rings()
        await line.answer()
        calling = await customer.call("sales")
        await calling.hears(900)
        await line.hears(CUSTOMER_HZ)
        await calling.hang_up()
        await house.quiet_contacts()
        await line.hang_up()


async def test_caller_who_waits_for_a_phone_that_rings_to_be_kept_rings_it_no_second_time(
    asterisk: Asterisk,
) -> None:
    async with open_house(asterisk, phones={"persistent": True, "tone": []}) as house:
        customer = await house.customer()
        calling = await customer.call("sales")
        await house.phase("waiting")
        ana = await house.phone("ana")
        line = await ana.rings()
        await house.event(ContactOffered)
        await line.answer()
        await calling.hears(900)
        await line.hears(CUSTOMER_HZ)
        await calling.hang_up()
        await house.quiet_contacts()
        with pytest.raises(trio.TooSlowError):  # a second ring would be here already
            await ana.rings(within_s=0.1)
        await line.hang_up()


async def test_lines_off_the_hook_outlive_our_restart(asterisk: Asterisk, tmp_path: Path) -> None:
    journal = MemoryJournal()
    async with trio.open_nursery() as nursery:
        settings = {"persistent": True, "tone": []}
        async with open_house(
            asterisk, journal=journal, tidy=False, phones=settings, folder=tmp_path
        ) as house:
            house.nursery = nursery
            ana, customer = await house.phone("ana", sign_in=False), await house.customer()
            line = await ana.call("*11")
            await house.event(AgentSignedIn)
            calling = await customer.call("sales")
            await calling.hears(900)
        async with open_house(asterisk, journal=journal, phones=settings, folder=tmp_path) as house:
            await house.until(lambda: getattr(house.switchboard.agent("ana"), "state", "") == "connected")
            await calling.hears(900)
            await calling.hang_up()
            again = await customer.call("sales")
            await again.hears(900)
            await again.hang_up()
            await house.quiet_contacts()
            await line.hang_up()
        nursery.cancel_scope.cancel()


async def test_line_off_the_hook_that_was_muted_is_heard_in_its_next_call(asterisk: Asterisk) -> None:
    settings = {"persistent": True, "tone": []}
    async with open_house(asterisk, phones=settings) as house:
        ana, customer = await house.phone("ana", sign_in=False), await house.customer()
        line = await ana.call("*11")
        await house.event(AgentSignedIn)
        calling = await customer.call("sales")
        await calling.hears(900)
        await house.switchboard.control(house.only().id, by="ana", word="mute")
        await calling.hears_not(900)
        await calling.hang_up()
        await house.quiet_contacts()
        again = await customer.call("sales")
        await again.hears(900)
        await again.hang_up()
        await line.hang_up()


@pytest.mark.parametrize("in_its_room", [True, False])
async def test_muted_line_off_the_hook_whose_call_ended_unseen_is_heard_in_its_next(
    asterisk: Asterisk, tmp_path: Path, in_its_room: bool
) -> None:
    same: dict[str, Any] = {
        "journal": MemoryJournal(), "folder": tmp_path, "phones": {"persistent": True, "tone": []}
    }  # fmt: skip
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            ana, customer = await house.phone("ana", sign_in=False), await house.customer()
            line = await ana.call("*11")
            await house.event(AgentSignedIn)
            calling = await customer.call("sales")
            await calling.hears(900)
            contact = house.only().id
            await house.switchboard.control(contact, by="ana", word="mute")
            leg = exchange_of(house.switchboard, "phone").calls.leg(contact, "ana")
            assert leg is not None
            if not in_its_room:
                leave = {"channel": leg.id}
                await leg.server.ask("POST", f"bridges/{leg.room}/removeChannel", leave)
        await calling.hang_up()
        async with open_house(asterisk, **same) as house:
            await house.quiet_contacts()
            again = await customer.call("sales")
            await again.hears(900)
            await again.hang_up()
            await house.quiet_contacts()
            await line.hang_up()
        nursery.cancel_scope.cancel()


async def test_accepting_elsewhere_then_rings_the_phone_which_answers_itself(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"ring": "accept", "auto_answer": True}) as house:
        ana, customer = await house.phone("ana", sign_in=False), await house.customer()
        await house.do(SignIn(agent="ana"))  # at a desk that is no telephone
        calling = await customer.call("sales")
        offered = await house.event(ContactOffered)
        await calling.hears(500)
        await house.do(AnswerOffer(contact=offered.contact, agent="ana", offer=offered.offer, accept=True))
        ringing = await ana.rings()
        assert "answer-after=0" in ringing.header("Call-Info")
        await ringing.answer()
        await calling.hears(900)
        await calling.hang_up()


async def test_phone_that_does_not_answer_after_accepting_gives_the_caller_back(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"ring": "accept"}, sales={"ask_again_s": 60}) as house:
        ana, customer = await house.phone("ana", sign_in=False), await house.customer()
        await house.do(SignIn(agent="ana"))
        calling = await customer.call("sales")
        offered = await house.event(ContactOffered)
        await house.do(AnswerOffer(contact=offered.contact, agent="ana", offer=offered.offer, accept=True))
        await (await ana.rings()).refuse(486)
        await house.phase("waiting")
        await calling.hears(500)
        await calling.hang_up()


async def test_declining_elsewhere_stops_the_ringing(asterisk: Asterisk) -> None:
    async with open_house(asterisk, sales={"ask_again_s": 60}) as house:
        ana, customer = await house.phone("ana"), await house.customer()
        calling = await customer.call("sales")
        ringing = await ana.rings()
        offered = await house.event(ContactOffered)
        await house.do(AnswerOffer(contact=offered.contact, agent="ana", offer=offered.offer, accept=False))
        await house.event(OfferDeclined)
        with trio.fail_after(WITHIN_S):
            await ringing.ended.wait()
        await calling.hang_up()


async def test_agent_is_told_whose_call_it_is_before_the_caller_hears(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"whisper": {"sales": ["sound:hello-world"]}}) as house:
        ana, customer = await house.phone("ana"), await house.customer()
        calling = await customer.call("sales")
        ringing = await ana.rings()
        answered_ns = house.switchboard.now_ns()
        await ringing.answer()
        connected = await house.event(ContactConnected)
        records = [record for record in house.records if connected in record.events]
        # The whisper lasts more than a second, and only then are they together.
        assert records[0].at_ns > answered_ns + 1_000_000_000
        await calling.hears(900)
        await calling.hang_up()


async def test_agent_who_puts_down_while_told_whose_call_it_is_leaves_the_caller_in_line(
    asterisk: Asterisk,
) -> None:
    async with open_house(asterisk, phone={"whisper": {"*": ["sound:vm-intro"]}}) as house:
        ana, customer = await house.phone("ana"), await house.customer()
        calling = await customer.call("sales")
        ringing = await ana.rings()
        await ringing.answer()
        await house.until(lambda: ringing.frames > 25)
        await ringing.hang_up()
        failed = await house.event(ConnectionFailed, agent="ana")
        assert failed.reason == "agent: hung up"
        assert house.events(ContactConnected) == []
        # She is asked again, and now stays.
        again = await ana.rings()
        await again.answer()
        await house.event(ContactConnected)
        await calling.hears(HZ["ana"])
        await calling.hang_up()


async def test_whisper_that_is_not_there_keeps_nobody_apart(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"whisper": {"*": ["sound:there-is-none"]}}) as house:
        ana, customer = await house.phone("ana"), await house.customer()
        calling, _ = await talk(house, customer, ana)
        await calling.hang_up()


async def test_connection_to_a_phone_that_was_put_down_before_it_was_told_ends(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        ana, customer = await house.phone("ana"), await house.customer()
        calling, answering = await talk(house, customer, ana)
        contact = house.only().id
        exchange = exchange_of(house.switchboard, "phone")
        phones = Phones(exchange)
        await phones.connected(contact, "ana")
        assert house.only().phase == "connected", "her phone is there"
        (leg,) = exchange.calls.legs_of(contact)
        # As if it had gone between being joined and the engine's hearing of that.
        exchange.calls.forget_leg(leg)
        await phones.connected(contact, "ana")
        assert (await house.event(house.ended)).reason == "hung up"
        with trio.fail_after(WITHIN_S):
            await calling.ended.wait()
        await answering.hang_up()


async def test_number_stops_ringing_when_the_agent_puts_down(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        ana, carrier = await house.phone("ana"), await house.carrier()
        await house.do(PlaceContact(agent="ana", channel="phone", provider_id="click-2", handle="600999888"))
        ringing = await ana.rings()
        await ringing.answer()
        called = await carrier.rings()
        await ringing.hang_up()
        with trio.fail_after(WITHIN_S):
            await called.ended.wait()
        assert called.status == 487
        ended = await house.event(house.ended)
        assert (ended.outcome, ended.reason) == ("unreachable", "agent: hung up")


async def test_click_to_call_rings_the_agent_then_the_number(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"caller_id": "Shop <900100100>"}) as house:
        ana, carrier = await house.phone("ana"), await house.carrier()
        await house.do(PlaceContact(agent="ana", channel="phone", provider_id="click-1", handle="600999888"))
        ringing = await ana.rings()
        await ringing.answer()
        called = await carrier.rings()
        assert "600999888" in called.header("To")
        assert "900100100" in called.header("From")
        await called.answer()
        await house.phase("connected")
        await called.hears(900)
        await ringing.hears(CUSTOMER_HZ)
        await ringing.hang_up()
        with trio.fail_after(WITHIN_S):
            await called.ended.wait()


@pytest.mark.parametrize(
    ("status", "reason"), [(486, "busy"), (603, "rejected"), (480, "no answer"), (404, "unknown number")]
)
async def test_numbers_that_are_not_reached_are_told_apart(
    asterisk: Asterisk, status: int, reason: str
) -> None:
    async with open_house(asterisk) as house:
        ana, carrier = await house.phone("ana"), await house.carrier()
        await house.do(
            PlaceContact(agent="ana", channel="phone", provider_id=f"c{status}", handle="600999888")
        )
        await (await ana.rings()).answer()
        await (await carrier.rings()).refuse(status)
        await house.until(house.outcomes)
        (ended,) = house.events(house.ended)
        assert (ended.outcome, ended.reason) == ("unreachable", reason)


async def test_agent_on_a_break_is_not_rung(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        ana, customer = await house.phone("ana"), await house.customer()
        await house.do(SetStatus(agent="ana", status="break"))
        calling = await customer.call("sales")
        await calling.hears(500)
        assert ana.talks == {}
        await house.do(SetStatus(agent="ana", status="available"))
        await (await ana.rings()).answer()
        await calling.hears(900)
        await calling.hang_up()


async def test_two_agents_two_callers_nobody_twice(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer = await house.customer()
        ana, bea = await house.phone("ana"), await house.phone("bea")
        first = await talk(house, customer, ana)
        other = Phone(house.nursery, "600333444", hz=1500)
        await other.open(asterisk.sip)
        calling = await other.call("sales")
        second = await bea.rings()
        await second.answer()
        await calling.hears(1100)
        await second.hears(1500)
        await first[0].hears(900)
        await first[0].hang_up()
        await calling.hang_up()
