"""A real Asterisk for each test process."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tools.asterisk_server import Asterisk

from tests.voice.phone import RETRANSMIT_S, WITHIN_S, registration
from tests.voice.server import running_asterisk

AGENTS = ("ana", "bea", "carl", "dora")


@pytest.fixture
def asterisk(session_asterisk: Asterisk) -> Asterisk:
    """The running server, as if no test had been there before: nothing that one has left is found by the next."""
    _hang_up_all(session_asterisk)
    _unregister_all(session_asterisk)
    for recording in (session_asterisk.folder / "spool" / "recording").iterdir():
        recording.unlink()
    return session_asterisk


@pytest.fixture
def own_asterisk(asterisk: Asterisk) -> Iterator[Asterisk]:
    """A server that a test may kill. (`asterisk` skips where there can't be one.)"""
    with _another(asterisk) as server:
        yield server


@pytest.fixture
def second_asterisk(asterisk: Asterisk) -> Iterator[Asterisk]:
    """A server beside it, where nobody is registered yet."""
    with _another(asterisk) as server:
        yield server


@contextmanager
def _another(asterisk: Asterisk) -> Iterator[Asterisk]:
    with tempfile.TemporaryDirectory(prefix="ast-") as folder:
        server = Asterisk(Path(folder), agents=asterisk.agents)
        server.start()
        try:
            yield server
        finally:
            # An orderly end would wait for what the test has left there.
            server.kill()


@pytest.fixture(scope="session")
def session_asterisk() -> Iterator[Asterisk]:
    """One server for all tests of this process."""
    with running_asterisk(AGENTS) as server:
        yield server


def _hang_up_all(server: Asterisk) -> None:
    """A call would be a contact of the next test's engine."""
    if server.channels():
        server.cli("channel request hangup all")
        _wait(lambda: not server.channels(), "calls of an earlier test stay")


def _unregister_all(server: Asterisk) -> None:
    """A telephone would be rung in place of the next test's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(RETRANSMIT_S)

        def unregistered(name: str) -> bool:
            request = registration(name, phone.getsockname()[1], server.sip, contact="*", expires=0)
            phone.sendto(request, ("127.0.0.1", server.sip))
            try:
                return phone.recv(65_536).startswith(b"SIP/2.0 200")
            except TimeoutError:
                return False

        for name in _registered(server):
            _wait(partial(unregistered, name), f"{name} can't be unregistered")
    _wait(lambda: not _registered(server), "telephones of an earlier test stay")


def _registered(server: Asterisk) -> list[str]:
    found = server.get("endpoints/PJSIP")
    assert isinstance(found, list)
    return [one["resource"] for one in found if one["resource"] in server.agents and one["state"] == "online"]


def _wait(what: Callable[[], bool], otherwise: str) -> None:
    ends_at = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < ends_at, otherwise
        time.sleep(0.01)
