"""Callers' addresses in the log: found, and overwritten where they stand.

An address is overwritten with as many asterisks, so no other byte moves: a program that reads the log by its
length notices nothing, nor does our own position. Logs that were rotated beside it, and not packed, are
looked through too. It refuses to know what else a line says.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

_CALLER: Final = 6
"""The place of the caller in `time|call|queue|agent|ENTERQUEUE|url|caller|position`."""


def lines_of(path: Path, handles: Collection[str], contacts: Collection[int]) -> list[str]:
    """The lines that name one of these addresses, or tell of one of these contacts by our own id of it."""
    return [line.decode("utf-8", "replace") for _, _, line, _ in _found(path, handles, contacts)]


def erase(path: Path, handles: Collection[str], contacts: Collection[int]) -> int:
    """Overwrite the address in each such line, durably; how many there were. Raises OSError."""
    erased = 0
    for file_path, start, _, caller in list(_found(path, handles, contacts)):
        if not caller.strip(b"*"):
            continue
        # Not through the log's own descriptor: one that appends writes at the end, wherever it is told to.
        file = os.open(file_path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(file, b"*" * len(caller), start)
            os.fsync(file)
        finally:
            os.close(file)
        erased += 1
    return erased


def _found(
    path: Path, handles: Collection[str], contacts: Collection[int]
) -> Iterator[tuple[Path, int, bytes, bytes]]:
    """(file, where the address begins, the line, the address)."""
    wanted = {_plain(handle) for handle in handles} - {""}
    ids = {str(contact).encode() for contact in contacts}
    for file_path in sorted(path.parent.glob(f"{path.name}*")):
        if not file_path.is_file():
            continue
        start = 0
        for line in file_path.read_bytes().splitlines(keepends=True):
            parts = line.rstrip(b"\n").split(b"|")
            if len(parts) > _CALLER and parts[4] == b"ENTERQUEUE" and parts[_CALLER]:
                caller = parts[_CALLER]
                ours = parts[1].partition(b".")[2] in ids
                if ours or _plain(caller.decode("utf-8", "replace")) in wanted:
                    place = start + sum(len(part) + 1 for part in parts[:_CALLER])
                    yield file_path, place, line.rstrip(b"\n"), caller
            start += len(line)


def _plain(address: str) -> str:
    text = address.strip().casefold()
    digits = "".join(char for char in text if char.isdigit())
    if digits and not any(char.isalpha() or char == "@" for char in text):
        return digits.removeprefix("00")
    return text
