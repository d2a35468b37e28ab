"""What a component does to the process: whether it holds the thread, and what it leaves open.

Time on a wall clock says little on a busy machine: the thread may just not have been given a processor. So of
each step of a task only what was its own doing counts: what it computed, by the thread's own processor
clock, and how long it slept in the kernel (for a disk, a lock, a socket, a clock). The latter is what is left
of the wall clock's time without the former and without the wait for a processor, which Linux counts for each
thread in `/proc/thread-self/schedstat`. Where there is no such file, only computing is seen.
"""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from pathlib import Path
from typing import Final

import trio
from trio.lowlevel import Task

_SCHEDULING: Final = "/proc/thread-self/schedstat"
_DESCRIPTORS: Final = Path("/proc/self/fd")
_LASTING: Final = ("socket:", "/")
"""How the targets begin of descriptors that a component opens for itself: sockets and files."""

NS_PER_S: Final = 1e9


class StepWatch(trio.abc.Instrument):
    """Notes every step of a watched task, or of one that descends from it, which holds the thread longer than
    `limit_s`. Between `open` and `close` it is for the thread that opened it."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._began = (0.0, 0.0, 0.0)
        self._watched: dict[Task, str] = {}
        self._leaving: dict[Task, str] = {}
        self._file = -1
        self.stalls: list[str] = []

    def open(self) -> None:
        """Begin to look, in this thread's trio run."""
        try:
            self._file = os.open(_SCHEDULING, os.O_RDONLY)
        except OSError:
            self._file = -1
        trio.lowlevel.add_instrument(self)

    def close(self) -> None:
        """Look no more."""
        trio.lowlevel.remove_instrument(self)
        if self._file >= 0:
            os.close(self._file)

    def watch(self, task: Task, doing: str) -> None:
        """Watch a task, and whatever is started in its nurseries. `doing` names it in what is found."""
        self._watched[task] = doing

    def forget(self, task: Task) -> None:
        """Watch a task no longer than to the end of the step that it is in: what never awaits is one step."""
        doing = self._watched.pop(task, None)
        if doing is not None:
            self._leaving[task] = doing

    def before_task_step(self, task: Task) -> None:
        """See trio.abc.Instrument."""
        self._began = (time.perf_counter(), *self._spent())

    def after_task_step(self, task: Task) -> None:
        """See trio.abc.Instrument."""
        wall_s = time.perf_counter() - self._began[0]
        doing = self._doing(task) if wall_s > self._limit_s else None
        self._leaving.pop(task, None)
        if doing is None:
            return
        computed, waited_for_turn = self._spent()
        computed_s = computed - self._began[1]
        slept_s = wall_s - computed_s - (waited_for_turn - self._began[2]) if self._file >= 0 else 0.0
        if computed_s > self._limit_s:
            self.stalls.append(f"computed for {computed_s:.2f} s without an await, in {doing}")
        elif slept_s > self._limit_s:
            self.stalls.append(f"slept for {slept_s:.2f} s without an await, in {doing}")

    def _spent(self) -> tuple[float, float]:
        """(computed, waited for a processor) by this thread so far, in seconds."""
        if self._file < 0:
            return time.thread_time(), 0.0
        computed_ns, waited_ns, _ = os.pread(self._file, 100, 0).split()
        return int(computed_ns) / NS_PER_S, int(waited_ns) / NS_PER_S

    def _doing(self, task: Task) -> str | None:
        """What a watched task does; None for one that isn't watched."""
        one: Task | None = task
        while one is not None:
            if (doing := self._watched.get(one) or self._leaving.get(one)) is not None:
                return doing if one is task else f"{doing}, in the task {task.name}"
            one = one.parent_nursery.parent_task if one.parent_nursery is not None else None
        return None


def descriptors_open() -> Counter[str] | None:
    """What files and sockets this process has open, by what the kernel calls them; None where it doesn't tell."""
    if not _DESCRIPTORS.is_dir():
        return None
    gc.collect()
    found: Counter[str] = Counter()
    for entry in os.listdir(_DESCRIPTORS):
        try:
            target = os.readlink(_DESCRIPTORS / entry)
        except OSError:
            continue  # the listing's own, closed again
        if target.startswith(_LASTING) and not target.startswith(("/dev/", "/proc/")):
            found[target] += 1
    return found
