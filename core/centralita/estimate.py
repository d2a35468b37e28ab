"""How long a contact will wait, as an interval that says how it was made.

When contacts were waiting, the times between one start of service and the next tell how fast agents
take from the line: once in r seconds. Whoever stands ahead may also give up, each at the rate θ at
which people of this queue do: so with j still ahead the line moves at 1/r + jθ, and the wait of the k-th
is a sum of k exponential steps (Whitt 1999, "Predicting queueing delays", section 4). That sum is taken
as gamma distributed with its mean and variance; its quantiles come from the cube-root approximation of
Wilson and Hilferty (1931), good to a few per cent even for one step at the quantiles used here. That r is
itself a mean of few gaps widens the interval: its relative variance, one over their number, is added. Where
others are served in between (another queue of higher priority, with the same agents) gaps come in clumps: all
variance is multiplied by how uneven they have been. Pace and place are the queue's own, so that it does
not matter with whom it shares its agents.

With no such history the mean handling time over the agents who could serve stands in; with neither, the
wait is unknown, and says so. `simulate.calibration` holds intervals against what came: docs/simulate.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from math import log, sqrt
from typing import TYPE_CHECKING, Final

from centralita.apply.means import GAP_WEIGHT
from centralita.views import EstimateView

if TYPE_CHECKING:
    from centralita.engine import Engine
    from centralita.state import Contact, Queue

CONFIDENCE: Final = 0.8
"""The probability with which the interval is meant to hold: from the 10 % to the 90 % quantile."""
_Z: Final = 1.2815515655446004
"""The 90 % quantile of the standard normal distribution."""
GAPS_MIN: Final = 5
"""Fewer gaps than this say too little."""
SAMPLES_MAX: Final = (2 - GAP_WEIGHT) / GAP_WEIGHT
"""As many independent samples has a moving mean in effect, at most."""
COUNTED_MAX: Final = 50
"""How many of a queue are looked at one by one, and how many of those behind them, to find somebody's place in it."""
STEPS_SUMMED: Final = 8
"""The steps nearest to the front are summed one by one, the others by their integral."""
_NS_PER_S: Final = 1_000_000_000

UNKNOWN: Final = EstimateView(
    low_s=-1.0, expected_s=-1.0, high_s=-1.0, confidence=0.0, basis="nothing served yet"
)


def expected_wait(engine: Engine, queue: str, position: int) -> EstimateView:
    """The wait still to come of whoever stands at `position` (1 is next) in a queue's line."""
    standing = engine.state.queues[queue]
    leaving = leaving_per_s(standing)
    if standing.gaps_n >= GAPS_MIN:
        gap_s = standing.gap_ns / _NS_PER_S
        basis = f"a start of service every {gap_s:.1f} s while others waited, {standing.gaps_n} seen"
        return interval(
            position,
            gap_s,
            basis,
            leaving_per_s=leaving,
            samples=standing.gaps_n,
            unevenness=standing.gap_unevenness,
        )
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
    return interval(position, handling_s / agents, basis, leaving_per_s=leaving, samples=standing.handled_n)


def wait_of(engine: Engine, contact: Contact) -> EstimateView:
    """The wait still to come of a contact that waits.

    Its place is counted in its own queue: the pace is that queue's own too, whoever else its agents serve in between.
    """
    return expected_wait(engine, contact.queue, 1 + before_in_queue(engine, contact))


def before_in_queue(engine: Engine, contact: Contact) -> int:
    """How many of a waiting contact's own queue are served before it, by the order of contacts.

    Counted among the first COUNTED_MAX, and of the rest by as large a sample: every announcement asks, and thousands
    may wait. Who stands near the front came early, so that a place there is exact.
    """
    now_ns, contacts, raised = engine.now_ns, engine.state.contacts, engine.lines.raised

    def place(one: Contact) -> tuple[int, int, int]:
        urgency = one.rate_thousandths * (now_ns - one.queued_ns + one.credit_ns)
        return -one.priority - raised(one), -urgency, one.id

    def before(numbers: Iterable[int]) -> int:
        others = map(contacts.__getitem__, numbers)
        return sum(not one.due_ns and place(one) < mine for one in others)

    mine, waiting = place(contact), engine.state.queues[contact.queue].waiting
    head_n = before(islice(waiting, COUNTED_MAX))
    rest_n = len(waiting) - COUNTED_MAX
    if rest_n <= 0:
        return head_n
    sample = tuple(islice(waiting, COUNTED_MAX, None, -(-rest_n // COUNTED_MAX)))
    return head_n + before(sample) * rest_n // len(sample)


def leaving_per_s(standing: Queue) -> float:
    """The rate at which one who waits in this queue gives up: those who did over all the time waited."""
    return standing.gave_up / (standing.line_ns / _NS_PER_S) if standing.line_ns > 0 else 0.0


def interval(
    position: int,
    gap_s: float,
    basis: str,
    *,
    leaving_per_s: float = 0.0,
    samples: float = SAMPLES_MAX,
    unevenness: float = 1.0,
) -> EstimateView:
    """The wait for `position` starts of service of mean `gap_s`, when each who is ahead gives up at a rate,
    gaps are so uneven, and the mean was made from so many samples: its mean, and its 10 % and 90 % quantiles."""
    expected_s, variance = steps(position, gap_s, leaving_per_s)
    spread = unevenness / min(samples, SAMPLES_MAX)
    if expected_s > 0:
        spread += unevenness * variance / (expected_s * expected_s)
    share = spread / 9  # Wilson and Hilferty with the shape 1/spread
    low, high = (max(0.0, 1 - share + sign * _Z * sqrt(share)) ** 3 for sign in (-1, 1))
    return EstimateView(
        low_s=round(expected_s * low, 1),
        expected_s=round(expected_s, 1),
        high_s=round(expected_s * high, 1),
        confidence=CONFIDENCE,
        basis=basis,
    )


def steps(position: int, gap_s: float, leaving_per_s: float) -> tuple[float, float]:
    """Mean and variance of the wait: the sums over j < position of 1/(1/r + jθ) and of its square."""
    if leaving_per_s * gap_s * position < 1e-6 or gap_s <= 0:
        return position * gap_s, position * gap_s * gap_s
    rate = 1 / gap_s
    near = [1 / (rate + ahead * leaving_per_s) for ahead in range(min(position, STEPS_SUMMED))]
    mean, variance = sum(near), sum(step * step for step in near)
    if position > STEPS_SUMMED:  # the midpoint rule, backwards
        first = rate + (STEPS_SUMMED - 0.5) * leaving_per_s
        last = rate + (position - 0.5) * leaving_per_s
        mean += log(last / first) / leaving_per_s
        variance += (1 / first - 1 / last) / leaving_per_s
    return mean, variance
