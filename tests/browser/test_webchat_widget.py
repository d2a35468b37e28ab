"""The widget in a real Chromium, against the real engine: what a customer sees, does, and can't be made to run."""

from __future__ import annotations

import http.server
import json
import re
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from centralita.messages import (
    AnswerOffer,
    AnyCommand,
    EndContact,
    HoldContact,
    PostMessage,
    ResumeContact,
    SignIn,
)
from centralita.protocols import Signal
from centralita.runner.thread import EngineThread
from tests.console import browsing
from tests.console.browsing import RECONNECT_S, Open, comes_true
from tests.ports import held_port
from tests.webchat.house import PATIENCE_S, configuration

pytestmark = pytest.mark.browser

browser, pages = browsing.browser, browsing.pages
shot = partial(browsing.shot, of="webchat")
PHONE = {"width": 390, "height": 780}
MALICE = (
    """<img src=x onerror="window.hurt=1"><script>window.hurt=1</script></p>"'`${1} javascript:alert(1)"""
)


class Company:
    """A company in a thread, driven from the test: one agent, Ana, and her queue."""

    def __init__(self, engine: EngineThread, port: int) -> None:
        self.engine = engine
        self.origin = f"http://127.0.0.1:{port}"
        self.address = f"{self.origin}/chat/shop_chat"

    def do(self, command: AnyCommand) -> None:
        refusal = self.engine.submit(command).refusal
        assert refusal is None, refusal

    def until(self, holds: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (result := holds()):
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.02)
        return result

    def look(self) -> Any:
        """The one live contact, with its messages."""
        live = self.engine.look(lambda board: [board.contact(view.id) for view in board.contacts()])
        return live[0] if live else None

    def accept(self) -> int:
        """Ana comes and takes the contact, and is connected: the customer's page hears of it a moment sooner."""
        self.do(SignIn(agent="ana"))
        view = self.until(lambda: (v := self.look()) and v.phase == "offered" and v)
        self.do(AnswerOffer(contact=view.id, agent="ana", offer=view.works[0].offer, accept=True))
        self.until(lambda: self.look().phase == "connected")
        return int(view.id)

    def say(self, contact: int, text: str, **fields: Any) -> None:
        self.do(PostMessage(contact=contact, author="agent", author_id="ana", text=text, **fields))

    def said(self) -> list[str]:
        return [message.text for message in self.look().messages]


@contextmanager
def open_company(folder: Path, *, port: int = 0, **settings: Any) -> Iterator[Company]:
    with EngineThread(configuration(folder, port=port, **settings)) as engine:
        deadline = time.monotonic() + PATIENCE_S
        while not engine.look(lambda board: all(one.state == "up" for one in board.components())):
            assert time.monotonic() < deadline, "it does not start"
            time.sleep(0.02)
        (path,) = folder.rglob("http.port")
        yield Company(engine, int(path.read_text(encoding="ascii")))


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with open_company(tmp_path, title="La Huerta", queue={"announce_every_s": 1}) as running:
        yield running


def carried(page: Page, holds: Callable[[], Any]) -> Callable[[], Any]:
    """`holds`, looked at when Playwright has carried what is on its way."""

    def look() -> Any:
        page.wait_for_timeout(20)
        return holds()

    return look


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Write a message…").fill(text)
    page.keyboard.press("Enter")


