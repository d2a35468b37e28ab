"""What a recording does not say and a replay must know, read off what it shows.

Who can serve what: what they often served. Who was there: from the first service of a day to the last, less every
gap longer than `away_after`, and less the time in which a customer of a kind that the agent usually serves waited
in vain while the agent did nothing: free agents don't let customers wait. How long after-call work takes: the gap between the end of a service and the
same agent's next one, where that next customer had been waiting already when the first left, so that nothing but the
agent's own work lay between. Such gaps are a little too short on average: in a long one somebody else takes the
customer, and it is not seen.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from centralita.config import Agent, ChannelRule, EngineConfig, Limits, Queue
from centralita.simulate.recorded import Presence, Recorded, Recording

SERVED_MIN: Final = 5
"""An agent is taken to be able to serve a kind of which the recording shows this many services."""
GAPS_MIN: Final = 20
"""With fewer gaps than this, a kind's after-call work is that of all kinds; with fewer of those, none."""
GAP_NS_MAX: Final = 600_000_000_000
"""Longer gaps are breaks."""
ABSENT_NS: Final = 15_000_000_000
"""Whoever lets a customer wait for longer than this, with nothing to do, is away: nine in ten gaps
between two calls, with the next customer waiting, are shorter in the bank's month."""
USUAL_SHARE: Final = 0.1
"""A kind is usual for an agent when it is this part of their services."""
CHANNEL: Final = "recorded"
SELF_SERVICE: Final = "self_service"
_NS: Final = 1_000_000_000


def abilities(contacts: Sequence[Recorded]) -> dict[str, list[str]]:
    """The kinds that each agent is taken to be able to serve: those often served, or the commonest."""
    served: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for contact in contacts:
        if contact.agent and contact.outcome == "served":
            served[contact.agent][contact.kind] += 1
    return {
        agent: sorted(kind for kind, n in kinds.items() if n >= SERVED_MIN)
        or [max(kinds, key=lambda k: kinds[k])]
        for agent, kinds in sorted(served.items())
    }


