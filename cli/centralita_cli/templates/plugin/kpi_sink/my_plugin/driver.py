"""For Centralita's checks: what the sink holds is its counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from centralita.testing import FollowerDriver


class MyPluginDriver(FollowerDriver):
    """Nothing outside is needed: the file is in the component's own folder."""

    async def holds(self, component: Any, data: Path) -> object:
        """Every count."""
        return await component.counts()
