"""The queue of this repository through its Python API: one fused call an event, or batches; and the naive one."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

from centralita.matching import BATCH_CODES, MatchingQueue, NaiveMatchingQueue
from queue_peers.peer import Skipped
from queue_peers.work import (
    ABANDON,
    ARRIVE,
    ARRIVE_WITH_RING,
    FINISH,
    LADDERS_MAX,
    PRIORITY,
    RING,
    SKILLS_N,
    Event,
    Pair,
    Snapshot,
    intern,
)

BATCH_EVENTS: Final = 64
NAIVE_PAIRS_MAX: Final = 100_000
"""The specification looks at each contact with each agent; past so many combinations it is left out."""


class _Loaded:
    def __init__(self, queue: MatchingQueue) -> None:
        self.queue = queue

    def load(self, snapshot: Snapshot) -> None:
        queue = self.queue
        for number in range(SKILLS_N):
            queue.skill(f"skill {number}")
        medium = queue.medium("voice")
        self.order = queue.order(["longest_idle"])
        self.ladders = min(len(snapshot.requirements), LADDERS_MAX)
        intern(queue, snapshot.requirements, snapshot.profiles)
        since = {agent: at - len(snapshot.idle) for at, agent in enumerate(snapshot.idle)}
        rows = array("q")
        for agent, profile in enumerate(snapshot.profile_of):
            rows.extend((agent, profile, 1, since.get(agent, 0), 0, 0))
        queue.load_agents(rows)
        queued_ns = snapshot.queued_ns
        ladder = {contact: ladder for _, contact, ladder in snapshot.rings}
        rows = array("q")
        for contact, lane, priority in snapshot.waiting:
            rows.extend((contact, lane, self.order, queued_ns[contact], 0, priority, 1000))
            rows.extend((ladder.get(contact, -1), 0, -1, 0, 1))
        for contact, lane in snapshot.in_hand.values():
            rows.extend((contact, lane, self.order, queued_ns[contact], 0, 0, 1000))
            rows.extend((ladder.get(contact, -1), 0, -1, 0, 0))
        queue.load_contacts(rows)
        for agent, (contact, _) in snapshot.in_hand.items():
            queue.hold(contact, agent, medium=medium, units=100, tentative=False)
        assert queue.match(now_ns=snapshot.now_ns) == [], "the snapshot left someone unmatched"

    def close(self) -> None:
        del self.queue


class Fused(_Loaded):
    """One call an event, as the engine makes them."""

    name = "Centralita, a call an event"
    in_process = True

    def __init__(self) -> None:
        super().__init__(MatchingQueue())

    def play(self, events: Sequence[Event]) -> list[Pair]:
        queue, order = self.queue, self.order
        finish, arrive = queue.finish_then_match, queue.enqueue_then_match
        made: list[Pair] = []
        for kind, contact, other, now_ns in events:
            if kind == FINISH:
                made += finish(contact, other, now_ns)
            elif kind == ARRIVE:
                made += arrive(contact, other, order, now_ns, now_ns)
            else:
                if kind == ARRIVE_WITH_RING:
                    queue.enqueue(contact, other, order, queued_ns=now_ns, ladder=contact % self.ladders)
                elif kind == ABANDON:
                    queue.drop(contact, now_ns=now_ns)
                elif kind == PRIORITY:
                    queue.change(contact, priority=other)
                elif kind == RING:
                    queue.advance(now_ns=now_ns)
                made += queue.match(now_ns=now_ns)
        return made

    def waiting_bytes(self) -> int | None:
        return self.queue.memory()["waiting"]


class Batched(Fused):
    """The same events in batches of BATCH_EVENTS; the batch's tuples are made while the clock runs."""

    name = f"Centralita, batches of {BATCH_EVENTS}"

    def play(self, events: Sequence[Event]) -> list[Pair]:
        codes = BATCH_CODES
        match, advance, enqueue = codes["match"], codes["advance"], codes["enqueue"]
        drop, change_priority, finish = codes["drop"], codes["change_priority"], codes["finish"]
        batch, order = self.queue.batch, self.order
        made: list[Pair] = []
        for start in range(0, len(events), BATCH_EVENTS):
            operations: list[tuple[int, ...]] = []
            add = operations.append
            for kind, contact, other, now_ns in events[start : start + BATCH_EVENTS]:
                if kind == FINISH:
                    add((finish, contact, other, now_ns))
                elif kind == ARRIVE:
                    add((enqueue, contact, other, order, now_ns))
                elif kind == ARRIVE_WITH_RING:
                    add((enqueue, contact, other, order, now_ns, 0, 0, 1000, contact % self.ladders))
                elif kind == ABANDON:
                    add((drop, contact, now_ns))
                elif kind == PRIORITY:
                    add((change_priority, contact, other))
                elif kind == RING:
                    add((advance, now_ns))
                add((match, now_ns))
            made += batch(operations)
        return made


class Naive(Fused):
    """The specification: everything recomputed."""

    name = "Centralita's naive specification"

    def __init__(self) -> None:
        _Loaded.__init__(self, NaiveMatchingQueue())  # type: ignore[arg-type]  # the same protocol

    def load(self, snapshot: Snapshot) -> None:
        combinations = len(snapshot.waiting) * len(snapshot.profile_of)
        if combinations > NAIVE_PAIRS_MAX:
            raise Skipped(f"{combinations:,} combinations of contact and agent a match")
        super().load(snapshot)

    def waiting_bytes(self) -> int | None:
        return None
