"""A crowd at the real daemon: `make bench-load` (some 18 minutes; BENCH_ARGS='--minutes 1' is shorter).

2,000 customers in the web chat and 200 desks hold their WebSockets at once, each customer from an address of its own. The
daemon is the real one in a process of its own, journal, CRM and metrics on the disk; the crowd is this
process. Phases, each so many minutes long:

    half        the agents are half taken (300 of 600 chats at once)
    nine tenths 540 of 600
    overload    twice as many customers as are let in, and those inside want twice what the agents can do
    after       half again

An offer's latency is from a customer's first word on its way to the offer at an agent's desk, seen from here: through
both sockets, the journal's commit and the crowd's own delay, which is told as well. Who began while all chats were taken
stood in line first, so those who had room are told apart. The status is asked over HTTP as an operator asks it: refused, it comes again, and that is counted.

The table and the verdict are printed; `--write` puts them into docs/load.md. The last line of the output is JSON. Exits
with 1 when a promise was broken: somebody cut off without a clear answer, memory that grew, no recovery.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import trio
from load import report
from load.crowd import LINES, Agent, Crowd, Customer, Pace, Seen
from load.daemon import LoadedDaemon

CHATS_AT_ONCE: Final = 3
THINK_S: Final = 10.0
RAMP_S: Final = 20.0
SAMPLE_S: Final = 1.0
SETTLE_S: Final = 2 * LINES * THINK_S
"""After a change of pace: until as many chats end as begin. As long as a chat; a shorter run settles less."""
RECOVER_S: Final = 180.0
"""After the overload: all who talk and all who wait, at half the pace, take about a minute."""
LAG_S: Final = 0.01


class Phase:
    """What one phase was like, and what it gave."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.seen = Seen()
        self.memory: list[int] = []
        self.cpu_s = 0.0
        self.lag_s: list[float] = []
        self.customers = self.agents = self.connected = 0

    def figures(self) -> dict[str, Any]:
        """For people and for the JSON line; latencies in ms, memory in MB."""
        offers, with_room = sorted(self.seen.offer_s), sorted(self.seen.room_s)
        answers = sorted(self.seen.answer_s)
        quarter = max(1, len(self.memory) // 4)
        mb = [round(_mean(part) / 1e6, 1) for part in (self.memory[:quarter], self.memory[-quarter:])]
        return {
            "seconds": round(self.seconds),
            "customers": self.customers,
            "desks": self.agents,
            "chats": self.connected,
            "offers": len(offers),
            "offers_with_room": len(with_room),
            "room_ms": {name: _ms(with_room, share) for name, share in SHARES.items()},
            "offer_ms": {name: _ms(offers, share) for name, share in SHARES.items()},
            "answer_ms": {name: _ms(answers, share) for name, share in SHARES.items()},
            "crowd_lag_ms_p99": _ms(sorted(self.lag_s), 0.99),
            "cpu_percent": round(100 * self.cpu_s / self.seconds),
            "memory_mb_first_quarter": mb[0],
            "memory_mb_last_quarter": mb[1],
            "memory_mb_most": round(max(self.memory) / 1e6, 1),
            "refused": self.seen.refused,
            "impolite": self.seen.impolite,
            "told": dict(sorted(self.seen.counts.items())),
        }


SHARES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def _ms(ordered: list[float], share: float) -> float | None:
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


def _mean(values: Iterable[int]) -> float:
    found = list(values)
    return sum(found) / len(found)


class Load:
    """The crowd and the daemon through the phases."""

    def __init__(self, daemon: LoadedDaemon, customers: int) -> None:
        self.daemon = daemon
        self.customers = customers
        self.slots = daemon.agents * CHATS_AT_ONCE
        self.pace = Pace(think_s=THINK_S, pause_s=60)
        self.crowd = Crowd(daemon.port, self.pace, slots=self.slots)
        self.phases: list[Phase] = []
        self.recovered_s: float | None = None
        """From the end of the overload until the line was empty; None when it never was."""

    def want(self, share: float) -> None:
        """Have this share of the agents' chats taken: a customer talks for so long, then stays away for so long."""
        self.pace.pause_s = max(0.1, self.pace.talk_s * (self.customers / (share * self.slots) - 1))

    async def run(self, seconds: dict[str, float]) -> None:
        """Everything, phase by phase."""
        settle_s = min(seconds["half"], SETTLE_S)
        tokens = await trio.to_thread.run_sync(self.daemon.desk_tokens)
        async with trio.open_nursery() as nursery:
            for token in tokens:
                nursery.start_soon(Agent(self.crowd, token).run)
            self.want(0.5)
            await self._come(nursery, range(self.customers))
            await self._until_in()
            await trio.sleep(settle_s)
            await self._phase("half", seconds["half"])
            self.want(0.9)
            await trio.sleep(settle_s)
            await self._phase("nine tenths", seconds["nine tenths"])
            async with trio.open_nursery() as outside:
                self.want(1.8)
                await self._come(outside, range(self.customers, 2 * self.customers))
                await self._phase("overload", seconds["overload"])
                outside.cancel_scope.cancel()
            self.want(0.5)
            await self._recover()
            await self._phase("after", seconds["overload"])
            nursery.cancel_scope.cancel()

    async def _come(self, nursery: trio.Nursery, numbers: range) -> None:
        """One after the other, over some seconds: a crowd, not a wall."""
        for number in numbers:
            nursery.start_soon(Customer(self.crowd, number).run)
            await trio.sleep(RAMP_S / len(numbers))

    async def _until_in(self) -> None:
        with trio.fail_after(120):
            while self.crowd.customers_in < self.customers or self.crowd.agents_in < self.daemon.agents:
                await trio.sleep(0.1)

    async def _recover(self) -> None:
        """Wait until nobody stands in line any more, and note how long that took."""
        began_s = trio.current_time()
        with trio.move_on_after(RECOVER_S):
            while True:
                status, _ = await trio.to_thread.run_sync(self.daemon.get_in_time, "/api/status")
                if status is not None and not status["waiting"]:
                    self.recovered_s = round(trio.current_time() - began_s, 1)
                    return
                await trio.sleep(SAMPLE_S)

    async def _phase(self, name: str, seconds: float) -> None:
        phase = Phase(name, seconds)
        self.phases.append(phase)
        self.crowd.seen = phase.seen
        cpu_s, began_s = self.daemon.cpu_s(), trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._note_lag, phase)
            while trio.current_time() < began_s + seconds:
                await trio.sleep(SAMPLE_S)
                phase.memory.append(self.daemon.memory_bytes())
            nursery.cancel_scope.cancel()
        phase.seconds = trio.current_time() - began_s
        phase.cpu_s = self.daemon.cpu_s() - cpu_s
        phase.customers, phase.agents = self.crowd.customers_in, self.crowd.agents_in
        status, refused_n = await trio.to_thread.run_sync(self.daemon.get_in_time, "/api/status")
        if refused_n:
            phase.seen.counts["operator refused"] += refused_n
        if status is None:
            phase.seen.counts["operator never answered"] += 1
            phase.seen.impolite += 1
        else:
            phase.connected = status["live"] - status["waiting"]
        self.crowd.seen = Seen()
        _show(phase)

    async def _note_lag(self, phase: Phase) -> None:
        while True:
            before_s = trio.current_time()
            await trio.sleep(LAG_S)
            phase.lag_s.append(trio.current_time() - before_s - LAG_S)


