"""Who speaks with whom and since when, read off Asterisk's own events, in the same way for both sides.

A member *speaks* when their channel and a caller's are in one bridge, and is *freed* when their channel leaves it. All
times are Asterisk's own, in seconds.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MEMBER = re.compile(r"Local/(\d+)@members-")


@dataclass
class Ears:
    """What was heard since the last `forget`."""

    entered: dict[str, float] = field(default_factory=dict)
    """Callers by their number: when they came to the queue's door."""
    speaking: list[tuple[float, str, str]] = field(default_factory=list)
    """(when, member, caller)"""
    talks: list[tuple[float, float]] = field(default_factory=list)
    """(when a talk began, how long it took), in the order in which they began."""
    idle_s: list[float] = field(default_factory=list)
    """Of members who were freed while somebody waited: until they spoke again."""
    last_s: float = 0.0
    on_speaking: Callable[[str], None] | None = None
    """Told a member's channel when they begin to speak."""
    _in: dict[str, dict[str, float]] = field(default_factory=dict)
    _began: dict[str, tuple[float, int]] = field(default_factory=dict)
    _freed: dict[str, float] = field(default_factory=dict)

    def forget(self) -> None:
        """Begin anew."""
        self.__init__(on_speaking=self.on_speaking)  # type: ignore[misc]  # a dataclass's own

    @property
    def waiting(self) -> int:
        """Callers who have come and do not speak yet."""
        return len(self.entered) - len(self.speaking)

    def hear(self, event: dict[str, str]) -> None:
        """Take in one event."""
        at_s = float(event["Timestamp"])
        match event["Event"]:
            case "UserEvent":
                self.entered[event["Uniqueid"]] = at_s
            case "BridgeEnter":
                inside = self._in.setdefault(event["BridgeUniqueid"], {})
                inside[event["Channel"]] = at_s
                channel, member = next(
                    ((name, found[1]) for name in inside if (found := MEMBER.match(name))), ("", "")
                )
                caller = next((name for name in inside if not MEMBER.match(name)), None)
                if member and caller and member not in self._began:
                    self._speaks(member, caller, at_s)
                    if self.on_speaking is not None:
                        self.on_speaking(channel)
            case "BridgeLeave":
                inside = self._in.get(event["BridgeUniqueid"], {})
                inside.pop(event["Channel"], None)
                found = MEMBER.match(event["Channel"])
                if found is not None and found[1] in self._began:
                    began_s, index = self._began.pop(found[1])
                    self.talks[index] = (began_s, at_s - began_s)
                    self.last_s = max(self.last_s, at_s)
                    if self.waiting > 0:
                        self._freed[found[1]] = at_s
            case _:
                pass

    def _speaks(self, member: str, caller: str, at_s: float) -> None:
        self._began[member] = (at_s, len(self.talks))
        self.talks.append((at_s, 0.0))
        self.speaking.append((at_s, member, caller))
        freed_s = self._freed.pop(member, None)
        if freed_s is not None:
            self.idle_s.append(at_s - freed_s)

    def ideal_s(self, members: int) -> float:
        """How long these talks take, one after the other, when no member is ever idle while somebody waits."""
        free = [0.0] * members
        for _, talk_s in self.talks:
            heapq.heappush(free, heapq.heappop(free) + talk_s)
        return max(free)


def ms(values: Iterable[float], share: float) -> float | None:
    """A quantile in ms to the tenth; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)
