"""What a journal is: an append-only list of records with one writer, and snapshots beside it.

It refuses to know what a record means, when to take a snapshot and what time it is. The theory is the
write-ahead log: a record that `append` has returned for is on the disk, whole and in its place, or the
journal says which one is not; the state is the newest good snapshot with every later record applied.

All methods are synchronous. `append` and `tidy` are called from one thread; `read`, `state_hashes`,
`save_snapshot`, `snapshots` and `last_seq` from any. A third party's journal (a distributed log with an
expected-sequence check) comes in through `register_journals` and has this shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from centralita.messages import Record
from centralita.structs import Frozen


class Batch(Frozen, gc=False):
    """Records `first_seq` to `last_seq`, encoded: what is committed as one.

    `payload` is a msgpack array of the records, `at_ns` the time of the last one. `state_hash` is a
    StateHash that became known when the batch was decided, packed by the codec, or empty.
    """

    first_seq: int
    last_seq: int
    at_ns: int
    payload: bytes
    state_hash: bytes = b""

    @property
    def records_n(self) -> int:
        """How many records the payload holds."""
        return self.last_seq - self.first_seq + 1


class StateHash(Frozen, gc=False):
    """The hash of the engine's state after record `seq`, which a later batch carries.

    Taking it goes on beside the deciding, so it is known some records later. `form` (8 bytes) stands for
    how the version that took it writes a state down: another form's hash can't be compared.
    """

    seq: int
    form: bytes
    digest: bytes


class Snapshot(Frozen, gc=False):
    """The engine's state after record `seq`, in the engine's own bytes."""

    seq: int
    state: bytes


class Seal(Protocol):
    """Keeps customers' words so that they can be forgotten: a key for each contact, kept apart from the journal.

    A journal that has one gives it as its attribute `seal`, and the runner writes records through it. Called
    from any thread.
    """

    def close(self, seq: int, contact: int, words: bytes) -> bytes | None:
        """The words under the contact's key, bound to where they stand; None when its key is erased.

        `seq` is the record's, or 0 with a state's. Raises JournalError when a new key can't be kept.
        """
        ...

    def open(self, seq: int, contact: int, sealed: bytes) -> bytes | None:
        """What `close` was given; None when the key is erased.

        Raises JournalCorrupt when the key there is another one, or the bytes are not what was written.
        """
        ...


@runtime_checkable
class Journal(Protocol):
    """An append-only list of records, numbered from 1 without gaps."""

    @property
    def blocking(self) -> bool:
        """Whether `append` waits for a disk or a network, and so wants a thread of its own."""
        ...

    @property
    def snapshot_every(self) -> int:
        """After how many records the runner is to save a snapshot; 0: never."""
        ...

    @property
    def state_hash_every(self) -> int:
        """After how many records the runner is to take a hash of the state, which recovery checks; 0:
        none is taken and none is checked."""
        ...

    @property
    def last_seq(self) -> int:
        """The number of the last durable record; 0 when there is none."""
        ...

    @property
    def last_at_ns(self) -> int:
        """When the last durable record was; no later record is earlier. 0 when there is none."""
        ...

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        """Make a batch durable: all of it when this returns, nothing of it when it raises.

        `expected_seq` is the last record the caller knows of. Raises Fenced when the journal has
        another last record: somebody else has written, and this writer must stop. Raises
        JournalError when it can't be written.
        """
        ...

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        """The durable records after `after_seq`, in order, in batches of bounded size.

        Ends with what was durable when the end was reached. Raises JournalCorrupt at the first
        record whose bytes are not what was written, after everything before it was given;
        JournalError when records after `after_seq` are no longer kept.
        """
        ...

    def state_hashes(self, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
        """(last record, packed StateHash) of every batch after `after_seq` that carries one."""
        ...

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep a snapshot durably. Raises JournalError when record `seq` is not durable yet."""
        ...

    def snapshots(self) -> Iterator[Snapshot]:
        """The good snapshots, newest first; a damaged one is reported in the log and left out."""
        ...

    def tidy(self) -> bool:
        """Do a bounded piece of housekeeping (retention); True when there is more to do."""
        ...

    def close(self) -> None:
        """Let go of everything held. A second call does nothing."""
        ...
