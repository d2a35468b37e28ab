"""docs/states.md says what the tables and the code say."""

from __future__ import annotations

import re
import runpy
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from centralita.config import Limits, Queue
from centralita.state import Agent, AgentState, Contact, Phase, Work, WorkState

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")
WAITS = PAGE.partition("## Every wait has an end")[2]
INSIDE, _, EDGE = WAITS.partition("At the edge")

PASSING = {"arrived", "transferring", "ended"}
"""Phases that no contact rests in: `tests/engine/histories.py` fails when one does."""

BY_WORKS = {"offered", "connecting", "wrapping"}
"""Phases of a contact that end with the works in it, which have deadlines of their own."""


def rows(part: str) -> list[list[str]]:
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if "|" in line
    ]
    return [row for row in cells if row[0] != "who waits" and not row[0].startswith("---")]


def test_the_page_of_states_is_what_the_tables_give() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "diagrams.py"))["page"]()
    assert made == PAGE, "run: python tools/diagrams.py"


def test_every_phase_that_a_contact_rests_in_has_a_row() -> None:
    told = {name for row in rows(INSIDE) for name in re.findall(r"contact, `(\w+)`", row[0])}
    assert told == set(get_args(Phase)) - PASSING - BY_WORKS


def test_every_part_of_an_agents_in_a_contact_that_waits_has_a_row() -> None:
    told = {name for row in rows(INSIDE) for name in re.findall(r"agent, `(\w+)`", row[0])}
    assert told == set(get_args(WorkState)) - {"connected"} == BY_WORKS
    assert any(row[0] == "agent, lost" for row in rows(INSIDE))
    assert "lost" in get_args(AgentState)


def test_every_row_has_an_end_and_what_comes_then() -> None:
    for row in [*rows(INSIDE), *rows(EDGE)]:
        assert len(row) == 5, row
        assert all(row[:4]), row


def test_every_setting_and_field_named_exists() -> None:
    named = {"Contact": Contact, "Work": Work, "Agent": Agent, "limits": Limits}
    for name, field in re.findall(r"`(Contact|Work|Agent|limits)\.(\w+)`", INSIDE):
        assert field in named[name].__struct_fields__, f"{name}.{field}"
    for row in rows(INSIDE):
        if "queue's" in row[2]:
            for field in re.findall(r"`(\w+)`", row[2]):
                assert field in Queue.__struct_fields__, field


@pytest.mark.parametrize(
    "row", [row for row in rows(EDGE) if not row[4].startswith("docs/")], ids=lambda row: row[0]
)
def test_the_limits_at_the_edge_are_those_of_the_code(row: list[str]) -> None:
    words = {"three": "3", "four": "4"}
    said = re.sub(r"\b(three|four)\b", lambda found: words[found[0]], f"{row[2]} {row[3]}")
    numbers = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", said)}
    constants = re.findall(r"`(\w+)\.(\w+)`", row[4])
    assert constants
    for module, name in constants:
        value = getattr(import_module(f"centralita.runner.{module}"), name)
        assert float(value) in numbers, f"{module}.{name} is {value}"


def test_pages_named_are_there() -> None:
    for row in rows(EDGE):
        if row[4].startswith("docs/"):
            assert (ROOT / row[4]).is_file(), row[4]
