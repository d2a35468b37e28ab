"""What happens in a conversation: hold, transfers, consultations, conferences."""

from __future__ import annotations

import pytest
import trio
from tools.asterisk_server import Asterisk
from tools.audio import MUSIC_HZ

from centralita.messages import (
    ConnectionFailed,
    ContactEnded,
    ContactTransferred,
    EndConsultation,
    EndContact,
    HoldContact,
    LeaveContact,
    ResumeContact,
    StartConsultation,
    Target,
    TransferContact,
)
from centralita_asterisk.exchange import exchange_of
from tests.voice.house import HZ, WITHIN_S, House, open_house, talk
from tests.voice.phone import Phone, Talk


async def test_held_customer_hears_music_and_then_the_agent(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling, answering = await talk(house, customer, ana)
        contact = house.only().id
        await house.do(HoldContact(contact=contact, agent="ana"))
        await calling.hears(MUSIC_HZ)
        await calling.hears_not(900)
        await answering.hears_not(700)
        await house.do(ResumeContact(contact=contact, agent="ana"))
        await calling.hears(900)
        await answering.hears(700)
        await calling.hears_not(MUSIC_HZ)
        await calling.hang_up()


async def test_room_that_the_server_has_lost_is_made_anew_with_all_who_were_in_it(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling, answering = await talk(house, customer, ana)
        contact = house.only().id
        await house.do(HoldContact(contact=contact, agent="ana"))
        await calling.hears(MUSIC_HZ)
        server = exchange_of(house.switchboard, "phone").servers["main"]
        await server.ask("DELETE", f"bridges/{server.room_names[contact]}")
        await house.do(ResumeContact(contact=contact, agent="ana"))
        await calling.hears(900)
        await answering.hears(700)
        await calling.hang_up()


async def test_room_that_the_server_has_lost_fails_no_connection(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling, _ = await talk(house, customer, ana)
        contact = house.only().id
        bea = await house.phone("bea")
        await house.do(TransferContact(contact=contact, agent="ana", target=Target(agent="bea")))
        second = await bea.rings()
        await calling.hears(MUSIC_HZ)
        server = exchange_of(house.switchboard, "phone").servers["main"]
        await server.ask("DELETE", f"bridges/{server.room_names[contact]}")
        await second.answer()
        await calling.hears(HZ["bea"])
        await second.hears(700)
        assert house.events(ConnectionFailed) == []
        await calling.hang_up()


async def test_no_two_rooms_have_one_name(asterisk: Asterisk) -> None:
    names = []
    for _ in range(2):
        async with open_house(asterisk) as house:
            customer, ana = await house.customer(), await house.phone("ana")
            calling, _ = await talk(house, customer, ana)
            names.append(exchange_of(house.switchboard, "phone").servers["main"].room_names[house.only().id])
            await calling.hang_up()
    assert len(set(names)) == 2, "a new journal counts its contacts from the start"


@pytest.mark.parametrize("target", [Target(agent="bea"), Target(queue="support")])
async def test_blind_transfer(asterisk: Asterisk, target: Target) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling, answering = await talk(house, customer, ana)
        bea = await house.phone("bea")
        await house.do(TransferContact(contact=house.only().id, agent="ana", target=target))
        with trio.fail_after(WITHIN_S):
            await answering.ended.wait()
        second = await bea.rings()
        await calling.hears(MUSIC_HZ)
        await second.answer()
        await calling.hears(1100)
        await second.hears(700)
        await second.hang_up()
        assert (await house.event(ContactEnded)).agent == "bea"


async def consultation(house: House) -> tuple[int, Phone, Talk, Talk, Talk]:
    """Ana speaks with a customer and has asked Bea."""
    customer, ana = await house.customer(), await house.phone("ana")
    calling, first = await talk(house, customer, ana)
    contact = house.only().id
    bea = await house.phone("bea")
    await house.do(StartConsultation(contact=contact, agent="ana", target=Target(agent="bea")))
    second = await bea.rings()
    await first.hears(700)  # while it rings the customer is still there
    await second.answer()
    await first.hears(1100)
    await second.hears(900)
    await second.hears_not(700)
    await calling.hears(MUSIC_HZ)
    return contact, bea, calling, first, second


async def test_consultation_ends_in_a_transfer(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, _, calling, first, second = await consultation(house)
        await house.do(EndConsultation(contact=contact, agent="ana", then="transfer"))
        with trio.fail_after(WITHIN_S):
            await first.ended.wait()
        await calling.hears(1100)
        await second.hears(700)
        await second.hang_up()
        with trio.fail_after(WITHIN_S):
            await calling.ended.wait()
        assert (await house.event(ContactEnded, outcome="served")).agent == "bea"


async def test_putting_down_between_two_others_transfers(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        _, _, calling, first, second = await consultation(house)
        await first.hang_up()
        await house.event(ContactTransferred)
        await calling.hears(1100)
        await second.hears(700)
        await calling.hang_up()


async def test_consultation_that_is_cancelled_gives_the_customer_back(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, _, calling, first, second = await consultation(house)
        await house.do(EndConsultation(contact=contact, agent="ana", then="cancel"))
        with trio.fail_after(WITHIN_S):
            await second.ended.wait()
        await calling.hears(900)
        await first.hears(700)
        await calling.hang_up()


async def test_colleague_who_hangs_up_gives_the_customer_back(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        _, _, calling, first, second = await consultation(house)
        await second.hang_up()
        await calling.hears(900)
        await first.hears(700)
        await calling.hang_up()


async def test_conference_of_three_and_its_end(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, _, calling, first, second = await consultation(house)
        await house.do(EndConsultation(contact=contact, agent="ana", then="join"))
        for hz in (HZ["ana"], HZ["bea"]):
            await calling.hears(hz)
        for hz in (700, HZ["bea"]):
            await first.hears(hz)
        for hz in (700, HZ["ana"]):
            await second.hears(hz)
        await house.do(LeaveContact(contact=contact, agent="ana"))
        with trio.fail_after(WITHIN_S):
            await first.ended.wait()
        await calling.hears_not(HZ["ana"])
        await calling.hears(HZ["bea"])
        await calling.hang_up()
        with trio.fail_after(WITHIN_S):
            await second.ended.wait()


@pytest.mark.parametrize("who", ["customer", "agent", "colleague", "engine"])
@pytest.mark.parametrize("when", ["ringing", "talking", "held", "consulting", "conference"])
async def test_nobody_is_left_whoever_hangs_up_when(asterisk: Asterisk, who: str, when: str) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling = await customer.call("sales")
        first = await ana.rings()
        if when != "ringing":
            await first.answer()
            await house.phase("connected")
        contact = house.only().id
        second = None
        if when == "held":
            await house.do(HoldContact(contact=contact, agent="ana"))
        if when in ("consulting", "conference"):
            bea = await house.phone("bea")
            await house.do(StartConsultation(contact=contact, agent="ana", target=Target(agent="bea")))
            second = await bea.rings()
        if when == "conference" and second is not None:
            await second.answer()
            child = house.only().consultation
            await house.until(lambda: getattr(house.switchboard.contact(child), "phase", "") == "connected")
            await house.do(EndConsultation(contact=contact, agent="ana", then="join"))
        one: Talk = calling if who == "customer" else first if who == "agent" or second is None else second
        if who == "engine":
            await house.do(EndContact(contact=contact, by="supervisor"))
        else:
            await one.hang_up()
        if house.switchboard.contacts():
            with trio.move_on_after(0.3):
                await house.until(lambda: not house.switchboard.contacts())
        if house.switchboard.contacts():
            await calling.hang_up()
        await house.quiet()
        for talk_ in (calling, first, second):
            if talk_ is not None:
                with trio.fail_after(WITHIN_S):
                    await talk_.ended.wait()
