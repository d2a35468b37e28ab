"""An agent whose telephone is a browser: SIP over a WebSocket, sound over WebRTC, in a real Chromium."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from tools.asterisk_server import RTP_PORTS, Asterisk

from tests.voice.house import CUSTOMER_HZ, WITHIN_S, open_house

pytest.importorskip("playwright")
from playwright.sync_api import sync_playwright

from tests.console.browsing import CHROMIUM

pytestmark = pytest.mark.browser
HZ = 1700
PJSIP = """
[ws]
type = transport
protocol = ws
bind = 127.0.0.1
[dora]
type = endpoint
transport = ws
context = phones
aors = dora
disallow = all
allow = ulaw
webrtc = yes
media_address = 127.0.0.1
bind_rtp_to_media_address = yes
rewrite_contact = yes
[dora]
type = aor
max_contacts = 1
remove_existing = yes
"""
SWITCHES = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    # Everything stays on this machine: candidates on loopback, and no names in place of addresses.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


@pytest.fixture
def web_asterisk(asterisk: Asterisk) -> Iterator[Asterisk]:
    """A server that takes telephones in browsers. (`asterisk` skips where there can't be one.)"""
    if not CHROMIUM and not os.environ.get("CI"):
        pytest.skip("chromium is not installed")
    if not _has_network():
        pytest.skip("a browser opens no sound where loopback is the only network")
    rtp = (
        f"[general]\nrtpstart = {RTP_PORTS.start}\nrtpend = {RTP_PORTS.stop - 1}\n"
        "icesupport = yes\nstrictrtp = no\n"
    )
    with tempfile.TemporaryDirectory(prefix="ast-") as folder:
        server = Asterisk(
            Path(folder), agents=("ana",), extra={"pjsip.conf": PJSIP}, replaced={"rtp.conf": rtp}
        )
        server.start()
        yield server
        server.stop()


def _has_network() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks for a route
        except OSError:
            return False
    return True


class BrowserPhone:
    """The page in `browser_phone.js`, and what it said last."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {}
        self._leave = threading.Event()

    def run(self, url: str, name: str) -> None:
        """In a thread of its own, until `leave`."""
        script = (Path(__file__).parent / "browser_phone.js").read_text(encoding="utf-8")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
            page = browser.new_page()
            page.add_script_tag(content=script)
            page.evaluate("([url, name, hz]) => start(url, name, hz)", [url, name, HZ])
            while not self._leave.is_set():
                self.said = page.evaluate("() => phone")
                assert not self.said["problem"], self.said
                page.wait_for_timeout(50)
            browser.close()

    def leave(self) -> None:
        self._leave.set()


async def test_agent_whose_phone_is_a_browser_talks_with_a_customer(web_asterisk: Asterisk) -> None:
    async with open_house(web_asterisk, phones={"sign_in": "registered"}) as house:
        phone = BrowserPhone()
        url = f"ws://127.0.0.1:{web_asterisk.http}/ws"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, phone.run, url, "dora")
            try:
                # Registered is here; ringing is the offer; answering accepts.
                await house.until(
                    lambda: getattr(house.switchboard.agent("dora"), "status", "") == "available"
                )
                customer = await house.customer()
                calling = await customer.call("sales")
                await house.phase("connected")
                await calling.hears(HZ, within_s=WITHIN_S)
                await house.until(lambda: abs(phone.said["heardHz"] - CUSTOMER_HZ) < 20)
                await calling.hang_up()
                await house.until(lambda: phone.said["ended"] == 1)
                await house.quiet()
                assert house.outcomes() == ["served"]
            finally:
                phone.leave()