def _show(phase: Phase) -> None:
    found = phase.figures()
    latency = " ".join(f"{name} {value}" for name, value in found["room_ms"].items())
    all_ms = " ".join(f"{name} {value}" for name, value in found["offer_ms"].items())
    print(
        f"  {phase.name:12} {found['customers']:5} customers {found['desks']:4} desks {found['chats']:4} chats"
        f" {found['offers']:6} offers  {found['offers_with_room']} with room {latency} ms  all {all_ms} ms"
        f" (crowd's own p99 {found['crowd_lag_ms_p99']})"
        f"  CPU {found['cpu_percent']} %  memory {found['memory_mb_first_quarter']} → "
        f"{found['memory_mb_last_quarter']} MB, most {found['memory_mb_most']}",
        flush=True,
    )
    for what, times in found["told"].items():
        print(f"      {times:7} × {what}", flush=True)


class Machine:
    """What it ran on, and how busy others kept it."""

    def __init__(self) -> None:
        self._load_before = os.getloadavg()[0]

    def __str__(self) -> str:
        return (
            f"{os.cpu_count()} {platform.machine()} cores, {platform.system()}, Python {platform.python_version()}; load "
            f"average {self._load_before:.1f} before and {os.getloadavg()[0]:.1f} after, of which daemon and crowd are two"
        )


def main() -> None:
    """Run the phases and print what they gave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of the phase at nine tenths (default 10)")
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where the daemon's files are left; a temporary one")
    parser.add_argument("--write", action="store_true", help="put the table into docs/load.md")
    given = parser.parse_args()
    if given.minutes <= 0 or given.customers < 10 or given.agents < 1:
        parser.error("--minutes must be more than 0, --customers at least 10, --agents at least 1")
    long_s = given.minutes * 60
    seconds = {"half": long_s * 0.2, "nine tenths": long_s, "overload": long_s * 0.1}
    print(
        f"{given.customers} customers, {given.agents} agents of {CHATS_AT_ONCE} chats, {THINK_S:g} s of thought a line",
        flush=True,
    )
    machine = Machine()
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        began_s = time.monotonic()
        with LoadedDaemon(folder, agents=given.agents, customers=given.customers) as daemon:
            load = Load(daemon, given.customers)
            trio.run(load.run, seconds)
            status, _ = daemon.get_in_time("/api/status")
    phases = {phase.name: phase.figures() for phase in load.phases}
    components_down = status["components_down"] if status else None
    verdict = report.broken(
        phases,
        customers=given.customers,
        desks=given.agents,
        components_down=components_down,
        recovered_s=load.recovered_s,
    )
    command = "make bench-load"
    if len(sys.argv) > 1:
        command += f" BENCH_ARGS='{shlex.join(sys.argv[1:])}'"
    text = report.section(
        phases, command=command, machine=str(machine), verdict=verdict, recovered_s=load.recovered_s
    )
    print(f"\n{text}", flush=True)
    if given.write:
        report.write(text)
    print(
        json.dumps(
            {
                "customers": given.customers,
                "desks": given.agents,
                "minutes": round((time.monotonic() - began_s) / 60, 1),
                "components_down": components_down,
                "recovered_s": load.recovered_s,
                "broken": verdict,
                "phases": phases,
            }
        )
    )
    if verdict:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
