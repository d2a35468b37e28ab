"""The menu bot on a telephone: the flow that serves a chat hears keys and plays recordings."""

from __future__ import annotations

from typing import Any

from tools.asterisk_server import Asterisk

import centralita_menu_bot
from centralita.messages import ContactEnded
from tests.voice.house import CUSTOMER_HZ, HZ, open_house

MENU: dict[str, Any] = {
    "bots.reception": {
        "type": "menu",
        "start": "main",
        "menus": {
            "main": {
                "say": "How can we help?",
                "spoken": "sound:queue-youarenext",
                "choices": [
                    {"key": "1", "label": "hours", "go": "hours"},
                    {"key": "2", "label": "an invoice", "go": "account"},
                ],
            }
        },
        "questions": {
            "account": {
                "say": "Your account number?",
                "attribute": "account",
                "accept": "digits",
                "length_min": 6,
                "length_max": 6,
                "go": "support",
            }
        },
        "answers": {"hours": {"say": "From 9 to 18.", "spoken": "sound:vm-goodbye"}},
        "hand_overs": {"support": {"queue": "support"}},
    }
}
PHONE = {"bot": "reception", "digits_pause_s": 20.0}


async def test_caller_who_presses_keys_is_led_to_an_agent_who_knows_them(asterisk: Asterisk) -> None:
    async with open_house(asterisk, plugins=[centralita_menu_bot], phone=PHONE, also=MENU) as house:
        customer, ana = await house.customer(), await house.phone("ana")
        calling = await customer.call("sales")
        await house.phase("self_service")
        await calling.press("2#")
        await house.until(lambda: any("account number" in one.text for one in messages(house)))
        for key in "123456#":
            await calling.press(key)
        ringing = await ana.rings()
        await ringing.answer()
        view = await house.phase("connected")
        assert (view.queue, view.attributes["account"], view.summary) == (
            "support",
            "123456",
            "an invoice; account: 123456",
        )
        await calling.hears(HZ["ana"])
        await ringing.hears(CUSTOMER_HZ)
        await calling.hang_up()


async def test_caller_whose_matter_the_menu_settles_is_let_go(asterisk: Asterisk) -> None:
    async with open_house(asterisk, plugins=[centralita_menu_bot], phone=PHONE, also=MENU) as house:
        customer = await house.customer()
        calling = await customer.call("sales")
        await house.phase("self_service")
        await calling.press("1#")
        ended = await house.event(ContactEnded)
        assert ended.outcome == "resolved_by_bot"


def messages(house: Any) -> Any:
    contacts = house.switchboard.contacts()
    view = house.switchboard.contact(contacts[0].id) if contacts else None
    return view.messages if view is not None else ()
