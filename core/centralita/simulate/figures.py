"""Figures of runs: what one run says, and what several independent runs say together, with intervals.

One run's contacts are correlated, so they give no interval; whole runs with independent streams do
(Law, Simulation Modeling and Analysis, section 9.4.1): mean ± t × s / √n with n − 1 degrees of freedom.
Service levels are named as in docs/figures.md, where their formulas are. A figure over nothing is None.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import Final, TypeVar

from centralita.simulate.outcome import Row, Run
from centralita.simulate.scenario import Scenario, agents_of
from centralita.structs import Frozen

HOUR_NS: Final = 3600 * 1_000_000_000
PERCENT: Final = tuple(range(101))
NO_CREW: Final = "configured"
"""Stands for the agents of the configuration who are in no crew."""

COUNTS: Final = ("offered", "served", "abandoned", "refused", "other", "unfinished")
LEVELS: Final = (
    "of_offered",
    "of_answered",
    "of_patient",
    "asterisk_sl",
    "asterisk_sl2",
    "genesys",
    "amazon_connect",
)
MEASURES: Final = (
    *COUNTS,
    *LEVELS,
    "abandonment",
    "delayed",
    "wait_s_mean",
    "answer_s_mean",
    "answer_s_p50",
    "answer_s_p90",
    "answer_s_p95",
    "handling_s_mean",
)
"""`wait_s_mean` is over all offered, callbacks until they were reached; `answer_*` over those answered while they
waited on the line; `delayed` is the share of those offered who waited."""
_S: Final = 1e-9
_CUSTOMERS: Final = "customers"
_QUEUE: Final = "queue"
_Key = TypeVar("_Key", str, int)

_T_975: Final = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip
_Z_975: Final = 1.959963984540054

Measured = dict[str, float | None]


class Mean(Frozen):
    """A figure over several runs: it lies within `mean` ± `half_width` with 95 % confidence.

    `half_width` is None when fewer than two runs have the figure, `mean` when none has.
    """

    mean: float | None
    half_width: float | None
    runs: int


class Summary(Frozen):
    """One run. `hours` counts hours (or other intervals asked for) from the start; contacts belong to the
    one they arrived in.

    `wait_percentiles` has the 0th to the 100th percentile, in seconds, of the waits of those answered on the line.
    """

    total: Measured
    queues: dict[str, Measured]
    customers: dict[str, Measured]
    hours: dict[int, Measured]
    queue_hours: dict[str, dict[int, Measured]]
    crews: dict[str, Measured]
    agents: dict[str, Measured]
    wait_percentiles: tuple[float, ...]
    commands: int


class Together(Frozen):
    """Several runs. Fields as in `Summary`."""

    runs: int
    total: dict[str, Mean]
    queues: dict[str, dict[str, Mean]]
    customers: dict[str, dict[str, Mean]]
    hours: dict[int, dict[str, Mean]]
    queue_hours: dict[str, dict[int, dict[str, Mean]]]
    crews: dict[str, dict[str, Mean]]
    agents: dict[str, dict[str, Mean]]
    wait_percentiles: tuple[float, ...]
    commands: int


def summarise(run: Run, scenario: Scenario, *, interval_ns: int = HOUR_NS) -> Summary:
    """The figures of one run, each service level by the answer target of the contact's queue."""
    targets_ns = {
        name: round(rules.answer_target_s / _S) for name, rules in scenario.config.queues.items()
    } | {"": 0}
    everything: list[Row] = list(run.rows())
    by_queue: dict[str, list[Row]] = {name: [] for name in run.queues}
    by_customers: dict[str, list[Row]] = {name: [] for name in run.customers}
    by_hour: dict[int, list[Row]] = defaultdict(list)
    by_queue_hour: dict[str, dict[int, list[Row]]] = {name: defaultdict(list) for name in run.queues}
    for row in everything:
        hour = (row.arrived_ns - run.start_ns) // interval_ns
        by_customers[row.customers].append(row)
        by_hour[hour].append(row)
        if row.queue:
            by_queue[row.queue].append(row)
            by_queue_hour[row.queue][hour].append(row)
    left: Counter[object] = Counter()
    for one in run.unfinished:
        hour = (one.arrived_ns - run.start_ns) // interval_ns
        left.update(((_CUSTOMERS, one.customers), (_QUEUE, one.queue), hour, (one.queue, hour)))
        by_hour[hour] += []
        if one.queue:
            by_queue_hour[one.queue][hour] += []
    waits_s = sorted(row.waited_ns * _S for row in everything if _answered(row))
    return Summary(
        total=_measure(everything, targets_ns, len(run.unfinished)),
        queues={name: _measure(rows, targets_ns, left[_QUEUE, name]) for name, rows in by_queue.items()},
        customers={
            name: _measure(rows, targets_ns, left[_CUSTOMERS, name]) for name, rows in by_customers.items()
        },
        hours={hour: _measure(rows, targets_ns, left[hour]) for hour, rows in sorted(by_hour.items())},
        queue_hours={
            name: {hour: _measure(rows, targets_ns, left[name, hour]) for hour, rows in sorted(hours.items())}
            for name, hours in by_queue_hour.items()
        },
        crews=_crews(run, scenario),
        agents=_agents(run),
        wait_percentiles=tuple(_quantile(waits_s, percent / 100) for percent in PERCENT) if waits_s else (),
        commands=run.commands_n,
    )


