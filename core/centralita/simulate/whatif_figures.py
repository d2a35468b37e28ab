"""The figures of one side of a what-if: by queue, by hour of the day, by both, and in all.

A contact counts in the queue that it asked for and the hour in which it asked. Service levels are those of
docs/figures.md by their names, over contacts instead of stays, so nothing flows out. Occupancy is that
of docs/figures.md, over all agents; a queue's is the part of it that its contacts took.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from centralita.config import EngineConfig, ns
from centralita.fold import Fold
from centralita.messages import Record
from centralita.simulate.figures import HOUR_NS, Measured
from centralita.tallies import CONNECTED, IDLE, OFFERED, WRAPPING, QueueTally, added, mean_s, ratio

ALL: Final = ""
NO_HOUR: Final = -1
LEVELS: Final = tuple(name for name in QueueTally().service_levels() if name != "genesys_with_flow_outs")
MEASURES: Final = (
    "offered",
    "answered",
    "abandoned",
    "abandon_rate",
    "asa_s",
    "wait_s_max",
    *LEVELS,
    "occupancy",
)

Key = tuple[str, int]
"""A queue, or ALL, and an hour of the day, or NO_HOUR."""
End = tuple[str, int, str, int, int]
"""(queue, when it asked in ns, outcome, ns waited, ns an agent was busy)."""
HourOf = Callable[[int], int]


class Times(Fold):
    """The agents' time by hour of the day, read off records: (spent on contacts, available for them)."""

    def __init__(self, hour_of: HourOf) -> None:
        super().__init__(core="native")
        self._hour_of = hour_of
        self._until_ns = 0
        self._before = (0, 0)
        self.hours: dict[int, list[int]] = defaultdict(lambda: [0, 0])

    def fold(self, record: Record) -> None:
        """Take in the next record."""
        if not self._until_ns:
            self._until_ns = record.at_ns
        while self._until_ns < record.at_ns // HOUR_NS * HOUR_NS:
            self._cut(self._until_ns // HOUR_NS * HOUR_NS + HOUR_NS)
        super().fold(record)

    def finish(self) -> Times:
        """Count the last hour, until the last record."""
        self._cut(max(self._until_ns, self._memory.at_ns))
        return self

    def _cut(self, at_ns: int) -> None:
        busy_ns = there_ns = 0
        for agent in self._agents.values():
            state_ns = agent.state_ns
            running = agent.state, max(0, at_ns - agent.since_ns) if agent.since_ns else 0
            busy_ns += state_ns[CONNECTED] + state_ns[WRAPPING]
            there_ns += state_ns[OFFERED] + state_ns[IDLE]
            if running[0] in (CONNECTED, WRAPPING):
                busy_ns += running[1]
            elif running[0] in (OFFERED, IDLE):
                there_ns += running[1]
        hour = self.hours[self._hour_of(self._until_ns)]
        hour[0] += busy_ns - self._before[0]
        hour[1] += busy_ns + there_ns - sum(self._before)
        self._before = (busy_ns, there_ns)
        self._until_ns = at_ns


def measure(
    ends: Iterable[End], config: EngineConfig, hour_of: HourOf, times: Times | None
) -> dict[Key, Measured]:
    """The figures of every cell. `config` says the answer targets; without `times` no occupancy is known."""
    tallies: dict[Key, QueueTally] = {}
    handled_ns: dict[Key, int] = defaultdict(int)
    for number, (queue, asked_ns, outcome, waited_ns, busy_ns) in enumerate(ends):
        hour = hour_of(asked_ns)
        for key in ((queue, NO_HOUR), (queue, hour)):
            tally = tallies.get(key)
            if tally is None:
                rules = config.queues[queue]
                tally = tallies[key] = QueueTally(
                    answer_target_ns=ns(rules.answer_target_s), short_abandon_ns=ns(rules.short_abandon_s)
                )
            tally.offered += 1
            if outcome == "served":
                tally.answer(waited_ns)
            elif outcome == "abandoned":
                tally.abandon(waited_ns)
            elif outcome:
                tally.removed += 1
            else:
                tally.waiting[number] = asked_ns
        for key in ((queue, NO_HOUR), (queue, hour), (ALL, NO_HOUR), (ALL, hour)):
            handled_ns[key] += busy_ns
    hours = {hour for _, hour in tallies}
    for hour in hours:
        tallies[ALL, hour] = added([tally for (_, at), tally in tallies.items() if at == hour])
    available_ns = _available(times)
    return {
        key: _measured(tally, _occupancy(key, handled_ns, available_ns, times))
        for key, tally in sorted(tallies.items())
    }


def _available(times: Times | None) -> Mapping[int, int]:
    if times is None:
        return {}
    found = {hour: there_ns for hour, (_, there_ns) in times.hours.items()}
    found[NO_HOUR] = sum(found.values())
    return found


def _occupancy(
    key: Key, handled_ns: Mapping[Key, int], available_ns: Mapping[int, int], times: Times | None
) -> float | None:
    """Of the agents' own time for all together; for a queue its contacts' share of what is spent on all."""
    if times is None:
        return None
    queue, hour = key
    busy_ns = (
        sum(spent_ns for spent_ns, _ in times.hours.values())
        if hour == NO_HOUR
        else times.hours.get(hour, [0, 0])[0]
    )
    whole = ratio(busy_ns, available_ns.get(hour, 0))
    if queue == ALL or whole is None:
        return whole
    share = ratio(handled_ns[key], handled_ns[ALL, hour])
    return None if share is None else round(whole * share, 6)


def _measured(tally: QueueTally, occupancy: float | None) -> Measured:
    levels = tally.service_levels()
    return {
        "offered": tally.offered,
        "answered": tally.answered,
        "abandoned": tally.abandoned,
        "abandon_rate": ratio(tally.abandoned, tally.offered - len(tally.waiting)),
        "asa_s": mean_s(tally.wait_ns, tally.answered),
        "wait_s_max": tally.wait_ns_max / 1_000_000_000 if tally.answered else None,
        **{name: levels[name] for name in LEVELS},
        "occupancy": occupancy,
    }
