"""What a fold of records must remember: the live contacts, and the counts. It is what a snapshot of figures holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from centralita.config import NS_PER_S
from centralita.since import Day
from centralita.structs import often_set
from centralita.tallies import AgentTally, QueueTally
from centralita.trend import Series

SNAPSHOT_VERSION: Final = 1
"""Grows with every change of what is kept; older snapshots are refused and the holder recounts."""

MINUTES_KEPT: Final = 120
QUARTERS_KEPT: Final = 96

NO_QUEUE: Final = ""
"""Where a contact is counted that is in no queue: outbound, self-service, refused before any."""


@often_set
class Work(msgspec.Struct, gc=False):
    """One agent's part in one contact. `talk_from_ns` and `wrap_from_ns` 0: not (yet) in that part."""

    talk_from_ns: int = 0
    wrap_from_ns: int = 0
    held_from_ns: int = 0
    held_ns: int = 0
    accepted: bool = False


@often_set
class Live(msgspec.Struct, gc=False):
    """What the fold must remember of a live contact. Its stay in `queue` runs while `staying`."""

    consultation: bool
    queue: str = NO_QUEUE
    entered: bool = False
    staying: bool = False
    callback: bool = False
    wait_from_ns: int = 0
    works: dict[str, Work] = {}
    to_dial: bool = False
    contact: int = 0
    """Which contact it is; `rows.py` alone needs to know."""


def _minutes() -> Series:
    return Series(60 * NS_PER_S, MINUTES_KEPT)


def _quarters() -> Series:
    return Series(900 * NS_PER_S, QUARTERS_KEPT)


@dataclass(slots=True)
class Memory:
    """All that a fold keeps, as it is put away."""

    version: int = SNAPSHOT_VERSION
    seq: int = 0
    at_ns: int = 0
    since_ns: int = 0
    admitted: int = 0
    ended: int = 0
    consultations_admitted: int = 0
    consultations_ended: int = 0
    live: dict[int, Live] = field(default_factory=dict)
    queues: dict[str, QueueTally] = field(default_factory=lambda: {NO_QUEUE: QueueTally()})
    agents: dict[str, AgentTally] = field(default_factory=dict)
    components_down: dict[str, str] = field(default_factory=dict)
    minutes: Series = field(default_factory=_minutes)
    quarters: Series = field(default_factory=_quarters)
    day: Day = field(default_factory=Day)
