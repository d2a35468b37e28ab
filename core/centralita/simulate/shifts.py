"""When agents are there and queues are open in a scenario, from what is written as times of day.

A simulated clock on the wall has no zone and no summer time: every day has twenty-four hours. What is
open or there at the start of a run is so from its first moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from centralita.calendars import DAYS, Calendar
from centralita.simulate.scenario import Shift, seconds_of

_NS: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _NS


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
    """Every stretch of the shifts that touches the time from `start_ns` to `until_ns`, in order of time.

    Shifts that overlap make one stretch: whoever has both stays.
    """
    last: Presence | None = None
    for presence in sorted(_on_each_day(shifts, start_ns, until_ns)):
        if last is None:
            last = presence
        elif presence.start_ns < last.end_ns:
            end_ns = max(last.end_ns, presence.end_ns)
            last = Presence(last.start_ns, end_ns, tuple(sorted({*last.breaks, *presence.breaks})))
        else:
            yield last
            last = presence
    if last is not None:
        yield last


def _on_each_day(shifts: tuple[Shift, ...], start_ns: int, until_ns: int) -> Iterator[Presence]:
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
                if back_ns > start_ns:
                    breaks.append(Away(away_ns, back_ns, away.reason))
            yield Presence(from_ns, to_ns, tuple(breaks))


def openings(calendar: Calendar, start_ns: int, until_ns: int) -> Iterator[tuple[int, bool]]:
    """(moment, open or closed): how it begins at `start_ns`, then each change before `until_ns`."""
    at_ns = start_ns
    while at_ns < until_ns:
        yield at_ns, calendar.is_open(at_ns)
        at_ns = calendar.next_change_ns(at_ns)


def _days(from_ns: int, until_ns: int) -> Iterator[tuple[date, int]]:
    """Each day that touches the time, with its midnight."""
    day = datetime.fromtimestamp(from_ns // _NS, UTC).date()
    while (midnight := _midnight_ns(day)) < until_ns:
        yield day, midnight
        day += timedelta(days=1)


def _midnight_ns(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _NS


def _of_day_ns(text: str) -> int:
    return seconds_of(text) * _NS
