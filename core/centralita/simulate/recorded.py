"""Recorded contacts, whoever recorded them: what a replay takes as given and what it compares with."""

from __future__ import annotations

from typing import Literal

from centralita.structs import Frozen

RecordedOutcome = Literal["served", "abandoned", "left_in_self_service", "ignored"]


class Recorded(Frozen):
    """One recorded contact. All times are ns since the epoch, as the recording's own clock says.

    `queued_ns` is when it asked for an agent; None when it never did. `waited_ns` is how long it then
    waited, until served or gone (for one that left in self-service, how long it was there);
    `handling_ns` is how long an agent was busy with it.
    """

    id: str
    kind: str
    customer: str
    credit_s: float
    arrived_ns: int
    queued_ns: int | None
    waited_ns: int
    handling_ns: int
    agent: str
    outcome: RecordedOutcome


class Recording(Frozen):
    """A whole recording, its contacts in the order of the file."""

    contacts: tuple[Recorded, ...]
    source: str
    target_s: float = 20
