"""The linter's rules for `skills` and for what queues require of agents."""

from __future__ import annotations

from centralita.config import EngineConfig, Queue
from centralita.lint.found import Found, levels, listed, span
from centralita.lint.reach import Reach, leaves_after_s, limit_of, rungs


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
        _unskilled(name, queue, reach, found)
        _no_room(name, engine, reach, found)


def _unskilled(name: str, queue: Queue, reach: Reach, found: Found) -> None:
    """Nobody has what the queue requires: at all, or until a ring has passed."""
    needs = rungs(queue)
    first = next((rung for rung, need in enumerate(needs) if reach.skilled(need)), None)
    if first == 0:
        return
    path, words = _what_nobody_has(f"queues.{name}.skills", queue.skills, reach)
    if first is None:
        found.error(path, f"{words}; give it to an agent, or let a ring drop or lower it")
        return
    after_s = queue.rings[first - 1].after_s
    leaves_s = leaves_after_s(queue)
    ring = f"rings[{first - 1}] relaxes it after {span(after_s)}"
    if leaves_s is not None and after_s >= leaves_s:
        found.error(path, f"{words}; {ring}, but max_wait_s is {leaves_s:g}: let the ring come before that")
    else:
        found.warning(path, f"{words}; every contact waits until {ring}: start with what somebody has")


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


def _no_room(name: str, engine: EngineConfig, reach: Reach, found: Found) -> None:
    """Those with the skills can't take a medium that comes here: limits of 0, or too little capacity."""
    skilled = reach.ever_skilled(name)
    if not skilled:
        return
    for medium in sorted(reach.media[name]):
        if skilled & reach.with_room(medium):
            continue
        rule = engine.media[medium]
        crews = reach.of(skilled)
        if all(limit_of(crew.like, medium, rule.max_per_agent) == 0 for crew in crews):
            found.error(
                f"queues.{name}",
                f"{medium} comes here, and all who have its skills have limits.{medium} = 0"
                f" ({listed([crew.names[0] for crew in crews])}); raise the limit of one",
            )
        else:
            largest = max(crew.like.capacity for crew in crews)
            found.error(
                f"queues.{name}",
                f"{medium} comes here and takes {rule.units} units, and nobody with its skills has room for"
                f" it (the largest capacity is {largest}); raise a capacity or lower media.{medium}.units",
            )