def together(summaries: Sequence[Summary]) -> Together:
    """What several independent runs say."""
    found = [summary.wait_percentiles for summary in summaries if summary.wait_percentiles]
    return Together(
        runs=len(summaries),
        total=_means([summary.total for summary in summaries]),
        queues=_tables([summary.queues for summary in summaries]),
        customers=_tables([summary.customers for summary in summaries]),
        hours=_tables([summary.hours for summary in summaries]),
        queue_hours={
            name: _tables([summary.queue_hours[name] for summary in summaries])
            for name in summaries[0].queue_hours
        }
        if summaries
        else {},
        crews=_tables([summary.crews for summary in summaries]),
        agents=_tables([summary.agents for summary in summaries]),
        wait_percentiles=tuple(fmean(one[percent] for one in found) for percent in PERCENT) if found else (),
        commands=sum(summary.commands for summary in summaries),
    )


def mean_of(values: Iterable[float | None]) -> Mean:
    """Mean and 95 % half-width of independent values; None among them is left out."""
    known = [value for value in values if value is not None]
    if not known:
        return Mean(mean=None, half_width=None, runs=0)
    half_width = None
    if len(known) > 1:
        half_width = t_975(len(known) - 1) * stdev(known) / math.sqrt(len(known))
    return Mean(mean=fmean(known), half_width=half_width, runs=len(known))


def t_975(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: a table to 30 degrees of freedom, then its expansion in 1/ν
    (Abramowitz and Stegun 26.7.5), exact to four decimals there."""
    if freedom <= len(_T_975):
        return _T_975[freedom - 1]
    z = _Z_975
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _measure(rows: Sequence[Row], targets_ns: dict[str, int], unfinished: int) -> Measured:
    waits_s = sorted(row.waited_ns * _S for row in rows if _answered(row))
    abandoned = [row for row in rows if row.outcome == "abandoned"]
    refused = sum(row.outcome == "refused" for row in rows)
    served, answered = sum(row.outcome == "served" for row in rows), len(waits_s)
    offered = len(rows) + unfinished
    met = sum(_answered(row) and row.waited_ns <= targets_ns[row.queue] for row in rows)
    early = sum(row.waited_ns <= targets_ns[row.queue] for row in abandoned)
    # Amazon Connect's callbacks leave the queue when they are asked for, and what comes of them is another contact.
    removed = sum(
        (row.waited_ns if row.callback_ns < 0 else row.callback_ns) <= targets_ns[row.queue]
        for row in rows
        if row.callback_ns >= 0 or row.outcome in ("served", "abandoned")
    )
    handled_s = [row.handled_ns * _S for row in rows if row.outcome == "served"]
    return {
        "offered": offered,
        "served": served,
        "abandoned": len(abandoned),
        "refused": refused,
        "other": len(rows) - served - len(abandoned) - refused,
        "unfinished": unfinished,
        "of_offered": _ratio(met, offered),
        "of_answered": _ratio(met, answered),
        "of_patient": _ratio(met, offered - early),
        "asterisk_sl": _ratio(met, answered),
        "asterisk_sl2": _ratio(met + early, answered + len(abandoned)),
        "genesys": _ratio(met, answered + len(abandoned)),
        "amazon_connect": _ratio(removed, offered),
        "abandonment": _ratio(len(abandoned), offered),
        "delayed": _ratio(sum(row.waited_ns > 0 for row in rows), len(rows)),
        "wait_s_mean": _ratio(math.fsum(row.waited_ns * _S for row in rows), len(rows)),
        "answer_s_mean": _ratio(math.fsum(waits_s), answered),
        "answer_s_p50": _quantile(waits_s, 0.5) if waits_s else None,
        "answer_s_p90": _quantile(waits_s, 0.9) if waits_s else None,
        "answer_s_p95": _quantile(waits_s, 0.95) if waits_s else None,
        "handling_s_mean": _ratio(math.fsum(handled_s), served),
    }


def _answered(row: Row) -> bool:
    """Whether somebody who waited on the line was answered: a callback is not, whenever it succeeds (docs/figures.md)."""
    return row.outcome == "served" and row.callback_ns < 0


def _agents(run: Run) -> dict[str, Measured]:
    busy_ns = run.busy_ns()
    served: dict[str, int] = defaultdict(int)
    for (_, agent), contacts in run.flows().items():
        served[agent] += contacts
    return {
        name: {
            "served": served[name],
            "busy_s": busy_ns[name] * _S,
            "staffed_s": run.staffed_ns[name] * _S,
            "occupancy": _ratio(busy_ns[name], run.staffed_ns[name]),
        }
        for name in run.agents
    }


def _crews(run: Run, scenario: Scenario) -> dict[str, Measured]:
    members = {name: agents_of(name, crew) for name, crew in scenario.world.crews.items()}
    in_crews = {agent for names in members.values() for agent in names}
    others = tuple(agent for agent in run.agents if agent not in in_crews)
    if others:
        members[NO_CREW] = others
    agents = _agents(run)
    made: dict[str, Measured] = {}
    for name, names in members.items():
        total = {
            figure: math.fsum(agents[agent][figure] or 0 for agent in names)
            for figure in ("served", "busy_s", "staffed_s")
        }
        made[name] = {
            "agents": len(names), **total, "occupancy": _ratio(total["busy_s"], total["staffed_s"])
        }  # fmt: skip
    return made


def _means(measured: Sequence[Measured]) -> dict[str, Mean]:
    names = dict.fromkeys(name for one in measured for name in one)
    return {name: mean_of(one.get(name) for one in measured) for name in names}


def _tables(tables: Sequence[dict[_Key, Measured]]) -> dict[_Key, dict[str, Mean]]:
    keys = dict.fromkeys(key for table in tables for key in table)
    # Where a run has no contact at all, its counts are nought: leaving them out would raise the mean.
    nothing: Measured = dict.fromkeys(COUNTS, 0.0)
    return {key: _means([table.get(key, nothing) for table in tables]) for key in keys}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which a share lies, interpolated between neighbours (Hyndman and Fan 1996, type 7)."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
