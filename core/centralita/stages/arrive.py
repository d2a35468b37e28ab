"""A contact comes in, or an agent begins one: it gets an id, and its first stage.

Admission is idempotent on the provider's id: a repeated webhook, a channel that resends after a crash,
find the contact that is there, ended a short while ago or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from centralita.config import ChannelRule, ns
from centralita.messages import (
    AdmitContact,
    ClassificationStarted,
    ContactAdmitted,
    ContactPlaced,
    IdentificationStarted,
    MessagePosted,
    PlaceContact,
    Refusal,
    SelfServiceStarted,
)
from centralita.stages import wait
from centralita.stages.refuse import bad_priority, bad_skills, find_present, no_queue
from centralita.state import Contact, provider_key

if TYPE_CHECKING:
    from centralita.engine import Engine


def admit(engine: Engine, command: AdmitContact) -> Refusal | int:
    """Admit a contact and send it on its way."""
    state = engine.state
    channel = state.config.channels.get(command.channel)
    if channel is None:
        return _no_channel(engine, command.channel)
    if not command.provider_id:
        return Refusal(code="bad_value", message="provider_id is empty; it makes admission idempotent")
    known = state.by_provider.get(provider_key(command.channel, command.provider_id))
    if known is not None:
        return known
    queue = command.queue or channel.queue
    if queue and queue not in state.queues:
        return no_queue(engine, queue)
    if command.outbound and (refusal := _cannot_dial(channel, command)) is not None:
        return refusal
    if command.skills or command.priority:
        refusal = bad_skills(engine, command.skills) or bad_priority(command.priority)
        if refusal is not None:
            return refusal
    number = state.last_id + 1
    # Python calls with more than fifteen keywords through a dictionary, four times as slowly.
    admitted = ContactAdmitted(
        contact=number,
        conversation=command.conversation or number,
        channel=command.channel,
        medium=channel.medium,
        provider_id=command.provider_id,
        direction="outbound" if command.outbound else "inbound",
        handle=command.handle,
        language=command.language,
        queue=queue,
        skills=command.skills,
        priority=command.priority,
        credit_ns=None if command.credit_s is None else ns(command.credit_s),
        preferred_agent=command.preferred_agent,
        attributes=command.attributes,
    )
    if command.to or command.subject or command.customer_name:
        admitted = replace(
            admitted, to=command.to, subject=command.subject, customer_name=command.customer_name
        )
    engine.emit(admitted)
    if command.text:
        engine.emit(MessagePosted(contact=number, number=1, author="customer", text=command.text))
    go_on(engine, state.contacts[number])
    return number


def go_on(engine: Engine, contact: Contact) -> None:
    """Send a contact to the next stage before waiting that it has not been through."""
    config = engine.state.config
    phase = contact.phase
    channel = config.channels[contact.channel]
    if phase == "arrived" and config.crms:
        deadline_ns = engine.now_ns + ns(config.limits.identify_s)
        engine.emit(IdentificationStarted(contact=contact.id, deadline_ns=deadline_ns))
    elif phase in ("arrived", "identifying") and config.classifiers:
        deadline_ns = engine.now_ns + ns(config.limits.classify_s)
        engine.emit(ClassificationStarted(contact=contact.id, deadline_ns=deadline_ns))
    elif phase != "self_service" and channel.bot and not contact.to_dial:
        deadline_ns = engine.now_ns + ns(config.limits.bot_turn_s)
        engine.emit(SelfServiceStarted(contact=contact.id, bot=channel.bot, deadline_ns=deadline_ns))
    else:
        # The channel's queue is the contact's from the beginning, but for rules that came later.
        wait.enter(engine, contact, contact.queue or channel.queue or config.default_queue)


def place(engine: Engine, command: PlaceContact) -> Refusal | int:
    """An agent begins a contact, which the channel then connects."""
    state = engine.state
    agent = find_present(engine, command.agent)
    if isinstance(agent, Refusal):
        return agent
    channel = state.config.channels.get(command.channel)
    if channel is None:
        return _no_channel(engine, command.channel)
    refusal = _cannot_dial(channel, command)
    if refusal is not None:
        return refusal
    known = state.by_provider.get(provider_key(command.channel, command.provider_id))
    if known is not None:
        return known
    queue = command.queue or channel.queue or state.config.default_queue
    if queue not in state.queues:
        return no_queue(engine, queue)
    number = engine.next_id()
    engine.emit(
        ContactAdmitted(
            contact=number,
            conversation=command.conversation or number,
            channel=command.channel,
            medium=channel.medium,
            provider_id=command.provider_id,
            direction="outbound",
            handle=command.handle,
            subject=command.subject,
            customer_name=command.customer_name,
            queue=queue,
        )
    )
    connect_by_ns = engine.now_ns + ns(state.rules(queue).connect_s)
    engine.emit(ContactPlaced(contact=number, agent=command.agent, connect_by_ns=connect_by_ns))
    return number


def _cannot_dial(channel: ChannelRule, command: AdmitContact | PlaceContact) -> Refusal | None:
    if not channel.can_dial:
        return Refusal(code="not_capable", message=f"channel {command.channel!r} can't begin a contact")
    if not command.provider_id or not command.handle:
        return Refusal(code="bad_value", message="provider_id and handle must not be empty")
    return None


def _no_channel(engine: Engine, channel: str) -> Refusal:
    known = ", ".join(sorted(engine.state.config.channels)) or "none"
    return Refusal(code="unknown_channel", message=f"channel was {channel!r}; known: {known}")
