"""Deadlines, kept apart from whoever waits for them.

One structure holds every deadline of an engine, so that the runner needs a single timer. It knows a
kind, a subject and a time, all integers; what a kind means is the caller's business, and so is the
clock. The specification is a dictionary and a heap with lazy deletion; the compiled one gives the
same answers.
"""

from __future__ import annotations

import heapq
from typing import Final, Protocol, cast

from centralita._routing import Timers
from centralita.matching import Core
from centralita.matching.lockstep import Lockstep, methods_of
from centralita.matching.protocol import ID_LIMIT, NEVER_NS, TIME_LIMIT_NS

KIND_LIMIT: Final = 1 << 8


__all__ = ["KIND_LIMIT", "NaiveTimers", "Timers", "TimersProtocol", "open_timers"]


class TimersProtocol(Protocol):
    """The contract of a set of deadlines; at most one for each (kind, subject)."""

    def schedule(self, kind: int, subject: int, at_ns: int) -> None:
        """Set the deadline of (kind, subject), replacing an earlier one; `at_ns` may be past.

        Raises `ValueError` for a kind, subject or time out of range.
        """
        ...

    def cancel(self, kind: int, subject: int) -> None:
        """Forget the deadline of (kind, subject), if there is one."""
        ...

    def pop_due(self, now_ns: int) -> list[tuple[int, int, int]]:
        """Remove and return every (at_ns, kind, subject) with at_ns <= now_ns, in that order."""
        ...

    def next_deadline_ns(self) -> int:
        """Return the earliest deadline, or NEVER_NS."""
        ...

    def deadline_ns(self, kind: int, subject: int) -> int:
        """Return the deadline of (kind, subject), or NEVER_NS when it has none."""
        ...

    def __len__(self) -> int: ...


class NaiveTimers:
    """A dictionary that says what is true and a heap that says where to look."""

    def __init__(self) -> None:
        self._at_ns: dict[tuple[int, int], int] = {}
        self._heap: list[tuple[int, int, int]] = []

    def schedule(self, kind: int, subject: int, at_ns: int) -> None:
        _within("kind", kind, 0, KIND_LIMIT)
        _within("subject", subject, 0, ID_LIMIT)
        _within("at_ns", at_ns, -TIME_LIMIT_NS * 2 + 1, TIME_LIMIT_NS * 2)
        if self._at_ns.get((kind, subject)) != at_ns:
            self._at_ns[kind, subject] = at_ns
            heapq.heappush(self._heap, (at_ns, kind, subject))
            self._forget_stale()

    def cancel(self, kind: int, subject: int) -> None:
        if self._at_ns.pop((kind, subject), None) is not None:
            self._forget_stale()

    def pop_due(self, now_ns: int) -> list[tuple[int, int, int]]:
        due = []
        while self._heap and self._heap[0][0] <= now_ns:
            at_ns, kind, subject = heapq.heappop(self._heap)
            del self._at_ns[kind, subject]
            due.append((at_ns, kind, subject))
            self._forget_stale()
        return due

    def next_deadline_ns(self) -> int:
        return self._heap[0][0] if self._heap else NEVER_NS

    def deadline_ns(self, kind: int, subject: int) -> int:
        return self._at_ns.get((kind, subject), NEVER_NS)

    def __len__(self) -> int:
        return len(self._at_ns)

    def _forget_stale(self) -> None:
        """Keep the top of the heap true, and the heap within twice what is true."""
        heap, at_ns = self._heap, self._at_ns
        if len(heap) > 2 * len(at_ns) + 16:
            heap[:] = [(at, kind, subject) for (kind, subject), at in at_ns.items()]
            heapq.heapify(heap)
        while heap and at_ns.get(heap[0][1:]) != heap[0][0]:
            heapq.heappop(heap)


def open_timers(core: Core = "native") -> TimersProtocol:
    """Return empty timers: the compiled ones, the readable specification of them, or both in lockstep."""
    match core:
        case "native":
            return Timers()
        case "naive":
            return NaiveTimers()
        case "both":
            return cast("TimersProtocol", Lockstep(Timers(), NaiveTimers(), methods_of(TimersProtocol)))


def _within(name: str, value: int, least: int, below: int) -> None:
    if not least <= value < below:
        raise ValueError(f"{name} was {value}; allowed: {least} to {below - 1}")
