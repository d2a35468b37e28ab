"""The linter's rules for `[agents.NAME]`: who can serve nothing, and limits that capacity never allows."""

from __future__ import annotations

from centralita.config import EngineConfig
from centralita.lint.found import Found, levels, listed
from centralita.lint.reach import Crew, Reach


def agent_problems(engine: EngineConfig, reach: Reach, found: Found) -> None:
    """Report agents, or the first of several with the same profile, whose settings can't be meant."""
    serving = 0
    for name in engine.queues:
        serving |= reach.serving(name)
    for number, crew in enumerate(reach.crews):
        if engine.queues and not serving >> number & 1:
            _idle(engine, reach, crew, 1 << number, found)
        for medium, limit in crew.like.limits.items():
            rule = engine.media[medium]
            if rule.units and limit * rule.units > crew.like.capacity and medium not in rule.may_interrupt:
                found.warning(
                    f"agents.{crew.names[0]}.limits.{medium}",
                    f"was {limit}, but a capacity of {crew.like.capacity} is enough for"
                    f" {crew.like.capacity // rule.units} of {rule.units} units each ({crew.called}); raise the"
                    " capacity or lower the limit",
                )


def _idle(engine: EngineConfig, reach: Reach, crew: Crew, bit: int, found: Found) -> None:
    """Why an agent is never offered anything: no queue's skills, or no room for any of its media."""
    path = f"agents.{crew.names[0]}"
    skilled = [name for name in engine.queues if reach.ever_skilled(name) & bit]
    if not skilled:
        found.warning(
            f"{path}.skills",
            f"{crew.called} can serve no queue with {levels(crew.like.skills.items())}; add what one requires",
        )
        return
    media = sorted({medium for name in skilled for medium in reach.media_of(name)})
    least = min(engine.media[medium].units for medium in media)
    if crew.like.capacity < least:
        found.warning(
            f"{path}.capacity",
            f"was {crew.like.capacity}, less than any medium of {listed(skilled)} takes ({least} and more):"
            f" {crew.called} can be offered nothing; raise it",
        )
    else:
        found.warning(
            f"{path}.limits",
            f"leave no room for any medium of {listed(skilled)} ({listed(media)}): {crew.called} can be"
            " offered nothing; raise one",
        )
