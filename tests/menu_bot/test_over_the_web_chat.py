"""The menu bot in a running company: a customer at the real web chat, and the agent who takes over."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from centralita import open_engine
from centralita.messages import ApplyConfiguration
from centralita.protocols import Switchboard
from tests.menu_bot.flows import SHOWN
from tests.webchat.house import House, Page, listening_port

COMPANY = """
[domain]
data = "{data}"
[agents.ana]
skills = {{ sales = 5, billing = 5, spanish = 8 }}
[agents.ben]
skills = {{ sales = 5, billing = 5 }}
[front_doors.http]
type = "http"
port = 0
"""


def company(folder: Path) -> dict[str, Any]:
    return tomllib.loads(
        SHOWN.replace("[channels.shop]", "[channels.shop_chat]") + COMPANY.format(data=folder)
    )


async def house_of(folder: Path, switchboard: Switchboard) -> House:
    return House(switchboard, await listening_port(folder, switchboard))


async def hear(page: Page, *texts: str) -> None:
    """Wait for the bot's words, in order."""
    for text in texts:
        frame = await page.wait_for("message", author="bot")
        assert frame["text"].startswith(text), frame["text"]


async def test_customer_is_led_to_an_agent_who_knows_what_was_said(tmp_path: Path) -> None:
    async with open_engine(company(tmp_path)) as switchboard:
        house = await house_of(tmp_path, switchboard)
        await house.sign_in("ana")
        async with Page(house.base).open(language="es") as page:
            await page.send("m1", "¡Hola!")
            await hear(page, "Bienvenido a Lumen.", "¿En qué podemos ayudarle?")
            await page.send("m2", "Tengo una pregunta sobre una FACTURA")
            await hear(page, "Su número de cliente")
            await page.send("m3", "12 34")
            await hear(page, "El número de cliente tiene seis cifras.", "Su número")
            await page.send("m4", "12 34 56")
            await hear(page, "Gracias. Un compañero mirará la cuenta 123456.")
            contact = await house.accept()
            view = switchboard.contact(contact)
            assert view is not None
            assert (view.agent, view.queue, view.priority) == ("ana", "billing", 1)
            assert view.skills == {"billing": 3, "spanish": 4}
            assert view.attributes["account"] == "123456"
            assert view.summary == "an invoice; account: 123456"
            await house.say(contact, "Hola, soy Ana", agent="ana")
            assert (await page.wait_for("message", author="agent"))["text"] == "Hola, soy Ana"


async def test_matter_that_the_bot_settles_reaches_no_agent(tmp_path: Path) -> None:
    async with open_engine(company(tmp_path)) as switchboard:
        house = await house_of(tmp_path, switchboard)
        await house.sign_in("ben")
        async with Page(house.base).open(language="en") as page:
            await page.send("m1", "When do you open?")
            await hear(page, "Welcome to Lumen.", "We are open from 9 to 18.", "Is there anything else?")
            await page.send("m2", "No, thanks")
            await hear(page, "Goodbye!")
            ended = await page.wait_for("ended")
            assert ended["outcome"] == "resolved_by_bot"


async def test_conversation_with_the_bot_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with open_engine(company(tmp_path)) as switchboard:
        house = await house_of(tmp_path, switchboard)
        page = Page(house.base)
        async with page.open(language="en") as first:
            await first.send("m1", "hello")
            await hear(first, "Welcome", "How can we help?")
            await first.send("m2", "2")
            await hear(first, "Your account number")
    async with open_engine(company(tmp_path)) as switchboard:
        house = await house_of(tmp_path, switchboard)
        page.base = house.base
        async with page.open(language="en") as second:
            await second.send("m3", "654321")
            await hear(second, "Thank you. A colleague will look at account 654321.")
            (contact,) = await house.contact_in("waiting")
            view = switchboard.contact(contact)
            assert view is not None
            assert view.attributes["account"] == "654321"
            assert [text for text in page.texts if text.startswith("Your account")] == [
                "Your account number, please: six digits."
            ]


async def test_customer_who_says_nothing_is_handed_to_a_person_in_time(tmp_path: Path) -> None:
    raw = company(tmp_path)
    raw["limits"] = {"bot_turn_s": 0.5}
    async with open_engine(raw) as switchboard:
        house = await house_of(tmp_path, switchboard)
        async with Page(house.base).open(language="en") as page:
            await page.send("m1", "hello")
            (contact,) = await house.contact_in("waiting")
            view = switchboard.contact(contact)
            assert view is not None
            assert (view.queue, view.attributes.get("account")) == ("sales", None)


async def test_configuration_that_takes_away_a_queue_of_the_menus_is_refused(tmp_path: Path) -> None:
    async with open_engine(company(tmp_path)) as switchboard:
        running = switchboard.configuration().engine
        queues = {
            ("invoices" if name == "billing" else name): rules for name, rules in running.queues.items()
        }
        outcome = await switchboard.submit(ApplyConfiguration(config=replace(running, queues=queues)))
        assert outcome.refusal is not None
        assert outcome.refusal.message == (
            "bots.reception.hand_overs.billing.queue was 'billing'; known: invoices, sales"
        )
        assert switchboard.configuration().engine == running
