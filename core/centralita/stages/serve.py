"""Customer and agent are brought together and speak: connection, messages, hold, notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from centralita.config import ns
from centralita.messages import (
    CallbackPostponed,
    ConnectionFailed,
    ContactConnected,
    ContactHeld,
    ContactNoted,
    ContactResumed,
    DeliveryFailed,
    DeliveryMade,
    HoldContact,
    MessagePosted,
    NoteContact,
    PostMessage,
    Refusal,
    ReportConnection,
    ReportDelivery,
    ResumeContact,
    SelfServiceTurn,
)
from centralita.stages import end, offer
from centralita.stages.refuse import find_connected, find_work, no_contact, wrong_phase
from centralita.state import Contact

if TYPE_CHECKING:
    from centralita.engine import Engine

MESSAGE_LENGTH_MAX: Final = 100_000
"""Characters of one message."""
ATTACHMENTS_MAX: Final = 20
"""Files with one message."""


def report_connection(engine: Engine, command: ReportConnection) -> Refusal | None:
    """A channel says whether customer and agent are together."""
    found = find_work(engine, command.contact, command.agent)
    if isinstance(found, Refusal):
        return found
    contact, work = found
    if work.state != "connecting":
        return Refusal(code="already", message=f"agent {command.agent!r} is {work.state}, not connecting")
    if command.made:
        engine.emit(
            ContactConnected(
                contact=contact.id,
                agent=command.agent,
                queue=contact.queue,
                waited_ns=engine.now_ns - contact.wait_from_ns,
                first=not contact.answered,
            )
        )
    elif command.customer_gone:
        unreached(engine, contact, command.reason)
    else:
        fail(engine, contact, command.agent, command.reason)
    return None


def fail(engine: Engine, contact: Contact, agent: str, reason: str) -> None:
    """Our side failed: the contact keeps its place, and this agent is not tried for a while."""
    if contact.direction == "outbound" and contact.to_dial:
        end.close(engine, contact, "unreachable", by="channel", reason=reason)
        return
    again_ns = engine.now_ns + ns(engine.state.rules(contact.queue).ask_again_s)
    engine.emit(ConnectionFailed(contact=contact.id, agent=agent, reason=reason, again_at_ns=again_ns))
    offer.come_back(engine, contact, "connection failed")


def unreached(engine: Engine, contact: Contact, reason: str) -> None:
    """The customer is not there (any more): a callback is tried again later, anything else is over."""
    rules = engine.state.rules(contact.queue)
    if not contact.to_dial:
        end.close(engine, contact, "abandoned", by="customer", reason=reason)
    elif contact.callback_handle and contact.callback_attempts + 1 < rules.callback_attempts:
        due_ns = engine.now_ns + ns(rules.callback_retry_s)
        engine.emit(CallbackPostponed(contact=contact.id, due_ns=due_ns))
    else:
        end.close(engine, contact, "unreachable", by="customer", reason=reason)


def post_message(engine: Engine, command: PostMessage) -> Refusal | None:
    """Words or files in a contact. Repeated with the same `message_id`, nothing happens again."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    refusal = _unfit(command)
    if refusal is not None:
        return refusal
    if command.author == "agent":
        owner = contact
        if contact.parent and command.author_id not in contact.works:
            owner = engine.state.contacts[contact.parent]
        found = find_work(engine, owner.id, command.author_id)
        if isinstance(found, Refusal):
            return found
        if found[1].state == "offered":
            return wrong_phase(contact, "accepted first")
    if command.message_id and _posted(contact, command):
        return None
    if contact.phase == "wrapping" and not command.internal:
        return wrong_phase(contact, "not over")
    engine.emit(
        MessagePosted(
            contact=contact.id,
            number=contact.messages_n + 1,
            author=command.author,
            text=command.text,
            author_id=command.author_id,
            message_id=command.message_id,
            attachments=command.attachments,
            internal=command.internal,
        )
    )
    if contact.phase == "self_service":
        deadline_ns = engine.now_ns + ns(engine.state.config.limits.bot_turn_s)
        engine.emit(SelfServiceTurn(contact=contact.id, deadline_ns=deadline_ns))
    return None


