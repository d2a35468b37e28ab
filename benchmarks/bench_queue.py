"""The matching queue beside its peers: `make bench-queue`.

In one run and with the same work: the queue through its Python API and inside Rust, its naive specification, the best
pure Python, SQLite, Redis, PostgreSQL. What the work is: queue_peers/work.py. What each peer does: its module there.
`--quick` takes about a minute, the default within ten on two slow cores, `--full` as long as it takes.
`--write` puts the tables into RESULTS.md and draws the plots. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from queue_peers import inside_rust, report
from queue_peers.best_python import BestPython
from queue_peers.inside_rust import RustRun
from queue_peers.measure import Latency, Result, exponent, latency, side_by_side
from queue_peers.ours import BATCH_EVENTS, Batched, Fused, Naive
from queue_peers.peer import Peer, Skipped
from queue_peers.postgresql import PostgreSQL, PostgreSQLSynchronous
from queue_peers.redis import Redis, RedisPipelined
from queue_peers.sqlite import SqliteLaneHeads, SqliteOrderBy, SqlitePass
from queue_peers.work import Mode, Size, record

SEED: Final = 1
HEADLINE: Final = Size(100_000, 10_000, 1_000)
GREAT: Final = Size(1_000_000, 100_000, 1_000)
UNIQUE: Final = Size(1_000_000, 100_000, 100_000)
EVERYBODY: Final[tuple[Callable[[], Peer], ...]] = (
    Fused, Batched, BestPython, Naive, SqliteOrderBy, SqlitePass, SqliteLaneHeads,
    Redis, RedisPipelined, PostgreSQL, PostgreSQLSynchronous,
)  # fmt: skip
SWIFT: Final[tuple[Callable[[], Peer], ...]] = (Fused, Batched, BestPython)
PEER_CELLS: Final[tuple[tuple[Size, Mode], ...]] = (
    (HEADLINE, "saturated"),
    (Size(1_000, 1_000, 200), "saturated"),
    (Size(100_000, 1_000, 200), "saturated"),
    (Size(100, 100, 100), "mixed"),
    (HEADLINE, "mixed"),
    (Size(1_000, 10_000, 1_000), "slack"),
)
WAITING_AXIS: Final = (100, 1_000, 10_000, 100_000, 1_000_000)
AGENTS_AXIS: Final = (100, 1_000, 10_000, 100_000)
DISTINCT_AXIS: Final = (100, 1_000, 10_000)


@dataclass(frozen=True)
class Plan:
    """How much of everything a run does; `minutes_max` leaves out what has not begun by then."""

    peers: Sequence[tuple[Size, Mode]]
    sweep_modes: Sequence[Mode]
    great: bool
    peer_s: float
    sweep_s: float
    events: int
    rust_events: int
    rust_repeats: int
    rust_axes: bool
    minutes_max: float


PLANS: Final = {
    "quick": Plan(PEER_CELLS[:2], (), False, 0.6, 0.4, 40_000, 200_000, 1, False, 3),
    "default": Plan(PEER_CELLS, ("mixed",), True, 1.0, 0.6, 120_000, 500_000, 3, True, 9),
    "full": Plan(
        PEER_CELLS, ("saturated", "mixed", "slack"), True, 4.0, 2.0, 500_000, 2_000_000, 5, True, 600
    ),
}


@dataclass
class Measured:
    """Everything a run has measured, for the report."""

    cells: list[tuple[Size, Mode, list[Result]]] = field(default_factory=list)
    sweeps: list[tuple[str, Size, Mode, list[Result]]] = field(default_factory=list)
    latencies: list[tuple[Size, Mode, Latency]] = field(default_factory=list)
    rust: list[tuple[str, RustRun]] = field(default_factory=list)
    instructions: list[tuple[str, Size, float]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    machine: report.Machine = field(default_factory=report.Machine)

    def rate(self, size: Size, mode: Mode, peer: str) -> float | None:
        for known, known_mode, results in self.cells:
            if (known, known_mode) == (size, mode):
                return next(
                    (one.events_per_s for one in results if one.peer == peer and not one.skipped), None
                )
        return None

    def rust_run(self, axis: str) -> RustRun | None:
        return next((run for known, run in self.rust if known == axis), None)


class Run:
    """One run by a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.measured = Measured()
        self._until = time.monotonic() + plan.minutes_max * 60

    def _late(self, what: str) -> bool:
        if time.monotonic() < self._until:
            return False
        self.measured.left_out.append(f"{what}: the run's {self.plan.minutes_max:g} minutes were over")
        return True

    def everything(self) -> Measured:
        """The cells the summary needs come first."""
        self._cell(*self.plan.peers[0])
        self._instructions()
        self._rust()
        for size, mode in self.plan.peers[1:]:
            self._cell(size, mode)
        for mode in self.plan.sweep_modes:
            self._sweep(mode)
        self.measured.machine.finish()
        return self.measured

    def _cell(self, size: Size, mode: Mode) -> None:
        if self._late(f"peers, {mode}, {size}"):
            return
        script = record(size, mode, events=self.plan.events, seed=SEED)
        results = side_by_side(script, [make() for make in EVERYBODY], self.plan.peer_s)
        self.measured.cells.append((size, mode, results))
        print(report.cell(size, mode, results), flush=True)
        if (size, mode) == self.plan.peers[0]:
            for make in (Fused, BestPython):
                self.measured.latencies.append((size, mode, latency(script, make())))
            print(report.latencies(self.measured.latencies), flush=True)

    def _sweep(self, mode: Mode) -> None:
        """One axis at a time, the other two as in the headline's size."""
        sizes = [
            ("waiting", HEADLINE._replace(waiting=waiting)) for waiting in WAITING_AXIS if mode != "slack"
        ]
        sizes += [("distinct", UNIQUE._replace(waiting=HEADLINE.waiting))]
        sizes += [("agents", HEADLINE._replace(agents=agents)) for agents in AGENTS_AXIS]
        sizes += [("distinct", HEADLINE._replace(distinct=distinct)) for distinct in DISTINCT_AXIS]
        done: dict[Size, list[Result]] = {}
        for axis, size in sizes:
            if not self.plan.great and size.waiting > HEADLINE.waiting:
                continue
            if size not in done:
                if self._late(f"growth, {mode}, {size}"):
                    continue
                script = record(size, mode, events=self.plan.events, seed=SEED)
                done[size] = side_by_side(script, [make() for make in SWIFT], self.plan.sweep_s)
                print(report.cell(size, mode, done[size]), flush=True)
            self.measured.sweeps.append((axis, size, mode, done[size]))

    def _rust(self) -> None:
        plan = self.plan
        runs: list[tuple[str, str, Size]] = [("mixed", "mixed", GREAT), ("unique", "unique", UNIQUE)]
        if plan.rust_axes:
            runs += [("saturated", "saturated", GREAT), ("slack", "slack", GREAT)]
            runs += [("waiting", "mixed", HEADLINE._replace(waiting=waiting)) for waiting in WAITING_AXIS[2:]]
            runs += [("agents", "mixed", HEADLINE._replace(agents=agents)) for agents in AGENTS_AXIS[1:]]
            runs += [
                ("distinct", "mixed", HEADLINE._replace(distinct=distinct)) for distinct in DISTINCT_AXIS
            ]
        else:
            runs += [
                ("waiting", "mixed", HEADLINE._replace(waiting=waiting)) for waiting in WAITING_AXIS[2::2]
            ]
            runs += [("agents", "mixed", HEADLINE._replace(agents=agents)) for agents in AGENTS_AXIS[1::2]]
        done: dict[tuple[str, Size], RustRun] = {}
        for axis, mode, size in runs:
            if (mode, size) not in done:
                if self._late(f"inside Rust, {mode}, {size}"):
                    continue
                try:
                    done[mode, size] = inside_rust.run(
                        mode, size, events=plan.rust_events, repeats=plan.rust_repeats
                    )
                except Skipped as reason:
                    self.measured.left_out.append(f"inside Rust: {reason}")
                    return
            self.measured.rust.append((axis, done[mode, size]))
            if axis == "mixed":
                batched = inside_rust.run(
                    mode, size, events=plan.rust_events, repeats=plan.rust_repeats, batch=BATCH_EVENTS
                )
                self.measured.rust.append((f"in batches of {BATCH_EVENTS}", batched))
        print(report.rust(self.measured.rust), flush=True)

    def _instructions(self) -> None:
        sizes = [("waiting", HEADLINE._replace(waiting=waiting)) for waiting in WAITING_AXIS[2:]]
        sizes += [("agents", HEADLINE._replace(agents=agents)) for agents in AGENTS_AXIS[1:]]
        for axis, size in sizes:
            if self._late(f"instructions, {size}"):
                return
            try:
                counted = inside_rust.instructions(size)
            except Skipped as reason:
                self.measured.left_out.append(f"instructions: {reason}")
                return
            self.measured.instructions.append((axis, size, counted))
        print(report.instructions(self.measured.instructions), flush=True)


