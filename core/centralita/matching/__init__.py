"""Who gets whom, usable on its own: docs/matching-queue.md has the examples.

`MatchingQueue` is what everybody should use; which of the two implementations that is, is decided
here and nowhere else.
"""

from typing import Literal, cast

from centralita._routing import MatchingQueue, QueueBrokenError
from centralita.matching.lockstep import Diverged, Lockstep, methods_of
from centralita.matching.naive import NaiveMatchingQueue
from centralita.matching.protocol import (
    AGENT_ORDER_KEYS,
    BARRED_RULES,
    BATCH_CODES,
    NEVER_NS,
    NOBODY,
    Barred,
    MatchingQueueProtocol,
)

__all__ = [
    "AGENT_ORDER_KEYS",
    "BARRED_RULES",
    "BATCH_CODES",
    "NEVER_NS",
    "NOBODY",
    "Barred",
    "Core",
    "Diverged",
    "MatchingQueue",
    "MatchingQueueProtocol",
    "NaiveMatchingQueue",
    "QueueBrokenError",
    "open_queue",
]


Core = Literal["native", "naive", "both"]
"""Which matching queue and which timers; both: each question put to both, `Diverged` when they differ."""


def open_queue(core: Core = "native") -> MatchingQueueProtocol:
    """Return an empty queue: the compiled one, the readable specification of it, or both in lockstep."""
    match core:
        case "native":
            return MatchingQueue()
        case "naive":
            return NaiveMatchingQueue()
        case "both":
            both = Lockstep(MatchingQueue(), NaiveMatchingQueue(), methods_of(MatchingQueueProtocol))
            return cast("MatchingQueueProtocol", both)
    raise ValueError(f"core was {core!r}; known: native, naive, both")
