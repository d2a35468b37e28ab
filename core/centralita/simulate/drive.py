"""The clock of a simulation: what happens next, in virtual time, without trio.

A `Drive` holds an engine and a calendar. The calendar's entries are callables at a time, in the order
(time, when entered); between two of them every deadline of the engine gets its Tick at its own time,
before whatever was entered for that same time. What the engine asks of the edge is handed to whoever
plays the edge, by the type of the ask; what it says became true goes to whoever watches.

Nothing here is random and nothing waits: two drives that are entered the same do the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, Final, TypeVar

from centralita.engine import Engine, Step
from centralita.matching import NEVER_NS, Core
from centralita.messages import AnyCommand, Ask, Event, Tick

LATEST_NS: Final = 2_240_524_800 * 1_000_000_000
"""2041-01-01: what is simulated begins in 1970 or later and is over by then. The matching queue counts 2^61 ns from 1970, some
two years more, and deadlines lie ahead."""
_AskT = TypeVar("_AskT", bound=Ask)
_EventT = TypeVar("_EventT", bound=Event)
Action = Callable[[], object]


class Drive:
    """An engine in virtual time."""

    def __init__(self, *, core: Core = "native", start_ns: int = 0) -> None:
        self.engine = Engine(core=core)
        self.now_ns = start_ns
        self.commands_n = 0
        self._calendar: list[tuple[int, int, Action]] = []
        self._entered = count()
        self._edges: dict[type[Ask], Callable[[Any], object]] = {}
        self._watchers: dict[type[Event], list[Callable[[Any], object]]] = {}
        self._everything: list[Callable[[Step, AnyCommand], object]] = []

    def at(self, at_ns: int, action: Action) -> None:
        """Enter something to be done at a time; at the present time or in the past means next."""
        if at_ns < self.now_ns:  # noqa: PLR1730  # max() is a call more, for every customer and agent
            at_ns = self.now_ns
        heapq.heappush(self._calendar, (at_ns, next(self._entered), action))

    def plays(self, kind: type[_AskT], edge: Callable[[_AskT], object]) -> None:
        """Let `edge` do what the engine asks of this kind; at most one each."""
        self._edges[kind] = edge

    def watches(self, kind: type[_EventT], watcher: Callable[[_EventT], object]) -> None:
        """Tell `watcher` of every event of this kind, once it is true."""
        self._watchers.setdefault(kind, []).append(watcher)

    def follows(self, watcher: Callable[[Step, AnyCommand], object]) -> None:
        """Tell `watcher` of every step that changed something, with its command."""
        self._everything.append(watcher)

    def do(self, command: AnyCommand) -> Step:
        """Give the engine a command now, and let the edges and the watchers have what comes of it."""
        self.commands_n += 1
        step = self.engine.handle(command, now_ns=self.now_ns)
        events = step.events
        if not events:
            return step
        for follower in self._everything:
            follower(step, command)
        watchers = self._watchers
        for event in events:
            if type(event) in watchers:
                for watcher in watchers[type(event)]:
                    watcher(event)
        edges = self._edges
        for ask in step.asks:
            if type(ask) in edges:
                edges[type(ask)](ask)
        return step

    def run(self, until_ns: int | None = None) -> None:
        """Go on until the calendar is empty or until a time; the engine's own deadlines alone don't
        keep it going, since a queue that announces does so for ever."""
        calendar, next_deadline_ns, heappop = self._calendar, self.engine.next_deadline_ns, heapq.heappop
        last_ns = NEVER_NS if until_ns is None else until_ns
        while calendar:
            at_ns = calendar[0][0]
            if at_ns > last_ns:
                break
            if next_deadline_ns() <= at_ns:
                self._tick_until(at_ns)
                if calendar[0][0] < at_ns:  # a Tick has entered something earlier
                    continue
            _, _, action = heappop(calendar)
            self.now_ns = at_ns
            action()
        if until_ns is not None:
            self._tick_until(until_ns)
            self.now_ns = max(self.now_ns, until_ns)

    def next_ns(self) -> int:
        """When something happens next: an entry of the calendar or a deadline of the engine."""
        due_ns = self.engine.next_deadline_ns()
        return min(self._calendar[0][0], due_ns) if self._calendar else due_ns

    def _tick_until(self, at_ns: int) -> None:
        """Give the engine its due Ticks, unless one of them enters something that comes first."""
        calendar = self._calendar
        while (due_ns := self.engine.next_deadline_ns()) <= at_ns:
            if calendar and calendar[0][0] < due_ns:
                return
            self.now_ns = max(self.now_ns, due_ns)
            self.do(Tick())
