"""A file of JSON lines that knows its own position, and the older files it was rotated into.

There is no second place where the position is kept, so the two can't disagree: the position is the `seq` of
the last line. Opening repairs what a crash can leave, and nothing else: a last line without its end, and the
lines of a record that is not there whole, are cut off; both are written again from the journal. Anything
else that can't be read is refused, since then the file isn't ours or something else writes to it.

Rotation renames `NAME.jsonl` to `NAME-SEQ.jsonl`, SEQ being its last record's; a crash between that and the
next line leaves no `NAME.jsonl`, and then the newest rotated file has the position.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

REPAIR_BYTES_MAX: Final = 64 * 1024 * 1024
"""How much of a file's end opening reads and may cut: more than one batch of records can be."""

_CHUNK_BYTES: Final = 64 * 1024
_SEQ_DIGITS: Final = 18
_BEGINNING: Final = b'{"seq":'


class LineFile:
    """The current file, open for appending. All methods block; call them from one worker thread at a time."""

    def __init__(self, folder: Path, name: str, *, rotate_bytes: int, keep: int) -> None:
        self._folder = folder
        self._name = name
        self._path = folder / f"{name}.jsonl"
        self._rotated = re.compile(rf"{re.escape(name)}-(\d{{{_SEQ_DIGITS}}})\.jsonl")
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._file = -1
        self._bytes_n = 0
        self.seq = 0
        """The last record written whole."""
        self.cut_bytes_n = 0
        """What the last opening had to cut off."""

    def open(self) -> None:
        """Open and repair. Raises ValueError for a file that isn't ours, OSError, and stays closed."""
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            length = os.fstat(self._file).st_size
            good, seq = self._whole(length)
            self.cut_bytes_n = length - good
            if self.cut_bytes_n:
                os.ftruncate(self._file, good)
                os.fsync(self._file)
            self._bytes_n = good
            self.seq = seq or self._rotated_seq()
            _sync_folder(self._folder)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it; closing twice is nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def append(self, lines: bytes, seq: int) -> None:
        """Append a batch's whole lines, durably; `seq` is the last record's that has any.

        Raises OSError, and then the file ends where it ended before.
        """
        try:
            written = 0
            while written < len(lines):
                written += os.write(self._file, memoryview(lines)[written:])
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._bytes_n)
            raise
        self._bytes_n += len(lines)
        self.seq = seq
        if self._bytes_n >= self._rotate_bytes:
            self._rotate()

    def rotated(self) -> list[Path]:
        """The older files, oldest first."""
        return sorted(path for path in self._folder.iterdir() if self._rotated.fullmatch(path.name))

    def lines(self) -> Iterator[bytes]:
        """Every whole line there is, oldest first."""
        for path in [*self.rotated(), self._path]:
            with path.open("rb") as file:
                yield from file

    def rewrite(self, change: Callable[[bytes], bytes | None]) -> int:
        """Put what `change` returns in the place of each line; None leaves it. Returns how many were changed.

        Each file is there whole at every moment, as it was or as it will be. Raises OSError.
        """
        changed_n = 0
        for path in [*self.rotated(), self._path]:
            with path.open("rb") as file:
                lines = [(line, change(line)) for line in file]
            changed = sum(new is not None for _, new in lines)
            if not changed:
                continue
            changed_n += changed
            partial = path.with_suffix(".partial")
            with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o640)) as file:
                file.writelines(line if new is None else new for line, new in lines)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(self._folder)
        if changed_n:
            self.open()
        return changed_n

    def _rotate(self) -> None:
        self.close()
        self._path.rename(self._folder / f"{self._name}-{self.seq:0{_SEQ_DIGITS}d}.jsonl")
        for path in self.rotated()[: -self._keep]:
            path.unlink()
        seq = self.seq
        self.open()
        assert self.seq == seq

    def _rotated_seq(self) -> int:
        rotated = self.rotated()
        if not rotated:
            return 0
        match = self._rotated.fullmatch(rotated[-1].name)
        assert match is not None
        return int(match[1])

    def _whole(self, length: int) -> tuple[int, int]:
        """Where the whole records end, and the last one's seq; 0 when there is none.

        Reads backwards, as far as it must.
        """
        tail, start = b"", length
        while True:
            step = min(start, max(_CHUNK_BYTES, len(tail)))
            start -= step
            tail = os.pread(self._file, step, start) + tail
            found = _last_whole(tail, at_start=start == 0)
            if found is not None:
                end, seq = found
                return start + end, seq
            if start == 0:
                return 0, 0
            if len(tail) > REPAIR_BYTES_MAX:
                raise ValueError(f"{self._path.name} has no whole line in its last {REPAIR_BYTES_MAX} bytes")


def _last_whole(tail: bytes, *, at_start: bool) -> tuple[int, int] | None:
    """The end and seq of the last whole record in a file's end; None when more must be read."""
    end = tail.rfind(b"\n") + 1
    while end:
        start = tail.rfind(b"\n", 0, end - 1) + 1
        if start == 0 and not at_start:
            return None
        seq, line, lines = _numbers(tail[start:end])
        # A record's lines are written together and in order, so its last line tells that all are there.
        if line == lines:
            return end, seq
        end = start
    if not at_start:
        return None
    if not (tail[: len(_BEGINNING)] == _BEGINNING[: len(tail)] or tail.startswith(b"\0")):
        raise ValueError("the file does not begin with a line of ours")
    return 0, 0


def _numbers(line: bytes) -> tuple[int, int, int]:
    if b"\0" in line:
        # After a power cut the file's length can be durable before its content; no line of ours has a zero.
        return 0, 0, 1
    try:
        fields: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        return int(fields["seq"]), int(fields["line"]), int(fields["lines"])
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a line at the end is not one of ours: {error}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