def png(width: int = 320, height: int = 200) -> bytes:
    """A picture of a gradient, so that a screenshot shows it was drawn."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + b"".join(bytes((60 + x * 150 // width, 120, 60 + y * 150 // height)) for x in range(width))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_customer_waits_talks_ends_and_rates(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/")
    expect(page.get_by_role("dialog", name="La Huerta")).to_be_visible()
    expect(page).to_have_title("La Huerta")
    shot(page, "welcome-light-en")
    page.get_by_label("Name (optional)").fill("Eva Ruiz")
    company.do(SignIn(agent="berta", status="break"))
    write(page, "Where is my order? See https://shop.example/orders/77.")
    expect(page.locator(".status")).to_contain_text("You are next in line")
    shot(page, "waiting-light-en")
    contact = company.accept()
    expect(page.locator(".status")).to_contain_text("You are talking with Ana")
    assert company.look().customer_name == "Eva Ruiz"
    company.say(contact, "Hello Eva, I am looking at it.")
    expect(page.locator(".log")).to_contain_text("I am looking at it")

    def types() -> bool:
        # As one who goes on typing: the sign of it fades.
        company.engine.look(lambda board: board.signal(Signal(kind="typing", contact=contact, by="ana")))
        return page.locator(".dots").is_visible()

    company.until(types)
    shot(page, "connected-light-en")
    company.say(contact, "It left today and should be with you tomorrow before noon.")
    expect(page.locator(".dots")).to_have_count(0)
    expect(page.locator(".bubble a")).to_have_attribute("href", "https://shop.example/orders/77")
    company.do(HoldContact(contact=contact, agent="ana"))
    expect(page.locator(".status")).to_contain_text("One moment please")
    company.do(ResumeContact(contact=contact, agent="ana"))
    write(page, "Thank you!")
    company.until(lambda: company.said()[-1] == "Thank you!")
    company.do(EndContact(contact=contact, by="ana"))
    expect(page.get_by_role("form", name="How was it?")).to_be_visible()
    page.get_by_role("radio", name="4 of 5").check(force=True)
    shot(page, "rating-light-en")
    page.get_by_role("button", name="Send rating").click()
    expect(page.locator(".log")).to_contain_text("Thank you for your rating.")
    page.reload()
    expect(page.locator(".bubble")).to_have_count(5)
    expect(page.get_by_role("form")).to_have_count(0)
    write(page, "One more thing")
    company.until(lambda: company.look() is not None and company.look().id != contact)


def test_customer_in_spanish_and_dark_sends_a_picture_and_gets_one(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/?lang=es", dark=True, language="es-ES")
    page.get_by_role("textbox", name="Escriba un mensaje…").fill("Hola, no me llega el pedido")
    page.locator("input[type=file]").set_input_files(
        {"name": "Pantallazo.png", "mimeType": "image/png", "buffer": png()}
    )
    expect(page.locator(".chip:not(.busy)")).to_have_count(1)
    shot(page, "tray-dark-es")
    page.keyboard.press("Enter")
    expect(page.locator(".message.mine:not(.waits) .picture img")).to_have_js_property("naturalWidth", 320)
    contact = company.accept()
    expect(page.locator(".status")).to_contain_text("Está hablando con Ana")
    company.say(contact, "Gracias, ya lo veo. Un momento, por favor.")
    expect(page.locator(".log")).to_contain_text("Gracias, ya lo veo.")
    shot(page, "connected-dark-es")
    page.get_by_role("button", name="Terminar").click()
    page.get_by_role("button", name="Sí, terminar").click()
    expect(page.get_by_role("form", name="¿Qué tal ha ido?")).to_be_visible()
    shot(page, "rating-dark-es")


def test_waiting_customer_on_a_phone_asks_for_a_callback(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/", size=PHONE)
    write(page, "Hello?")
    page.get_by_role("button", name="Call me back").click()
    page.get_by_label("Telephone or e-mail").fill("12")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="Please write")).to_be_visible()
    page.get_by_label("Telephone or e-mail").fill("+34 600 111 222")
    shot(page, "callback-phone-light-en")
    page.keyboard.press("Enter")
    expect(page.locator(".status")).to_contain_text("We will get back to you")
    assert company.look().callback_handle == "+34 600 111 222"
    shot(page, "callback-asked-phone-light-en")


def test_what_anybody_writes_is_shown_as_written_and_runs_nowhere(company: Company, pages: Open) -> None:
    company.do(SignIn(agent="berta", status="break"))
    page = pages(f"{company.address}/")
    page.get_by_label("Name (optional)").fill(MALICE[:100])
    write(page, MALICE)
    contact = company.accept()
    company.say(contact, MALICE)
    expect(page.locator(".message:not(.mine) .bubble", has_text="onerror")).to_have_text(MALICE)
    expect(page.locator(".message.mine .bubble")).to_have_text(MALICE)
    assert page.evaluate("window.hurt") is None
    assert page.locator(".bubble img, .bubble script, .bubble a").count() == 0


def test_line_that_breaks_is_shown_and_resumed_without_loss(tmp_path: Path, pages: Open) -> None:
    with held_port() as port:
        with open_company(tmp_path, port=port) as company:
            page = pages(f"{company.address}/", allow=("WebSocket", "ERR_"))
            write(page, "first")
            expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
        expect(page.locator(".status")).to_contain_text("No connection")
        write(page, "said while away")
        expect(page.locator(".message.waits")).to_have_count(1)
        shot(page, "offline-light-en")
        with open_company(tmp_path, port=port) as company:
            expect(page.locator(".message.waits")).to_have_count(0, timeout=RECONNECT_S * 1000)
            assert company.said() == ["first", "said while away"]
            expect(page.locator(".message.mine .bubble")).to_have_text(["first", "said while away"])


def test_page_acknowledges_again_after_a_line_that_broke_before_it_could(
    company: Company, pages: Open
) -> None:
    page = pages("about:blank")
    acknowledged: list[int] = []
    breaks = True

    def carry(to: WebSocketRoute, frame: str | bytes) -> None:
        nonlocal breaks
        to.send(frame)
        if breaks and json.loads(frame)["type"] == "message":
            breaks = False
            to.close(code=1012)

    def heard(server: WebSocketRoute, frame: str | bytes) -> None:
        said = json.loads(frame)
        if said["type"] == "ack" and not breaks:
            acknowledged.append(said["sequence"])
        server.send(frame)

    def opened(line: WebSocketRoute) -> None:
        server = line.connect_to_server()
        server.on_message(partial(carry, line))
        line.on_message(partial(heard, server))

    page.route_web_socket(re.compile("/ws$"), opened)
    page.goto(f"{company.address}/")
    write(page, "first")
    expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
    contact = company.accept()
    company.say(contact, "Good morning")
    expect(page.locator(".log")).to_contain_text("Good morning", timeout=RECONNECT_S * 1000)

    def knows() -> bool:
        page.wait_for_timeout(20)  # lets Playwright carry frames
        return not breaks and 2 in acknowledged

    company.until(knows)


class Breaking:
    """A widget's WebSocket that breaks instead of carrying the first frame of a type, either way."""

    def __init__(self, page: Page) -> None:
        self.at = ""
        self.dead = False
        """It carries nothing, and does not say so."""
        self.opened = 0
        self.said: list[str] = []
        page.route_web_socket(re.compile("/ws$"), self._open)

    def breaks(self) -> None:
        """Break now."""
        self._page.close(code=1012)

    def _open(self, page: WebSocketRoute) -> None:
        self._page = page
        self.opened += 1
        server = page.connect_to_server()
        server.on_message(partial(self._carry, page.send))
        page.on_message(partial(self._carry, server.send))

    def _carry(self, send: Callable[[str | bytes], None], frame: str | bytes) -> None:
        kind = json.loads(frame)["type"]
        self.said.append(kind)
        if kind == self.at:
            self.at = ""
            self.breaks()
        elif not self.dead:
            send(frame)


