"""The lines: the matching queue and the deadlines, kept in step with the state.

Both are indexes. Whatever they hold can be made again from the state (`rebuild`), and each event moves
them by `follow.py`, while the engine decides and while a journal is read back alike. The one difference: a
live match has already put the contact into the agent's hands, so that only a recovery needs to
`restore_offer`. Names become the queue's integers here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from centralita._routing import LinesHeld
from centralita.config import Agent as AgentRules
from centralita.config import EngineConfig, ns
from centralita.config import Queue as QueueRules
from centralita.matching import NEVER_NS, NOBODY, Core, open_queue
from centralita.messages import ContactOffered
from centralita.state import Agent, Contact, State
from centralita.timers import open_timers

# Kinds of deadline. The subject is a contact's id, for GRACE an agent's number.
STAGE: Final = 0
"""`Contact.deadline_ns`: an answer from outside, a bot's turn, a hold, silence, the maximum wait."""
WORK: Final = 1
"""The earliest `Work.deadline_ns` of a contact: an offer, a connection, a wrap-up."""
ANNOUNCE: Final = 2
DUE: Final = 3
"""A callback's agreed moment."""
ASK_AGAIN: Final = 4
"""The earliest end of an exclusion."""
GRACE: Final = 5

AHEAD_MAX: Final = 200
"""How far `Lines.ahead` counts in a queue that nobody serves; every announcement there counts so far."""
AHEAD_PIECE: Final = 50

TAKEN: Final = "taken"
"""The reason of an OfferWithdrawn when another agent won: the queue has freed the agent already."""


class Terms(msgspec.Struct, frozen=True, gc=False):
    """A queue's rules as integers, for what every contact asks of them."""

    order: int
    rate_thousandths: int
    credit_ns: int
    offer_ns: int
    connect_ns: int
    max_wait_ns: int
    announce_every_ns: int
    wrap_up_ns: int
    has_rings: bool


