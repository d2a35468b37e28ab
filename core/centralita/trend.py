"""The last intervals of one length, queue by queue: what a trend is drawn from.

Counts only grow, so a trend needs no work while counting: at the end of an interval the difference
to the interval before is its row. It knows no event; the counts are `tallies.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from centralita.config import NS_PER_S
from centralita.tallies import QueueTally, mean_s, ratio

Row = tuple[int, ...]
TREND: Final = (
    "offered", "answered", "answered_in_target", "abandoned", "wait_ns", "handled", "handle_ns", "waiting",
)  # fmt: skip
"""The columns of an interval, in the order of its `Row`."""
_GROWING: Final = len(TREND) - 1
"""All but `waiting` are sums that grow; that one is a level, read at the interval's end."""
_NOTHING: Final[Row] = (0,) * len(TREND)


def _sums(tally: QueueTally) -> Row:
    handle_ns = tally.talk_ns + tally.hold_ns + tally.wrap_up_ns
    return (
        tally.offered, tally.answered, tally.answered_in_target, tally.abandoned, tally.wait_ns,
        tally.handled, handle_ns, len(tally.waiting),
    )  # fmt: skip


@dataclass(slots=True)
class Series:
    """The last `kept` intervals of one length, aligned to the epoch, and the sums when the last one ended."""

    interval_ns: int
    kept: int
    ends_ns: int = 0
    rows: list[tuple[int, dict[str, Row]]] = field(default_factory=list)
    """For each ended interval its start and the row of each queue in which anything was."""
    base: dict[str, Row] = field(default_factory=dict)

    def roll(self, at_ns: int, queues: Mapping[str, QueueTally]) -> None:
        """End every interval that is over at `at_ns`. Rows beyond `kept` go."""
        if not self.ends_ns:
            self.ends_ns = at_ns // self.interval_ns * self.interval_ns + self.interval_ns
            return
        over = (at_ns - self.ends_ns) // self.interval_ns + 1
        if over <= 0:
            return
        self.rows.append((self.ends_ns - self.interval_ns, self._differences(queues)))
        self.base = {name: _sums(tally) for name, tally in queues.items()}
        # Nothing grew in the intervals after that one; of a long silence only those kept are written down.
        quiet = self._differences(queues)
        for missed in range(max(1, over - self.kept), over):
            self.rows.append((self.ends_ns + (missed - 1) * self.interval_ns, quiet))
        self.ends_ns += over * self.interval_ns
        del self.rows[: -self.kept]

    def as_dict(self, queues: Mapping[str, QueueTally], now_ns: int) -> dict[str, Any]:
        """The kept intervals in columns, the running one last. Reading changes nothing."""
        read = Series(self.interval_ns, self.kept, self.ends_ns, list(self.rows), dict(self.base))
        if self.ends_ns:
            read.roll(now_ns, queues)
            read.rows.append((read.ends_ns - self.interval_ns, read._differences(queues)))
        rows = read.rows
        named = sorted({name for _, row in rows for name in row if name})
        totals = [tuple(map(sum, zip(_NOTHING, *row.values(), strict=True))) for _, row in rows]
        return {
            "interval_s": self.interval_ns // NS_PER_S,
            "start_ns": [start_ns for start_ns, _ in rows],
            "total": _columns(totals),
            "queues": {name: _columns([row.get(name, _NOTHING) for _, row in rows]) for name in named},
        }

    def _differences(self, queues: Mapping[str, QueueTally]) -> dict[str, Row]:
        result: dict[str, Row] = {}
        for name, tally in queues.items():
            sums = _sums(tally)
            before = self.base.get(name, _NOTHING)
            grown = tuple(now - then for now, then in zip(sums[:_GROWING], before[:_GROWING], strict=True))
            row = (*grown, *sums[_GROWING:])
            if any(row):
                result[name] = row
        return result


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "offered": [], "answered": [], "abandoned": [], "handled": [], "waiting": [],
        "asa_s": [], "aht_s": [], "service_level": [],
    }  # fmt: skip
    for offered, answered, in_target, abandoned, wait_ns, handled, handle_ns, waiting in rows:
        columns["offered"].append(offered)
        columns["answered"].append(answered)
        columns["abandoned"].append(abandoned)
        columns["handled"].append(handled)
        columns["waiting"].append(waiting)
        columns["asa_s"].append(mean_s(wait_ns, answered))
        columns["aht_s"].append(mean_s(handle_ns, handled))
        columns["service_level"].append(ratio(in_target, answered + abandoned))
    return columns
