"""Counting from a moment on: what was before is gone from the counts, and nobody from the floor."""

from __future__ import annotations

from typing import Any

import pytest

from centralita.kpi import Figures
from tests.kpi.histories import QUEUES, History

GROWING = (
    "answered",
    "abandoned",
    "flowed_out",
    "removed",
    "became_callbacks",
    "ended",
    "handled",
    "offers_made",
)


def folded(history: History, parts: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The figures of a whole history, and of each of its parts."""
    whole, part = Figures(), Figures()
    found: list[dict[str, Any]] = []
    size = len(history.records) // parts + 1
    for index, record in enumerate(history.records):
        if index and index % size == 0:
            found.append(part.as_dict(record.at_ns))
            part.begin_anew(record.at_ns)
        whole.fold(record)
        part.fold(record)
    return whole.as_dict(), [*found, part.as_dict()]


@pytest.mark.parametrize("seed", range(6))
def test_parts_of_a_history_add_up_to_the_whole(seed: int) -> None:
    history = History(seed)
    history.play(500)
    whole, parts = folded(history, 4)
    for name in QUEUES:
        for key in GROWING:
            assert sum(part["queues"][name][key] for part in parts) == whole["queues"][name][key], (name, key)
        carried = sum(part["queues"][name]["waiting"] for part in parts[:-1])
        assert (
            sum(part["queues"][name]["offered"] for part in parts)
            == whole["queues"][name]["offered"] + carried
        )
    for agent, figures in whole["agents"].items():
        for state, spent_s in figures["time_s"].items():
            spent = sum(part["agents"][agent]["time_s"][state] for part in parts)
            assert spent == pytest.approx(spent_s, abs=0.01), (agent, state)


@pytest.mark.parametrize("seed", range(6))
def test_every_part_accounts_for_whoever_it_counts(seed: int) -> None:
    history = History(seed)
    history.play(500)
    for part in folded(history, 5)[1]:
        for contacts in (part["contacts"], part["consultations"]):
            assert contacts["admitted"] == contacts["ended"] + contacts["live"]
        for name, side in part["queues"].items():
            fates = ("answered", "abandoned", "became_callbacks", "flowed_out", "removed", "waiting")
            assert side["offered"] == sum(side[fate] for fate in fates), name
        reached = ("callbacks_reached", "callbacks_unreached", "callbacks_waiting")
        assert part["total"]["callbacks_requested"] == sum(part["total"][key] for key in reached)
        assert all(value >= 0 for value in part["trends"]["minutes"]["total"]["offered"])


def test_counts_that_begin_anew_survive_being_put_away() -> None:
    history = History(3)
    history.play(300)
    figures, half = Figures(), len(history.records) // 2
    for record in history.records[:half]:
        figures.fold(record)
    figures.begin_anew(history.records[half].at_ns)
    again = Figures.restore(figures.snapshot())
    for record in history.records[half:]:
        figures.fold(record)
        again.fold(record)
    assert again.as_dict() == figures.as_dict()
