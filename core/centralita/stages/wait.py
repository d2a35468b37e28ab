"""A contact waits: how it gets into a queue, what the queue does when it can't, and what may change there.

Its waiting time counts from the first queue on: whoever overflows, is transferred or becomes a
callback brings it along as credit, so that the place in line is never lost.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from centralita import estimate
from centralita.config import Overflow, ns
from centralita.lines import rings_of
from centralita.messages import (
    CallbackDue,
    CallbackRequested,
    ContactMoved,
    ContactQueued,
    ExclusionsEnded,
    MaxWaitPassed,
    MessagePosted,
    MoveContact,
    Refusal,
    RequestCallback,
    WaitAnnounced,
)
from centralita.stages import end, match
from centralita.stages.refuse import bad_priority, bad_skills, no_contact, no_queue, wrong_phase
from centralita.state import Contact, Queue

if TYPE_CHECKING:
    from centralita.engine import Engine


def enter(engine: Engine, contact: Contact, queue: str, *, reason: str = "") -> None:
    """Bring a contact into a queue, or do what the queue does with contacts it can't take now."""
    rules = engine.state.rules(queue)
    standing = engine.state.queues[queue]
    join(engine, contact, queue, reason=reason)
    if not standing.open:
        overflow(engine, contact, rules.when_closed, "closed")
    elif rules.max_waiting is not None and is_full(engine, standing, rules.max_waiting):
        match.run(engine)  # who is offered at once waits on nobody's place
        if contact.phase == "waiting":
            overflow(engine, contact, rules.when_full, "full")
    else:
        see_staffed(engine, contact)


def is_full(engine: Engine, standing: Queue, most: int) -> bool:
    """Whether more customers than so many wait on the line; who is yet to be called takes nobody's place."""
    if len(standing.waiting) <= most:
        return False
    contacts = engine.state.contacts
    waiting = map(contacts.__getitem__, standing.waiting)
    on_the_line = (one for one in waiting if not one.to_dial and not one.parent)
    return next(islice(on_the_line, most, None), None) is not None


def join(
    engine: Engine,
    contact: Contact,
    queue: str,
    *,
    reason: str = "",
    skills: dict[str, int] | None = None,
    agent: str = "",
    excluded: tuple[str, ...] = (),
) -> None:
    """Stand in a queue's line. `skills` replaces what the queue and the contact require; `agent` is the
    only one it is for while that agent is signed in (a transfer to somebody). A contact that was
    answered before counts all the time since it came as waited: its place is near the front."""
    now_ns = engine.now_ns
    rules, terms = engine.state.config.queues[queue], engine.lines.terms[queue]
    credit_ns = terms.credit_ns if contact.own_credit_ns is None else contact.own_credit_ns
    if contact.answered:
        credit_ns += now_ns - contact.arrived_ns
    elif contact.wait_from_ns:
        credit_ns += now_ns - contact.wait_from_ns
    on_the_line = not contact.to_dial
    announces = on_the_line and terms.announce_every_ns > 0
    if skills is None:
        skills = required(rules.skills, contact.own_skills)
    preferred, until_ns = agent, 0
    if agent:
        until_ns = FOREVER_NS
    elif rules.prefer_for_s:
        preferred = preferred_of(engine, contact, queue, skills)
        until_ns = now_ns + ns(rules.prefer_for_s) if preferred else 0
    engine.emit(
        ContactQueued(
            contact=contact.id,
            queue=queue,
            skills=skills,
            priority=rules.priority + contact.own_priority,
            rate_thousandths=terms.rate_thousandths,
            credit_ns=credit_ns,
            queued_ns=now_ns,
            preferred_agent=preferred,
            preferred_until_ns=until_ns,
            max_wait_until_ns=now_ns + terms.max_wait_ns if on_the_line and terms.max_wait_ns else 0,
            announce_at_ns=now_ns + terms.announce_every_ns if announces else 0,
            due_ns=contact.due_ns,
            reason=reason,
            hops=contact.hops + 1,
            excluded=excluded,
        )
    )


