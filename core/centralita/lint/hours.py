"""The linter's rules for `[hours.NAME]`: that they ever open, and that a queue has them.

Whether days, spans and time zones can be read at all is decided where the calendar is made, at the edge.
"""

from __future__ import annotations

from collections.abc import Mapping

from centralita.config import EngineConfig, Hours
from centralita.lint.found import Found


def hours_problems(engine: EngineConfig, hours: Mapping[str, Hours], found: Found) -> None:
    """Report opening hours that never open, contradict themselves, or belong to no queue."""
    used = {queue.hours for queue in engine.queues.values()}
    for name, table in hours.items():
        path = f"hours.{name}"
        if name not in used:
            found.warning(path, f"no queue has these hours; say hours = {name!r} in one, or take it out")
        for date in table.holidays:
            if date in table.extra:
                found.warning(f"{path}.holidays", f"{date} also has extra hours; say one or the other")
        if not any((*table.week.values(), *table.extra.values())):
            found.error(f"{path}.week", 'never open; give a day a span, as mon = ["09:00-18:00"]')