class Lines(LinesHeld):
    """The matching queue and the timers of one engine."""

    def __init__(self, state: State, core: Core) -> None:
        self.core = core
        self.state = state
        self._configure(EngineConfig())

    def _configure(self, config: EngineConfig) -> None:
        """Begin with an empty queue that knows the names and the rules of a configuration."""
        self.queue = queue = open_queue(self.core)
        self.timers = open_timers(self.core)
        self.changed = True
        self.agent_of = {}
        self.known = set()
        self.leaving = set()
        self._skill = {name: queue.skill(name) for name in config.skills}
        self._medium = {name: queue.medium(name) for name in config.media}
        self._group = {name: index for index, name in enumerate(config.queues)}
        self._places: dict[tuple[str, str, tuple[tuple[str, int], ...]], tuple[int, int]] = {}
        self._shared = {name: {} for name in config.queues}
        self.terms = {name: self._terms(name, rules) for name, rules in config.queues.items()}
        self._profiles: dict[str, int] = {}
        queue.set_interrupts(
            (self._medium[name], self._medium[over])
            for name, medium in config.media.items()
            for over in medium.may_interrupt
        )

    def _terms(self, name: str, rules: QueueRules) -> Terms:
        order = self.queue.order(
            rules.agent_order,
            offer_to=rules.offer_to,
            rank_group=self._group[name],
            seed=rules.seed,
            reserve_after_ns=NEVER_NS if rules.reserve_after_s is None else ns(rules.reserve_after_s),
        )
        return Terms(
            order,
            round(rules.rate * 1000),
            ns(rules.credit_s),
            ns(rules.offer_s),
            ns(rules.connect_s),
            ns(rules.max_wait_s or 0),
            ns(rules.announce_every_s),
            ns(rules.wrap_up_s),
            bool(rules.rings),
        )

    def profile(self, name: str, rules: AgentRules) -> int:
        """The queue's handle of an agent's profile."""
        known = self._profiles.get(name)
        if known is not None:
            return known
        media = self.state.config.media
        limits = {medium: rule.max_per_agent for medium, rule in media.items() if rule.max_per_agent}
        handle = self.queue.profile(
            [(self._skill[skill], level) for skill, level in rules.skills.items()],
            rules.capacity,
            [(self._medium[medium], limit) for medium, limit in {**limits, **rules.limits}.items()],
            [(self._group[queue], rank) for queue, rank in rules.ranks.items()],
        )
        self._profiles[name] = handle
        return handle

    def requirement(self, skills: dict[str, int], medium: str) -> int:
        """The queue's handle of what a contact requires; a skill that was deleted stays known by name."""
        units = self.state.config.media[medium].units
        wanted = [(self._skill_handle(skill), level) for skill, level in skills.items()]
        return self.queue.requirement(wanted, self._medium[medium], units)

    def _skill_handle(self, name: str) -> int:
        handle = self._skill.get(name)
        if handle is None:
            handle = self._skill[name] = self.queue.skill(name)
        return handle

    def place(self, queue: str, medium: str, skills: dict[str, int]) -> tuple[int, int]:
        """(requirement, ladder) of a contact in a queue; ladder -1 when the queue has no rings."""
        shared = self._shared[queue].get(medium)
        if shared is not None and shared[0] is skills:
            return shared[1], shared[2]
        key = (queue, medium, tuple(sorted(skills.items())))
        found = self._places.get(key)
        if found is None:
            rungs = [
                (ns(ring.after_s), self.requirement(relaxed, medium), ring.raise_priority)
                for ring, relaxed in rings_of(self.state.rules(queue), skills)
            ]
            ladder = self.queue.ladder(rungs) if rungs else -1
            found = self._places[key] = (self.requirement(skills, medium), ladder)
        self._shared[queue][medium] = (skills, *found)
        return found

    def skill_name(self, handle: int) -> str:
        """The name behind the queue's handle of a skill."""
        return next(name for name, known in self._skill.items() if known == handle)

    def medium_name(self, handle: int) -> str:
        """The name behind the queue's handle of a medium."""
        return next(name for name, known in self._medium.items() if known == handle)

    def skills_of(self, profile: int) -> dict[str, int]:
        """The skills that agents of a profile have."""
        agents = self.state.config.agents
        for name, known in self._profiles.items():
            if known == profile and name in agents:
                return dict(agents[name].skills)
        return {}

    def rebuild(self) -> None:
        """Make the queue and the timers anew from the state, agents' keys as the state has them."""
        state = self.state
        self._configure(state.config)
        self._restore_turns(state.queue_turns)
        for agent in state.agents.values():
            if agent.present:
                self.add_agent(agent, agent.queue_since_ns)
            if agent.leaving:
                self.leaving.add(agent.name)
            if agent.grace_until_ns:
                self.timers.schedule(GRACE, agent.number, agent.grace_until_ns)
        for contact in state.contacts.values():
            self._rebuild_contact(contact)

    def _rebuild_contact(self, contact: Contact) -> None:
        holding = {name: work for name, work in contact.works.items() if not work.hold}
        waits = contact.phase == "waiting"
        if (waits and not contact.due_ns) or holding:
            self.enqueue(contact, waiting=waits)
        several = bool(contact.queue) and self.state.rules(contact.queue).offer_to > 1
        tentative = several and not contact.picked
        media = self.state.config.media
        for name, work in contact.works.items():
            medium = work.medium or contact.medium
            if work.hold:
                self.keep_taken(contact, work.hold, medium)
            self.queue.hold(
                work.hold or contact.id,
                self.state.agents[name].number,
                medium=self._medium[medium],
                units=media[medium].units,
                tentative=tentative and work.state == "offered",
            )
        self.retime(contact)

    def _restore_turns(self, turns: int) -> None:
        """Let the queue's counter of assignments go on from where it was: whoever had the last turn may
        have signed out, and the counter is the greatest turn that the queue has been told of."""
        ghost = self.queue.profile((), 1)
        self.queue.add_agent(0, ghost, now_ns=0, available=False, since_ns=0, turn=turns)
        self.queue.remove_agent(0, now_ns=0)

    def note_turn(self, agent: Agent) -> tuple[int, int, int]:
        keys = self.queue.agent_keys(agent.number)
        self.state.queue_turns = max(self.state.queue_turns, keys[2])
        return keys

    def wanted(self, contact: Contact) -> dict[str, int]:
        """What a contact requires now, after the rings it has passed; new rules may have fewer of them."""
        if not contact.rung:
            return contact.skills
        passed = rings_of(self.state.rules(contact.queue), contact.skills)[: contact.rung]
        return passed[-1][1] if passed else contact.skills

    def ahead(self, contact: Contact, *, now_ns: int) -> int:
        """How many stand before a waiting contact for the same people.

        While nobody who could serve it is signed in there are no such people: then those before it in
        its own queue count (up to AHEAD_MAX), so that its position does not rise when somebody comes.
        """
        found = self.queue.ahead(contact.id, now_ns=now_ns)
        if found:
            return found
        requirement = self.requirement(self.wanted(contact), contact.medium)
        if self.queue.capable_n(requirement)[0]:
            return 0
        before = 0
        for number in islice(self.in_order(now_ns=now_ns, at_first=AHEAD_PIECE), AHEAD_MAX):
            if number == contact.id:
                break
            before += self.state.contacts[number].queue == contact.queue
        return before

    def in_order(self, *, now_ns: int, at_first: int) -> Iterator[int]:
        """Waiting contacts in the order of service, asked for in growing pieces: most looks end early."""
        seen, asked = 0, max(at_first, 1)
        while True:
            numbers = self.queue.in_order(now_ns=now_ns, limit=asked)
            yield from numbers[seen:]
            if len(numbers) < asked:
                return
            seen, asked = len(numbers), asked * 4

    def store_keys(self) -> None:
        """Write into the state, before a snapshot, what only the queue knows of the agents."""
        for agent in self.state.agents.values():
            if agent.present:
                keys = self.note_turn(agent)
                agent.queue_since_ns, agent.queue_given, agent.queue_turn = keys

    def retime(self, contact: Contact) -> None:
        """Set every deadline of a contact as the state says. What it would wait by in its line is looked at
        again when it returns there: a look that is left standing would come within the same Tick."""
        timers, number, phase = self.timers, contact.id, contact.phase
        if phase == "connected":
            self.time_silence(contact)
        else:
            set_deadline(timers, STAGE, number, 0 if phase == "connecting" else contact.deadline_ns)
        set_deadline(timers, WORK, number, earliest_work_ns(contact))
        in_line = phase in {"waiting", "offered"}
        set_deadline(timers, ANNOUNCE, number, contact.announce_at_ns if in_line else 0)
        set_deadline(timers, DUE, number, contact.due_ns)
        set_deadline(timers, ASK_AGAIN, number, ask_again_ns(contact))

    def time_silence(self, contact: Contact) -> None:
        """Set the end of a conversation in which nobody speaks: whoever spoke since it began has put it off."""
        silence_ns = ns(self.state.config.limits.silence_s)
        at_ns = max(contact.deadline_ns, contact.active_ns + silence_ns)
        self.timers.schedule(STAGE, contact.id, at_ns)

    def enqueue(self, contact: Contact, *, waiting: bool = True) -> None:
        """Put a contact into the queue at its own place, as the state has it."""
        if contact.queue:
            requirement, ladder = self.place(contact.queue, contact.medium, contact.skills)
            order = self.terms[contact.queue].order
        else:
            requirement, ladder = self.requirement({}, contact.medium), -1
            order = self.queue.order(("longest_idle",))
        number, rung = contact.id, contact.rung
        if rung:
            # The rules may have lost rings that the contact has passed: then it has passed those there are.
            rings = rings_of(self.state.rules(contact.queue), contact.skills)[:rung]
            rung = len(rings)
            if rings:
                requirement = self.requirement(rings[-1][1], contact.medium)
        self.known.add(number)
        self.changed = True
        if waiting and not (rung or contact.excluded or contact.prefer_agent):
            self.queue.enqueue(
                number,
                requirement,
                order,
                queued_ns=contact.queued_ns,
                credit_ns=contact.credit_ns,
                priority=contact.priority,
                rate=contact.rate_thousandths,
                ladder=ladder,
            )
            return
        if contact.answered and not waiting and contact.phase not in ("offered", "connecting"):
            ladder, rung = -1, 0  # rings are over with the wait
        excluded: tuple[int, ...] = ()
        if contact.excluded:
            agents = self.state.agents
            excluded = tuple(agents[name].number for name in contact.excluded if name in agents)
        preferred = NOBODY
        if contact.prefer_agent in self.state.agents:
            preferred = self.state.agents[contact.prefer_agent].number
        self.queue.enqueue(
            number,
            requirement,
            order,
            queued_ns=contact.queued_ns,
            credit_ns=contact.credit_ns,
            priority=contact.priority + self.raised(contact),
            rate=contact.rate_thousandths,
            ladder=ladder,
            rung=rung,
            preferred=preferred,
            preferred_until_ns=contact.prefer_until_ns,
            excluded=excluded,
            waiting=waiting,
        )

    def raised(self, contact: Contact) -> int:
        """How much the rings passed so far have raised the priority."""
        if not contact.rung:
            return 0
        rings = self.state.rules(contact.queue).rings
        return sum(ring.raise_priority for ring in rings[: contact.rung])

    def replace(self, contact: Contact, *, now_ns: int) -> None:
        """Take a contact out, if it is in, and put it back as the state has it now."""
        self.forget(contact.id, now_ns=now_ns)
        if contact.phase == "waiting" and not contact.due_ns:
            self.enqueue(contact)

    def forget(self, number: int, *, now_ns: int) -> None:
        """Take a contact out of the queue and out of all hands."""
        if number in self.known:
            self.queue.drop(number, now_ns=now_ns)
            self.known.discard(number)
            self.changed = True

    def keep_taken(self, contact: Contact, hold: int, medium: str) -> None:
        """Make a contact of the queue's that only keeps an agent's capacity taken."""
        requirement = self.requirement({}, medium)
        order = self.queue.order(("longest_idle",))
        self.queue.enqueue(hold, requirement, order, queued_ns=contact.arrived_ns, waiting=False)
        self.known.add(hold)

    def add_agent(self, agent: Agent, since_ns: int | None, *, now_ns: int = 0) -> None:
        self.agent_of[agent.number] = agent.name
        self.queue.add_agent(
            agent.number,
            self.profile(agent.name, self.state.config.agents[agent.name]),
            now_ns=now_ns or agent.since_ns,
            available=agent.receiving,
            since_ns=since_ns,
            given=agent.queue_given if since_ns is not None else 0,
            turn=agent.queue_turn if since_ns is not None else 0,
        )
        self.changed = True

    def restore_offer(self, event: ContactOffered, now_ns: int) -> None:
        """What a live match did to the queue, when a journal is read back."""
        contact = self.state.contacts[event.contact]
        number = self.state.agents[event.agent].number
        if not contact.queue or self.state.rules(contact.queue).offer_to == 1 or contact.picked:
            self.queue.assign(contact.id, number, now_ns=now_ns)
            return
        units = self.state.config.media[contact.medium].units
        medium = self._medium[contact.medium]
        self.queue.hold(contact.id, number, medium=medium, units=units, tentative=True)


