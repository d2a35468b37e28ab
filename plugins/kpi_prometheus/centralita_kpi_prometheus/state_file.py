"""One file that is always whole: replaced, never changed, with a checksum over what it holds.

It refuses to know what it holds. A reader finds either the old content or the new, after a crash or a
power cut too: the new content is written beside it, flushed to the disk, and renamed over it.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final

_MAGIC: Final = b"centralita state 1\n"
_CHECKSUM_BYTES: Final = 4


def read_state(path: Path) -> bytes | None:
    """What was last written; None when nothing was. Raises ValueError for a file that isn't whole."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if not content.startswith(_MAGIC):
        raise ValueError(f"{path.name} does not begin as a state file does")
    start = len(_MAGIC) + _CHECKSUM_BYTES
    checksum, state = content[len(_MAGIC) : start], content[start:]
    if checksum != _checksum(state):
        raise ValueError(f"{path.name} does not match its checksum")
    return state


def write_state(path: Path, state: bytes) -> None:
    """Replace the file. Raises OSError, and then the old content stays."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(_MAGIC + _checksum(state) + state)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    # The rename itself is durable once the directory is.
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _checksum(state: bytes) -> bytes:
    return zlib.crc32(state).to_bytes(_CHECKSUM_BYTES, "big")
