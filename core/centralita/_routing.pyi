"""The compiled matching queue, timers, and what every contact goes through."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, final

from typing_extensions import disjoint_base

from centralita.capture import Capture
from centralita.engine import Engine, Step
from centralita.lines import Lines, Terms
from centralita.matching.protocol import Barred, Buffer, MatchingQueueProtocol
from centralita.memory import Live, Memory
from centralita.messages import AnyCommand, AnyEvent, Ask, ContactEnded, Event, Record, Tick
from centralita.simulate.drive import Drive
from centralita.simulate.people import Group, Visitor
from centralita.state import Contact, State
from centralita.tallies import AgentTally, QueueTally
from centralita.timers import TimersProtocol

__all__ = [
    "Dispatcher",
    "DriveHeld",
    "Folding",
    "LinesHeld",
    "MatchingQueue",
    "PeopleHeld",
    "QueueBrokenError",
    "Timers",
    "version",
]

_AskT = TypeVar("_AskT", bound=Ask)
_EventT = TypeVar("_EventT", bound=Event)

@disjoint_base
class Dispatcher:
    """What an engine holds, and its way from a command to a step; `centralita.engine.Engine` is made of it."""

    state: State
    lines: Lines
    seq: int
    now_ns: int
    _step: Step
    _capture: Capture | None
    at_end: Callable[[Contact, ContactEnded], None] | None
    """Called with each contact that is about to end, as it still stands, and its event."""

    def __new__(cls, *_given: Any, **_named: Any) -> Dispatcher: ...
    def begin(
        self,
        state: State,
        lines: Lines,
        decide: dict[type, Any],
        effects: dict[type, Any],
        usual_here: bool,
    ) -> None:
        """Begin with a state, its lines and the tables of `stages` and `apply`."""

    def handle(self, command: AnyCommand, *, now_ns: int) -> Step:
        """Decide a command at a moment; time never goes back (an earlier `now_ns` counts as the last).

        `now_ns` is an int of nanoseconds since any one moment, at most 2^61. A refusal changes nothing and is not to
        be journalled. Raises only for bugs, and for what is no command.
        """

    def emit(self, event: AnyEvent) -> None:
        """For stages: make an event true, now."""

    def again(self, event: AnyEvent) -> None:
        """Make a journalled event true again: nothing is decided or asked."""

    def _panic(self) -> None:
        """Break the engine, as a bug would: for the test that no panic crosses."""

@disjoint_base
class LinesHeld:
    """The matching queue, the timers and the names of one engine; `centralita.lines.Lines` is made of it."""

    queue: MatchingQueueProtocol
    timers: TimersProtocol
    changed: bool
    agent_of: dict[int, str]
    known: set[int]
    leaving: set[str]
    terms: dict[str, Terms]
    _shared: dict[str, dict[str, tuple[dict[str, int], int, int]]]

    def __new__(cls, *_given: Any, **_named: Any) -> LinesHeld: ...

@final
class MatchingQueue:
    """The compiled matching queue: see `centralita.matching.protocol` for the contract."""

    def __new__(cls) -> MatchingQueue: ...
    def skill(self, name: str) -> int: ...
    def medium(self, name: str) -> int: ...
    def requirement(self, skills: Iterable[tuple[int, int]], medium: int, units: int) -> int: ...
    def profile(
        self,
        skills: Iterable[tuple[int, int]],
        capacity: int,
        limits: Iterable[tuple[int, int]] = (),
        ranks: Iterable[tuple[int, int]] = (),
    ) -> int: ...
    def order(
        self,
        keys: Sequence[str],
        *,
        offer_to: int = 1,
        rank_group: int = 0,
        seed: int = 0,
        reserve_after_ns: int = 9223372036854775807,
    ) -> int: ...
    def ladder(self, rungs: Iterable[tuple[int, int, int]]) -> int: ...
    def set_interrupts(self, pairs: Iterable[tuple[int, int]]) -> None: ...
    def add_agent(
        self,
        agent: int,
        profile: int,
        *,
        now_ns: int,
        available: bool = True,
        since_ns: int | None = None,
        given: int = 0,
        turn: int = 0,
    ) -> None: ...
    def set_available(self, agent: int, available: bool, *, now_ns: int) -> None: ...
    def set_profile(self, agent: int, profile: int) -> None: ...
    def remove_agent(self, agent: int, *, now_ns: int) -> list[int]: ...
    def agent_keys(self, agent: int) -> tuple[int, int, int]: ...
    def enqueue(
        self,
        contact: int,
        requirement: int,
        order: int,
        *,
        queued_ns: int,
        credit_ns: int = 0,
        priority: int = 0,
        rate: int = 1000,
        ladder: int = -1,
        rung: int = 0,
        preferred: int = -1,
        preferred_until_ns: int = 0,
        excluded: Iterable[int] = (),
        waiting: bool = True,
    ) -> None: ...
    def requeue(self, contact: int, *, now_ns: int) -> None: ...
    def drop(self, contact: int, *, now_ns: int) -> None: ...
    def change(
        self,
        contact: int,
        *,
        requirement: int | None = None,
        order: int | None = None,
        priority: int | None = None,
        rate: int | None = None,
        credit_ns: int | None = None,
        ladder: int | None = None,
        rung: int | None = None,
    ) -> None: ...
    def prefer(self, contact: int, agent: int, *, until_ns: int) -> None: ...
    def exclude(self, contact: int, agent: int) -> None: ...
    def match(self, *, now_ns: int) -> list[tuple[int, int]]: ...
    def advance(self, *, now_ns: int) -> list[tuple[int, int]]: ...
    def next_deadline_ns(self) -> int: ...
    def accept(self, contact: int, agent: int, *, now_ns: int) -> list[int]: ...
    def give_back(self, contact: int, agent: int, *, now_ns: int, exclude: bool) -> bool: ...
    def finish(self, contact: int, agent: int, *, now_ns: int) -> None: ...
    def assign(self, contact: int, agent: int, *, now_ns: int) -> None: ...
    def hold(self, contact: int, agent: int, *, medium: int, units: int, tentative: bool) -> None: ...
    def enqueue_then_match(
        self, contact: int, requirement: int, order: int, queued_ns: int, now_ns: int, priority: int = 0
    ) -> list[tuple[int, int]]: ...
    def finish_then_match(self, contact: int, agent: int, now_ns: int) -> list[tuple[int, int]]: ...
    def batch(self, operations: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]: ...
    def load_agents(self, rows: Buffer) -> None: ...
    def load_contacts(self, rows: Buffer) -> None: ...
    def waiting_n(self) -> int: ...
    def agents_n(self) -> int: ...
    def is_waiting(self, contact: int) -> bool: ...
    def holders(self, contact: int) -> list[int]: ...
    def hands(self, agent: int) -> list[tuple[int, int, int, bool]]: ...
    def reserved_for(self, agent: int) -> int: ...
    def held_units(self, agent: int) -> int: ...
    def ahead(self, contact: int, *, now_ns: int) -> int: ...
    def in_order(self, *, now_ns: int, limit: int) -> list[int]: ...
    def capable_n(self, requirement: int) -> tuple[int, int]: ...
    def explain(self, contact: int, *, now_ns: int, limit: int = 100) -> list[Barred]: ...
    def explain_choice(
        self, contact: int, agents: Sequence[int], *, now_ns: int
    ) -> list[tuple[int, ...]]: ...
    def state_hash(self) -> int: ...
    def memory(self) -> dict[str, int]:
        """What waiting contacts and agents take, for whoever measures, in bytes."""

    def release_memory(self) -> None:
        """Give what a drained peak left on the heap back to the system; `advance` does so once by itself."""

    def disperse(self) -> None:
        """Turn now to the structure for very many distinct requirements, as happens by itself."""

    def _panic(self) -> None: ...

@final
class Timers:
    """The compiled deadlines: see `centralita.timers` for the contract."""

    def __new__(cls) -> Timers: ...
    def schedule(self, kind: int, subject: int, at_ns: int) -> None: ...
    def cancel(self, kind: int, subject: int) -> None: ...
    def pop_due(self, now_ns: int) -> list[tuple[int, int, int]]: ...
    def next_deadline_ns(self) -> int: ...
    def deadline_ns(self, kind: int, subject: int) -> int: ...
    def __len__(self) -> int: ...

@disjoint_base
class DriveHeld:
    """The compiled loop of a simulation: see `centralita.simulate.drive` for what each method does."""

    def __new__(cls, *_given: Any, **_named: Any) -> DriveHeld: ...
    def begin(self, engine: Engine, tick: Tick, start_ns: int) -> None: ...
    def at(self, at_ns: int, action: Callable[..., object], *given: Any) -> None: ...
    def do_at(self, at_ns: int, command: AnyCommand) -> None: ...
    def plays(self, kind: type[_AskT], edge: Callable[[_AskT], object]) -> None: ...
    def watches(self, kind: type[_EventT], watcher: Callable[[_EventT], object]) -> None: ...
    def follows(self, watcher: Callable[[Step, AnyCommand], object]) -> None: ...
    def do(self, command: AnyCommand) -> Step: ...
    def run(self, until_ns: int | None = None) -> None: ...
    def next_ns(self) -> int: ...
    @property
    def now_ns(self) -> int: ...
    @property
    def commands_n(self) -> int: ...

@disjoint_base
class PeopleHeld:
    """What most people of a simulation do, compiled: see `centralita.simulate.world`."""

    drive: Drive
    inside: dict[int, Visitor]
    admitted: int
    counted_inside: int
    from_ns: int
    end_ns: int
    closes: bool
    behaviours: dict[str, Any]
    queue_index: dict[str, int]
    agent_index: dict[str, int]
    outcome_index: dict[str, int]
    keep: Callable[[bytes], None]
    def __new__(cls, *_given: Any, **_named: Any) -> PeopleHeld: ...
    def play(self) -> None: ...
    def expect(self, group: Group) -> None: ...

@disjoint_base
class Folding:
    """What a fold keeps, and its counting of what is usual; `centralita.fold.Fold` is made of it."""

    _memory: Memory
    _live: dict[int, Live]
    _queues: dict[str, QueueTally]
    _agents: dict[str, AgentTally]
    _handlers: dict[type, Callable[[Any, int], None]]
    _command: type
    _rolls_ns: int
    _usual_here: bool

    def __new__(cls, *_given: Any, **_named: Any) -> Folding: ...
    def fold(self, record: Record) -> None:
        """Take in the next record. Records come in order of seq, each once."""

class QueueBrokenError(RuntimeError):
    """A bug broke this queue; rebuild it."""

def version() -> str: ...
