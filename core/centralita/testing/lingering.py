"""Whether a call lets go when it is cancelled, for every kind that is called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from centralita.testing.checks import CheckFailed, fail
from centralita.testing.house import House


async def lets_go_when_cancelled(
    house: House, method: str, call: Callable[[House, str], Awaitable[Any]]
) -> None:
    """Cancel a call after 0, 1, 2 and 5 turns of the loop; each time it must end in time.

    What it raises or returns is not looked at: it may have been quicker than the cancellation.
    """
    limit_s = house.bench.limits.stop_s
    for turns in (0, 1, 2, 5):
        ended = trio.Event()
        scope = trio.CancelScope()

        async def run(scope: trio.CancelScope = scope, ended: trio.Event = ended) -> None:
            try:
                with scope:
                    await call(house, method)
            except CheckFailed:
                raise
            except Exception:  # noqa: BLE001 - a fault is no lingering
                pass
            ended.set()

        late = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            for _ in range(turns + 1):
                await trio.lowlevel.checkpoint()
            scope.cancel()
            with trio.move_on_after(limit_s) as limit:
                await ended.wait()
            late = limit.cancelled_caught
        if late:
            fail(f"{method} went on for more than {limit_s:g} s after it was cancelled")
