"""Snapshots as files beside the journal, each whole or not there.

It refuses to know what is in one. They are not in the database because a large state would hold up the
commits behind it; a file is written beside them. A file is written under another name, forced to the
disk, then renamed: a crash leaves the old ones.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from centralita.errors import JournalCorrupt, JournalError
from centralita.journal.codec import SCHEMA
from centralita.journal.protocol import Snapshot

SNAPSHOTS_KEPT: Final = 3
"""How many files stay: should the newest be damaged, an older one and the records after it will do."""

_HEADER: Final = struct.Struct(">8sIQQI")
_MAGIC: Final = b"CENTRASN"

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class SnapshotFiles:
    """The snapshots of the journal at `journal`."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._form = re.compile(re.escape(journal.name) + r"\.snapshot-(\d{20})")

    def path(self, seq: int) -> Path:
        """Where the snapshot after record `seq` is or would be."""
        return self._journal.with_name(f"{self._journal.name}.snapshot-{seq:020d}")

    def seqs(self) -> list[int]:
        """After which records there is a file, newest first; whether it is good is another question."""
        matches = (self._form.fullmatch(path.name) for path in self._journal.parent.iterdir())
        return sorted((int(match[1]) for match in matches if match), reverse=True)

    def save(self, seq: int, state: bytes) -> None:
        """Write one durably, then remove the oldest beyond SNAPSHOTS_KEPT. Raises JournalError."""
        path = self.path(seq)
        partial = path.with_name(path.name + ".partial")
        try:
            with open(partial, "wb", opener=_private) as file:
                file.write(_HEADER.pack(_MAGIC, SCHEMA, seq, len(state), _checksum(seq, state)))
                file.write(state)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            sync_folder(path.parent)
            for old in self.seqs()[SNAPSHOTS_KEPT:]:
                self.path(old).unlink(missing_ok=True)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise JournalError(f"{path}: the snapshot can't be written: {error.strerror}") from error

    def load(self, seq: int) -> Snapshot:
        """Read one. Raises JournalCorrupt when it is not what was written, JournalError otherwise."""
        path = self.path(seq)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise JournalError(f"{path}: can't be read: {error.strerror}") from error
        if len(content) < _HEADER.size:
            raise JournalCorrupt(f"{path}: cut off after {len(content)} bytes")
        magic, schema, own_seq, length, checksum = _HEADER.unpack_from(content)
        state = content[_HEADER.size :]
        if magic != _MAGIC:
            raise JournalCorrupt(f"{path}: not a snapshot")
        if schema > SCHEMA:
            raise JournalError(f"{path}: written in schema {schema}; this version reads up to {SCHEMA}")
        if own_seq != seq or len(state) != length or _checksum(own_seq, state) != checksum:
            raise JournalCorrupt(f"{path}: the snapshot's checksum is wrong")
        return Snapshot(seq=seq, state=state)

    def good(self) -> Iterator[Snapshot]:
        """The good ones, newest first; each damaged one is reported in the log."""
        for seq in self.seqs():
            try:
                snapshot = self.load(seq)
            except JournalCorrupt as error:
                log.error("journal_snapshot_damaged", seq=seq, error=str(error))
                continue
            yield snapshot

    def remove_unfinished(self) -> None:
        """Remove what a crash in the middle of `save` left."""
        for path in list(self._journal.parent.iterdir()):
            if path.suffix == ".partial" and self._form.fullmatch(path.stem):
                path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Force a folder's names to the disk: a renamed file is there after a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    """Customers' words are in a state: readable by its owner alone."""
    return os.open(path, flags, 0o600)


def _checksum(seq: int, state: bytes) -> int:
    return zlib.crc32(state, zlib.crc32(seq.to_bytes(8, "big")))
