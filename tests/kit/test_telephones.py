"""The channel for telephone calls passes the kit, on a real Asterisk with real calls."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import trio
from tools.asterisk_server import Asterisk, Unavailable

from centralita.plugins import load_plugins
from centralita.testing import Limits, Subject, check_subject
from tests.kit.telephones import AGENTS, Telephones


@pytest.fixture
def asterisk() -> Iterator[Asterisk]:
    # Not under pytest's own folder: its name is too long for Asterisk's control socket.
    folder = Path(tempfile.mkdtemp(prefix="ast-"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        server = Asterisk(folder, agents=AGENTS)
        server.start()
    except Unavailable as error:
        shutil.rmtree(folder, ignore_errors=True)
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Asterisk here: {error}")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        structlog.reset_defaults()


def test_calls_pass_every_check(asterisk: Asterisk) -> None:
    subject = Subject(
        load_plugins(),
        "channels",
        "asterisk",
        driver=Telephones(asterisk),
        limits=Limits(quiet_s=0.1, patience_s=20),
    )
    report = trio.run(check_subject, subject)
    assert {one.number: f"{one.claim}: {one.message}" for one in report.of("failed")} == {}
    assert {one.number: one.message for one in report.of("skipped")} == {}
    words = {308, 309, 311, 312, 313, 318}
    assert {one.number for one in report.of("inapplicable")} <= words | {319, 1001, 1002}
