"""The table of what events change: every event there, in one module only."""

from __future__ import annotations

from typing import get_args

from centralita import messages
from centralita.apply import APPLY, agents, arrivals, centre, ends, line, offers, service, words

PARTS = (agents, arrivals, centre, ends, line, offers, service, words)


def test_every_event_changes_the_state_in_one_module() -> None:
    kinds = [kind for part in PARTS for kind in part.CHANGES]
    assert len(kinds) == len(set(kinds))
    assert set(kinds) == set(APPLY) == set(get_args(messages.AnyEvent))
