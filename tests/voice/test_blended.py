"""One agent with a telephone and a screen: real calls and real web chats by capacity and the interrupt rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.asterisk_server import Asterisk
from tools.audio import MUSIC_HZ

import centralita_http
import centralita_webchat
from centralita.messages import AnswerOffer, ContactOffered, EndContact, PostMessage, SignIn
from tests.voice.house import CUSTOMER_HZ, House, open_house
from tests.webchat.house import Page, listening_port

WEB: dict[str, dict[str, Any]] = {
    "front_doors.http": {"type": "http", "port": 0},
    "channels.shop": {"type": "webchat", "queue": "support", "ask_who": False},
}
CALLS_INTERRUPT: dict[str, dict[str, Any]] = {
    "media.voice": {"units": 100, "max_per_agent": 1, "may_interrupt": ["chat", "email"]}
}


async def accept_chat(house: House, number: int) -> int:
    """Ana takes the n-th chat at her screen."""

    def offered() -> ContactOffered | None:
        views = [view.id for view in house.switchboard.contacts() if view.channel == "shop"]
        found = [event for event in house.events(ContactOffered, agent="ana") if event.contact in views]
        return found[number] if len(found) > number else None

    event = await house.until(offered)
    await house.do(AnswerOffer(contact=event.contact, agent="ana", offer=event.offer, accept=True))
    contact: int = event.contact
    await house.until(lambda: getattr(house.switchboard.contact(contact), "phase", "") == "connected")
    return contact


def phase(house: House, channel: str, place: int = 0) -> str:
    views = sorted(
        (view for view in house.switchboard.contacts() if view.channel == channel), key=lambda v: v.id
    )
    return views[place].phase if len(views) > place else ""


async def test_call_interrupts_a_chat_and_no_chat_a_call(asterisk: Asterisk, tmp_path: Path) -> None:
    plugins = [centralita_http, centralita_webchat]
    async with open_house(
        asterisk, plugins=plugins, also={**WEB, **CALLS_INTERRUPT}, folder=tmp_path
    ) as house:
        ana, customer = await house.phone("ana", sign_in=False), await house.customer()
        await house.do(SignIn(agent="ana"))
        port = await listening_port(tmp_path, house.switchboard)
        first, second = [Page(f"127.0.0.1:{port}/chat/shop") for _ in range(2)]
        async with first.open(), second.open():
            await first.send("a", "hello")
            chat = await accept_chat(house, 0)
            calling = await customer.call("sales")
            ringing = await ana.rings()
            await ringing.answer()
            await calling.hears(900)
            await ringing.hears(CUSTOMER_HZ)
            # On the telephone, she still writes; but nobody new comes by chat, and no second call.
            await house.do(PostMessage(contact=chat, author="agent", author_id="ana", text="one moment"))
            await first.wait_until(lambda: "one moment" in first.texts)
            await second.send("b", "anybody?")
            await house.until(lambda: phase(house, "shop", 1) in ("waiting", "offered"))
            waiting = await customer.call("sales")
            await waiting.hears(MUSIC_HZ)
            assert (phase(house, "shop", 1), phase(house, "phone", 1)) == ("waiting", "waiting")
            assert ana.talks.keys() == {ringing.call_id}
            await waiting.hang_up()
            await house.until(lambda: phase(house, "phone", 1) == "")
            await calling.hang_up()
            other = await accept_chat(house, 1)
            for contact in (chat, other):
                await house.do(EndContact(contact=contact, by="ana"))


async def test_chat_in_hand_keeps_calls_away_where_they_may_not_interrupt(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    plugins = [centralita_http, centralita_webchat]
    async with open_house(asterisk, plugins=plugins, also=WEB, folder=tmp_path) as house:
        ana, customer = await house.phone("ana", sign_in=False), await house.customer()
        await house.do(SignIn(agent="ana"))
        page = Page(f"127.0.0.1:{await listening_port(tmp_path, house.switchboard)}/chat/shop")
        async with page.open():
            await page.send("a", "hello")
            chat = await accept_chat(house, 0)
            calling = await customer.call("sales")
            await calling.hears(MUSIC_HZ)
            assert ana.talks == {}
            await house.do(EndContact(contact=chat, by="ana"))
            await (await ana.rings()).answer()
            await calling.hears(900)
            await calling.hang_up()
