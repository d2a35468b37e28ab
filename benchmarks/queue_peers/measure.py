"""Peers side by side: the same script, by turns, each answer held against the script's.

A peer that works in this thread is measured by the thread's own clock, so that neighbours on the machine do not
count; one with a server of its own by the wall clock, since its work is elsewhere. The median of short turns is
told with its quartiles. Python's collector rests while a clock runs, for all alike.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from queue_peers.peer import Peer, Skipped
from queue_peers.work import Script

TURN_NS: Final = 2_000_000
TURN_EVENTS_FIRST: Final = 16
TURN_EVENTS_MAX: Final = 2_048
ROUNDS: Final = 3


@dataclass
class Result:
    """What one peer did with one script; `skipped` holds the reason where it did nothing."""

    peer: str
    skipped: str = ""
    load_s: float = 0.0
    events: int = 0
    turns_ns: list[float] = field(default_factory=list)
    """Of each turn the time an event took."""
    bytes_per_waiting: float | None = None

    @property
    def median_ns(self) -> float:
        return statistics.median(self.turns_ns)

    @property
    def quartiles_ns(self) -> tuple[float, float]:
        if len(self.turns_ns) < 2:
            return self.median_ns, self.median_ns
        low, _, high = statistics.quantiles(self.turns_ns, n=4)
        return low, high

    @property
    def events_per_s(self) -> float:
        return 1e9 / self.median_ns


class _Turn:
    """A loaded peer and how far it has come."""

    def __init__(self, peer: Peer, script: Script, result: Result) -> None:
        self.peer, self.script, self.result = peer, script, result
        self.at, self.size = 0, TURN_EVENTS_FIRST
        self.clock = time.thread_time_ns if peer.in_process else time.perf_counter_ns

    def play(self) -> bool:
        """One turn; False when the script is at its end."""
        start, end = self.at, min(self.at + self.size, len(self.script.events))
        if start == end:
            return False
        events = self.script.events[start:end]
        before = self.clock()
        made = self.peer.play(events)
        spent_ns = self.clock() - before
        pairs_n = self.script.pairs_n
        expected = self.script.pairs[pairs_n[start - 1] if start else 0 : pairs_n[end - 1]]
        assert made == expected, f"{self.peer.name} made other pairs in events {start} to {end}"
        self.at = end
        if start:  # the first turn only tells how long a turn should be
            self.result.turns_ns.append(spent_ns / len(events))
            self.result.events += len(events)
        wanted = int(TURN_NS * len(events) / max(1, spent_ns))
        wanted = max(2, min(TURN_EVENTS_MAX, wanted))
        self.size = wanted - wanted % (64 if wanted > 64 else 2)
        return True


def side_by_side(script: Script, peers: Sequence[Peer], budget_s: float) -> list[Result]:
    """Each peer for `budget_s` at most, in ROUNDS rounds by turns; in the order given."""
    results: list[Result] = []
    turns: list[_Turn] = []
    try:
        for peer in peers:
            result = Result(peer.name)
            results.append(result)
            before = time.monotonic()
            try:
                turns.append(_Turn(peer, script, result))
                peer.load(script.snapshot)
            except Skipped as reason:
                result.skipped = str(reason)
                turns.pop()
                continue
            result.load_s = time.monotonic() - before
            taken, waiting = peer.waiting_bytes(), len(script.snapshot.waiting)
            if taken is not None and waiting:
                result.bytes_per_waiting = taken / waiting
        gc.collect()
        gc.disable()
        for _ in range(ROUNDS):
            for turn in turns:
                ends = time.monotonic() + budget_s / ROUNDS
                while turn.play() and time.monotonic() < ends:
                    pass
    finally:
        gc.enable()
        for peer in peers:
            peer.close()
    for turn in turns:
        if not turn.result.turns_ns:
            turn.result.skipped = "a single turn took longer than its time"
    return results


@dataclass
class Latency:
    """How long single events took; `worst_cpu_us` by the thread's clock, so without neighbours' turns."""

    peer: str
    p50_us: float
    p99_us: float
    p999_us: float
    worst_us: float
    worst_cpu_us: float


def latency(script: Script, peer: Peer) -> Latency:
    """Each event by itself: once by the wall clock, then as many by the thread's clock."""
    peer.load(script.snapshot)
    half = len(script.events) // 2
    singles = [(event,) for event in script.events]
    gc.collect()
    gc.disable()
    try:
        told: list[list[int]] = []
        for clock, part in ((time.perf_counter_ns, singles[:half]), (time.thread_time_ns, singles[half:])):
            spent: list[int] = []
            for single in part:
                before = clock()
                peer.play(single)
                spent.append(clock() - before)
            told.append(sorted(spent))
    finally:
        gc.enable()
        peer.close()
    wall, cpu = told
    at = [wall[int(len(wall) * share)] / 1e3 for share in (0.5, 0.99, 0.999)]
    return Latency(peer.name, *at, worst_us=wall[-1] / 1e3, worst_cpu_us=cpu[-1] / 1e3)


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the straight line through (log size, log time), by least squares."""
    logs = [(math.log(size), math.log(spent)) for size, spent in points]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope
