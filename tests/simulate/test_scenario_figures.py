"""Figures of several runs, and plans of agents: found by the engine, confirmed with other customers."""

from __future__ import annotations

import pytest

from centralita import simulate
from centralita.errors import ConfigurationError
from centralita.kpi import Figures, recount
from centralita.messages import Record
from centralita.simulate.drive import Drive
from centralita.simulate.figures import LEVELS, summarise, together
from centralita.simulate.plans import with_plan
from centralita.simulate.replications import pool, replicate
from centralita.simulate.scenario import Scenario, agents_of
from centralita.simulate.staffing import Target, staff

CENTRE = """
skills = ["calls", "chats"]
[queues.calls]
skills = { calls = 1 }
wrap_up_s = 0
[queues.cards]
skills = { chats = 1 }
wrap_up_s = 0
[simulate]
start = "2026-01-05T09:00"
duration_s = 7200
replications = 4
[simulate.customers.callers]
queue = "calls"
arrivals = { kind = "piecewise", per_hour = [0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 400, 0] }
handling = { kind = "exponential", mean_s = 60 }
patience = { kind = "exponential", mean_s = 90 }
[simulate.customers.holders]
queue = "cards"
arrivals = { kind = "poisson", per_hour = 60 }
handling = { kind = "exponential", mean_s = 90 }
[simulate.crews.voice]
agents = 7
skills = { calls = 5 }
[simulate.crews.both]
agents = 3
skills = { calls = 1, chats = 5 }
cost_per_hour = 1.5
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return simulate.loads(CENTRE)


def test_processes_give_what_one_gives(scenario: Scenario) -> None:
    alone = replicate(scenario, replications=3, workers=1)
    shared = replicate(scenario, replications=3, workers=2)
    assert alone == shared
    assert alone[1] == summarise(simulate.run(scenario, replication=1), scenario)


def test_figures_count_everybody_once(scenario: Scenario) -> None:
    found = summarise(simulate.run(scenario), scenario)
    assert found.total["offered"] == sum(one["offered"] or 0 for one in found.queues.values())
    assert found.total["offered"] == sum(one["offered"] or 0 for one in found.hours.values())
    assert found.total["served"] == sum(one["served"] or 0 for one in found.agents.values())
    assert set(found.hours) == {0, 1}
    for one in (found.total, *found.queues.values()):
        offered, served, abandoned = (one[name] or 0 for name in ("offered", "served", "abandoned"))
        assert offered == served + abandoned
        assert (one["of_offered"] or 0) * offered == pytest.approx((one["of_answered"] or 0) * served)
        assert one["of_offered"] == one["genesys"]
    assert len(found.wait_percentiles) == 101
    assert list(found.wait_percentiles) == sorted(found.wait_percentiles)


def test_service_levels_are_those_of_the_same_records_also_with_callbacks() -> None:
    text = CENTRE.replace(
        'queue = "calls"\n', 'queue = "calls"\ncallback = { share = 0.5, after_s = 10, reached = 0.7 }\n'
    )
    scenario, recorder = simulate.loads(text), simulate.Recorder()
    found = summarise(simulate.run(scenario, watch=recorder.attach), scenario)
    counted = recount(recorder.records).as_dict()
    for queue, figures in counted["queues"].items():
        assert figures["callbacks_reached"] > 20 or queue == "cards"
        for level in LEVELS:
            assert found.queues[queue][level] == pytest.approx(figures["service_levels"][level], abs=1e-6)
        assert found.queues[queue]["answer_s_mean"] == pytest.approx(figures["asa_s"], abs=1e-3)
        assert found.queues[queue]["served"] == figures["served"]


def test_more_runs_give_narrower_intervals(scenario: Scenario) -> None:
    summaries = replicate(scenario, replications=16, workers=1)
    few, many = together(summaries[:4]), together(summaries)
    narrow, wide = many.total["wait_s_mean"].half_width, few.total["wait_s_mean"].half_width
    assert narrow is not None
    assert wide is not None
    assert narrow < wide


def test_a_plan_puts_agents_where_it_says(scenario: Scenario) -> None:
    planned = with_plan(scenario, {"voice": (2, 5), "both": (1, 0)}, [9, 10], 3600)
    there = {
        (name.split(".", 1)[0], shift.start, shift.end): crew.agents
        for name, crew in planned.world.crews.items()
        for shift in crew.shifts
    }
    assert there == {
        ("voice", "09:00", "11:00"): 2,
        ("voice", "10:00", "11:00"): 3,
        ("both", "09:00", "10:00"): 1,
    }
    names = {agent for name, crew in planned.world.crews.items() for agent in agents_of(name, crew)}
    assert set(planned.config.agents) == names


def test_staffing_meets_the_target_and_an_agent_less_does_not(scenario: Scenario) -> None:
    with pool(1) as running:
        found = staff(scenario, Target(level=0.8), pool=running, replications=8)
    assert found.met
    by_change = {step.change: step for step in found.steps}
    planned = by_change["as planned"]
    assert planned.level.mean is not None
    for crew in ("voice", "both"):
        less, more = by_change[f"-1 {crew}"], by_change[f"+1 {crew}"]
        assert less.level.mean is not None
        assert more.level.mean is not None
        assert less.level.mean < planned.level.mean < more.level.mean
        assert less.cost < planned.cost < more.cost
    first, second = found.intervals
    assert sum(second.agents.values()) > sum(first.agents.values())
    assert found.agent_hours == sum(sum(interval.agents.values()) for interval in found.intervals)


def test_what_cannot_be_planned_is_said_with_its_place(scenario: Scenario) -> None:
    with pool(1) as running, pytest.raises(ConfigurationError, match="divide a day"):
        staff(scenario, Target(level=0.8), pool=running, interval_s=7000)
    unskilled = simulate.loads(
        CENTRE.replace("chats = 5", "calls = 2").replace("calls = 1, calls = 2", "calls = 1")
    )
    with (
        pool(1) as running,
        pytest.raises(ConfigurationError, match=r"simulate\.customers\.holders: no crew"),
    ):
        staff(unskilled, Target(level=0.8), pool=running)


CALLED_BACK = """
skills = ["calls"]
[queues.calls]
skills = { calls = 1 }
wrap_up_s = 0
answer_target_s = 20
[simulate]
duration_s = 7200
[simulate.customers.callers]
queue = "calls"
arrivals = { kind = "poisson", per_hour = 240 }
handling = { kind = "exponential", mean_s = 60 }
patience = { kind = "exponential", mean_s = 90 }
callback = { share = 0.5, after_s = 15 }
[simulate.crews.all]
agents = 4
skills = { calls = 1 }
"""


def test_amazons_level_counts_callbacks_as_the_figures_of_the_journal_do() -> None:
    scenario, figures = simulate.loads(CALLED_BACK), Figures()

    def watch(drive: Drive) -> None:
        drive.follows(
            lambda step, command: figures.fold(
                Record(seq=step.seq, at_ns=drive.now_ns, command=command, events=list(step.events))
            )
        )

    measured = summarise(simulate.run(scenario, watch=watch), scenario).queues["calls"]
    tally = figures.queues["calls"]
    assert tally.became_callbacks_in_target > 20
    assert tally.became_callbacks > 20
    assert measured["amazon_connect"] == pytest.approx(tally.service_levels()["amazon_connect"], abs=1e-6)
    assert measured["amazon_connect"] != measured["asterisk_sl2"]
    assert measured["asterisk_sl"] == measured["of_answered"]