FOREVER_NS = (1 << 60) - 1
"""Until the year 2006 after the epoch's 1970, plus: the queue's clock holds it, no contact waits so long."""


def required(queue: dict[str, int], own: dict[str, int] | None) -> dict[str, int]:
    """What the queue and the contact require together: the higher level of each skill."""
    if not own:
        return queue
    return {skill: max(queue.get(skill, 0), own.get(skill, 0)) for skill in {**queue, **own}}


def preferred_of(engine: Engine, contact: Contact, queue: str, skills: dict[str, int]) -> str:
    """Whom the contact would rather have, if signed in and skilled enough before the preference ends: nobody is
    waited for in vain."""
    name = contact.preferred_agent
    if not name and contact.customer is not None:
        name = contact.customer.preferred_agent
    agent = engine.state.agents.get(name)
    if agent is None or not agent.present:
        return ""
    rules, has = engine.state.rules(queue), engine.state.config.agents[name].skills
    for ring, relaxed in rings_of(rules, skills):
        if ring.after_s < rules.prefer_for_s:
            skills = relaxed
    return name if all(has.get(skill, 0) >= level for skill, level in skills.items()) else ""


def see_staffed(engine: Engine, contact: Contact) -> None:
    """Do what the queue does with a waiting contact that nobody signed in could ever serve."""
    rule = engine.state.rules(contact.queue).when_unstaffed
    if rule.do != "wait" and not staffed(engine, contact):
        overflow(engine, contact, rule, "unstaffed")


def staffed(engine: Engine, contact: Contact) -> bool:
    """Whether anybody signed in could serve the contact, at the latest after its last ring."""
    rings = rings_of(engine.state.rules(contact.queue), contact.skills)
    skills = rings[-1][1] if rings else contact.skills
    requirement = engine.lines.requirement(skills, contact.medium)
    return engine.lines.queue.capable_n(requirement)[0] > 0


def overflow(engine: Engine, contact: Contact, rule: Overflow, reason: str) -> None:
    """Do what a queue's rule says about a contact that can't or shouldn't wait (any longer). One that is yet to
    be dialled, or called back, waits on: there is nobody to hear it, and a callback was promised."""
    if contact.to_dial:
        return
    match rule.do:
        case "wait":
            return
        case "message":
            say(engine, contact, rule.text)
        case "refuse":
            say(engine, contact, rule.text)
            end.close(engine, contact, "refused", by="rules", reason=reason)
        case "queue":
            if contact.hops >= engine.state.config.limits.hops:
                end.close(engine, contact, "refused", by="rules", reason="too many queues")
            else:
                enter(engine, contact, rule.queue, reason=reason)
        case "callback":
            _overflow_to_callback(engine, contact, rule, reason)


def _overflow_to_callback(engine: Engine, contact: Contact, rule: Overflow, reason: str) -> None:
    if contact.callback_handle:
        return
    if not contact.handle or contact.parent:  # a consultation has its customer's, who is with the agent
        say(engine, contact, rule.text)
        end.close(engine, contact, "refused", by="rules", reason=f"{reason}, and no handle to call back")
        return
    say(engine, contact, rule.text)
    engine.emit(CallbackRequested(contact=contact.id, handle=contact.handle, channel=contact.channel))


def say(engine: Engine, contact: Contact, text: str) -> None:
    """Say something to the customer in the rules' name."""
    if text:
        engine.emit(
            MessagePosted(contact=contact.id, number=contact.messages_n + 1, author="system", text=text)
        )


