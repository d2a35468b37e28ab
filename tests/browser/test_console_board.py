"""The supervisor's wall board, in a real browser before the real daemon."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Locator, Page, expect

from centralita.messages import (
    AbandonContact,
    EndContact,
    MoveContact,
    RateContact,
    SetStatus,
    SignIn,
    SignOut,
)
from tests.console import browsing
from tests.console.browsing import LAPTOP, PHONE, RECONNECT_S, WALL, Open, board, desk, shot, take, within
from tests.console.house import House, Line, open_house
from tests.ports import held_port

CUT = """
(selector) => [...document.querySelectorAll(selector)].filter((box) => box.offsetParent).filter((box) => {
  const words = document.createRange();
  words.selectNodeContents(box);
  const [said, room] = [words.getBoundingClientRect(), box.getBoundingClientRect()];
  return said.left < room.left - 1 || said.right > room.right + 1;
}).map((box) => box.textContent)
"""
"""What of the selected has words that go over its edges."""

pytestmark = pytest.mark.browser
browser, house, pages = browsing.browser, browsing.house, browsing.pages


def row(page: Page, title: str) -> Locator:
    """A queue's line on the wall."""
    return page.locator("table.queues tbody tr", has=page.get_by_role("button", name=title, exact=True))


def tile(page: Page, name: str) -> Locator:
    """One of the five figures at the top."""
    return page.get_by_role("region", name=name, exact=True)


def test_wall_follows_a_contact_from_waiting_to_answered(house: House, pages: Open) -> None:
    page = board(pages, house, size=WALL)
    support = row(page, "Support")
    expect(support.locator(".c-waiting")).to_have_text("0")
    answered = house.admit(text="Hi", customer_name="Marta Iglesias")
    lost = house.admit(text="Hello")
    expect(support.locator(".c-waiting")).to_have_text("2")
    expect(support.locator(".c-longest .figure")).to_have_text(re.compile(r"^\d:(?!00)\d\d$"))  # it ticks
    expect(tile(page, "Waiting")).to_contain_text("in 1 queue")
    expect(page.locator(".alarm")).to_contain_text("Support: 2 waiting and nobody signed in")
    house.submit(AbandonContact(contact=lost))
    expect(support.locator(".c-abandoned .figure")).to_have_text("1")
    ana = desk(pages, house, "ana")
    take(ana)
    expect(support.locator(".c-waiting")).to_have_text("0")
    expect(tile(page, "Answered today")).to_contain_text("of 2 offered")
    expect(support.locator(".c-level .figure")).to_have_text("50 %")
    expect(support.locator(".c-level")).to_have_attribute("data-judged", "bad")
    expect(support.locator(".c-level .sign")).to_have_attribute("aria-label", "beyond the limit")
    expect(page.locator(".alarm")).to_be_hidden()
    expect(page.locator(".person", has_text="Ana García")).to_contain_text("In conversation")
    house.submit(EndContact(contact=answered, by="ana"))
    house.submit(RateContact(contact=answered, score=4))
    expect(tile(page, "Answered today")).to_contain_text("of 2 offered · ★ 4")
    assert "Marta" not in page.locator("body").inner_text()  # no customer's name on a wall
    shot(page, "board-wall")


def test_wait_is_judged_as_it_grows_though_nothing_happens(house: House, pages: Open) -> None:
    house.admit(text="Hello?")
    wall = board(pages, house)
    figures = [wall.locator(".tile[aria-label='Most pressing wait']"), wall.locator("td.c-longest").first]
    for figure in figures:
        expect(figure).to_have_attribute("data-judged", "good")
    wall.clock.install()
    for judged in ("warn", "bad"):
        wall.clock.fast_forward(301_000)
        for figure in figures:
            expect(figure).to_have_attribute("data-judged", judged)


def test_component_that_is_down_is_an_alarm(house: House, pages: Open) -> None:
    page = board(pages, house, size=WALL, dark=True)
    house.engine.look(lambda _: Line.lines["phone"].break_down())
    alarm = page.get_by_role("alert", name="Alarms")
    expect(alarm).to_contain_text("phone (channels) is down")
    expect(alarm).to_contain_text("ConnectionError")
    shot(page, "board-alarm-dark")
    house.engine.look(lambda _: Line.lines["phone"].mended())
    expect(alarm).to_be_hidden()


