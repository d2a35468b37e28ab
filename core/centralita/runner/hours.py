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
        self._round = trio.CancelScope()

    def apply(self, engine: EngineConfig, hours: Mapping[str, Calendar]) -> None:
        """Keep the queues of a configuration from now on; each is told anew what it is."""
        self._kept = {name: hours[queue.hours] for name, queue in engine.queues.items() if queue.hours}
        self._round.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say what each queue with hours is now (then it has started), then each change as it comes.

        Runs until cancelled. What a supervisor opens or closes by hand stands until the calendar's
        next change.
        """
        said, said_ns = self._kept, self._clock.now_ns()
        await self._say(said, said_ns)
        task_status.started()
        while True:
            with trio.CancelScope() as self._round:
                if said is not self._kept:
                    said, said_ns = self._kept, self._clock.now_ns()
                    await self._say(said, said_ns)
                await self._keep(said, said_ns)

    async def _say(self, kept: Mapping[str, Calendar], now_ns: int) -> None:
        commands = [_command(name, calendar.is_open(now_ns)) for name, calendar in kept.items()]
        if commands:
            await self._inbox.submit_all(commands)

    async def _keep(self, kept: Mapping[str, Calendar], said_ns: int) -> None:
        """Changes are counted from the moment that was said, not from now: one may lie between."""
        changes = {name: calendar.next_change_ns(said_ns) for name, calendar in kept.items()}
        while True:
            await sleep_until(self._clock, min(changes.values(), default=NEVER_NS))
            now_ns = self._clock.now_ns()
            due = {name: kept[name] for name, at_ns in changes.items() if at_ns <= now_ns}
            await self._say(due, now_ns)
            changes |= {name: calendar.next_change_ns(now_ns) for name, calendar in due.items()}


def _command(queue: str, is_open: bool) -> OpenQueue | CloseQueue:
    return OpenQueue(queue=queue, reason=REASON) if is_open else CloseQueue(queue=queue, reason=REASON)