def request_callback(engine: Engine, command: RequestCallback) -> Refusal | None:
    """A waiting customer would rather be called back."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if contact.phase != "waiting":
        return wrong_phase(contact, "waiting")
    if contact.parent:
        return wrong_phase(contact, "to be a customer's")
    if contact.callback_handle:
        return Refusal(code="already", message=f"contact {contact.id} is a callback already")
    handle = command.handle or contact.handle
    channel = command.channel or contact.channel
    if not handle:
        return Refusal(code="bad_value", message="handle is empty, and the contact has none to call back")
    if channel not in engine.state.config.channels:
        return Refusal(code="unknown_channel", message=f"channel was {channel!r}")
    due_ns = command.due_ns if command.due_ns > engine.now_ns else 0
    engine.emit(CallbackRequested(contact=contact.id, handle=handle, channel=channel, due_ns=due_ns))
    return None


def callback_due(engine: Engine, contact: Contact) -> None:
    """The agreed moment of a callback has come."""
    engine.emit(CallbackDue(contact=contact.id))


def move(engine: Engine, command: MoveContact) -> Refusal | None:
    """A supervisor changes where a waiting contact stands."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if contact.phase != "waiting":
        return wrong_phase(contact, "waiting")
    if command.queue and command.queue not in engine.state.queues:
        return no_queue(engine, command.queue)
    refusal = bad_skills(engine, command.skills) or bad_priority(command.priority)
    if refusal is not None:
        return refusal
    if command.queue and command.queue != contact.queue:
        join(engine, contact, command.queue, reason=f"moved by {command.by}")
    if command.skills is not None or command.priority is not None or not command.queue:
        engine.emit(
            ContactMoved(contact=contact.id, by=command.by, skills=command.skills, priority=command.priority)
        )
    return None


def waited_too_long(engine: Engine, contact: Contact) -> None:
    """The queue's maximum wait is over."""
    rules = engine.state.rules(contact.queue)
    engine.emit(MaxWaitPassed(contact=contact.id))
    overflow(engine, contact, rules.when_waited, "waited")


def announce(engine: Engine, contact: Contact) -> None:
    """Tell a waiting customer where they stand."""
    rules = engine.state.rules(contact.queue)
    position = engine.lines.ahead(contact, now_ns=engine.now_ns) + 1
    low_s = high_s = -1.0
    if rules.announce_wait:
        expected = estimate.wait_of(engine, contact)
        low_s, high_s = expected.low_s, expected.high_s
    engine.emit(
        WaitAnnounced(
            contact=contact.id,
            position=position if rules.announce_position else -1,
            low_s=low_s,
            high_s=high_s,
            next_at_ns=engine.now_ns + ns(rules.announce_every_s) if rules.announce_every_s else 0,
        )
    )


def ask_again(engine: Engine, contact: Contact) -> None:
    """Agents who declined or let go a while ago may be asked again, unless still wrapping it up."""
    due = tuple(
        name
        for name, until_ns in (contact.excluded or {}).items()
        if 0 < until_ns <= engine.now_ns and name not in contact.works
    )
    if due:
        engine.emit(ExclusionsEnded(contact=contact.id, agents=due))


def ask_named(engine: Engine, contact: Contact) -> None:
    """Whom a contact was passed on to by name is asked, though they had or declined it a moment ago; not before
    they have wrapped that up."""
    name, by_name = contact.prefer_agent, contact.prefer_until_ns == FOREVER_NS
    if by_name and name in (contact.excluded or ()) and name not in contact.works:
        engine.emit(ExclusionsEnded(contact=contact.id, agents=(name,)))


def unstaffed(engine: Engine, gone: str) -> None:
    """An agent has gone: do what queues do with those who wait for nobody now.

    Whoever that agent could have served can be by anybody who has all those skills: nobody is looked at while one is
    here, so that a shift which goes home costs no look at all who wait for each that goes.
    """
    config = engine.state.config
    skills = engine.lines.requirement(config.agents[gone].skills, next(iter(config.media)))
    if engine.lines.queue.capable_n(skills)[0]:
        return
    for name, standing in engine.state.queues.items():
        if config.queues[name].when_unstaffed.do == "wait":
            continue
        for number in sorted(standing.waiting):  # a recovered state has them in another order
            contact = engine.state.contacts.get(number)
            if contact is not None and contact.phase == "waiting":
                see_staffed(engine, contact)
