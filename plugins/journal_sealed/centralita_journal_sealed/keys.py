"""A key for each contact, in one flat file: number N stands N places after the beginning.

Keys are made at random in blocks, before any contact of the block comes, so a contact costs no write and no
waiting for the disk of its own. Erasing one overwrites its place with zeros and forces that to the disk. What
a place held stays erased: a number is never given out twice. Offers and other things have numbers of
the same row, so some places are never used; sixteen bytes each is less than an index would cost.

It refuses to know what a key locks and who may erase it. Whoever copies the file copies the keys: keep
it out of the journal's backups, or erasing does not reach those.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from centralita.errors import JournalCorrupt, JournalError

KEY_BYTES: Final = 16
BLOCK: Final = 16_384
"""Keys made at once: a quarter of a megabyte."""
SPARE: Final = BLOCK // 2
"""With fewer keys left than this, `reserve` makes another block before anybody has to wait for it."""
CONTACT_MAX: Final = 1 << 40

_MAGIC: Final = b"CENTRALITAKEYS\x00\x01"
_GONE: Final = bytes(KEY_BYTES)


class KeyFile:
    """The keys in one file. Safe to use from several threads; one process writes."""

    def __init__(self, path: Path, *, write: bool = True) -> None:
        """Open the file; made when it is to be written and isn't there. Raises JournalError, JournalCorrupt."""
        self.path = path
        self._lock = threading.Lock()
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        try:
            self._file = os.open(path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{path}: the keys can't be opened: {error.strerror}") from error
        try:
            self._size = self._measured(write)
        except BaseException:
            os.close(self._file)
            raise

    def _measured(self, write: bool) -> int:
        length = os.fstat(self._file).st_size
        if length == 0 and write:
            self._write(_MAGIC, 0)
            self._sync_folder()
            return 0
        if os.pread(self._file, len(_MAGIC), 0) != _MAGIC:
            raise JournalCorrupt(f"{self.path}: is not a file of keys")
        # A block that was not written to its end was never used.
        return (length - len(_MAGIC)) // KEY_BYTES

    @property
    def size(self) -> int:
        """How many places there are: numbers below this have a key or had one."""
        return self._size

    def key(self, contact: int) -> bytes | None:
        """A contact's key; None when it is erased or was never made."""
        if not 0 <= contact < self._size:
            return None
        try:
            found = os.pread(self._file, KEY_BYTES, _place(contact))
        except OSError as error:
            raise JournalError(f"{self.path}: can't be read: {error.strerror}") from error
        return None if found == _GONE or len(found) < KEY_BYTES else found

    def ensure(self, contact: int) -> None:
        """Have a place for this number, durably. Raises JournalError."""
        if contact >= CONTACT_MAX:
            raise JournalError(f"{self.path}: contact {contact} is beyond {CONTACT_MAX}")
        with self._lock:
            if contact >= self._size:
                self._grow(contact + 1)

    def reserve(self, contact: int) -> None:
        """Make the next block while there is time, once `contact` comes near the end of this one."""
        with self._lock:
            if contact + SPARE >= self._size:
                self._grow(contact + SPARE + 1)

    def close_off(self, contacts: int) -> None:
        """Give every number below `contacts` that has no place one without a key: what was theirs is lost."""
        with self._lock:
            if contacts > self._size:
                # Down first: what is left of a key that was cut off would pass for one.
                os.ftruncate(self._file, _place(self._size))
                os.ftruncate(self._file, _place(contacts))
                self._sync()
                self._size = contacts

    def erase(self, contacts: Iterable[int]) -> int:
        """Erase keys for good, durably; how many there were. Raises JournalError."""
        erased = 0
        with self._lock:
            for contact in contacts:
                if self.key(contact) is not None:
                    self._write(_GONE, _place(contact), sync=False)
                    erased += 1
            self._sync()
        return erased

    def close(self) -> None:
        """Let go of the file. A second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _grow(self, least: int) -> None:
        added = -(-(least - self._size) // BLOCK) * BLOCK
        # A key that is all zeros would count as erased: once in 2**128.
        self._write(os.urandom(added * KEY_BYTES), _place(self._size))
        self._size += added

    def _write(self, content: bytes, at: int, *, sync: bool = True) -> None:
        try:
            written = 0
            while written < len(content):
                written += os.pwrite(self._file, content[written:], at + written)
        except OSError as error:
            raise JournalError(f"{self.path}: the keys can't be written: {error.strerror}") from error
        if sync:
            self._sync()

    def _sync(self) -> None:
        try:
            os.fsync(self._file)
        except OSError as error:
            raise JournalError(f"{self.path}: can't be forced to the disk: {error.strerror}") from error

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _place(contact: int) -> int:
    return len(_MAGIC) + contact * KEY_BYTES
