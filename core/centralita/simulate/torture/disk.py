"""A model of a disk with a journal on it: what is written is not yet safe, and what is cut off was never there.

`ModelDisk` has the shape of any journal (`centralita.journal.Journal`), so that `recover` reads it as it
reads SQLite's. Records are encoded, joined, checked and decoded by the real codec. Only `append` is taken
apart, into `write` and `sync`, since a process may die between the two: then a prefix of the unsynced bytes
is there, perhaps damaged (`crash`). The theory is that of write-ahead logs: a frame counts when its
checksum is right and everything before it counts.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from random import Random
from typing import Final

from centralita.errors import Fenced, JournalError
from centralita.journal.codec import Decoder, checksum
from centralita.journal.protocol import Batch, Snapshot
from centralita.messages import Record
from centralita.personal import join, part

_HEAD: Final = struct.Struct(">QQqIII")
"""First and last record, time, lengths of hash and payload, checksum."""

SNAPSHOTS_KEPT: Final = 3


class Keys:
    """A seal that keeps nothing secret: what it knows is whose key is gone, which outlives every crash."""

    def __init__(self) -> None:
        self.erased: set[int] = set()

    def close(self, seq: int, contact: int, words: bytes) -> bytes | None:
        """The words as they are; None for who is erased."""
        return None if contact in self.erased else words

    def open(self, seq: int, contact: int, sealed: bytes) -> bytes | None:
        """The words again; None for who is erased."""
        return None if contact in self.erased else sealed

    def seen_through(self, record: Record) -> Record:
        """A record as a journal sealed with these keys gives it back."""
        bare, parts = part(record)
        for contact, words in parts.items():
            if contact not in self.erased:
                join(bare, words)
        return bare


class ModelDisk:
    """Frames that are safe, frames that are only written, and snapshots of both kinds."""

    blocking = False
    snapshot_every = 0
    state_hash_every = 1

    def __init__(self, keys: Keys | None = None) -> None:
        self._safe: list[Batch] = []
        self._written: list[Batch] = []
        self._snapshots: list[tuple[int, bytes, int]] = []
        self._decoder = Decoder(keys)

    @property
    def last_seq(self) -> int:
        """The last record that is safe."""
        return self._safe[-1].last_seq if self._safe else 0

    @property
    def last_at_ns(self) -> int:
        """When it was."""
        return self._safe[-1].at_ns if self._safe else 0

    @property
    def written_seq(self) -> int:
        """The last record that is written, safe or not."""
        return self._written[-1].last_seq if self._written else self.last_seq

    def write(self, batch: Batch, *, expected_seq: int) -> None:
        """Put a batch where a crash may still take it away. Raises Fenced as `append` does."""
        if expected_seq != self.written_seq or batch.first_seq != expected_seq + 1:
            raise Fenced(f"record {batch.first_seq} was to follow {expected_seq}, not {self.written_seq}")
        self._written.append(batch)

    def sync(self) -> None:
        """Make safe whatever is written."""
        self._safe += self._written
        self._written.clear()

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        """Write and sync."""
        self.write(batch, expected_seq=expected_seq)
        self.sync()

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        """The safe records after `after_seq`. Raises JournalCorrupt for what is not what was written."""
        first = len(self._safe)
        while first and self._safe[first - 1].last_seq > after_seq:
            first -= 1
        for batch in self._safe[first:]:
            records = self._decoder.decode(batch)
            yield records[after_seq + 1 - batch.first_seq :] if batch.first_seq <= after_seq else records

    def state_hashes(self, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
        """(last record, packed StateHash) of every safe batch after `after_seq` that carries one."""
        return ((b.last_seq, b.state_hash) for b in self._safe if b.last_seq > after_seq and b.state_hash)

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep a snapshot. Raises JournalError when record `seq` is not safe yet."""
        if seq > self.last_seq:
            raise JournalError(f"a snapshot after record {seq}; the last safe record is {self.last_seq}")
        self._snapshots.append((seq, state, zlib.crc32(state)))
        del self._snapshots[:-SNAPSHOTS_KEPT]

    def snapshots(self) -> Iterator[Snapshot]:
        """The undamaged snapshots, newest first."""
        for seq, state, crc in reversed(self._snapshots):
            if zlib.crc32(state) == crc:
                yield Snapshot(seq=seq, state=state)

    def tidy(self) -> bool:
        """Nothing to do."""
        return False

    def close(self) -> None:
        """Nothing is held."""

    def crash(self, chance: Random) -> None:
        """The process dies: of what was only written a part is there, and the newest snapshot may be torn."""
        remains = b"".join(frame(batch) for batch in self._written)
        self._written.clear()
        roll = chance.random()
        if roll < 0.5:
            remains = remains[: chance.randint(0, len(remains))]
        elif roll < 0.7 and remains:
            # Pages reach a disk in any order: a hole of zeros in front of what came later.
            start = chance.randrange(len(remains))
            length = min(chance.choice((1, 16, 512)), len(remains) - start)
            remains = remains[:start] + bytes(length) + remains[start + length :]
        self._safe += _frames(remains, after_seq=self.last_seq)
        if self._snapshots and chance.random() < 0.2:
            seq, state, crc = self._snapshots.pop()
            self._snapshots.append((seq, state[: chance.randrange(len(state))], crc))


def frame(batch: Batch) -> bytes:
    """A batch as it stands in the file."""
    sizes = len(batch.state_hash), len(batch.payload)
    head = _HEAD.pack(batch.first_seq, batch.last_seq, batch.at_ns, *sizes, checksum(batch))
    return head + batch.state_hash + batch.payload


def _frames(remains: bytes, *, after_seq: int) -> list[Batch]:
    """The whole frames at the beginning of what remains, up to the first that is not what was written."""
    found: list[Batch] = []
    place = 0
    while place + _HEAD.size <= len(remains):
        first_seq, last_seq, at_ns, hash_n, payload_n, crc = _HEAD.unpack_from(remains, place)
        place += _HEAD.size
        payload_at = place + hash_n
        place = payload_at + payload_n
        batch = Batch(
            first_seq=first_seq,
            last_seq=last_seq,
            at_ns=at_ns,
            payload=remains[payload_at:place],
            state_hash=remains[payload_at - hash_n : payload_at],
        )
        if first_seq != after_seq + 1 or len(batch.payload) != payload_n or checksum(batch) != crc:
            break
        after_seq = last_seq
        found.append(batch)
    return found
