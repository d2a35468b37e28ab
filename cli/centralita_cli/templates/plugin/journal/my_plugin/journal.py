"""The journal: batches one after the other in one file, each with its numbers and a checksum; snapshots beside it.

A batch that was cut off when the machine stopped is at the end and has a wrong checksum: it was never
acknowledged, and is cut away. A wrong checksum anywhere else is damage, and is said. The lock dies with its
process. Reading uses the offsets in memory and `pread`, so it needs no lock of its own.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from centralita.errors import Fenced, JournalCorrupt, JournalError, JournalLocked
from centralita.journal import Batch, Decoder, Snapshot
from centralita.messages import Record
from centralita.protocols import Context

HEAD: Final = struct.Struct(">QQqIII")
"""First and last number, time in ns, lengths of state hash and payload, CRC-32 of all that."""

SNAPSHOTS_KEPT: Final = 2


class MyPluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[journal] type = "my_plugin"`. `sync` false trusts the system to write in time: a power cut may lose records."""

    sync: bool = True
    snapshot_every: Annotated[int, Meta(ge=0, le=10_000_000)] = 100_000
    state_hash_every: Annotated[int, Meta(ge=0, le=10_000_000)] = 10_000


class Place(Struct, frozen=True):
    """Where a batch is, and which records it has."""

    last_seq: int
    first_seq: int
    offset: int


class MyPlugin:
    """The journal in `records`, with the lock `lock` and snapshots `snapshot-SEQ`, in one folder."""

    blocking = True

    def __init__(self, settings: MyPluginSettings, context: Context) -> None:
        self._settings = settings
        self._folder = context.data
        self._log = context.log
        self._lock = _lock(self._folder / "lock")
        self._file = os.open(self._folder / "records", os.O_RDWR | os.O_CREAT, 0o600)
        self._places: list[Place] = []
        self._end = 0
        self._last_at_ns = 0
        try:
            self._scan()
        except BaseException:
            self.close()
            raise

    @property
    def snapshot_every(self) -> int:
        """After how many records the runner saves a snapshot."""
        return self._settings.snapshot_every

    @property
    def state_hash_every(self) -> int:
        """After how many records the runner takes a hash of the state."""
        return self._settings.state_hash_every

    @property
    def last_seq(self) -> int:
        """The number of the last durable record."""
        return self._places[-1].last_seq if self._places else 0

    @property
    def last_at_ns(self) -> int:
        """When the last durable record was."""
        return self._last_at_ns

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        """Write a batch to the disk. Raises Fenced when the last record is another, JournalError on a fault."""
        if expected_seq != self.last_seq or batch.first_seq != expected_seq + 1:
            raise Fenced(
                f"record {batch.first_seq} was to follow {expected_seq}; the last is {self.last_seq}"
            )
        data = _encode(batch)
        try:
            if os.pwrite(self._file, data, self._end) != len(data):
                raise JournalError(f"{self._folder}: the disk took only a part of record {batch.first_seq}")
            if self._settings.sync:
                os.fdatasync(self._file)
        except OSError as error:
            raise JournalError(f"{self._folder}: can't be written: {error.strerror}") from error
        self._last_at_ns = batch.at_ns
        offset, self._end = self._end, self._end + len(data)
        # Last: from here on readers see it.
        self._places.append(Place(batch.last_seq, batch.first_seq, offset))

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        """The records after `after_seq`, a batch at a time."""
        decoder = Decoder()
        for batch in self._since(after_seq):
            records = decoder.decode(batch)
            yield records[after_seq + 1 - batch.first_seq :] if batch.first_seq <= after_seq else records

    def state_hashes(self, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
        """(last record, packed hash of a state) of every batch that carries one."""
        return ((batch.last_seq, batch.state_hash) for batch in self._since(after_seq) if batch.state_hash)

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep a snapshot; older ones than the last two go. Raises JournalError when record `seq` is not here."""
        if seq > self.last_seq:
            raise JournalError(f"a snapshot after record {seq}; the last record is {self.last_seq}")
        new = self._folder / "snapshot.new"
        with new.open("wb") as file:
            file.write(zlib.crc32(state).to_bytes(4, "big") + state)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._folder / f"snapshot-{seq:020d}")
        for path in self._snapshot_files()[SNAPSHOTS_KEPT:]:
            path.unlink()

    def snapshots(self) -> Iterator[Snapshot]:
        """The good snapshots, newest first; a damaged one is logged and left out."""
        for path in self._snapshot_files():
            data = path.read_bytes()
            if zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:
                self._log.warning("snapshot_damaged", file=path.name)
                continue
            yield Snapshot(seq=int(path.name.rpartition("-")[2]), state=data[4:])

    def tidy(self) -> bool:
        """All records are kept, so there is never anything to do."""
        return False

    def close(self) -> None:
        """Let go of both files; a second time nothing is left to let go."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _scan(self) -> None:
        """Find every batch, and cut away one that was never finished."""
        length = os.fstat(self._file).st_size
        while self._end < length:
            batch, size = self._batch_at(self._end)
            if batch is None:
                if self._end + size < length:
                    raise JournalCorrupt(
                        f"{self._folder}: the bytes after record {self.last_seq} are damaged"
                    )
                self._log.warning("torn_batch_cut", after=self.last_seq, bytes_n=length - self._end)
                os.ftruncate(self._file, self._end)
                return
            if batch.first_seq != self.last_seq + 1:
                raise JournalCorrupt(f"{self._folder}: record {batch.first_seq} follows {self.last_seq}")
            self._places.append(Place(batch.last_seq, batch.first_seq, self._end))
            self._last_at_ns = batch.at_ns
            self._end += size

    def _batch_at(self, offset: int) -> tuple[Batch | None, int]:
        """(The batch at an offset, or None when it is not whole; how many bytes it says that it has)."""
        head = os.pread(self._file, HEAD.size, offset)
        if len(head) < HEAD.size:
            return None, HEAD.size
        first_seq, last_seq, at_ns, hash_n, payload_n, checksum = HEAD.unpack(head)
        size = HEAD.size + hash_n + payload_n
        body = os.pread(self._file, hash_n + payload_n, offset + HEAD.size)
        if len(body) != hash_n + payload_n or zlib.crc32(body, zlib.crc32(head[:-4])) != checksum:
            return None, size
        state_hash, payload = body[:hash_n], body[hash_n:]
        batch = Batch(
            first_seq=first_seq, last_seq=last_seq, at_ns=at_ns, payload=payload, state_hash=state_hash
        )
        return batch, size

    def _since(self, after_seq: int) -> Iterator[Batch]:
        """The batches with records after `after_seq`, those appended meanwhile included."""
        index = bisect_left(self._places, after_seq + 1, key=lambda place: place.last_seq)
        while index < len(self._places):
            batch, _ = self._batch_at(self._places[index].offset)
            if batch is None:
                raise JournalCorrupt(f"{self._folder}: record {self._places[index].first_seq} is damaged")
            yield batch
            index += 1

    def _snapshot_files(self) -> list[Path]:
        return sorted(self._folder.glob("snapshot-*"), reverse=True)


def _encode(batch: Batch) -> bytes:
    lengths = len(batch.state_hash), len(batch.payload)
    head = HEAD.pack(batch.first_seq, batch.last_seq, batch.at_ns, *lengths, 0)[:-4]
    body = batch.state_hash + batch.payload
    return head + zlib.crc32(body, zlib.crc32(head)).to_bytes(4, "big") + body


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalLocked(f"{path.parent} is in use by another process") from error
    return descriptor
