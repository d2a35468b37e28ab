"""A real Asterisk for each test process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tools.asterisk_server import Asterisk

from tests.voice.server import running_asterisk

AGENTS = ("ana", "bea", "carl", "dora")


@pytest.fixture
def asterisk(session_asterisk: Asterisk) -> Iterator[Asterisk]:
    """The running server; what a failed test has left there is no concern of the next one."""
    yield session_asterisk
    if session_asterisk.channels():
        session_asterisk.cli("channel request hangup all")


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
    """One running server; every test leaves it without channels."""
    with running_asterisk(AGENTS) as server:
        yield server
