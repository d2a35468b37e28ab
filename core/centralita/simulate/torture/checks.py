"""What must hold of an engine between two steps, held against the books; and what an offer must have been.

`after_step` looks at what a step touched, in a few microseconds. `recount` looks at everything, slowly, and
at what no single event shows: that nobody eligible waits, that nothing is overdue, that the figures are
what the state and the books say. Rules are written anew here from docs/states.md and ARCHITECTURE.md; none
is asked of the code that is under test.
"""

from __future__ import annotations

from typing import Final

from centralita.config import ns
from centralita.engine import Engine
from centralita.lines import ANNOUNCE, ASK_AGAIN, DUE, GRACE, STAGE, WORK, ask_again_ns, earliest_work_ns
from centralita.messages import (
    AgentConnectionLost,
    AgentReturned,
    AnyEvent,
    CallbackPostponed,
    ContactOffered,
    ContactPicked,
    ContactQueued,
    RingPassed,
    WrapUpEnded,
)
from centralita.simulate.torture.books import Books
from centralita.simulate.torture.centre import reserving
from centralita.simulate.torture.violation import Violation
from centralita.state import Agent, Contact, State

_HAVING: Final = frozenset(("connecting", "connected"))
_ABOUT_AGENTS: Final = frozenset((WrapUpEnded, AgentConnectionLost, AgentReturned))
WITH_LIMIT: Final = frozenset(("identifying", "classifying", "self_service", "connected", "on_hold"))
"""Phases in which the contact itself has a deadline (docs/states.md)."""


def after_step(engine: Engine, events: list[AnyEvent], books: Books) -> None:
    """Hold what a step's events touched against the books. Raises Violation."""
    state = engine.state
    if len(state.contacts) != len(books.pages) or state.admitted_n != state.ended_n + len(state.contacts):
        raise Violation(
            "conservation",
            f"{state.admitted_n} admitted, {state.ended_n} ended, {len(state.contacts)} live;"
            f" {len(books.pages)} live by the books",
        )
    seen: list[int] = []
    offered = False
    for event in events:
        number: int = getattr(event, "contact", 0)
        if number and number not in seen:
            seen.append(number)
            contact = state.contacts.get(number)
            if contact is not None:
                check_contact(engine, contact, books)
        kind = type(event)
        if kind is ContactOffered:
            offered = True
        elif kind in _ABOUT_AGENTS:
            agent = state.agents.get(event.agent)  # type: ignore[union-attr]
            if agent is not None:
                _check_agent(engine, agent, books)
        elif kind is CallbackPostponed:
            _check_attempts(state, number, events, books)
    if offered:
        check_offers(engine, events)