@pytest.fixture
def broken(pages: Open) -> tuple[Page, Breaking]:
    page = pages("about:blank", allow=("WebSocket",))
    return page, Breaking(page)


def test_wish_that_a_breaking_line_swallowed_stays_before_the_customer(
    company: Company, broken: tuple[Page, Breaking]
) -> None:
    page, line = broken
    page.goto(f"{company.address}/")
    write(page, "Hello?")
    page.get_by_role("button", name="Call me back").click()
    handle = page.get_by_label("Telephone or e-mail")
    handle.fill("+34 600 111 222")
    line.at = "callback"
    page.keyboard.press("Enter")
    company.until(carried(page, lambda: line.opened == 2))
    expect(handle).to_have_value("+34 600 111 222")
    expect(page.get_by_role("button", name="End chat")).to_be_visible()
    handle.press("Enter")
    expect(page.locator(".status")).to_contain_text("We will get back to you")
    expect(handle).to_have_count(0)
    assert company.look().callback_handle == "+34 600 111 222"
    page.get_by_role("button", name="End chat").click()
    line.at = "end"
    page.get_by_role("button", name="Yes, end it").click()
    company.until(carried(page, lambda: line.opened == 3))
    expect(page.get_by_role("button", name="End chat")).to_be_visible()
    page.get_by_role("button", name="Yes, end it").click()
    expect(page.locator(".log")).to_contain_text("The conversation has ended.")
    expect(page.get_by_role("form")).to_have_count(0)


