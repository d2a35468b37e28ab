"""When a number may be called: by the clock where it rings, wherever in its zones that may be.

A number can ring in several zones (a mobile of a wide country, a freephone number): then the hours must hold in all
of them. One whose zone nobody knows is called by the campaign's own clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from centralita.calendars import Calendar
from centralita.matching.protocol import NEVER_NS

LOOKED_AT_MAX: Final = 1000
"""So many changes of the calendars are looked at for the next moment that is right."""


class CallingHours:
    """The hours of one campaign. None: any time is right."""

    def __init__(self, calendar: Calendar | None) -> None:
        self._calendar = calendar
        self._zones: dict[str, Calendar] = {}

    def allow(self, zones: Sequence[str], at_ns: int) -> bool:
        """Whether a number in these zones may be called now."""
        return all(calendar.is_open(at_ns) for calendar in self._calendars(zones))

    def next_ns(self, zones: Sequence[str], after_ns: int) -> int:
        """The first moment from `after_ns` on at which it may be called; NEVER_NS when none is near."""
        calendars = self._calendars(zones)
        at_ns = after_ns
        for _ in range(LOOKED_AT_MAX):
            closed = [calendar for calendar in calendars if not calendar.is_open(at_ns)]
            if not closed:
                return at_ns
            at_ns = max(calendar.next_change_ns(at_ns) for calendar in closed)
            if at_ns >= NEVER_NS:
                break
        return NEVER_NS

    def _calendars(self, zones: Sequence[str]) -> list[Calendar]:
        if self._calendar is None:
            return []
        found = []
        for zone in zones:
            if zone not in self._zones:
                self._zones[zone] = replace(self._calendar, zone=ZoneInfo(zone))
            found.append(self._zones[zone])
        return found or [self._calendar]
