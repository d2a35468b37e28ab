"""Groups of tasks that end apart from each other, in an order, and the one fault that ended them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol, TypeVarTuple, Unpack

import trio
from msgspec import Struct

from centralita.errors import EngineStopped

Arguments = TypeVarTuple("Arguments")


class Starts(Protocol):
    """Where tasks can be started: a nursery, or a part."""

    def start_soon(
        self, async_fn: Callable[[Unpack[Arguments]], Awaitable[object]], *args: *Arguments
    ) -> None:
        """Start a task; never waits."""


class Parts(Struct, frozen=True, kw_only=True):
    """Who ends when: the ways in and those who answer, then what carries asks to them, then who reads along."""

    edge: Part
    ports: Part
    sinks: Part


class Part:
    """Tasks that can be ended, and waited for, apart from their siblings.

    A part may be cancelled from outside (the program gives up, a sibling fails) in the very moment in which
    somebody else starts a task in it. Nobody would see that task through, so it is not begun.
    """

    def __init__(self) -> None:
        self._nursery: trio.Nursery
        self._scope = trio.CancelScope()
        self._over = False
        self._ended = trio.Event()

    def start_soon(
        self, async_fn: Callable[[Unpack[Arguments]], Awaitable[object]], *args: *Arguments
    ) -> None:
        """Start a task in it; nothing when it is over."""
        if not self._over:
            self._nursery.start_soon(async_fn, *args)

    async def start(self, async_fn: Callable[..., Awaitable[object]]) -> None:
        """Start a task and wait until it says that it is ready. When all is cancelled, it is not begun."""
        await trio.lowlevel.checkpoint_if_cancelled()
        await self._nursery.start(async_fn)

    async def run(self, *, task_status: trio.TaskStatus[Part]) -> None:
        """Live until ended; a failure in it ends the siblings too."""
        try:
            with self._scope:
                async with trio.open_nursery() as self._nursery:
                    task_status.started(self)
                    try:
                        await trio.sleep_forever()
                    finally:
                        self._over = True
        finally:
            self._ended.set()

    async def end(self) -> None:
        """Cancel everything in it and wait until it has ended."""
        self._scope.cancel()
        await self._ended.wait()


def sole_fault(group: BaseExceptionGroup[BaseException], own: BaseException | None = None) -> BaseException:
    """The one fault in a group, if it has only one: nurseries inside are nobody's business outside.

    Whoever waits for a failed part fails with it, and whoever submits meanwhile is told that the engine has
    stopped: a fault that another one caused says nothing new. `own` is what the program itself raised
    inside the block; where nothing else went wrong it comes out as it was, a group of its own included.
    """
    faults = {id(fault): fault for fault in _faults(group)}
    if own is not None and {id(fault) for fault in _faults(own)} >= faults.keys():
        return own
    first = [fault for fault in faults.values() if id(fault.__cause__) not in faults]
    if len(first) > 1:
        first = [fault for fault in first if not isinstance(fault, EngineStopped)] or first
    return first[0] if len(first) == 1 else group


def _faults(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _faults(part)
    else:
        yield error
