"""Recorded contacts, whoever recorded them: what a replay takes as given and what it compares with.

A recording is what every reader (`anonbank`, `queue_log`, `table`, `journal_demand`) gives and every use
(`replay`, `whatif`, `fit`) takes. What a recording does not know is None or empty; nothing is made up here.
"""

from __future__ import annotations

from typing import Final, Literal

from centralita.errors import CentralitaError
from centralita.structs import Frozen

RecordedOutcome = Literal[
    "served",
    "abandoned",  # gave up waiting: its patience is known
    "turned_away",  # the rules, or a fault, ended its wait: its patience was longer
    "left_in_self_service",  # never asked for an agent
    "ignored",  # counted, and nothing else
]


SPENT_MAX_S: Final = 31_536_000
"""The longest that a recorded contact may have waited, or taken: a year."""


class RecordingError(CentralitaError):
    """A recording that can't be read; says in which line, or record, and which column."""


class Recorded(Frozen):
    """One recorded contact. All times are ns since the epoch, as the recording's own clock says.

    `kind` is the queue, or what the recording calls it. `queued_ns` is when it asked for an agent; None
    when it never did. `waited_ns` is how long it then waited, until served or gone (for one that left in
    self-service, how long it was there); `handling_ns` is how long an agent was busy with it, without
    `wrap_up_ns`, the after-work, None when that is not known. `answer_ns` of the wait went by while the agent who
    took it was already asked. `declined_by` were asked and said no. `skills`, `priority` and `preferred_agent` are the contact's own, beside its queue's.
    """

    id: str
    kind: str
    customer: str
    credit_s: float | None
    arrived_ns: int
    queued_ns: int | None
    waited_ns: int
    handling_ns: int
    agent: str
    outcome: RecordedOutcome
    wrap_up_ns: int | None = None
    answer_ns: int = 0
    channel: str = ""
    skills: dict[str, int] | None = None
    priority: int = 0
    preferred_agent: str = ""
    declined_by: tuple[str, ...] = ()


class Presence(Frozen):
    """An agent was there and took contacts, from one moment to another.

    With `gone_ns` they were then on a break, signed in, until that moment; else gone at once.
    """

    agent: str
    from_ns: int
    until_ns: int
    gone_ns: int | None = None


class Recording(Frozen):
    """A whole recording, its contacts in the order of the file.

    `presences` None: the recording does not say who was there when; a replay infers it. `unread` is what
    the reader met and left out, each with how often.
    """

    contacts: tuple[Recorded, ...]
    source: str
    target_s: float = 20
    presences: tuple[Presence, ...] | None = None
    unread: tuple[tuple[str, int], ...] = ()
