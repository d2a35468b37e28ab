"""Fleeting signs (typing, seen) to one component: the newest of each kind, now or never.

Nothing here is journalled or tried again. A sign that is not sent yet is replaced by a newer one of the
same person in the same contact, so at most one of each waits, and no more than SIGNALS_MAX in all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from centralita.protocols import Signal
from centralita.runner.parts import Starts
from centralita.runner.supervise import CallFailed

SIGNALS_MAX: Final = 256


class Signals:
    """The signs on their way to one component."""

    def __init__(self, tasks: Starts, send: Callable[[Signal], Awaitable[None]]) -> None:
        self._tasks = tasks
        self._send = send
        self._waiting: dict[tuple[int, str, str], Signal] = {}
        self._sending = False

    def put(self, signal: Signal) -> None:
        """Have a sign sent soon; dropped when too many wait."""
        key = (signal.contact, signal.by, signal.kind)
        if key in self._waiting or len(self._waiting) < SIGNALS_MAX:
            self._waiting[key] = signal
        if not self._sending:
            self._sending = True
            self._tasks.start_soon(self._run)

    async def _run(self) -> None:
        try:
            while self._waiting:
                try:
                    await self._send(self._waiting.pop(next(iter(self._waiting))))
                except CallFailed:
                    pass  # now or never; three that hang in a row are the supervisor's business
        finally:
            self._sending = False
