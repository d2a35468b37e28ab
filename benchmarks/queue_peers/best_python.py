"""The best pure Python we can write for the same rule: what a careful engineer has without a compiler.

Interned ints throughout. A lane is a requirement: a deque of those who came in order, a heap for the few who
did not (a changed priority, a ring), its oldest key kept in one list of heads. Whoever is freed takes the
least head of the lanes their profile meets: one `itemgetter` and one `min`, both in C, faster here than a heap
of heads with lazy repair, since every take makes the head of that lane stale for all its crews. Removal
is lazy. An arrival looks for idle agents in two ways and takes the cheaper: the least head of the crews that meet
the requirement, or, where the idle are few or the crews many, along the idle in the order of their idleness. Where nearly all
sets are distinct the table of crews would have thousands of millions of entries; there the idle are also kept by skill.

A key is the contact's number less its priority in the high bits, so that comparing is one int comparison.
"""

from __future__ import annotations

import tracemalloc
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import combinations, islice
from operator import itemgetter
from typing import Final

from queue_peers.work import (
    ABANDON,
    ARRIVE,
    ARRIVE_WITH_RING,
    FINISH,
    PRIORITY,
    SKILLS_N,
    Event,
    Pair,
    Snapshot,
)

NOBODY: Final = -1
NONE: Final = 1 << 60
"""Stands for the head of an empty lane or crew."""
PRIORITY_SHIFT: Final = 40
CONTACT: Final = (1 << PRIORITY_SHIFT) - 1
CREWS_TABLE_MAX: Final = 10_000
"""Up to so many distinct profiles, each requirement keeps the list of those that meet it."""
GETTERS_MAX: Final = 20_000
"""So many profiles keep their lanes, found when first needed; past it the memory is given back and filled anew."""
WALK_MIN: Final = 8
STEPS_WORTH_A_HEAD: Final = 4
"""Looking at one idle agent takes as long as this many heads of crews."""
MIN_WORTH: Final = 200
"""With more crews than this, a walk along the idle is tried before their least head is sought."""
TRACED_MAX: Final = 200_000
"""Past so many waiting, tracing what they allocate takes too long."""