def test_rating_being_written_outlives_a_line_that_breaks(
    company: Company, broken: tuple[Page, Breaking]
) -> None:
    page, line = broken
    page.goto(f"{company.address}/")
    write(page, "Hello?")
    expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
    contact = company.accept()
    expect(page.locator(".status")).to_contain_text("You are talking with Ana")
    company.do(EndContact(contact=contact, by="ana"))
    page.get_by_role("radio", name="4 of 5").check(force=True)
    comment = page.get_by_label("Anything to add? (optional)")
    comment.press_sequentially("Quick and")
    told = line.said.count("ended")
    line.breaks()
    company.until(carried(page, lambda: line.said.count("ended") > told))
    page.keyboard.type(" kind")
    expect(comment).to_have_value("Quick and kind")
    expect(page.get_by_role("radio", name="4 of 5")).to_be_checked()
    line.at = "rate"
    comment.press("Enter")
    company.until(carried(page, lambda: line.opened == 3))
    expect(page.locator(".status")).to_be_hidden()
    expect(comment).to_have_value("Quick and kind")
    comment.press("Enter")
    expect(page.locator(".log")).to_contain_text("Thank you for your rating.")
    expect(page.get_by_role("form")).to_have_count(0)


def test_timer_that_comes_late_breaks_no_line_that_lives(
    company: Company, broken: tuple[Page, Breaking]
) -> None:
    page, line = broken
    page.clock.install()
    page.goto(f"{company.address}/")
    write(page, "Hello?")
    expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)

    def answered(n: int) -> bool:
        page.wait_for_timeout(20)  # lets Playwright carry frames
        return line.said.count("pong") >= n

    for n in range(1, 4):  # as in a window that nobody sees, where timers come once a minute
        page.clock.fast_forward(61_000)
        company.until(partial(answered, n))
    assert line.opened == 1
    line.dead = True
    page.clock.fast_forward(61_000)
    page.clock.run_for(20_000)
    company.until(carried(page, lambda: line.opened == 2))


def test_who_types_is_told_once_however_often_it_is_signalled(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/")
    write(page, "Hello?")
    contact = company.accept()
    signal = Signal(kind="typing", contact=contact, by="ana")

    def types() -> bool:
        company.engine.look(lambda board: board.signal(signal))
        return page.locator(".dots").is_visible()

    expect(page.locator(".status")).to_contain_text("You are talking with Ana")
    company.until(types)
    page.evaluate("""() => {
        window.told = 0;
        const log = document.querySelector("[id^=centralita-]").shadowRoot.querySelector(".log");
        const tell = (node) => node.querySelector?.(".dots") && window.told++;
        new MutationObserver((changes) => changes.forEach((one) => one.addedNodes.forEach(tell)))
            .observe(log, { childList: true, subtree: true });
    }""")
    for _ in range(3):
        assert types()
    company.say(contact, "Good morning")
    expect(page.locator(".bubble").last).to_have_text("Good morning")
    assert page.evaluate("window.told") == 0


def test_file_that_could_not_be_sent_takes_the_keys_from_no_other_field(
    company: Company, pages: Open
) -> None:
    page = pages(f"{company.address}/", allow=("400",))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/attachments", hold)
    page.locator("input[type=file]").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": b"MZ is no picture"}
    )
    page.get_by_label("Name (optional)").press_sequentially("Eva")
    company.until(carried(page, lambda: held))
    held[0].continue_()
    expect(page.get_by_role("alert").filter(has_text="can't be sent")).to_be_visible()
    page.keyboard.type(" Ruiz")
    expect(page.get_by_label("Name (optional)")).to_have_value("Eva Ruiz")


def test_half_an_address_that_nobody_sees_any_more_holds_no_message_back(
    company: Company, pages: Open
) -> None:
    first = pages(f"{company.address}/")
    second = first.context.new_page()
    second.goto(f"{company.address}/")
    expect(first.locator(".status")).to_be_hidden()
    second.get_by_label("E-mail (optional)").fill("eva@")
    write(first, "from the first")
    expect(second.locator(".message.mine .bubble")).to_have_text(["from the first"])
    expect(second.get_by_label("E-mail (optional)")).to_be_hidden()
    write(second, "from the second")
    company.until(lambda: company.said() == ["from the first", "from the second"])


