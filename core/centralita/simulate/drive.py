"""The clock of a simulation: what happens next, in virtual time, without trio.

A `Drive` holds an engine and a calendar. The calendar's entries are commands, or calls, at a time, in the order
(time, when entered); between two of them every deadline of the engine gets its Tick at its own time,
before whatever was entered for that same time. What the engine asks of the edge is handed to whoever
plays the edge, by the type of the ask; what it says became true goes to whoever watches.

Nothing here is random and nothing waits: two drives that are entered the same do the same.

Its loop is compiled, for its share of every simulated contact: `routing_rs/src/engine/drive.rs`.
"""

from __future__ import annotations

from typing import Final

from centralita._routing import DriveHeld
from centralita.engine import Engine
from centralita.matching import Core
from centralita.messages import Tick

LATEST_NS: Final = 2_240_524_800 * 1_000_000_000
"""2041-01-01: what is simulated begins in 1970 or later and is over by then. The matching queue counts 2^61 ns from 1970, some
two years more, and deadlines lie ahead."""


class Drive(DriveHeld):
    """An engine in virtual time, `now_ns`.

    - `at(at_ns, action, *given)` enters a call, `do_at(at_ns, command)` a command; at the present time or in the past
      means next.
    - `do(command)` gives the engine a command now, lets the edges and the watchers have what comes of it, and returns
      the step.
    - `plays(kind, edge)` lets `edge` do what the engine asks of this kind, at most one each; `watches(kind, watcher)`
      tells of every event of this kind once it is true; `follows(watcher)` of every step that changed something, with
      its command.
    - `run(until_ns=None)` goes on until the calendar is empty or until a time; the engine's own deadlines alone don't
      keep it going, since a queue that announces does so for ever. `next_ns()` is when something happens next: an
      entry of the calendar or a deadline of the engine.
    """

    def __init__(self, *, core: Core = "native", start_ns: int = 0) -> None:
        self.engine = Engine(core=core)
        self.begin(self.engine, Tick(), start_ns)
