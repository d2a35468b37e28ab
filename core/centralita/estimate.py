"""How long a contact will wait, as an interval that says how it was made.

When contacts were waiting, the times between one start of service and the next tell how fast the line
moves: the wait of the k-th in line is the sum of k such gaps. If gaps are about exponential, that sum
is gamma distributed with shape k; its quantiles come from the cube-root approximation of Wilson and
Hilferty (1931), good to a few per cent even at k = 1 for the quantiles used here. With no such history
the mean handling time over the agents who could serve stands in; with neither, the wait is unknown,
and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from centralita.views import EstimateView

if TYPE_CHECKING:
    from centralita.engine import Engine

CONFIDENCE: Final = 0.8
"""The probability with which the interval is meant to hold: from the 10 % to the 90 % quantile."""
_Z: Final = 1.2815515655446004
"""The 90 % quantile of the standard normal distribution."""
GAPS_MIN: Final = 5
"""Fewer gaps than this say too little."""
_NS_PER_S: Final = 1_000_000_000

UNKNOWN: Final = EstimateView(
    low_s=-1.0, expected_s=-1.0, high_s=-1.0, confidence=0.0, basis="nothing served yet"
)


def expected_wait(engine: Engine, queue: str, position: int) -> EstimateView:
    """The wait still to come of whoever stands at `position` (1 is next) in a queue's line."""
    standing = engine.state.queues[queue]
    if standing.gaps_n >= GAPS_MIN:
        gap_s = standing.gap_ns / _NS_PER_S
        basis = f"a start of service every {gap_s:.1f} s while others waited, {standing.gaps_n} seen"
        return interval(position, gap_s, basis)
    if standing.handled_n == 0:
        return UNKNOWN
    rules = engine.state.rules(queue)
    medium = next(
        (rule.medium for rule in engine.state.config.channels.values() if rule.queue == queue),
        next(iter(engine.state.config.media)),
    )
    requirement = engine.lines.requirement(rules.skills, medium)
    present, available = engine.lines.queue.capable_n(requirement)
    if not present:
        return EstimateView(
            low_s=-1.0, expected_s=-1.0, high_s=-1.0, confidence=0.0, basis="nobody is signed in for it"
        )
    agents = available or present
    handling_s = standing.handling_ns / _NS_PER_S
    basis = f"mean handling of {handling_s:.0f} s in {standing.handled_n} contacts, over {agents} agents"
    return interval(position, handling_s / agents, basis)


def interval(position: int, gap_s: float, basis: str) -> EstimateView:
    """The sum of `position` gaps of mean `gap_s`: mean, and the 10 % and 90 % quantiles."""
    expected_s = position * gap_s
    share = 1 / (9 * position)
    low, high = (max(0.0, 1 - share + sign * _Z * share**0.5) ** 3 for sign in (-1, 1))
    return EstimateView(
        low_s=round(expected_s * low, 1),
        expected_s=round(expected_s, 1),
        high_s=round(expected_s * high, 1),
        confidence=CONFIDENCE,
        basis=basis,
    )