def test_unsent_message_outlives_a_reload(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/")
    write(page, "first")
    expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
    # The page keeps its own outbox when it hears that "first" was received; what we put there comes after.
    comes_true(page, "() => JSON.parse(localStorage[Object.keys(localStorage)[0]]).outbox.length === 0")
    page.evaluate("""() => { const key = Object.keys(localStorage)[0]; const kept = JSON.parse(localStorage[key]);
        kept.outbox.push({type: "message", message_id: "kept", text: "second", attachments: [], chat: 1});
        localStorage[key] = JSON.stringify(kept); }""")
    page.reload()
    expect(page.locator(".message.mine .bubble")).to_have_text(["first", "second"])
    company.until(lambda: company.said() == ["first", "second"])


def test_keyboard_alone_opens_writes_and_closes(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/")
    page.locator(".panel").wait_for()
    page.get_by_role("button", name="Close the chat").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Open the chat")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Write a message…")).to_be_focused()
    page.keyboard.type("typed")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two lines")
    page.keyboard.press("Enter")
    expect(page.locator(".message.mine .bubble")).to_have_text("typed\ntwo lines")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    contact = company.accept()
    company.say(contact, "Are you there?")
    expect(page.locator(".badge")).to_have_text("2")
    expect(page.get_by_role("button", name="Open the chat (2 new messages)")).to_be_visible()
    shot(page, "closed-unread-light-en")


