"""The channel of examples/ passes the kit, its customers played by the driver of the template."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from centralita.plugins import load_plugins
from centralita.testing import Limits, Subject, check_subject

ROOT = Path(__file__).parents[2]


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.syspath_prepend(str(ROOT / "cli/centralita_cli/templates/plugin/channel"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield import_module("third_party_channel"), import_module("my_plugin.driver")
    structlog.reset_defaults()


def test_example_channel_passes_every_check(modules: tuple[Any, Any]) -> None:
    example, driver_module = modules
    driver = driver_module.MyPluginDriver()
    driver.text_chars_max = 300
    subject = Subject(
        load_plugins([example], entry_points=False),
        "channels",
        "line_chat",
        driver=driver,
        limits=Limits(quiet_s=0.1, patience_s=60, check_s=300),
    )
    report = trio.run(check_subject, subject)
    assert {one.number: one.message for one in report.of("failed")} == {}
    assert {one.number: one.message for one in report.of("skipped")} == {}
