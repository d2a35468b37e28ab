"""A channel or a desk as the asks see it: lanes of what is asked, signals that may be dropped, up and down.

It refuses to know what is asked and what a signal says; its subclasses do (`channels.py`, `desks.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypedDict, Unpack

import structlog

from centralita.messages import AnyCommand
from centralita.protocols import Signal
from centralita.runner.inbox import CommandInbox
from centralita.runner.lanes import Item, Key, Lanes
from centralita.runner.parts import Starts
from centralita.runner.recent import RecentEngine
from centralita.runner.signals import Signals
from centralita.runner.supervise import Supervised


class Surroundings(TypedDict):
    """What every port is given beside its component."""

    tasks: Starts
    engine: RecentEngine
    inbox: CommandInbox
    log: structlog.stdlib.BoundLogger


class Port(ABC, Generic[Key, Item]):
    """One supervised component, asked for as long as it is up; what is asked meanwhile waits in its lane."""

    def __init__(self, supervised: Supervised, **around: Unpack[Surroundings]) -> None:
        self.supervised = supervised
        self._tasks = around["tasks"]
        self._engine = around["engine"]
        self._inbox = around["inbox"]
        self._log = around["log"]
        self.lanes: Lanes[Key, Item] = Lanes(self._tasks, self._perform, paused=True)
        self._signals = Signals(self._tasks, self._signal)
        supervised.on_up = self._up
        supervised.on_down = self._down

    def signal(self, signal: Signal) -> None:
        """Pass on something fleeting, or drop it."""
        if self.supervised.is_up:
            self._signals.put(signal)

    def _up(self) -> None:
        """The component runs (again)."""
        self.lanes.resume()

    @abstractmethod
    def _down(self) -> Sequence[AnyCommand]:
        """The component has gone: pause the lanes; returned are the commands that follow from it."""

    @abstractmethod
    async def _perform(self, key: Key, ask: Item) -> float | None:
        """Carry one ask out; returned are the seconds until it is tried again, None when it is done with."""

    @abstractmethod
    async def _signal(self, signal: Signal) -> None:
        """Have the component pass a signal on."""