def rings_of(rules: QueueRules, skills: dict[str, int]) -> list[tuple[Any, dict[str, int]]]:
    """(ring, what is required from it on) for each ring of a queue: rings are cumulative."""
    relaxed = dict(skills)
    made = []
    for ring in rules.rings:
        for skill in ring.drop:
            relaxed.pop(skill, None)
        for skill, level in ring.lower.items():
            if skill in relaxed:
                relaxed[skill] = min(relaxed[skill], level)
        made.append((ring, dict(relaxed)))
    return made


def earliest_work_ns(contact: Contact) -> int:
    """The earliest deadline of the agents' works in a contact; 0 when there is none."""
    works = contact.works
    if not works:
        return 0
    if len(works) == 1:
        (work,) = works.values()
        return work.deadline_ns
    return min((work.deadline_ns for work in works.values() if work.deadline_ns), default=0)


def ask_again_ns(contact: Contact) -> int:
    """When the first of those who declined may be asked again; 0 when nobody is waited for. Who wraps it up
    still is waited for by nobody: the end of that looks again."""
    if not contact.excluded:
        return 0
    works = contact.works
    return min(
        (until_ns for name, until_ns in contact.excluded.items() if until_ns and name not in works), default=0
    )


def set_deadline(timers: Any, kind: int, subject: int, at_ns: int) -> None:
    """Set a deadline as the state has it: 0 means none."""
    if at_ns:
        timers.schedule(kind, subject, at_ns)
    else:
        timers.cancel(kind, subject)
