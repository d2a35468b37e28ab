"""The work that every peer is given: a centre as it stands, the events that follow, the pairs they must make.

The compiled queue plays the events once, unmeasured, and what it was told and answered is the script. A peer
so has nothing to draw or to look up while the clock runs, and its pairs can be held against the script's.

The mixture is that of `routing_rs/examples/mixed/`, and so are the sets: 100 skills, requirements of one or
two of them (three where all are distinct) that some profile meets, profiles of five to fifteen, each agent with one
contact at a time. First come first served within a priority, the agent longest idle first. No preferences, credits,
rates, or several media: the peers have none of them, which is in their favour.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, Literal, NamedTuple, TypeAlias

from centralita.matching import MatchingQueue

Mode: TypeAlias = Literal["saturated", "slack", "mixed"]
Skills: TypeAlias = tuple[tuple[int, int], ...]
Pair: TypeAlias = tuple[int, int]

SKILLS_N: Final = 100
STEP_NS: Final = 1_000
RING_AFTER_NS: Final = 3_000_000
LADDERS_MAX: Final = 1_000
UNIQUE_FROM: Final = 100_000
"""From so many on, requirements of up to three skills at all levels are drawn: fewer would not be distinct."""
WARM_UP_MAX: Final = 200_000
DRAWS_MAX: Final = 8
"""So many draws look for a contact that still waits before an abandon is left out."""

FINISH, ARRIVE, ARRIVE_WITH_RING, ABANDON, PRIORITY, RING = range(6)


class Size(NamedTuple):
    """How large a centre is; `distinct` requirements and as many profiles."""

    waiting: int
    agents: int
    distinct: int

    def __str__(self) -> str:
        unique = ", all unique" if self.distinct >= UNIQUE_FROM else ""
        return (
            f"{self.waiting:,} waiting, {self.agents:,} agents, {self.distinct:,} × {self.distinct:,}{unique}"
        )


class Event(NamedTuple):
    """One thing that happens. `other` is the agent who finishes, the requirement that arrives (or that a
    ring leads to), the new priority."""

    kind: int
    contact: int
    other: int
    now_ns: int


@dataclass
class Snapshot:
    """A centre as it stands: what a peer loads."""

    requirements: list[Skills]
    profiles: list[Skills]
    profile_of: list[int]
    waiting: list[tuple[int, int, int]]  # (contact, requirement, priority) in order of arrival
    in_hand: dict[int, tuple[int, int]]  # agent -> (contact, requirement)
    idle: list[int]  # the longest idle first
    rings: list[tuple[int, int, int]]  # (due_ns, contact, ladder)
    queued_ns: dict[int, int]
    now_ns: int

    def tiers(self) -> Iterator[Pair]:
        """(requirement, profile) wherever the profile meets the requirement."""
        by_set: dict[tuple[int, ...], list[tuple[Skills, int]]] = {}
        for lane, skills in enumerate(self.requirements):
            by_set.setdefault(tuple(skill for skill, _ in skills), []).append((skills, lane))
        for profile, has in enumerate(self.profiles):
            levels = dict(has)
            for many in (1, 2, 3):
                for chosen in combinations(levels, many):
                    for skills, lane in by_set.get(chosen, ()):
                        if all(levels[skill] >= level for skill, level in skills):
                            yield lane, profile


@dataclass
class Script:
    """A snapshot, the events after it, and how many of `pairs` each event has made."""

    snapshot: Snapshot
    events: list[Event] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    pairs_n: array[int] = field(default_factory=lambda: array("l"))


def ladder_to(contact: int, requirements: int) -> int:
    """The requirement that the ring of a contact leads to."""
    return (contact % min(requirements, LADDERS_MAX) + 1) % requirements


class Centre:
    """The compiled queue with what the driver must know to draw the next event."""

    def __init__(self, size: Size, mode: Mode, seed: int) -> None:
        self.size, self.mode = size, mode
        self.random = random.Random(seed)
        self.queue = MatchingQueue()
        for number in range(SKILLS_N):
            self.queue.skill(f"skill {number}")
        self.medium = self.queue.medium("voice")
        self.order = self.queue.order(["longest_idle"])
        unique = size.distinct >= UNIQUE_FROM
        self.profiles = self._profiles(size.distinct)
        self.requirements = self._requirements(size.distinct, *((3, 10) if unique else (2, 5)))
        intern(self.queue, self.requirements, self.profiles)
        self.requirement: dict[int, int] = {}
        self.priority: dict[int, int] = {}
        self.queued_ns: dict[int, int] = {}
        self.rings: dict[int, int] = {}  # contact -> due
        self.in_hand: dict[int, int] = {}
        self.busy: list[int] = []
        self.busy_at: dict[int, int] = {}
        self.drawn_from: list[int] = []
        self.next = 0
        self.now_ns = 1_000_000
        self._fill()

    def _profiles(self, wanted: int) -> list[Skills]:
        made: dict[Skills, None] = {}
        draw = self.random
        while len(made) < wanted:
            skills = draw.sample(range(SKILLS_N), draw.randint(5, 15))
            made[tuple(sorted((skill, draw.randint(1, 10)) for skill in skills))] = None
        return list(made)

    def _requirements(self, wanted: int, most: int, level_max: int) -> list[Skills]:
        """Each is met by some profile: what nobody can serve would only heap up."""
        made: dict[Skills, None] = {}
        draw = self.random
        while len(made) < wanted:
            has = draw.choice(self.profiles)
            chosen = draw.sample(has, draw.randint(1, most))
            made[tuple(sorted((skill, draw.randint(1, min(had, level_max))) for skill, had in chosen))] = None
        return list(made)

    def _fill(self) -> None:
        agents = self.size.agents
        rows = array("q")
        for agent in range(agents):
            rows.extend((agent, agent % len(self.profiles), 1, agent, 0, 0))
        self.queue.load_agents(rows)
        if self.mode == "slack":
            for _ in range(agents // 2):
                self._do(self._arrival(ARRIVE))
            return
        while (missing := self.size.waiting - self.queue.waiting_n()) > 0:
            rows = array("q")
            for _ in range(missing):
                event = self._arrival(ARRIVE)
                self._know(event)
                rows.extend(
                    (event.contact, event.other, self.order, event.now_ns, 0, 0, 1000, -1, 0, -1, 0, 1)
                )
            self.queue.load_contacts(rows)
            for contact, agent in self.queue.match(now_ns=self.now_ns):
                self._gave(contact, agent)

    def _know(self, event: Event) -> None:
        self.requirement[event.contact] = event.other
        self.queued_ns[event.contact] = event.now_ns
        self.drawn_from.append(event.contact)

    def _arrival(self, kind: int) -> Event:
        contact = self.next
        self.next += 1
        self.now_ns += STEP_NS
        return Event(kind, contact, self.random.randrange(len(self.requirements)), self.now_ns)

    def draw(self) -> Event | None:
        """The next event, or None when the draw found nobody to do it to."""
        drawn = self.random.random()
        if self.mode != "mixed":
            finishes = drawn < 0.5 if self.mode == "slack" else self.next_is_finish
            return self._finish() if finishes else self._arrival(ARRIVE)
        if drawn < 0.42:
            return self._finish()
        if drawn < 0.88:
            return self._arrival(ARRIVE)
        if drawn < 0.98:
            contact = self._someone_waiting()
            self.now_ns += STEP_NS
            if contact is None:
                return None
            if drawn < 0.94:
                return Event(ABANDON, contact, 0, self.now_ns)
            return Event(PRIORITY, contact, self.random.randrange(3), self.now_ns)
        return self._arrival(ARRIVE_WITH_RING)

    next_is_finish = True

    def _finish(self) -> Event | None:
        self.now_ns += STEP_NS
        if not self.busy:
            return None
        agent = self.busy[self.random.randrange(len(self.busy))]
        return Event(FINISH, self.in_hand[agent], agent, self.now_ns)

    def _someone_waiting(self) -> int | None:
        for _ in range(DRAWS_MAX):
            contact = self.drawn_from[self.random.randrange(len(self.drawn_from))]
            if contact in self.requirement and self.queue.is_waiting(contact):
                return contact
        return None

    def play(self, script: Script | None) -> None:
        """One event and the rings that are due by it, told to the queue and noted in the script."""
        event = self.draw()
        for contact, _ in self.queue.advance(now_ns=self.now_ns):
            del self.rings[contact]
            self.requirement[contact] = ladder_to(contact, len(self.requirements))
            ring = Event(RING, contact, self.requirement[contact], self.now_ns)
            self._note(script, ring, self._match())
        if event is not None:
            self._note(script, event, self._do(event))
        self.next_is_finish = not self.next_is_finish

    def _note(self, script: Script | None, event: Event, made: list[Pair]) -> None:
        if script is not None:
            script.events.append(event)
            script.pairs += made
            script.pairs_n.append(len(script.pairs))

    def _match(self) -> list[Pair]:
        made = self.queue.match(now_ns=self.now_ns)
        for contact, agent in made:
            self._gave(contact, agent)
        return made

    def _do(self, event: Event) -> list[Pair]:
        kind, contact, other, now_ns = event
        if kind in (ARRIVE, ARRIVE_WITH_RING):
            self._know(event)
            ladder = -1
            if kind == ARRIVE_WITH_RING:
                ladder = contact % min(len(self.requirements), LADDERS_MAX)
                self.rings[contact] = now_ns + RING_AFTER_NS
            self.queue.enqueue(contact, other, self.order, queued_ns=now_ns, ladder=ladder)
        elif kind == FINISH:
            self.queue.finish(contact, other, now_ns=now_ns)
            self._freed(other)
            self._forget(contact)
        elif kind == ABANDON:
            self.queue.drop(contact, now_ns=now_ns)
            self._forget(contact)
        elif kind == PRIORITY:
            self.queue.change(contact, priority=other)
            self.priority[contact] = other
        return self._match()

    def _forget(self, contact: int) -> None:
        del self.requirement[contact], self.queued_ns[contact]
        self.priority.pop(contact, None)
        self.rings.pop(contact, None)

    def _gave(self, contact: int, agent: int) -> None:
        self.in_hand[agent] = contact
        self.busy_at[agent] = len(self.busy)
        self.busy.append(agent)

    def _freed(self, agent: int) -> None:
        del self.in_hand[agent]
        at, last = self.busy_at.pop(agent), self.busy.pop()
        if last != agent:
            self.busy[at], self.busy_at[last] = last, at

    def snapshot(self) -> Snapshot:
        """The centre now, in lists that no later event changes."""
        taken = set(self.in_hand.values())
        waiting = [
            (contact, lane, self.priority.get(contact, 0))
            for contact, lane in sorted(self.requirement.items())
            if contact not in taken
        ]
        idle = [agent for agent in range(self.size.agents) if agent not in self.in_hand]
        idle.sort(key=lambda agent: (self.queue.agent_keys(agent)[0], agent))
        return Snapshot(
            requirements=self.requirements,
            profiles=self.profiles,
            profile_of=[agent % len(self.profiles) for agent in range(self.size.agents)],
            waiting=waiting,
            in_hand={agent: (contact, self.requirement[contact]) for agent, contact in self.in_hand.items()},
            idle=idle,
            rings=sorted(
                (due_ns, contact, contact % min(len(self.requirements), LADDERS_MAX))
                for contact, due_ns in self.rings.items()
            ),
            queued_ns=dict(self.queued_ns),
            now_ns=self.now_ns,
        )


def intern(queue: MatchingQueue, requirements: list[Skills], profiles: list[Skills]) -> None:
    """The sets, so that a handle is an index; a contact takes an agent whole."""
    medium = queue.medium("voice")
    for at, skills in enumerate(requirements):
        assert queue.requirement(skills, medium, 100) == at
    for at, skills in enumerate(profiles):
        assert queue.profile(skills, 100) == at
    for at in range(min(len(requirements), LADDERS_MAX)):
        assert queue.ladder([(RING_AFTER_NS, ladder_to(at, len(requirements)), 0)]) == at


def record(size: Size, mode: Mode, *, events: int, seed: int) -> Script:
    """Play a centre warm, take the snapshot, and note so many further events."""
    centre = Centre(size, mode, seed)
    for _ in range(min(2 * size.waiting, WARM_UP_MAX)):
        centre.play(None)
    script = Script(centre.snapshot())
    while len(script.events) < events:
        centre.play(script)
    return script
