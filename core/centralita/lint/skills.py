"""The linter's rules for `skills` and for what queues require of agents."""

from __future__ import annotations

from centralita.config import EngineConfig, Queue
from centralita.lint.found import Found, levels, listed, span
from centralita.lint.reach import Crew, Reach, leaves_after_s, limit_of, rungs


def skill_problems(engine: EngineConfig, reach: Reach, found: Found) -> None:
    """Report skills nobody asks for or has, and queues nobody can serve."""
    asked = {skill for queue in engine.queues.values() for skill in queue.skills}
    # A classifier or a bot may require what no queue's rules name.
    decided_elsewhere = bool(engine.classifiers) or any(c.bot for c in engine.channels.values())
    for skill in engine.skills:
        if skill in asked:
            continue
        holders = [name for name, agent in engine.agents.items() if skill in agent.skills]
        if engine.agents and not holders:
            found.warning(
                "skills", f"{skill!r} is required by no queue, and no agent has it; take it out or use it"
            )
        elif not decided_elsewhere:
            found.warning(
                "skills",
                f"{skill!r} is required by no queue, so it decides nothing unless a channel asks for it;"
                f" {listed(holders)} have it",
            )
    if not engine.agents:
        return
    for name, queue in engine.queues.items():
        first = _first_skilled(name, queue, reach, found)
        if first is not None:
            _room(name, queue, first, engine, reach, found)


def _first_skilled(name: str, queue: Queue, reach: Reach, found: Found) -> int | None:
    """The ring, 0 for none, from which on somebody has the skills; None when an error has been told."""
    skilled = [bool(reach.skilled(need)) for need in rungs(queue)]
    first = skilled.index(True) if True in skilled else None
    if first == 0:
        return 0
    path, words = _what_nobody_has(f"queues.{name}.skills", queue.skills, reach)
    if first is None:
        found.error(path, f"{words}; give it to an agent, or let a ring drop or lower it")
    elif _too_late(queue, first):
        found.error(
            path, f"{words}; {_ring(queue, first)}, but {_leaving(queue)}: let the ring come before that"
        )
    else:
        found.warning(
            path, f"{words}; every contact waits until {_ring(queue, first)}: start with what somebody has"
        )
        return first
    return None


def _room(name: str, queue: Queue, skilled: int, engine: EngineConfig, reach: Reach, found: Found) -> None:
    """Those with the skills can't take a medium that comes here: limits of 0, or too little capacity."""
    path = f"queues.{name}"
    for medium in sorted(reach.media[name]):
        served = [bool(reach.skilled(need) & reach.with_room(medium)) for need in rungs(queue)]
        if served[skilled]:
            continue
        first = served.index(True) if True in served else None
        words = _what_bars(medium, reach.of(reach.skilled(rungs(queue)[skilled])), engine)
        if first is None:
            found.error(path, f"{words}; raise a limit or a capacity, or lower media.{medium}.units")
        elif _too_late(queue, first):
            found.error(
                path, f"{words}; {_ring(queue, first)}, but {_leaving(queue)}: let it come before that"
            )
        else:
            found.warning(path, f"{words}; every {medium} waits until {_ring(queue, first)}")


def _what_bars(medium: str, crews: list[Crew], engine: EngineConfig) -> str:
    rule = engine.media[medium]
    names = listed([crew.names[0] for crew in crews])
    if all(limit_of(crew.like, medium, rule.max_per_agent) == 0 for crew in crews):
        return f"{medium} comes here, and all who have its skills have limits.{medium} = 0 ({names})"
    largest = max(crew.like.capacity for crew in crews)
    return (
        f"{medium} comes here and takes {rule.units} units, and nobody with its skills ({names}) has room for"
        f" it: the largest capacity is {largest}"
    )


def _too_late(queue: Queue, rung: int) -> bool:
    leaves_s = leaves_after_s(queue)
    return leaves_s is not None and queue.rings[rung - 1].after_s >= leaves_s


def _ring(queue: Queue, rung: int) -> str:
    return f"rings[{rung - 1}] relaxes it after {span(queue.rings[rung - 1].after_s)}"


def _leaving(queue: Queue) -> str:
    return f"max_wait_s is {queue.max_wait_s:g}"


def _what_nobody_has(path: str, need: dict[str, int], reach: Reach) -> tuple[str, str]:
    for skill, level in need.items():
        if reach.has(skill, level):
            continue
        best = max(reach.crews, key=lambda crew: crew.like.skills.get(skill, 0))
        highest = best.like.skills.get(skill, 0)
        if not highest:
            return f"{path}.{skill}", f"no agent has {skill!r}"
        return (
            f"{path}.{skill}",
            f"was {level}, and no agent has {skill!r} above {highest} ({best.called})",
        )
    return path, f"no one agent has all of {levels(need.items())}"
