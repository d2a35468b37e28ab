"""The linter's rules for what a queue does with contacts that can't wait: loops and dead settings."""

from __future__ import annotations

from collections import deque
from typing import Final

from centralita.config import WAIT, EngineConfig, Overflow, Queue
from centralita.lint.found import Found
from centralita.lint.reach import OVERFLOWS

_REFUSE: Final = Overflow(do="refuse")


def overflow_problems(engine: EngineConfig, found: Found) -> None:
    """Report overflows that go round, that nothing brings about, or whose settings have no effect."""
    for name, queue in engine.queues.items():
        path = f"queues.{name}"
        _without_cause(path, queue, found)
        for field in OVERFLOWS:
            overflow: Overflow = getattr(queue, field)
            if overflow.queue and overflow.do != "queue":
                found.warning(
                    f"{path}.{field}.queue",
                    f"was {overflow.queue!r}, but do = {overflow.do!r} hands nothing on; say do = 'queue'",
                )
        other = queue.when_closed.queue
        if queue.when_closed.do == "queue" and queue.hours and engine.queues[other].hours == queue.hours:
            found.warning(
                f"{path}.when_closed.queue",
                f"{other!r} has the same hours ({queue.hours}), so it is closed too; name a queue with others",
            )
    _loops(engine, found)


def _without_cause(path: str, queue: Queue, found: Found) -> None:
    if queue.max_wait_s is None and queue.when_waited != _REFUSE:
        found.warning(f"{path}.when_waited", "nothing brings it about: max_wait_s is not set")
    if queue.max_wait_s is not None and queue.when_waited == WAIT:
        found.warning(
            f"{path}.max_wait_s",
            f"was {queue.max_wait_s:g}, and when_waited lets the contact wait on, so it has no effect;"
            " say what to do then, or take it out",
        )
    if queue.max_waiting is None and queue.when_full != _REFUSE:
        found.warning(f"{path}.when_full", "nothing brings it about: max_waiting is not set")
    if queue.max_waiting is not None and queue.when_full == WAIT:
        found.warning(
            f"{path}.max_waiting",
            f"was {queue.max_waiting}, and when_full lets the contact wait all the same, so it has no effect;"
            " say what to do then, or take it out",
        )
    if not queue.hours and queue.when_closed != _REFUSE:
        found.warning(
            f"{path}.when_closed", "the queue has no hours, so only a supervisor can close it; set hours"
        )


def _loops(engine: EngineConfig, found: Found) -> None:
    """Report each group of queues that hand contacts round once, by its shortest circle."""
    told: set[frozenset[str]] = set()
    for name in engine.queues:
        circle = _shortest_circle(engine, name)
        members = frozenset(queue for queue, _ in circle)
        if not circle or members in told:
            continue
        told.add(members)
        way = " → ".join(f"{queue} ({field})" for queue, field in circle)
        found.warning(
            f"queues.{name}.{circle[0][1]}",
            f"goes round: {way} → {name}; only limits.hops ({engine.limits.hops}) ends it: let the last one"
            " wait, refuse or call back",
        )


def _shortest_circle(engine: EngineConfig, start: str) -> list[tuple[str, str]]:
    """The (queue, overflow) steps of the shortest way from a queue back to itself; [] when none."""
    came: dict[str, tuple[str, str]] = {}
    pending = deque([start])
    while pending:
        name = pending.popleft()
        for field in OVERFLOWS:
            overflow: Overflow = getattr(engine.queues[name], field)
            if overflow.do != "queue" or overflow.queue in came:
                continue
            came[overflow.queue] = (name, field)
            if overflow.queue == start:
                return _steps_back(came, start)
            pending.append(overflow.queue)
    return []


def _steps_back(came: dict[str, tuple[str, str]], start: str) -> list[tuple[str, str]]:
    steps = [came[start]]
    while steps[-1][0] != start:
        steps.append(came[steps[-1][0]])
    return steps[::-1]
