"""The figures: a pure fold of journal records into what a contact centre is steered by.

    figures = Figures()
    for record in records:
        figures.fold(record)
    figures.as_dict(now_ns)["total"]["service_level"]

Every figure is named, defined and sourced in `docs/figures.md`. Which event moves which count stands in
`fold.py`, the formulas over the counts in `tallies.py`; here is what one reads and keeps. It knows no
clock: "now" is what the reader says, or else the last record's time.

The same records give the same figures whoever folds them and however often they were put away between
(`snapshot`, `restore`), so any number of readers can keep figures of their own. Memory is bounded by the
live contacts, the configured queues and agents, and the kept intervals; ended contacts leave only counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from centralita.fold import Core, Fold
from centralita.memory import SNAPSHOT_VERSION, Memory
from centralita.messages import Record
from centralita.since import begin
from centralita.tallies import AgentTally, QueueTally, added


class Figures(Fold):
    """The figures of one domain, kept up by folding its records in order."""

    def __init__(self, memory: Memory | None = None, *, core: Core = "native") -> None:
        """`core`: "naive" counts all in Python."""
        super().__init__(memory, core=core)

    @property
    def seq(self) -> int:
        """The last record folded; 0 when none."""
        return self._memory.seq

    @property
    def at_ns(self) -> int:
        """When the last record folded happened."""
        return self._memory.at_ns

    @property
    def queues(self) -> dict[str, QueueTally]:
        """The counts by queue; "" holds what belongs to none. To be read only."""
        return self._queues

    @property
    def agents(self) -> dict[str, AgentTally]:
        """The counts by agent. To be read only."""
        return self._agents

    @property
    def components_down(self) -> dict[str, str]:
        """Components that don't run, with their error. To be read only."""
        return self._memory.components_down

    def contacts(self) -> dict[str, int]:
        """Customers' contacts: at any moment `admitted == ended + live`."""
        memory = self._memory
        consulting = memory.consultations_admitted - memory.consultations_ended
        return {"admitted": memory.admitted, "ended": memory.ended, "live": len(self._live) - consulting}

    def consultations(self) -> dict[str, int]:
        """Consultations between agents, which are no customer's contacts: the same identity."""
        memory = self._memory
        live = sum(contact.consultation for contact in self._live.values())
        return {"admitted": memory.consultations_admitted, "ended": memory.consultations_ended, "live": live}

    def as_dict(self, now_ns: int | None = None, *, trends: bool = True) -> dict[str, Any]:
        """All figures, ready for JSON, with the keys of `docs/figures.md`.

        `now_ns` is until when running times count; None: the last record's time. The trends are the larger
        part and change once a minute, so whoever shows figures often may leave them out.
        """
        memory = self._memory
        now_ns = memory.at_ns if now_ns is None else max(now_ns, memory.at_ns)
        total = added(self._queues.values())
        # An admission is nobody's queue's until the contact enters one, so the sum is not the total.
        total.admitted = memory.admitted
        result: dict[str, Any] = {
            "seq": memory.seq,
            "at_ns": memory.at_ns,
            "now_ns": now_ns,
            "since_ns": memory.since_ns,
            "contacts": self.contacts(),
            "consultations": self.consultations(),
            "total": total.as_dict(now_ns),
            "queues": {name: tally.as_dict(now_ns) for name, tally in sorted(self._queues.items()) if name},
            "agents": {name: tally.as_dict(now_ns) for name, tally in sorted(self._agents.items())},
            "components_down": sorted(memory.components_down),
        }
        if memory.day.since_ns:
            result["today"] = memory.day.as_dict(self._queues, now_ns)
        if trends:
            result["trends"] = {
                "minutes": memory.minutes.as_dict(self._queues, now_ns),
                "quarters": memory.quarters.as_dict(self._queues, now_ns),
            }
        return result

    @property
    def day_since_ns(self) -> int:
        """What `begin_day` was told last; 0 when it never was."""
        return self._memory.day.since_ns

    def begin_day(self, since_ns: int) -> None:
        """Keep the counts as they are now: what is counted from here on is also given apart, as `today`.

        `since_ns` is the moment that is told to readers. Nothing else changes.
        """
        self._memory.day = begin(since_ns, self._queues)

    def begin_anew(self, at_ns: int) -> None:
        """Count from a moment on: the counts and trends are gone, who is there and what they do is kept.

        Who waits at that moment counts as offered, and who is live as admitted, so that what ends can be accounted
        for. What an agent had in hand counts whole when it ends.
        """
        memory = self._memory
        live = self.contacts()["live"]
        memory.since_ns = memory.at_ns = at_ns
        memory.consultations_admitted = len(self._live) - live
        memory.admitted, memory.ended, memory.consultations_ended = live, 0, 0
        for name, tally in list(self._queues.items()):
            self._queues[name] = tally.anew()
        for name, agent in list(self._agents.items()):
            self._agents[name] = agent.anew(at_ns)
        memory.minutes, memory.quarters, memory.day = Memory().minutes, Memory().quarters, Memory().day
        self._rolls_ns = 0

    def snapshot(self) -> bytes:
        """Everything the fold keeps; `restore` goes on from it as if nothing had been."""
        return msgspec.msgpack.encode(self._memory)

    @classmethod
    def restore(cls, snapshot: bytes) -> Figures:
        """Go on from a snapshot. Raises ValueError for one that this version can't read: recount then."""
        try:
            memory = msgspec.msgpack.decode(snapshot, type=Memory)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"snapshot of figures can't be read: {error}") from error
        if memory.version != SNAPSHOT_VERSION:
            raise ValueError(f"snapshot of figures has version {memory.version}; known: {SNAPSHOT_VERSION}")
        return cls(memory)


def recount(records: Iterable[Record]) -> Figures:
    """The figures from nothing, over all records since the first."""
    figures = Figures()
    for record in records:
        figures.fold(record)
    return figures
