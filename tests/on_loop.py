"""Which functions the thread of a test calls itself: what computes for long must not be among them, one thread carries all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def called_here(*functions: Callable[..., Any]) -> Iterator[list[str]]:
    """The names of those of `functions` that this thread calls inside the block, once for each call."""
    names = {function.__code__: function.__qualname__ for function in functions}
    called: list[str] = []

    def note(frame: FrameType, what: str, _: object) -> None:
        if what == "call" and frame.f_code in names:
            called.append(names[frame.f_code])

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)
