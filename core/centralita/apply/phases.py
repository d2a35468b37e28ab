"""The phase of a contact, and whose hands it is in: what the other modules do with each event.

The phase that follows an event comes from the table in `state.py` and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from centralita.errors import InvalidTransition
from centralita.messages import Event
from centralita.state import CONTACT_TRANSITIONS, Contact, State, Work

Change = Callable[[State, Any, int], None]
"""What an event does to the state, at a moment."""


def moved(state: State, event: Any, at_ns: int) -> Contact:
    """The event's contact, brought to the phase that follows."""
    contact = state.contacts[event.contact]
    move(state, contact, type(event), at_ns)
    return contact


def move(state: State, contact: Contact, kind: type[Event], at_ns: int) -> None:
    """Bring a contact to the phase that follows an event of a kind. What every contact goes through calls
    this one: it asks the event for nothing, and an attribute asked of many types is slow."""
    phase = contact.phase
    try:
        following = CONTACT_TRANSITIONS[kind][phase]
    except KeyError:
        raise InvalidTransition(
            f"contact {contact.id} was {phase}; {kind.__name__} can't come then"
        ) from None
    if following != phase:
        if phase == "connected":
            contact.talk_ns += at_ns - contact.phase_since_ns
        elif phase == "on_hold":
            contact.hold_ns += at_ns - contact.phase_since_ns
        elif phase == "waiting":
            state.queues[contact.queue].waiting.pop(contact.id, None)
        if following == "waiting":
            state.queues[contact.queue].waiting[contact.id] = None
        contact.phase = following
        contact.phase_since_ns = at_ns


def deadline_set(state: State, event: Any, at_ns: int) -> None:
    """The contact waits for somebody until the event's deadline."""
    moved(state, event, at_ns).deadline_ns = event.deadline_ns


def add_work(state: State, contact: Contact, agent: str, work: Work) -> None:
    """Put a contact into an agent's hands."""
    contact.works[agent] = work
    state.agents[agent].contacts[contact.id] = None


def drop_work(state: State, contact: Contact, agent: str) -> None:
    """Take a contact out of an agent's hands; whoever else has it goes on."""
    del contact.works[agent]
    del state.agents[agent].contacts[contact.id]
    pass_on(contact, agent)


def pass_on(contact: Contact, agent: str) -> None:
    """If the contact was this agent's, who does not serve it any more, it is the next one's who does."""
    if contact.agent == agent:
        contact.agent = next((name for name, work in contact.works.items() if work.state != "wrapping"), "")


def exclude(contact: Contact, agent: str, until_ns: int) -> None:
    """Keep an agent from a contact until a moment; 0: for good."""
    if contact.excluded is None:
        contact.excluded = {}
    contact.excluded[agent] = until_ns
