"""A call from its ring to its end, on a real Asterisk, with the audio heard."""

from __future__ import annotations

import msgspec
import trio
from tools.asterisk_server import Asterisk
from tools.audio import MUSIC_HZ

from centralita.messages import AnswerOffer, ApplyConfiguration, ContactEnded, EndContact
from tests.voice.house import WITHIN_S, open_house, talk
from tests.voice.recorded import say_through


async def test_caller_hears_music_then_the_agent(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer = await house.customer()
        calling = await customer.call("sales", name="Luis")
        await calling.hears(MUSIC_HZ)
        assert (await house.phase("waiting")).handle == "600111222"
        ana = await house.phone("ana")
        ringing = await ana.rings()
        assert "600111222" in ringing.header("From")
        assert "Luis" in ringing.header("From")
        await calling.hears(MUSIC_HZ)
        await ringing.answer()
        await house.phase("connected")
        await ringing.hears(700)
        await calling.hears(900)
        await calling.hears_not(MUSIC_HZ)
        # A second's fifty frames each way, end to end.
        for speaking, hearing in ((calling, ringing), (ringing, calling)):
            await say_through(speaking, hearing, 1500, s=1)
            assert 40 <= hearing.frames_with(1500) <= 60
        await ringing.hang_up()
        with trio.fail_after(WITHIN_S):
            await calling.ended.wait()
        ended = await house.event(ContactEnded)
        assert (ended.outcome, ended.agent, ended.by) == ("served", "ana", "ana")


async def test_caller_who_hangs_up_frees_the_agent(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling, answering = await talk(house, customer, ana)
        await calling.hang_up()
        with trio.fail_after(WITHIN_S):
            await answering.ended.wait()
        assert (await house.event(ContactEnded)).by == "customer"


async def test_agent_ends_from_elsewhere_and_both_phones_are_free(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling, answering = await talk(house, customer, ana)
        await house.do(EndContact(contact=house.only().id, by="ana"))
        with trio.fail_after(WITHIN_S):
            await calling.ended.wait()
            await answering.ended.wait()


async def test_caller_who_gives_up_stops_the_ringing(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling = await customer.call("sales")
        ringing = await ana.rings()
        await calling.hang_up()
        with trio.fail_after(WITHIN_S):
            await ringing.ended.wait()
        assert ringing.status == 487
        assert (await house.event(ContactEnded)).outcome == "abandoned"


async def test_busy_rejected_and_unanswered_are_told_apart(asterisk: Asterisk) -> None:
    async with open_house(asterisk, sales={"ask_again_s": 60}) as house:
        customer = await house.customer()
        ana, bea, carl = [await house.phone(name) for name in ("ana", "bea", "carl")]
        calling = await customer.call("sales")
        await (await ana.rings()).refuse(486)
        refusing = await bea.rings()
        # Only from the next offer on: whoever is to refuse has all the time that a busy machine takes.
        config = house.switchboard.configuration().engine
        sales = msgspec.structs.replace(config.queues["sales"], offer_s=4.0)
        changed = msgspec.structs.replace(config, queues={**config.queues, "sales": sales})
        await house.do(ApplyConfiguration(config=changed))
        await refusing.refuse(603)
        ringing = await carl.rings()
        with trio.fail_after(WITHIN_S):
            await ringing.ended.wait()
        answers = [record.command for record in house.records if isinstance(record.command, AnswerOffer)]
        assert [(one.agent, one.accept, one.reason) for one in answers] == [
            ("ana", False, "busy"),
            ("bea", False, "rejected"),
        ]
        await calling.hang_up()
