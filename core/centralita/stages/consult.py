"""More than one agent: blind transfers, consultations that end in one, conferences.

A consultation is a contact of its own, with the customer's contact as its parent: it waits, is offered
and answered like any other, so that a colleague can be found by name, queue or skills.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from centralita.config import ns
from centralita.messages import (
    AgentJoined,
    AgentLeft,
    ConsultationStarted,
    ContactAdmitted,
    ContactForwarded,
    ContactTransferred,
    EndConsultation,
    LeaveContact,
    MessagePosted,
    Refusal,
    StartConsultation,
    Target,
    TransferContact,
    TransferStarted,
)
from centralita.stages import end, wait
from centralita.stages.refuse import bad_skills, find_connected, find_present, no_queue, wrong_phase
from centralita.state import Contact

if TYPE_CHECKING:
    from centralita.engine import Engine


NUMBER: Final = re.compile(r"\+?[0-9*#]{1,40}")
"""What a number outside may be: digits as dialled."""


def transfer(engine: Engine, command: TransferContact) -> Refusal | None:
    """Pass the customer on without waiting for who takes them."""
    contact = find_connected(engine, command.contact, command.agent)
    if isinstance(contact, Refusal):
        return contact
    refusal = _bad_target(engine, command.target, command.agent)
    if refusal is not None:
        return refusal
    if contact.parent:
        return wrong_phase(contact, "to be a customer's")
    if len(_speaking(contact)) > 1:
        return wrong_phase(contact, "with one agent (leave the conference instead)")
    if command.target.number:
        return _forward(engine, contact, command)
    end.end_consultation(engine, contact)
    _write_note(engine, contact, command.agent, command.note)
    end.wrap_up(engine, contact, command.agent, stays=False)
    engine.emit(
        TransferStarted(
            contact=contact.id,
            agent=command.agent,
            target=command.target,
            note=command.note,
            again_at_ns=engine.now_ns + ns(engine.state.rules(contact.queue).ask_again_s),
        )
    )
    _wait_for(engine, contact, contact.queue, command.target, reason=f"transferred by {command.agent}")
    return None


def _forward(engine: Engine, contact: Contact, command: TransferContact) -> Refusal | None:
    """Hand the customer on to a number outside: for us the contact is served, and over."""
    channel = contact.reached_on
    if not engine.state.config.channels[channel].can_forward:
        return Refusal(code="not_capable", message=f"channel {channel!r} can't hand on to a number")
    _write_note(engine, contact, command.agent, command.note)
    number = command.target.number
    engine.emit(ContactForwarded(contact=contact.id, agent=command.agent, number=number, note=command.note))
    end.stop_serving(engine, contact, by=command.agent, reason=f"forwarded to {number}")
    return None


def start(engine: Engine, command: StartConsultation) -> Refusal | int:
    """Ask for a colleague while the customer stays."""
    contact = find_connected(engine, command.contact, command.agent)
    if isinstance(contact, Refusal):
        return contact
    if contact.consultation:
        return Refusal(code="already", message=f"contact {contact.id} has a consultation open")
    if contact.parent:
        return wrong_phase(contact, "to be a customer's")
    refusal = _bad_target(engine, command.target, command.agent)
    if refusal is not None:
        return refusal
    if command.target.agent in _speaking(contact):
        return Refusal(code="already", message=f"agent {command.target.agent!r} is in the contact already")
    if command.target.number:
        return Refusal(
            code="bad_value", message="target.number: a consultation is with an agent, queue or skills"
        )
    number = engine.next_id()
    engine.emit(
        ContactAdmitted(
            contact=number,
            conversation=contact.conversation,
            channel=contact.channel,
            medium=contact.medium,
            provider_id=f"{contact.provider_id}/consultation/{number}",
            direction="consultation",
            handle=contact.handle,
            subject=contact.subject,
            customer_name=contact.customer_name,
            language=contact.language,
            queue=contact.queue,
            parent=contact.id,
        )
    )
    engine.emit(
        ConsultationStarted(
            contact=contact.id,
            agent=command.agent,
            consultation=number,
            target=command.target,
            note=command.note,
        )
    )
    child = engine.state.contacts[number]
    _write_note(engine, child, command.agent, command.note)
    others = tuple(name for name in contact.works if name != command.target.agent)
    _wait_for(engine, child, contact.queue, command.target, reason="consultation", excluded=others)
    return number


def finish(engine: Engine, command: EndConsultation) -> Refusal | None:
    """The colleague takes over, joins, or goes."""
    contact = find_connected(engine, command.contact, command.agent)
    if isinstance(contact, Refusal):
        return contact
    child = engine.state.contacts.get(contact.consultation)
    if child is None:
        return wrong_phase(contact, "in a consultation")
    if command.then == "cancel":
        end.close_consultation(engine, contact, child, how="cancel")
        return None
    if child.phase != "connected":
        return wrong_phase(child, "connected: the colleague has not answered")
    colleague = child.agent
    if command.then == "transfer":
        if len(_speaking(contact)) > 1:
            return wrong_phase(contact, "with one agent (let the colleague join instead)")
        end.wrap_up(engine, contact, command.agent, stays=False)
        engine.emit(ContactTransferred(contact=contact.id, from_agent=command.agent, to_agent=colleague))
    else:
        engine.emit(AgentJoined(contact=contact.id, agent=colleague))
    end.close_consultation(engine, contact, child, how=command.then)
    return None


def leave(engine: Engine, command: LeaveContact) -> Refusal | None:
    """One of several leaves; the last one ends the contact."""
    contact = find_connected(engine, command.contact, command.agent)
    if isinstance(contact, Refusal):
        return contact
    if len(_speaking(contact)) == 1:
        end.stop_serving(engine, contact, by=command.agent)
        return None
    end.wrap_up(engine, contact, command.agent, stays=False)
    engine.emit(AgentLeft(contact=contact.id, agent=command.agent, reason="left"))
    return None


def _speaking(contact: Contact) -> list[str]:
    return [name for name, work in contact.works.items() if work.state == "connected"]


def _bad_target(engine: Engine, target: Target, agent: str) -> Refusal | None:
    given = [bool(target.agent), bool(target.queue), target.skills is not None, bool(target.number)]
    if sum(given) != 1:
        return Refusal(code="bad_value", message="target names one of agent, queue, skills and number")
    if target.number and not NUMBER.fullmatch(target.number):
        return Refusal(
            code="bad_value", message=f"target.number was {target.number[:50]!r}; allowed: {NUMBER.pattern}"
        )
    if target.agent:
        if target.agent == agent:
            return Refusal(code="bad_value", message="target.agent is the agent who asks")
        found = find_present(engine, target.agent)
        return found if isinstance(found, Refusal) else None
    if target.queue:
        standing = engine.state.queues.get(target.queue)
        if standing is None:
            return no_queue(engine, target.queue)
        if not standing.open:
            return Refusal(code="bad_value", message=f"queue {target.queue!r} is closed")
        return None
    return bad_skills(engine, target.skills)


def _wait_for(
    engine: Engine,
    contact: Contact,
    queue: str,
    target: Target,
    *,
    reason: str,
    excluded: tuple[str, ...] = (),
) -> None:
    """Stand in line for whoever the target is: an agent (whatever skills), a queue, or skills."""
    if target.queue:
        wait.join(engine, contact, target.queue, reason=reason, excluded=excluded)
        wait.see_staffed(engine, contact)
        return
    skills = target.skills
    if target.agent:
        has = engine.state.config.agents[target.agent].skills
        wanted = wait.required(engine.state.rules(queue).skills, contact.own_skills)
        skills = {skill: min(level, has[skill]) for skill, level in wanted.items() if skill in has}
    wait.join(engine, contact, queue, reason=reason, skills=skills, agent=target.agent, excluded=excluded)
    if target.agent:
        wait.ask_named(engine, contact)


def _write_note(engine: Engine, contact: Contact, agent: str, note: str) -> None:
    if note:
        engine.emit(
            MessagePosted(
                contact=contact.id,
                number=contact.messages_n + 1,
                author="agent",
                author_id=agent,
                text=note,
                internal=True,
            )
        )
