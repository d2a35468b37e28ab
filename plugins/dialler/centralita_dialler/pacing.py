"""How many numbers to begin now, from how things stand. Who serves them the engine decides.

Both ways of pacing here take an agent for each number, so nobody who answers ever waits and none is dropped.
Dialling more numbers than agents are free (predictive) is one more `Pacing`: a `Situation` has the counts that it needs,
and the dialler neither knows nor cares how the answer was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from centralita.structs import Frozen
from centralita_dialler.settings import Campaign, Result


class Situation(Frozen):
    """How a campaign stands. `free` agents could be asked now; `waiting` contacts of its queue wait for one, whoever
    began them; `live` are its own that are not over, `dialling` those of them that ring; `results` counts how its attempts
    have ended so far."""

    free: int
    waiting: int
    live: int
    dialling: int
    results: Mapping[Result, int]


class Pacing(Protocol):
    """A rule of how many to begin."""

    def to_begin(self, situation: Situation, campaign: Campaign) -> int:
        """How many numbers to begin now, beside those that live; 0 or less: none."""
        ...


class OneForEachAgent:
    """As many as agents are free whom nobody waits for, and `ahead` more."""

    def to_begin(self, situation: Situation, campaign: Campaign) -> int:
        """A waiting customer goes first: such an agent is not free for us."""
        return situation.free + campaign.ahead - situation.waiting


PACINGS: Final[dict[str, Pacing]] = {"preview": OneForEachAgent(), "progressive": OneForEachAgent()}
"""The rule of each mode."""
