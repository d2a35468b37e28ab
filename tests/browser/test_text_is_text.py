"""Whatever anybody can write anywhere is shown as what it says: no page runs it, loads it or takes it for markup.

One payload, in every field that a customer, an agent, a supervisor or the operator can set, looked at on the widget,
the desk and the wall board. Each page's console is watched too: a script that the content policy stopped would be
a complaint, and fail the test as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Page, expect

from centralita.config import decode
from centralita.messages import (
    AnswerOffer,
    Attachment,
    Customer,
    EndContact,
    FinishWrapUp,
    IdentifyContact,
    NoteContact,
    PostMessage,
    RateContact,
    RequestCallback,
    Target,
    TransferContact,
)
from centralita.runner.thread import EngineThread
from tests.console import browsing
from tests.console.browsing import Open, board, comes_true, desk, take
from tests.console.house import PATIENCE_S, House, LinePlugin, configuration

pytestmark = pytest.mark.browser
browser, pages = browsing.browser, browsing.pages


def evil(place: str) -> str:
    """The payload, telling where it came from when it runs."""
    return (
        f"""{place}"'><img src=x onerror="window.hurt='{place}'"><svg onload=window.hurt='{place}'>"""
        f"""<script>window.hurt='{place}'</script>${{window.hurt=1}}{{{{7*7}}}}"""
    )


URL: Final = "javascript:window.hurt='url'"


def hostile(folder: Path) -> dict[str, Any]:
    """A company whose operator's words are all hostile: titles, dispositions, reasons, ready-made texts."""
    made = configuration(folder)
    made["domain"]["name"] = evil("domain")[:200]
    made["dispositions"] = ["resolved", evil("disposition")]
    made["break_reasons"] = ["lunch", evil("reason")]
    for name, queue in made["queues"].items():
        queue["title"] = evil(f"queue-{name}")
    for name, agent in made["agents"].items():
        agent["title"] = evil(f"agent-{name}")
    made["channels"]["shop"] |= {"title": evil("title")[:80], "greeting": {"en": evil("greeting")}}
    made["routes"]["console"]["quick_texts"] = [
        {"key": "hello", "title": evil("quick")[:80], "text": evil("quick-text") + " {customer}"}
    ]
    return made


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = decode(hostile(tmp_path), folder=tmp_path)
    with EngineThread(settings, plugins=[LinePlugin()]) as engine:
        yield House(engine, tmp_path)


def unhurt(page: Page) -> None:
    """Nothing ran, and nothing became an element that could."""
    assert page.evaluate("window.hurt ?? null") is None
    found = page.evaluate(
        """() => [...document.querySelectorAll("*")].flatMap((one) => [
             ...(one.shadowRoot ? one.shadowRoot.querySelectorAll("*") : []), one])
           .filter((one) => one.hasAttribute("onerror") || one.hasAttribute("onload")
             || (one.getAttribute("src") ?? "") === "x"
             || /^\\s*javascript:/i.test(one.getAttribute("href") ?? "")
             || (one.localName === "script" && !one.src))
           .map((one) => one.outerHTML.slice(0, 200))"""
    )
    assert found == []


def shown(page: Page, *places: str) -> None:
    """Each place's payload stands on the page, as text."""
    for place in places:
        comes_true(
            page,
            """(text) => {
                const all = (root) => root.textContent + [...root.querySelectorAll("*")]
                    .map((one) => (one.shadowRoot ? all(one.shadowRoot) : "") + (one.value ?? "")).join(" ");
                return all(document.documentElement).includes(text);
            }""",
            f"{place}\"'><img src=x",
        )
    unhurt(page)


