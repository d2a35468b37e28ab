"""A number outside is asked first: with the customer waiting, then all three, then without the agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from tools.asterisk_server import Asterisk
from tools.audio import MUSIC_HZ

from centralita import MemoryJournal
from centralita.errors import ControlRefused
from centralita.messages import (
    ContactEnded,
    EndContact,
    HoldContact,
    ResumeContact,
    Target,
    TransferContact,
)
from tests.voice.house import CUSTOMER_HZ, HZ, WITHIN_S, House, open_house, talk
from tests.voice.phone import Talk

NUMBER = "+34911222333"
CARRIER_HZ = 1500
FORWARDS = {"forward_context": "outside"}


async def control(house: House, contact: int, word: str, value: str = "") -> dict[str, Any]:
    return await house.switchboard.control(contact, by="ana", word=word, value=value)


async def asked(house: House) -> tuple[int, Talk, Talk, Talk]:
    """Ana has a customer on hold and talks with a number outside."""
    customer, ana, carrier = (
        await house.customer(),
        await house.phone("ana"),
        await house.carrier(hz=CARRIER_HZ),
    )
    calling, answering = await talk(house, customer, ana)
    contact = house.only().id
    now = await control(house, contact, "call_number", NUMBER)
    assert now["outside"] == "ringing"
    outside = await carrier.rings()
    assert NUMBER in outside.header("To")
    await calling.hears(MUSIC_HZ)
    await outside.answer()
    await answering.hears(CARRIER_HZ)
    await outside.hears(HZ["ana"])
    await outside.hears_not(CUSTOMER_HZ)
    assert (await control(house, contact, "unmute"))["outside"] == "talking"
    return contact, calling, answering, outside


async def over(*talks: Talk) -> None:
    with trio.fail_after(WITHIN_S):
        for one in talks:
            await one.ended.wait()


async def test_number_is_asked_and_takes_the_customer_over(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone=FORWARDS, tidy=False) as house:
        contact, calling, answering, outside = await asked(house)
        await house.do(TransferContact(contact=contact, agent="ana", target=Target(number=NUMBER)))
        await over(answering)
        await calling.hears(CARRIER_HZ)
        await outside.hears(CUSTOMER_HZ)
        ended = await house.event(ContactEnded)
        assert (ended.outcome, ended.reason) == ("served", f"forwarded to {NUMBER}")
        await outside.hang_up()
        await over(calling)
        await house.quiet()


async def test_all_three_talk_once_the_customer_is_taken_off_hold(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone=FORWARDS) as house:
        contact, calling, answering, outside = await asked(house)
        await house.do(ResumeContact(contact=contact, agent="ana"))
        for hz in (HZ["ana"], CARRIER_HZ):
            await calling.hears(hz)
        for hz in (HZ["ana"], CUSTOMER_HZ):
            await outside.hears(hz)
        await answering.hears(CUSTOMER_HZ)
        await house.do(HoldContact(contact=contact, agent="ana"))
        await outside.hears_not(CUSTOMER_HZ)
        await house.do(ResumeContact(contact=contact, agent="ana"))
        await calling.hears(CARRIER_HZ)
        await calling.hang_up()
        await over(answering, outside)


@pytest.mark.parametrize("by", ["agent", "number"])
async def test_customer_is_given_back_when_the_number_leaves(asterisk: Asterisk, by: str) -> None:
    async with open_house(asterisk) as house:
        contact, calling, answering, outside = await asked(house)
        if by == "agent":
            assert (await control(house, contact, "drop_number"))["outside"] == ""
        else:
            await outside.hang_up()
        await over(outside)
        await calling.hears(HZ["ana"])
        await answering.hears(CUSTOMER_HZ)
        assert (await control(house, contact, "unmute"))["outside"] == ""
        await calling.hang_up()


async def test_number_that_is_busy_says_so_and_gives_the_customer_back(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer, ana, carrier = await house.customer(), await house.phone("ana"), await house.carrier()
        calling, _ = await talk(house, customer, ana)
        contact = house.only().id
        await control(house, contact, "call_number", NUMBER)
        await (await carrier.rings()).refuse(486)
        await calling.hears(HZ["ana"])
        assert (await control(house, contact, "unmute"))["outside"] == "busy"
        await calling.hang_up()


async def test_agent_who_puts_down_leaves_both_to_each_other(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone=FORWARDS, tidy=False) as house:
        _, calling, answering, outside = await asked(house)
        await answering.hang_up()
        await calling.hears(CARRIER_HZ)
        await outside.hears(CUSTOMER_HZ)
        assert (await house.event(ContactEnded)).reason == f"forwarded to {NUMBER}"
        await calling.hang_up()
        await over(outside)
        await house.quiet()


async def test_nobody_outside_is_left_when_the_agent_passes_the_customer_on(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        bea = await house.phone("bea", sign_in=False)
        contact, calling, answering, outside = await asked(house)
        await house.back("bea")
        await house.do(TransferContact(contact=contact, agent="ana", target=Target(agent="bea")))
        await over(outside, answering)
        await (await bea.rings()).answer()
        await calling.hears(HZ["bea"])
        await calling.hang_up()


async def test_everybody_goes_with_the_end(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, calling, answering, outside = await asked(house)
        await house.do(EndContact(contact=contact, by="ana"))
        await over(calling, answering, outside)


async def test_what_can_not_be_called_says_why(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, calling, _, outside = await asked(house)
        with pytest.raises(ControlRefused, match="called already"):
            await control(house, contact, "call_number", "911")
        with pytest.raises(ControlRefused, match="allowed"):
            await control(house, contact, "call_number", "my mother")
        await calling.hang_up()
        await over(outside)


@pytest.mark.parametrize("who", ["customer", "number"])
async def test_who_was_handed_on_talks_on_across_our_restart(
    asterisk: Asterisk, tmp_path: Path, who: str
) -> None:
    same: dict[str, Any] = {"journal": MemoryJournal(), "folder": tmp_path, "phone": FORWARDS}
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            contact, calling, answering, outside = await asked(house)
            await house.do(TransferContact(contact=contact, agent="ana", target=Target(number=NUMBER)))
            await over(answering)
            await calling.hears(CARRIER_HZ)
        await outside.hears(CUSTOMER_HZ)
        async with open_house(asterisk, tidy=False, **same) as house:
            await calling.hears(CARRIER_HZ)
            await outside.hears(CUSTOMER_HZ)
            assert house.switchboard.contacts() == []
        # Who is left alone while nobody looks is hung up on by the next life.
        await (calling if who == "customer" else outside).hang_up()
        async with open_house(asterisk, **same):
            await over(calling, outside)
        nursery.cancel_scope.cancel()


async def test_asking_goes_on_across_our_restart(asterisk: Asterisk, tmp_path: Path) -> None:
    same: dict[str, Any] = {"journal": MemoryJournal(), "folder": tmp_path, "phone": FORWARDS}
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            contact, calling, answering, outside = await asked(house)
        async with open_house(asterisk, tidy=False, **same) as house:
            await answering.hears(CARRIER_HZ)
            assert (await control(house, contact, "unmute"))["outside"] == "talking"
            await house.do(TransferContact(contact=contact, agent="ana", target=Target(number=NUMBER)))
            await calling.hears(CARRIER_HZ)
            await calling.hang_up()
            await over(outside)
            await house.quiet()
        nursery.cancel_scope.cancel()
