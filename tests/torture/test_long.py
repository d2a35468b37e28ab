"""`make torture` ends with its line of JSON, whatever goes wrong under way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from centralita.simulate.torture import Report
from tests.torture import long
from tests.torture.kills import Killed

NOTHING_DONE = Report(seed=5, steps=10, cpu_s=1.0)


async def cut_short(folder: Path, seed: int, *, found: Killed, **_: Any) -> None:
    """A driver that kills three times and then meets what nobody foresaw, in two tasks at once."""
    found.kills += 3

    async def fails(error: Exception) -> None:
        raise error

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fails, trio.TooSlowError())
        nursery.start_soon(fails, AssertionError("the daemon ended\\nwith 1"))


def test_driver_that_fails_is_a_problem_and_the_json_comes_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(long, "kill", cut_short)
    kills = long.killed(0.0, 5)
    assert long.summed_up([NOTHING_DONE], kills, {"recover_s_1m": None}, 5) == 1
    *problems, line = capsys.readouterr().out.splitlines()
    summary = json.loads(line)
    assert (summary["kills"], summary["violations"], summary["seed"], summary["lost"]) == (3, 2, 5, 0)
    assert len(problems) == 2
    for problem in problems:
        assert problem.startswith("PROBLEM under kills of seed 5: the driver ended with ")
        assert "at test_long.py:" in problem


def test_worker_that_dies_is_a_problem_with_its_seed() -> None:
    problems: list[str] = []
    process = long._start_worker(7, float("nan"))
    process.kill()
    assert long._reports_of(7, process, problems) == []
    assert problems == ["the worker of seed 7 ended with -9"]


def test_nothing_wrong_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert long.summed_up([NOTHING_DONE], Killed(kills=1), {"recover_s_1m": None}, 5) == 0
    assert json.loads(capsys.readouterr().out)["violations"] == 0
