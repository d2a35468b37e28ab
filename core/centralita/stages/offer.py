"""What becomes of an offer: accepted, declined, not answered, withdrawn; and offers somebody picked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.config import ns
from centralita.lines import TAKEN
from centralita.messages import (
    AgentStatusChanged,
    AnswerOffer,
    ContactPicked,
    ContactReturned,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    PickContact,
    Refusal,
)
from centralita.stages import match
from centralita.stages.refuse import find_present, find_work, no_contact, wrong_phase
from centralita.state import Contact

if TYPE_CHECKING:
    from centralita.engine import Engine


def answer(engine: Engine, command: AnswerOffer) -> Refusal | None:
    """An agent takes an offer or declines it."""
    found = find_work(engine, command.contact, command.agent)
    if isinstance(found, Refusal):
        return _over(command) if found.code in ("not_yours", "unknown_contact") else found
    contact, work = found
    if work.state != "offered" or work.offer != command.offer:
        return _over(command)
    if command.accept:
        _accept(engine, contact, command)
    else:
        again_s = engine.state.rules(contact.queue).ask_again_s
        engine.emit(
            OfferDeclined(
                contact=contact.id,
                agent=command.agent,
                offer=command.offer,
                reason=command.reason,
                again_at_ns=engine.now_ns + ns(again_s),
            )
        )
        come_back(engine, contact, "declined")
    return None


def _over(command: AnswerOffer) -> Refusal:
    return Refusal(code="offer_over", message=f"offer {command.offer} of contact {command.contact} is over")


def _accept(engine: Engine, contact: Contact, command: AnswerOffer) -> None:
    connect_by_ns = engine.now_ns + engine.lines.terms[contact.queue].connect_ns
    if contact.callback_handle:
        connect_by_ns = engine.now_ns + ns(engine.state.rules(contact.queue).callback_s)
    engine.emit(
        OfferAccepted(
            contact=contact.id, agent=command.agent, offer=command.offer, connect_by_ns=connect_by_ns
        )
    )
    if len(contact.works) == 1:
        return
    for name, work in list(contact.works.items()):
        if work.state == "offered":
            engine.emit(OfferWithdrawn(contact=contact.id, agent=name, offer=work.offer, reason=TAKEN))


def come_back(engine: Engine, contact: Contact, reason: str) -> None:
    """A contact that nobody has or is asked about any more waits again, at its own place."""
    if not any(work.state != "wrapping" for work in contact.works.values()):
        engine.emit(ContactReturned(contact=contact.id, reason=reason))


def expire(engine: Engine, contact: Contact, agent: str) -> None:
    """Nobody answered in time; a queue may take such an agent out of the line."""
    work = contact.works[agent]
    rules = engine.state.rules(contact.queue)
    engine.emit(OfferExpired(contact=contact.id, agent=agent, offer=work.offer))
    standing = engine.state.agents[agent]
    if (
        rules.no_answer == "unavailable"
        and standing.no_answers >= rules.no_answer_limit
        and standing.status == "available"
    ):
        engine.emit(AgentStatusChanged(agent=agent, status="break", reason="no_answer", by="rules"))
    come_back(engine, contact, "not answered")


def withdraw(engine: Engine, contact: Contact, reason: str, *, only: str = "") -> None:
    """Take back the open offers of a contact, or the one to `only`."""
    for name, work in list(contact.works.items()):
        if work.state == "offered" and only in ("", name):
            engine.emit(OfferWithdrawn(contact=contact.id, agent=name, offer=work.offer, reason=reason))


def pick(engine: Engine, command: PickContact) -> Refusal | None:
    """Offer a waiting contact to one agent, whatever order and skills say."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if contact.phase != "waiting":
        return wrong_phase(contact, "waiting")
    if contact.due_ns:
        return wrong_phase(contact, "in line: it is to be called back later")
    agent = find_present(engine, command.agent)
    if isinstance(agent, Refusal):
        return agent
    if contact.id in agent.contacts or contact.parent in agent.contacts or agent.desk_lost:
        return Refusal(code="already", message=f"agent {agent.name!r} can't be asked about it now")
    engine.emit(ContactPicked(contact=contact.id, agent=agent.name, by=command.by))
    engine.lines.queue.assign(contact.id, agent.number, now_ns=engine.now_ns)
    engine.lines.changed = True  # what was reserved for it is free
    match.offer_to(engine, contact.id, agent.name)
    return None
