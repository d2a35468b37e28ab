"""Opening hours kept: what a queue's calendar says becomes the commands that tell the engine.

The engine knows no calendar (`centralita/calendars.py`). Here its openings become OpenQueue and CloseQueue commands: once at
start, then at each change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import trio

from centralita.calendars import Calendar
from centralita.config import EngineConfig
from centralita.matching.protocol import NEVER_NS
from centralita.messages import CloseQueue, OpenQueue
from centralita.protocols import Clock
from centralita.runner.clock import sleep_until
from centralita.runner.inbox import CommandInbox

REASON: Final = "hours"


class HoursKeeper:
    """Opens and closes the queues of the configuration in force by their calendars."""

    def __init__(self, clock: Clock, inbox: CommandInbox) -> None:
        self._clock = clock
        self._inbox = inbox
        self._kept: dict[str, Calendar] = {}
        self._next_ns: dict[str, int] = {}
        """The next change of each queue that has been told what it is."""
        self._round = trio.CancelScope()

    def apply(self, engine: EngineConfig, hours: Mapping[str, Calendar]) -> None:
        """Keep the queues of a configuration from now on; those whose hours are new to them are told what they are."""
        kept = {name: hours[queue.hours] for name, queue in engine.queues.items() if queue.hours}
        for name, calendar in self._kept.items():
            if kept.get(name) != calendar:
                self._next_ns.pop(name, None)
        self._kept = kept
        self._round.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say what each queue with hours is now (then it has started), then each change as it comes.

        Runs until cancelled. What a supervisor opens or closes by hand stands until the calendar's
        next change, or the next start.
        """
        await self._say_due()
        task_status.started()
        while True:
            with trio.CancelScope() as self._round:
                due_ns = min((self._next_ns.get(name, 0) for name in self._kept), default=NEVER_NS)
                await sleep_until(self._clock, due_ns)
            await self._say_due()

    async def _say_due(self) -> None:
        """Say what the queues are whose change has come, or who have not been told yet."""
        now_ns = self._clock.now_ns()
        due = {name: one for name, one in self._kept.items() if self._next_ns.get(name, 0) <= now_ns}
        # Counted from the moment that is said, not from when it has been: a change may lie between.
        self._next_ns |= {name: calendar.next_change_ns(now_ns) for name, calendar in due.items()}
        if due:
            await self._inbox.submit_all(
                [_command(name, calendar.is_open(now_ns)) for name, calendar in due.items()]
            )


def _command(queue: str, is_open: bool) -> OpenQueue | CloseQueue:
    return OpenQueue(queue=queue, reason=REASON) if is_open else CloseQueue(queue=queue, reason=REASON)
