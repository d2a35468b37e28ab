"""Work in order for each key and side by side over keys, by a bounded number of tasks.

It knows neither what the work is nor what a key stands for: a contact of a channel, an agent of a
desk. A lane is the queue of one key: its items are done one after the other, and lanes take turns. A
worker lives only while there is work, so an idle engine has no task per component and a busy one starts
none per item. An item that must be tried again stays at the head of its lane, and its lane alone waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import trio

from centralita.errors import EngineStopped
from centralita.runner.parts import Starts

Key = TypeVar("Key")
Item = TypeVar("Item")

WORKERS_MAX: Final = 64
"""Tasks at work for one component; more lanes than that take turns."""


class Lanes(Generic[Key, Item]):
    """The lanes of one component. `work(key, item)` returns None, or seconds until it is to be tried again."""

    def __init__(
        self,
        tasks: Starts,
        work: Callable[[Key, Item], Awaitable[float | None]],
        *,
        workers_max: int = WORKERS_MAX,
        paused: bool = False,
    ) -> None:
        self._tasks = tasks
        self._work = work
        self._workers_max = workers_max
        self._lanes: dict[Key, deque[Item]] = {}
        self._ready: deque[Key] = deque()
        self._workers = 0
        self._paused = paused
        self._idle = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        """Items not done yet."""
        return sum(map(len, self._lanes.values()))

    def put(self, key: Key, item: Item) -> None:
        """Append to the key's lane; never waits."""
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = deque((item,))
            self._ready.append(key)
            self._staff(1)
        else:
            lane.append(item)

    def last(self, key: Key) -> Item | None:
        """The item at the end of a lane if it has not begun, so that it can be replaced."""
        lane = self._lanes.get(key)
        return lane[-1] if lane is not None and len(lane) > 1 else None

    def replace_last(self, key: Key, item: Item) -> None:
        """Put another item in the place of `last(key)`."""
        self._lanes[key][-1] = item

    def waiting(self) -> list[Item]:
        """All items not done yet, lane by lane."""
        return [item for lane in self._lanes.values() for item in lane]

    def pause(self) -> None:
        """Begin nothing more; what has begun goes on."""
        self._paused = True
        if not self._workers:
            # Whoever waits for idleness waits for nothing more: no worker will end and say so.
            self._idle.unpark_all()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False
        self._staff(len(self._ready))

    async def wait_idle(self) -> None:
        """Return when nothing is left to do (or, while paused, nothing is being done)."""
        await trio.lowlevel.checkpoint()
        while self._workers or (self._lanes and not self._paused):
            await self._idle.park()

    def _staff(self, lanes: int) -> None:
        """Start a worker for each lane that has become ready, as far as allowed."""
        if not self._paused:
            for _ in range(min(lanes, self._workers_max - self._workers)):
                self._workers += 1
                self._tasks.start_soon(self._worker)

    async def _worker(self) -> None:
        try:
            while self._ready and not self._paused:
                key = self._ready.popleft()
                lane = self._lanes[key]
                # The item stays in its lane while it is done: who comes meanwhile stands behind it.
                again_s = await self._work(key, lane[0])
                if again_s is not None:
                    self._tasks.start_soon(self._later, key, again_s)
                    continue
                lane.popleft()
                if lane:
                    self._ready.append(key)
                else:
                    del self._lanes[key]
        except EngineStopped:
            # The answer can't be handed in any more; the next start asks again.
            self._paused = True
        finally:
            self._workers -= 1
            if not self._workers:
                self._idle.unpark_all()

    async def _later(self, key: Key, after_s: float) -> None:
        await trio.sleep(after_s)
        self._ready.append(key)
        self._staff(1)
