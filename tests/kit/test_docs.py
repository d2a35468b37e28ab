"""docs/plugin-kit.md and the kit say the same: every check, every driver, every checker, every limit."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from centralita import testing
from centralita.testing import (
    CHECKS,
    ChannelDriver,
    Customer,
    DeskDriver,
    Driver,
    FollowerDriver,
    Limits,
    Seat,
)

DOCS = Path(__file__).parents[2] / "docs"
KIT = (DOCS / "plugin-kit.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", KIT, re.MULTILINE)


def test_every_check_stands_in_the_docs_with_its_claim_and_meaning_and_nothing_else_does() -> None:
    meant = [
        (str(number), one.claim, " ".join((inspect.getdoc(one.attempt) or "").split()))
        for number, one in sorted(CHECKS.items())
    ]
    assert meant == ROWS


def test_checks_of_one_kind_stand_in_one_hundred() -> None:
    for module in testing.MODULES:
        numbers = {
            number // 100 for number, one in CHECKS.items() if one.attempt.__module__ == module.__name__
        }
        said = {
            int(found) // 100 for found in re.findall(r"(\d+) to \d+", (module.__doc__ or "").split(":")[0])
        }
        assert numbers == said, module.__name__


def test_every_checker_is_named() -> None:
    checkers = [name for name in testing.__all__ if re.fullmatch(r"check_\w+", name)]
    assert [name for name in checkers if f"`{name}`" not in KIT and name not in ("check_subject",)] == []


@pytest.mark.parametrize("kind", [Driver, ChannelDriver, DeskDriver, FollowerDriver, Customer, Seat])
def test_every_member_of_a_driver_is_named(kind: type) -> None:
    own = {*vars(kind), *getattr(kind, "__annotations__", {})}
    missing = [
        name
        for name in sorted(own)
        if not name.startswith("_") and not re.search(rf"`{name}\b", KIT) and name != "files"
    ]
    assert missing == []


def test_limits_in_the_docs_are_those_of_the_kit() -> None:
    limits, flat = Limits(), " ".join(KIT.split())
    assert f"More than {limits.block_s:g} s is a failure" in flat
    assert (
        f"{limits.start_s:g} s to start, {limits.stop_s:g} s to end, {limits.channel_call_s:g} s for a channel's "
        f"call, {limits.desk_call_s:g} s for a desk's" in flat
    )
    assert limits.check_s == 120
    assert "longer than two minutes has failed" in flat
