"""A recording's file as text: gzipped or not, in its encoding; what can't be read is said with its line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from centralita.errors import reason
from centralita.simulate.recorded import RecordingError

_GZIP: Final = b"\x1f\x8b"


@contextmanager
def opened(
    path: Path, encoding: str, *, errors: str = "strict", newline: str | None = ""
) -> Iterator[TextIO]:
    """Open for reading; `errors` and `newline` as in `open`. Raises RecordingError, also while it is being read."""
    try:
        with path.open("rb") as raw, _plain(raw) as plain:
            yield TextIOWrapper(plain, encoding, errors, newline)
    except UnicodeDecodeError as error:
        line = _line_of_fault(path, encoding)
        raise RecordingError(
            f"{path}:{line}: is no {encoding.removesuffix('-sig')}: {error.reason}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path}: can't be read: {reason(error)}") from error


def _plain(raw: BinaryIO) -> BinaryIO:
    begins = raw.read(len(_GZIP))
    raw.seek(0)
    return gzip.open(raw) if begins == _GZIP else raw  # type: ignore[return-value]  # a GzipFile reads bytes, and is no BinaryIO


def _line_of_fault(path: Path, encoding: str) -> int:
    """The first line that alone can't be decoded: text is decoded in blocks, ahead of the line that is read."""
    with path.open("rb") as raw, _plain(raw) as plain:
        for number, line in enumerate(plain, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                return number
    return 1  # none alone, as in an encoding whose lines don't end in a byte
