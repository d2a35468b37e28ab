"""Debian's chromium before a running company: fixtures and words that the browser tests share.

Every page is watched: an error on its console, a broken content policy or an uncaught exception fails the
test, whatever it was about.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.console.house import PATIENCE_S, House, open_house

CHROMIUM = shutil.which("chromium") or ""
SHELL = shutil.which("chromium-headless-shell") or CHROMIUM
"""The same engine without the browser's own windows around it, of which each costs more than the page."""
SCREENSHOTS = Path(__file__).parents[1] / "screenshots"
LAPTOP = {"width": 1366, "height": 768}
WALL = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 800}

RECONNECT_S = 120
"""How long a page may take to come back: its pauses between tries grow to some twenty seconds."""
LAUNCH_S = 180
KEEP_PASSING = """
window.saidInPassing = [];
new MutationObserver((changes) => {
  for (const node of changes.flatMap((change) => [...change.addedNodes]))
    if (node.classList?.contains("toast")) window.saidInPassing.push(node.textContent);
}).observe(document, { childList: true, subtree: true });
"""

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with _launched(SHELL) as browser:
        yield browser


@pytest.fixture(scope="module")
def whole_browser() -> Iterator[Browser]:
    with _launched(CHROMIUM) as browser:
        yield browser


@contextmanager
def _launched(program: str) -> Iterator[Browser]:
    if not program:
        assert not os.environ.get("CI"), "chromium is not installed"
        pytest.skip("chromium is not installed: apt-get install chromium-headless-shell fonts-dejavu-core")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"], timeout=LAUNCH_S * 1000
        )
        yield browser
        browser.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as company:
        yield company


@pytest.fixture
def pages(browser: Browser) -> Iterator[Open]:
    """Opens pages and, at the end, fails the test for what their consoles complained of.

    `allow` names parts of complaints that the test provokes: a server that is gone, a refused token.
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(
        address: str,
        *,
        size: dict[str, int] = LAPTOP,
        dark: bool = False,
        language: str = "en-GB",
        allow: tuple[str, ...] = (),
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if dark else "light",
            locale=language,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_S * 1000)
        context.add_init_script(KEEP_PASSING)
        page = context.new_page()

        def heard(message: ConsoleMessage) -> None:
            if message.type == "error" and not any(part in message.text for part in allow):
                complaints.append(f"{message.text} ({message.location['url']})")

        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, "; ".join(complaints)


expect.set_options(timeout=PATIENCE_S * 1000)


def desk(pages: Open, house: House, agent: str, **settings: Any) -> Page:
    """The desk of an agent, signed in by a link."""
    page = pages(f"{house.address}/console/#token={house.token('agent', agent)}", **settings)
    expect(page.locator(".desk")).to_be_visible()
    return page


def board(pages: Open, house: House, **settings: Any) -> Page:
    """The wall board, signed in by a link."""
    page = pages(f"{house.address}/board/#token={house.token('supervisor')}", **settings)
    expect(page.locator(".wall")).to_be_visible()
    return page


def comes_true(page: Page, expression: str, arg: object = None) -> None:
    """Wait until a JavaScript expression, or a function of `arg`, is true in a page.

    Not Playwright's own `wait_for_function`: all but its first look is an `eval` in the page, which the
    pages' content policy forbids.
    """
    ends_at = time.monotonic() + PATIENCE_S
    while not page.evaluate(expression, arg):
        assert time.monotonic() < ends_at, f"never came true: {expression}"
        page.wait_for_timeout(20)


def says(page: Page, words: str) -> None:
    """The page says so in passing: looked for among all that it has said, because what passes may be gone."""
    comes_true(page, "(words) => window.saidInPassing.some((said) => said.includes(words))", words)


def within(page: Page, *selectors: str) -> None:
    """Nothing goes over the edges of the screen's width: not the page, nor what the selectors name."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for selector in selectors:
        for one in page.locator(selector).all():
            if box := one.bounding_box():
                assert box["x"] >= 0, selector
                assert box["x"] + box["width"] <= page.evaluate("innerWidth"), selector


def shot(page: Page, name: str, *, of: str = "console") -> None:
    """Keep what the page looks like, for people; not in git."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.evaluate("document.fonts.ready")
    page.screenshot(path=SCREENSHOTS / f"{of}-{name}.png")


def write(page: Page, text: str) -> None:
    """Say something in the conversation in front."""
    page.locator("#composer").fill(text)
    page.locator("#composer").press("Enter")


def take(page: Page) -> None:
    """Accept the offer by the keyboard and wait until its words can be written, whatever was in front.

    The news may show the conversation before the reply does, which brings the focus: what a test did in between
    would lose it again.
    """
    offer = page.locator(".offer").first
    expect(offer).to_be_visible()
    contact = offer.get_attribute("data-contact")
    page.keyboard.press("Alt+a")
    facts = page.locator(".conversation[data-state=connected] .head-facts")
    expect(facts).to_have_text(re.compile(rf"#{contact}$"))
    expect(facts).to_be_visible()
    expect(page.locator("#composer")).to_be_focused()
