"""A bot has the customer: its turns, its hand-over, its silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.messages import ClassifyContact, FinishSelfService, Refusal, SelfServiceEnded
from centralita.stages import arrive, classify, end
from centralita.stages.refuse import bad_priority, bad_skills, no_contact, no_queue, wrong_phase
from centralita.state import Contact

if TYPE_CHECKING:
    from centralita.engine import Engine


def finish(engine: Engine, command: FinishSelfService) -> Refusal | None:
    """The matter is resolved, or goes to a person with what the bot learnt."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if contact.phase != "self_service":
        return wrong_phase(contact, "self_service")
    if command.queue and command.queue not in engine.state.queues:
        return no_queue(engine, command.queue)
    refusal = bad_skills(engine, command.skills) or bad_priority(command.priority)
    if refusal is not None:
        return refusal
    engine.emit(SelfServiceEnded(contact=contact.id, resolved=command.resolved, summary=command.summary))
    if command.resolved:
        end.close(engine, contact, "resolved_by_bot", by=contact.bot)
        return None
    answer = ClassifyContact(
        contact=contact.id,
        queue=command.queue,
        skills=command.skills,
        priority=command.priority,
        attributes=command.attributes,
    )
    engine.emit(classify.merged(contact, answer, by=contact.bot))
    arrive.go_on(engine, contact)
    return None


def time_out(engine: Engine, contact: Contact) -> None:
    """The bot, or the customer, said nothing for too long: a person takes over."""
    engine.emit(SelfServiceEnded(contact=contact.id, resolved=False, summary=""))
    arrive.go_on(engine, contact)
