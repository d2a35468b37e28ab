"""The linter's rules for `[media.NAME]`: units, limits and who may interrupt whom."""

from __future__ import annotations

from centralita.config import CALLBACK_MEDIUM, DEFAULT_MEDIA, EngineConfig
from centralita.lint.found import Found
from centralita.lint.reach import Reach


def medium_problems(engine: EngineConfig, reach: Reach, found: Found) -> None:
    """Report media that can't be meant as they are; the built-in ones unchanged are not looked at."""
    largest = max((agent.capacity for agent in engine.agents.values()), default=0)
    for name, medium in engine.media.items():
        path = f"media.{name}"
        if DEFAULT_MEDIA.get(name) == medium:
            continue
        if medium.units == 0 and medium.max_per_agent is None:
            found.warning(
                path,
                "costs an agent nothing and has no max_per_agent, so one agent may be given any number;"
                " set units or max_per_agent",
            )
        if name in medium.may_interrupt and medium.max_per_agent is None:
            found.warning(
                f"{path}.may_interrupt",
                f"{name!r} ignores its own units and has no max_per_agent, so one agent may be given any"
                " number; set max_per_agent or take it out",
            )
        wanted = (medium.max_per_agent or 0) * medium.units
        if largest and wanted > largest and name not in medium.may_interrupt:
            found.warning(
                f"{path}.max_per_agent",
                f"was {medium.max_per_agent}, which takes {wanted} units, and no agent has more than"
                f" {largest}; {largest // medium.units} at once is the most anybody gets",
            )
        if reach.media_in_use and name not in reach.media_in_use and name not in DEFAULT_MEDIA:
            found.warning(path, "no channel is of this medium; name it in a channel or take it out")
    _interrupt_loops(engine, reach, found)


def _interrupt_loops(engine: EngineConfig, reach: Reach, found: Found) -> None:
    """Media that may each interrupt the other hold no room against each other, whoever comes first."""
    follows = {name: set(medium.may_interrupt) - {name} for name, medium in engine.media.items()}
    told: set[str] = set()
    in_use = reach.media_in_use | {CALLBACK_MEDIUM}
    for name in follows:
        reached = _reachable(name, follows)
        if name in told or name not in reached or name not in in_use:
            continue
        circle = [other for other in follows if other in reached and name in _reachable(other, follows)]
        told.update(circle)
        found.warning(
            f"media.{name}.may_interrupt",
            f"goes round: {', '.join(circle)} may each interrupt the next, so an agent can be given all of"
            " them at once; let one of them wait",
        )


def _reachable(name: str, follows: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    pending = [name]
    while pending:
        for other in follows.get(pending.pop(), set()) - reached:
            reached.add(other)
            pending.append(other)
    return reached