def growth(measured: Measured, axis: str) -> float | None:
    """The exponent inside Rust along an axis, from 10,000 to 1,000,000 waiting, 1,000 to 100,000 agents."""
    points = [
        (float(getattr(run.size, axis)), 1e9 / run["rate"]) for known, run in measured.rust if known == axis
    ]
    return exponent(points) if len(points) > 1 else None


def growth_in_instructions(measured: Measured, axis: str) -> float | None:
    """As `growth`, in what callgrind counts."""
    counted = measured.instructions
    points = [(float(getattr(size, axis)), each) for known, size, each in counted if known == axis]
    return exponent(points) if len(points) > 1 else None


def worst_us(measured: Measured) -> float | None:
    """The slowest operation at 1,000,000 waiting, arrivals while they fill the queue included."""
    great = [run for _, run in measured.rust if run.size.waiting == GREAT.waiting]
    slowest = [run[name] / 1e3 for run in great for name in ("worst_event_ns", "worst_fill_ns")]
    return max(slowest, default=None)


def summary(measured: Measured) -> dict[str, float | None]:
    """The last line: null where this run has not measured it."""
    compared = (Fused, BestPython, SqlitePass)
    ours, python, sqlite = (measured.rate(HEADLINE, "saturated", make.name) for make in compared)
    mixed, unique = measured.rust_run("mixed"), measured.rust_run("unique")

    def over(left: float | None, right: float | None) -> float | None:
        return left / right if left and right else None

    figures = {
        "cycles_per_s_python_api": over(ours, 2),  # a cycle is two events: one finishes, one arrives
        "vs_best_python": over(ours, python),
        "vs_sqlite": over(ours, sqlite),
        "events_per_s_rust_mixed": mixed and mixed["rate"],
        "events_per_s_rust_unique": unique and unique["rate"],
        "p99_us": mixed and mixed["p99_ns"] / 1e3,
        "p999_us": mixed and mixed["p999_ns"] / 1e3,
        "bytes_per_waiting": mixed and mixed["bytes_per_waiting"],
        "exponent_waiting": growth(measured, "waiting"),
        "exponent_agents": growth(measured, "agents"),
        "exponent_waiting_instructions": growth_in_instructions(measured, "waiting"),
        "exponent_agents_instructions": growth_in_instructions(measured, "agents"),
        "worst_us": worst_us(measured),
    }
    return {name: value if value is None else float(f"{value:.4g}") for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="The matching queue beside its peers.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_const", dest="plan", const="quick", help="about a minute")
    length.add_argument("--full", action="store_const", dest="plan", const="full", help="every size and mode")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md and the plots")
    parser.set_defaults(plan="default")
    given = parser.parse_args()
    # The servers end with the run however it ends.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    measured = Run(PLANS[given.plan]).everything()
    figures = summary(measured)
    print(report.ending(measured, figures), flush=True)
    if given.write:
        report.write(measured, figures, command=f"make bench-queue ({given.plan})")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