def test_supervisor_sees_why_a_contact_waits_and_offers_it_to_an_agent(house: House, pages: Open) -> None:
    ben = desk(pages, house, "ben")
    page = board(pages, house)
    house.admit(text="Hola", customer_name="Luis Ortega", queue="atencion", language="es")
    contact = house.admit(
        text="¿Hay alguien?", customer_name="Marta Iglesias", queue="atencion", language="es"
    )
    row(page, "Atención al cliente").click()
    page.locator(".waiter", has_text="Marta Iglesias").click()
    details = page.locator(".details:visible")
    expect(details).to_contain_text("Nobody signed in has what it needs: spanish 5.")
    expect(details.locator(".barred").first).to_contain_text("has waited longer")
    expect(details.locator(".barred").last).to_contain_text("Ben Okafor")
    expect(details.locator(".barred").last).to_contain_text("needs spanish at 5, has 0")
    shot(page, "board-why")
    details.get_by_label("Offer to").select_option("ben")
    details.get_by_role("button", name="Offer", exact=True).click()
    expect(ben.locator(".offer")).to_contain_text("Marta Iglesias")
    house.until_phase(contact, "offered")
    expect(page.locator(".waiter", has_text="Marta Iglesias")).to_contain_text("Offered")


def test_supervisor_moves_a_waiting_contact(house: House, pages: Open) -> None:
    page = board(pages, house)
    first = house.admit(text="Hi", customer_name="Marta Iglesias")
    second = house.admit(text="Hello", customer_name="Tom Becker")
    page.keyboard.press("w")
    expect(page.locator(".waiter")).to_have_count(2)
    expect(page.locator(".waiter").first).to_contain_text("Marta Iglesias")
    page.locator(".waiter", has_text="Tom Becker").click()
    details = page.locator(".details:visible")
    details.get_by_label("Priority").fill("10")
    details.get_by_role("button", name="Move").click()
    expect(page.locator(".waiter").first).to_contain_text("Tom Becker")
    details.get_by_label("Requires").fill("english 5, billing 2")
    details.get_by_label("Queue").select_option("sales")
    details.get_by_role("button", name="Move").click()
    house.until(lambda: getattr(house.contact(second), "queue", "") == "sales", "the contact was moved")
    view = house.contact(second)
    assert view is not None
    assert view.skills == {"english": 5, "billing": 2}
    assert view.priority == 10
    expect(row(page, "Sales").locator(".c-waiting")).to_have_text("1")
    assert house.phase(first) == "waiting"


def test_supervisor_changes_an_agents_status(house: House, pages: Open) -> None:
    page = board(pages, house)
    ana = desk(pages, house, "ana")
    page.keyboard.press("a")
    expect(page.get_by_role("tab", name="Agents")).to_be_focused()
    page.get_by_role("button", name="Change the status of Ana García").click()
    page.get_by_role("menuitemradio", name="Break").click()
    expect(ana.locator(".me-state")).to_have_text("Break")
    expect(page.locator(".staff-one", has_text="Ana García")).to_contain_text("Break")
    shot(page, "board-agents")
    page.get_by_role("button", name="Change the status of Ana García").click()
    page.get_by_role("menuitem", name="Sign out now").click()
    expect(ana.locator(".empty h1")).to_have_text("You are not signed in")
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_be_hidden()
    expect(page.locator("#open-agents")).to_be_focused()


def test_menu_and_field_keep_the_keys_while_the_lists_change_their_order(house: House, pages: Open) -> None:
    for agent in ("ana", "ben"):
        house.submit(SignIn(agent=agent, status="break"))
        house.submit(SetStatus(agent=agent, status="available"))
    page = board(pages, house)
    page.keyboard.press("a")
    staff = page.locator(".staff-one")
    expect(staff.first).to_contain_text("Ana García")
    page.get_by_role("button", name="Change the status of Ben Okafor").press("Enter")
    expect(page.get_by_role("menuitemradio", name="Available")).to_be_focused()
    house.submit(SetStatus(agent="ana", status="break"))
    expect(staff.first).to_contain_text("Ben Okafor")
    expect(page.get_by_role("menuitemradio", name="Available")).to_be_focused()
    house.submit(SetStatus(agent="ana", status="available"))
    house.submit(SetStatus(agent="ben", status="break"))
    expect(staff.first).to_contain_text("Ana García")
    expect(staff.nth(1)).to_contain_text("Ben Okafor")
    expect(page.get_by_role("menuitemradio", name="Available")).to_be_focused()


