"""What is counted for one queue and for one agent, and the formulas over the counts.

This module knows no event and no contact: `fold.py` counts, here stands what the counts mean, `trend.py` cuts them
into intervals. Every key and formula is named and sourced in `docs/figures.md`; a ratio or mean over nothing is None,
never 0.

The unit of a queue is the *stay*: from entering a queue until one fate. A stay is what other products
call a queue interaction or a queue segment, so service levels compare with theirs. A stay ends when it is
answered, abandoned, becomes a callback, flows out (to another queue) or is removed (refused, cancelled, lost),
and at any moment `offered = answered + abandoned + became_callbacks + flowed_out + removed + waiting`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Final

from centralita.config import NS_PER_S

WAIT_BOUNDS_S: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
"""Upper bounds, inclusive, of the histogram of waits; one more class holds the longer ones."""
WAIT_BOUNDS_NS: Final = tuple(bound * NS_PER_S for bound in WAIT_BOUNDS_S)

OUTCOMES: Final = (
    "served", "abandoned", "refused", "overflowed", "resolved_by_bot", "cancelled", "lost", "unreachable",
)  # fmt: skip
"""How a customer's contact can end; a consultation is not a customer's contact."""

AUTHORS: Final = ("customer", "agent", "bot", "system")

OFFLINE, BREAK, LOST, IDLE, OFFERED, CONNECTED, WRAPPING = range(7)
AGENT_STATES: Final = ("offline", "break", "lost", "idle", "offered", "connected", "wrapping")
"""What an agent's time is divided into, by the codes above."""


def seconds(value_ns: int) -> float:
    """Nanoseconds as seconds to the millisecond."""
    return round(value_ns / NS_PER_S, 3)