def check_contact(engine: Engine, contact: Contact, books: Books) -> None:
    """One contact's phase, hands, deadlines and place in the lines."""
    number, phase, works, lines = contact.id, contact.phase, contact.works, engine.lines
    page = books.pages.get(number)
    if page is None:
        raise Violation("conservation", f"contact {number} is {phase} and not in the books")
    asked = having = wrapping = 0
    holders: list[int] = []
    agents = engine.state.agents
    for name, work in works.items():
        what = work.state
        agent = agents.get(name)
        if agent is None or number not in agent.contacts:
            raise Violation("one owner", f"contact {number} is {what} with {name}, who does not have it")
        if what == "offered":
            asked += 1
            if page.asked.get(name) != work.offer:
                raise Violation(
                    "one owner", f"contact {number}: {name} has offer {work.offer}, not by the books"
                )
        elif what == "wrapping":
            wrapping += 1
            if name not in page.wrapping:
                raise Violation("one owner", f"contact {number}: {name} wraps up, not by the books")
        else:
            having += 1
            if name not in page.having:
                raise Violation("one owner", f"contact {number}: {name} is {what}, not by the books")
        if what != "connected" and work.deadline_ns <= 0:
            raise Violation("deadlines", f"contact {number}: {name} is {what} without a limit")
        if work.hold:
            if lines.queue.holders(work.hold) != [agent.number]:
                raise Violation("capacity", f"contact {number}: {name} wraps up and is not kept taken")
        else:
            holders.append(agent.number)
    if asked != len(page.asked) or having != len(page.having) or wrapping != len(page.wrapping):
        raise Violation(
            "one owner",
            f"contact {number} is with {works}; by the books {page.asked} are asked,"
            f" {sorted(page.having)} have it, {sorted(page.wrapping)} wrap up",
        )
    if phase == "waiting":
        fits = not asked and not having
        if (number in lines.known) is bool(contact.due_ns) or not (
            contact.due_ns or lines.queue.is_waiting(number)
        ):
            raise Violation("order", f"contact {number} waits and stands in no line")
        if page.place != (contact.queued_ns, contact.credit_ns, contact.rate_thousandths):
            raise Violation("order", f"contact {number} was queued with {page.place} and has lost its place")
        if number not in engine.state.queues[contact.queue].waiting:
            raise Violation("order", f"contact {number} waits and {contact.queue} does not know")
    elif phase == "offered":
        fits = asked > 0 and not having
    elif phase == "connecting":
        fits = having == 1 and not asked
    elif phase in ("connected", "on_hold"):
        fits = having > 0 and not asked
    elif phase == "wrapping":
        fits = wrapping > 0 and not having and not asked
    else:
        fits = not works
    if not fits:
        raise Violation("one owner", f"contact {number} is {phase} with {works}")
    if having and (contact.agent not in works or works[contact.agent].state not in _HAVING):
        raise Violation("one owner", f"contact {number} is {contact.agent!r}'s and with {works}")
    if phase in WITH_LIMIT and contact.deadline_ns <= 0:
        raise Violation("deadlines", f"contact {number} is {phase} without a limit")
    _check_looks(engine, contact)
    if holders or number in lines.known:
        if len(holders) > 1:
            holders.sort()
        if lines.queue.holders(number) != holders:
            raise Violation(
                "capacity", f"contact {number} takes {lines.queue.holders(number)}, not {holders}"
            )
    if page.messages != contact.messages_n or page.consultation != contact.consultation:
        raise Violation("messages", f"contact {number}: {contact.messages_n}, by the books {page.messages}")
    if contact.undelivered != books.undelivered.get(number, 0):
        _check_undelivered(number, contact.undelivered, books)
    if contact.parent and contact.parent not in engine.state.contacts:
        raise Violation("conservation", f"contact {number}: whom it is about, {contact.parent}, is gone")
    if contact.consultation and contact.consultation not in engine.state.contacts:
        raise Violation("conservation", f"contact {number}: consultation {contact.consultation} is gone")


def _check_attempts(state: State, number: int, events: list[AnyEvent], books: Books) -> None:
    """A callback is tried as often as its queue says, and no more. One that went on to another queue in the same
    step, whose number may be smaller, is tried there once more: then the largest number counts."""
    contact = state.contacts.get(number)
    if contact is None:
        return
    tried = books.pages[number].attempts
    went_on = any(type(event) is ContactQueued and event.contact == number for event in events)
    queues = state.config.queues.values() if went_on else (state.rules(contact.queue),)
    most = max(rules.callback_attempts for rules in queues)
    if not contact.callback_attempts == tried < most:
        raise Violation(
            "deadlines",
            f"callback {number} was tried {contact.callback_attempts} times, by the books {tried}; at most {most}",
        )