def test_widget_shows_everybodys_words_as_text(house: House, pages: Open) -> None:
    page = pages(f"{house.address}/chat/shop/")
    shown(page, "greeting")
    page.get_by_label("Name (optional)").fill(evil("name")[:100])
    page.get_by_role("textbox", name="Write a message…").fill(evil("customer"))
    page.keyboard.press("Enter")
    shown(page, "customer")
    ana = desk(pages, house, "ana")
    take(ana)
    shown(ana, "customer", "name")
    (view,) = house.engine.look(lambda switchboard: switchboard.contacts())
    picture = Attachment(id="none", name=evil("file") + ".png", media_type=evil("type"), bytes_n=5)
    for command in (
        PostMessage(contact=view.id, author="agent", author_id="ana", text=evil("agent")),
        PostMessage(contact=view.id, author="bot", author_id=evil("bot"), text=evil("bot-text")),
        PostMessage(contact=view.id, author="system", text=evil("system"), attachments=(picture,)),
    ):
        house.submit(command)
    shown(page, "agent", "bot-text", "system")
    shown(ana, "agent", "bot-text", "system")
    house.submit(EndContact(contact=view.id, by="ana", reason=evil("end")))
    expect(page.get_by_role("radio").first).to_be_attached()
    unhurt(page)
    unhurt(ana)