def mean_s(sum_ns: int, count: int) -> float | None:
    """A mean time in seconds; None over nothing."""
    return seconds(sum_ns // count) if count else None


def ratio(part: int, whole: int) -> float | None:
    """A share from 0 to 1, to six digits; None over nothing."""
    return round(part / whole, 6) if whole else None


def _histogram() -> list[int]:
    return [0] * (len(WAIT_BOUNDS_S) + 1)


@dataclass(slots=True)
class QueueTally:
    """The counts of one queue, or of all queues when added up."""

    answer_target_ns: int = 0
    short_abandon_ns: int = 0
    admitted: int = 0
    offered: int = 0
    answered: int = 0
    answered_in_target: int = 0
    abandoned: int = 0
    abandoned_in_target: int = 0
    short_abandons: int = 0
    became_callbacks: int = 0
    became_callbacks_in_target: int = 0
    flowed_out: int = 0
    removed: int = 0
    wait_ns: int = 0
    wait_ns_max: int = 0
    abandon_wait_ns: int = 0
    abandon_wait_ns_max: int = 0
    handled: int = 0
    talk_ns: int = 0
    hold_ns: int = 0
    wrap_up_ns: int = 0
    transfers_blind: int = 0
    transfers_consulted: int = 0
    consultations: int = 0
    callbacks_requested: int = 0
    callbacks_reached: int = 0
    callbacks_unreached: int = 0
    csat_sum: int = 0
    csat_count: int = 0
    offers_made: int = 0
    offers_accepted: int = 0
    offers_declined: int = 0
    offers_expired: int = 0
    offers_withdrawn: int = 0
    connections_failed: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    messages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(AUTHORS, 0))
    waits: list[int] = field(default_factory=_histogram)
    abandon_waits: list[int] = field(default_factory=_histogram)
    waiting: dict[int, int] = field(default_factory=dict)
    """Who waits now: contact and since when, in ns."""
    callbacks_waiting: dict[int, int] = field(default_factory=dict)
    """Who waits to be called back: contact and since when, in ns."""

    def answer(self, waited_ns: int) -> None:
        """A stay ends with an agent."""
        self.answered += 1
        self.wait_ns += waited_ns
        self.wait_ns_max = max(self.wait_ns_max, waited_ns)
        if waited_ns <= self.answer_target_ns:
            self.answered_in_target += 1
        self.waits[bisect_left(WAIT_BOUNDS_NS, waited_ns)] += 1

    def abandon(self, waited_ns: int) -> None:
        """A stay ends by the customer's leaving."""
        self.abandoned += 1
        self.abandon_wait_ns += waited_ns
        self.abandon_wait_ns_max = max(self.abandon_wait_ns_max, waited_ns)
        self.abandoned_in_target += waited_ns <= self.answer_target_ns
        self.short_abandons += waited_ns < self.short_abandon_ns
        self.abandon_waits[bisect_left(WAIT_BOUNDS_NS, waited_ns)] += 1

    def anew(self) -> QueueTally:
        """The same queue with nothing counted but who waits now."""
        return QueueTally(
            answer_target_ns=self.answer_target_ns,
            short_abandon_ns=self.short_abandon_ns,
            offered=len(self.waiting),
            callbacks_requested=len(self.callbacks_waiting),
            waiting=self.waiting,
            callbacks_waiting=self.callbacks_waiting,
        )

    def as_dict(self, now_ns: int) -> dict[str, Any]:
        """The figures of `docs/figures.md`, ready for JSON."""
        handle_ns = self.talk_ns + self.hold_ns + self.wrap_up_ns
        return {
            "admitted": self.admitted,
            "offered": self.offered,
            "answered": self.answered,
            "answered_in_target": self.answered_in_target,
            "abandoned": self.abandoned,
            "abandoned_in_target": self.abandoned_in_target,
            "short_abandons": self.short_abandons,
            "became_callbacks": self.became_callbacks,
            "flowed_out": self.flowed_out,
            "removed": self.removed,
            "waiting": len(self.waiting),
            "longest_wait_s": seconds(max(0, now_ns - min(self.waiting.values()))) if self.waiting else 0.0,
            "callbacks_waiting": len(self.callbacks_waiting),
            "ended": sum(self.outcomes.values()),
            "outcomes": dict(self.outcomes),
            "served": self.outcomes["served"],
            "handled": self.handled,
            "asa_s": mean_s(self.wait_ns, self.answered),
            "wait_s_max": seconds(self.wait_ns_max),
            "abandon_wait_s": mean_s(self.abandon_wait_ns, self.abandoned),
            "abandon_wait_s_max": seconds(self.abandon_wait_ns_max),
            "aht_s": mean_s(handle_ns, self.handled),
            "talk_s": mean_s(self.talk_ns, self.handled),
            "hold_s": mean_s(self.hold_ns, self.handled),
            "wrap_up_s": mean_s(self.wrap_up_ns, self.handled),
            "answer_target_s": seconds(self.answer_target_ns) if self.answer_target_ns else None,
            "service_level": ratio(self.answered_in_target, self.offered - len(self.waiting)),
            "service_levels": self.service_levels(),
            "abandon_rate": ratio(self.abandoned, self.offered - len(self.waiting)),
            "transfers": self.transfers_blind + self.transfers_consulted,
            "transfers_blind": self.transfers_blind,
            "transfers_consulted": self.transfers_consulted,
            "consultations": self.consultations,
            "callbacks_requested": self.callbacks_requested,
            "callbacks_reached": self.callbacks_reached,
            "callbacks_unreached": self.callbacks_unreached,
            "csat_mean": ratio(self.csat_sum, self.csat_count),
            "csat_count": self.csat_count,
            "messages": dict(self.messages),
            "offers_made": self.offers_made,
            "offers_accepted": self.offers_accepted,
            "offers_declined": self.offers_declined,
            "offers_expired": self.offers_expired,
            "offers_withdrawn": self.offers_withdrawn,
            "connections_failed": self.connections_failed,
            "wait_histogram": {
                "bounds_s": list(WAIT_BOUNDS_S),
                "answered": list(self.waits),
                "abandoned": list(self.abandon_waits),
            },
        }

    def service_levels(self) -> dict[str, float | None]:
        """Each product's service level over the same counts; formulas and sources in `docs/figures.md`."""
        met = self.answered_in_target
        decided = self.offered - len(self.waiting)
        asterisk = self.answered + self.abandoned
        left_queue_in_target = met + self.abandoned_in_target + self.became_callbacks_in_target
        return {
            "of_offered": ratio(met, decided),
            "of_answered": ratio(met, self.answered),
            "of_patient": ratio(met, decided - self.abandoned_in_target),
            "asterisk_sl": ratio(met, self.answered),
            "asterisk_sl2": ratio(met + self.abandoned_in_target, asterisk),
            "genesys": ratio(met, asterisk),
            "genesys_without_short_abandons": ratio(met, asterisk - self.short_abandons),
            "genesys_with_flow_outs": ratio(met, asterisk + self.flowed_out),
            "amazon_connect": ratio(left_queue_in_target, self.offered),
        }


_RULES: Final = frozenset({"answer_target_ns", "short_abandon_ns"})
_LARGEST: Final = frozenset({"wait_ns_max", "abandon_wait_ns_max"})
NUMBERS: Final = tuple(
    one.name for one in fields(QueueTally) if one.type == "int" and one.name not in _RULES | _LARGEST
)
"""The counts and sums of times, which only grow."""


