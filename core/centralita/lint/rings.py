"""The linter's rules for `rings`: each must come in time and let somebody in or move the contact up."""

from __future__ import annotations

from centralita.config import EngineConfig, Queue, Ring
from centralita.lint.found import Found, listed, span
from centralita.lint.reach import Reach, leaves_after_s, rungs


def ring_problems(engine: EngineConfig, reach: Reach, found: Found) -> None:
    """Report rings that can't widen, come too late, or contradict themselves."""
    # A contact may bring skills of its own, which a ring can relax: only then is one unknown here meant.
    own_skills = bool(engine.classifiers) or any(c.bot for c in engine.channels.values())
    for name, queue in engine.queues.items():
        leaves_s = leaves_after_s(queue)
        for index, ring in enumerate(queue.rings):
            path = f"queues.{name}.rings[{index}]"
            if leaves_s is not None and ring.after_s >= leaves_s:
                found.warning(
                    f"{path}.after_s",
                    f"was {ring.after_s:g}, and max_wait_s ends the wait at {leaves_s:g}, so it never comes;"
                    " let it come earlier",
                )
            _relaxations(path, queue, ring, rungs(queue)[index], own_skills, found)
            _widening(path, queue, index, reach, engine, found)


def _relaxations(
    path: str, queue: Queue, ring: Ring, need: dict[str, int], own_skills: bool, found: Found
) -> None:
    for skill in ring.drop:
        if skill not in need and (skill in queue.skills or not own_skills):
            found.warning(
                f"{path}.drop", f"{skill!r} is not required at this point; {_required(need)}: take it out"
            )
    for skill, level in ring.lower.items():
        if skill in ring.drop:
            found.warning(
                f"{path}.lower", f"{skill!r} is dropped in the same ring; lower it or drop it, not both"
            )
        elif skill in need and level >= need[skill] and not own_skills:
            found.warning(
                f"{path}.lower",
                f"{skill!r} to {level} is not lower: {need[skill]} is required at this point; name a level"
                " below that",
            )
        elif skill not in need and (skill in queue.skills or not own_skills):
            found.warning(
                f"{path}.lower", f"{skill!r} is not required at this point; {_required(need)}: take it out"
            )


def _required(need: dict[str, int]) -> str:
    return f"required: {listed(sorted(need))}" if need else "nothing is"


def _widening(path: str, queue: Queue, index: int, reach: Reach, engine: EngineConfig, found: Found) -> None:
    ring = queue.rings[index]
    if ring.raise_priority:
        return
    if not ring.drop and not ring.lower:
        found.warning(
            path, "changes nothing: it drops and lowers no skill and raises no priority; say what it relaxes"
        )
        return
    before, after = (reach.skilled(rungs(queue)[rung]) for rung in (index, index + 1))
    # A ring that only relaxes contacts' own skills leaves the queue's as they are; that is no fault.
    changed = rungs(queue)[index] != rungs(queue)[index + 1]
    if engine.agents and changed and before == after:
        found.warning(
            path,
            f"lets nobody else in: after {span(ring.after_s)} the same {_agents(reach.agents_n(after))} can"
            " serve; drop or lower more, or raise_priority",
        )


def _agents(count: int) -> str:
    return "one agent" if count == 1 else f"{count} agents"
