"""How late the process runs: what a crowd notices first, and what no counter of connections shows.

A task that wants to wake every so often and notes how much later it does. Where that is seconds, whatever is let in makes
it worse for those who are inside, and each page that connects costs more than a page that waits.
"""

from __future__ import annotations

from typing import Final

import trio

LOOK_S: Final = 0.25
BUSY_S: Final = 2.0
"""Later than this, a customer's WebSocket is answered 503."""
KEPT: Final = 0.7
"""Of the last value when the new one is smaller: half of it is forgotten in half a second."""


class Lag:
    """`s` is how late tasks run at present, in seconds."""

    def __init__(self) -> None:
        self.s = 0.0

    @property
    def busy(self) -> bool:
        """Whether nobody more is to be let in."""
        return self.s > BUSY_S

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            due_s = trio.current_time() + LOOK_S
            await trio.sleep_until(due_s)
            late_s = trio.current_time() - due_s
            self.s = max(late_s, KEPT * self.s + (1 - KEPT) * late_s)
