"""What the specification keeps: rules by handle, contacts, agents, and in whose hands a contact is.

It changes as it is told and asks nothing: who gets whom is in `rule.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a contact requires: the least level of each skill, and what it takes of an agent."""

    skills: tuple[tuple[int, int], ...]
    medium: int
    units: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What an agent brings: skills with levels, room, contacts at most by medium, ranks by group."""

    skills: tuple[tuple[int, int], ...]
    capacity: int
    limits: tuple[tuple[int, int], ...]
    ranks: tuple[tuple[int, int], ...]
    levels: dict[int, int] = field(compare=False)  # `skills` again, by skill


@dataclass(frozen=True, slots=True)
class Order:
    """How agents are compared for a contact, and how many are asked at once."""

    keys: tuple[str, ...]
    offer_to: int
    rank_group: int
    seed: int
    reserve_after_ns: int


Ladder = tuple[tuple[int, int, int], ...]
"""Rungs in order: (after so many ns of waiting, the requirement from then on, what is added to the priority)."""


@dataclass(slots=True)
class Contact:
    """Somebody who waits or is being asked for or served; rules by their handles."""

    id: int
    requirement: int
    order: int
    queued_ns: int
    credit_ns: int
    priority: int
    rate: int
    ladder: int
    rung: int
    preferred: int
    preferred_until_ns: int
    excluded: set[int]
    waiting: bool
    pressing: bool = False  # waited past its order's `reserve_after_ns`


@dataclass(slots=True)
class Hold:
    """What a contact takes of the agent in whose hands it is."""

    medium: int
    units: int
    tentative: bool  # offered to several, accepted by none yet


@dataclass(slots=True)
class Agent:
    """Somebody who serves: since when unchanged, how many given, at which turn last, and what is in hand."""

    id: int
    profile: int
    available: bool
    since_ns: int
    given: int
    turn: int
    hands: dict[int, Hold] = field(default_factory=dict)

    def held_units(self) -> int:
        """The units in use, of all media."""
        return sum(hold.units for hold in self.hands.values())


class Interned(list[Made]):
    """Things of one kind, each kept once; its place in the list is its handle."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self._handles: dict[Made, int] = {}

    def handle(self, made: Made) -> int:
        """The handle of a thing, given out at its first mention."""
        if made not in self._handles:
            self._handles[made] = len(self)
            self.append(made)
        return self._handles[made]

    def check(self, handle: int) -> int:
        """The handle, if it was given out. Raises KeyError."""
        if not 0 <= handle < len(self):
            raise KeyError(f"{self._what} {handle}")
        return handle


class Book:
    """Everything the queue knows."""

    def __init__(self) -> None:
        self.skills: Interned[str] = Interned("skill")
        self.media: Interned[str] = Interned("medium")
        self.requirements: Interned[Requirement] = Interned("requirement")
        self.profiles: Interned[Profile] = Interned("profile")
        self.orders: Interned[Order] = Interned("order")
        self.ladders: Interned[Ladder] = Interned("ladder")
        self.interrupts: set[tuple[int, int]] = set()
        self.contacts: dict[int, Contact] = {}
        self.agents: dict[int, Agent] = {}
        self.reserved: dict[int, int] = {}  # agent who drains -> contact it drains for
        self.turn = 0

    def holders(self, contact: int) -> list[int]:
        """The agents in whose hands a contact is."""
        return sorted(agent.id for agent in self.agents.values() if contact in agent.hands)

    def give(self, contact: Contact, agents: list[Agent], now_ns: int) -> list[tuple[int, int]]:
        """The contact goes to the agents the rule chose."""
        tentative = self.orders[contact.order].offer_to > 1
        requirement = self.requirements[contact.requirement]
        for agent in agents:
            self.put(contact, agent, Hold(requirement.medium, requirement.units, tentative))
            if not tentative:
                self.stamp(agent, now_ns)
        return [(contact.id, agent.id) for agent in agents]

    def put(self, contact: Contact, agent: Agent, hold: Hold) -> None:
        """The contact waits no more, and takes its part of the agent."""
        contact.waiting = False
        self.end_reservation(contact.id)
        agent.hands[contact.id] = hold

    def stamp(self, agent: Agent, now_ns: int) -> None:
        """A contact is the agent's for good: an offer to several stamps only who accepts it."""
        self.turn += 1
        agent.since_ns, agent.given, agent.turn = now_ns, agent.given + 1, self.turn

    def take_back(self, contact: int, agent: Agent, now_ns: int) -> None:
        """The agent has the contact no more, and counts as never given it."""
        if not agent.hands.pop(contact).tentative:
            agent.since_ns, agent.given = now_ns, max(0, agent.given - 1)

    def end_reservation(self, contact: int) -> None:
        """No agent drains for the contact any more."""
        self.reserved = {agent: held for agent, held in self.reserved.items() if held != contact}
