"""Every type that is installed passes the kit: ours as anybody's.

A new type is found here by itself. What its checks need (a server, settings, customers, agents) its driver says,
an entry point of group `centralita.drivers`: docs/plugin-kit.md.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
import trio

from centralita.plugins import HOOKS, load_plugins
from centralita.testing import Limits, Subject, check_subject
from centralita_http.lag import Lag

PLUGINS = load_plugins()
ELSEWHERE = dict.fromkeys(
    ("channels.asterisk", "channels.asterisk_voicemail", "desks.asterisk"), "test_telephones.py"
)
"""Types whose checks need more than a driver can ship with its plugin: a real Asterisk and telephones."""
PATIENT = Limits(quiet_s=0.1, patience_s=60, check_s=300)
"""For a busy machine: what must come is waited for longer, what a component may take stays as it is."""
TYPES = [(kind, type_name) for kind in HOOKS for type_name in PLUGINS.types(kind)]


@pytest.fixture(autouse=True)
def no_logs() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(("kind", "type_name"), TYPES, ids=[f"{kind}.{name}" for kind, name in TYPES])
def test_type_passes_every_check(kind: str, type_name: str) -> None:
    subject = Subject(PLUGINS, kind, type_name, limits=PATIENT)
    name = f"{kind}.{type_name}"
    if name in ELSEWHERE:
        pytest.skip(f"see {ELSEWHERE[name]}")
    if subject.driver is None and "not installed" in subject.why_no_driver and not os.environ.get("CI"):
        pytest.skip(subject.why_no_driver)
    report = trio.run(check_subject, subject)
    found = {one.number: f"{one.claim}: {one.message}" for one in report.of("failed")}
    assert found == {}
    # What is skipped lacks a driver, or something that the driver needs.
    assert {one.number: one.message for one in report.of("skipped")} == {}
    assert report.deprecations == ()


def test_pages_come_again_when_the_door_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True])
    monkeypatch.setattr(Lag, "busy", property(lambda _: next(answers, False)))
    subject = Subject(PLUGINS, "channels", "webchat", limits=PATIENT)
    report = trio.run(lambda: check_subject(subject, only=[201, 202, 203, 301, 306]))
    assert not report.of("failed")
    assert next(answers, None) is None