def mean_handling(contacts: Sequence[Recorded]) -> dict[str, int]:
    """The mean handling time of each kind, in ns; 0 for one never served."""
    total: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for contact in contacts:
        total[contact.kind][0] += contact.handling_ns if contact.outcome == "served" else 0
        total[contact.kind][1] += contact.outcome == "served"
    return {kind: spent_ns // max(1, n) for kind, (spent_ns, n) in total.items()}


def services(contacts: Sequence[Recorded]) -> dict[str, list[tuple[int, int, Recorded]]]:
    """(from, until, contact) of each agent's services, in order."""
    found: dict[str, list[tuple[int, int, Recorded]]] = defaultdict(list)
    for contact in contacts:
        if contact.agent and contact.outcome == "served" and contact.queued_ns is not None:
            start_ns = contact.queued_ns + contact.waited_ns
            found[contact.agent].append((start_ns, start_ns + contact.handling_ns, contact))
    for spans in found.values():
        spans.sort(key=lambda span: span[:2])
    return found


def presences(contacts: Sequence[Recorded], away_after_ns: int) -> list[Presence]:
    """Every stretch in which an agent was there, in order of time."""
    waiting = _long_waits(contacts)
    usual = _usual_kinds(contacts)
    stretches: list[Presence] = []

    def there(agent: str, from_ns: int, until_ns: int) -> None:
        stretches.append(Presence(agent=agent, from_ns=from_ns, until_ns=until_ns))

    for agent, spans in services(contacts).items():
        start_ns, end_ns, _ = spans[0]
        for next_ns, until_ns, _ in spans[1:]:
            if next_ns - end_ns > away_after_ns:
                there(agent, start_ns, end_ns)
                start_ns = next_ns
            elif next_ns - end_ns >= ABSENT_NS:
                in_vain = [span for kind in usual[agent] for span in waiting[kind].within(end_ns, next_ns)]
                if in_vain:
                    there(agent, start_ns, min(from_ns for from_ns, _ in in_vain))
                    start_ns = max(to_ns for _, to_ns in in_vain)
            end_ns = max(end_ns, until_ns)
        there(agent, start_ns, end_ns)
    return sorted(stretches, key=lambda stretch: (stretch.from_ns, stretch.until_ns, stretch.agent))


class _Waits:
    """Long waits of one kind, to be asked for those in a stretch of time."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []
        self.longest_ns = 0

    def within(self, from_ns: int, until_ns: int) -> list[tuple[int, int]]:
        """The parts of waits in this stretch that last at least ABSENT_NS."""
        found = []
        for index in range(bisect_left(self.spans, (from_ns - self.longest_ns, 0)), len(self.spans)):
            began_ns, ended_ns = self.spans[index]
            if began_ns >= until_ns:
                break
            low_ns, high_ns = max(began_ns, from_ns), min(ended_ns, until_ns)
            if high_ns - low_ns >= ABSENT_NS:
                found.append((low_ns, high_ns))
        return found


def _long_waits(contacts: Sequence[Recorded]) -> dict[str, _Waits]:
    waits: dict[str, _Waits] = defaultdict(_Waits)
    for contact in contacts:
        if contact.queued_ns is not None and contact.outcome != "ignored" and contact.waited_ns >= ABSENT_NS:
            waits[contact.kind].spans.append((contact.queued_ns, contact.queued_ns + contact.waited_ns))
    for found in waits.values():
        found.spans.sort()
        found.longest_ns = max(ended_ns - began_ns for began_ns, ended_ns in found.spans)
    return waits


def _usual_kinds(contacts: Sequence[Recorded]) -> dict[str, list[str]]:
    return {
        agent: [
            kind
            for kind, n in Counter(contact.kind for _, _, contact in spans).items()
            if n >= USUAL_SHARE * len(spans)
        ]
        for agent, spans in services(contacts).items()
    }


def after_call(contacts: Sequence[Recorded]) -> dict[str, int]:
    """The mean after-call work of each kind, in ns: recorded, or else estimated from the gaps."""
    gaps: dict[str, list[int]] = defaultdict(list)
    for contact in contacts:
        if contact.outcome == "served" and contact.wrap_up_ns is not None:
            gaps[contact.kind].append(contact.wrap_up_ns)
    if not gaps:
        for spans in services(contacts).values():
            for (_, end_ns, before), (start_ns, _, after) in pairwise(spans):
                waiting = after.waited_ns > 0 and after.queued_ns is not None and after.queued_ns < end_ns
                if waiting and 0 <= start_ns - end_ns <= GAP_NS_MAX:
                    gaps[before.kind].append(start_ns - end_ns)
    every = [gap for found in gaps.values() for gap in found]
    common_ns = sum(every) // len(every) if len(every) >= GAPS_MIN else 0
    kinds = sorted({contact.kind for contact in contacts})
    return {
        kind: sum(gaps[kind]) // len(gaps[kind]) if len(gaps[kind]) >= GAPS_MIN else common_ns
        for kind in kinds
    }


def config_of(recording: Recording, wrap_ups_ns: Mapping[str, int]) -> EngineConfig:
    """The centre as the recording shows it: a queue and a skill for each kind, first come first served
    but for the credit that a contact brings."""
    kinds = sorted({contact.kind for contact in recording.contacts})
    rules = {}
    for kind in kinds:
        wrap_up_s = wrap_ups_ns.get(kind, 0) / _NS
        rules[kind] = Queue(
            skills={kind: 1},
            wrap_up_s=wrap_up_s,
            wrap_up_max_s=max(600.0, wrap_up_s),
            offer_s=86_400,
            answer_target_s=recording.target_s,
            announce_every_s=0,
        )
    names = sorted({contact.channel or CHANNEL for contact in recording.contacts})
    return EngineConfig(
        skills=tuple(kinds),
        queues=rules,
        agents={
            agent: Agent(skills=dict.fromkeys(can, 1)) for agent, can in abilities(recording.contacts).items()
        },
        channels={name: ChannelRule(medium="voice", queue=kinds[0], bot=SELF_SERVICE) for name in names},
        limits=Limits(bot_turn_s=86_400),
    )
