"""The two clocks a running engine may live by, and how one of its deadlines becomes trio's.

It refuses to know what time is used for. The engine's time is int nanoseconds since the Unix epoch and
never goes back. The wall clock does: it is stepped by administrators and by the network, so it is read
once, at start, and the monotonic clock counts from there. A step while the process runs changes no
wait and no limit; `drift_ns` tells how far the wall clock has gone, for whoever watches.
"""

from __future__ import annotations

import math
import time
from typing import Final

import trio

from centralita.config import NS_PER_S
from centralita.matching.protocol import NEVER_NS
from centralita.protocols import Clock

LEAST_WAIT_NS: Final = 1_000
"""Trio's time is a float: a shorter wait could round to nothing and spin."""

LONGEST_WAIT_S: Final = 3600.0
"""A far deadline is waited for in pieces, so that a small difference in rate can't grow."""


class RealClock:
    """The wall clock as it was at start, counted on by the monotonic clock.

    `not_before_ns` is the last time the journal knows: when the wall clock was set back while the
    process was down, time goes on from there instead of standing still until it has caught up.
    """

    def __init__(self, *, not_before_ns: int = 0) -> None:
        wall_ns = time.time_ns()
        self.set_back_ns = max(0, not_before_ns - wall_ns)
        self._offset_ns = max(wall_ns, not_before_ns) - time.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch; never less than before."""
        return self._offset_ns + time.monotonic_ns()

    def drift_ns(self) -> int:
        """How far the wall clock is ahead of this one (behind when negative)."""
        return time.time_ns() - self.now_ns()


class TrioClock:
    """Trio's own time, counted from `start_ns`: virtual under a `trio.testing.MockClock`.

    Made and read inside a trio run.
    """

    def __init__(self, start_ns: int = 0) -> None:
        self._start_ns = start_ns
        self._began_s = trio.current_time()

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, as the virtual time has it."""
        return self._start_ns + round((trio.current_time() - self._began_s) * NS_PER_S)


def trio_deadline(clock: Clock, at_ns: int) -> float:
    """The engine's moment `at_ns` as a deadline of trio's; infinity for NEVER_NS."""
    if at_ns >= NEVER_NS:
        return math.inf
    return trio.current_time() + max(at_ns - clock.now_ns(), LEAST_WAIT_NS) / NS_PER_S


async def sleep_until(clock: Clock, at_ns: int) -> None:
    """Return once the clock shows `at_ns`; at once when it does already, never for NEVER_NS.

    A checkpoint either way.
    """
    await trio.lowlevel.checkpoint()
    if at_ns >= NEVER_NS:
        await trio.sleep_forever()
    while clock.now_ns() < at_ns:
        await trio.sleep_until(min(trio_deadline(clock, at_ns), trio.current_time() + LONGEST_WAIT_S))
