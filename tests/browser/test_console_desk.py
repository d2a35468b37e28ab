"""An agent's day at the desk, in a real browser before the real daemon."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from centralita.messages import (
    AbandonContact,
    Customer,
    FinishWrapUp,
    IdentifyContact,
    NoteContact,
    ReportConnection,
    RequestCallback,
    SetStatus,
    SignIn,
    SignOut,
    StartConsultation,
    Target,
)
from centralita.protocols import Signal
from tests.console import browsing
from tests.console.browsing import (
    LAPTOP,
    PHONE,
    RECONNECT_S,
    Open,
    comes_true,
    desk,
    says,
    shot,
    take,
    within,
    write,
)
from tests.console.house import House, Line, open_house
from tests.ports import held_port

pytestmark = pytest.mark.browser
browser, house, pages = browsing.browser, browsing.house, browsing.pages

MARTA = {"customer_name": "Marta Iglesias", "handle": "marta@example.org", "language": "en"}


def talk(page: Page, name: str) -> None:
    """Bring a conversation to the front by its name in the rail."""
    page.locator(".talk", has_text=name).click()
    expect(page.locator(".head-who")).to_have_text(name)


def test_link_signs_in_and_leaves_no_token_in_the_address(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    assert "token" not in page.url
    assert "#" not in page.url
    expect(page.locator(".me-name")).to_have_text("Ana García")
    expect(page.locator(".me-state")).to_have_text("Available")
    shot(page, "desk-idle")
    page.reload()
    expect(page.locator(".desk")).to_be_visible()


def test_form_refuses_a_wrong_token_in_words_and_takes_a_right_one(house: House, pages: Open) -> None:
    page = pages(f"{house.address}/console/", allow=("401",))
    expect(page.get_by_label("Access token")).to_be_focused()
    shot(page, "sign-in")
    page.keyboard.type("ctl_000000000000_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This token is not valid, or no longer.")
    page.get_by_label("Access token").fill(house.token("supervisor"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("/board/")
    page.get_by_label("Access token").fill(house.token("agent", "ana"))
    page.keyboard.press("Enter")
    expect(page.locator(".desk")).to_be_visible()


def test_offer_is_accepted_by_keyboard_and_both_sides_are_heard(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    contact = house.admit(text="My invoice is wrong", subject="Invoice 2217", **MARTA)
    offer = page.locator(".offer")
    expect(offer).to_contain_text("Marta Iglesias")
    expect(offer).to_contain_text("Invoice 2217")
    expect(offer.locator("[role=timer]")).to_contain_text(re.compile(r"1:00|0:[345]\d"))
    shot(page, "desk-offer")
    take(page)
    expect(offer).to_have_count(0)
    expect(page.locator("#composer")).to_be_focused()
    write(page, "Hello Marta, I am looking at it.")
    expect(page.locator(".message.mine")).to_contain_text("Hello Marta, I am looking at it.")
    expect(page.locator(".message.sending")).to_have_count(0)
    house.until(lambda: bool(Line.lines["web"].sent), "the customer was told")
    assert Line.lines["web"].sent[-1].text == "Hello Marta, I am looking at it."
    house.say(contact, "Thank you!")
    expect(page.locator(".message.theirs").last).to_contain_text("Thank you!")
    assert house.texts(contact) == ["My invoice is wrong", "Hello Marta, I am looking at it.", "Thank you!"]


def test_declining_says_why_and_gives_the_contact_to_another(house: House, pages: Open) -> None:
    ana = desk(pages, house, "ana")
    contact = house.admit(text="Hi", **MARTA)
    expect(ana.locator(".offer")).to_be_visible()
    ben = desk(pages, house, "ben")
    ana.keyboard.press("Alt+x")
    expect(ana.get_by_role("menuitem", name="Not my subject")).to_be_visible()
    ana.keyboard.press("n")
    expect(ana.get_by_role("menuitem", name="Not my subject")).to_be_focused()
    ana.keyboard.press("Enter")
    expect(ana.locator(".offer")).to_have_count(0)
    take(ben)
    assert house.phase(contact) == "connected"


def test_keys_stand_on_the_offer_that_they_answer(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    for name in ("Marta Iglesias", "Tom Becker"):
        house.admit(text="Hi", customer_name=name)
    expect(page.locator(".offer")).to_have_count(2)
    expect(page.locator(".offer", has_text="Marta Iglesias").locator("kbd:visible")).to_have_count(2)
    expect(page.locator(".offer", has_text="Tom Becker").locator("kbd:visible")).to_have_count(0)
    page.keyboard.press("Alt+a")
    expect(page.locator(".head-who")).to_have_text("Marta Iglesias")
    expect(page.locator(".offer", has_text="Tom Becker").locator("kbd:visible")).to_have_count(2)


def test_offer_is_answered_on_a_telephone(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana", size=PHONE)
    house.admit(text="Hi, my lamp flickers since yesterday", customer_name="Marta Iglesias de la Fuente")
    expect(page.locator(".offer")).to_be_visible()
    within(page, ".offer", ".offer .button", ".offer-time")
    what = page.locator(".offer-what")
    expect(what).to_have_text("Chat")
    assert what.evaluate("element => element.scrollWidth <= element.clientWidth")
    shot(page, "desk-phone")
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".conversation[data-state=connected]")).to_be_visible()
    shot(page, "desk-phone-talk")
    within(page, ".head-do", ".composer")


@pytest.mark.parametrize("width", [1366, 1181, 1024, 901, 700])
def test_offer_beside_a_conversation_says_who_it_is(house: House, pages: Open, width: int) -> None:
    page = desk(pages, house, "ana", size={"width": width, "height": 700})
    house.admit(text="Hi", customer_name="Tom Becker")
    take(page)
    house.admit(text="Hi, my lamp flickers since yesterday", customer_name="Marta Iglesias")
    who = page.locator(".offer-who")
    expect(who).to_have_text("Marta Iglesias")
    assert who.evaluate("element => element.scrollWidth <= element.clientWidth")
    within(page, ".offer", ".offer .button", ".offer-time")
    composer, send = (
        page.locator(one).bounding_box() for one in (".composer", ".composer-foot > :last-child")
    )
    assert composer is not None
    assert send is not None
    assert send["x"] + send["width"] <= composer["x"] + composer["width"]
    shot(page, f"desk-offer-beside-{width}")


@pytest.mark.parametrize(("width", "language"), [(1366, "en-GB"), (1024, "en-GB"), (1024, "es-ES")])
def test_own_state_and_its_time_stand_on_one_line(
    house: House, pages: Open, width: int, language: str
) -> None:
    page = desk(pages, house, "ana", size={"width": width, "height": 700}, language=language)
    house.admit(text="Hi", **MARTA)
    take(page)
    state = page.locator(".me-state")
    expect(state).to_have_text("In conversation" if language == "en-GB" else "En conversación")
    page.locator(".me-time").evaluate("time => { delete time.dataset.since; time.textContent = '59:59'; }")
    assert state.evaluate("state => state.scrollWidth <= state.clientWidth && state.offsetHeight < 24")
    within(page, ".me", ".me-line", ".me-time")
    shot(page, f"desk-rail-{width}-{language[:2]}")


@pytest.mark.parametrize("size", [PHONE, {"width": 683, "height": 384}], ids=["telephone", "twice-as-large"])
def test_narrow_desk_has_all_of_a_wide_one(house: House, pages: Open, size: dict[str, int]) -> None:
    page = desk(pages, house, "ana", size=size)
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    within(page, ".talk", ".talk-side", ".head-do")
    rail = page.locator(".rail").bounding_box()
    clock = page.locator(".talk-clock").bounding_box()
    assert rail is not None
    assert clock is not None
    assert clock["x"] >= rail["x"]
    assert clock["x"] + clock["width"] <= rail["x"] + rail["width"]
    page.get_by_role("button", name="Customer, history and notes").click()
    expect(page.get_by_role("tab", name="Customer")).to_be_focused()
    expect(page.locator(".side")).to_contain_text("marta@example.org")
    within(page, ".side", ".side-close")
    shot(page, f"desk-side-{size['width']}")
    page.keyboard.press("Alt+n")
    page.keyboard.type("Lamp")
    expect(page.locator("#side-notes")).to_have_value("Lamp")
    house.until(lambda: getattr(house.contact(contact), "notes", "") == "Lamp", "the note is kept")
    house.admit(text="Hi, my lamp flickers", customer_name="Tom Becker")
    expect(page.locator(".offer")).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#composer")).to_be_visible()
    expect(page.get_by_role("button", name="Customer, history and notes")).to_be_focused()
    page.keyboard.press("Alt+h")
    expect(page.locator(".history")).to_be_visible()
    page.keyboard.press("Alt+c")
    expect(page.locator("#composer")).to_be_focused()


def test_typing_is_seen_on_both_sides(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    sign = page.locator(".typing", has_text="Marta Iglesias is typing")

    def types(*, on: bool) -> None:
        signal = Signal(kind="typing", contact=contact, by="customer", on=on)
        house.engine.look(lambda board: board.signal(signal))

    def types_on() -> bool:
        types(on=True)  # as one who goes on typing: the sign of it fades
        return sign.is_visible()

    house.until(types_on, "the typing is seen")
    types(on=False)
    expect(sign).to_be_hidden()
    page.locator("#composer").press_sequentially("One mom")
    house.until(
        lambda: any(signal.on for signal in Line.lines["web"].signals), "the customer sees the typing"
    )
    page.locator("#composer").press("Enter")
    house.until(lambda: not Line.lines["web"].signals[-1].on, "the typing is over")


def test_three_conversations_show_what_is_unread_and_who_waits(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    first = house.admit(text="First", **MARTA)
    take(page)
    second = house.admit(
        text="Segundo",
        customer_name="Luis Ortega",
        handle="luis@example.org",
        queue="atencion",
        language="es",
    )
    take(page)
    expect(page.locator(".head-who")).to_have_text("Luis Ortega")
    third = house.admit(
        channel="mail",
        text="Dear team,\nour order.",
        customer_name="Tom Becker",
        handle="tom@example.org",
        subject="Order",
    )
    take(page)
    expect(page.locator(".head-who")).to_have_text("Tom Becker")
    expect(page.locator(".talk")).to_have_count(3)
    house.say(first, "Are you there?")
    house.say(first, "Hello?")
    marta = page.locator(".talk", has_text="Marta")
    expect(marta.locator(".talk-unread")).to_have_text("2")
    expect(marta.locator(".talk-clock")).to_have_class(re.compile("owed"))
    expect(page).to_have_title(re.compile(r"^\(2\) "))
    shot(page, "desk-three")
    page.keyboard.press("Alt+1")
    expect(page.locator(".head-who")).to_have_text("Marta Iglesias")
    expect(marta.locator(".talk-unread")).to_be_hidden()
    write(page, "Yes, I am.")
    expect(marta.locator(".talk-clock")).not_to_have_class(re.compile("owed"))
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator(".head-who")).to_have_text("Luis Ortega")
    assert {house.phase(contact) for contact in (first, second, third)} == {"connected"}


@pytest.mark.parametrize(
    ("code", "size", "focused"),
    [
        ("KeyN", PHONE, "side-notes"),
        ("Digit1", LAPTOP, "composer"),
        ("Digit2", LAPTOP, "composer"),
        ("ArrowUp", LAPTOP, "composer"),
    ],
)
def test_what_is_typed_right_after_a_shortcut_goes_where_it_leads(
    house: House, pages: Open, code: str, size: dict[str, int], focused: str
) -> None:
    page = desk(pages, house, "ana", size=size)
    for name in ("Marta Iglesias", "Tom Becker"):
        house.admit(text="Hi", customer_name=name)
        take(page)
    press = """async (code) => {
        document.activeElement.blur();
        document.dispatchEvent(new KeyboardEvent("keydown", { altKey: true, code }));
        await null;  // no other key comes before this
        return document.activeElement.id;
    }"""
    assert page.evaluate(press, code) == focused


@pytest.mark.parametrize("keys", ["Alt+c", "Alt+1", "Alt+ArrowUp"])
def test_keys_that_lead_to_writing_lead_there_from_the_notes(house: House, pages: Open, keys: str) -> None:
    page = desk(pages, house, "ana")
    for name in ("Marta Iglesias", "Tom Becker"):
        house.admit(text="Hi", customer_name=name)
        take(page)
    page.keyboard.press("Alt+n")
    expect(page.locator("#side-notes")).to_be_focused()
    page.keyboard.press(keys)
    expect(page.locator("#composer")).to_be_focused()


def test_customer_who_waits_long_is_marked_though_nothing_happens(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    house.admit(text="Hello?")
    take(page)
    clock = page.locator(".talk-clock")
    expect(clock).to_have_class(re.compile("owed"))
    expect(clock).to_have_text(
        re.compile(r"^0:(0[3-9]|[1-5]\d)$")
    )  # by then it is known to everybody that she has taken it
    expect(clock).not_to_have_class(re.compile("late"))
    page.clock.install()
    page.clock.fast_forward(121_000)
    expect(clock).to_have_class(re.compile("late"))
    write(page, "Good morning")
    expect(clock).not_to_have_class(re.compile("late"))


def test_wrong_clock_of_a_machine_makes_nobody_late(house: House, pages: Open) -> None:
    page = pages("about:blank")
    page.clock.install(time=time.time() + 3600)
    page.goto(f"{house.address}/console/#token={house.token('agent', 'ana')}")
    house.admit(text="Hello?")
    take(page)
    clock = page.locator(".talk-clock")
    expect(clock).to_have_text(re.compile("^0:"))
    expect(clock).not_to_have_class(re.compile("late"))


def test_accepted_contact_comes_to_the_front_with_its_news_and_not_before(house: House, pages: Open) -> None:
    page = pages("about:blank")
    line = Overtaken(page)
    page.goto(f"{house.address}/console/#token={house.token('agent', 'ana')}")
    expect(page.locator(".desk")).to_be_visible()
    house.admit(text="First", **MARTA)
    take(page)
    house.admit(text="Second", customer_name="Tom Becker")
    expect(page.locator(".offer")).to_be_visible()
    line.holds = True
    page.keyboard.press("Alt+a")
    house.until(lambda: line.waits_for_page(page), "the reply came, and the news that it overtook waits")
    expect(page.locator(".head-who")).to_have_text("Marta Iglesias")
    expect(page.locator(".empty")).to_be_hidden()
    line.let_go()
    expect(page.locator(".head-who")).to_have_text("Tom Becker")
    expect(page.locator("#composer")).to_be_focused()


class Overtaken:
    """A desk's WebSocket on which replies overtake all else while it `holds`."""

    def __init__(self, page: Page) -> None:
        self.holds = False
        self._held: list[str | bytes] = []
        self._replied = False
        page.route_web_socket(re.compile("/ws/desk$"), self._open)

    def waits_for_page(self, page: Page) -> bool:
        """Whether a reply has overtaken something."""
        page.wait_for_timeout(20)  # lets Playwright carry frames
        return self._replied and bool(self._held)

    def let_go(self) -> None:
        """Let pass what was held, in its order."""
        self.holds = False
        for frame in self._held:
            self._page.send(frame)
        self._held.clear()

    def _open(self, page: WebSocketRoute) -> None:
        self._page = page
        server = page.connect_to_server()
        server.on_message(self._carry)

    def _carry(self, frame: str | bytes) -> None:
        reply = json.loads(frame)["type"] == "reply"
        if self.holds and not reply:
            self._held.append(frame)
        else:
            self._replied = self._replied or (self.holds and reply)
            self._page.send(frame)


