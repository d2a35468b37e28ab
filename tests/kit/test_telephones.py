"""What is on the telephone passes the kit: calls, the desk, the mailbox, on a real Asterisk with real calls."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
import trio
from tools.asterisk_server import Asterisk

from centralita.plugins import load_plugins
from centralita.testing import Driver, Limits, Report, Subject, check_subject
from tests.kit.telephones import AGENTS, Mailbox, TelephoneDesk, Telephones
from tests.voice.phone import WITHIN_S
from tests.voice.server import running_asterisk


@pytest.fixture
def asterisk() -> Iterator[Asterisk]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with running_asterisk(AGENTS) as server:
            yield server
    finally:
        structlog.reset_defaults()


WORDS = {308, 309, 311, 312, 313, 318, 319}
"""Checks of channels that are about what is written."""


def checked(kind: str, type_name: str, driver: Driver) -> Report:
    limits = Limits(quiet_s=0.1, patience_s=WITHIN_S, check_s=5 * WITHIN_S)
    report = trio.run(check_subject, Subject(load_plugins(), kind, type_name, driver=driver, limits=limits))
    assert {one.number: f"{one.claim}: {one.message}" for one in report.of("failed")} == {}
    assert {one.number: one.message for one in report.of("skipped")} == {}
    return report


def test_calls_pass_every_check(asterisk: Asterisk) -> None:
    report = checked("channels", "asterisk", Telephones(asterisk))
    assert {one.number for one in report.of("inapplicable")} <= WORDS | {1001, 1002}


def test_a_desk_of_telephones_passes_every_check(asterisk: Asterisk) -> None:
    report = checked("desks", "asterisk", TelephoneDesk(asterisk))
    assert {one.number for one in report.of("inapplicable")} == {411, 412, 1001, 1002}


def test_a_mailbox_passes_every_check(asterisk: Asterisk) -> None:
    report = checked("channels", "asterisk_voicemail", Mailbox(asterisk))
    assert {one.number for one in report.of("inapplicable")} == WORDS
    assert {one.number for one in report.of("exempt")} == {315, 316, 317}
