"""The sink: gives each batch's lines to the log in a worker thread, and says how far it is.

What a line says is `lines.py`'s business, what a crash or a rotation can leave is `log_file.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from centralita.messages import Record
from centralita.protocols import Context, Inbox, Person
from centralita_kpi_queue_log.callers import erase, lines_of
from centralita_kpi_queue_log.lines import Scribe
from centralita_kpi_queue_log.log_file import LogFile
from centralita_kpi_queue_log.settings import Settings

STATE: Final = "queue_log.state"
SAVE_S: Final = 1.0
"""How often the position is put away while records come."""


class QueueLogSink:
    """A `KpiSink` that writes Asterisk's queue log."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._log = context.log
        path = (
            context.configuration.folder / Path(settings.file)
            if settings.file
            else context.data / "queue_log"
        )
        self._path = path
        self._file = LogFile(path, context.data / STATE)
        self._scribe: Scribe | None = None
        self._seq = 0
        # One thread at a time, so that cancellation can't leave two in the file; and one task, so that nothing
        # changes what is just being put away.
        self._one = trio.CapacityLimiter(1)
        self._turn = trio.Lock()

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Hold the log open and put the position away, until cancelled."""
        async with self._turn:
            await self._open()
        task_status.started()
        try:
            while True:
                await trio.sleep(SAVE_S)
                await self._save()
        finally:
            with trio.CancelScope(shield=True):
                await self._save()
                async with self._turn:
                    self._scribe = None
                    await trio.to_thread.run_sync(self._file.close, limiter=self._one)

    async def position(self) -> int:
        """The last record whose lines are durable, as far as is put away."""
        # Not while a batch is being written: the scribe is away then, and what is put away is older.
        async with self._turn:
            if self._scribe is None:
                await self._open()
            return self._seq

    async def find_person(self, person: Person) -> Person:
        """Nothing that others don't know better."""
        return person

    async def export_person(self, person: Person) -> dict[str, Any]:
        """The lines that name the person's addresses, or tell of the person's contacts."""
        read = partial(lines_of, self._path, person.handles, self._ids(person))
        return {"lines": await trio.to_thread.run_sync(read, limiter=self._one)}

    async def erase_person(self, person: Person) -> int:
        """Overwrite the person's addresses in the log; how many lines had one."""
        # What is saved is not compared again with what the records give, so nothing is written a second time.
        await self._save()
        change = partial(erase, self._path, person.handles, self._ids(person))
        async with self._turn:
            return await trio.to_thread.run_sync(change, limiter=self._one)

    def _ids(self, person: Person) -> tuple[int, ...]:
        """The contacts that lines can be told by; a provider's id may end in the number of somebody else's contact."""
        return person.contacts if self._settings.call_id == "contact" else ()

    async def write(self, batch: Sequence[Record]) -> None:
        """Append what is new of the batch. Raises ValueError for a gap, OSError: then nothing was added.

        Who has nothing yet may begin anywhere: the journal may have retired its oldest records. Cancelled, it
        finishes what it has begun to write; a write that failed begins again at the position put away.
        """
        async with self._turn:
            await self._take(batch)

    async def _take(self, batch: Sequence[Record]) -> None:
        scribe = self._scribe or await self._open()
        new = [record for record in batch if record.seq > self._seq]
        if not new:
            return
        if self._seq and new[0].seq != self._seq + 1:
            raise ValueError(f"record {new[0].seq} can't follow {self._seq}")
        self._scribe = None
        cut = self._file.cut_bytes_n
        await trio.to_thread.run_sync(self._append, scribe, new, limiter=self._one)
        self._seq, self._scribe = new[-1].seq, scribe
        if self._file.cut_bytes_n > cut:
            self._log.warning("torn_lines_cut", cut_bytes_n=self._file.cut_bytes_n - cut, position=self._seq)

    def _append(self, scribe: Scribe, new: Sequence[Record]) -> None:
        # A shift that signs in is told of in every one of its queues: in the thread, too, it holds nobody up.
        lines = b"".join(map(scribe.take, new))
        self._file.append(lines, new[-1].seq, len(new), scribe.memory)

    async def _save(self) -> None:
        async with self._turn:
            if self._scribe is not None:
                await trio.to_thread.run_sync(
                    self._file.save, self._seq, self._scribe.memory, limiter=self._one
                )

    async def _open(self) -> Scribe:
        self._seq, memory = await trio.to_thread.run_sync(self._file.open, limiter=self._one)
        self._scribe = Scribe(self._settings, memory)
        return self._scribe
