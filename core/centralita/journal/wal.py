"""What SQLite's write-ahead log held before SQLite opened it, so that nothing is dropped unseen.

SQLite takes the log's frames up to the last commit whose checksums are right and ignores the rest
without a word. After a crash that is an unfinished commit, which nobody was told of: right. After damage
to the disk it may be acknowledged records: wrong. The frames that were written are counted here, the
frames that SQLite took are asked of SQLite, and the caller compares.

The form of the log: SQLite documentation, "WAL-mode File Format".
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from centralita.structs import Frozen

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = (0x377F0682, 0x377F0683)
_WORD: Final = 0xFFFF_FFFF


class WalScan(Frozen):
    """Frames of the log's present round. `commits` are the numbers, from 1, of those that end a commit.

    `header_good` is False when there are frames and the header before them is damaged: SQLite then
    ignores the whole log.
    """

    frames: int = 0
    commits: tuple[int, ...] = ()
    header_good: bool = True

    def lost_after(self, taken: int) -> tuple[int, int]:
        """(frames, ends of commits) that stand in the log after the `taken` frames SQLite took."""
        return self.frames - taken, sum(1 for commit in self.commits if commit > taken)


def scan(log: Path) -> WalScan:
    """Count the frames in a log file; nothing when there is no file."""
    try:
        size = log.stat().st_size
        file = log.open("rb")
    except FileNotFoundError:
        return WalScan()
    with file:
        header = file.read(_HEADER.size)
        if size < _HEADER.size + _FRAME.size:
            return WalScan()
        magic, _, page_size, _, salt1, salt2, sum1, sum2 = _HEADER.unpack(header)
        if magic not in _MAGIC or _header_sums(header, magic) != (sum1, sum2):
            return WalScan(header_good=False)
        frames, commits = 0, []
        while True:
            file.seek(_HEADER.size + frames * (_FRAME.size + page_size))
            frame = file.read(_FRAME.size)
            if len(frame) < _FRAME.size:
                break
            _, pages_after, frame_salt1, frame_salt2, _, _ = _FRAME.unpack(frame)
            if (frame_salt1, frame_salt2) != (salt1, salt2):
                break
            frames += 1
            if pages_after:
                commits.append(frames)
        return WalScan(frames=frames, commits=tuple(commits))


def _header_sums(header: bytes, magic: int) -> tuple[int, int]:
    """The log's own checksum of its header's first 24 bytes; the magic's last bit is the byte order."""
    words = struct.unpack(">6I" if magic & 1 else "<6I", header[:24])
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second
