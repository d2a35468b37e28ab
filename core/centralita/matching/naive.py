"""The specification of the matching queue: everything recomputed, nothing kept that could go stale.

Read it to learn who gets whom; test against it; never deploy it, for `match` looks at every waiting
contact and every agent each time. The compiled queue gives the same answers to the same history.
The order of contacts is Kleinrock's accumulating priority (1964), of which first come first served,
head starts and earliest deadline first are special cases; the reservation rule is in
docs/matching-queue.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from centralita.matching.protocol import (
    AGENT_ORDER_KEYS,
    BARRED_RULES,
    BATCH_CODES,
    ID_LIMIT,
    LEVEL_MAX,
    NEVER_NS,
    NOBODY,
    NUMBER_LIMIT,
    TIME_LIMIT_NS,
    Barred,
    Buffer,
)


@dataclass(frozen=True, slots=True)
class _Requirement:
    skills: tuple[tuple[int, int], ...]
    medium: int
    units: int


@dataclass(frozen=True, slots=True)
class _Profile:
    skills: tuple[tuple[int, int], ...]
    capacity: int
    limits: tuple[tuple[int, int], ...]
    ranks: tuple[tuple[int, int], ...]
    levels: dict[int, int] = field(compare=False)  # `skills` again, by skill


@dataclass(frozen=True, slots=True)
class _Order:
    keys: tuple[str, ...]
    offer_to: int
    rank_group: int
    seed: int
    reserve_after_ns: int


@dataclass(slots=True)
class _Contact:
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
class _Hold:
    medium: int
    units: int
    tentative: bool  # offered to several, accepted by none yet


@dataclass(slots=True)
class _Agent:
    id: int
    profile: int
    available: bool
    since_ns: int
    given: int
    turn: int
    hands: dict[int, _Hold] = field(default_factory=dict)


class NaiveMatchingQueue:
    """The whole protocol in plain Python, each rule in one place."""

    def __init__(self) -> None:
        self._skills: dict[str, int] = {}
        self._media: dict[str, int] = {}
        self._requirements: dict[_Requirement, int] = {}
        self._profiles: dict[_Profile, int] = {}
        self._orders: dict[_Order, int] = {}
        self._ladders: dict[tuple[tuple[int, int, int], ...], int] = {}
        self._requirement: list[_Requirement] = []
        self._profile: list[_Profile] = []
        self._order: list[_Order] = []
        self._ladder: list[tuple[tuple[int, int, int], ...]] = []
        self._interrupts: set[tuple[int, int]] = set()
        self._contacts: dict[int, _Contact] = {}
        self._agents: dict[int, _Agent] = {}
        self._reserved: dict[int, int] = {}  # agent who drains -> contact it drains for
        self._turn = 0

    # Interning.

    def skill(self, name: str) -> int:
        return self._skills.setdefault(name, len(self._skills))

    def medium(self, name: str) -> int:
        return self._media.setdefault(name, len(self._media))

    def requirement(self, skills: Iterable[tuple[int, int]], medium: int, units: int) -> int:
        made = _Requirement(self._levels(skills), self._known_medium(medium), _number("units", units))
        return _intern(made, self._requirements, self._requirement)

    def profile(
        self,
        skills: Iterable[tuple[int, int]],
        capacity: int,
        limits: Iterable[tuple[int, int]] = (),
        ranks: Iterable[tuple[int, int]] = (),
    ) -> int:
        kept_limits = _pairs("limits", limits)
        for medium, limit in kept_limits:
            self._known_medium(medium)
            _number("limit", limit)
        kept_ranks = _pairs("ranks", ranks)
        for group, rank in kept_ranks:
            _number("rank group", group)
            _number("rank", rank, least=1)
        levels = self._levels(skills)
        made = _Profile(levels, _number("capacity", capacity), kept_limits, kept_ranks, dict(levels))
        return _intern(made, self._profiles, self._profile)

    def order(
        self,
        keys: Sequence[str],
        *,
        offer_to: int = 1,
        rank_group: int = 0,
        seed: int = 0,
        reserve_after_ns: int = NEVER_NS,
    ) -> int:
        for key in keys:
            if key not in AGENT_ORDER_KEYS:
                raise ValueError(f"order key was {key!r}; known: {', '.join(AGENT_ORDER_KEYS)}")
        if len(set(keys)) != len(keys):
            raise ValueError(f"order keys {list(keys)} name one twice")
        if reserve_after_ns != NEVER_NS:
            _time("reserve_after_ns", reserve_after_ns, least=0)
        _number("offer_to", offer_to, least=1)
        _number("rank_group", rank_group)
        _within("seed", seed, 0, ID_LIMIT)
        made = _Order(tuple(keys), offer_to, rank_group, seed, reserve_after_ns)
        return _intern(made, self._orders, self._order)

    def ladder(self, rungs: Iterable[tuple[int, int, int]]) -> int:
        made = tuple((after_ns, requirement, added) for after_ns, requirement, added in rungs)
        after_before_ns = 0
        for after_ns, requirement, added in made:
            _known("requirement", requirement, self._requirement)
            _number("priority added", added, least=-NUMBER_LIMIT + 1)
            if _time("after_ns", after_ns, least=0) < after_before_ns:
                raise ValueError(f"rungs must ascend: {after_ns} ns follows {after_before_ns} ns")
            after_before_ns = after_ns
        return _intern(made, self._ladders, self._ladder)

    def set_interrupts(self, pairs: Iterable[tuple[int, int]]) -> None:
        made = {(self._known_medium(by), self._known_medium(over)) for by, over in pairs}
        self._interrupts = made

    # Agents.

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
    ) -> None:
        _within("agent", agent, 0, ID_LIMIT)
        _known("profile", profile, self._profile)
        since = _time("since_ns", _time("now_ns", now_ns) if since_ns is None else since_ns)
        _within("given", given, 0, NUMBER_LIMIT)
        _within("turn", turn, 0, ID_LIMIT)
        if agent in self._agents:
            raise ValueError(f"agent {agent} is here already")
        self._agents[agent] = _Agent(agent, profile, available, since, given, turn)
        self._turn = max(self._turn, turn)

    def set_available(self, agent: int, available: bool, *, now_ns: int) -> None:
        one = self._agents[agent]
        _time("now_ns", now_ns)
        if available and not one.available:
            one.since_ns = now_ns
        one.available = available
        if not available:
            self._reserved.pop(agent, None)

    def set_profile(self, agent: int, profile: int) -> None:
        _known("profile", profile, self._profile)
        self._agents[agent].profile = profile
        self._reserved.pop(agent, None)

    def remove_agent(self, agent: int, *, now_ns: int) -> list[int]:
        self._agents[agent]
        _time("now_ns", now_ns)
        gone = self._agents.pop(agent)
        self._reserved.pop(agent, None)
        return sorted(gone.hands)

    def agent_keys(self, agent: int) -> tuple[int, int, int]:
        one = self._agents[agent]
        return one.since_ns, one.given, one.turn

    # Contacts.

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
        preferred: int = NOBODY,
        preferred_until_ns: int = 0,
        excluded: Iterable[int] = (),
        waiting: bool = True,
    ) -> None:
        _within("contact", contact, 0, ID_LIMIT)
        _known("requirement", requirement, self._requirement)
        _known("order", order, self._order)
        _time("queued_ns", queued_ns)
        _time("credit_ns", credit_ns)
        _number("priority", priority, least=-NUMBER_LIMIT + 1)
        _number("rate", rate, least=1)
        self._check_rung(ladder, rung)
        _within("preferred", preferred, NOBODY, ID_LIMIT)
        _time("preferred_until_ns", preferred_until_ns)
        barred = {_within("excluded", agent, 0, ID_LIMIT) for agent in excluded}
        if contact in self._contacts:
            raise ValueError(f"contact {contact} is here already")
        self._contacts[contact] = _Contact(
            contact, requirement, order, queued_ns, credit_ns, priority, rate, ladder, rung,
            preferred, preferred_until_ns if preferred != NOBODY else 0, barred, waiting,
        )  # fmt: skip

    def requeue(self, contact: int, *, now_ns: int) -> None:
        one = self._contacts[contact]
        _time("now_ns", now_ns)
        for agent in self.holders(contact):
            self._take_back(contact, self._agents[agent], now_ns)
        one.waiting = True

    def drop(self, contact: int, *, now_ns: int) -> None:
        self._contacts[contact]
        _time("now_ns", now_ns)
        for agent in self.holders(contact):
            if not self._agents[agent].hands.pop(contact).tentative:
                self._agents[agent].since_ns = now_ns
        self._end_reservation(contact)
        del self._contacts[contact]

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
    ) -> None:
        one = self._contacts[contact]
        if requirement is not None:
            _known("requirement", requirement, self._requirement)
        if order is not None:
            _known("order", order, self._order)
        if priority is not None:
            _number("priority", priority, least=-NUMBER_LIMIT + 1)
        if rate is not None:
            _number("rate", rate, least=1)
        if credit_ns is not None:
            _time("credit_ns", credit_ns)
        new_ladder = one.ladder if ladder is None else ladder
        new_rung = (one.rung if ladder is None else 0) if rung is None else rung
        self._check_rung(new_ladder, new_rung)
        one.ladder, one.rung = new_ladder, new_rung
        one.requirement = one.requirement if requirement is None else requirement
        one.priority = one.priority if priority is None else priority
        one.rate = one.rate if rate is None else rate
        one.credit_ns = one.credit_ns if credit_ns is None else credit_ns
        if order is not None:
            one.order, one.pressing = order, False
        self._end_reservation(contact)

    def prefer(self, contact: int, agent: int, *, until_ns: int) -> None:
        one = self._contacts[contact]
        _within("preferred", agent, NOBODY, ID_LIMIT)
        _time("until_ns", until_ns)
        one.preferred, one.preferred_until_ns = agent, until_ns if agent != NOBODY else 0
        self._end_reservation(contact)

    def exclude(self, contact: int, agent: int) -> None:
        one = self._contacts[contact]
        one.excluded.add(_within("excluded", agent, 0, ID_LIMIT))
        self._end_reservation(contact)

    # The rule.

    def match(self, *, now_ns: int) -> list[tuple[int, int]]:
        _time("now_ns", now_ns)
        pairs: list[tuple[int, int]] = []
        while made := self._next_match(now_ns):
            pairs += made
        return pairs

    def _next_match(self, now_ns: int) -> list[tuple[int, int]]:
        """The first contact in order that has an eligible agent gets the best of them."""
        pressing: list[_Contact] = []
        available = [agent for agent in self._agents.values() if agent.available]
        for contact in self._in_order(now_ns) if available else ():
            able = [agent for agent in available if self._rule(contact, agent, now_ns) is _ELIGIBLE]
            able.sort(key=lambda agent: self._choice(contact, agent))
            chosen: list[_Agent] = []
            for agent in able:
                if len(chosen) < self._order[contact.order].offer_to and not self._reserve(pressing, agent):
                    chosen.append(agent)
            if chosen:
                return self._give(contact, chosen, now_ns)
            if contact.pressing and contact.id not in self._reserved.values():
                pressing.append(contact)
        return []

    def _reserve(self, pressing: list[_Contact], agent: _Agent) -> bool:
        """The first contact past its wait, passed by for want of room, keeps the agent for itself."""
        for contact in pressing:
            if self._drains_to(contact, agent):
                pressing.remove(contact)
                self._reserved[agent.id] = contact.id
                return True
        return False

    def _drains_to(self, contact: _Contact, agent: _Agent) -> bool:
        """Whether an agent could have the contact with empty hands."""
        empty = _Agent(agent.id, agent.profile, agent.available, 0, 0, 0)
        return self._rule(contact, empty, None) is _ELIGIBLE

    def _give(self, contact: _Contact, agents: list[_Agent], now_ns: int) -> list[tuple[int, int]]:
        tentative = self._order[contact.order].offer_to > 1
        contact.waiting = False
        self._end_reservation(contact.id)
        for agent in agents:
            self._put(contact, agent, now_ns, tentative=tentative)
        return [(contact.id, agent.id) for agent in agents]

    def _put(self, contact: _Contact, agent: _Agent, now_ns: int, *, tentative: bool) -> None:
        requirement = self._requirement[contact.requirement]
        agent.hands[contact.id] = _Hold(requirement.medium, requirement.units, tentative)
        if not tentative:
            self._stamp(agent, now_ns)

    def _stamp(self, agent: _Agent, now_ns: int) -> None:
        """A contact is the agent's for good: an offer to several stamps only who accepts it."""
        self._turn += 1
        agent.since_ns, agent.given, agent.turn = now_ns, agent.given + 1, self._turn

    def _take_back(self, contact: int, agent: _Agent, now_ns: int) -> None:
        if not agent.hands.pop(contact).tentative:
            agent.since_ns, agent.given = now_ns, max(0, agent.given - 1)

    def _end_reservation(self, contact: int) -> None:
        self._reserved = {agent: held for agent, held in self._reserved.items() if held != contact}

    def _in_order(self, now_ns: int) -> list[_Contact]:
        waiting = [contact for contact in self._contacts.values() if contact.waiting]
        return sorted(waiting, key=lambda contact: _place(contact, now_ns))

    def _bar(self, contact: _Contact, agent: _Agent, now_ns: int) -> Barred:
        """The first rule that bars an agent, with its numbers."""
        return Barred(agent.id, 1, agent.profile, *self._rule(contact, agent, now_ns))

    def _rule(self, contact: _Contact, agent: _Agent, now_ns: int | None) -> tuple[str, int, int, int]:
        """(rule, subject, needed, had); `now_ns` None asks as if nobody were reserved."""
        requirement, profile = self._requirement[contact.requirement], self._profile[agent.profile]
        medium, levels = requirement.medium, profile.levels
        if not agent.available:
            return "unavailable", -1, 1, 0
        for skill, level in requirement.skills:
            if levels.get(skill, 0) < level:
                return "skill", skill, level, levels.get(skill, 0)
        limit = dict(profile.limits).get(medium, NUMBER_LIMIT)
        held = sum(hold.medium == medium for hold in agent.hands.values())
        if held >= limit:
            return "medium_limit", medium, limit, held
        blocking = [
            hold.units for hold in agent.hands.values() if (medium, hold.medium) not in self._interrupts
        ]
        room = profile.capacity - sum(blocking)
        if room < requirement.units:
            return "capacity", medium, requirement.units, room
        if agent.id in contact.excluded:
            return "excluded", agent.id, 0, 0
        preferred = contact.preferred
        if preferred in self._agents and preferred not in contact.excluded and preferred != agent.id:
            return "preferred_other", preferred, 0, 0
        reserver = None if now_ns is None else self._reserved.get(agent.id)
        if now_ns is not None and reserver is not None:
            before = _place(self._contacts[reserver], now_ns)
            if before < _place(contact, now_ns):
                return "reserved", reserver, 0, 0
        return _ELIGIBLE

    def _choice(self, contact: _Contact, agent: _Agent) -> tuple[int, ...]:
        """What agents are compared by, smaller first; the id comes last, so it is never a draw."""
        requirement, order = self._requirement[contact.requirement], self._order[contact.order]
        profile = self._profile[agent.profile]
        values: list[int] = []
        for key in order.keys:
            match key:
                case "longest_idle":
                    values += [int(bool(agent.hands)), agent.since_ns]
                case "least_loaded":
                    values.append(self.held_units(agent.id) * 10_000 // max(1, profile.capacity))
                case "most_skilled":
                    values.append(-sum(profile.levels.get(skill, 0) for skill, _ in requirement.skills))
                case "least_flexible":
                    values.append(len(profile.skills))
                case "rank":
                    values.append(dict(profile.ranks).get(order.rank_group, 1))
                case "fewest_contacts":
                    values.append(agent.given)
                case "round_robin":
                    values.append(agent.turn)
                case _:
                    values.append(lot(order.seed, contact.id, agent.id))
        return (*values, agent.id)

    def advance(self, *, now_ns: int) -> list[tuple[int, int]]:
        _time("now_ns", now_ns)
        passed: list[tuple[int, int]] = []
        while (due := self._next_due()) and due[0] <= now_ns:
            contact = self._contacts[due[1]]
            if due == self._ring_due(contact):
                _, contact.requirement, added = self._ladder[contact.ladder][contact.rung]
                contact.priority = min(max(contact.priority + added, -NUMBER_LIMIT + 1), NUMBER_LIMIT - 1)
                contact.rung += 1
                self._end_reservation(contact.id)
                passed.append((contact.id, contact.rung))
            elif due == self._preference_due(contact):
                contact.preferred, contact.preferred_until_ns = NOBODY, 0
            else:
                contact.pressing = True
        return passed

    def _next_due(self) -> tuple[int, int] | None:
        """(when, contact) of the next ring, end of a preference or wait past which one may reserve."""
        due: list[tuple[int, int] | None] = []
        for contact in self._contacts.values():
            if contact.ladder != -1:
                due.append(self._ring_due(contact))
            if contact.preferred != NOBODY:
                due.append(self._preference_due(contact))
            if self._order[contact.order].reserve_after_ns != NEVER_NS:
                due.append(self._pressing_due(contact))
        return min((found for found in due if found is not None), default=None)

    def _ring_due(self, contact: _Contact) -> tuple[int, int] | None:
        rungs = self._ladder[contact.ladder] if contact.ladder != -1 else ()
        return (contact.queued_ns + rungs[contact.rung][0], contact.id) if contact.rung < len(rungs) else None

    def _preference_due(self, contact: _Contact) -> tuple[int, int] | None:
        return (contact.preferred_until_ns, contact.id) if contact.preferred != NOBODY else None

    def _pressing_due(self, contact: _Contact) -> tuple[int, int] | None:
        after_ns = self._order[contact.order].reserve_after_ns
        never = contact.pressing or after_ns == NEVER_NS
        return None if never else (contact.queued_ns + after_ns, contact.id)

    def next_deadline_ns(self) -> int:
        due = self._next_due()
        return NEVER_NS if due is None else due[0]

    # What becomes of an offer.

    def accept(self, contact: int, agent: int, *, now_ns: int) -> list[int]:
        winner = self._holding(contact, agent)
        _time("now_ns", now_ns)
        lost = [other for other in self.holders(contact) if other != agent]
        lost = [other for other in lost if self._agents[other].hands[contact].tentative]
        for other in lost:
            del self._agents[other].hands[contact]
        if winner.tentative:
            winner.tentative = False
            self._stamp(self._agents[agent], now_ns)
        return lost

    def give_back(self, contact: int, agent: int, *, now_ns: int, exclude: bool) -> bool:
        self._holding(contact, agent)
        _time("now_ns", now_ns)
        self._take_back(contact, self._agents[agent], now_ns)
        one = self._contacts[contact]
        if exclude:
            one.excluded.add(agent)
        one.waiting = not self.holders(contact)
        return one.waiting

    def finish(self, contact: int, agent: int, *, now_ns: int) -> None:
        self._holding(contact, agent)
        _time("now_ns", now_ns)
        del self._agents[agent].hands[contact]
        self._agents[agent].since_ns = now_ns
        if not self.holders(contact):
            del self._contacts[contact]

    def assign(self, contact: int, agent: int, *, now_ns: int) -> None:
        one, by = self._contacts[contact], self._agents[agent]
        _time("now_ns", now_ns)
        if contact in by.hands:
            raise ValueError(f"agent {agent} has contact {contact} already")
        one.waiting = False
        self._end_reservation(contact)
        self._put(one, by, now_ns, tentative=False)

    def hold(self, contact: int, agent: int, *, medium: int, units: int, tentative: bool) -> None:
        one, by = self._contacts[contact], self._agents[agent]
        self._known_medium(medium)
        _number("units", units)
        if contact in by.hands:
            raise ValueError(f"agent {agent} has contact {contact} already")
        one.waiting = False
        self._end_reservation(contact)
        by.hands[contact] = _Hold(medium, units, tentative)

    def hands(self, agent: int) -> list[tuple[int, int, int, bool]]:
        held = sorted(self._agents[agent].hands.items())
        return [(contact, hold.medium, hold.units, hold.tentative) for contact, hold in held]

    # One crossing for what an event needs.

    def enqueue_then_match(
        self, contact: int, requirement: int, order: int, queued_ns: int, now_ns: int, priority: int = 0
    ) -> list[tuple[int, int]]:
        self.enqueue(contact, requirement, order, queued_ns=queued_ns, priority=priority)
        return self.match(now_ns=now_ns)

    def finish_then_match(self, contact: int, agent: int, now_ns: int) -> list[tuple[int, int]]:
        self.finish(contact, agent, now_ns=now_ns)
        return self.match(now_ns=now_ns)

    def batch(self, operations: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
        pairs: list[tuple[int, int]] = []
        for operation in operations:
            pairs += self._run(operation) or ()
        return pairs

    def _run(self, operation: tuple[int, ...]) -> list[tuple[int, int]] | None:
        name, (code, *rest) = _batch_name(operation), operation
        match name, rest:
            case "match", (now_ns,):
                return self.match(now_ns=now_ns)
            case "advance", (now_ns,):
                self.advance(now_ns=now_ns)
            case "enqueue", (contact, requirement, order, queued_ns, *more) if len(more) <= len(
                _ENQUEUE_MORE
            ):
                credit_ns, priority, rate, ladder, rung, preferred, until_ns = (
                    *more,
                    *_ENQUEUE_MORE[len(more) :],
                )
                self.enqueue(
                    contact, requirement, order, queued_ns=queued_ns, credit_ns=credit_ns, priority=priority,
                    rate=rate, ladder=ladder, rung=rung, preferred=preferred, preferred_until_ns=until_ns,
                )  # fmt: skip
            case "requeue", (contact, now_ns):
                self.requeue(contact, now_ns=now_ns)
            case "drop", (contact, now_ns):
                self.drop(contact, now_ns=now_ns)
            case "change_priority", (contact, priority):
                self.change(contact, priority=priority)
            case "change_requirement", (contact, requirement):
                self.change(contact, requirement=requirement)
            case "prefer", (contact, agent, until_ns):
                self.prefer(contact, agent, until_ns=until_ns)
            case "exclude", (contact, agent):
                self.exclude(contact, agent)
            case "accept", (contact, agent, now_ns):
                self.accept(contact, agent, now_ns=now_ns)
            case "give_back", (contact, agent, now_ns, exclude):
                self.give_back(contact, agent, now_ns=now_ns, exclude=bool(exclude))
            case "finish", (contact, agent, now_ns):
                self.finish(contact, agent, now_ns=now_ns)
            case "assign", (contact, agent, now_ns):
                self.assign(contact, agent, now_ns=now_ns)
            case "add_agent", (agent, profile, now_ns):
                self.add_agent(agent, profile, now_ns=now_ns)
            case "set_available", (agent, available, now_ns):
                self.set_available(agent, bool(available), now_ns=now_ns)
            case "set_profile", (agent, profile):
                self.set_profile(agent, profile)
            case "remove_agent", (agent, now_ns):
                self.remove_agent(agent, now_ns=now_ns)
            case _:
                raise ValueError(f"batch operation {code} ({name}) does not take {len(rest)} numbers")
        return None

    def load_agents(self, rows: Buffer) -> None:
        for agent, profile, available, since_ns, given, turn in _rows(rows, 6):
            self.add_agent(
                agent,
                profile,
                now_ns=since_ns,
                available=bool(available),
                since_ns=since_ns,
                given=given,
                turn=turn,
            )

    def load_contacts(self, rows: Buffer) -> None:
        for row in _rows(rows, 12):
            (
                contact,
                requirement,
                order,
                queued_ns,
                credit_ns,
                priority,
                rate,
                ladder,
                rung,
                *preference,
                waiting,
            ) = row
            preferred, until_ns = preference
            self.enqueue(
                contact, requirement, order, queued_ns=queued_ns, credit_ns=credit_ns, priority=priority,
                rate=rate, ladder=ladder, rung=rung, preferred=preferred, preferred_until_ns=until_ns,
                waiting=bool(waiting),
            )  # fmt: skip

    # Questions.

    def waiting_n(self) -> int:
        return sum(contact.waiting for contact in self._contacts.values())

    def agents_n(self) -> int:
        return len(self._agents)

    def is_waiting(self, contact: int) -> bool:
        return self._contacts[contact].waiting

    def holders(self, contact: int) -> list[int]:
        self._contacts[contact]
        return sorted(agent.id for agent in self._agents.values() if contact in agent.hands)

    def reserved_for(self, agent: int) -> int:
        self._agents[agent]
        return self._reserved.get(agent, -1)

    def held_units(self, agent: int) -> int:
        return sum(hold.units for hold in self._agents[agent].hands.values())

    def ahead(self, contact: int, *, now_ns: int) -> int:
        one = self._contacts[contact]
        mine = self._capable_profiles(one.requirement)
        place = _place(one, _time("now_ns", now_ns))
        before = [
            other.requirement
            for other in self._contacts.values()
            if other.waiting and _place(other, now_ns) < place
        ]
        shared = {one: bool(mine & self._capable_profiles(one)) for one in set(before)}
        return sum(shared[requirement] for requirement in before)

    def in_order(self, *, now_ns: int, limit: int) -> list[int]:
        return [contact.id for contact in self._in_order(_time("now_ns", now_ns))[: max(0, limit)]]

    def capable_n(self, requirement: int) -> tuple[int, int]:
        _known("requirement", requirement, self._requirement)
        capable = self._capable_profiles(requirement)
        present = [agent for agent in self._agents.values() if agent.profile in capable]
        return len(present), sum(agent.available for agent in present)

    def _capable_profiles(self, requirement: int) -> set[int]:
        """The profiles of present agents that have a requirement's skills."""
        wanted = self._requirement[requirement].skills
        present = {agent.profile for agent in self._agents.values()}
        levels = {one: self._profile[one].levels for one in present}
        return {one for one in present if all(levels[one].get(skill, 0) >= level for skill, level in wanted)}

    def explain(self, contact: int, *, now_ns: int, limit: int = 100) -> list[Barred]:
        one = self._contacts[contact]
        _time("now_ns", now_ns)
        agents = sorted(self._agents.values(), key=lambda agent: self._choice(one, agent))
        lines = [self._bar(one, agent, now_ns) for agent in agents]
        if len(lines) <= limit:
            return lines
        crews: dict[tuple[int, str], list[Barred]] = {}
        for line in lines:
            crews.setdefault((line.profile, line.rule), []).append(line)
        grouped = [_speak_for(crew, crew[0].profile) for crew in crews.values()]
        grouped.sort(key=lambda line: (-BARRED_RULES.index(line.rule), line.profile))
        told, rest = grouped[: max(0, limit)], grouped[max(0, limit) :]
        for rule in reversed(BARRED_RULES):
            if same := [line for line in rest if line.rule == rule]:
                told.append(Barred(NOBODY, sum(line.agents for line in same), -1, rule, -1, 0, 0))
        return told

    def explain_choice(self, contact: int, agents: Sequence[int], *, now_ns: int) -> list[tuple[int, ...]]:
        one = self._contacts[contact]
        _time("now_ns", now_ns)
        return [self._choice(one, self._agents[agent]) for agent in agents]

    def state_hash(self) -> int:
        parts = [
            _digest(_PAIR, _text(self._medium_name(by)), _text(self._medium_name(over)))
            for by, over in self._interrupts
        ]
        for contact in self._contacts.values():
            lane = _digest(
                _LANE,
                self._requirement_hash(contact.requirement),
                self._order_hash(contact.order),
                contact.priority,
                contact.rate,
            )
            rest = _digest(
                _REST,
                self._ladder_hash(contact.ladder),
                contact.rung,
                contact.preferred,
                contact.preferred_until_ns,
                contact.pressing,
            )
            parts.append(_digest(_CONTACT, contact.id, lane, contact.queued_ns, contact.credit_ns, rest))
            parts += [_digest(_WAITING, contact.id)] if contact.waiting else []
            parts += [_digest(_EXCLUDED, contact.id, agent) for agent in contact.excluded]
        for agent in self._agents.values():
            profile = self._profile_hash(agent.profile)
            parts.append(
                _digest(_AGENT, agent.id, profile, agent.available, agent.since_ns, agent.given, agent.turn)
            )
            for held, hold in agent.hands.items():
                medium = _text(self._medium_name(hold.medium))
                parts.append(_digest(_HOLD, agent.id, held, medium, hold.units, hold.tentative))
        parts += [_digest(_RESERVED, agent, held) for agent, held in self._reserved.items()]
        return sum(parts) & _MASK

    # What a handle stands for, whatever was interned when.

    def _medium_name(self, medium: int) -> str:
        return list(self._media)[medium]

    def _skills_hash(self, skills: Iterable[tuple[int, int]]) -> int:
        names = list(self._skills)
        return sum(_digest(_SKILL, _text(names[skill]), level) for skill, level in skills)

    def _requirement_hash(self, requirement: int) -> int:
        one = self._requirement[requirement]
        return _digest(_NEED, self._skills_hash(one.skills), _text(self._medium_name(one.medium)), one.units)

    def _profile_hash(self, profile: int) -> int:
        one = self._profile[profile]
        limits = sum(_digest(_LIMIT, _text(self._medium_name(medium)), limit) for medium, limit in one.limits)
        ranks = sum(_digest(_RANK, group, rank) for group, rank in one.ranks)
        return _digest(_PROFILE, self._skills_hash(one.skills), one.capacity, limits, ranks)

    def _order_hash(self, order: int) -> int:
        one = self._order[order]
        keys = 0
        for key in one.keys:
            keys = _digest(_KEY, keys, AGENT_ORDER_KEYS.index(key))
        return _digest(_ORDER, keys, one.offer_to, one.rank_group, one.seed, one.reserve_after_ns)

    def _ladder_hash(self, ladder: int) -> int:
        hashed = 0
        for after_ns, requirement, added in self._ladder[ladder] if ladder != -1 else ():
            hashed = _digest(_RUNG, hashed, after_ns, self._requirement_hash(requirement), added)
        return hashed

    # Arguments.

    def _holding(self, contact: int, agent: int) -> _Hold:
        self._contacts[contact]
        hands = self._agents[agent].hands
        if contact not in hands:
            raise ValueError(f"agent {agent} does not have contact {contact}")
        return hands[contact]

    def _known_medium(self, medium: int) -> int:
        if not 0 <= medium < len(self._media):
            raise KeyError(medium)
        return medium

    def _levels(self, skills: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        made = _pairs("skills", skills)
        for skill, level in made:
            if not 0 <= skill < len(self._skills):
                raise KeyError(skill)
            _within("level", level, 1, LEVEL_MAX + 1)
        return made

    def _check_rung(self, ladder: int, rung: int) -> None:
        if ladder == -1:
            _within("rung", rung, 0, 1)
            return
        _known("ladder", ladder, self._ladder)
        _within("rung", rung, 0, len(self._ladder[ladder]) + 1)


def lot(seed: int, contact: int, agent: int) -> int:
    """The lot an agent draws for a contact under `random`: 63 bits of splitmix64 (Steele et al. 2014)."""
    drawn = seed
    for value in (contact, agent):
        drawn = (drawn ^ value) + 0x9E3779B97F4A7C15 & _MASK
        drawn = (drawn ^ drawn >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        drawn = (drawn ^ drawn >> 27) * 0x94D049BB133111EB & _MASK
        drawn ^= drawn >> 31
    return drawn >> 1


def _place(contact: _Contact, now_ns: int) -> tuple[int, int, int]:
    urgency = contact.rate * (now_ns - contact.queued_ns + contact.credit_ns)
    return -contact.priority, -urgency, contact.id


def _speak_for(crew: list[Barred], profile: int) -> Barred:
    """One line for agents of one profile barred by one rule: the numbers of whoever comes closest."""
    rule, numbers = crew[0].rule, [line.had for line in crew]
    had = min(numbers) if rule == "medium_limit" else max(numbers)
    subject = -1 if rule in ("excluded", "reserved") else crew[0].subject
    return Barred(NOBODY, len(crew), profile, rule, subject, crew[0].needed, had)


def _intern(made: Any, handles: dict[Any, int], kept: list[Any]) -> int:
    if made not in handles:
        handles[made] = len(kept)
        kept.append(made)
    return handles[made]


def _pairs(name: str, given: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    made = sorted((left, right) for left, right in given)
    if len({left for left, _ in made}) != len(made):
        raise ValueError(f"{name} {made} name one twice")
    return tuple(made)


def _known(name: str, handle: int, kept: Sequence[object]) -> int:
    if not 0 <= handle < len(kept):
        raise KeyError(f"{name} {handle}")
    return handle


def _within(name: str, value: int, least: int, below: int) -> int:
    if not least <= value < below:
        raise ValueError(f"{name} was {value}; allowed: {least} to {below - 1}")
    return value


def _number(name: str, value: int, least: int = 0) -> int:
    return _within(name, value, least, NUMBER_LIMIT)


def _time(name: str, value: int, least: int = -TIME_LIMIT_NS + 1) -> int:
    return _within(name, value, least, TIME_LIMIT_NS)


def _rows(rows: Buffer, columns: int) -> Iterable[tuple[int, ...]]:
    octets = memoryview(rows).cast("B")
    if len(octets) % 8:
        raise ValueError(f"rows hold {len(octets)} bytes, not whole numbers")
    numbers = octets.cast("q")
    if len(numbers) % columns:
        raise ValueError(f"rows hold {len(numbers)} numbers; a row has {columns}")
    return zip(*[iter(numbers)] * columns, strict=True)


def _batch_name(operation: tuple[int, ...]) -> str:
    for name, code in BATCH_CODES.items():
        if operation and operation[0] == code:
            return name
    raise ValueError(f"batch operation was {operation}; known codes: {BATCH_CODES}")


_ELIGIBLE: Final = ("eligible", -1, 0, 0)
_ENQUEUE_MORE: Final = (0, 0, 1000, -1, 0, NOBODY, 0)  # credit_ns … preferred_until_ns, when left out

# The digest: each part of the state is hashed by itself and the sum kept, so that one change costs
# one subtraction and one addition. Multiply-and-fold as in wyhash (Wang Yi, 2019).
_MASK: Final = (1 << 64) - 1
_WAITING, _CONTACT, _LANE, _REST, _EXCLUDED, _AGENT, _HOLD, _RESERVED, _PAIR = range(1, 10)
_SKILL, _NEED, _LIMIT, _RANK, _PROFILE, _KEY, _ORDER, _RUNG = range(10, 18)
_SALT: Final = (
    0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3,
    0x1D8E4E27C47D124F, 0xEB44ACCAB455D165, 0x9E3779B97F4A7C15,
)  # fmt: skip


def _fold(left: int, right: int) -> int:
    product = left * right
    return (product ^ product >> 64) & _MASK


def _digest(tag: int, *values: int) -> int:
    """A 64-bit hash of at most six numbers, each taken modulo 2**64."""
    padded = [value & _MASK for value in values] + [0] * (6 - len(values))
    a, b, c, d, e, f = (value ^ salt for value, salt in zip(padded, _SALT, strict=False))
    return _fold(_fold(a, b) ^ _fold(c, d) ^ tag, _fold(e, f) ^ _SALT[6])


def _text(name: str) -> int:
    """FNV-1a over UTF-8 (Fowler, Noll, Vo)."""
    hashed = 0xCBF29CE484222325
    for byte in name.encode():
        hashed = (hashed ^ byte) * 0x100000001B3 & _MASK
    return hashed
