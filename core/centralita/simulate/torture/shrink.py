"""A failing history made short: commands are left out as long as the same rule is broken.

Only the engine and the books are asked again, so this helps with what the engine does wrong; what takes a
crash, a lost write or a plugin to show is repeated by its seed alone. The theory is delta debugging
(Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from centralita.engine import Engine
from centralita.matching import Core, Diverged
from centralita.messages import AnyCommand, Tick
from centralita.simulate.torture.books import Books
from centralita.simulate.torture.checks import after_step, recount
from centralita.simulate.torture.violation import Violation

Heard = tuple[int, AnyCommand]
"""A moment in ns and the command that was handed in."""

TRIES_MAX: Final = 400
COMMANDS_MAX: Final = 200_000
"""Commands replayed at most, over all tries: some seconds."""


def broken_rule(history: Sequence[Heard], *, core: Core) -> str:
    """The rule that a history breaks with nothing around the engine; empty when it breaks none."""
    engine, books = Engine(core=core), Books()
    try:
        for now_ns, command in history:
            if type(command) is not Tick and engine.next_deadline_ns() <= now_ns:
                _do(engine, books, Tick(), now_ns)
            _do(engine, books, command, now_ns)
        recount(engine, books)
    except Violation as violation:
        return violation.rule
    except Diverged:
        return "same decisions"
    except Exception as error:  # noqa: BLE001  # whatever ends the engine is what is looked for
        return type(error).__name__
    return ""


def _do(engine: Engine, books: Books, command: AnyCommand, now_ns: int) -> None:
    events = engine.handle(command, now_ns=now_ns).events
    books.fold(events, engine.now_ns, 1)
    if events:
        after_step(engine, events, books)


def shrunk(history: Sequence[Heard], rule: str, *, core: Core) -> list[Heard]:
    """The shortest history found that breaks the rule; empty when not even the whole one does."""
    left = list(history)
    if broken_rule(left, core=core) != rule:
        return []
    piece, tries, replayed = len(left) // 2, 0, 0
    while piece:
        start = 0
        while start < len(left) and tries < TRIES_MAX and replayed < COMMANDS_MAX:
            without = left[:start] + left[start + piece :]
            tries += 1
            replayed += len(without)
            if broken_rule(without, core=core) == rule:
                left = without
            else:
                start += piece
        piece //= 2
    return left
