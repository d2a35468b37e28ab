"""The linter: whether a configuration that can be used also makes sense.

`config/` refuses what can't be used at all (types, ranges, names that don't exist); what passes there
may still hold a queue nobody can serve or a ring that lets nobody in. Each such finding is a `Problem`:
an *error* can't work whatever happens, a *warning* is probably not meant. A message says what is wrong
and what would mend it; its path is the place in the TOML file.

One module for each table of the file; `reach.py` works out who could ever serve what, which most rules
ask. The linter knows only the rules: not the hour, not who is signed in, not what plugins exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from centralita.config import Configuration, EngineConfig, Hours
from centralita.lint.agents import agent_problems
from centralita.lint.found import Found
from centralita.lint.hours import hours_problems
from centralita.lint.media import medium_problems
from centralita.lint.overflow import overflow_problems
from centralita.lint.queues import queue_problems
from centralita.lint.reach import Reach
from centralita.lint.rings import ring_problems
from centralita.lint.skills import skill_problems
from centralita.views import Problem

__all__ = ["lint", "lint_configuration"]


def lint(
    engine: EngineConfig,
    *,
    hours: Mapping[str, Hours] | None = None,
    named_elsewhere: Iterable[str] = (),
) -> list[Problem]:
    """Find what can't work or was probably not meant, in the order of the file's tables.

    `hours` are the opening hours by name. `named_elsewhere` are queues that something outside the
    engine's rules leads to (a channel's own settings), so that they don't count as unreachable.
    """
    found = Found()
    if not engine.queues:
        found.error("queues", "none: a contact has nowhere to wait; add a [queues.NAME] table")
    if not engine.agents:
        found.error("agents", "none: nobody can ever be offered a contact; add an [agents.NAME] table")
    if not engine.channels:
        found.warning("channels", "none: no contact can come in; add a [channels.NAME] table")
    reach = Reach(engine)
    medium_problems(engine, reach, found)
    skill_problems(engine, reach, found)
    queue_problems(engine, reach, frozenset(named_elsewhere), found)
    ring_problems(engine, reach, found)
    overflow_problems(engine, found)
    agent_problems(engine, reach, found)
    hours_problems(engine, hours or {}, found)
    return found.problems


def lint_configuration(configuration: Configuration) -> list[Problem]:
    """Lint a whole file: the engine's rules, and whether its components fit together."""
    queues = configuration.engine.queues
    named = {
        text
        for component in configuration.components
        for text in _texts(component.settings)
        if text in queues
    }
    problems = lint(configuration.engine, hours=configuration.hours, named_elsewhere=named)
    found = Found()
    if configuration.engine.agents and not configuration.of_kind("desks"):
        found.warning("desks", "none: offers reach no agent; add a [desks.NAME] table")
    greeting = {channel.bot for channel in configuration.engine.channels.values()}
    for bot in configuration.of_kind("bots"):
        if bot.name not in greeting:
            found.warning(bot.path, f"no channel uses it; say bot = {bot.name!r} in a [channels.NAME] table")
    return problems + found.problems


def _texts(value: Any) -> Iterator[str]:
    """Every string in a component's settings, keys included."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple):
            pending += item
