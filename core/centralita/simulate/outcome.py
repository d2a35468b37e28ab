"""What one run of a scenario gave: a row for every contact, and the agents' time.

Rows are kept as plain integers in one array while the run goes on, since a run has millions; everything else
(waits, flows, occupancy) is computed from them when somebody asks.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple, get_args

from centralita.messages import Outcome

NOBODY: Final = -1
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
_WIDTH: Final = 9
_OUTCOME, _ARRIVED_NS = 3, 4

packed: Final = Struct(f"{_WIDTH}q").pack
"""The bytes of a row of `Run.numbers`: five times as fast as to extend it by a tuple."""


class Row(NamedTuple):
    """One contact. Times are virtual ns; `queue` is its last, `agent` who served it, "" when nobody.

    `waited_ns` counts from the first queue to the connection, or to its end without one; `handled_ns` is
    the conversation, holds and after-work. `callback_ns` is the wait after which it became a callback, -1 when it
    never did.
    """

    customers: str
    queue: str
    agent: str
    outcome: str
    arrived_ns: int
    waited_ns: int
    handled_ns: int
    ended_ns: int
    callback_ns: int = -1


class Unfinished(NamedTuple):
    """A contact that still waited, or was served, when the run ended; `queue` as in `Row`."""

    customers: str
    queue: str
    arrived_ns: int


class Run:
    """One run. `from_ns` to `until_ns` is what counts: contacts that arrived then, agents' time then."""

    def __init__(
        self,
        *,
        customers: tuple[str, ...],
        queues: tuple[str, ...],
        agents: tuple[str, ...],
        start_ns: int,
        from_ns: int,
        until_ns: int,
    ) -> None:
        self.customers, self.queues, self.agents = customers, queues, agents
        self.start_ns, self.from_ns, self.until_ns = start_ns, from_ns, until_ns
        self.numbers = array("q")
        """A row after the other, as in `Row`, names as their place in `customers`, `queues`, `agents`
        and OUTCOMES, NOBODY when there is none."""
        self.staffed_ns: dict[str, int] = dict.fromkeys(agents, 0)
        """How long each agent was there and not on a break, in the time that counts."""
        self.unfinished: list[Unfinished] = []
        """Counted contacts that had not ended when the run did."""
        self.commands_n = 0
        self.in_hand_ns: Counter[str] = Counter()
        """Counted time that agents spent on contacts which had not ended with the run."""

    @property
    def contacts_n(self) -> int:
        """Every contact that ended, counted or not."""
        return len(self.numbers) // _WIDTH

    def rows(self, *, all_rows: bool = False) -> Iterator[Row]:
        """The contacts that count, in the order in which they ended; or all that ended."""
        for customers, queue, agent, outcome, arrived_ns, *others in self._in_rows():
            if all_rows or self.from_ns <= arrived_ns < self.until_ns:
                yield Row(
                    self.customers[customers],
                    self.queues[queue] if queue != NOBODY else "",
                    self.agents[agent] if agent != NOBODY else "",
                    OUTCOMES[outcome],
                    arrived_ns,
                    *others,
                )

    def _in_rows(self) -> Iterator[tuple[int, ...]]:
        return zip(*[iter(self.numbers)] * _WIDTH, strict=True)

    def waits_ns(
        self, *, outcome: str | None = "served", queue: str | None = None, customers: str | None = None
    ) -> list[int]:
        """The waits of the contacts that count, in the order in which they ended; None takes any."""
        return [
            row.waited_ns
            for row in self.rows()
            if (outcome is None or row.outcome == outcome)
            and (queue is None or row.queue == queue)
            and (customers is None or row.customers == customers)
        ]

    def outcome_counts(self) -> Counter[str]:
        """How the contacts that count ended."""
        ended = zip(self.numbers[_OUTCOME::_WIDTH], self.numbers[_ARRIVED_NS::_WIDTH], strict=True)
        return Counter(
            OUTCOMES[outcome] for outcome, arrived_ns in ended if self.from_ns <= arrived_ns < self.until_ns
        )

    def flows(self) -> Counter[tuple[str, str]]:
        """How many of each class of customers each agent served: (customers, agent) → contacts."""
        return Counter((row.customers, row.agent) for row in self.rows() if row.outcome == "served")

    def busy_ns(self) -> dict[str, int]:
        """How long each agent had contacts in hand in the time that counts, several at once counting each."""
        busy = dict.fromkeys(self.agents, 0)
        for _, _, agent, _, _, _, handled_ns, ended_ns, _ in self._in_rows():
            began_ns = ended_ns - handled_ns
            if agent != NOBODY and ended_ns > self.from_ns and began_ns < self.until_ns:
                busy[self.agents[agent]] += min(ended_ns, self.until_ns) - max(began_ns, self.from_ns)
        for name, spent_ns in self.in_hand_ns.items():
            busy[name] += spent_ns
        return busy
