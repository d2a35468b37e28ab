"""The sink: appends each batch's lines in one write, in a worker thread, and keeps its position in the file.

What a line holds is `lines.py`'s business, what a crash can leave is `line_file.py`'s. A batch without lines
writes nothing: after a restart such records are read once more, and give nothing once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import trio
from msgspec import Meta

from centralita.messages import Record
from centralita.protocols import Context, Inbox, Person
from centralita.structs import Frozen
from centralita_kpi_jsonl.line_file import LineFile
from centralita_kpi_jsonl.lines import Content, about, erased, lines_of


class Settings(Frozen, forbid_unknown_fields=True):
    """`content`: every event, or one line for each contact that ended.

    `folder` is relative to the configuration's; empty: the component's own data directory. At most
    `keep` files of about `rotate_bytes` stay beside the current one. `personal` also writes what
    customers said and who they are.
    """

    content: Content = "contacts"
    folder: str = ""
    rotate_bytes: Annotated[int, Meta(ge=10_000, le=100_000_000_000)] = 100_000_000
    keep: Annotated[int, Meta(ge=1, le=10_000)] = 10
    personal: bool = False


class JsonlSink:
    """A `KpiSink` that writes JSON lines."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._log = context.log
        folder = context.configuration.folder / Path(settings.folder) if settings.folder else context.data
        self._file = LineFile(
            folder, settings.content, rotate_bytes=settings.rotate_bytes, keep=settings.keep
        )
        self._open = False
        self._seq = 0
        # One thread at a time, so that cancellation can't leave two in the file.
        self._one = trio.CapacityLimiter(1)
        self._opening = trio.Lock()

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Hold the file open until cancelled."""
        await self._be_open()
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self._open = False
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._file.close, limiter=self._one)

    async def position(self) -> int:
        """The last record whose lines are durable."""
        await self._be_open()
        return self._seq

    async def write(self, batch: Sequence[Record]) -> None:
        """Append what is new of the batch. Raises ValueError for a gap, OSError: then nothing was added.

        Who has nothing yet may begin anywhere: the journal may have retired its oldest records.

        Cancelled, it finishes what it has begun to write.
        """
        await self._be_open()
        self._seq = await trio.to_thread.run_sync(self._append, batch, self._seq, limiter=self._one)

    def _append(self, batch: Sequence[Record], seq: int) -> int:
        """Write what comes after `seq`, in the thread: a batch after some time away takes long to put into words."""
        parts: list[bytes] = []
        with_lines = 0
        for record in batch:
            if record.seq <= seq:
                continue
            if seq and record.seq != seq + 1:
                raise ValueError(f"record {record.seq} can't follow {seq}")
            seq = record.seq
            lines = lines_of(record, self._settings.content, personal=self._settings.personal)
            if lines:
                parts.append(lines)
                with_lines = seq
        if parts:
            self._file.append(b"".join(parts), with_lines)
        return seq

    async def find_person(self, person: Person) -> Person:
        """Nothing that others don't know better."""
        return person

    async def export_person(self, person: Person) -> dict[str, Any]:
        """The lines about the person's contacts, when the file holds customers' words at all."""
        if not self._settings.personal:
            return {"lines": []}
        contacts = frozenset(person.contacts)

        def read() -> list[dict[str, Any]]:
            return [fields for line in self._file.lines() if (fields := about(line, contacts)) is not None]

        return {"lines": await trio.to_thread.run_sync(read, limiter=self._one)}

    async def erase_person(self, person: Person) -> int:
        """Take the customer's words out of the lines about the person's contacts; how many lines had some."""
        contacts = frozenset(person.contacts)
        await self._be_open()
        change = partial(erased, contacts=contacts)
        return await trio.to_thread.run_sync(self._file.rewrite, change, limiter=self._one)

    async def _be_open(self) -> None:
        """Open the file unless it is; one of those who find it closed does, so that none undoes what another wrote."""
        async with self._opening:
            if self._open:
                return
            await trio.to_thread.run_sync(self._file.open, limiter=self._one)
            if self._file.cut_bytes_n:
                self._log.warning(
                    "torn_lines_cut", cut_bytes_n=self._file.cut_bytes_n, position=self._file.seq
                )
            self._seq = self._file.seq
            self._open = True
