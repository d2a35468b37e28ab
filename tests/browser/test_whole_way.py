"""The whole way of a conversation, in real browsers before a daemon started as an operator starts it.

A customer's chat, two agents' desks and the wall board; every step leaves a screenshot for people to look at.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Locator, Page, expect

from tests.cli.daemon import Daemon, running
from tests.console import browsing
from tests.console.browsing import WALL, Open, take, write
from tests.console.house import PATIENCE_S

pytestmark = pytest.mark.browser
browser, pages = browsing.whole_browser, browsing.pages
shot = partial(browsing.shot, of="whole-way")

COMPANY = """
skills = ["english", "spanish"]
default_queue = "shop"
dispositions = ["sold", "solved", "informed"]

[domain]
name = "La Huerta"

[media.chat]
max_per_agent = 1

[queues.shop]
title = "Shop"
skills = { english = 4 }
offer_s = 60
wrap_up_s = 120
announce_every_s = 1
answer_target_s = 300

[queues.tienda]
title = "Tienda"
skills = { spanish = 4 }
offer_s = 60
wrap_up_s = 120
announce_every_s = 1
answer_target_s = 300

[agents.ana]
title = "Ana García"
skills = { english = 8, spanish = 10 }

[agents.carla]
title = "Carla Ruiz"
skills = { english = 6 }

[channels.shop]
type = "webchat"
queue = "shop"
title = "La Huerta"

[channels.tienda]
type = "webchat"
queue = "tienda"
title = "La Huerta"
language = "es"

[crms.customers]
type = "crm_sqlite"

[desks.console]
type = "websocket"

[routes.console]
type = "console"

[front_doors.http]
type = "http"
"""


class Company:
    """The running daemon, and the pages people open at it."""

    def __init__(self, daemon: Daemon, pages: Open) -> None:
        self._daemon = daemon
        self._pages = pages

    def customer(self, channel: str = "shop", **settings: Any) -> Page:
        return self._pages(f"{self._daemon.url}/chat/{channel}/", **settings)

    def desk(self, agent: str) -> Page:
        page = self._pages(f"{self._daemon.url}/console/#token={self._token('agent', agent)}")
        expect(page.locator(".desk")).to_be_visible()
        return page

    def board(self) -> Page:
        page = self._pages(f"{self._daemon.url}/board/#token={self._token('supervisor')}", size=WALL)
        expect(page.locator(".wall")).to_be_visible()
        return page

    def figures(self) -> Any:
        """The figures, once they know all that has happened: they follow the journal by themselves."""
        headers = {"authorization": f"Bearer {self._daemon.token}"}
        with httpx.Client(
            base_url=self._daemon.url, headers=headers, timeout=PATIENCE_S, trust_env=False
        ) as client:
            so_far = client.get("/api/status").json()["durable_seq"]
            ends_at = time.monotonic() + PATIENCE_S
            while (figures := client.get("/api/figures").json())["seq"] < so_far:
                assert time.monotonic() < ends_at, "the figures stay behind"
            return figures

    def _token(self, role: str, agent: str = "") -> str:
        made = self._daemon.post("/api/tokens", {"name": f"{role} {agent}", "role": role, "agent": agent})
        return str(made["token"])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    (tmp_path / "centralita.toml").write_text(COMPANY, encoding="utf-8")
    with running(tmp_path) as started:
        yield started


@pytest.fixture
def company(daemon: Daemon, pages: Open) -> Company:
    """In this order: the pages close before the daemon goes from under them."""
    return Company(daemon, pages)


def say(page: Page, text: str, *, box: str = "Write a message…") -> None:
    """The customer writes."""
    page.get_by_role("textbox", name=box).fill(text)
    page.keyboard.press("Enter")


def row(board: Page, queue: str) -> Locator:
    """A queue's line on the wall."""
    return board.locator("table.queues tbody tr", has=board.get_by_role("button", name=queue, exact=True))


def wrap_up(desk: Page, disposition: str, notes: str) -> None:
    """Choose a disposition, write notes, be done."""
    expect(desk.locator(".wrap")).to_be_visible()
    desk.get_by_role("radio", name=disposition).click()
    desk.locator("#wrap-notes").fill(notes)


