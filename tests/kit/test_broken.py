"""Every check fails on a plugin that is broken for it, and on no other; good plugins pass them all."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
import trio
import trio.testing

from centralita.plugins import HOOKS, load_plugins
from centralita.runner.clock import RealClock, TrioClock
from centralita.testing import CHECKS, Limits, Report, Subject, check_subject
from tests.kit.broken import BROKEN, DRIVERS, GOOD, LEAKED, TYPE, plugin

REAL_TIME = {"journal"}
"""Kinds whose checks use threads, which a virtual clock would not wait for."""

ROUTES = (1001, 1002)


@pytest.fixture(autouse=True)
def quiet_and_closed() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
    while LEAKED:
        LEAKED.pop().close()


def report_on(kind: str, given: object, *, only: tuple[int, ...] = ()) -> Report:
    driver = DRIVERS.get(kind)
    real = kind in REAL_TIME or only == ROUTES
    subject = Subject(
        load_plugins([given], entry_points=only == ROUTES),
        kind,
        TYPE,
        driver=driver() if driver is not None else None,
        limits=Limits(quiet_s=0.05),
        clock=(lambda: TrioClock(1_772_000_000_000_000_000)) if not real else RealClock,
    )

    async def run() -> Report:
        return await check_subject(subject, only=only)

    if real:
        return trio.run(run)
    return trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


def test_there_is_a_broken_plugin_for_each_check() -> None:
    assert sorted(BROKEN) == sorted(CHECKS)


@pytest.mark.parametrize("kind", HOOKS)
def test_good_plugin_passes_every_check(kind: str) -> None:
    report = report_on(kind, plugin(kind, GOOD[kind]))
    assert [(one.number, one.message) for one in report.of("failed")] == []
    assert {one.number for one in report.of("skipped")} <= set(ROUTES)


def test_good_channel_has_its_routes_served() -> None:
    report = report_on("channels", plugin("channels", GOOD["channels"]), only=ROUTES)
    assert [one.outcome for one in report.results] == ["passed", "passed"]


@pytest.mark.parametrize("number", [number for number in sorted(BROKEN) if number not in ROUTES])
def test_broken_plugin_fails_its_check_and_no_other(number: int) -> None:
    kind, broken = BROKEN[number]
    report = report_on(kind, broken)
    assert [(one.number, one.message) for one in report.of("failed") if one.number != number] == []
    assert number in [one.number for one in report.of("failed")]


@pytest.mark.parametrize("number", ROUTES)
def test_broken_routes_fail_their_check_and_no_other(number: int) -> None:
    kind, broken = BROKEN[number]
    report = report_on(kind, broken, only=ROUTES)
    assert [one.number for one in report.of("failed")] == [number]
