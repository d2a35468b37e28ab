"""What a peer is: something that loads a snapshot and plays events, telling the pairs it makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from queue_peers.work import Event, Pair, Snapshot


class Skipped(Exception):
    """A peer cannot run here, or is not asked to at this size; the message is the reason told."""


class Peer(Protocol):
    """One way to decide who gets whom."""

    name: str
    in_process: bool
    """It works in this thread alone, so the thread's own clock measures it whatever the neighbours do."""

    def load(self, snapshot: Snapshot) -> None:
        """Take a centre over as it stands. Raises `Skipped` when this machine or this size is not for it."""
        ...

    def play(self, events: Sequence[Event]) -> list[Pair]:
        """Do the events in order; the (contact, agent) pairs they made, in order."""
        ...

    def waiting_bytes(self) -> int | None:
        """What the waiting contacts take, where the peer can tell."""
        ...

    def close(self) -> None:
        """End whatever was started."""
        ...