def test_desk_shows_everybodys_words_as_text(house: House, pages: Open) -> None:
    marta: dict[str, Any] = {
        "handle": "marta@example.org", "customer_name": evil("who"), "subject": evil("subject"), "to": evil("to"),
        "attributes": {evil("key"): evil("value")},
    }  # fmt: skip
    customer = Customer(id=evil("id"), name=evil("customer-name"), language="en", url=URL, crm=evil("crm"))
    page = desk(pages, house, "ana")
    first = house.admit(text=evil("before"), **marta)
    take(page)
    shown(page, "before", "who")
    house.submit(IdentifyContact(contact=first, customer=customer))
    house.submit(
        NoteContact(contact=first, agent="ana", notes=evil("notes"), disposition=evil("disposition"))
    )
    house.submit(EndContact(contact=first, by="ana", reason=evil("end")))
    house.submit(
        FinishWrapUp(contact=first, agent="ana", notes=evil("notes"), disposition=evil("disposition"))
    )
    house.submit(RateContact(contact=first, score=1, comment=evil("comment")))
    house.until(lambda: bool(house.history("marta@example.org")), "the CRM has recorded the contact")

    contact = house.admit(text=evil("again"), **marta)
    take(page)
    house.submit(IdentifyContact(contact=contact, customer=customer))
    shown(page, "again", "customer-name", "subject")
    page.keyboard.press("Alt+h")
    expect(page.locator(".past summary").first).to_be_visible()
    unhurt(page)
    for summary in page.locator(".past summary").all():
        summary.click()
    unhurt(page)
    page.locator("#composer").fill("/hello")
    shown(page, "quick")
    page.keyboard.press("Escape")
    page.locator("#composer").fill("")
    # What the dialogs list: colleagues and queues, dispositions, reasons.
    for key, dialogs_n in (("Alt+t", 1), ("Alt+i", 0), ("Alt+e", 1)):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_have_count(dialogs_n)
        unhurt(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    carla = desk(pages, house, "carla")
    house.submit(
        TransferContact(contact=contact, agent="ana", target=Target(agent="carla"), note=evil("note"))
    )
    take(carla)
    shown(carla, "again")
    unhurt(page)


def test_board_shows_everybodys_words_as_text(house: House, pages: Open) -> None:
    page = board(pages, house)
    shown(page, "queue-support", "queue-sales")
    ana = desk(pages, house, "ana")
    contact = house.admit(
        text=evil("waiting"), customer_name=evil("who"), subject=evil("subject"), handle=evil("handle")
    )
    expect(ana.locator(".offer").first).to_be_visible()
    other = house.admit(
        channel="phone",
        customer_name=evil("second"),
        subject=evil("second-subject"),
        handle=evil("second-handle"),
    )
    house.until_phase(other, "waiting")
    house.submit(RequestCallback(contact=other, handle=evil("callback")))
    page.get_by_role("button", name=re.compile("queue-support")).first.click()
    unhurt(page)
    shown(page, "agent-ana")
    view = house.contact(contact)
    assert view is not None
    if view.works:
        house.submit(
            AnswerOffer(
                contact=contact, agent="ana", offer=view.works[0].offer, accept=False, reason=evil("declined")
            )
        )
    unhurt(page)
    unhurt(ana)
    for name in ("who", "second"):
        page.locator(".waiter", has_text=f"{name}\"'>").click()
        expect(page.locator(".details:visible")).to_have_count(1)
        unhurt(page)
    page.get_by_role("tab", name="Agents").click()
    page.get_by_role("button", name=re.compile("Change the status of agent-ana")).click()
    expect(page.get_by_role("menu")).to_be_visible()
    shown(page, "agent-ana")


FILES: Final = {
    # (name, bytes): what each pretends to be, and is not.
    "html.txt": b"<!doctype html><script>window.hurt=1</script>",
    "svg.txt": b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.hurt=1'><script>hurt=1</script></svg>",
    "gif-js.gif": b"GIF89a/*" + bytes(8) + b"*/=1;window.hurt=1;//",
    "pdf-html.pdf": b"%PDF-1.7\n<script>window.hurt=1</script>",
    "jpeg-html.jpg": b"\xff\xd8\xff\xe0<html><script>window.hurt=1</script></html>",
    "png-html.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17) + b"<script>window.hurt=1</script>",
}


def test_file_of_two_natures_runs_nowhere(house: House, pages: Open) -> None:
    page = pages(f"{house.address}/chat/shop/")
    page.get_by_role("textbox", name="Write a message…").fill("hello")
    page.keyboard.press("Enter")
    expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
    session = page.evaluate(
        "Object.entries(localStorage).map(([key, value]) => value).find((value) => value.includes('secret'))"
    )
    assert session, "the widget keeps its session where the test looks for it"
    told = json.loads(session)
    addresses = []
    for name, content in FILES.items():
        sent = httpx.post(
            f"{house.address}/chat/shop/attachments",
            data={"session": told["session"], "secret": told["secret"]},
            files={"file": (name, content, "text/html")},
            trust_env=False,
            timeout=PATIENCE_S,
        )
        assert sent.status_code == 201, sent.text
        assert sent.json()["media_type"] in {
            "text/plain", "image/gif", "application/pdf", "image/jpeg", "image/png"
        }  # fmt: skip
        addresses.append(f"{house.address}/chat/shop/{sent.json()['url']}")
    for address in addresses:
        got = httpx.get(address, trust_env=False, timeout=PATIENCE_S)
        assert got.headers["content-disposition"].startswith("attachment;")
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in got.headers["content-security-policy"]
        assert "script-src" not in got.headers["content-security-policy"]
    unhurt(page)


def test_same_file_as_script_or_frame_of_our_own_origin_does_not_run(house: House, browser: Any) -> None:
    """A page of ours that was tricked into naming the file: the policy and the file's own type both stop it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{house.address}/chat/shop/")
    page.get_by_role("textbox", name="Write a message…").fill("hello")
    page.keyboard.press("Enter")
    expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
    told = page.evaluate("JSON.parse(Object.values(localStorage).find((value) => value.includes('secret')))")
    for name, content in FILES.items():
        sent = httpx.post(
            f"{house.address}/chat/shop/attachments",
            data={"session": told["session"], "secret": told["secret"]},
            files={"file": (name, content)},
            trust_env=False,
            timeout=PATIENCE_S,
        )
        address = f"{house.address}/chat/shop/{sent.json()['url']}"
        loaded = page.evaluate(
            """async (address) => {
                const loaded = [];
                for (const kind of ["script", "iframe", "object", "embed"]) {
                    const one = document.createElement(kind);
                    const over = new Promise((done) => {
                        one.onload = () => done(kind === "script");
                        one.onerror = () => done(false);
                        setTimeout(() => done(false), 500);
                    });
                    one[kind === "object" ? "data" : "src"] = address;
                    document.body.append(one);
                    if (await over) loaded.push(kind);
                    one.remove();
                }
                return loaded;
            }""",
            address,
        )
        assert loaded == [], name
        unhurt(page)
    context.close()
