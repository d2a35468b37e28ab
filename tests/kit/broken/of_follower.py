"""Whoever is fed the records, or keeps customers: 501 to 509."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from centralita.messages import Record
from centralita.protocols import Inbox, Person
from tests.kit.broken.registry import breaks
from tests.kit.good import GoodCrm, GoodLedger


@breaks(501, "kpi_sinks")
class FromOne(GoodLedger):
    """Counts from one before it has seen anything."""

    async def position(self) -> int:
        return await super().position() or 1


@breaks(502, "kpi_sinks")
class Behind(GoodLedger):
    """Says one record less than it has."""

    async def position(self) -> int:
        return max(0, await super().position() - 1)


@breaks(503, "kpi_sinks")
class Choking(GoodLedger):
    """Can't swallow everything."""

    def take_in(self, records: Sequence[Record]) -> None:
        for record in records:
            repr(record).encode("latin-1")
        super().take_in(records)


@breaks(504, "kpi_sinks")
class Doubling(GoodLedger):
    """Counts what comes, as often as it comes."""

    async def write(self, batch: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint()
        self.take_in(batch)


@breaks(505, "kpi_sinks")
class Amnesiac(GoodLedger):
    """Ends in order, and begins the next time with an empty page."""

    fresh = True

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await super().run(inbox, task_status=task_status)
        finally:
            (self.data / "closed").touch()

    def load(self) -> None:
        super().load()
        if self.fresh and (self.data / "closed").exists():
            self.ended_n = 0
        self.fresh = False


@breaks(506, "kpi_sinks")
class Careless(GoodLedger):
    """Writes the position at once and the count at the end."""

    def save(self) -> None:
        self.file.write_text(json_of(self.seq, 0))

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await super().run(inbox, task_status=task_status)
        finally:
            self.file.write_text(json_of(self.seq, self.ended_n))


def json_of(seq: int, ended_n: int) -> str:
    return f"[{seq}, {ended_n}]"


@breaks(507, "kpi_sinks")
class Piecemeal(GoodLedger):
    """Counts first and notes the position later."""

    async def write(self, batch: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint()
        seq = self.seq
        self.take_in([record for record in batch if record.seq > seq])
        done, self.seq = self.seq, seq
        self.save()
        await trio.lowlevel.checkpoint()
        self.seq = done
        self.save()


@breaks(508, "crms")
class Unforgetting(GoodCrm):
    """Says that it has forgotten."""

    said = False

    async def erase_person(self, person: Person) -> int:
        erased_n, self.said = (0 if self.said else 1), True
        return erased_n


@breaks(509, "kpi_sinks")
class Rereading(GoodLedger):
    """Takes a moment to say how far it is, and then puts what it said in the place of what it has taken in since."""

    async def position(self) -> int:
        seq = self.seq
        for _ in range(4):
            await trio.lowlevel.checkpoint()
        self.seq = seq
        return seq

    async def write(self, batch: Sequence[Record]) -> None:
        await super().write(batch)
        for _ in range(10):
            await trio.lowlevel.checkpoint()
