"""A log that other programs read and rotate, and the small file beside it that knows how far it is.

The log has no room for a position, so `STATE` says: up to record `seq`, these bytes of this file, and with them what
must be remembered. It is put away now and then, not with each batch; after a crash the log is therefore
ahead of it. The records since then come again and give the same bytes again, which are compared with those
that are there and not written twice. So the log only ever grows, but for an end that a power cut has torn.

Whoever rotates may rename the log (the next line then begins a new one, as with Asterisk) or cut it to nothing
(copytruncate), at any time, also while nobody writes. The log must be ours alone; what stood there before
the first line of ours is left alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from centralita_kpi_queue_log.memory import MEMORY_VERSION, Memory

UNSAVED_BYTES_MAX: Final = 262_144
"""So much of the log may be ahead of the saved state before it is saved anew."""
UNSAVED_RECORDS_MAX: Final = 20_000
"""So many records may be ahead of it."""


class Saved(msgspec.Struct, array_like=True):
    """What the state file holds. `inode` 0: there was none."""

    seq: int = 0
    inode: int = 0
    length: int = 0
    memory: Memory = msgspec.field(default_factory=Memory)


class LogFile:
    """The log, open for appending. All methods block; call them from one worker thread at a time."""

    def __init__(self, path: Path, state: Path) -> None:
        self._path = path
        self._state = state
        self._file = -1
        self._inode = 0
        self._length = 0
        self._already = b""
        """What stands in the log and has not come again yet."""
        self._unsaved_bytes = self._unsaved_records = 0
        self.cut_bytes_n = 0
        """What had to be cut off since the last opening: an end that no record gives."""

    def open(self) -> tuple[int, Memory]:
        """Open the log. The record up to which it is known to be whole, and the memory as of then.

        Raises ValueError for a state that isn't ours, OSError; then it stays closed.
        """
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        saved = self._read_state()
        self._file = self._open_log()
        try:
            self._find_out(saved)
        except BaseException:
            self.close()
            raise
        self._unsaved_bytes = self._unsaved_records = 0
        return saved.seq, saved.memory

    def close(self) -> None:
        """Close it; closing twice is nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._already = b""

    def append(self, lines: bytes, seq: int, records_n: int, memory: Memory) -> None:
        """Append the lines of the records up to `seq`, durably. Raises OSError: then nothing was added."""
        lines = self._new_of(lines)
        if lines:
            self._follow_rotation()
            self._write(lines)
            self._unsaved_bytes += len(lines)
        self._unsaved_records += records_n
        if self._unsaved_bytes >= UNSAVED_BYTES_MAX or self._unsaved_records >= UNSAVED_RECORDS_MAX:
            self.save(seq, memory)

    def save(self, seq: int, memory: Memory) -> None:
        """Put away that the log is whole up to record `seq`, if there is anything new to say."""
        if self._already or not self._unsaved_records:
            # What has not come again yet is not ours to call whole.
            return
        self._put_away(Saved(seq, self._inode, self._length, memory))
        self._unsaved_bytes = self._unsaved_records = 0

    def _put_away(self, saved: Saved) -> None:
        beside = self._state.with_name(self._state.name + ".new")
        with beside.open("wb") as file:
            file.write(msgspec.msgpack.encode(saved))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._state)
        _sync_folder(self._state.parent)

    def _open_log(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _read_state(self) -> Saved:
        try:
            saved = msgspec.msgpack.decode(self._state.read_bytes(), type=Saved)
        except FileNotFoundError:
            return Saved()
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"{self._state.name} is no state of ours: {error}") from error
        if saved.memory.version != MEMORY_VERSION:
            raise ValueError(
                f"{self._state.name} has version {saved.memory.version}; this is version {MEMORY_VERSION}"
            )
        return saved

    def _find_out(self, saved: Saved) -> None:
        """Work out what the log has beyond what is saved."""
        now = os.fstat(self._file)
        self._inode, self._length = now.st_ino, now.st_size
        if not saved.inode:
            # What stands there is not ours; that has to be known before the first line that is.
            self._put_away(Saved(saved.seq, self._inode, self._length, saved.memory))
            return
        begins = saved.length if saved.inode == now.st_ino else 0
        self._already = os.pread(self._file, max(0, now.st_size - begins), begins)
        if saved.inode != now.st_ino:
            # Renamed since: what it has comes first, and the new one can only have what followed.
            self._already = self._renamed_tail(saved) + self._already

    def _renamed_tail(self, saved: Saved) -> bytes:
        for path in self._path.parent.iterdir():
            if path.is_file() and path.stat().st_ino == saved.inode:
                with path.open("rb") as file:
                    file.seek(saved.length)
                    return file.read()
        return b""

    def _new_of(self, lines: bytes) -> bytes:
        """The part of the lines that the log has not got yet."""
        if not self._already:
            return lines
        length = min(len(lines), len(self._already))
        same = length if lines[:length] == self._already[:length] else _common(lines, self._already)
        if same == length:
            self._already = self._already[length:]
            return lines[length:]
        # Zeros after a power cut, or settings that were changed since.
        torn = min(len(self._already) - same, self._length)
        self._already = b""
        self._length -= torn
        os.ftruncate(self._file, self._length)
        self.cut_bytes_n += torn
        return lines[same:]

    def _follow_rotation(self) -> None:
        """Go on in a new file when the log was renamed or removed, and at the end when it was cut."""
        try:
            there = os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            there = False
        if not there:
            file = self._open_log()
            os.close(self._file)
            self._file = file
        now = os.fstat(self._file)
        rotated = not there or now.st_size < self._length
        self._inode, self._length = now.st_ino, now.st_size
        if rotated:
            # With the first line in a new file the state is to speak of that file: no two rotations go unsaid.
            self._unsaved_bytes = UNSAVED_BYTES_MAX

    def _write(self, lines: bytes) -> None:
        try:
            written = 0
            while written < len(lines):
                written += os.write(self._file, memoryview(lines)[written:])
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._length)
            raise
        self._length += len(lines)


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two different strings have in common from the start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
