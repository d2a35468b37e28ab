"""When agents are there and queues are open in a scenario, from what is written as times of day.

A simulated clock on the wall has no zone and no summer time: every day has twenty-four hours. What is
open or there at the start of a run is so from its first moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from centralita.config import Hours
from centralita.simulate.scenario import DAYS, Shift

_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _NS
_DAY_NS: Final = 86_400 * _NS
_SPAN: Final = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")


class Away(NamedTuple):
    """A break within a presence."""

    start_ns: int
    end_ns: int
    reason: str


class Presence(NamedTuple):
    """One shift on one day."""

    start_ns: int
    end_ns: int
    breaks: tuple[Away, ...]


def presences(shifts: tuple[Shift, ...], start_ns: int, until_ns: int) -> Iterator[Presence]:
    """Every stretch of the shifts that touches the time from `start_ns` to `until_ns`."""
    for day, day_ns in _days(start_ns - _DAY_NS, until_ns):
        for shift in shifts:
            if DAYS[day.weekday()] not in shift.days:
                continue
            from_ns, to_ns = day_ns + _of_day_ns(shift.start), day_ns + _of_day_ns(shift.end)
            if to_ns <= from_ns:
                to_ns += _DAY_NS
            if to_ns <= start_ns or from_ns >= until_ns:
                continue
            breaks = []
            for away in shift.breaks:
                away_ns = day_ns + _of_day_ns(away.at)
                if away_ns < from_ns:
                    away_ns += _DAY_NS
                back_ns = away_ns + round(away.for_s * _NS)
                if away_ns < to_ns and back_ns > start_ns:
                    breaks.append(Away(away_ns, back_ns, away.reason))
            yield Presence(from_ns, to_ns, tuple(breaks))


def openings(hours: Hours, start_ns: int, until_ns: int) -> list[tuple[int, bool]]:
    """(moment, open or closed) for each change, the first at `start_ns` says how it begins."""
    changes: dict[int, bool] = {}
    for day, day_ns in _days(start_ns - _DAY_NS, until_ns + _DAY_NS):
        for text in _spans_on(hours, day):
            found = _SPAN.fullmatch(text)
            if found is None:  # what the daemon refuses with its place, `centralita check` finds
                raise ValueError(f"hours: a span was {text!r}; expected 09:00-14:00")
            first_h, first_m, last_h, last_m = map(int, found.groups())
            opens_ns = day_ns + (first_h * 60 + first_m) * _MINUTE_NS
            # A span that begins when the one before ends goes on.
            if changes.get(opens_ns) is False:
                del changes[opens_ns]
            else:
                changes[opens_ns] = True
            changes[day_ns + (last_h * 60 + last_m) * _MINUTE_NS] = False
    begins = False
    for at_ns in sorted(changes):
        if at_ns <= start_ns:
            begins = changes[at_ns]
    later = sorted((at_ns, is_open) for at_ns, is_open in changes.items() if start_ns < at_ns < until_ns)
    return [(start_ns, begins), *later]


def _spans_on(hours: Hours, day: date) -> tuple[str, ...]:
    text = day.isoformat()
    if text in hours.extra:
        return hours.extra[text]
    return () if text in hours.holidays else hours.week.get(DAYS[day.weekday()], ())


def _days(from_ns: int, until_ns: int) -> Iterator[tuple[date, int]]:
    """Each day that touches the time, with its midnight."""
    day = datetime.fromtimestamp(from_ns // _NS, UTC).date()
    while (midnight := _midnight_ns(day)) < until_ns:
        yield day, midnight
        day += timedelta(days=1)


def _midnight_ns(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _NS


def _of_day_ns(text: str) -> int:
    hour, minute = text.split(":")
    return (int(hour) * 60 + int(minute)) * _MINUTE_NS
