"""The protocol over the book and the rule: each call checks what it was given, changes the book, or reads it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from centralita.matching.naive import batch
from centralita.matching.naive.arguments import number, pairs_of, time, within
from centralita.matching.naive.book import Agent, Book, Contact, Hold, Order, Profile, Requirement
from centralita.matching.naive.digest import state_hash
from centralita.matching.naive.due import advance, next_due
from centralita.matching.naive.explain import explain
from centralita.matching.naive.rule import capable_profiles, choice, in_order, next_match, place
from centralita.matching.protocol import (
    AGENT_ORDER_KEYS,
    ID_LIMIT,
    LEVEL_MAX,
    NEVER_NS,
    NOBODY,
    NUMBER_LIMIT,
    Barred,
    Buffer,
)


class NaiveMatchingQueue:
    """The specification: see MatchingQueueProtocol for what each call takes, returns and raises."""

    def __init__(self) -> None:
        self._book = Book()

    # Interning.

    def skill(self, name: str) -> int:
        return self._book.skills.handle(name)

    def medium(self, name: str) -> int:
        return self._book.media.handle(name)

    def requirement(self, skills: Iterable[tuple[int, int]], medium: int, units: int) -> int:
        made = Requirement(self._levels(skills), self._book.media.check(medium), number("units", units))
        return self._book.requirements.handle(made)

    def profile(
        self,
        skills: Iterable[tuple[int, int]],
        capacity: int,
        limits: Iterable[tuple[int, int]] = (),
        ranks: Iterable[tuple[int, int]] = (),
    ) -> int:
        kept_limits = pairs_of("limits", limits)
        for medium, limit in kept_limits:
            self._book.media.check(medium)
            number("limit", limit)
        kept_ranks = pairs_of("ranks", ranks)
        for group, rank in kept_ranks:
            number("rank group", group)
            number("rank", rank, least=1)
        levels = self._levels(skills)
        made = Profile(levels, number("capacity", capacity), kept_limits, kept_ranks, dict(levels))
        return self._book.profiles.handle(made)

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
            time("reserve_after_ns", reserve_after_ns, least=0)
        number("offer_to", offer_to, least=1)
        number("rank_group", rank_group)
        within("seed", seed, 0, ID_LIMIT)
        made = Order(tuple(keys), offer_to, rank_group, seed, reserve_after_ns)
        return self._book.orders.handle(made)

    def ladder(self, rungs: Iterable[tuple[int, int, int]]) -> int:
        made = tuple((after_ns, requirement, added) for after_ns, requirement, added in rungs)
        after_before_ns = 0
        for after_ns, requirement, added in made:
            self._book.requirements.check(requirement)
            number("priority added", added, least=-NUMBER_LIMIT + 1)
            if time("after_ns", after_ns, least=0) < after_before_ns:
                raise ValueError(f"rungs must ascend: {after_ns} ns follows {after_before_ns} ns")
            after_before_ns = after_ns
        return self._book.ladders.handle(made)

    def set_interrupts(self, pairs: Iterable[tuple[int, int]]) -> None:
        made = {(self._book.media.check(by), self._book.media.check(over)) for by, over in pairs}
        self._book.interrupts = made

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
        within("agent", agent, 0, ID_LIMIT)
        self._book.profiles.check(profile)
        since = time("since_ns", time("now_ns", now_ns) if since_ns is None else since_ns)
        within("given", given, 0, NUMBER_LIMIT)
        within("turn", turn, 0, ID_LIMIT)
        if agent in self._book.agents:
            raise ValueError(f"agent {agent} is here already")
        self._book.agents[agent] = Agent(agent, profile, available, since, given, turn)
        self._book.turn = max(self._book.turn, turn)

    def set_available(self, agent: int, available: bool, *, now_ns: int) -> None:
        one = self._book.agents[agent]
        time("now_ns", now_ns)
        if available and not one.available:
            one.since_ns = now_ns
        one.available = available
        if not available:
            self._book.reserved.pop(agent, None)

    def set_profile(self, agent: int, profile: int) -> None:
        self._book.profiles.check(profile)
        self._book.agents[agent].profile = profile
        self._book.reserved.pop(agent, None)

    def remove_agent(self, agent: int, *, now_ns: int) -> list[int]:
        self._book.agents[agent]
        time("now_ns", now_ns)
        gone = self._book.agents.pop(agent)
        self._book.reserved.pop(agent, None)
        return sorted(gone.hands)

    def agent_keys(self, agent: int) -> tuple[int, int, int]:
        one = self._book.agents[agent]
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
        within("contact", contact, 0, ID_LIMIT)
        self._book.requirements.check(requirement)
        self._book.orders.check(order)
        time("queued_ns", queued_ns)
        time("credit_ns", credit_ns)
        number("priority", priority, least=-NUMBER_LIMIT + 1)
        number("rate", rate, least=1)
        self._check_rung(ladder, rung)
        within("preferred", preferred, NOBODY, ID_LIMIT)
        time("preferred_until_ns", preferred_until_ns)
        barred = {within("excluded", agent, 0, ID_LIMIT) for agent in excluded}
        if contact in self._book.contacts:
            raise ValueError(f"contact {contact} is here already")
        self._book.contacts[contact] = Contact(
            contact, requirement, order, queued_ns, credit_ns, priority, rate, ladder, rung,
            preferred, preferred_until_ns if preferred != NOBODY else 0, barred, waiting,
        )  # fmt: skip

    def requeue(self, contact: int, *, now_ns: int) -> None:
        one = self._book.contacts[contact]
        time("now_ns", now_ns)
        for agent in self._book.holders(contact):
            self._book.take_back(contact, self._book.agents[agent], now_ns)
        one.waiting = True

    def drop(self, contact: int, *, now_ns: int) -> None:
        self._book.contacts[contact]
        time("now_ns", now_ns)
        for agent in self._book.holders(contact):
            if not self._book.agents[agent].hands.pop(contact).tentative:
                self._book.agents[agent].since_ns = now_ns
        self._book.end_reservation(contact)
        del self._book.contacts[contact]

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
        one = self._book.contacts[contact]
        if requirement is not None:
            self._book.requirements.check(requirement)
        if order is not None:
            self._book.orders.check(order)
        if priority is not None:
            number("priority", priority, least=-NUMBER_LIMIT + 1)
        if rate is not None:
            number("rate", rate, least=1)
        if credit_ns is not None:
            time("credit_ns", credit_ns)
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
        self._book.end_reservation(contact)

    def prefer(self, contact: int, agent: int, *, until_ns: int) -> None:
        one = self._book.contacts[contact]
        within("preferred", agent, NOBODY, ID_LIMIT)
        time("until_ns", until_ns)
        one.preferred, one.preferred_until_ns = agent, until_ns if agent != NOBODY else 0
        self._book.end_reservation(contact)

    def exclude(self, contact: int, agent: int) -> None:
        one = self._book.contacts[contact]
        one.excluded.add(within("excluded", agent, 0, ID_LIMIT))
        self._book.end_reservation(contact)

    # The rule.

    def match(self, *, now_ns: int) -> list[tuple[int, int]]:
        time("now_ns", now_ns)
        pairs: list[tuple[int, int]] = []
        while made := next_match(self._book, now_ns):
            pairs += made
        return pairs

    def advance(self, *, now_ns: int) -> list[tuple[int, int]]:
        return advance(self._book, time("now_ns", now_ns))

    def next_deadline_ns(self) -> int:
        due = next_due(self._book)
        return NEVER_NS if due is None else due[0]

    # What becomes of an offer.

    def accept(self, contact: int, agent: int, *, now_ns: int) -> list[int]:
        winner = self._holding(contact, agent)
        time("now_ns", now_ns)
        lost = [other for other in self._book.holders(contact) if other != agent]
        lost = [other for other in lost if self._book.agents[other].hands[contact].tentative]
        for other in lost:
            del self._book.agents[other].hands[contact]
        if winner.tentative:
            winner.tentative = False
            self._book.stamp(self._book.agents[agent], now_ns)
        return lost

    def give_back(self, contact: int, agent: int, *, now_ns: int, exclude: bool) -> bool:
        self._holding(contact, agent)
        time("now_ns", now_ns)
        self._book.take_back(contact, self._book.agents[agent], now_ns)
        one = self._book.contacts[contact]
        if exclude:
            one.excluded.add(agent)
        one.waiting = not self._book.holders(contact)
        return one.waiting

    def finish(self, contact: int, agent: int, *, now_ns: int) -> None:
        self._holding(contact, agent)
        time("now_ns", now_ns)
        del self._book.agents[agent].hands[contact]
        self._book.agents[agent].since_ns = now_ns
        if not self._book.holders(contact):
            del self._book.contacts[contact]

    def assign(self, contact: int, agent: int, *, now_ns: int) -> None:
        one, by = self._book.contacts[contact], self._book.agents[agent]
        time("now_ns", now_ns)
        if contact in by.hands:
            raise ValueError(f"agent {agent} has contact {contact} already")
        requirement = self._book.requirements[one.requirement]
        self._book.put(one, by, Hold(requirement.medium, requirement.units, tentative=False))
        self._book.stamp(by, now_ns)

    def hold(self, contact: int, agent: int, *, medium: int, units: int, tentative: bool) -> None:
        one, by = self._book.contacts[contact], self._book.agents[agent]
        self._book.media.check(medium)
        number("units", units)
        if contact in by.hands:
            raise ValueError(f"agent {agent} has contact {contact} already")
        self._book.put(one, by, Hold(medium, units, tentative))

    def hands(self, agent: int) -> list[tuple[int, int, int, bool]]:
        held = sorted(self._book.agents[agent].hands.items())
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
            pairs += batch.run(self, operation)
        return pairs

    def load_agents(self, rows: Buffer) -> None:
        batch.load_agents(self, rows)

    def load_contacts(self, rows: Buffer) -> None:
        batch.load_contacts(self, rows)

    # Questions.

    def waiting_n(self) -> int:
        return sum(contact.waiting for contact in self._book.contacts.values())

    def agents_n(self) -> int:
        return len(self._book.agents)

    def is_waiting(self, contact: int) -> bool:
        return self._book.contacts[contact].waiting

    def holders(self, contact: int) -> list[int]:
        self._book.contacts[contact]
        return self._book.holders(contact)

    def reserved_for(self, agent: int) -> int:
        self._book.agents[agent]
        return self._book.reserved.get(agent, -1)

    def held_units(self, agent: int) -> int:
        return self._book.agents[agent].held_units()

    def ahead(self, contact: int, *, now_ns: int) -> int:
        one = self._book.contacts[contact]
        mine = capable_profiles(self._book, one.requirement)
        here = place(one, time("now_ns", now_ns))
        before = [
            other.requirement
            for other in self._book.contacts.values()
            if other.waiting and place(other, now_ns) < here
        ]
        shared = {one: bool(mine & capable_profiles(self._book, one)) for one in set(before)}
        return sum(shared[requirement] for requirement in before)

    def in_order(self, *, now_ns: int, limit: int) -> list[int]:
        return [contact.id for contact in in_order(self._book, time("now_ns", now_ns))[: max(0, limit)]]

    def capable_n(self, requirement: int) -> tuple[int, int]:
        self._book.requirements.check(requirement)
        capable = capable_profiles(self._book, requirement)
        present = [agent for agent in self._book.agents.values() if agent.profile in capable]
        return len(present), sum(agent.available for agent in present)

    def explain(self, contact: int, *, now_ns: int, limit: int = 100) -> list[Barred]:
        return explain(self._book, self._book.contacts[contact], time("now_ns", now_ns), limit)

    def explain_choice(self, contact: int, agents: Sequence[int], *, now_ns: int) -> list[tuple[int, ...]]:
        one = self._book.contacts[contact]
        time("now_ns", now_ns)
        return [choice(self._book, one, self._book.agents[agent]) for agent in agents]

    def state_hash(self) -> int:
        return state_hash(self._book)

    # Arguments.

    def _holding(self, contact: int, agent: int) -> Hold:
        self._book.contacts[contact]
        hands = self._book.agents[agent].hands
        if contact not in hands:
            raise ValueError(f"agent {agent} does not have contact {contact}")
        return hands[contact]

    def _levels(self, skills: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        made = pairs_of("skills", skills)
        for skill, level in made:
            self._book.skills.check(skill)
            within("level", level, 1, LEVEL_MAX + 1)
        return made

    def _check_rung(self, ladder: int, rung: int) -> None:
        if ladder == -1:
            within("rung", rung, 0, 1)
            return
        rungs = self._book.ladders[self._book.ladders.check(ladder)]
        within("rung", rung, 0, len(rungs) + 1)
