"""How often is too often: events counted over a sliding window, per key, in bounded memory.

The oldest keys are forgotten when there are too many, which can only make the limit milder for them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

KEYS_MAX: Final = 10_000


class Pace:
    """At most `limit` events of a key within any `window_ns`."""

    def __init__(self, limit: int, *, window_ns: int) -> None:
        self._limit = limit
        self._window_ns = window_ns
        self._seen: OrderedDict[str, deque[int]] = OrderedDict()

    def allows(self, key: str, *, now_ns: int) -> bool:
        """Whether one more is within the limit now; it counts only if so."""
        times = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        if len(self._seen) > KEYS_MAX:
            self._seen.popitem(last=False)
        while times and times[0] <= now_ns - self._window_ns:
            times.popleft()
        if len(times) >= self._limit:
            return False
        times.append(now_ns)
        return True