def added(tallies: Iterable[QueueTally]) -> QueueTally:
    """All queues as one. Targets differ between queues, so the sum has none of its own."""
    total = QueueTally()
    for tally in tallies:
        for name in NUMBERS:
            setattr(total, name, getattr(total, name) + getattr(tally, name))
        for name in _LARGEST:
            setattr(total, name, max(getattr(total, name), getattr(tally, name)))
        for outcome, count in tally.outcomes.items():
            total.outcomes[outcome] = total.outcomes.get(outcome, 0) + count
        for author, count in tally.messages.items():
            total.messages[author] = total.messages.get(author, 0) + count
        total.waits = [sum(pair) for pair in zip(total.waits, tally.waits, strict=True)]
        total.abandon_waits = [
            sum(pair) for pair in zip(total.abandon_waits, tally.abandon_waits, strict=True)
        ]
        total.waiting |= tally.waiting
        total.callbacks_waiting |= tally.callbacks_waiting
    return total


@dataclass(slots=True)
class AgentTally:
    """The counts of one agent, and the state the agent's time runs in now."""

    state: int = OFFLINE
    since_ns: int = 0
    status: int = OFFLINE
    """What the agent chose, as a state: idle for available, break or offline."""
    reason: str = ""
    lost: bool = False
    offered: int = 0
    connected: int = 0
    wrapping: int = 0
    state_ns: list[int] = field(default_factory=lambda: [0] * len(AGENT_STATES))
    break_ns: dict[str, int] = field(default_factory=dict)
    contacts: int = 0
    consultations: int = 0
    talk_ns: int = 0
    hold_ns: int = 0
    wrap_up_ns: int = 0
    offers_made: int = 0
    offers_accepted: int = 0
    offers_declined: int = 0
    offers_expired: int = 0
    offers_withdrawn: int = 0
    transfers: int = 0
    csat_sum: int = 0
    csat_count: int = 0

    def settle(self, at_ns: int) -> None:
        """Find the state that follows from status and works; when it changed, close the old one's time."""
        if self.status == OFFLINE:
            state = OFFLINE
        elif self.lost:
            state = LOST
        elif self.connected:
            state = CONNECTED
        elif self.offered:
            state = OFFERED
        elif self.wrapping:
            state = WRAPPING
        else:
            state = self.status
        before = self.state
        if state != before:
            # `close`, written out: this happens five times in every contact's life.
            spent_ns = at_ns - self.since_ns
            self.state_ns[before] += spent_ns
            if before == BREAK and spent_ns:
                self.break_ns[self.reason] = self.break_ns.get(self.reason, 0) + spent_ns
            self.since_ns = at_ns
            self.state = state

    def close(self, at_ns: int) -> None:
        """Book the time of the present state until now."""
        spent_ns = at_ns - self.since_ns
        self.state_ns[self.state] += spent_ns
        if self.state == BREAK and spent_ns:
            self.break_ns[self.reason] = self.break_ns.get(self.reason, 0) + spent_ns
        self.since_ns = at_ns

    def anew(self, at_ns: int) -> AgentTally:
        """The same agent in the same state, of which nothing has been counted before a moment."""
        return AgentTally(
            state=self.state,
            since_ns=at_ns,
            status=self.status,
            reason=self.reason,
            lost=self.lost,
            offered=self.offered,
            connected=self.connected,
            wrapping=self.wrapping,
        )

    def as_dict(self, now_ns: int) -> dict[str, Any]:
        """The figures of `docs/figures.md`, the running state counted until now."""
        state_ns, break_ns = list(self.state_ns), dict(self.break_ns)
        if self.since_ns:
            running_ns = max(0, now_ns - self.since_ns)
            state_ns[self.state] += running_ns
            if self.state == BREAK:
                break_ns[self.reason] = break_ns.get(self.reason, 0) + running_ns
        busy_ns = state_ns[CONNECTED] + state_ns[WRAPPING]
        times = zip(AGENT_STATES, state_ns, strict=True)
        return {
            "state": AGENT_STATES[self.state],
            "since_ns": self.since_ns,
            "time_s": {name: seconds(spent) for name, spent in times if name != "offline"},
            "break_s": {reason: seconds(spent) for reason, spent in sorted(break_ns.items())},
            "signed_in_s": seconds(sum(state_ns) - state_ns[OFFLINE]),
            "occupancy": ratio(busy_ns, busy_ns + state_ns[OFFERED] + state_ns[IDLE]),
            "contacts": self.contacts,
            "consultations": self.consultations,
            "aht_s": mean_s(self.talk_ns + self.hold_ns + self.wrap_up_ns, self.contacts),
            "talk_s": mean_s(self.talk_ns, self.contacts),
            "hold_s": mean_s(self.hold_ns, self.contacts),
            "wrap_up_s": mean_s(self.wrap_up_ns, self.contacts),
            "offers_made": self.offers_made,
            "offers_accepted": self.offers_accepted,
            "offers_declined": self.offers_declined,
            "offers_expired": self.offers_expired,
            "offers_withdrawn": self.offers_withdrawn,
            "transfers": self.transfers,
            "csat_mean": ratio(self.csat_sum, self.csat_count),
            "csat_count": self.csat_count,
        }
