"""What the contact needs: a classifier's answer, or its silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.messages import ClassifyContact, ContactClassified, Refusal
from centralita.stages import arrive
from centralita.stages.refuse import bad_priority, bad_skills, no_contact, no_queue, wrong_phase
from centralita.state import Contact

if TYPE_CHECKING:
    from centralita.engine import Engine


def classify(engine: Engine, command: ClassifyContact) -> Refusal | None:
    """Settle what a contact needs. An answer that can't be used is refused, and its time runs on."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if contact.phase != "classifying":
        return wrong_phase(contact, "classifying")
    if command.queue and command.queue not in engine.state.queues:
        return no_queue(engine, command.queue)
    refusal = bad_skills(engine, command.skills) or bad_priority(command.priority)
    if refusal is not None:
        return refusal
    engine.emit(merged(contact, command, by=command.by))
    arrive.go_on(engine, contact)
    return None


def merged(contact: Contact, answer: ClassifyContact, *, by: str) -> ContactClassified:
    """What an answer makes of what was known: empty and None leave a thing as it is."""
    attributes = contact.attributes
    if answer.attributes:
        attributes = {**(attributes or {}), **answer.attributes}
    return ContactClassified(
        contact=contact.id,
        queue=answer.queue or contact.queue,
        skills=contact.own_skills if answer.skills is None else answer.skills,
        priority=contact.own_priority if answer.priority is None else answer.priority,
        preferred_agent=answer.preferred_agent or contact.preferred_agent,
        attributes=attributes,
        by=by,
    )


def time_out(engine: Engine, contact: Contact) -> None:
    """No classifier answered in time: the contact goes on as its channel left it."""
    engine.emit(merged(contact, ClassifyContact(contact=contact.id), by="time limit"))
    arrive.go_on(engine, contact)