def check_offers(engine: Engine, events: list[AnyEvent]) -> None:
    """Every offer that the rule made at the end of the step went to somebody who could have it, the last one
    first: what an agent held when an earlier one was made is what is left without the later ones."""
    state = engine.state
    picked = {event.contact for event in events if type(event) is ContactPicked}
    reserves = reserving(state.config)
    taken: dict[str, list[int]] = {}
    per_contact: dict[int, int] = {}
    for event in reversed(events):
        if type(event) is RingPassed:
            continue
        if type(event) is not ContactOffered:
            break  # what was offered in the middle of the step has gone on since
        contact = state.contacts.get(event.contact)
        work = contact.works.get(event.agent) if contact is not None else None
        if contact is None or work is None or work.offer != event.offer:
            continue
        agent = state.agents[event.agent]
        later = taken.setdefault(event.agent, [])
        later.append(event.contact)
        per_contact[event.contact] = per_contact.get(event.contact, 0) + 1
        if event.contact in picked:
            continue
        rule = barred(state, contact, agent, without=later, now_ns=engine.now_ns)
        if rule:
            raise Violation(
                "capacity" if rule == "room" else "order", f"{event}, and the agent is barred by {rule}"
            )
        if work.deadline_ns <= engine.now_ns:
            raise Violation("deadlines", f"{event} is over at once")
        if reserves:
            _check_nobody_presses(engine, contact, agent)
    for number, offers in per_contact.items():
        most = 1 if number in picked else state.rules(state.contacts[number].queue).offer_to
        if offers > most:
            raise Violation("one owner", f"contact {number} was offered to {offers}; at most {most}")


def _check_nobody_presses(engine: Engine, taken: Contact, agent: Agent) -> None:
    """Nobody who has waited past `reserve_after_s`, stands before the one that was offered, and keeps nobody,
    could have had the agent with empty hands: that agent would have been kept for them."""
    state, now_ns, queue = engine.state, engine.now_ns, engine.lines.queue
    kept_for = {queue.reserved_for(number) for number in engine.lines.agent_of}
    place = _place(state, taken, now_ns)
    for contact in state.contacts.values():
        if contact.phase != "waiting" or contact.due_ns:
            continue
        after_s = state.rules(contact.queue).reserve_after_s
        if after_s is None or now_ns - contact.queued_ns < ns(after_s) or contact.id in kept_for:
            continue
        if _place(state, contact, now_ns) < place and not barred(
            state, contact, agent, without=list(agent.contacts), now_ns=now_ns
        ):
            raise Violation(
                "order",
                f"{agent.name} was offered contact {taken.id}; contact {contact.id} waits for room with {agent.name}",
            )


def barred(state: State, contact: Contact, agent: Agent, *, without: list[int], now_ns: int) -> str:
    """The rule that keeps an agent from a contact; empty when there is none. `without` are contacts in
    the agent's hands that do not count."""
    if agent.status != "available" or agent.leaving or agent.grace_until_ns or agent.busy:
        return "status"
    config = state.config
    has = config.agents[agent.name].skills
    for skill, level in required(state, contact).items():
        if has.get(skill, 0) < level:
            return "skill"
    if contact.excluded and agent.name in contact.excluded:
        return "exclusion"
    wanted = contact.prefer_agent
    if wanted and wanted != agent.name and contact.prefer_until_ns > now_ns:
        preferred = state.agents.get(wanted)
        if preferred is not None and preferred.present and wanted not in (contact.excluded or ()):
            return "preference"
    media = config.media
    medium = media[contact.medium]
    rules = config.agents[agent.name]
    limit = rules.limits.get(contact.medium, medium.max_per_agent)
    of_medium = blocking = 0
    for number in agent.contacts:
        if number in without:
            continue
        held = state.contacts[number]
        other = held.works[agent.name].medium or held.medium
        of_medium += other == contact.medium
        if other not in medium.may_interrupt:
            blocking += media[other].units
    if (limit is not None and of_medium >= limit) or rules.capacity - blocking < medium.units:
        return "room"
    return ""


def required(state: State, contact: Contact) -> dict[str, int]:
    """What a contact requires after the rings that it has passed."""
    if not contact.rung:
        return contact.skills
    skills = dict(contact.skills)
    for ring in state.rules(contact.queue).rings[: contact.rung]:
        for skill in ring.drop:
            skills.pop(skill, None)
        for skill, level in ring.lower.items():
            if skill in skills:
                skills[skill] = min(skills[skill], level)
    return skills