class PythonQueue:
    """First come first served within priorities, skills with levels, the longest idle agent first."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._requirements = snapshot.requirements
        self._profile_of = snapshot.profile_of
        self._levels = [_levels(skills) for skills in snapshot.profiles]
        self._skills = [[skill for skill, _ in skills] for skills in snapshot.profiles]
        self._lanes_by_set = _by_set(snapshot.requirements)
        self._fifo: list[deque[int]] = [deque() for _ in snapshot.requirements]
        self._odd: list[list[int]] = [[] for _ in snapshot.requirements]
        self._head = [NONE] * (
            len(snapshot.requirements) + 1
        )  # the last stays empty: for profiles without lanes
        self._lane_of: dict[int, int] = {}  # who waits where they came
        self._moved: dict[int, tuple[int, int]] = {}  # who waits elsewhere: (lane, key)
        self._getters: dict[int, Callable[[list[int]], tuple[int, ...]]] = {}
        self._idle: OrderedDict[int, int] = OrderedDict()  # stamp -> agent, the longest idle first
        self._stamp = 0
        self._crew: list[deque[int]] = [deque() for _ in snapshot.profiles]
        self._crew_head = [NONE] * (len(snapshot.profiles) + 1)
        self._crews_of: list[Callable[[list[int]], tuple[int, ...]]] | None = None
        self._crews_n = [1] * len(snapshot.requirements)
        self._by_skill: list[OrderedDict[int, int]] | None = None
        if len(snapshot.profiles) <= CREWS_TABLE_MAX:
            self._learn_crews(len(snapshot.profiles))
        else:
            self._by_skill = [OrderedDict() for _ in range(SKILLS_N)]

    def _learn_crews(self, profiles: int) -> None:
        crews: list[list[int]] = [[] for _ in self._requirements]
        for profile in range(profiles):
            lanes = self._lanes(profile)
            self._getters[profile] = itemgetter(*lanes, -1, -1)
            for lane in lanes:
                crews[lane].append(profile)
        self._crews_n = [len(found) or 1 for found in crews]
        self._crews_of = [itemgetter(*found, -1, -1) for found in crews]

    def _lanes(self, profile: int) -> list[int]:
        """The lanes that a profile meets: of each set of its skills those whose levels it has."""
        levels, skills = self._levels[profile], self._skills[profile]
        found = []
        for many in (1, 2, 3):
            for chosen in combinations(skills, many):
                for needed, lane in self._lanes_by_set.get(chosen, ()):
                    if all(levels[skill] >= level for skill, level in zip(chosen, needed, strict=True)):
                        found.append(lane)
        return found

    def _getter(self, profile: int) -> Callable[[list[int]], tuple[int, ...]]:
        if len(self._getters) >= GETTERS_MAX:
            self._getters.clear()
        made = itemgetter(*self._lanes(profile), -1, -1)
        self._getters[profile] = made
        return made

    def wait(self, contact: int, lane: int, priority: int) -> None:
        """Put a contact in place, nobody idle being able to take it."""
        if priority:
            self._file_odd(contact, lane, contact - (priority << PRIORITY_SHIFT))
            return
        self._lane_of[contact] = lane
        self._fifo[lane].append(contact)
        if contact < self._head[lane]:
            self._head[lane] = contact

    def _file_odd(self, contact: int, lane: int, key: int) -> None:
        self._moved[contact] = (lane, key)
        heappush(self._odd[lane], key)
        if key < self._head[lane]:
            self._head[lane] = key

    def arrive(self, contact: int, lane: int) -> int:
        """The agent who gets a new contact at once, or NOBODY."""
        if self._idle and (agent := self._idle_for(lane)) != NOBODY:
            return agent
        self._lane_of[contact] = lane
        self._fifo[lane].append(contact)
        if contact < self._head[lane]:
            self._head[lane] = contact
        return NOBODY

    def finish(self, agent: int) -> int:
        """The contact that a freed agent gets, or NOBODY: then they are idle."""
        if not self._lane_of and not self._moved:
            self.rest(agent)
            return NOBODY
        profile = self._profile_of[agent]
        lanes = self._getters.get(profile) or self._getter(profile)
        key = min(lanes(self._head))
        if key == NONE:
            self.rest(agent)
            return NOBODY
        contact = key & CONTACT
        lane = self._lane_of.pop(contact, NOBODY)
        if lane == NOBODY:
            lane, _ = self._moved.pop(contact)
        odd = self._odd[lane]
        if odd:
            self._settle(lane)
            return contact
        fifo, lane_of = self._fifo[lane], self._lane_of
        fifo.popleft()
        while fifo and fifo[0] not in lane_of:
            fifo.popleft()
        self._head[lane] = fifo[0] if fifo else NONE
        return contact

    def _settle(self, lane: int) -> None:
        """Let go of who has left, and find the head anew."""
        fifo, odd = self._fifo[lane], self._odd[lane]
        while fifo and fifo[0] not in self._lane_of:
            fifo.popleft()
        while odd and self._moved.get(odd[0] & CONTACT) != (lane, odd[0]):
            heappop(odd)
        head = fifo[0] if fifo else NONE
        self._head[lane] = min(head, odd[0]) if odd else head

    def abandon(self, contact: int) -> None:
        """A waiting contact is gone."""
        self._leave(contact)

    def _leave(self, contact: int) -> tuple[int, int]:
        lane = self._lane_of.pop(contact, NOBODY)
        lane, key = self._moved.pop(contact) if lane == NOBODY else (lane, contact)
        if self._head[lane] == key:
            self._settle(lane)
        return lane, key

    def change_priority(self, contact: int, priority: int) -> None:
        """A waiting contact weighs more or less."""
        lane, _ = self._leave(contact)
        self._file_odd(contact, lane, contact - (priority << PRIORITY_SHIFT))

    def ring(self, contact: int, lane: int) -> int:
        """A contact asks for something else from now on; the agent who gets it, or NOBODY."""
        if contact not in self._lane_of and contact not in self._moved:
            return NOBODY
        _, key = self._leave(contact)
        if self._idle and (agent := self._idle_for(lane)) != NOBODY:
            return agent
        self._file_odd(contact, lane, key)
        return NOBODY

    def rest(self, agent: int) -> None:
        """An agent has nothing to do."""
        stamp = self._stamp = self._stamp + 1
        self._idle[stamp] = agent
        profile = self._profile_of[agent]
        if self._by_skill is not None:
            for skill in self._skills[profile]:
                self._by_skill[skill][stamp] = agent
            return
        self._crew[profile].append(stamp)
        if self._crew_head[profile] == NONE:
            self._crew_head[profile] = stamp

    def _idle_for(self, lane: int) -> int:
        crews_n = self._crews_n[lane]
        walk_max = len(self._idle)
        if self._crews_of is not None:
            if crews_n <= STEPS_WORTH_A_HEAD * walk_max and crews_n <= MIN_WORTH:
                return self._idle_by_crew(lane)
            walk_max = min(walk_max, WALK_MIN + 2 * len(self._crew) // crews_n)
        elif walk_max > WALK_MIN:
            return self._idle_by_skill(self._requirements[lane])
        needed, levels, profile_of = self._requirements[lane], self._levels, self._profile_of
        for stamp, agent in islice(self._idle.items(), walk_max):
            had = levels[profile_of[agent]]
            for skill, level in needed:
                if had[skill] < level:
                    break
            else:
                return self._rouse(stamp)
        return NOBODY if walk_max == len(self._idle) else self._idle_by_crew(lane)

    def _idle_by_crew(self, lane: int) -> int:
        assert self._crews_of is not None
        stamp = min(self._crews_of[lane](self._crew_head))
        return NOBODY if stamp == NONE else self._rouse(stamp)

    def _idle_by_skill(self, needed: tuple[tuple[int, int], ...]) -> int:
        assert self._by_skill is not None
        for stamp, agent in min((self._by_skill[skill] for skill, _ in needed), key=len).items():
            had = self._levels[self._profile_of[agent]]
            for skill, level in needed:
                if had[skill] < level:
                    break
            else:
                return self._rouse(stamp)
        return NOBODY

    def _rouse(self, stamp: int) -> int:
        agent = self._idle.pop(stamp)
        profile = self._profile_of[agent]
        if self._by_skill is not None:
            for skill in self._skills[profile]:
                del self._by_skill[skill][stamp]
        elif self._crew_head[profile] == stamp:
            crew, idle = self._crew[profile], self._idle
            while crew and crew[0] not in idle:
                crew.popleft()
            self._crew_head[profile] = crew[0] if crew else NONE
        return agent


def _levels(skills: tuple[tuple[int, int], ...]) -> bytes:
    made = bytearray(SKILLS_N)
    for skill, level in skills:
        made[skill] = level
    return bytes(made)


def _by_set(
    requirements: list[tuple[tuple[int, int], ...]],
) -> dict[tuple[int, ...], list[tuple[tuple[int, ...], int]]]:
    found: dict[tuple[int, ...], list[tuple[tuple[int, ...], int]]] = {}
    for lane, skills in enumerate(requirements):
        chosen = tuple(skill for skill, _ in skills)
        found.setdefault(chosen, []).append((tuple(level for _, level in skills), lane))
    return found


class BestPython:
    """The peer."""

    name = "best pure Python"
    in_process = True

    def load(self, snapshot: Snapshot) -> None:
        self.queue = PythonQueue(snapshot)
        for agent in snapshot.idle:
            self.queue.rest(agent)
        self._waiting_bytes: int | None = None
        traced = len(snapshot.waiting) <= TRACED_MAX
        if traced:
            tracemalloc.start()
        for contact, lane, priority in snapshot.waiting:
            self.queue.wait(contact, lane, priority)
        if traced:
            self._waiting_bytes, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()

    def play(self, events: Sequence[Event]) -> list[Pair]:
        queue = self.queue
        finish, arrive = queue.finish, queue.arrive
        made: list[Pair] = []
        for kind, contact, other, _ in events:
            if kind == FINISH:
                taken = finish(other)
                if taken != NOBODY:
                    made.append((taken, other))
            elif kind in (ARRIVE, ARRIVE_WITH_RING):
                agent = arrive(contact, other)
                if agent != NOBODY:
                    made.append((contact, agent))
            elif kind == ABANDON:
                queue.abandon(contact)
            elif kind == PRIORITY:
                queue.change_priority(contact, other)
            else:
                agent = queue.ring(contact, other)
                if agent != NOBODY:
                    made.append((contact, agent))
        return made

    def waiting_bytes(self) -> int | None:
        """What putting them in has allocated; the ints of the contacts themselves, 32 bytes each, not counted."""
        return self._waiting_bytes

    def close(self) -> None:
        del self.queue
