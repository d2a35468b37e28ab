"""What a queue log holds, for the checks of `centralita.testing`: its lines, in the component's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from centralita.testing import FollowerDriver


class QueueLogDriver(FollowerDriver):
    """A log beside nobody's."""

    settings: ClassVar = {"file": ""}

    async def holds(self, component: Any, data: Path) -> object:
        """Every line."""
        return (data / "queue_log").read_text(encoding="utf-8")
