"""The road from the pump to the journal: one thread that commits while the next batch is decided.

    writer = JournalWriter(journal)
    await nursery.start(writer.run)                    # a failed commit raises out of the nursery
    writer.put(records, on_durable)                    # sync, trio thread; never waits, never blocks
    writer.put(records, on_durable, state_hash=packed) # with a hash of the state after an earlier record
    writer.put([], on_durable)                         # nothing to write: called when all before is durable
    await writer.wait_for_room()                       # returns once less than `pending_bytes_max` waits
    await writer.flush()                               # all that was put is durable, its on_durable has run
    await writer.save_snapshot(seq, state)             # waits for `seq`, then writes beside the commits
    await writer.close()                               # flush, end the thread; `run` then returns
    writer.durable_seq, writer.put_seq, writer.pending_bytes

It refuses to know what a record means and what is done when it is durable. `on_durable` is called in the
trio thread, once, in the order of `put`, and must not wait. Records must continue the journal: the first
seq is `put_seq + 1`, times never decrease; anything else is a ValueError and writes nothing.

The theory is group commit with natural batching: a commit takes what has gathered while the one before
it was on its way to the disk, so groups grow with the load and an idle engine's record waits for nobody.
One wake-up of trio announces a whole group. A dedicated thread costs one hand-over a group; handing each
commit to a thread of a pool costs several times that. Encoding stays in the trio thread: there a record
is written down before anybody can change what it refers to, and its faults are raised at its `put`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final

import trio

from centralita.errors import EngineStopped, JournalError
from centralita.journal.codec import Encoder, join
from centralita.journal.protocol import Batch, Journal
from centralita.messages import Record

PENDING_BYTES_MAX: Final = 16 * 1024 * 1024
"""How much may wait for the disk before `wait_for_room` waits: about 100,000 records."""

GROUP_BYTES_MAX: Final = 4 * 1024 * 1024
"""The most one commit takes on; a longer one makes everybody in it wait for all of it."""

_Put = tuple[Batch | None, Callable[[], None]]


class JournalWriter:
    """Puts records into a journal, in order, and says when they are durable."""

    def __init__(
        self, journal: Journal, *, pending_bytes_max: int = PENDING_BYTES_MAX, gather_s: float = 0.0
    ) -> None:
        """`gather_s` (0 to 0.1) is how long a commit waits for company: it spares the disk under light,
        steady load and adds itself to every record's latency. 0 commits at once."""
        if not 0 <= gather_s <= 0.1:
            raise ValueError(f"gather_s was {gather_s}; must be from 0 to 0.1")
        self._journal = journal
        self._pending_bytes_max = pending_bytes_max
        self._gather_s = gather_s
        self._encoder = Encoder(getattr(journal, "seal", None))
        self._token: trio.lowlevel.TrioToken | None = None
        self._waiting: SimpleQueue[_Put | None] = SimpleQueue()
        self._committed: deque[_Put] = deque()
        self._put_seq = self._durable_seq = journal.last_seq
        self._put_at_ns = journal.last_at_ns
        self._puts_n = 0
        self._told_n = 0
        self._pending_bytes = 0
        self._closing = False
        self._failure: BaseException | None = None
        self._lot = trio.lowlevel.ParkingLot()
        self._over = trio.Event()
        self._thread_over = trio.Event()
        self._ended = trio.Event()

    @property
    def put_seq(self) -> int:
        """The last record that was put, durable or not."""
        return self._put_seq

    @property
    def durable_seq(self) -> int:
        """The last record that is durable and whose `on_durable` has been called."""
        return self._durable_seq

    @property
    def failed(self) -> bool:
        """Whether a commit has failed, so that `run` ends, or has ended, with the error."""
        return self._failure is not None

    @property
    def pending_bytes(self) -> int:
        """How much was put and is not durable yet."""
        return self._pending_bytes

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Commit until closed. Raises what a commit or an `on_durable` raised: the engine must end.

        Cancelled, it still commits what was put (no record is half decided), then raises Cancelled.
        """
        self._token = trio.lowlevel.current_trio_token()
        thread = threading.Thread(target=self._commit_all, name="centralita-journal")
        if self._journal.blocking:
            thread.start()
        task_status.started()
        try:
            await self._over.wait()
        finally:
            self._closing = True
            if self._journal.blocking:
                self._waiting.put(None)
                with trio.CancelScope(shield=True):
                    await self._thread_over.wait()
                thread.join()
            self._tell()
            self._ended.set()
            self._lot.unpark_all()
            if self._failure is not None:
                raise self._failure  # in place of Cancelled too: that records are lost is never hidden

    def put(
        self, records: Sequence[Record], on_durable: Callable[[], None], *, state_hash: bytes = b""
    ) -> None:
        """Hand records over; `on_durable` is called when they and all before them are durable.

        Raises EngineStopped when the writer runs no more (or not yet), ValueError when the records don't
        continue the journal. A commit that fails is not raised here but by `run`, once; records put
        between the failure and `run`'s end are dropped and nobody is told that they are durable.
        """
        if self._failure is not None and not self._ended.is_set():
            return
        self._check_alive()
        assert self._token is not None
        batch: Batch | None = None
        if records:
            batch = self._encoder.encode(
                records, after_seq=self._put_seq, after_ns=self._put_at_ns, state_hash=state_hash
            )
            self._put_seq, self._put_at_ns = batch.last_seq, batch.at_ns
            self._pending_bytes += len(batch.payload)
        self._puts_n += 1
        if self._journal.blocking:
            self._waiting.put((batch, on_durable))
            return
        try:
            if batch is not None:
                self._journal.append(batch, expected_seq=batch.first_seq - 1)
                self._journal.tidy()
        except BaseException as error:  # noqa: BLE001 - `run` raises it, as it does the thread's
            self._fail(error)
            return
        self._committed.append((batch, on_durable))
        self._token.run_sync_soon(self._tell, idempotent=True)

    async def wait_for_room(self) -> None:
        """Wait until less than `pending_bytes_max` is on its way to the disk."""
        await trio.lowlevel.checkpoint()
        while self._failure is not None or self._pending_bytes >= self._pending_bytes_max:
            await self._park()

    async def flush(self) -> None:
        """Wait until all that has been put is durable. Raises JournalError when it won't be."""
        await trio.lowlevel.checkpoint()
        due_n = self._puts_n
        while self._told_n < due_n:
            await self._park()

    async def save_snapshot(self, seq: int, state: Sequence[bytes]) -> None:
        """Wait until record `seq` is durable, then keep the snapshot, given in parts, beside the commits.

        Cancelled while writing, the file is finished (or not begun) and used like any other.
        """
        if seq > self._put_seq:
            raise ValueError(f"a snapshot after record {seq}; the last one put is {self._put_seq}")
        while self._durable_seq < seq:
            await self._park()
        if self._journal.blocking:
            await trio.to_thread.run_sync(self._save_snapshot, seq, state)
        else:
            # Virtual time would run on while a thread is waited for.
            self._save_snapshot(seq, state)

    def _save_snapshot(self, seq: int, state: Sequence[bytes]) -> None:
        self._journal.save_snapshot(seq, b"".join(state))

    async def close(self) -> None:
        """Make durable what was put, and let `run` return. Nothing can be put from now on."""
        self._closing = True
        try:
            await self.flush()
        finally:
            self._over.set()

    async def _park(self) -> None:
        """Wait for news; raise when there will be none."""
        if self._failure is not None:
            # `run` goes first: whoever is in a nursery with it is cancelled, and one error comes out of it.
            await self._ended.wait()
            await trio.lowlevel.checkpoint()
            self._check_failure()
        if self._ended.is_set():
            raise EngineStopped("the journal's writer has ended")
        await self._lot.park()

    def _check_failure(self) -> None:
        if self._failure is not None:
            raise JournalError(f"the journal's writer has failed: {self._failure}") from self._failure

    def _check_alive(self) -> None:
        self._check_failure()
        if self._closing or self._token is None:
            raise EngineStopped("the journal's writer does not run")

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._over.set()
        self._lot.unpark_all()

    def _tell(self) -> None:
        """In the trio thread: call back for everything committed since the last time."""
        while self._committed:
            batch, on_durable = self._committed.popleft()
            if batch is not None:
                self._durable_seq = batch.last_seq
                self._pending_bytes -= len(batch.payload)
            try:
                on_durable()
            except BaseException as error:  # noqa: BLE001 - trio would die of it; `run` raises it instead
                self._fail(error)
            self._told_n += 1
        self._lot.unpark_all()

    # The thread ----------------------------------------------------------------------------------

    def _commit_all(self) -> None:
        """The thread: commit group after group until told to end or a commit fails."""
        assert self._token is not None
        try:
            going = True
            while going:
                group, going = self._gather()
                self._commit(group)
                if group:
                    self._committed.extend(group)
                    self._in_trio(self._tell)
                # A piece of housekeeping after every group, more while nobody waits: it keeps up with
                # any load, and holds up nobody for longer than a piece takes.
                while self._journal.tidy() and going and self._waiting.empty():
                    pass
        except BaseException as error:  # noqa: BLE001 - carried over to `run`, which raises it
            failure = error
            self._in_trio(lambda: self._fail(failure))
        finally:
            self._in_trio(self._thread_over.set)

    def _gather(self) -> tuple[list[_Put], bool]:
        """Wait for a put, then take all that have gathered; False when the end was among them.

        A batch carries one hash of the state, so a put that has one ends its group.
        """
        put = self._waiting.get()
        if self._gather_s and put is not None:
            time.sleep(self._gather_s)
        group: list[_Put] = []
        size = 0
        while put is not None:
            group.append(put)
            batch = put[0]
            if batch is not None:
                size += len(batch.payload)
                if batch.state_hash:
                    return group, True
            if size >= GROUP_BYTES_MAX or self._waiting.empty():
                return group, True
            put = self._waiting.get_nowait()
        return group, False

    def _commit(self, group: list[_Put]) -> None:
        batches = [batch for batch, _ in group if batch is not None]
        if batches:
            batch = join(batches)
            self._journal.append(batch, expected_seq=batch.first_seq - 1)

    def _in_trio(self, call: Callable[[], None]) -> None:
        assert self._token is not None
        try:
            # Only the bound method `_tell` is repeated before it has run, and once is enough for it.
            self._token.run_sync_soon(call, idempotent=True)
        except trio.RunFinishedError:
            pass  # trio is gone, and with it everybody who could be told; what is committed stays so