def picture(width: int = 640, height: int = 360) -> bytes:
    """A customer's screenshot: a PNG with an order form of sorts, so that one sees that it was drawn."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def pixel(x: int, y: int) -> bytes:
        if y < 40:
            return b"\x2f\x5d\x50"
        return b"\xd9\x53\x4f" if 60 < x < 580 and 150 < y < 210 else b"\xf4\xf1\xea"

    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_customer_waits_talks_to_two_agents_and_rates(company: Company) -> None:
    board = company.board()
    marta = company.customer()
    shot(marta, "01-customer-welcome")
    marta.get_by_label("Name (optional)").fill("Marta Iglesias")
    marta.get_by_label("E-mail (optional)").fill("marta@example.org")
    say(marta, "Hello! My order form shows an error.")
    expect(marta.locator(".status")).to_contain_text("Looking for somebody for you")
    expect(row(board, "Shop").locator(".c-waiting")).to_have_text("1")
    expect(board.locator(".alarm")).to_contain_text("Shop: 1 waiting and nobody signed in")
    shot(marta, "02-customer-waits-nobody-there")
    shot(board, "03-board-one-waits")

    ana = company.desk("ana")
    expect(ana.locator(".offer")).to_contain_text("Marta Iglesias")
    shot(ana, "04-ana-is-offered")
    take(ana)
    expect(marta.locator(".status")).to_contain_text("You are talking with Ana García")
    tom = company.customer(dark=True)
    say(tom, "Is anybody there?")
    expect(tom.locator(".status")).to_contain_text("You are next in line")
    shot(tom, "05-second-customer-sees-the-place")

    write(ana, "Good morning, Marta. Could you show me?")
    expect(marta.locator(".log")).to_contain_text("Could you show me?")
    marta.locator("input[type=file]").set_input_files(
        {"name": "order-form.png", "mimeType": "image/png", "buffer": picture()}
    )
    expect(marta.locator(".chip:not(.busy)")).to_have_count(1)
    say(marta, "Here is a screenshot.")
    expect(ana.locator(".picture img")).to_have_js_property("naturalWidth", 640)
    expect(ana.locator(".message.theirs").last).to_contain_text("Here is a screenshot.")
    shot(marta, "06-customer-sent-a-screenshot")
    shot(ana, "07-ana-sees-the-screenshot")

    # The colleague: asked first, with the customer's words before her; Tom, who waits, is hers as well.
    carla = company.desk("carla")
    take(carla)
    expect(carla.locator(".transcript")).to_contain_text("Is anybody there?")
    write(carla, "Yes, Tom, I am. All is well?")
    expect(tom.locator(".log")).to_contain_text("All is well?")
    tom.get_by_role("button", name="End chat").click()
    tom.get_by_role("button", name="Yes, end it").click()
    wrap_up(carla, "Informed", "Only asked whether we are there.")
    carla.keyboard.press("Alt+w")
    expect(carla.locator(".empty")).to_be_visible()

    ana.keyboard.press("Alt+q")
    ana.get_by_role("option", name="Carla Ruiz").click()
    ana.get_by_role("dialog").locator("textarea").fill("Can you take this one?")
    shot(ana, "08-ana-asks-a-colleague")
    ana.get_by_role("dialog").get_by_role("button", name="Ask").click()
    take(carla)
    expect(carla.locator(".transcript")).to_contain_text("My order form shows an error.")
    expect(carla.locator(".transcript")).to_contain_text("Can you take this one?")
    expect(carla.locator(".picture img")).to_have_js_property("naturalWidth", 640)
    shot(carla, "09-carla-is-consulted")
    shot(ana, "10-ana-consults")
    ana.get_by_role("button", name="Hand over").click()
    wrap_up(ana, "Informed", "Carla knows the order form.")
    shot(ana, "11-ana-wraps-up")
    ana.keyboard.press("Alt+w")
    expect(ana.locator(".empty")).to_be_visible()

    expect(carla.locator(".head-facts")).to_have_text(re.compile("^Chat"))  # no consultation any more
    expect(carla.locator(".head-who")).to_have_text("Marta Iglesias")
    expect(carla.locator(".transcript")).to_contain_text("Could you show me?")
    expect(carla.locator(".picture img")).to_have_js_property("naturalWidth", 640)
    expect(marta.locator(".status")).to_contain_text("You are talking with Carla Ruiz")
    write(carla, "The form is mended now, please try again.")
    expect(marta.locator(".log")).to_contain_text("please try again")
    say(marta, "It works. Thank you!")
    expect(carla.locator(".message.theirs").last).to_contain_text("It works.")
    shot(carla, "12-carla-serves-with-the-history")
    carla.keyboard.press("Alt+e")
    carla.keyboard.press("Enter")
    expect(marta.get_by_role("form", name="How was it?")).to_be_visible()
    wrap_up(carla, "Solved", "Order form mended.")
    shot(carla, "13-carla-wraps-up")
    carla.keyboard.press("Alt+w")
    expect(carla.locator(".empty")).to_be_visible()

    expect(row(board, "Shop").locator(".c-waiting")).to_have_text("0")
    expect(row(board, "Shop").locator(".c-level .figure")).to_have_text("100 %")
    expect(board.get_by_role("region", name="Answered today", exact=True)).to_contain_text("of 2 offered")
    expect(board.locator(".person", has_text="Carla Ruiz")).to_contain_text("Available")
    shot(board, "14-board-has-counted")
    marta.get_by_role("radio", name="5 of 5").check(force=True)
    marta.get_by_label("Anything to add? (optional)").fill("Quick and kind.")
    shot(marta, "15-customer-rates")
    marta.get_by_role("button", name="Send rating").click()
    expect(marta.locator(".log")).to_contain_text("Thank you for your rating.")
    shot(marta, "16-customer-has-rated")

    figures = company.figures()
    assert figures["contacts"] == {"admitted": 2, "ended": 2, "live": 0}
    shop = figures["queues"]["shop"]
    assert (shop["served"], shop["service_level"], shop["transfers_consulted"]) == (2, 1.0, 1)
    assert (shop["csat_count"], shop["csat_mean"]) == (1, 5.0)


def test_blind_transfer_carries_the_conversation_to_a_colleague(company: Company) -> None:
    ana, carla = company.desk("ana"), company.desk("carla")
    carla.keyboard.press("Alt+s")
    carla.get_by_role("menuitemradio", name="Coffee").click()
    expect(carla.locator(".me-state")).to_have_text("Coffee")
    marta = company.customer()
    marta.get_by_label("Name (optional)").fill("Marta Iglesias")
    say(marta, "I would like to order lamps.")
    take(ana)
    write(ana, "Carla sells lamps, one moment.")
    expect(marta.locator(".log")).to_contain_text("one moment")
    carla.get_by_role("button", name="I'm back").click()
    expect(carla.locator(".me-state")).to_have_text("Available")
    ana.keyboard.press("Alt+t")
    option = ana.get_by_role("dialog").get_by_role("option", name="Carla Ruiz")
    expect(option).to_contain_text("Available")
    option.click()
    ana.get_by_role("dialog").locator("textarea").fill("Wants lamps")
    shot(ana, "21-ana-transfers")
    ana.get_by_role("dialog").get_by_role("button", name="Transfer").click()
    wrap_up(ana, "Informed", "")
    ana.keyboard.press("Alt+w")
    expect(carla.locator(".offer")).to_contain_text("Marta Iglesias")
    shot(carla, "22-carla-is-offered-the-transfer")
    take(carla)
    expect(carla.locator(".transcript")).to_contain_text("I would like to order lamps.")
    expect(carla.locator(".transcript")).to_contain_text("Carla sells lamps, one moment.")
    expect(carla.locator(".message.internal")).to_contain_text("Wants lamps")
    expect(marta.locator(".status")).to_contain_text("You are talking with Carla Ruiz")
    expect(marta.locator(".log")).not_to_contain_text("Wants lamps")
    write(carla, "Two lamps are on their way.")
    expect(marta.locator(".log")).to_contain_text("Two lamps")
    shot(carla, "23-carla-has-the-history")
    carla.keyboard.press("Alt+e")
    carla.keyboard.press("Enter")
    wrap_up(carla, "Sold", "Two lamps")
    carla.keyboard.press("Alt+w")
    expect(carla.locator(".empty")).to_be_visible()
    shop = company.figures()["queues"]["shop"]
    assert (shop["served"], shop["transfers_blind"], shop["answered"]) == (1, 1, 2)


def test_customer_in_spanish_on_a_telephone(company: Company) -> None:
    luis = company.customer("tienda", size={"width": 390, "height": 780}, language="es-ES")
    box = "Escriba un mensaje…"
    say(luis, "Hola, ¿a qué hora abren?", box=box)
    expect(luis.locator(".status")).to_contain_text("Estamos buscando a alguien para usted")
    shot(luis, "31-spanish-customer-waits")
    ana = company.desk("ana")
    take(ana)
    expect(luis.locator(".status")).to_contain_text("Está hablando con Ana García")
    eva = company.customer("tienda", language="es-ES")
    say(eva, "Buenos días", box=box)
    expect(eva.locator(".status")).to_contain_text("Es la siguiente persona en la cola")
    shot(eva, "32-spanish-customer-sees-the-place")
    write(ana, "Abrimos a las nueve. ¿Algo más?")
    expect(luis.locator(".log")).to_contain_text("Abrimos a las nueve.")
    shot(luis, "33-spanish-customer-talks")
    luis.get_by_role("button", name="Terminar").click()
    luis.get_by_role("button", name="Sí, terminar").click()
    expect(luis.get_by_role("form", name="¿Qué tal ha ido?")).to_be_visible()
    luis.get_by_role("radio", name="4 de 5").check(force=True)
    shot(luis, "34-spanish-customer-rates")
    luis.get_by_role("button", name="Enviar valoración").click()
    expect(luis.locator(".log")).to_contain_text("Gracias por su valoración.")
    wrap_up(ana, "Informed", "")
    ana.keyboard.press("Alt+w")
    expect(ana.locator(".offer")).to_contain_text(re.compile("Buenos días|Tienda"))
