"""Sinks and CRM in a process that is really killed, again and again: nothing is missing, nothing is counted twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import trio

from tests.kpi.feeding import BATCH, RECORDS, followers, kept, main

ROOT = Path(__file__).parents[2]
KILLS = 6
SEED = int(os.environ.get("KPI_SEED", "1"))


async def test_killed_process_leaves_every_follower_where_it_was(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    batches = len(RECORDS) // BATCH * 3
    for life in range(KILLS + 1):
        # At a moment of its work, not of the clock, and it can't come to its end meanwhile: the same on any machine.
        done = chance.randrange(1, batches // (KILLS + 2) // 2)
        limit = [str(done + batches // (KILLS + 2) // 2)] if life < KILLS else []
        command = [sys.executable, "-m", "tests.kpi.feeding", str(killed), *limit]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            if life < KILLS:
                process.stdout.read(done)
                process.kill()
            process.stdout.read()
        assert process.returncode == (-9 if life < KILLS else 0), f"KPI_SEED={SEED}, life {life}"
    await main(whole)
    assert kept(killed) == kept(whole), f"KPI_SEED={SEED}"
    expositions = []
    for folder in (killed, whole):
        figures = followers(folder)[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(figures.run, None)
            assert await figures.position() == RECORDS[-1].seq
            expositions.append(figures.exposition())
            nursery.cancel_scope.cancel()
    assert expositions[0] == expositions[1], f"KPI_SEED={SEED}"
