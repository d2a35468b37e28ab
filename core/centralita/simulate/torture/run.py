"""A torture of many days: each with a centre and a seed of its own, until one breaks a rule or the steps are done.

    report = torture(seed=7, steps=1_000_000)
    report.violation      # None, or what broke and how to have it again

Day k of seed N is always the same day, on whichever machine, so a failure is had again by seed and day alone.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from centralita.matching import Core, Diverged
from centralita.simulate.torture.day import Day
from centralita.simulate.torture.evening import close
from centralita.simulate.torture.shrink import shrunk
from centralita.simulate.torture.violation import Violation

DAY_STEPS: Final = 5_000
LONG_DAY_STEPS: Final = 40_000
LONG_EVERY: Final = 25
SHOWN: Final = 12
"""Last commands in a report."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A broken rule: which, with what, and where to have it again."""

    rule: str
    detail: str
    seed: int
    day: int
    step: int
    core: str
    last: tuple[str, ...]
    """The last commands, the newest last, each with its time in seconds of the day."""
    minimal: tuple[str, ...]
    """The shortest history found that breaks the same rule without anything around the engine, if any does."""

    @property
    def again(self) -> str:
        """The command that repeats it."""
        return f"centralita torture --seed {self.seed} --day {self.day} --core {self.core}"


class Report(msgspec.Struct, kw_only=True):
    """What was done, and what was found. `cpu_s` is this thread's time."""

    seed: int
    steps: int = 0
    commands: int = 0
    events: int = 0
    days: int = 0
    crashes: int = 0
    records_lost: int = 0
    contacts: int = 0
    cpu_s: float = 0.0
    violation: Found | None = None

    @property
    def steps_per_min(self) -> int:
        """Steps in a minute of one core."""
        return round(self.steps / self.cpu_s * 60) if self.cpu_s else 0


def torture(
    seed: int,
    steps: int,
    *,
    cores: Core = "both",
    day: int | None = None,
    shrink: bool = True,
    until: Callable[[], bool] = lambda: False,
) -> Report:
    """Torture for about so many steps (the last day is finished), or one `day` alone; until a rule breaks.

    `cores`: "both" lives one day in four on the two queues in lockstep, the answer to each call compared. `until`
    is asked between days whether to end now.
    """
    report = Report(seed=seed)
    began_s = time.thread_time()
    number = day if day is not None else 1
    with _collecting_by_day():
        while report.violation is None:
            _live(report, number, cores)
            gc.collect()
            report.cpu_s = time.thread_time() - began_s
            if day is not None or report.steps >= steps or until():
                break
            number += 1
    found = report.violation
    if found is not None and shrink:
        report.violation = _with_minimal(found, cores)
    return report


@contextmanager
def _collecting_by_day() -> Iterator[None]:
    """Have the collector look at each day once it is over: within a day it would go through everything that
    lives again and again, a tenth of all time, for some hundred objects."""
    was, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        if was:
            gc.enable()


def begin(seed: int, number: int, cores: Core) -> Day:
    """Day `number` of a seed, not lived yet. On both queues in lockstep, it is the same day."""
    return Day(
        f"{seed}/{number}",
        core=_COMPANY[number % 4] if cores == "both" else cores,
        sealed=number % 4 == SEALED,
    )


SEALED: Final = 2
"""Which of four days has a sealed journal."""
_COMPANY: Final[tuple[Core, ...]] = ("native", "both", "native", "native")


def live(day: Day, number: int) -> None:
    """Live a day to its end. Raises Violation; whatever else ends the engine becomes one."""
    steps = LONG_DAY_STEPS if not number % LONG_EVERY else DAY_STEPS
    try:
        for _ in range(steps):
            day.step()
        close(day)
    except Violation:
        raise
    except Diverged as difference:
        raise Violation("same decisions", f"{difference}") from difference
    except Exception as error:
        raise Violation(type(error).__name__, f"{error}") from error


def _live(report: Report, number: int, cores: Core) -> None:
    day = begin(report.seed, number, cores)
    try:
        live(day, number)
    except Violation as violation:
        report.violation = Found(
            rule=violation.rule,
            detail=violation.detail,
            seed=report.seed,
            day=number,
            step=day.steps_n,
            core=cores,
            last=tuple(_line(at_ns, command) for at_ns, command in list(day.last)[-SHOWN:]),
            minimal=(),
        )
    report.days += 1
    report.steps += day.steps_n
    report.commands += day.commands_n
    report.events += day.books.events_n
    report.crashes += day.crashes_n
    report.records_lost += day.lost_n
    report.contacts += day.books.admitted_n


def _with_minimal(found: Found, cores: Core) -> Found:
    """The same with a short history, when the engine alone breaks the rule."""
    day = begin(found.seed, found.day, cores)
    try:
        live(day, found.day)
    except Violation:
        pass
    history = [(record.at_ns, record.command) for record in day.records]
    # What broke the rule may have left no record: the last commands are given again as they were.
    since_ns = history[-1][0] if history else 0
    history += [(at_ns, command) for at_ns, command in day.last if at_ns >= since_ns][-3:]
    minimal = shrunk(history, found.rule, core=day.core)
    return msgspec.structs.replace(found, minimal=tuple(_line(at_ns, command) for at_ns, command in minimal))


def _line(at_ns: int, command: object) -> str:
    return f"{(at_ns - 1_700_000_000_000_000_000) / 1e9:12.3f} s  {command}"
