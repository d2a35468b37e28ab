"""The queue inside Rust, without Python: `cargo run --example mixed`, which prints a line of JSON a run.

Instructions are callgrind's, of the same example: they are the same on a busy machine as on a quiet one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from queue_peers.peer import Skipped
from queue_peers.work import Size

ROOT: Final = Path(__file__).parents[2]
RUN_S_MAX: Final = 300.0
REPEATED_S_MAX: Final = 15.0
"""A run that took longer than this is not repeated."""
EXAMPLE: Final = [
    "--profile",
    "plain",
    "--locked",
    "--quiet",
    "-p",
    "centralita_routing",
    "--example",
    "mixed",
]
COUNTED_EVENTS: Final = 50_000


@dataclass
class RustRun:
    """Runs of one size and mode; each figure is their median, with `spread` the least and the most events a second."""

    mode: str
    size: Size
    figures: dict[str, float]
    spread: tuple[float, float]

    def __getitem__(self, name: str) -> float:
        return self.figures[name]


def rate(figures: dict[str, Any]) -> float:
    """Events a second of the thread's own time, where the system tells it."""
    return float(figures["events_per_cpu_s"] or figures["events_per_s"])


def _cargo(command: list[str]) -> subprocess.CompletedProcess[str]:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise Skipped("cargo is not installed")
    return subprocess.run(
        [cargo, *command],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )  # fmt: skip


def _options(mode: str, size: Size, events: int, **more: int) -> list[str]:
    options = {
        "mode": mode, "waiting": size.waiting, "agents": size.agents, "requirements": size.distinct,
        "profiles": size.distinct, "events": events, **more,
    }  # fmt: skip
    return [str(word) for name, value in options.items() for word in (f"--{name}", value)]


def run(mode: str, size: Size, *, events: int, repeats: int, batch: int = 1) -> RustRun:
    """`batch` events a call, latencies apart. Raises `Skipped` where there is no cargo."""
    _cargo(["build", *EXAMPLE]).check_returncode()
    told: list[dict[str, Any]] = []
    for seed in range(1, repeats + 1):
        before = time.monotonic()
        done = _cargo(["run", *EXAMPLE, "--", *_options(mode, size, events, seed=seed, batch=batch)])
        if done.returncode:
            raise RuntimeError(f"the example ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        told.append(json.loads(done.stdout.splitlines()[-1]))
        if time.monotonic() - before > REPEATED_S_MAX:
            break
    names = [name for name, value in told[0].items() if isinstance(value, int | float)]
    figures = {name: statistics.median(one[name] for one in told) for name in names}
    rates = [rate(one) for one in told]
    figures["rate"] = statistics.median(rates)
    return RustRun(mode, size, figures, (min(rates), max(rates)))


def instructions(size: Size) -> float:
    """Instructions a mixed event. Raises `Skipped` where cargo or valgrind is missing."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise Skipped("valgrind is not installed")
    built = _cargo(["build", *EXAMPLE, "--message-format=json"])
    built.check_returncode()
    executables = [json.loads(line).get("executable") for line in built.stdout.splitlines()]
    example = next(path for path in reversed(executables) if path)
    counting = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*"]
    done = subprocess.run(
        [*counting, example, *_options("mixed", size, COUNTED_EVENTS, count=1)],
        capture_output=True, text=True, timeout=RUN_S_MAX, check=True,
    )  # fmt: skip
    found = re.search(r"Collected : (\d+)", done.stderr)
    if not found:
        raise RuntimeError(f"callgrind counted nothing: {done.stderr.strip()[-2000:]}")
    return int(found[1]) / COUNTED_EVENTS
