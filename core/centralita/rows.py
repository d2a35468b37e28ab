"""The figures' single cases: a row for each stay, contact, offer, part of an agent, state of an agent, interval.

    rows = Rows("stays")
    for record in records:
        rows.fold(record)
    rows.finish()
    rows.taken()  # tuples in the order of COLUMNS["stays"]

It is the fold of the figures with somebody taking down what it counts, so a sum over rows is the figure. What a
column means stands in `docs/tables.md`, where the rows become Arrow in `frames.py`. It knows no clock and no format.

A row is given when its case is over, so those come in the order in which they ended; `finish` gives those that
still run. Memory is bounded by what is live, and by what was not taken yet. No row holds a customer's words or address.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final, Literal, NamedTuple

from centralita.config import NS_PER_S
from centralita.fold import Fold
from centralita.memory import Live, Work
from centralita.messages import (
    CallbackRequested,
    ConfigurationApplied,
    ContactAdmitted,
    ContactConnected,
    ContactEnded,
    ContactOffered,
    ContactRated,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    Record,
)
from centralita.tallies import AGENT_STATES, BREAK, AgentTally
from centralita.trend import TREND, Series

Form = Literal["whole", "text", "moment", "truth"]
Row = tuple[Any, ...]

COLUMNS: Final[dict[str, dict[str, Form]]] = {
    "stays": {
        "contact": "whole",
        "queue": "text",
        "channel": "text",
        "direction": "text",
        "entered_at": "moment",
        "waiting_since": "moment",
        "left_at": "moment",
        "fate": "text",
        "wait_ns": "whole",
        "agent": "text",
        "answer_target_ns": "whole",
        "short_abandon_ns": "whole",
        "in_target": "truth",
    },
    "contacts": {
        "contact": "whole",
        "channel": "text",
        "direction": "text",
        "queue": "text",
        "agent": "text",
        "arrived_at": "moment",
        "ended_at": "moment",
        "outcome": "text",
        "handled": "truth",
        "waited_ns": "whole",
        "talk_ns": "whole",
        "hold_ns": "whole",
        "wrap_up_ns": "whole",
    },
    "offers": {
        "offer": "whole",
        "contact": "whole",
        "queue": "text",
        "agent": "text",
        "consultation": "truth",
        "offered_at": "moment",
        "ended_at": "moment",
        "fate": "text",
        "pending_ns": "whole",
    },
    "works": {
        "agent": "text",
        "contact": "whole",
        "queue": "text",
        "consultation": "truth",
        "part": "text",
        "began_at": "moment",
        "ended_at": "moment",
        "talk_ns": "whole",
        "hold_ns": "whole",
        "wrap_up_ns": "whole",
    },
    "agents": {
        "agent": "text",
        "state": "text",
        "reason": "text",
        "from_at": "moment",
        "until_at": "moment",
        "spent_ns": "whole",
    },
    "intervals": {
        "queue": "text",
        "begins_at": "moment",
        "ends_at": "moment",
        **dict.fromkeys(TREND, "whole"),
    },
    "ratings": {
        "contact": "whole",
        "queue": "text",
        "agent": "text",
        "rated_at": "moment",
        "score": "whole",
    },
}
"""Each kind's columns in their order. A moment is in ns since the epoch; None where there is nothing to say."""

KINDS: Final = tuple(COLUMNS)
INTERVAL_S: Final = 900
_KEPT: Final = 1 << 30
"""Intervals are taken down as they end, so none is dropped by the series itself."""


class _Admitted(NamedTuple):
    channel: str
    direction: str
    at_ns: int


class _Agent(AgentTally):
    """An agent's counts, with each time in a state told."""

    __slots__ = ("name", "rows")
    name: str
    rows: Rows

    def settle(self, at_ns: int) -> None:
        """See AgentTally.settle."""
        state, since_ns, reason = self.state, self.since_ns, self.reason
        AgentTally.settle(self, at_ns)
        if self.state != state:
            self.rows.spent(self.name, state, reason, since_ns, at_ns)

    def close(self, at_ns: int) -> None:
        """See AgentTally.close."""
        self.rows.spent(self.name, self.state, self.reason, self.since_ns, at_ns)
        AgentTally.close(self, at_ns)