class Late(Overtaken):
    """A desk's WebSocket on which replies come late while it `holds`, and all else with them if `whole`."""

    def __init__(self, page: Page, *, whole: bool = False) -> None:
        super().__init__(page)
        self._whole = whole

    def waits_for_page(self, page: Page) -> bool:
        """Whether something is held."""
        page.wait_for_timeout(20)  # lets Playwright carry frames
        return bool(self._held)

    def _carry(self, frame: str | bytes) -> None:
        if self.holds and (self._whole or json.loads(frame)["type"] == "reply"):
            self._held.append(frame)
        else:
            self._page.send(frame)


def late_desk(pages: Open, house: House, *, whole: bool = False) -> tuple[Page, Late]:
    """Ana's desk behind a line that can be late."""
    page = pages("about:blank")
    line = Late(page, whole=whole)
    page.goto(f"{house.address}/console/#token={house.token('agent', 'ana')}")
    expect(page.locator(".desk")).to_be_visible()
    return page, line


def test_who_went_elsewhere_while_an_offer_was_being_accepted_stays_there(house: House, pages: Open) -> None:
    page, line = late_desk(pages, house, whole=True)
    for name in ("Marta Iglesias", "Tom Becker"):
        house.admit(text="Hi", customer_name=name)
        take(page)
    house.admit(text="Hi", customer_name="Luis Ortega")
    expect(page.locator(".offer")).to_be_visible()
    line.holds = True
    page.keyboard.press("Alt+a")
    house.until(lambda: line.waits_for_page(page), "the offer is accepted, and the page has not heard of it")
    talk(page, "Marta Iglesias")
    page.locator("#composer").press_sequentially("The code is")
    line.let_go()
    expect(page.locator(".talk")).to_have_count(3)
    page.keyboard.type(" 42")
    expect(page.locator(".head-who")).to_have_text("Marta Iglesias")
    expect(page.locator("#composer")).to_have_value("The code is 42")


