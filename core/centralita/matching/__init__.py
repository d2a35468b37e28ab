"""Who gets whom, usable on its own: docs/matching-queue.md has the examples.

`MatchingQueue` is what everybody should use; which of the two implementations that is, is decided
here and nowhere else.
"""

from typing import Literal

from centralita._routing import MatchingQueue, QueueBrokenError
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
    "MatchingQueue",
    "MatchingQueueProtocol",
    "NaiveMatchingQueue",
    "QueueBrokenError",
    "open_queue",
]


def open_queue(core: Literal["native", "naive"] = "native") -> MatchingQueueProtocol:
    """Return an empty queue: the compiled one, or the readable specification of it."""
    return MatchingQueue() if core == "native" else NaiveMatchingQueue()
