"""Who could ever serve what: the question behind most rules of the linter.

Agents with the same skills, capacity and limits are one *crew*; a set of crews is an int whose bit n
stands for crew n, so that a thousand queues and ten thousand agents are compared in a moment. Whether
an agent is present, free or busy is not asked: only what the configuration makes possible.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from centralita.config import CALLBACK_MEDIUM, OWN_MEDIUM, Agent, EngineConfig, Queue
from centralita.structs import Frozen

OVERFLOWS: Final = ("when_full", "when_waited", "when_unstaffed", "when_closed")
LEAVING: Final = ("queue", "refuse")
"""What `when_waited` may do after which the contact no longer waits in the queue."""


class Crew(Frozen):
    """Agents who can do the same."""

    like: Agent
    names: tuple[str, ...]

    @property
    def called(self) -> str:
        """For a message: the first one's name, and how many others there are."""
        others = len(self.names) - 1
        return self.names[0] if not others else f"{self.names[0]} and {others} more with the same profile"


class Reach:
    """Crews, the media that come to each queue, and who can serve which requirement."""

    def __init__(self, engine: EngineConfig) -> None:
        self._engine = engine
        self.crews = _crews(engine)
        self.everybody = (1 << len(self.crews)) - 1
        self._with_level: dict[tuple[str, int], int] = {}
        came = _media_by_queue(engine)
        self.led_to = {name for name, media in came.items() if media}
        """The queues that some channel's rule or overflow leads to."""
        self.media = {name: media - {OWN_MEDIUM} for name, media in came.items()}
        """Queue → the media that certainly come to it; a channel may keep its medium to itself."""
        used = {channel.medium for channel in engine.channels.values()}
        self.media_in_use = set(engine.media) if OWN_MEDIUM in used else used
        self._room = {name: self._crews_with_room(name) for name in engine.media}
        self._skilled = {name: self._ever_skilled(queue) for name, queue in engine.queues.items()}
        self._serving = {name: self._ever_serving(name) for name in engine.queues}

    def has(self, skill: str, level: int) -> int:
        """The crews with a skill at a level or above."""
        key = (skill, level)
        if key not in self._with_level:
            self._with_level[key] = _bits(
                number for number, crew in enumerate(self.crews) if crew.like.skills.get(skill, 0) >= level
            )
        return self._with_level[key]

    def skilled(self, need: dict[str, int]) -> int:
        """The crews with all of these skills."""
        crews = self.everybody
        for skill, level in need.items():
            crews &= self.has(skill, level)
        return crews

    def with_room(self, medium: str) -> int:
        """The crews whose capacity and limits allow at least one contact of a medium."""
        return self._room[medium]

    def media_of(self, queue: str) -> set[str]:
        """The media of a queue, or where they aren't known, any that it might be given."""
        return self.media[queue] or self.media_in_use or set(self._engine.media)

    def ever_skilled(self, queue: str) -> int:
        """The crews that have the queue's skills at some ring."""
        return self._skilled[queue]

    def serving(self, queue: str) -> int:
        """The crews that can serve the queue at some ring, on some of its media."""
        return self._serving[queue]

    def agents_n(self, crews: int) -> int:
        """How many agents a set of crews has."""
        return sum(len(crew.names) for crew in self.of(crews))

    def of(self, crews: int) -> list[Crew]:
        """The crews of a set."""
        found: list[Crew] = []
        while crews:
            lowest = crews & -crews
            found.append(self.crews[lowest.bit_length() - 1])
            crews ^= lowest
        return found

    def _ever_skilled(self, queue: Queue) -> int:
        crews = 0
        for need in rungs(queue):
            crews |= self.skilled(need)
        return crews

    def _ever_serving(self, queue: str) -> int:
        room = 0
        for medium in self.media_of(queue):
            room |= self.with_room(medium)
        return self._skilled[queue] & room

    def _crews_with_room(self, medium: str) -> int:
        rule = self._engine.media[medium]
        return _bits(
            number
            for number, crew in enumerate(self.crews)
            if crew.like.capacity >= rule.units and limit_of(crew.like, medium, rule.max_per_agent) != 0
        )


def limit_of(agent: Agent, medium: str, max_per_agent: int | None) -> int | None:
    """How many contacts of a medium an agent may have at once; None: as many as capacity allows."""
    return agent.limits.get(medium, max_per_agent)


def rungs(queue: Queue) -> list[dict[str, int]]:
    """What the queue requires before its first ring, and after each; rings are cumulative."""
    need = dict(queue.skills)
    found = [need]
    for ring in queue.rings:
        need = {skill: level for skill, level in need.items() if skill not in ring.drop}
        for skill, level in ring.lower.items():
            if skill in need:
                need[skill] = min(need[skill], level)
        found.append(need)
    return found


def leaves_after_s(queue: Queue) -> float | None:
    """When a waiting contact is taken out of the queue; None: it may wait for ever."""
    return queue.max_wait_s if queue.when_waited.do in LEAVING else None


def _crews(engine: EngineConfig) -> list[Crew]:
    grouped: dict[object, list[str]] = {}
    for name, agent in engine.agents.items():
        profile = (frozenset(agent.skills.items()), agent.capacity, frozenset(agent.limits.items()))
        grouped.setdefault(profile, []).append(name)
    return [Crew(like=engine.agents[names[0]], names=tuple(names)) for names in grouped.values()]


def _bits(numbers: Iterable[int]) -> int:
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits


def _media_by_queue(engine: EngineConfig) -> dict[str, set[str]]:
    media: dict[str, set[str]] = {name: set() for name in engine.queues}
    for channel in engine.channels.values():
        first = channel.queue or engine.default_queue
        if first in media:
            media[first].add(channel.medium)
    # A queue gains at most every medium, and is visited again only when it has gained one.
    pending = [name for name, known in media.items() if known]
    while pending:
        name = pending.pop()
        queue = engine.queues[name]
        for field in OVERFLOWS:
            overflow = getattr(queue, field)
            if overflow.do == "callback":
                media[name].add(CALLBACK_MEDIUM)
        for field in OVERFLOWS:
            overflow = getattr(queue, field)
            if overflow.do == "queue" and not media[name] <= media[overflow.queue]:
                media[overflow.queue] |= media[name]
                pending.append(overflow.queue)
    return media