def recount(engine: Engine, books: Books, *, matched: bool = True) -> None:
    """Look at everything. `matched` is whether the rule has run on what is there: a recovered engine makes
    its reservations again at the first change, and offers nothing before that."""
    state = engine.state
    nothing_due = engine.next_deadline_ns() > engine.now_ns
    for contact in state.contacts.values():
        check_contact(engine, contact, books)
        if nothing_due:
            _check_overdue(engine, contact)
    if set(state.contacts) != set(books.pages):
        raise Violation(
            "conservation", f"live are {sorted(state.contacts)}, by the books {sorted(books.pages)}"
        )
    if (state.admitted_n, state.ended_n) != (books.admitted_n, books.ended_n):
        raise Violation("conservation", f"{state.admitted_n} admitted, by the books {books.admitted_n}")
    if state.last_id != books.last_id:
        raise Violation("ids", f"the last id is {state.last_id}, by the books {books.last_id}")
    in_line = 0
    for name, standing in state.queues.items():
        waiting = {c.id for c in state.contacts.values() if c.phase == "waiting" and c.queue == name}
        if set(standing.waiting) != waiting:
            raise Violation(
                "order", f"queue {name} has {sorted(standing.waiting)}, waiting are {sorted(waiting)}"
            )
        in_line += sum(not state.contacts[number].due_ns for number in waiting)
    if engine.lines.queue.waiting_n() != in_line:
        raise Violation("order", f"{engine.lines.queue.waiting_n()} stand in line; waiting are {in_line}")
    _check_order(engine)
    for agent in state.agents.values():
        _check_agent(engine, agent, books)
    _check_owed(state, books)
    if matched:
        _check_nobody_is_left(engine)


def _check_order(engine: Engine) -> None:
    """Who waits stands in line by priority, then by urgency (Kleinrock 1964), then by number."""
    state, now_ns = engine.state, engine.now_ns
    waiting = [one for one in state.contacts.values() if one.phase == "waiting" and not one.due_ns]
    ordered = [contact.id for contact in sorted(waiting, key=lambda one: _place(state, one, now_ns))]
    found = engine.lines.queue.in_order(now_ns=now_ns, limit=len(ordered) + 1)
    if found != ordered:
        raise Violation("order", f"in line are {found}; by the formula {ordered}")


def _place(state: State, contact: Contact, now_ns: int) -> tuple[int, int, int]:
    rings = state.rules(contact.queue).rings[: contact.rung]
    priority = contact.priority + sum(ring.raise_priority for ring in rings)
    urgency = contact.rate_thousandths * (now_ns - contact.queued_ns + contact.credit_ns)
    return -priority, -urgency, contact.id


def _check_owed(state: State, books: Books) -> None:
    """Who is over is owed what the channels have reported, until they have reported otherwise."""
    owed = {number: ended.undelivered for number, ended in state.ended.items() if ended.undelivered}
    for number in owed.keys() | (books.undelivered.keys() - books.pages.keys()):
        if owed.get(number, 0) != books.undelivered.get(number, 0):
            _check_undelivered(number, owed.get(number, 0), books)


def _check_undelivered(number: int, first: int, books: Books) -> None:
    known = books.undelivered.get(number, 0)
    if number in books.unkept and (not first or first > known):
        return
    raise Violation("messages", f"contact {number}: undelivered from {first} on, by the reports from {known}")


