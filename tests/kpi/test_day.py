"""What is counted since a day began: the days of a history add up to the whole, and everything else is as it was."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from centralita.kpi import Figures, recount
from centralita.since import KEYS
from tests.kpi.histories import QUEUES, History

GROWING = ("answered", "answered_in_target", "abandoned", "became_callbacks", "flowed_out", "removed", "handled", "ended", "served", "csat_count")  # fmt: skip
DAYS = 4


def by_day(history: History) -> tuple[Figures, list[dict[str, Any]]]:
    """A history folded in days, and each day's figures at its end."""
    figures = Figures()
    found: list[dict[str, Any]] = []
    size = len(history.records) // DAYS + 1
    for index, record in enumerate(history.records):
        if index % size == 0:
            if index:
                found.append(figures.as_dict(record.at_ns)["today"])
            figures.begin_day(record.at_ns)
        figures.fold(record)
    return figures, [*found, figures.as_dict()["today"]]


@pytest.mark.parametrize("seed", range(6))
def test_days_of_a_history_add_up_to_the_whole(seed: int) -> None:
    history = History(seed)
    history.play(500)
    figures, days = by_day(history)
    whole = figures.as_dict()
    for sides, all_of_it in [
        ([day["total"] for day in days], whole["total"]),
        *(([day["queues"].get(name) for day in days], whole["queues"][name]) for name in QUEUES),
    ]:
        known = [side for side in sides if side is not None]
        for key in GROWING:
            assert sum(side[key] for side in known) == all_of_it[key], key
        carried = sum(side["waiting"] for side in known[:-1])
        assert sum(side["offered"] for side in known) == all_of_it["offered"] + carried
        assert known[-1]["waiting"] == all_of_it["waiting"]
        for side in known:
            assert set(side) == set(KEYS)
            fates = ("answered", "abandoned", "became_callbacks", "flowed_out", "removed", "waiting")
            assert side["offered"] == sum(side[fate] for fate in fates)
            decided = side["offered"] - side["waiting"]
            assert side["service_level"] == (
                round(side["answered_in_target"] / decided, 6) if decided else None
            )


def test_beginning_a_day_changes_no_other_figure() -> None:
    history = History(5)
    history.play(400)
    figures, _ = by_day(history)
    found = figures.as_dict()
    found.pop("today")
    assert found == recount(history.records).as_dict()


def test_mean_of_a_day_is_that_of_the_same_records_counted_alone() -> None:
    history = History(2)
    history.play(500)
    half = len(history.records) // 2
    figures, alone = recount(history.records[:half]), recount(history.records[:half])
    figures.begin_day(history.records[half].at_ns)
    alone.begin_anew(history.records[half].at_ns)
    for record in history.records[half:]:
        figures.fold(record)
        alone.fold(record)
    today, expected = figures.as_dict()["today"], alone.as_dict()
    assert today["since_ns"] == history.records[half].at_ns
    assert today["total"] == {key: expected["total"][key] for key in KEYS}
    for name, side in today["queues"].items():
        assert side == {key: expected["queues"][name][key] for key in KEYS}, name


def test_day_survives_being_put_away_and_ends_when_counting_begins_anew() -> None:
    history = History(3)
    history.play(300)
    half = len(history.records) // 2
    figures = recount(history.records[:half])
    figures.begin_day(history.records[half].at_ns)
    again = Figures.restore(figures.snapshot())
    for record in history.records[half:]:
        figures.fold(record)
        again.fold(record)
    assert again.as_dict() == figures.as_dict()
    again.begin_anew(history.records[-1].at_ns)
    assert again.day_since_ns == 0
    assert "today" not in again.as_dict()


def test_figures_kept_by_a_version_that_knew_no_days_go_on() -> None:
    history = History(1)
    history.play(200)
    figures = recount(history.records)
    kept = msgspec.msgpack.decode(figures.snapshot())
    del kept["day"]
    again = Figures.restore(msgspec.msgpack.encode(kept))
    assert again.day_since_ns == 0
    assert again.as_dict() == figures.as_dict()
