"""Opening hours as a calendar: a configured week, its holidays and its time zone, checked and ready to be asked.

A queue is open whenever a clock on the wall of its time zone shows a time within one of the day's
spans. That one sentence also settles the two odd days of the year: a span that begins in the hour
which spring leaves out opens when that hour would have been over, and the hour that autumn repeats is
open both times, or neither. Counting hours from midnight instead would be an hour off all day.

Who opens and closes by it is another's business: the daemon's `runner/hours.py`, a simulation's `simulate/shifts.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from centralita.config import NS_PER_S, Hours
from centralita.errors import ConfigurationError
from centralita.matching.protocol import NEVER_NS

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON_DAYS: Final = 400
"""How far ahead the next change is looked for; a calendar with none in that time never changes."""

MINUTES_A_DAY: Final = 1440
_SPAN: Final = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")

Span = tuple[int, int]
"""Minutes of the day, from the first to before the last."""


class Calendar(Struct, frozen=True, kw_only=True):
    """Hours that have been checked, ready to be asked."""

    zone: ZoneInfo
    week: tuple[tuple[Span, ...], ...]
    days: dict[date, tuple[Span, ...]]
    """Dates that differ from their weekday: holidays (no span) and extra openings."""

    def is_open(self, at_ns: int) -> bool:
        """Whether the wall clock shows a time within a span."""
        local = datetime.fromtimestamp(at_ns // NS_PER_S, self.zone)
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self.spans_on(local.date()))

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The spans of one date."""
        return self.days.get(day, self.week[day.weekday()])

    def next_change_ns(self, after_ns: int) -> int:
        """The first moment after `after_ns` at which `is_open` differs; NEVER_NS when none is near."""
        now = self.is_open(after_ns)
        first = datetime.fromtimestamp(after_ns // NS_PER_S, self.zone).date() - timedelta(days=1)
        for offset in range(HORIZON_DAYS):
            for moment_ns in sorted(set(self._candidates(first + timedelta(days=offset)))):
                if moment_ns > after_ns and self.is_open(moment_ns) != now:
                    return moment_ns
        return NEVER_NS

    def _candidates(self, day: date) -> Iterator[int]:
        """Every moment of a local day at which something can change."""
        for start, end in self.spans_on(day):
            for minute in (start, end):
                at = datetime.combine(
                    day + timedelta(days=minute // MINUTES_A_DAY), _wall(minute % MINUTES_A_DAY)
                )
                for fold in (0, 1):
                    yield _ns(at.replace(tzinfo=self.zone, fold=fold))
        midnight = _midnight_ns(day, self.zone)
        next_midnight = _midnight_ns(day + timedelta(days=1), self.zone)
        yield from (midnight, next_midnight)
        if self._offset(midnight) != self._offset(next_midnight):
            yield self._shift_between(midnight, next_midnight)

    def _offset(self, at_ns: int) -> timedelta:
        offset = datetime.fromtimestamp(at_ns // NS_PER_S, self.zone).utcoffset()
        assert offset is not None
        return offset

    def _shift_between(self, low_ns: int, high_ns: int) -> int:
        """The second at which the zone's offset changes, found by halving: a day has one at most."""
        low_s, high_s = low_ns // NS_PER_S, high_ns // NS_PER_S
        before = self._offset(low_ns)
        while high_s - low_s > 1:
            middle_s = (low_s + high_s) // 2
            if self._offset(middle_s * NS_PER_S) == before:
                low_s = middle_s
            else:
                high_s = middle_s
        return high_s * NS_PER_S


def zone_named(name: str, path: str) -> ZoneInfo:
    """The time zone that stands at `path` in the configuration. Raises ConfigurationError when there is none such."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        # Not found is a KeyError, a directory an OSError, a name that climbs out of the database a ValueError.
        problem = f"{path} was {name!r}; must be an IANA name such as Europe/Madrid"
        raise ConfigurationError([problem]) from None


def day_of(at_ns: int, zone: ZoneInfo) -> tuple[int, int]:
    """When the day of a moment begins and when the next one does, where that zone is."""
    day = datetime.fromtimestamp(at_ns // NS_PER_S, zone).date()
    return _midnight_ns(day, zone), _midnight_ns(day + timedelta(days=1), zone)


def calendars(hours: Mapping[str, Hours]) -> dict[str, Calendar]:
    """Check every `[hours.NAME]`. Raises ConfigurationError with each fault and its TOML path."""
    problems: list[str] = []
    made = {name: _calendar(one, f"hours.{name}", problems) for name, one in hours.items()}
    if problems:
        raise ConfigurationError(problems)
    return {name: calendar for name, calendar in made.items() if calendar is not None}


def _calendar(hours: Hours, path: str, problems: list[str]) -> Calendar | None:
    found = len(problems)
    zone = None
    try:
        zone = zone_named(hours.time_zone, f"{path}.time_zone")
    except ConfigurationError as error:
        problems += error.problems
    problems += [
        f"{path}.week: day was {day!r}; known: {', '.join(DAYS)}" for day in hours.week if day not in DAYS
    ]
    week = tuple(_spans(hours.week.get(day, ()), f"{path}.week.{day}", problems) for day in DAYS)
    days: dict[date, tuple[Span, ...]] = {}
    for index, text in enumerate(hours.holidays):
        if (day := _date(text, f"{path}.holidays[{index}]", problems)) is not None:
            days[day] = ()
    for text, spans in hours.extra.items():
        if (day := _date(text, f"{path}.extra", problems)) is not None:
            days[day] = _spans(spans, f"{path}.extra.{text}", problems)
    if zone is None or len(problems) > found:
        return None
    return Calendar(zone=zone, week=week, days=days)


def _spans(texts: tuple[str, ...], path: str, problems: list[str]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for index, text in enumerate(texts):
        span = _span(text)
        if span is None:
            problems.append(
                f'{path}[{index}] was {text!r}; must be like "09:00-14:00", at most until "24:00"'
            )
        elif spans and span[0] < spans[-1][1]:
            problems.append(f"{path}[{index}] was {text!r}; must begin after the span before it has ended")
        else:
            spans.append(span)
    return tuple(spans)


def _span(text: str) -> Span | None:
    match = _SPAN.fullmatch(text)
    if match is None:
        return None
    from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
    start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if from_minute > 59 or to_minute > 59 or start >= end or end > MINUTES_A_DAY:
        return None
    return start, end


def _date(text: str, path: str, problems: list[str]) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        problems.append(f'{path} was {text!r}; must be a date like "2026-12-25"')
        return None


def _wall(minute: int) -> time:
    return time(minute // 60, minute % 60)


def _midnight_ns(day: date, zone: ZoneInfo) -> int:
    return _ns(datetime.combine(day, time(), zone))


def _ns(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * NS_PER_S
