"""The queue inside Rust, without Python: `cargo run --example mixed`, which prints a line of JSON a run."""

from __future__ import annotations

import json
import os
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
COMMAND: Final = [
    "run",
    "--release",
    "--locked",
    "--quiet",
    "-p",
    "centralita_routing",
    "--example",
    "mixed",
    "--",
]


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


def run(mode: str, size: Size, *, events: int, repeats: int, batch: int = 1) -> RustRun:
    """`batch` events a call, latencies apart. Raises `Skipped` where there is no cargo."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise Skipped("cargo is not installed")
    built = [cargo, "build", *COMMAND[1:-1]]
    subprocess.run(built, cwd=ROOT, env=os.environ, stderr=subprocess.DEVNULL, timeout=RUN_S_MAX, check=True)
    told: list[dict[str, Any]] = []
    for seed in range(1, repeats + 1):
        before = time.monotonic()
        options = {
            "--mode": mode, "--waiting": size.waiting, "--agents": size.agents, "--requirements": size.distinct,
            "--profiles": size.distinct, "--events": events, "--seed": seed, "--batch": batch,
        }  # fmt: skip
        words = [str(word) for pair in options.items() for word in pair]
        done = subprocess.run(
            [cargo, *COMMAND, *words],
            cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
        )  # fmt: skip
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
