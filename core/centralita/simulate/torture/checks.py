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
from centralita.kpi import Figures
from centralita.lines import ANNOUNCE, ASK_AGAIN, DUE, GRACE, STAGE, WORK, ask_again_ns, earliest_work_ns
from centralita.messages import (
    AnyEvent,
    ContactOffered,
    ContactPicked,
    ContactRated,
    MessagePosted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    RingPassed,
    TransferStarted,
    WrapUpEnded,
)
from centralita.simulate.torture.books import Books
from centralita.simulate.torture.violation import Violation
from centralita.state import Agent, Contact, State

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
        elif kind is WrapUpEnded:
            agent = state.agents.get(event.agent)  # type: ignore[union-attr]
            if agent is not None:
                _check_agent(engine, agent)
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
    if contact.parent and contact.parent not in engine.state.contacts:
        raise Violation("conservation", f"contact {number}: whom it is about, {contact.parent}, is gone")
    if contact.consultation and contact.consultation not in engine.state.contacts:
        raise Violation("conservation", f"contact {number}: consultation {contact.consultation} is gone")


def check_offers(engine: Engine, events: list[AnyEvent]) -> None:
    """Every offer that the rule made at the end of the step went to somebody who could have it, the last one
    first: what an agent held when an earlier one was made is what is left without the later ones."""
    state = engine.state
    picked = {event.contact for event in events if type(event) is ContactPicked}
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
    for number, offers in per_contact.items():
        most = 1 if number in picked else state.rules(state.contacts[number].queue).offer_to
        if offers > most:
            raise Violation("one owner", f"contact {number} was offered to {offers}; at most {most}")


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
        _check_agent(engine, agent)
    if matched:
        _check_nobody_is_left(engine)


def _check_order(engine: Engine) -> None:
    """Who waits stands in line by priority, then by urgency (Kleinrock 1964), then by number."""
    state, now_ns = engine.state, engine.now_ns

    def place(contact: Contact) -> tuple[int, int, int]:
        rings = state.rules(contact.queue).rings[: contact.rung]
        priority = contact.priority + sum(ring.raise_priority for ring in rings)
        urgency = contact.rate_thousandths * (now_ns - contact.queued_ns + contact.credit_ns)
        return -priority, -urgency, contact.id

    waiting = [one for one in state.contacts.values() if one.phase == "waiting" and not one.due_ns]
    ordered = [contact.id for contact in sorted(waiting, key=place)]
    found = engine.lines.queue.in_order(now_ns=now_ns, limit=len(ordered) + 1)
    if found != ordered:
        raise Violation("order", f"in line are {found}; by the formula {ordered}")


def _check_agent(engine: Engine, agent: Agent) -> None:
    state = engine.state
    for number in agent.contacts:
        contact = state.contacts.get(number)
        if contact is None or agent.name not in contact.works:
            raise Violation("one owner", f"{agent.name} has contact {number}, which does not have the agent")
    if not agent.present and (agent.contacts or agent.grace_until_ns or agent.leaving):
        raise Violation("one owner", f"{agent.name} is gone with {list(agent.contacts)}")
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


def check_figures(state: State, books: Books, figures: Figures) -> None:
    """The figures equal what the state shows now and what the books have counted."""
    counts, consultations = figures.contacts(), figures.consultations()
    consulting = sum(page.parent != 0 for page in books.pages.values())
    live = (counts["live"], consultations["live"])
    if live != (len(books.pages) - consulting, consulting):
        raise Violation(
            "figures", f"live are {live}; by the books {len(books.pages)}, {consulting} consulting"
        )
    for one in (counts, consultations):
        if one["admitted"] != one["ended"] + one["live"]:
            raise Violation("figures", f"{one}")
    total: dict[str, int] = {}
    for name, tally in figures.queues.items():
        fates = tally.answered + tally.abandoned + tally.became_callbacks + tally.flowed_out + tally.removed
        if tally.offered != fates + len(tally.waiting):
            raise Violation(
                "figures", f"queue {name!r}: {tally.offered} offered, {fates} gone, {len(tally.waiting)}"
            )
        for outcome, count in tally.outcomes.items():
            total[outcome] = total.get(outcome, 0) + count
    if {outcome: count for outcome, count in total.items() if count} != books.outcomes:
        raise Violation("figures", f"outcomes are {total}, by the books {books.outcomes}")
    for field, kind in _COUNTED:
        counted = sum(getattr(tally, field) for tally in figures.queues.values())
        if counted != books.counts.get(kind, 0):
            raise Violation("figures", f"{field} are {counted}, by the books {books.counts.get(kind, 0)}")
    said = sum(sum(tally.messages.values()) for tally in figures.queues.values())
    if said != books.counts.get(MessagePosted, 0):
        raise Violation("figures", f"messages are {said}, by the books {books.counts.get(MessagePosted, 0)}")
    for name, agent in state.agents.items():
        _check_agents_figures(state, name, agent, figures)


def _check_agents_figures(state: State, name: str, agent: Agent, figures: Figures) -> None:
    now = {"offered": 0, "connected": 0, "wrapping": 0}
    for number in agent.contacts:
        what = state.contacts[number].works[name].state
        now["connected" if what == "connecting" else what] += 1
    tally = figures.agents[name]
    counted = {"offered": tally.offered, "connected": tally.connected, "wrapping": tally.wrapping}
    if counted != now:
        raise Violation("figures", f"{name} has {now} now, by the figures {counted}")


_COUNTED: Final = (
    ("offers_made", ContactOffered),
    ("offers_accepted", OfferAccepted),
    ("offers_declined", OfferDeclined),
    ("offers_expired", OfferExpired),
    ("offers_withdrawn", OfferWithdrawn),
    ("transfers_blind", TransferStarted),
    ("csat_count", ContactRated),
)
"""Figures over all queues and the events they count."""