class _Agents(defaultdict[str, AgentTally]):
    """Makes the agents that the fold asks for."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(AgentTally)
        self._rows = rows

    def __missing__(self, name: str) -> AgentTally:
        return self.begin(name, 0)

    def begin(self, name: str, at_ns: int) -> AgentTally:
        agent = _Agent(since_ns=at_ns)
        self[name] = agent
        agent.name, agent.rows = name, self._rows
        return agent


class Rows(Fold):
    """The rows of one kind, from one domain's records folded in order."""

    def __init__(self, kind: str, *, interval_s: int = INTERVAL_S) -> None:
        """`kind` is one of `KINDS`; `interval_s` is for "intervals" alone. Raises ValueError for others."""
        if kind not in COLUMNS:
            raise ValueError(f"kind was {kind!r}; known: {', '.join(KINDS)}")
        if interval_s < 1:
            raise ValueError(f"interval_s was {interval_s}; must be a whole number of seconds, 1 at least")
        super().__init__()
        self.kind = kind
        self._rows: list[Row] = []
        self._admissions: dict[int, _Admitted] = {}
        self._entered: dict[int, int] = {}
        self._offers: dict[tuple[int, str], tuple[int, int]] = {}
        self._watched = _Agents(self)
        self._agents = self._memory.agents = self._watched
        self._intervals = Series(interval_s * NS_PER_S, _KEPT)

    @property
    def seq(self) -> int:
        """The last record folded; 0 when none."""
        return self._memory.seq

    @property
    def pending(self) -> int:
        """How many rows have not been taken yet."""
        return len(self._rows)

    def fold(self, record: Record) -> None:
        """Take in the next record. Records come in order of seq, each once."""
        if record.at_ns >= self._intervals.ends_ns:
            self._end_intervals(record.at_ns)
        super().fold(record)

    def taken(self) -> list[Row]:
        """The rows since this was last asked."""
        rows, self._rows = self._rows, []
        return rows

    def finish(self) -> None:
        """Give the rows of what still runs, as at the last record. Nothing is folded after it."""
        at_ns = self._memory.at_ns
        for contact in list(self._entered):
            self._stayed(self._live[contact], "waiting", at_ns)
        for contact, admitted in self._admissions.items():
            live = self._live[contact]
            self._put(
                "contacts",
                (contact, admitted.channel, admitted.direction, live.queue or None, None, admitted.at_ns)
                + (None,) * 7,
            )
        for contact, agent in list(self._offers):
            self._offer_over(self._live[contact], agent, "pending", at_ns)
        for live in self._live.values():
            for name, work in live.works.items():
                if work.wrap_from_ns or work.talk_from_ns:
                    self._worked(live, name, work, at_ns, ended=False)
        for name, tally in self._watched.items():
            self.spent(name, tally.state, tally.reason, tally.since_ns, at_ns, ended=False)
        self._end_intervals(self._intervals.ends_ns)

    def _put(self, kind: str, row: Row) -> None:
        if kind == self.kind:
            self._rows.append(row)

    # Stays --------------------------------------------------------------------------------------

    def _stay(self, live: Live, contact: int, queue: str, at_ns: int) -> None:
        if contact in self._entered:
            self._stayed(live, "flowed_out", at_ns)
        super()._stay(live, contact, queue, at_ns)
        self._entered[contact] = at_ns

    def _leave(self, live: Live, contact: int, at_ns: int, *, abandoned: bool) -> None:
        if live.staying:
            self._stayed(live, "abandoned" if abandoned else "removed", at_ns)
        super()._leave(live, contact, at_ns, abandoned=abandoned)

    def _callback_requested(self, event: CallbackRequested, at_ns: int) -> None:
        if event.contact in self._entered:
            self._stayed(self._live[event.contact], "became_callback", at_ns)
        super()._callback_requested(event, at_ns)

    def _connected(self, event: ContactConnected, at_ns: int) -> None:
        if event.contact in self._entered:
            live = self._live[event.contact]
            self._stayed(live, "answered", at_ns, wait_ns=event.waited_ns, agent=event.agent)
        super()._connected(event, at_ns)

    def _stayed(
        self, live: Live, fate: str, at_ns: int, *, wait_ns: int | None = None, agent: str | None = None
    ) -> None:
        """A stay is over, or still runs at the end."""
        contact = live.contact
        entered_ns, admitted = self._entered.pop(contact), self._admissions[contact]
        tally = self._queues[live.queue]
        running = fate == "waiting"
        wait_ns = at_ns - live.wait_from_ns if wait_ns is None else wait_ns
        self._put(
            "stays",
            (
                contact,
                live.queue,
                admitted.channel,
                admitted.direction,
                entered_ns,
                live.wait_from_ns,
                None if running else at_ns,
                fate,
                wait_ns,
                agent,
                tally.answer_target_ns,
                tally.short_abandon_ns,
                None if running else wait_ns <= tally.answer_target_ns,
            ),
        )

    # Contacts -----------------------------------------------------------------------------------

    def _admitted(self, event: ContactAdmitted, at_ns: int) -> None:
        super()._admitted(event, at_ns)
        self._live[event.contact].contact = event.contact
        self._admissions[event.contact] = _Admitted(event.channel, event.direction, at_ns)

    def _ended(self, event: ContactEnded, at_ns: int) -> None:
        super()._ended(event, at_ns)
        if self._admissions.pop(event.contact, None) is None:
            return
        served = event.outcome == "served" or bool(event.talk_ns or event.hold_ns)
        self._put(
            "contacts",
            (
                event.contact,
                event.channel,
                event.direction,
                event.queue or None,
                event.agent or None,
                event.arrived_ns,
                at_ns,
                event.outcome,
                served and event.direction != "consultation",
                event.waited_ns,
                event.talk_ns,
                event.hold_ns,
                event.wrap_up_ns,
            ),
        )

    def _rated(self, event: ContactRated, at_ns: int) -> None:
        super()._rated(event, at_ns)
        self._put("ratings", (event.contact, event.queue or None, event.agent or None, at_ns, event.score))

    # Agents -------------------------------------------------------------------------------------

    def _offered(self, event: ContactOffered, at_ns: int) -> None:
        super()._offered(event, at_ns)
        if event.contact in self._live:
            self._offers[event.contact, event.agent] = (event.offer, at_ns)

    def _accepted(self, event: OfferAccepted, at_ns: int) -> None:
        self._offer_over(self._live.get(event.contact), event.agent, "accepted", at_ns)
        super()._accepted(event, at_ns)

    def _declined(self, event: OfferDeclined, at_ns: int) -> None:
        self._offer_over(self._live.get(event.contact), event.agent, "declined", at_ns)
        super()._declined(event, at_ns)

    def _expired(self, event: OfferExpired, at_ns: int) -> None:
        self._offer_over(self._live.get(event.contact), event.agent, "expired", at_ns)
        super()._expired(event, at_ns)

    def _withdrawn(self, event: OfferWithdrawn, at_ns: int) -> None:
        self._offer_over(self._live.get(event.contact), event.agent, "withdrawn", at_ns)
        super()._withdrawn(event, at_ns)

    def _offer_over(self, live: Live | None, agent: str, fate: str, at_ns: int) -> None:
        found = self._offers.pop((live.contact, agent), None) if live is not None else None
        if live is None or found is None:
            return
        offer, offered_ns = found
        self._put(
            "offers",
            (
                offer,
                live.contact,
                live.queue or None,
                agent,
                live.consultation,
                offered_ns,
                None if fate == "pending" else at_ns,
                fate,
                at_ns - offered_ns,
            ),
        )

    def _begin(self, live: Live, name: str, at_ns: int) -> Work:
        work = super()._begin(live, name, at_ns)
        self._offer_over(live, name, "dropped", at_ns)
        return work

    def _drop(self, live: Live, name: str, at_ns: int) -> None:
        work = live.works.get(name)
        if work is not None:
            self._offer_over(live, name, "dropped", at_ns)
            if work.wrap_from_ns or work.talk_from_ns:
                self._worked(live, name, work, at_ns)
        super()._drop(live, name, at_ns)

    def _worked(self, live: Live, name: str, work: Work, at_ns: int, *, ended: bool = True) -> None:
        """An agent's conversation or after-work is over, or still runs at the end."""
        if self.kind != "works":
            return
        talk_ns = hold_ns = wrap_up_ns = 0
        if work.wrap_from_ns:
            began_ns = work.wrap_from_ns
            wrap_up_ns = at_ns - began_ns
        else:
            began_ns = work.talk_from_ns
            hold_ns = work.held_ns + (at_ns - work.held_from_ns if work.held_from_ns else 0)
            talk_ns = at_ns - began_ns - hold_ns
        self._rows.append(
            (
                name,
                live.contact,
                live.queue or None,
                live.consultation,
                "wrap_up" if work.wrap_from_ns else "conversation",
                began_ns,
                at_ns if ended else None,
                talk_ns,
                hold_ns,
                wrap_up_ns,
            )
        )

    def _configuration_applied(self, event: ConfigurationApplied, at_ns: int) -> None:
        for name in event.config.agents:
            if name not in self._watched:
                self._watched.begin(name, at_ns)
        super()._configuration_applied(event, at_ns)

    def spent(
        self, agent: str, state: int, reason: str, since_ns: int, at_ns: int, *, ended: bool = True
    ) -> None:
        """An agent was in a state for a time; told by the agent's counts."""
        if since_ns and (at_ns > since_ns or not ended):
            self._put(
                "agents",
                (
                    agent,
                    AGENT_STATES[state],
                    reason if state == BREAK else None,
                    since_ns,
                    at_ns if ended else None,
                    at_ns - since_ns,
                ),
            )

    # Intervals ----------------------------------------------------------------------------------

    def _end_intervals(self, at_ns: int) -> None:
        if self.kind != "intervals":
            return
        series = self._intervals
        series.roll(at_ns, self._queues)
        for begins_ns, rows in series.rows:
            for queue, row in rows.items():
                self._rows.append((queue or None, begins_ns, begins_ns + series.interval_ns, *row))
        series.rows.clear()