def test_form_of_a_waiting_contact_moves_only_what_was_touched(house: House, pages: Open) -> None:
    page = board(pages, house)
    contact = house.admit(text="Hi", customer_name="Marta Iglesias")
    page.keyboard.press("w")
    page.locator(".waiter", has_text="Marta Iglesias").click()
    details = page.locator(".details:visible")
    details.get_by_label("Requires").fill("english 5")
    house.submit(MoveContact(contact=contact, by="sol", queue="sales", priority=3))
    expect(row(page, "Sales").locator(".c-waiting")).to_have_text("1")
    expect(details.get_by_label("Queue")).to_have_value("sales")
    expect(details.get_by_label("Priority")).to_have_value("3")
    expect(details.get_by_label("Requires")).to_have_value("english 5")
    details.get_by_role("button", name="Move").click()
    house.until(lambda: getattr(house.contact(contact), "skills", {}) == {"english": 5}, "it is moved")
    view = house.contact(contact)
    assert view is not None
    assert (view.queue, view.priority) == ("sales", 3)


def test_chosen_agent_who_signs_out_gives_way_to_nobody(house: House, pages: Open) -> None:
    page = board(pages, house)
    house.admit(text="¿Hola?", customer_name="Marta Iglesias", queue="atencion")
    for agent in ("ana", "ben"):
        house.submit(SignIn(agent=agent, status="break"))
    page.keyboard.press("w")
    page.locator(".waiter", has_text="Marta Iglesias").click()
    pick = page.locator(".details:visible").get_by_label("Offer to")
    pick.select_option("ben")
    page.get_by_role("tab", name="Waiting").focus()
    house.submit(SignOut(agent="ben"))
    expect(pick.locator("option")).to_have_count(1)
    expect(pick).to_have_value("")


def test_supervisor_closes_and_opens_a_queue(house: House, pages: Open) -> None:
    page = board(pages, house)
    row(page, "Sales").click()
    page.get_by_role("button", name="Close the queue").click()
    expect(row(page, "Sales")).to_contain_text("closed")
    page.get_by_role("button", name="Open the queue").click()
    expect(row(page, "Sales")).to_contain_text("target")
    queue = house.engine.look(lambda switchboard: switchboard.queue("sales"))
    assert queue is not None
    assert queue.open


@pytest.mark.parametrize(("size", "least_px"), [(WALL, 60), (LAPTOP, 40)], ids=["wall", "laptop"])
def test_board_fits_the_screen_and_its_figures_are_large(
    house: House, pages: Open, size: dict[str, int], least_px: int
) -> None:
    house.admit(text="Hi")
    page = board(pages, house, size=size, language="es-ES")
    expect(page.get_by_role("columnheader", name="Nivel de servicio")).to_be_visible()
    expect(row(page, "Support").locator(".c-waiting")).to_have_text("1")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "(box => box.scrollHeight <= box.clientHeight)(document.querySelector('.queues-place'))"
    )
    for selector in (".c-waiting .figure", ".c-longest .figure"):
        px = float(
            row(page, "Support")
            .locator(selector)
            .evaluate("node => parseFloat(getComputedStyle(node).fontSize)")
        )
        assert px >= least_px, selector
    shot(page, f"board-{size['width']}-es")


@pytest.mark.parametrize(
    ("size", "more_queues"),
    [(PHONE, 0), (PHONE, 9), ({"width": 844, "height": 390}, 9), ({"width": 683, "height": 384}, 9)],
    ids=["telephone", "many-queues", "on-its-side", "twice-as-large"],
)
def test_board_can_be_read_on_a_small_screen(
    tmp_path: Path, pages: Open, size: dict[str, int], more_queues: int
) -> None:
    with open_house(tmp_path, more_queues=more_queues) as house:
        house.admit(text="Hi")
        page = board(pages, house, size=size, allow=("ERR_",))  # it outlives the house
        support = row(page, "Support")
        expect(support.locator(".c-waiting")).to_have_text("1")
        within(page, ".tile", ".queues td", ".person")
        right = 0.0
        for words in support.locator(".queue-state, .figure:visible").all():
            box = words.bounding_box()
            assert box is not None
            assert box["x"] >= right, "words and figures stand beside each other"
            right = box["x"] + box["width"]
        for figure in support.locator(".figure:visible").all():
            assert float(figure.evaluate("node => parseFloat(getComputedStyle(node).fontSize)")) >= 14
        heading = page.locator(".tile h2").first
        assert float(heading.evaluate("node => parseFloat(getComputedStyle(node).fontSize)")) >= 11
        shot(page, f"board-small-{size['width']}-{more_queues}")


