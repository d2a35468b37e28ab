"""Groups of tasks that end apart from each other, in an order, and the one fault that ended them all."""

from __future__ import annotations

from collections.abc import Iterator

import trio
from msgspec import Struct


class Parts(Struct, frozen=True, kw_only=True):
    """Who ends when: the ways in and those who answer, then what carries asks to them, then who reads along."""

    edge: Part
    ports: Part
    sinks: Part


class Part:
    """Tasks that can be ended, and waited for, apart from their siblings."""

    def __init__(self) -> None:
        self.nursery: trio.Nursery
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[Part]) -> None:
        """Live until ended; a failure in it ends the siblings too."""
        try:
            with self._scope:
                async with trio.open_nursery() as self.nursery:
                    task_status.started(self)
                    await trio.sleep_forever()
        finally:
            self._ended.set()

    async def end(self) -> None:
        """Cancel everything in it and wait until it has ended."""
        self._scope.cancel()
        await self._ended.wait()


def sole_fault(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one fault in a group, if it has only one: nurseries inside are nobody's business outside.

    Whoever waits for a failed part fails with it; a fault that another one caused says nothing new.
    """
    faults = {id(fault): fault for fault in _faults(group)}
    first = [fault for fault in faults.values() if id(fault.__cause__) not in faults]
    return first[0] if len(first) == 1 else group


def _faults(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _faults(part)
    else:
        yield error
