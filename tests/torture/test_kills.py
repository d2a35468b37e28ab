"""A few kills of the real daemon under load; `make torture` does two hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.kills import kill

pytestmark = pytest.mark.slow
KILLS = 3


async def test_killed_at_random_moments_under_load_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    found = await kill(tmp_path, 1, kills=KILLS)
    assert (found.lost, found.doubled, found.problems) == ([], [], [])
    assert found.kills == KILLS
    assert found.messages > 0
    assert found.resumed > 0
