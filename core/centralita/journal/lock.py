"""One process a journal: a lock that dies with its holder, and the last number it acknowledged.

It refuses to know what is locked. The kernel lets go of a `flock` when its process ends, however it
ends, so nothing has to be cleaned up after a `kill -9`; the file itself stays, because removing it would
let two processes lock two different files of one name.

The mark is written after every commit, without waiting for the disk: one small write a group. After a
crash of the process it is exact; after a loss of power it may lag, never lead. So a journal that ends
before its mark has lost records that somebody was told are safe: the one loss that checksums can't see.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import Final

from centralita.errors import JournalError, JournalLocked

_FORM: Final = re.compile(rb"process +(\d+)\nacknowledged +(\d+)\n")
_MARK_AT: Final = len(b"process %20d\n" % 0)


class JournalLock:
    """Held from construction to `close`. `path` is the lock file's; it is made when missing."""

    def __init__(self, path: Path, *, journal: Path) -> None:
        """Raises JournalLocked when another has it, JournalError when the file can't be written."""
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                f"{journal}: can't be opened for writing: {path.name}: {error.strerror}; "
                "a journal needs a folder and a disk it can write to"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._read()[0]
            os.close(self._file)
            raise JournalLocked(
                f"{journal} is in use by process {holder or 'unknown'}; one engine writes a journal, "
                "stop that one first or give this one a journal of its own"
            ) from error
        try:
            _, self.acknowledged = self._read()
            self._write(b"process %20d\nacknowledged %20d\n" % (os.getpid(), self.acknowledged), 0)
        except JournalError:
            os.close(self._file)
            raise
        self._open = True

    def acknowledge(self, seq: int) -> None:
        """Note that `seq` is durable and may be told to others."""
        self._write(b"acknowledged %20d\n" % seq, _MARK_AT)
        self.acknowledged = seq

    def close(self) -> None:
        """Let go. A second call does nothing."""
        if self._open:
            self._open = False
            os.close(self._file)

    def _write(self, text: bytes, at: int) -> None:
        try:
            os.pwrite(self._file, text, at)
        except OSError as error:
            raise JournalError(f"{self.path}: can't be written: {error.strerror}") from error

    def _read(self) -> tuple[int, int]:
        """(process, acknowledged); zeros when nothing legible is there: a new file, or none of ours."""
        found = _FORM.fullmatch(os.pread(self._file, 256, 0))
        return (int(found[1]), int(found[2])) if found else (0, 0)