def test_contact_is_begun_once_however_often_it_is_asked_for(house: House, pages: Open) -> None:
    page, line = late_desk(pages, house)
    page.keyboard.press("Alt+p")
    page.get_by_label("Number or address").fill("+34 600 112 233")
    line.holds = True
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    house.until(lambda: line.waits_for_page(page), "it is begun")
    line.let_go()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".conversation")).to_be_visible()
    assert house.engine.look(lambda board: len(board.contacts())) == 1


def test_news_of_colleagues_make_a_transfer_no_second_time(house: House, pages: Open) -> None:
    page, line = late_desk(pages, house)
    house.admit(text="Hi", **MARTA)
    take(page)
    page.keyboard.press("Alt+t")
    page.get_by_role("radio", name="Queue").click()
    page.get_by_role("option", name="Sales").click()
    line.holds = True
    go = page.get_by_role("dialog").get_by_role("button", name="Transfer")
    go.click()
    expect(go).to_be_disabled()
    desk(pages, house, "ben")
    house.until(lambda: line.waits_for_page(page), "it is transferred")
    page.get_by_role("radio", name="Agent").click()
    page.get_by_role("option", name="Ben Okafor").click()
    expect(go).to_be_disabled()
    line.let_go()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_offer_accepted_twice_in_one_breath_is_accepted_and_nothing_is_refused(
    house: House, pages: Open
) -> None:
    page, line = late_desk(pages, house, whole=True)
    contact = house.admit(text="Hi", **MARTA)
    expect(page.locator(".offer")).to_be_visible()
    line.holds = True
    page.keyboard.press("Alt+a")
    page.keyboard.press("Alt+a")
    house.until_phase(contact, "connected")
    house.say(contact, "Are you there?")
    house.until(lambda: line.waits_for_page(page), "it is accepted, and the page has not heard of it")
    line.let_go()
    expect(page.locator(".transcript")).to_contain_text("Are you there?")
    expect(page.locator("#composer")).to_be_focused()
    write(page, "Yes")
    expect(page.locator(".message.mine:not(.sending)")).to_contain_text("Yes")
    assert page.evaluate("window.saidInPassing") == []


def test_second_click_of_a_double_click_does_nothing_to_what_has_come_in_its_place(
    house: House, pages: Open
) -> None:
    page = desk(pages, house, "ana")
    first, second = (house.admit(text="Hi", customer_name=name) for name in ("Marta Iglesias", "Tom Becker"))
    for contact in (first, second):
        take(page)
        house.submit(AbandonContact(contact=contact))
    talk(page, "Marta Iglesias")
    box = page.get_by_role("button", name="Finish").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".head-who")).to_have_text("Tom Becker")
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    page.get_by_role("radio", name="Resolved").click()
    expect(page.get_by_role("radio", name="Resolved")).to_be_checked()
    house.until(lambda: getattr(house.contact(second), "disposition", "") == "resolved", "it is kept")
    assert house.phase(second) == "wrapping"


