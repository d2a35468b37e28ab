"""What the Prometheus sink holds, for the checks of `centralita.testing`: its exposition, less what moves with time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from centralita.testing import FollowerDriver


class PrometheusDriver(FollowerDriver):
    """Saves seldom, so that a kill finds the figures on disk far behind."""

    settings: ClassVar = {"save_every_s": 3600}

    async def holds(self, component: Any, data: Path) -> object:
        """Every line but those whose figure grows while nothing happens."""
        exposition, _ = component.exposition()
        return [line for line in exposition.decode().splitlines() if not _moves(line)]


def _moves(line: str) -> bool:
    name = line.partition("{")[0].partition(" ")[0]
    return line.startswith("#") or name.endswith(("_seconds_total", "_age_seconds", "_seconds"))
