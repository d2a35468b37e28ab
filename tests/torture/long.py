"""`make torture`: days under simulated faults, kills of the real daemon, and a recovery of a million contacts, for SECONDS.

One process a core but one lives days, each from seeds of its own, on both queues; beside them the real daemon is killed
while people talk. Whatever breaks is printed with the command that repeats it. The last line is JSON; the exit
code is 0 only when nothing was broken, lost or doubled.

`recover_s_1m` is what `benchmarks/bench_recovery.py` measures: a start over 1,000,000 journalled contacts with
100,000 live. Making that journal takes minutes, so it is made when SECONDS allows (`MAKE_FROM_S`) and kept in
target/torture; without it, a fiftieth of it is measured and named `recover_s_20k`, and `recover_s_1m` is null.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from centralita.simulate.torture import Report, torture
from tests.torture.kills import Killed, kill

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / "target" / "torture" / "recovery-1m"
MAKE_FROM_S: Final = 900
KILLS: Final = 200
KILLS_SHARE: Final = 0.55
"""The part of SECONDS in which the daemon is killed; its last customers finish in what follows."""
STEPS_OF_A_SEED: Final = 400_000
SEEDS_OF_A_WORKER: Final = 1_000_000
TOLD_MAX: Final = 400
"""Characters of an exception's or a process's last words."""


def live_days(first_seed: int, until: Callable[[], bool]) -> list[Report]:
    """Torture seed after seed until it is enough, or one breaks a rule."""
    reports: list[Report] = []
    while not until():
        reports.append(torture(first_seed + len(reports), STEPS_OF_A_SEED, until=until))
        if reports[-1].violation is not None:
            break
    return reports


def worker(first_seed: int, seconds: float) -> None:
    """A process that lives days and prints its reports."""
    end_s = time.monotonic() + seconds
    reports = live_days(first_seed, lambda: time.monotonic() >= end_s)
    sys.stdout.buffer.write(msgspec.json.encode(reports) + b"\n")


def recovered(seconds: float, problems: list[str]) -> dict[str, float | None]:
    """How long a start takes, over the million that is kept, or over a fiftieth of it."""
    bench = [sys.executable, str(ROOT / "benchmarks" / "bench_recovery.py"), "--runs", "1"]
    full = KEPT.exists() or seconds >= MAKE_FROM_S
    size = ["--keep", str(KEPT)] if full else ["--contacts", "20000", "--live", "2000"]
    done = subprocess.run([*bench, *size], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        problems.append(f"{' '.join(bench[1:])} ended with {done.returncode}: {done.stderr[-TOLD_MAX:]}")
        return {"recover_s_1m": None}
    found = json.loads(done.stdout.splitlines()[-1])
    if full:
        return {"recover_s_1m": found["recover_s_1m"]}
    return {"recover_s_1m": None, "recover_s_20k": round(found["recover_s"], 2)}


def killed(seconds: float, seed: int) -> Killed:
    """The real daemon, killed for so long. Whatever ends the driver is one of the problems found."""
    end_s = time.monotonic() + seconds
    found = Killed()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        try:
            trio.run(_kill, Path(name), seed, lambda: time.monotonic() >= end_s, found)
        except Exception as error:  # noqa: BLE001 - the last line says what became of it
            found.problems += [f"the driver ended with {said}" for said in told(error)]
    return found


async def _kill(folder: Path, seed: int, until: Callable[[], bool], found: Killed) -> None:
    await kill(folder, seed, kills=KILLS, until=until, found=found)


def told(error: BaseException) -> list[str]:
    """What an exception says, and those in a group each by itself: kind, message and where it was raised."""
    if isinstance(error, BaseExceptionGroup):
        return [said for one in error.exceptions for said in told(one)]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        frame for frame in frames if str(ROOT) in frame.filename and "site-packages" not in frame.filename
    ]
    frame = (ours or frames)[-1]
    return [f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {str(error)[-TOLD_MAX:]}"]


def main() -> int:
    """Do all of it; the last line of what is printed is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1200, help="about how long (default 1200)")
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: by the clock)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    seed = int(time.time()) if given.seed is None else given.seed
    if given.worker:
        worker(seed, given.seconds)
        return 0
    began_s = time.monotonic()
    print(f"seed {seed}, {given.seconds:g} s", flush=True)
    problems: list[str] = []
    recovery = recovered(given.seconds, problems)
    left_s = max(5.0, given.seconds - (time.monotonic() - began_s))
    seeds = [seed + number * SEEDS_OF_A_WORKER for number in range(max(1, _cores() - 1))]
    workers = {first: _start_worker(first, left_s) for first in seeds}
    kills = killed(left_s * KILLS_SHARE, seed)
    reports = [report for first in seeds for report in _reports_of(first, workers[first], problems)]
    kills.problems += problems
    return summed_up(reports, kills, recovery, seed)


def _cores() -> int:
    return os.cpu_count() or 1


def _start_worker(seed: int, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.torture.long", "--worker"]
    return subprocess.Popen(
        [*command, "--seed", str(seed), "--seconds", str(seconds)], cwd=ROOT, stdout=subprocess.PIPE
    )


def _reports_of(seed: int, process: subprocess.Popen[bytes], problems: list[str]) -> list[Report]:
    """What a worker found; one that has died has found a problem, and says on stderr what it was."""
    out, _ = process.communicate()
    if process.returncode != 0:
        problems.append(f"the worker of seed {seed} ended with {process.returncode}")
        return []
    return msgspec.json.decode(out, type=list[Report])


def summed_up(reports: list[Report], kills: Killed, recovery: dict[str, float | None], seed: int) -> int:
    """Print what was found, and the line; the exit code."""
    broken = [report.violation for report in reports if report.violation is not None]
    for found in broken:
        print(f"BROKEN {found.rule}: {found.detail[:2000]}")
        print(*found.minimal or found.last, f"again: {found.again}", sep="\n")
    for what, found_lines in (("LOST", kills.lost), ("DOUBLED", kills.doubled), ("PROBLEM", kills.problems)):
        for one in found_lines[:20]:
            print(f"{what} under kills of seed {seed}: {' '.join(one.split())[:600]}")
    steps, cpu_s = sum(one.steps for one in reports), sum(one.cpu_s for one in reports)
    line: dict[str, Any] = {
        "steps": steps,
        "steps_per_min": round(steps / cpu_s * 60) if cpu_s else 0,
        "seeds": len(reports),
        "violations": len(broken) + len(kills.problems),
        "kills": kills.kills,
        "lost": len(kills.lost),
        "doubled": len(kills.doubled),
        **recovery,
        "commands": sum(one.commands for one in reports),
        "crashes": sum(one.crashes for one in reports),
        "messages": kills.messages,
        "seed": seed,
    }
    print(json.dumps(line), flush=True)
    return 1 if broken or kills.problems or kills.lost or kills.doubled else 0


if __name__ == "__main__":
    raise SystemExit(main())