def report_delivery(engine: Engine, command: ReportDelivery) -> Refusal | None:
    """A channel could not deliver a message, or has delivered after all what it could not before."""
    state, number = engine.state, command.number
    contact = state.contacts.get(command.contact)
    if contact is not None:
        said, owed = tuple(contact.messages or ()), contact.undelivered
    elif (ended := state.ended.get(command.contact)) is not None:
        said, owed = ended.last_words, ended.undelivered
    else:
        return no_contact(command.contact)
    if command.made:
        if not 0 < owed <= number:
            return Refusal(code="already", message=f"message {number} was not reported as undelivered")
        if said and number > said[-1].number:
            return Refusal(code="bad_value", message=f"number was {number}; the last is {said[-1].number}")
        engine.emit(DeliveryMade(contact=command.contact, number=number))
        return None
    kept = [one.number for one in said if one.author != "customer" and not one.internal]
    if kept and 0 < number < said[0].number:
        number = kept[0]  # it is kept no longer; what was said after it has not arrived either
    if number not in kept:
        return Refusal(code="bad_value", message=f"number was {number}; no such message is kept")
    if 0 < owed <= number:
        return Refusal(code="already", message=f"all from message {owed} on is known to be undelivered")
    engine.emit(DeliveryFailed(contact=command.contact, number=number))
    return None


def _unfit(command: PostMessage) -> Refusal | None:
    if not command.text and not command.attachments:
        return Refusal(code="bad_value", message="a message needs text or an attachment")
    if len(command.text) > MESSAGE_LENGTH_MAX:
        return Refusal(
            code="bad_value",
            message=f"text has {len(command.text)} characters; allowed: {MESSAGE_LENGTH_MAX}",
        )
    if len(command.attachments) > ATTACHMENTS_MAX:
        return Refusal(
            code="bad_value",
            message=f"attachments were {len(command.attachments)}; allowed: {ATTACHMENTS_MAX}",
        )
    return None


def _posted(contact: Contact, command: PostMessage) -> bool:
    return any(
        message.message_id == command.message_id
        and message.author == command.author
        and message.author_id == command.author_id
        for message in reversed(contact.messages or ())
    )


def hold(engine: Engine, command: HoldContact) -> Refusal | None:
    """Put the customer on hold, for `limits.hold_s` at most."""
    contact = find_connected(engine, command.contact, command.agent)
    if isinstance(contact, Refusal):
        return contact
    if contact.phase != "connected":
        return wrong_phase(contact, "connected")
    deadline_ns = engine.now_ns + ns(engine.state.config.limits.hold_s)
    engine.emit(ContactHeld(contact=contact.id, agent=command.agent, deadline_ns=deadline_ns))
    return None


def resume(engine: Engine, command: ResumeContact) -> Refusal | None:
    """Come back to the customer."""
    contact = find_connected(engine, command.contact, command.agent)
    if isinstance(contact, Refusal):
        return contact
    if contact.phase != "on_hold":
        return wrong_phase(contact, "on_hold")
    engine.emit(ContactResumed(contact=contact.id, agent=command.agent))
    return None


def held_too_long(engine: Engine, contact: Contact) -> None:
    """Nobody stays on hold for ever: the line opens again."""
    engine.emit(ContactResumed(contact=contact.id, agent=contact.agent))


def silent(engine: Engine, contact: Contact) -> None:
    """A conversation in which nobody has said anything for `limits.silence_s` is over."""
    over_ns = contact.active_ns + ns(engine.state.config.limits.silence_s)
    if over_ns > engine.now_ns:
        engine.lines.timers.schedule(0, contact.id, over_ns)
    else:
        end.stop_serving(engine, contact, by="rules", reason="silence")


def note(engine: Engine, command: NoteContact) -> Refusal | None:
    """Write notes or a disposition down while working."""
    found = find_work(engine, command.contact, command.agent)
    if isinstance(found, Refusal):
        return found
    contact, work = found
    if work.state == "offered":
        return wrong_phase(contact, "accepted first")
    refusal = end.bad_disposition(engine, command.disposition or "")
    if refusal is not None:
        return refusal
    engine.emit(
        ContactNoted(
            contact=contact.id,
            agent=command.agent,
            notes=command.notes,
            disposition=command.disposition,
        )
    )
    return None
