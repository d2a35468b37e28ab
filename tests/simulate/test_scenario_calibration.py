"""Estimated waits hold as often as they claim, where a queue has its own agents: seeds fixed.

The tolerance is three percentage points: contacts that wait at the same time share their luck, so that a run's thousands
of estimates are worth a few hundred independent ones (the standard error over seeds is about one point).
"""

from __future__ import annotations

import pytest

from centralita import estimate, simulate
from centralita.simulate.calibration import Checked, Probe, by_position, coverage

TOLERANCE = 0.03

CENTRE = """
skills = ["general"]
[queues.calls]
skills = {{ general = 1 }}
wrap_up_s = 0
[simulate]
duration_s = {duration_s}
[simulate.customers.callers]
queue = "calls"
arrivals = {{ kind = "poisson", per_hour = {per_hour} }}
handling = {handling}
{patience}
[simulate.crews.all]
agents = {agents}
skills = {{ general = 1 }}
"""
EXPONENTIAL = '{ kind = "exponential", mean_s = 60 }'
PATIENCE = 'patience = { kind = "exponential", mean_s = 120 }'


def checked(
    *, agents: int, per_hour: int, hours: int, handling: str = EXPONENTIAL, patience: str = ""
) -> list[Checked]:
    probe = Probe()
    text = CENTRE.format(
        duration_s=hours * 3600, per_hour=per_hour, handling=handling, agents=agents, patience=patience
    )
    simulate.run(simulate.loads(text), 3, watch=probe.attach)
    return probe.checked


@pytest.mark.parametrize(
    ("agents", "per_hour", "hours", "handling", "patience"),
    [
        (50, 2880, 5, EXPONENTIAL, ""),
        (50, 3300, 3, EXPONENTIAL, PATIENCE),
        (5, 280, 40, EXPONENTIAL, PATIENCE),
        (10, 560, 20, '{ kind = "lognormal", mean_s = 60, cv = 1.3 }', ""),
    ],
    ids=["stable", "overloaded with patience", "small with patience", "lognormal handling"],
)
def test_intervals_hold_as_often_as_they_claim(
    agents: int, per_hour: int, hours: int, handling: str, patience: str
) -> None:
    found = checked(agents=agents, per_hour=per_hour, hours=hours, handling=handling, patience=patience)
    all_of_them = coverage(found)
    assert all_of_them is not None
    assert all_of_them.claimed == pytest.approx(estimate.CONFIDENCE)
    assert all_of_them.held == pytest.approx(all_of_them.claimed, abs=TOLERANCE)
    assert all_of_them.expected_s_mean == pytest.approx(all_of_them.waited_s_mean, rel=0.1)
    for position, group in by_position(found).items():
        if group.estimates >= 500:
            assert group.held == pytest.approx(group.claimed, abs=0.1), position


SHARED = """
skills = ["a", "b"]
[queues.a]
skills = {{ a = 1 }}
wrap_up_s = 0
{rule}
[queues.b]
skills = {{ b = 1 }}
wrap_up_s = 0
[simulate]
duration_s = 72_000
[simulate.customers.of_a]
queue = "a"
arrivals = {{ kind = "poisson", per_hour = 300 }}
handling = {{ kind = "exponential", mean_s = 60 }}
patience = {{ kind = "exponential", mean_s = 120 }}
[simulate.customers.of_b]
queue = "b"
arrivals = {{ kind = "poisson", per_hour = 250 }}
handling = {{ kind = "exponential", mean_s = 60 }}
patience = {{ kind = "exponential", mean_s = 120 }}
[simulate.crews.both]
agents = 10
skills = {{ a = 1, b = 1 }}
"""


@pytest.mark.parametrize("rule", ["", "priority = 1", "credit_s = 30"])
def test_intervals_hold_where_queues_share_their_agents(rule: str) -> None:
    """More loosely: who is overtaken later can't be known, and gaps that come in clumps are not gamma."""
    probe = Probe()
    simulate.run(simulate.loads(SHARED.format(rule=rule)), 3, watch=probe.attach)
    for queue in ("a", "b"):
        found = coverage([one for one in probe.checked if one.queue == queue])
        assert found is not None
        assert found.held == pytest.approx(found.claimed, abs=2 * TOLERANCE), queue


def test_steps_are_the_sum_whether_summed_or_integrated() -> None:
    for position, gap_s, leaving_per_s in (
        (1, 3.0, 0.01),
        (8, 1.2, 0.008),
        (40, 1.2, 0.008),
        (300, 12.0, 0.2),
    ):
        rates = [1 / gap_s + ahead * leaving_per_s for ahead in range(position)]
        mean, variance = estimate.steps(position, gap_s, leaving_per_s)
        assert mean == pytest.approx(sum(1 / rate for rate in rates), rel=2e-3)
        assert variance == pytest.approx(sum(1 / rate**2 for rate in rates), rel=2e-3)


def test_fewer_samples_make_a_wider_interval() -> None:
    few, many = (estimate.interval(10, 5.0, "", samples=samples) for samples in (5, 500))
    assert few.low_s < many.low_s < many.expected_s == few.expected_s < many.high_s < few.high_s