def test_menu_that_gave_way_to_another_opens_at_once_again(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    house.admit(text="Hi", **MARTA)
    expect(page.locator(".offer")).to_be_visible()
    page.keyboard.press("Alt+s")
    page.keyboard.press("Alt+x")
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+s")
    expect(page.get_by_role("menuitemradio", name="Available")).to_be_focused()


def test_dialogue_that_closes_late_takes_nothing_from_what_came_after_it(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    house.admit(text="Hi", **MARTA)
    take(page)
    page.keyboard.press("Alt+n")
    page.locator("#composer").focus()
    page.keyboard.press("Alt+e")
    close = """async (then) => {
        const dialog = document.querySelector("dialog");
        const closed = new Promise((done) => dialog.addEventListener("close", done));
        dialog.close();
        document.dispatchEvent(new KeyboardEvent("keydown", { altKey: true, code: then }));
        await closed; // it is told in a later task, and keys that were pressed may come before
        return document.activeElement.id;
    }"""
    assert page.evaluate(close, "KeyN") == "side-notes"
    page.keyboard.press("Alt+t")
    page.evaluate(close, "KeyT")
    expect(page.get_by_role("searchbox")).to_be_focused()
    desk(pages, house, "ben")
    expect(page.get_by_role("option", name="Ben Okafor")).to_be_visible()


def test_menu_stays_open_when_the_customer_comes(house: House, pages: Open) -> None:
    contact = house.admit(text="Hi", **MARTA)
    house.until_phase(contact, "waiting")
    house.submit(RequestCallback(contact=contact, handle="+34 600 112 233"))
    page = desk(pages, house, "ana")
    expect(page.locator(".offer")).to_be_visible()
    page.keyboard.press("Alt+a")
    expect(page.locator(".dial-number")).to_be_visible()
    page.keyboard.press("Alt+s")
    expect(page.get_by_role("menuitemradio", name="Available")).to_be_focused()
    house.submit(ReportConnection(contact=contact, agent="ana", made=True))
    expect(page.locator(".conversation[data-state=connected]")).to_be_visible()
    expect(page.get_by_role("menuitemradio", name="Available")).to_be_focused()


def test_level_being_typed_outlives_news(house: House, pages: Open) -> None:
    page = desk(pages, house, "carla")
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    page.keyboard.press("Alt+t")
    page.get_by_role("radio", name="Skills").click()
    page.get_by_label("billing", exact=True).check()
    level = page.get_by_label("Least level of billing")
    level.fill("9")
    house.say(contact, "Are you there?")
    expect(page.locator(".transcript")).to_contain_text("Are you there?")
    expect(level).to_have_value("9")
    page.get_by_role("dialog").get_by_role("button", name="Transfer").click()
    house.until(
        lambda: getattr(house.contact(contact), "skills", {}).get("billing") == 9, "the skills are required"
    )


def test_passing_words_outlive_the_dialogue_that_they_were_said_in(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    house.admit(text="Hi", **MARTA)
    take(page)
    house.submit(SignIn(agent="carla", desk="console"))
    page.keyboard.press("Alt+q")
    page.get_by_role("option", name="Carla Ruiz").click()
    house.submit(SignOut(agent="carla"))
    page.get_by_role("dialog").get_by_role("button", name="Ask").click()
    expect(page.locator("dialog .toasts")).to_be_attached()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("body > .toasts")).to_be_attached()


def test_draft_stays_with_its_conversation(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    house.admit(text="First", **MARTA)
    take(page)
    page.locator("#composer").fill("half a sent")
    house.admit(text="Second", customer_name="Tom Becker", handle="tom@example.org")
    expect(page.locator(".offer")).to_be_visible()
    expect(page.locator("#composer")).to_be_focused()  # an offer never takes the focus
    page.keyboard.press("Alt+a")
    expect(page.locator(".head-who")).to_have_text("Tom Becker")
    expect(page.locator("#composer")).to_have_value("")
    talk(page, "Marta Iglesias")
    expect(page.locator("#composer")).to_have_value("half a sent")


def test_notes_stay_among_colleagues(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    page.locator("#composer").focus()
    page.keyboard.press("Alt+i")
    expect(page.locator(".composer")).to_have_class(re.compile("inside"))
    write(page, "Was refunded in May")
    expect(page.locator(".message.internal")).to_contain_text("Was refunded in May")
    view = house.contact(contact)
    assert view is not None
    assert [message.internal for message in view.messages] == [False, True]
    assert Line.lines["web"].sent == []


def test_ready_made_texts_are_chosen_by_key_and_in_the_customers_language(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    page.locator("#composer").press_sequentially("/")
    expect(page.locator(".quick li")).to_have_count(2)  # not the Spanish one
    page.keyboard.type("hel")
    page.keyboard.press("Enter")
    expect(page.locator("#composer")).to_have_value(
        "Hello Marta Iglesias, this is Ana García. How can I help?"
    )
    page.keyboard.press("Enter")
    house.until(lambda: len(house.texts(contact)) == 2, "the text was sent")


def test_notes_written_while_the_link_is_down_stay_and_are_sent(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana", allow=("ERR_INTERNET_DISCONNECTED", "WebSocket connection"))
    house.admit(text="Hi", customer_name="Tom Becker")
    take(page)
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    page.clock.install()
    page.context.set_offline(True)
    expect(page.locator(".banner")).to_be_visible()
    page.keyboard.press("Alt+n")
    page.keyboard.type("Lamp")
    page.clock.run_for(2_000)  # longer than what is typed rests before it is sent
    talk(page, "Tom Becker")
    expect(page.locator("#side-notes")).to_have_value("")
    talk(page, "Marta Iglesias")
    expect(page.locator("#side-notes")).to_have_value("Lamp")
    page.context.set_offline(False)
    expect(page.locator(".banner")).to_be_hidden(timeout=RECONNECT_S * 1000)
    house.until(lambda: getattr(house.contact(contact), "notes", "") == "Lamp", "the note is kept")
    expect(page.locator("#side-notes")).to_have_value("Lamp")


def test_wrap_up_keeps_disposition_and_notes_and_can_be_extended(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    page.keyboard.press("Alt+e")
    expect(page.get_by_role("dialog")).to_contain_text("Marta Iglesias")
    page.keyboard.press("Enter")
    expect(page.locator(".wrap")).to_be_visible()
    expect(page.locator(".wrap-time")).to_have_text(re.compile(r"^(2:00|1:\d\d)$"))
    page.get_by_role("button", name="2 min more").click()
    expect(page.locator(".wrap-time")).to_have_text(re.compile(r"^(4:00|3:\d\d)$"))
    page.get_by_role("radio", name="Follow up").click()
    page.locator("#wrap-notes").fill("Call back on Monday")
    shot(page, "desk-wrap-up")

    def kept() -> bool:
        view = house.contact(contact)
        return view is not None and (view.disposition, view.notes) == ("follow_up", "Call back on Monday")

    house.until(kept, "both were kept, should the time run out")
    page.keyboard.press("Alt+w")
    expect(page.locator(".empty")).to_be_visible()
    house.until_phase(contact, "ended")
    house.until(lambda: bool(house.history("marta@example.org")), "the CRM has recorded the contact")
    (past,) = house.history("marta@example.org")
    assert (past.disposition, past.notes) == ("follow_up", "Call back on Monday")


def test_finishing_keeps_what_was_just_written_beside_it(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    page.clock.install()
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    house.submit(NoteContact(contact=contact, agent="ana", notes="Lamp"))
    house.submit(AbandonContact(contact=contact))
    expect(page.locator("#wrap-notes")).to_have_value("Lamp")
    page.keyboard.press("Alt+n")
    page.locator("#side-notes").press_sequentially("s are broken")
    page.keyboard.press("Alt+w")
    expect(page.locator(".empty")).to_be_visible()
    house.until(lambda: bool(house.history("marta@example.org")), "the CRM keeps it")
    assert house.history("marta@example.org")[0].notes == "Lamps are broken"


def test_disposition_chosen_while_the_link_is_down_stays_chosen(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana", allow=("ERR_INTERNET_DISCONNECTED", "WebSocket connection"))
    first, second = (house.admit(text="Hi", customer_name=name) for name in ("Marta Iglesias", "Tom Becker"))
    for contact in (first, second):
        take(page)
        house.submit(AbandonContact(contact=contact))
    page.context.set_offline(True)
    expect(page.locator(".banner")).to_be_visible()
    page.get_by_role("radio", name="Complaint").click()
    talk(page, "Marta Iglesias")
    expect(page.get_by_role("radio", name="Complaint")).not_to_be_checked()
    talk(page, "Tom Becker")
    expect(page.get_by_role("radio", name="Complaint")).to_be_checked()


def test_history_is_asked_for_again_when_the_customer_is_known(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    first = house.admit(channel="mail", subject="Order 77", **MARTA)
    customer = Customer(id="marta@example.org", name="Marta Iglesias")
    house.submit(IdentifyContact(contact=first, customer=customer))
    house.submit(AbandonContact(contact=first))
    house.until(lambda: bool(house.history("marta@example.org")), "the CRM has recorded the contact")
    contact = house.admit(text="It is me again", customer_name="Somebody")
    take(page)
    page.keyboard.press("Alt+h")
    expect(page.locator(".history .nothing")).to_be_visible()
    house.submit(IdentifyContact(contact=contact, customer=customer))
    expect(page.locator(".past")).to_contain_text("Order 77")


def test_history_shows_earlier_contacts_of_all_channels(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    house.admit(channel="mail", text="Where is my order?", subject="Order 77", **MARTA)
    take(page)
    page.keyboard.press("Alt+e")
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="Resolved").click()
    page.keyboard.press("Alt+w")
    expect(page.locator(".empty")).to_be_visible()
    house.until(lambda: bool(house.history("marta@example.org")), "the CRM has recorded the contact")
    house.admit(text="It is me again", **MARTA)
    take(page)
    page.keyboard.press("Alt+h")
    past = page.locator(".past")
    expect(past).to_contain_text("Order 77")
    expect(past).to_contain_text("Resolved")
    past.locator("summary").click()
    expect(past).to_contain_text("Where is my order?")
    shot(page, "desk-history")


def test_consulted_colleague_sees_the_customers_history(house: House, pages: Open) -> None:
    house.submit(AbandonContact(contact=house.admit(text="Where is it?", subject="Order 77", **MARTA)))
    house.until(lambda: bool(house.history("marta@example.org")), "the CRM has recorded the contact")
    _, carla, _ = consulted(house, pages)
    side = carla.locator(".side")
    expect(side).to_contain_text("Marta Iglesias")
    expect(side).not_to_contain_text("Not in the records")
    carla.keyboard.press("Alt+h")
    expect(carla.locator(".past")).to_contain_text("Order 77")


def test_words_from_right_to_left_are_read_so(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    house.admit(text="مرحبا، أين طلبي؟ 123 (order)", subject="طلب", customer_name="محمد", language="ar")
    expect(page.locator(".offer-last")).to_have_css("direction", "rtl")
    take(page)
    expect(page.locator(".message.theirs .text")).to_have_css("direction", "rtl")
    # Between our own words it must not turn around what stands beside it.
    expect(page.locator(".head-facts")).to_have_text(
        re.compile(r"^Chat +· +Support +· +\u2068طلب\u2069 +· +#\d+$")
    )
    write(page, "We look at it.")
    expect(page.locator(".message.mine .text")).to_have_css("direction", "ltr")
    shot(page, "desk-right-to-left")


@pytest.mark.parametrize("language", ["en-GB", "es-ES"])
def test_hint_under_a_message_is_whole_or_not_there(house: House, pages: Open, language: str) -> None:
    page = desk(pages, house, "ana", language=language)
    customer = pages(f"{house.address}/chat/shop/")
    customer.get_by_role("textbox", name="Write a message…").fill("Hi")
    customer.keyboard.press("Enter")
    take(page)
    hint, foot = page.locator(".composer-hint"), page.locator(".composer-foot")
    for width in (1000, 1280, 1366, 1440, 1600, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        assert hint.evaluate("hint => hint.scrollWidth <= hint.clientWidth"), width
        assert foot.evaluate("foot => foot.lastChild.getBoundingClientRect().right > foot.clientWidth"), width
    expect(hint).to_be_visible()


def test_transfer_says_where_nobody_is_there(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    house.admit(text="Hi", **MARTA)
    take(page)
    page.keyboard.press("Alt+t")
    dialogue = page.get_by_role("dialog")
    expect(dialogue).to_contain_text("No colleague is signed in.", use_inner_text=True)
    page.keyboard.type("Zoe")
    expect(dialogue).to_contain_text("Nothing by that name.", use_inner_text=True)
    house.submit(SignIn(agent="carla"))
    page.get_by_role("searchbox").fill("car")
    expect(page.get_by_role("option", name="Carla Ruiz")).to_be_visible()
    expect(dialogue).not_to_contain_text("Nothing by that name.", use_inner_text=True)


def test_transfer_hands_over_the_transcript(house: House, pages: Open) -> None:
    ana = desk(pages, house, "ana")
    contact = house.admit(text="My invoice is wrong", **MARTA)
    take(ana)
    ben = desk(pages, house, "ben")
    ana.keyboard.press("Alt+t")
    dialog = ana.get_by_role("dialog")
    expect(dialog.get_by_role("option", name="Ben Okafor")).to_contain_text("Available")
    expect(dialog.get_by_role("button", name="Transfer")).to_be_disabled()
    shot(ana, "desk-transfer")
    ana.keyboard.type("ben")
    expect(dialog.get_by_role("option", name="Ben Okafor")).to_have_attribute("aria-selected", "true")
    dialog.locator("textarea").fill("Knows invoices")
    dialog.get_by_role("button", name="Transfer").click()
    expect(ana.locator(".wrap")).to_be_visible()
    take(ben)
    expect(ben.locator(".transcript")).to_contain_text("My invoice is wrong")
    expect(ben.locator(".message.internal")).to_contain_text("Knows invoices")
    assert house.phase(contact) == "connected"


def test_transfer_to_a_queue_and_to_skills(house: House, pages: Open) -> None:
    ana = desk(pages, house, "ana")
    contact = house.admit(text="Hi", **MARTA)
    take(ana)
    carla = desk(pages, house, "carla")
    ana.keyboard.press("Alt+t")
    ana.get_by_role("radio", name="Queue").click()
    ana.get_by_role("option", name="Atención al cliente").click()
    ana.get_by_role("dialog").get_by_role("button", name="Transfer").click()
    expect(ana.locator(".wrap")).to_be_visible()
    take(carla)
    expect(carla.locator(".head-facts")).to_contain_text("Atención al cliente")
    carla.keyboard.press("Alt+t")
    carla.get_by_role("radio", name="Skills").click()
    carla.get_by_label("billing", exact=True).check()
    carla.get_by_label("Least level of billing").fill("9")
    carla.get_by_label("Least level of billing").press("Tab")
    carla.get_by_role("dialog").get_by_role("button", name="Transfer").click()
    house.until(
        lambda: getattr(house.contact(contact), "skills", {}).get("billing") == 9, "the skills are required"
    )


def test_consultation_ends_in_a_conference_and_the_first_agent_leaves(house: House, pages: Open) -> None:
    ana = desk(pages, house, "ana")
    contact = house.admit(text="A hard question", **MARTA)
    take(ana)
    carla = desk(pages, house, "carla")
    ana.keyboard.press("Alt+q")
    ana.get_by_role("option", name="Carla Ruiz").click()
    ana.get_by_role("dialog").get_by_role("button", name="Ask").click()
    expect(ana.locator(".strip")).to_be_visible()
    ana.get_by_role("button", name="All together").click()
    says(ana, "has not answered yet")
    take(carla)
    expect(carla.locator(".transcript")).to_contain_text("A hard question")
    shot(ana, "desk-consult")
    ana.get_by_role("button", name="All together").click()
    expect(ana.locator(".head-facts")).to_contain_text("with Carla Ruiz")
    # Her name stood there before, of whom the consultation was.
    expect(carla.locator(".head-facts")).to_contain_text("with Ana García")
    expect(carla.locator(".head-who")).to_have_text("Marta Iglesias")
    write(carla, "Let me explain")
    expect(ana.locator(".message.colleague")).to_contain_text("Let me explain")
    ana.get_by_role("button", name="Leave").click()
    expect(ana.locator(".wrap")).to_be_visible()
    assert house.phase(contact) == "connected"


def consulted(house: House, pages: Open) -> tuple[Page, Page, int]:
    """Ana's desk and Carla's, whom she asks about a customer's contact."""
    ana = desk(pages, house, "ana")
    contact = house.admit(text="A hard question", **MARTA)
    take(ana)
    carla = desk(pages, house, "carla", allow=("ERR_INTERNET_DISCONNECTED", "WebSocket connection"))
    house.submit(StartConsultation(contact=contact, agent="ana", target=Target(agent="carla")))
    take(carla)
    return ana, carla, contact


def test_words_being_written_when_a_consultation_becomes_a_conference_are_kept_for_colleagues(
    house: House, pages: Open
) -> None:
    ana, carla, contact = consulted(house, pages)
    carla.locator("#composer").press_sequentially("He is wrong, but")
    ana.get_by_role("button", name="All together").click()
    expect(carla.locator(".head-facts")).to_contain_text("with Ana García")
    expect(carla.locator("#composer")).to_have_value("He is wrong, but")
    expect(carla.locator(".composer")).to_have_class(re.compile("inside"))
    carla.locator("#composer").press_sequentially(" kind")
    carla.keyboard.press("Enter")
    expect(ana.locator(".message.internal")).to_contain_text("He is wrong, but kind")
    assert Line.lines["web"].sent == []
    assert house.texts(contact) == ["A hard question", "He is wrong, but kind"]


def test_who_writes_as_their_conversation_goes_does_not_go_on_in_the_next(house: House, pages: Open) -> None:
    ana, carla, _ = consulted(house, pages)
    house.submit(SetStatus(agent="ana", status="break"))
    other = house.admit(text="Hi", customer_name="Tom Becker")
    take(carla)
    carla.locator(".talk").first.click()
    expect(carla.locator(".head-facts")).to_contain_text("Consultation")
    carla.locator("#composer").press_sequentially("He is")
    ana.get_by_role("button", name="Stop asking").click()
    expect(carla.locator(".head-who")).to_have_text("Tom Becker")
    carla.keyboard.type(" a liar")
    carla.keyboard.press("Enter")
    expect(carla.locator("#composer")).to_have_value("")
    assert house.texts(other) == ["Hi"]
    carla.keyboard.press("Alt+c")
    expect(carla.locator("#composer")).to_be_focused()


def test_notes_being_written_as_their_after_work_ends_do_not_go_on_in_the_next(
    house: House, pages: Open
) -> None:
    page = desk(pages, house, "ana")
    first, second = (house.admit(text="Hi", customer_name=name) for name in ("Marta Iglesias", "Tom Becker"))
    for contact in (first, second):
        take(page)
        house.submit(AbandonContact(contact=contact))
    talk(page, "Marta Iglesias")
    page.locator("#wrap-notes").press_sequentially("Lamp")
    house.submit(FinishWrapUp(contact=first, agent="ana"))
    expect(page.locator(".head-who")).to_have_text("Tom Becker")
    page.keyboard.type(" is broken")
    expect(page.locator("#wrap-notes")).to_have_value("")


def test_message_too_late_for_its_consultation_is_given_back_as_a_note(house: House, pages: Open) -> None:
    ana, carla, contact = consulted(house, pages)
    carla.context.set_offline(True)
    expect(carla.locator(".banner")).to_be_visible()
    write(carla, "Let me explain")
    expect(carla.locator(".message.sending")).to_contain_text("Let me explain")
    ana.get_by_role("button", name="All together").click()
    expect(ana.locator(".head-facts")).to_contain_text("with Carla Ruiz")
    carla.context.set_offline(False)
    expect(carla.locator(".banner")).to_be_hidden(timeout=RECONNECT_S * 1000)
    expect(carla.locator(".head-facts")).to_contain_text("with Ana García")
    expect(carla.locator("#composer")).to_have_value("Let me explain")
    expect(carla.locator(".composer")).to_have_class(re.compile("inside"))
    assert house.texts(contact) == ["A hard question"]


def test_message_given_back_stands_before_what_has_been_written_since(house: House, pages: Open) -> None:
    ana, carla, contact = consulted(house, pages)
    carla.context.set_offline(True)
    expect(carla.locator(".banner")).to_be_visible()
    write(carla, "Let me explain")
    carla.locator("#composer").press_sequentially("It is broken")
    ana.get_by_role("button", name="All together").click()
    expect(ana.locator(".head-facts")).to_contain_text("with Carla Ruiz")
    carla.context.set_offline(False)
    expect(carla.locator(".banner")).to_be_hidden(timeout=RECONNECT_S * 1000)
    expect(carla.locator("#composer")).to_have_value("Let me explain\nIt is broken")
    expect(carla.locator(".composer")).to_have_class(re.compile("inside"))
    assert house.texts(contact) == ["A hard question"]


def test_consultation_ends_in_a_hand_over(house: House, pages: Open) -> None:
    ana = desk(pages, house, "ana")
    contact = house.admit(text="A hard question", **MARTA)
    take(ana)
    carla = desk(pages, house, "carla")
    ana.keyboard.press("Alt+q")
    ana.get_by_role("option", name="Carla Ruiz").click()
    ana.get_by_role("dialog").get_by_role("button", name="Ask").click()
    take(carla)
    ana.get_by_role("button", name="Hand over").click()
    expect(ana.locator(".wrap")).to_be_visible()
    expect(carla.locator(".head-facts")).to_have_text(re.compile(rf"^Chat.*#{contact}$"))
    expect(carla.locator(".head-who")).to_have_text("Marta Iglesias")
    view = house.contact(contact)
    assert view is not None
    assert view.agent == "carla"


def test_call_is_held_and_taken_up_where_the_channel_can(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    contact = house.admit(channel="phone", customer_name="Tom Becker", handle="+34600112233", language="en")
    take(page)
    expect(page.locator("#composer")).to_have_attribute("placeholder", "A note that only colleagues see")
    page.keyboard.press("Alt+o")
    expect(page.locator(".head .pill")).to_have_text("On hold")
    house.until_phase(contact, "on_hold")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.keyboard.press("Alt+o")
    expect(page.locator(".head .pill")).to_have_text("Connected")
    house.until(lambda: Line.lines["phone"].held == [True, False], "the channel held and took up")
    expect(page.get_by_role("button", name="Hold")).to_be_visible()


def test_callback_shows_the_number_and_asks_whether_it_was_answered(house: House, pages: Open) -> None:
    contact = house.admit(text="Hi", **MARTA)
    house.until_phase(contact, "waiting")
    house.submit(RequestCallback(contact=contact, handle="+34 600 112 233"))
    page = desk(pages, house, "ana")
    expect(page.locator(".offer")).to_contain_text("Wants to be called back")
    page.keyboard.press("Alt+a")
    number = page.locator(".dial-number")
    expect(number).to_have_text("+34 600 112 233")
    expect(number).to_have_attribute("href", "tel:+34600112233")
    shot(page, "desk-callback")
    page.get_by_role("button", name="Reached", exact=True).click()
    expect(page.locator(".conversation[data-state=connected]")).to_be_visible()
    assert house.phase(contact) == "connected"


def test_unanswered_callback_goes_back_to_wait(house: House, pages: Open) -> None:
    contact = house.admit(text="Hi", **MARTA)
    house.until_phase(contact, "waiting")
    house.submit(RequestCallback(contact=contact, handle="+34 600 112 233"))
    page = desk(pages, house, "ana")
    expect(page.locator(".offer")).to_be_visible()
    page.keyboard.press("Alt+a")
    page.get_by_role("button", name="Not reached").click()
    # It waits for a second, which may be over before we look: then it is offered anew.
    house.until(lambda: house.phase(contact) in {"waiting", "offered"}, "it waits again")
    expect(page.locator(".dialling")).to_be_hidden()


def test_web_customer_who_closed_the_page_is_called_back_by_hand_until_reached(
    house: House, pages: Open
) -> None:
    customer = pages(f"{house.address}/chat/shop?lang=en")
    customer.locator("textarea").fill("My invoice is wrong")
    customer.keyboard.press("Enter")
    customer.get_by_role("button", name="Call me back").click()
    customer.get_by_label("Telephone or e-mail").fill("+34 600 111 222")
    customer.get_by_role("button", name="Call me back").last.click()
    expect(customer.get_by_text("You may close this page.")).to_be_visible()
    customer.close()
    page = desk(pages, house, "ana")
    for answered in (False, True):
        expect(page.locator(".offer")).to_contain_text("Wants to be called back")
        page.keyboard.press("Alt+a")
        expect(page.locator(".dial-number")).to_have_text("+34 600 111 222")
        name = "Reached" if answered else "Not reached"
        page.get_by_role("button", name=name, exact=True).click()
        if not answered:
            expect(page.locator(".dialling")).to_be_hidden()
    expect(page.locator(".conversation[data-state=connected]")).to_be_visible()
    write(page, "As I said on the telephone: it is mended.")
    expect(page.locator(".message.mine")).to_contain_text("it is mended")


def test_contact_is_begun_where_a_channel_can(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    page.keyboard.press("Alt+p")
    expect(page.get_by_label("Number or address")).to_be_focused()
    page.get_by_label("Number or address").fill("+34600998877")
    page.get_by_label("Name").fill("Tom Becker")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".head-who")).to_have_text("Tom Becker")
    expect(page.locator(".head-facts")).to_contain_text("Outbound")
    expect(page.locator(".head .pill")).to_have_text("Connected")


def test_break_and_return_and_leaving(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    page.keyboard.press("Alt+s")
    page.get_by_role("menuitemradio", name="Lunch").click()
    expect(page.locator(".empty h1")).to_have_text("On a break: Lunch")
    agent = house.engine.look(lambda board: board.agent("ana"))
    assert agent is not None
    assert (agent.status, agent.reason) == ("break", "lunch")
    page.get_by_role("button", name="I'm back").click()
    expect(page.locator(".me-state")).to_have_text("Available")
    house.submit(SetStatus(agent="ana", status="break", by="supervisor"))
    expect(page.locator(".me-state")).to_have_text("Break")
    page.keyboard.press("Alt+s")
    page.get_by_role("menuitem", name="Sign out now").click()
    expect(page.locator(".empty h1")).to_have_text("You are not signed in")
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".me-state")).to_have_text("Available")


def test_why_not_me_names_what_is_missing(house: House, pages: Open) -> None:
    page = desk(pages, house, "ben")
    house.admit(text="Hola", queue="atencion", language="es", customer_name="Luis Ortega")
    page.keyboard.press("Alt+y")
    expect(page.get_by_role("dialog")).to_contain_text("needs spanish at 5, has 0")
    shot(page, "desk-why")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    shot(page, "desk-keys")


def test_words_of_customers_never_become_markup(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    evil = "<img src=x onerror=alert(1)><b>bold</b> javascript:alert(1) https://example.org/a?b=<i>"
    contact = house.admit(
        text=evil, customer_name="<script>alert(2)</script>", subject="<b>s</b>", handle="<i>h</i>"
    )
    take(page)
    house.submit(
        IdentifyContact(
            contact=contact, customer=Customer(id="1", name="<u>x</u>", url="javascript:alert(3)")
        )
    )
    expect(page.locator(".head-who")).to_have_text("<u>x</u>")
    bubble = page.locator(".message.theirs .bubble")
    expect(bubble).to_have_text(evil)
    assert bubble.locator("img, b, i, script").count() == 0
    assert [link.get_attribute("href") for link in page.locator(".bubble a").all()] == [
        "https://example.org/a?b="
    ]
    assert page.locator("a[href^='javascript']").count() == 0


def test_message_written_while_the_link_is_down_is_sent_once(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana", allow=("ERR_INTERNET_DISCONNECTED", "WebSocket connection"))
    contact = house.admit(text="Hi", **MARTA)
    take(page)
    page.context.set_offline(True)
    expect(page.locator(".banner")).to_contain_text("Connection lost")
    write(page, "Still here")
    expect(page.locator(".message.sending")).to_contain_text("Still here")
    shot(page, "desk-lost")
    house.until(
        lambda: getattr(house.engine.look(lambda board: board.agent("ana")), "state", "") == "lost",
        "the agent counts as lost",
    )
    page.context.set_offline(False)
    expect(page.locator(".banner")).to_be_hidden(timeout=RECONNECT_S * 1000)
    expect(page.locator(".message.sending")).to_have_count(0)
    expect(page.locator(".message.mine")).to_have_count(1)
    expect(page.locator(".me-state")).to_have_text("In conversation")
    assert house.texts(contact) == ["Hi", "Still here"]


def test_trying_again_by_hand_while_it_is_asked_who_is_signed_in_opens_one_link(
    house: House, pages: Open
) -> None:
    page = pages("about:blank", allow=("WebSocket connection",))
    page.clock.install()
    opened: list[WebSocketRoute] = []
    asked: list[Route] = []

    def open_line(line: WebSocketRoute) -> None:
        opened.append(line)
        if len(opened) == 2:
            line.close(code=1011)
        else:
            line.connect_to_server()

    def hold(route: Route) -> None:
        asked.append(route)

    page.route_web_socket(re.compile("/ws/desk$"), open_line)
    page.route("**/api/me", hold)
    page.goto(f"{house.address}/console/#token={house.token('agent', 'ana')}")
    expect(page.locator(".desk")).to_be_visible()
    opened[0].close(code=1012)
    expect(page.locator(".banner")).to_be_visible()

    def is_asked() -> bool:
        page.clock.run_for(100)
        return bool(asked)

    house.until(is_asked, "the page asks whether its session is over")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".banner")).to_be_hidden()
    with page.expect_response("**/api/me"):
        asked[0].continue_()
    page.clock.run_for(60_000)
    expect(page.locator(".banner")).to_be_hidden()
    assert len(opened) == 3


def test_lost_link_is_told_once_though_its_seconds_count(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana", allow=("ERR_INTERNET_DISCONNECTED", "WebSocket connection"))
    page.clock.install()
    page.context.set_offline(True)
    told = page.get_by_role("alert").filter(has_text="Connection lost")
    expect(told).to_have_count(1)
    page.evaluate("""() => {
        window.told = 0;
        const lost = [...document.querySelectorAll("[role=alert]")].find((one) => one.textContent.includes("lost"));
        new MutationObserver(() => window.told++).observe(lost, { characterData: true, childList: true, subtree: true });
    }""")
    page.clock.run_for(60_000)
    assert page.evaluate("window.told") == 0
    expect(told).to_have_count(1)


def test_desk_comes_back_after_the_daemon_was_started_anew(tmp_path: Path, pages: Open) -> None:
    with held_port() as port:
        with open_house(tmp_path, port=port) as before:
            page = desk(
                pages,
                before,
                "ana",
                allow=("ERR_CONNECTION", "WebSocket connection", "ERR_EMPTY_RESPONSE", "status of 503"),
            )
            contact = before.admit(text="Hi", **MARTA)
            take(page)
        expect(page.locator(".banner")).to_be_visible()
        write(page, "Written in the gap")
        with open_house(tmp_path, port=port) as after:
            expect(page.locator(".banner")).to_be_hidden(timeout=RECONNECT_S * 1000)
            expect(page.locator(".message.mine")).to_contain_text("Written in the gap")
            expect(page.locator(".message.sending")).to_have_count(0)
            assert after.texts(contact) == ["Hi", "Written in the gap"]


def test_desk_tries_again_after_an_answer_that_broke_off(house: House, pages: Open) -> None:
    page = pages("about:blank")
    page.add_init_script("""{
        const { text } = Response.prototype;
        Response.prototype.text = function () {
            if (!this.url.endsWith("/api/me")) return text.call(this);
            Response.prototype.text = text;
            return Promise.reject(new TypeError("network error"));
        };
    }""")
    lines: list[WebSocketRoute] = []

    def opened(line: WebSocketRoute) -> None:
        lines.append(line)
        if len(lines) == 1:
            line.close(code=1012)
        else:
            line.connect_to_server()

    page.route_web_socket(re.compile("/ws/desk$"), opened)
    page.goto(f"{house.address}/console/#token={house.token('agent', 'ana')}")
    expect(page.locator(".desk")).to_be_visible()
    assert len(lines) == 2


def test_revoked_token_leads_back_to_the_form_which_says_so(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana", allow=("401", "WebSocket connection", "ERR_INTERNET_DISCONNECTED"))
    (token,) = [one for one in house.api("GET", "/api/tokens", role="admin") if one["agent"] == "ana"]
    page.context.set_offline(True)  # at its next look at open windows the server would close this one itself
    expect(page.locator(".banner")).to_be_visible()
    house.api("DELETE", f"/api/tokens/{token['id']}", role="admin")
    page.context.set_offline(False)
    expect(page.get_by_label("Access token")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_text("This token is not valid, or no longer.")


def test_window_that_is_one_too_many_says_so(house: House, pages: Open) -> None:
    first = desk(pages, house, "ana")
    for _ in range(9):
        window = first.context.new_page()
        window.goto(f"{house.address}/console/")
        expect(window.locator(".desk")).to_be_visible()
    last = first.context.new_page()
    last.goto(f"{house.address}/console/")
    expect(last.get_by_role("alert")).to_have_text("10 windows are open")


def test_file_of_a_customer_is_shown_and_one_is_sent_back(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    customer = pages(f"{house.address}/chat/shop?lang=en")
    customer.evaluate(CUSTOMER, {"picture": PICTURE})
    take(page)
    picture = page.locator(".picture img")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 8)
    page.locator(".composer input[type=file]").set_input_files(
        {"name": "answer.txt", "mimeType": "text/plain", "buffer": b"All is well."}
    )
    expect(page.locator(".attached")).to_contain_text("answer.txt")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    write(page, "See the file")
    expect(page.locator(".message.mine .file")).to_contain_text("answer.txt")
    expect(page.locator(".message.sending")).to_have_count(0)
    comes_true(customer, "window.heard.some((frame) => JSON.stringify(frame).includes('answer.txt'))")
    shot(page, "desk-files")


def test_file_being_chosen_as_another_conversation_comes_to_the_front_stays_with_its_own(
    house: House, pages: Open
) -> None:
    page = desk(pages, house, "ana")
    for _ in range(2):
        pages(f"{house.address}/chat/shop?lang=en").evaluate(CUSTOMER, {"picture": PICTURE})
        take(page)
    first, second = page.locator(".talk").all()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach").click()
    first.click()
    expect(first).to_have_attribute("aria-current", "true")
    chooser.value.set_files({"name": "answer.txt", "mimeType": "text/plain", "buffer": b"All is well."})
    second.click()
    expect(page.locator(".attached")).to_contain_text("answer.txt")
    first.click()
    expect(page.locator(".attached")).to_be_hidden()


def test_file_whose_taking_is_said_by_half_is_not_on_its_way_for_ever(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    pages(f"{house.address}/chat/shop?lang=en").evaluate(CUSTOMER, {"picture": PICTURE})
    take(page)
    page.route("**/desk/contacts/*/attachments", lambda route: route.fulfill(status=201, body='{"id": "b'))
    page.locator(".composer input[type=file]").set_input_files(
        {"name": "answer.txt", "mimeType": "text/plain", "buffer": b"All is well."}
    )
    says(page, "The server can't be reached")
    expect(page.locator(".attached li")).to_have_count(0)


def test_refused_message_gives_back_its_files_as_well_as_its_words(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana", allow=("ERR_INTERNET_DISCONNECTED", "WebSocket connection"))
    pages(f"{house.address}/chat/shop?lang=en").evaluate(CUSTOMER, {"picture": PICTURE})
    take(page)
    page.locator(".composer input[type=file]").set_input_files(
        {"name": "answer.txt", "mimeType": "text/plain", "buffer": b"All is well."}
    )
    attached = page.locator(".attached li")
    expect(attached).to_have_text("answer.txt")
    page.context.set_offline(True)
    expect(page.locator(".banner")).to_be_visible()
    page.evaluate(FILL_THE_LINK)
    write(page, "See the file")
    says(page, "Too much is waiting")
    expect(page.locator("#composer")).to_have_value("See the file")
    expect(attached).to_have_text("answer.txt")
    write(page, "")
    comes_true(
        page, "window.saidInPassing.filter((said) => said.includes('Too much is waiting')).length === 2"
    )
    expect(attached).to_have_text("answer.txt")


# As many commands as the desk keeps while its link is down; the next is refused.
FILL_THE_LINK = """async () => {
  const { whyNotMe } = await import("/console/static/desk/actions.js");
  for (let n = 0; n < 200; n++) whyNotMe();
}"""


PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR42mNk+M+AFzAxMIwqGEQKAFoHAg+0Ww2SAAAAAElFTkSuQmCC"
)
CUSTOMER = """async ({ picture }) => {
  window.heard = [];
  const base = location.host + "/chat/shop";
  const socket = new WebSocket("ws://" + base + "/ws");
  const next = (type) => new Promise((resolve) => socket.addEventListener("message", function once(event) {
    const frame = JSON.parse(event.data);
    if (frame.type !== type) return;
    socket.removeEventListener("message", once);
    resolve(frame);
  }));
  socket.addEventListener("message", (event) => window.heard.push(JSON.parse(event.data)));
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const session = next("session");
  socket.send(JSON.stringify({ type: "hello", language: "en" }));
  const { session: id, secret } = await session;
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const form = new FormData();
  form.set("session", id);
  form.set("secret", secret);
  form.set("file", new File([bytes], "screenshot.png", { type: "image/png" }));
  const answer = await fetch("http://" + base + "/attachments", { method: "POST", body: form });
  const { id: attachment } = await answer.json();
  socket.send(JSON.stringify({ type: "message", message_id: "m1", text: "Here it is", attachments: [attachment] }));
}"""


def test_dark_and_spanish(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana", dark=True, language="es-ES")
    house.admit(
        text="Hola, ¿me ayudan?",
        customer_name="Luis Ortega",
        queue="atencion",
        language="es",
        handle="luis@example.org",
    )
    expect(page.locator(".offer .accept")).to_contain_text("Aceptar")
    shot(page, "desk-offer-dark-es")
    take(page)
    expect(page.locator(".head .pill")).to_have_text("En curso")
    assert page.locator(".head .pill").evaluate(
        "pill => pill.getClientRects().length === 1 && pill.offsetHeight < 30"
    )
    assert page.locator("html").get_attribute("lang") == "es"
    page.get_by_role("button", name="Ajustes").click()
    page.get_by_role("menuitemradio", name="Claro").click()
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.get_by_role("button", name="Ajustes").click()
    page.get_by_role("menuitemradio", name="Inglés").click()
    expect(page.locator(".head .pill")).to_have_text("Connected")
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_asker_and_colleague_speak_in_the_consultation(house: House, pages: Open) -> None:
    ana = desk(pages, house, "ana")
    contact = house.admit(text="A hard question", **MARTA)
    take(ana)
    carla = desk(pages, house, "carla")
    ana.keyboard.press("Alt+q")
    ana.get_by_role("option", name="Carla Ruiz").click()
    ana.get_by_role("dialog").get_by_role("button", name="Ask").click()
    take(carla)
    expect(ana.locator(".strip")).to_contain_text("You are asking Carla Ruiz")
    ana.get_by_role("button", name="Open").click()
    expect(ana.locator(".head-who")).to_have_text("Carla Ruiz")
    write(ana, "May I refund it?")
    expect(carla.locator(".transcript")).to_contain_text("May I refund it?")
    write(carla, "Yes, you may.")
    expect(ana.locator(".transcript")).to_contain_text("Yes, you may.")
    expect(ana.locator(".message.sending")).to_have_count(0)
    shot(ana, "desk-consult-talk")
    ana.reload()
    expect(ana.locator(".talk")).to_have_count(2)
    talk(ana, "Marta Iglesias")
    ana.get_by_role("button", name="Stop asking").click()
    expect(ana.locator(".talk")).to_have_count(1)
    expect(carla.locator(".wrap, .empty").first).to_be_visible()
    assert Line.lines["web"].sent == []
    assert house.texts(contact) == ["A hard question"]


def test_keys_typed_for_one_call_do_not_wait_for_the_next(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    call = house.admit(channel="phone", customer_name="Marta Iglesias")
    take(page)
    page.get_by_label("Keys to press").fill("4711")
    house.submit(AbandonContact(contact=call))
    expect(page.locator(".wrap")).to_be_visible()
    page.keyboard.press("Alt+w")
    expect(page.locator(".empty")).to_be_visible()
    house.admit(channel="phone", customer_name="Tom Becker")
    take(page)
    expect(page.get_by_label("Keys to press")).to_have_value("")


def test_connection_is_muted_recorded_and_handed_on(house: House, pages: Open) -> None:
    page = desk(pages, house, "ana")
    contact = house.admit(channel="phone", text="Hello?", **MARTA)
    take(page)
    house.until_phase(contact, "connected")
    strip, line = page.locator(".controls"), Line.lines["phone"]
    strip.get_by_role("button", name="Mute").click()
    expect(strip.get_by_role("button", name="Unmute")).to_be_visible()
    strip.get_by_role("button", name="Record").click()
    expect(strip).to_contain_text("Recording")
    strip.get_by_role("button", name="Pause recording").click()
    expect(strip).to_contain_text("Recording is paused")
    strip.get_by_label("Keys to press").fill("42#")
    page.keyboard.press("Enter")
    strip.get_by_role("button", name="Go on recording").click()
    strip.get_by_role("button", name="Stop recording").click()
    says(page, "every call is recorded here")
    assert [one for one in line.controlled if one[0] != "record_resume"] == [
        ("mute", ""), ("record", ""), ("record_pause", ""), ("keys", "42#")
    ]  # fmt: skip
    shot(page, "desk-controls")
    page.locator(".head").get_by_role("button", name="Consult").click()
    page.get_by_role("radio", name="Number").click()
    page.get_by_label("A number outside").fill("600 111 222")
    page.locator(".handover button[type=submit]").click()
    strip.get_by_role("button", name="Let the number go").click()
    expect(strip.get_by_role("button", name="Let the number go")).to_be_hidden()
    assert line.controlled[-2:] == [("call_number", "600111222"), ("drop_number", "")]
    page.locator(".head").get_by_role("button", name="Transfer").click()
    page.get_by_role("radio", name="Number").click()
    page.get_by_label("A number outside").fill("+34 600 111 222")
    page.locator(".handover button[type=submit]").click()
    house.until_phase(contact, "wrapping")
    house.until(lambda: line.forwarded == ["+34600111222"], "the line hands on")
