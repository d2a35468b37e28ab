"""What has been counted since a moment, a day's begin: the counts as they were then, and the difference to now.

Counts only grow, so this needs no work while counting. Maxima and histograms have no difference and are left out. When the
moment is, and of whose midnight, is the reader's business: the fold knows no clock and no calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from centralita.tallies import NUMBERS, QueueTally, added

KEYS: Final = (
    "offered", "answered", "answered_in_target", "abandoned", "became_callbacks", "flowed_out", "removed", "waiting",
    "abandon_rate", "service_level", "asa_s", "aht_s", "handled", "ended", "served", "csat_mean", "csat_count",
)  # fmt: skip
"""The figures that are given since the moment, under the names of `docs/figures.md`."""


@dataclass(slots=True)
class Day:
    """The counts when it began; `since_ns` 0: none has begun."""

    since_ns: int = 0
    then: dict[str, QueueTally] = field(default_factory=dict)

    def as_dict(self, queues: Mapping[str, QueueTally], now_ns: int) -> dict[str, Any]:
        """`since_ns`, and the figures of KEYS over all queues and by queue."""
        nothing = QueueTally()
        grown = {name: _difference(tally, self.then.get(name, nothing)) for name, tally in queues.items()}
        return {
            "since_ns": self.since_ns,
            "total": _chosen(added(grown.values()), now_ns),
            "queues": {name: _chosen(tally, now_ns) for name, tally in sorted(grown.items()) if name},
        }


def begin(since_ns: int, queues: Mapping[str, QueueTally]) -> Day:
    """A day that begins with what has been counted until now; who waits now counts as offered in it."""
    return Day(since_ns, {name: _decided(tally) for name, tally in queues.items()})


def _decided(tally: QueueTally) -> QueueTally:
    copy = QueueTally(outcomes=dict(tally.outcomes))
    for name in NUMBERS:
        setattr(copy, name, getattr(tally, name))
    copy.offered -= len(tally.waiting)
    return copy


def _difference(now: QueueTally, then: QueueTally) -> QueueTally:
    grown = QueueTally(waiting=now.waiting)
    for name in NUMBERS:
        setattr(grown, name, getattr(now, name) - getattr(then, name))
    grown.outcomes = {name: count - then.outcomes.get(name, 0) for name, count in now.outcomes.items()}
    return grown


def _chosen(tally: QueueTally, now_ns: int) -> dict[str, Any]:
    figures = tally.as_dict(now_ns)
    return {key: figures[key] for key in KEYS}