def test_file_that_is_not_what_it_says_is_refused_in_words(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/", allow=("400",))
    page.locator("input[type=file]").set_input_files(
        {"name": "holiday.png", "mimeType": "image/png", "buffer": b"MZ\x90\x00 not a picture \x00\x01"}
    )
    expect(page.get_by_role("alert")).to_have_text("This type of file can't be sent.")
    expect(page.locator(".chip")).to_have_count(0)


def test_files_are_dropped_and_pasted(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/")
    transfer = page.evaluate_handle(
        """(bytes) => { const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "shot.png", {type: "image/png"})); return data; }""",
        list(png(20, 20)),
    )
    page.dispatch_event(".panel", "dragover", {"dataTransfer": transfer})
    expect(page.locator(".drop")).to_be_visible()
    page.dispatch_event(".panel", "drop", {"dataTransfer": transfer})
    expect(page.locator(".chip:not(.busy)")).to_have_count(1)
    page.locator("textarea").evaluate(
        "(box, data) => box.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true}))",
        transfer,
    )
    expect(page.locator(".chip:not(.busy)")).to_have_count(2)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a line on the terminal for each request."""

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def open_shop(folder: Path) -> Iterator[str]:
    """Somebody else's web site: what is in a folder, at an origin of its own."""
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def open_company_in_a_shop(tmp_path: Path, page: str, **settings: Any) -> Iterator[tuple[Company, str]]:
    """A company whose chat is on a page of another origin; `page` is its HTML, without the script tag."""
    with (
        open_shop(tmp_path / "shop") as shop,
        open_company(tmp_path / "data", origins=[shop], **settings) as company,
    ):
        (tmp_path / "shop" / "index.html").write_text(
            f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
            <link rel="icon" href="data:,">{page}<script src="{company.address}/widget.js" defer></script>""",
            encoding="utf-8",
        )
        yield company, shop


def test_windows_of_one_customer_share_a_conversation(tmp_path: Path, pages: Open) -> None:
    with open_company_in_a_shop(tmp_path, "<h1>Shop</h1>") as (company, shop):
        first = pages(shop, allow=("WebSocket",))
        second = first.context.new_page()
        second.goto(shop)
        launcher = second.get_by_role("button", name="Open the chat")
        expect(launcher).to_be_visible()
        first.get_by_role("button", name="Open the chat").click()
        write(first, "from the first")
        expect(first.locator(".message.mine:not(.waits)")).to_have_count(1)
        launcher.click()
        expect(second.locator(".message.mine .bubble")).to_have_text(["from the first"])
        write(second, "from the second")
        company.until(lambda: company.said() == ["from the first", "from the second"])
        first.reload()
        first.get_by_role("button", name="Open the chat").click()
        expect(first.locator(".message.mine .bubble")).to_have_text(["from the first", "from the second"])


def test_what_was_read_is_not_new_on_the_next_page(tmp_path: Path, pages: Open) -> None:
    with open_company_in_a_shop(tmp_path, "<h1>Shop</h1>") as (company, shop):
        page = pages(shop, allow=("WebSocket",))
        page.get_by_role("button", name="Open the chat").click()
        write(page, "Hello?")
        expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
        contact = company.accept()
        company.say(contact, "Good morning")
        expect(page.locator(".log")).to_contain_text("Good morning")
        page.reload()
        expect(page.locator(".message:not(.mine) .bubble").last).to_have_text("Good morning")
        expect(page.get_by_role("button", name="Open the chat", exact=True)).to_be_visible()
        company.say(contact, "Are you there?")
        expect(page.get_by_role("button", name="Open the chat (1 new message)")).to_be_visible()


def test_windows_that_begin_at_one_moment_share_a_session(company: Company, pages: Open) -> None:
    pages_ = [pages("about:blank")]
    pages_.append(pages_[0].context.new_page())
    asked: list[Callable[[], None]] = []

    def carry(line: WebSocketRoute) -> None:
        server = line.connect_to_server()

        def said(frame: str | bytes) -> None:
            # Both ask who they are before either has heard.
            asked.append(partial(server.send, frame))
            if len(asked) == 2:
                for ask in asked:
                    ask()
            elif len(asked) > 2:
                server.send(frame)

        line.on_message(said)

    for page in pages_:
        page.route_web_socket(re.compile("/ws$"), carry)
        page.goto(f"{company.address}/")
    for number, page in enumerate(pages_):
        write(page, f"from {number}")
        expect(page.locator(".message.mine:not(.waits)")).to_have_count(number + 1)
    company.until(lambda: company.said() == ["from 0", "from 1"])


def test_messages_of_two_windows_outlive_both(tmp_path: Path, pages: Open) -> None:
    with held_port() as port:
        with open_company(tmp_path, port=port) as company:
            first = pages(f"{company.address}/", allow=("WebSocket", "ERR_"))
            write(first, "hello")
            expect(first.locator(".message.mine:not(.waits)")).to_have_count(1)
            second = first.context.new_page()
            second.goto(f"{company.address}/")
            expect(second.locator(".message.mine:not(.waits)")).to_have_count(1)
        for page in (first, second):
            expect(page.locator(".status")).to_contain_text("No connection")
        write(first, "one")
        write(second, "two")
        first.close()
        second.close()
        with open_company(tmp_path, port=port) as company:
            third = first.context.new_page()
            third.goto(f"{company.address}/")
            company.until(lambda: company.said() == ["hello", "one", "two"])


def test_page_with_rules_and_keys_of_its_own_neither_hides_the_chat_nor_takes_its_letters(
    tmp_path: Path, pages: Open
) -> None:
    page_ = """<style>
        div:empty { display: none }
        body > * { pointer-events: none; text-transform: uppercase !important; transform: scale(.5); opacity: .1 }
        </style><h1>Shop</h1><script>
        addEventListener("keydown", (event) => {
          if (/INPUT|TEXTAREA/.test(event.target.tagName)) return;
          if (event.key === "s" || event.key === "/") event.preventDefault(); // search
        });
        </script>"""
    with open_company_in_a_shop(tmp_path, page_) as (company, shop):
        page = pages(shop, allow=("WebSocket",))
        page.get_by_role("button", name="Open the chat").click()
        page.keyboard.type("yes / no")
        page.keyboard.press("Enter")
        company.until(lambda: company.look() and company.said() == ["yes / no"])
        host = page.locator("#centralita-shop_chat")
        for rule, value in (("text-transform", "none"), ("transform", "none"), ("opacity", "1")):
            expect(host).to_have_css(rule, value)


def test_page_that_draws_itself_anew_brings_the_same_chat_back(company: Company, pages: Open) -> None:
    page = pages("about:blank")
    lines: list[Any] = []

    def opened(line: Any) -> None:
        lines.append(line)

    page.on("websocket", opened)
    page.goto(f"{company.address}/")
    write(page, "first")
    expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
    for _ in range(3):
        page.evaluate("document.body.replaceChildren()")
        page.evaluate(
            """(address) => document.body.append(
                Object.assign(document.createElement("script"), { src: address }))""",
            f"{company.address}/widget.js",
        )
        expect(page.locator(".message.mine .bubble")).to_have_text(["first"])
    write(page, "second")
    company.until(lambda: company.said() == ["first", "second"])
    assert len(lines) == 1


@pytest.mark.parametrize("size", [{"width": 740, "height": 340}, {"width": 341, "height": 192}])
def test_low_screen_shows_each_form_whole(company: Company, pages: Open, size: dict[str, int]) -> None:
    company.do(SignIn(agent="berta", status="break"))
    page = pages(f"{company.address}/?lang=es", size=size)
    page.get_by_role("textbox", name="Escriba un mensaje…").fill("Hola")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Que me llamen").click()
    shot(page, f"callback-low-{size['height']}")
    page.get_by_label("Teléfono o correo electrónico").hover()
    for by, name in ((400, "Cancelar"), (-400, "Cerrar el chat")):
        page.mouse.wheel(0, by)
        expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Cancelar").click()
    expect(page.get_by_role("textbox", name="Escriba un mensaje…")).to_be_in_viewport(ratio=1)


def test_words_of_another_day_say_which(company: Company, pages: Open) -> None:
    page = pages(f"{company.address}/")
    write(page, "first")
    expect(page.locator(".message.mine:not(.waits)")).to_have_count(1)
    expect(page.locator(".message time")).to_have_text(re.compile(r"^\d\d:\d\d( [AP]M)?$"))
    later = page.context.new_page()
    later.clock.install(time=time.time() + 2 * 86_400)
    later.goto(f"{company.address}/")
    today = later.evaluate("new Date(Date.now() - 2 * 86400e3).toLocaleDateString('en', { month: 'long' })")
    expect(later.locator(".message time")).to_contain_text(today)


def test_one_window_too_many_says_so_and_comes_in_when_another_goes(company: Company, pages: Open) -> None:
    first = pages(f"{company.address}/")
    write(first, "hello")
    expect(first.locator(".message.mine:not(.waits)")).to_have_count(1)
    windows = [first]
    for _ in range(5):
        windows.append(first.context.new_page())
        windows[-1].goto(f"{company.address}/")
        if len(windows) < 6:
            expect(windows[-1].locator(".message.mine:not(.waits)")).to_have_count(1)
    last = windows[-1]
    expect(last.locator(".status")).to_contain_text("The chat is open in many windows already")
    windows[1].close()
    expect(last.locator(".message.mine:not(.waits)")).to_have_count(1, timeout=RECONNECT_S * 1000)


def test_one_line_embeds_the_chat_in_a_page_of_another_origin(tmp_path: Path, pages: Open) -> None:
    folder = tmp_path / "shop"
    with open_shop(folder) as shop, open_company(tmp_path / "data", origins=[shop]) as company:
        policy = f"default-src 'none'; script-src {company.origin}; img-src {company.origin} blob:; connect-src {company.origin} ws://{company.origin[7:]}"
        (folder / "index.html").write_text(
            f"""<!doctype html><html lang="es"><meta charset="utf-8"><title>Tienda</title>
            <meta http-equiv="Content-Security-Policy" content="{policy}"><h1>Tienda</h1>
            <link rel="icon" href="data:,"><script src="{company.address}/widget.js" defer></script>""",
            encoding="utf-8",
        )
        page = pages(f"{shop}/", allow=("favicon", "data:,", "WebSocket"))
        page.get_by_role("button", name="Abrir el chat").click()
        page.get_by_role("textbox", name="Escriba un mensaje…").fill("Hola")
        page.locator("input[type=file]").set_input_files(
            {"name": "a.png", "mimeType": "image/png", "buffer": png(40, 40)}
        )
        expect(page.locator(".chip:not(.busy)")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.locator(".message:not(.waits) .picture img")).to_have_js_property("naturalWidth", 40)
        shot(page, "embedded-light-es")
