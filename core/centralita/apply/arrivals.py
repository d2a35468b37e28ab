"""A contact comes in and becomes known: who it is, what it needs, what a bot has done for it."""

from __future__ import annotations

from typing import Final

from centralita.apply.phases import Change, deadline_set, move, moved
from centralita.messages import (
    ClassificationStarted,
    ContactAdmitted,
    ContactClassified,
    ContactIdentified,
    IdentificationStarted,
    SelfServiceEnded,
    SelfServiceStarted,
    SelfServiceTurn,
)
from centralita.state import Contact, State, customer_key, provider_key


def forget_customer(state: State, contact: Contact) -> None:
    """The contact is no longer one of its customer's live ones."""
    assert contact.customer is not None
    key = customer_key(contact.customer)
    theirs = state.by_customer[key]
    del theirs[contact.id]
    if not theirs:
        del state.by_customer[key]


def _admitted(state: State, event: ContactAdmitted, at_ns: int) -> None:
    state.last_id = event.contact
    state.admitted_n += 1
    state.by_provider[provider_key(event.channel, event.provider_id)] = event.contact
    # Python calls with more than fifteen keywords through a dictionary, three times as slowly.
    state.contacts[event.contact] = contact = Contact(
        id=event.contact,
        conversation=event.conversation,
        channel=event.channel,
        medium=event.medium,
        provider_id=event.provider_id,
        direction=event.direction,
        arrived_ns=at_ns,
        handle=event.handle,
        phase_since_ns=at_ns,
        queue=event.queue,
        own_skills=event.skills,
        own_priority=event.priority,
        own_credit_ns=event.credit_ns,
        parent=event.parent,
        active_ns=at_ns,
    )
    contact.to = event.to
    contact.subject = event.subject
    contact.customer_name = event.customer_name
    contact.language = event.language
    contact.preferred_agent = event.preferred_agent
    contact.attributes = event.attributes


def _identified(state: State, event: ContactIdentified, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, ContactIdentified, at_ns)
    if contact.phase == "identifying":  # a later answer ends no other wait
        contact.deadline_ns = 0
    if event.customer is not None:
        if contact.customer is not None:
            forget_customer(state, contact)
        contact.customer = event.customer
        state.by_customer.setdefault(customer_key(event.customer), {})[contact.id] = None
    if event.conversation:
        contact.conversation = event.conversation


def _classified(state: State, event: ContactClassified, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, ContactClassified, at_ns)
    contact.deadline_ns = 0
    contact.queue = event.queue
    contact.own_skills = event.skills
    contact.own_priority = event.priority
    contact.preferred_agent = event.preferred_agent
    contact.attributes = event.attributes


def _self_service_started(state: State, event: SelfServiceStarted, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.bot = event.bot
    contact.bot_after = contact.messages_n
    contact.deadline_ns = event.deadline_ns


def _self_service_ended(state: State, event: SelfServiceEnded, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.deadline_ns = 0
    contact.summary = event.summary


CHANGES: Final[dict[type, Change]] = {
    ContactAdmitted: _admitted,
    IdentificationStarted: deadline_set,
    ContactIdentified: _identified,
    ClassificationStarted: deadline_set,
    ContactClassified: _classified,
    SelfServiceStarted: _self_service_started,
    SelfServiceTurn: deadline_set,
    SelfServiceEnded: _self_service_ended,
}