@pytest.mark.parametrize("language", ["en-GB", "es-ES"])
def test_headings_on_a_telephone_are_whole(house: House, pages: Open, language: str) -> None:
    page = board(pages, house, size={"width": 390, "height": 844}, language=language)
    assert page.evaluate(CUT, ".queues thead th") == []
    shot(page, f"board-phone-{language}")


@pytest.mark.parametrize("width", [1280, 900])
def test_board_beside_the_drawer_is_whole(house: House, pages: Open, width: int) -> None:
    page = board(pages, house, size={"width": width, "height": 800}, language="es-ES")
    house.submit(AbandonContact(contact=house.admit(text="Hi")))
    expect(tile(page, "Atendidos hoy")).to_contain_text("de 1 recibido", use_inner_text=True)
    expect(tile(page, "Atendidos hoy")).not_to_contain_text("recibidos")
    for _ in range(110):
        house.submit(AbandonContact(contact=house.admit(text="Hi")))
    house.admit(text="Hi")
    expect(row(page, "Support").locator(".c-abandoned")).to_have_text("111100 %")
    expect(row(page, "Support").locator(".c-longest .figure")).to_have_text(re.compile(r"^\d:\d\d$"))
    page.keyboard.press("w")
    expect(page.locator(".waiter")).to_have_count(1)
    shot(page, f"board-beside-the-drawer-{width}")
    figures = ".queues tbody td:not(.c-level), .queues thead th, .tile h2, .tile-line"
    assert page.evaluate(CUT, figures) == []


def test_long_names_of_queues_take_two_lines(tmp_path: Path, pages: Open) -> None:
    with open_house(tmp_path, titles={"support": "Productos de temporada"}) as house:
        page = board(pages, house, size=WALL, allow=("ERR_",))  # it outlives the house
        name = page.get_by_role("button", name="Productos de temporada")
        assert page.evaluate(CUT, ".queue-name") == []
        assert name.evaluate("name => name.scrollHeight <= name.clientHeight + 1")
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        shot(page, "board-long-names")


def test_contact_is_offered_by_hand_only_where_somebody_is_there(house: House, pages: Open) -> None:
    house.admit(text="Hola", queue="atencion")
    page = board(pages, house)
    row(page, "Atención al cliente").click()
    page.locator(".waiter").click()
    expect(page.get_by_role("button", name="Move")).to_be_visible()
    expect(page.get_by_role("button", name="Offer", exact=True)).to_be_hidden()
    desk(pages, house, "ben")
    expect(page.get_by_role("button", name="Offer", exact=True)).to_be_visible()


def test_keys_change_between_who_waits_and_the_agents(house: House, pages: Open) -> None:
    page = board(pages, house)
    for key, name in (("w", "Waiting"), ("a", "Agents"), ("w", "Waiting")):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_a_long_line_is_counted_whole_and_its_number_fits(house: House, pages: Open) -> None:
    page = board(pages, house)
    for _ in range(1_005):
        house.admit(text="Hi")
    waiting = row(page, "Support").locator(".c-waiting")
    expect(waiting).to_have_text("1,005")
    page.keyboard.press("w")
    expect(page.get_by_role("tab", name="Waiting")).to_have_text("Waiting1,005")
    expect(page.locator(".waiter")).to_have_count(100)
    expect(page.get_by_text("The first 100 of 1,005.")).to_be_visible()
    assert waiting.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    shot(page, "board-long-line")


def test_agents_token_does_not_open_the_board(house: House, pages: Open) -> None:
    page = pages(f"{house.address}/board/#token={house.token('agent', 'ana')}")
    expect(page.get_by_role("alert")).to_contain_text("/console/")
    expect(page.locator(".wall")).to_have_count(0)


def test_board_says_that_it_is_stale_and_lives_again(tmp_path: Path, pages: Open) -> None:
    with held_port() as port:
        with open_house(tmp_path, port=port) as before:
            page = board(
                pages,
                before,
                allow=("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE", "status of 503"),
            )
            before.admit(text="Hi")
            expect(row(page, "Support").locator(".c-waiting")).to_have_text("1")
        expect(page.locator(".stale")).to_contain_text("Connection lost. As it was at")
        with open_house(tmp_path, port=port) as after:
            expect(page.locator(".stale")).to_be_hidden(timeout=RECONNECT_S * 1000)
            after.admit(text="Another")
            expect(row(page, "Support").locator(".c-waiting")).to_have_text("2")