def _check_agent(engine: Engine, agent: Agent, books: Books) -> None:
    state = engine.state
    for number in agent.contacts:
        contact = state.contacts.get(number)
        if contact is None or agent.name not in contact.works:
            raise Violation("one owner", f"{agent.name} has contact {number}, which does not have the agent")
    if not agent.present and (agent.contacts or agent.grace_until_ns or agent.leaving):
        raise Violation("one owner", f"{agent.name} is gone with {list(agent.contacts)}")
    if agent.grace_until_ns != books.lost.get(agent.name, 0):
        raise Violation(
            "deadlines",
            f"{agent.name} has until {agent.grace_until_ns}, by the books {books.lost.get(agent.name, 0)}",
        )
    if agent.leaving and not agent.contacts:
        raise Violation("deadlines", f"{agent.name} leaves when free, is free, and is there")
    offered = [
        number for number in agent.contacts if state.contacts[number].works[agent.name].state == "offered"
    ]
    if offered and agent.grace_until_ns:
        raise Violation("one owner", f"{agent.name} has lost the desk and is asked about {offered}")
    if 0 < agent.grace_until_ns < engine.lines.timers.deadline_ns(GRACE, agent.number):
        raise Violation("deadlines", f"{agent.name}'s grace is over at {agent.grace_until_ns}")
    held = engine.lines.queue.hands(agent.number) if agent.present else []
    if len(held) != len(agent.contacts):
        raise Violation("capacity", f"{agent.name} has {list(agent.contacts)}; taken by the queue {held}")


def _check_looks(engine: Engine, contact: Contact) -> None:
    """Each limit of a contact is looked at when it is over, or before."""
    number, phase, timers = contact.id, contact.phase, engine.lines.timers
    if phase == "connected":
        # Whoever speaks puts the end of silence off; it is looked at when it would have been.
        silence_ns = ns(engine.state.config.limits.silence_s)
        limits = [(STAGE, max(contact.deadline_ns, contact.active_ns + silence_ns))]
    elif phase in WITH_LIMIT:
        limits = [(STAGE, contact.deadline_ns)]
    elif phase == "waiting":
        limits = [
            (STAGE, contact.deadline_ns),
            (ANNOUNCE, contact.announce_at_ns),
            (DUE, contact.due_ns),
            (ASK_AGAIN, ask_again_ns(contact)),
        ]
    else:
        limits = []
    if contact.works:
        limits.append((WORK, earliest_work_ns(contact)))
    for kind, due_ns in limits:
        if due_ns and timers.deadline_ns(kind, number) > due_ns:
            raise Violation("deadlines", f"{contact} is due at {due_ns}, and nobody looks before that")


def _check_overdue(engine: Engine, contact: Contact) -> None:
    """Nothing is left behind by time: when nobody has anything to look at, no limit has passed."""
    now_ns = engine.now_ns
    limits = []
    if contact.phase in WITH_LIMIT:
        limits.append(("its limit", contact.deadline_ns))
    if contact.phase == "waiting":
        limits.append(("its limit", contact.deadline_ns))
        limits += [("a callback", contact.due_ns), ("an announcement", contact.announce_at_ns)]
        limits += [
            (f"{name}'s exclusion", until_ns)
            for name, until_ns in (contact.excluded or {}).items()
            if name not in contact.works
        ]
    limits += [(f"{name}'s {work.state}", work.deadline_ns) for name, work in contact.works.items()]
    for what, at_ns in limits:
        if 0 < at_ns <= now_ns and not (what == "its limit" and contact.phase == "connected"):
            raise Violation("deadlines", f"contact {contact.id}: {what} was over at {at_ns}, now is {now_ns}")


def _check_nobody_is_left(engine: Engine) -> None:
    """Nobody who waits could be served by somebody who is free: by the rule, tried on every pair.

    An agent reserved for somebody is free for those before them only; with rates, who stands before can
    change by time alone, and waits for the next event.
    """
    state, queue = engine.state, engine.lines.queue
    free = [agent for agent in state.agents.values() if agent.receiving]
    free = [agent for agent in free if queue.reserved_for(agent.number) == -1]
    for contact in state.contacts.values():
        if contact.phase != "waiting" or contact.due_ns:
            continue
        if contact.parent and any(work.state == "connected" for work in contact.works.values()):
            continue
        for agent in free:
            if not barred(state, contact, agent, without=[], now_ns=engine.now_ns):
                raise Violation("order", f"contact {contact.id} waits and {agent.name} could have it")
