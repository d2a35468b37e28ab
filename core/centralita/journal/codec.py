"""Records as bytes: msgpack arrays, grouped, with a checksum over each group.

It refuses to know where the bytes are kept. A field has its place, not its name, in the array: half the
size and a third of the time of named fields; the price is that fields are only ever added at the end with
a default, which `tests/journal/test_upgrade.py` holds.

The checksum is CRC-32: it finds every burst of damage up to 32 bits and all but one in 2**32 of the
others, at memory speed. A cryptographic hash would guard against somebody who changes the file on
purpose, and whoever can do that can compute the hash as well.

With a `Seal`, what is a customer's (`personal.py`) stands after the record, each contact's under its own key,
and the record itself is as it will be once the key is gone. So whoever has no keys reads a whole journal, with
`[erased]` where words were, and damage is found alike with keys and without.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from centralita import personal
from centralita.errors import JournalCorrupt
from centralita.journal.protocol import Batch, Seal, StateHash
from centralita.messages import AnyCommand, AnyEvent, Record

SCHEMA: Final = 1
"""The version of the bytes. It goes up when an older reader could misread what a newer one writes."""

_NUMBERS: Final = struct.Struct(">QQqI")
_STATE_HASH: Final = struct.Struct(">Q8s16s")


class SealedRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A record without what is a customer's, and that, sealed, by contact."""

    seq: int
    at_ns: int
    command: AnyCommand
    events: list[AnyEvent]
    sealed: dict[int, bytes] | None = None


class Encoder:
    """Turns records into batches; keeps one msgpack encoder."""

    def __init__(self, seal: Seal | None = None) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._seal = seal

    def encode(
        self, records: Sequence[Record], *, after_seq: int, after_ns: int, state_hash: bytes = b""
    ) -> Batch:
        """One or more records that follow record `after_seq` of time `after_ns`.

        Raises ValueError when a seq is not one more than the one before it, or a time is earlier.
        """
        seq, at_ns = after_seq, after_ns
        for record in records:
            seq += 1
            if record.seq != seq:
                raise ValueError(f"record {record.seq} after record {seq - 1}; must be {seq}")
            if record.at_ns < at_ns:
                raise ValueError(f"record {seq} is of {record.at_ns} ns, the one before it of {at_ns} ns")
            at_ns = record.at_ns
        if seq == after_seq:
            raise ValueError("a batch needs a record")
        return Batch(
            first_seq=after_seq + 1,
            last_seq=seq,
            at_ns=at_ns,
            payload=self._encode(self._form(records)),
            state_hash=state_hash,
        )

    def _form(self, records: Sequence[Record]) -> Sequence[Record | SealedRecord]:
        seal = self._seal
        if seal is None:
            return records if isinstance(records, list) else list(records)
        encode = self._encode
        closed: list[Record | SealedRecord] = []
        for record in records:
            bare, parts = personal.part(record)
            if not parts:
                closed.append(bare)
                continue
            sealed: dict[int, bytes] = {}
            for contact, words in parts.items():
                blob = seal.close(record.seq, contact, encode(words))
                if blob is not None:
                    sealed[contact] = blob
            closed.append(
                SealedRecord(
                    seq=bare.seq,
                    at_ns=bare.at_ns,
                    command=bare.command,
                    events=bare.events,
                    sealed=sealed or None,
                )
            )
        return closed


class Decoder:
    """Turns batches back into records; keeps one msgpack decoder. Use one for each thread.

    Without the seal a sealed journal was written with, its records come as if every key was erased.
    """

    def __init__(self, seal: Seal | None = None) -> None:
        form: Any = list[Record] if seal is None else list[SealedRecord]
        self._decoder: msgspec.msgpack.Decoder[list[Any]] = msgspec.msgpack.Decoder(form)
        self._seal = seal

    def decode(self, batch: Batch) -> list[Record]:
        """The records of a batch whose checksum was right.

        Raises JournalCorrupt when they are not what the batch says, though the checksum is right:
        another schema, or a fault of the writer.
        """
        where = f"records {batch.first_seq} to {batch.last_seq}"
        try:
            records = self._decoder.decode(batch.payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalCorrupt(f"{where}: can't be decoded: {error}") from error
        if len(records) != batch.records_n:
            raise JournalCorrupt(f"{where}: there are {len(records)} records instead of {batch.records_n}")
        for seq, record in enumerate(records, batch.first_seq):
            if record.seq != seq:
                raise JournalCorrupt(f"record {seq}: its own number is {record.seq}")
        return records if self._seal is None else [_opened(record, self._seal) for record in records]


_parts_decoder: Final = msgspec.msgpack.Decoder(list[tuple[int, personal.AnyPart]])


def _opened(sealed: SealedRecord, seal: Seal) -> Record:
    """The record with what its keys open; erased words stay erased. Raises JournalCorrupt."""
    record = Record(seq=sealed.seq, at_ns=sealed.at_ns, command=sealed.command, events=sealed.events)
    for contact, blob in (sealed.sealed or {}).items():
        words = seal.open(record.seq, contact, blob)
        if words is None:
            continue
        try:
            personal.join(record, _parts_decoder.decode(words))
        except (msgspec.DecodeError, UnicodeDecodeError, AttributeError, IndexError) as error:
            raise JournalCorrupt(
                f"record {record.seq}: what was sealed can't be put back: {error}"
            ) from error
    return record


def join(batches: Sequence[Batch]) -> Batch:
    """Consecutive batches as one; only the last may carry a hash of the state."""
    if len(batches) == 1:
        return batches[0]
    first, last = batches[0], batches[-1]
    parts = [_array_header(last.last_seq - first.first_seq + 1)]
    parts += [batch.payload[len(_array_header(batch.records_n)) :] for batch in batches]
    return Batch(
        first_seq=first.first_seq,
        last_seq=last.last_seq,
        at_ns=last.at_ns,
        payload=b"".join(parts),
        state_hash=last.state_hash,
    )


def pack_state_hash(taken: StateHash) -> bytes:
    """A hash of the state as a batch carries it: 32 bytes."""
    return _STATE_HASH.pack(taken.seq, taken.form, taken.digest)


def unpack_state_hash(packed: bytes) -> StateHash:
    """Back from `pack_state_hash`. Raises JournalCorrupt for what is none."""
    if len(packed) != _STATE_HASH.size:
        raise JournalCorrupt(f"a hash of the state has {len(packed)} bytes; must be {_STATE_HASH.size}")
    seq, form, digest = _STATE_HASH.unpack(packed)
    return StateHash(seq=seq, form=form, digest=digest)


def checksum(batch: Batch) -> int:
    """CRC-32 of all of a batch: its numbers, its state's hash and its payload."""
    numbers = _NUMBERS.pack(batch.first_seq, batch.last_seq, batch.at_ns, len(batch.state_hash))
    return zlib.crc32(batch.payload, zlib.crc32(batch.state_hash, zlib.crc32(numbers)))


def _array_header(length: int) -> bytes:
    """How msgpack begins an array, in its shortest form, which is the one msgspec writes."""
    if length < 16:
        return bytes([0x90 | length])
    if length < 1 << 16:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")
