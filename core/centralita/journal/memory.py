"""A journal that is gone with the process: for tests, the simulator, and embedding without a disk.

It keeps the same bytes as the SQLite journal, so what passes here has been through the codec.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

from centralita.errors import Fenced, JournalError
from centralita.journal.codec import Decoder
from centralita.journal.protocol import Batch, Seal, Snapshot
from centralita.journal.sealed_state import close_state, open_state
from centralita.messages import Record
from centralita.structs import Frozen


class MemoryJournalConfig(Frozen, forbid_unknown_fields=True):
    """`[journal] type = "memory"`: nothing outlives the process. `keep_records`: the oldest beyond
    so many are forgotten once a snapshot covers them; 0 keeps all."""

    snapshot_every: int = 0
    state_hash_every: int = 0
    keep_records: int = 0


class MemoryJournal:
    """Batches in a list, gone with the process: for tests, and for programs that need nothing to outlive them."""

    blocking = False

    def __init__(self, config: MemoryJournalConfig | None = None, *, seal: Seal | None = None) -> None:
        self.seal = seal
        self._config = config or MemoryJournalConfig()
        self._batches: list[Batch] = []
        self._snapshot: Snapshot | None = None
        self._last_seq = 0
        self._last_at_ns = 0
        self._lock = Lock()

    @property
    def snapshot_every(self) -> int:
        """After how many records the runner is to save a snapshot; 0: never."""
        return self._config.snapshot_every

    @property
    def state_hash_every(self) -> int:
        """After how many records the runner is to take a hash of the state; 0: never."""
        return self._config.state_hash_every

    @property
    def first_seq(self) -> int:
        """The first record that can be read."""
        with self._lock:
            return self._batches[0].first_seq if self._batches else self._last_seq + 1

    @property
    def last_seq(self) -> int:
        """The number of the last record; 0 when there is none."""
        return self._last_seq

    @property
    def last_at_ns(self) -> int:
        """When the last record was."""
        return self._last_at_ns

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        """Keep a batch. Raises Fenced when `expected_seq` is not the last record."""
        with self._lock:
            if expected_seq != self._last_seq or batch.first_seq != expected_seq + 1:
                raise Fenced(
                    f"record {batch.first_seq} was to follow {expected_seq}; the last is {self._last_seq}"
                )
            self._batches.append(batch)
            self._last_seq, self._last_at_ns = batch.last_seq, batch.at_ns

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        """The records after `after_seq`, oldest first, a batch at a time."""
        decoder = Decoder(self.seal)
        for batch in self._since(after_seq):
            records = decoder.decode(batch)
            yield records[after_seq + 1 - batch.first_seq :] if batch.first_seq <= after_seq else records

    def state_hashes(self, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
        """(last record, packed StateHash) of the batches that carry one."""
        return ((b.last_seq, b.state_hash) for b in self._since(after_seq) if b.state_hash)

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep the newest snapshot. Raises JournalError when record `seq` is not here yet."""
        with self._lock:
            if seq > self._last_seq:
                raise JournalError(f"a snapshot after record {seq}; the last record is {self._last_seq}")
            kept = state if self.seal is None else close_state(state, self.seal)
            self._snapshot = Snapshot(seq=seq, state=kept)

    def snapshots(self) -> Iterator[Snapshot]:
        """The snapshot, if there is one."""
        if self._snapshot is not None:
            kept = self._snapshot.state
            opened = kept if self.seal is None else open_state(kept, self.seal)
            yield Snapshot(seq=self._snapshot.seq, state=opened)

    def tidy(self) -> bool:
        """Forget the oldest batches beyond `keep_records` that the snapshot covers."""
        with self._lock:
            if not self._config.keep_records or self._snapshot is None:
                return False
            through = min(self._snapshot.seq, self._last_seq - self._config.keep_records)
            gone = 0
            while gone < len(self._batches) - 1 and self._batches[gone].last_seq <= through:
                gone += 1
            del self._batches[:gone]
            return False

    def close(self) -> None:
        """Nothing is held."""

    def _since(self, after_seq: int) -> Iterator[Batch]:
        """The batches with records after `after_seq`, those appended meanwhile included."""
        while True:
            with self._lock:
                first = self._batches[0].first_seq if self._batches else 1
                if first > after_seq + 1:
                    raise JournalError(f"records {after_seq + 1} to {first - 1} are no longer kept")
                index = self._find(after_seq)
                if index == len(self._batches):
                    return
                batch = self._batches[index]
            yield batch
            after_seq = batch.last_seq

    def _find(self, after_seq: int) -> int:
        """The first batch whose last record is after `after_seq`."""
        low, high = 0, len(self._batches)
        while low < high:
            middle = (low + high) // 2
            if self._batches[middle].last_seq <= after_seq:
                low = middle + 1
            else:
                high = middle
        return low
