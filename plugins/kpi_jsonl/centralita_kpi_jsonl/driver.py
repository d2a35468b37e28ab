"""What a sink of JSON lines holds, for the checks of `centralita.testing`: its lines, over all its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from centralita.testing import FollowerDriver


class JsonlDriver(FollowerDriver):
    """Files in the component's own folder, rotated as early as is allowed so that rotation is checked too."""

    settings: ClassVar = {
        "folder": "",
        "content": "events",
        "personal": True,
        "rotate_bytes": 10_000,
        "keep": 10_000,
    }

    async def holds(self, component: Any, data: Path) -> object:
        """Every line, in the order they were written."""
        # The current file has no number, so it is the last.
        rotated = sorted(data.glob("*-*.jsonl"))
        current = [path for path in data.glob("*.jsonl") if path not in rotated]
        # Where one file ends and the next begins depends on the batches.
        return "".join(path.read_text(encoding="utf-8") for path in (*rotated, *current))
