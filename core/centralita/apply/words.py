"""What is said in a contact, and what of it is owed to the customer."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from centralita.apply.phases import Change, moved
from centralita.messages import DeliveryFailed, DeliveryMade, MessagePosted
from centralita.state import Message, State


def _message_posted(state: State, event: MessagePosted, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.messages_n = event.number
    contact.active_ns = at_ns
    if contact.messages is None:
        contact.messages = []
    elif len(contact.messages) >= state.config.limits.messages_kept:
        del contact.messages[0]
    contact.messages.append(
        Message(
            number=event.number,
            at_ns=at_ns,
            author=event.author,
            text=event.text,
            author_id=event.author_id,
            message_id=event.message_id,
            attachments=event.attachments,
            internal=event.internal,
        )
    )


def _delivery_failed(state: State, event: DeliveryFailed, at_ns: int) -> None:
    _owe(state, event.contact, event.number)


def _delivery_made(state: State, event: DeliveryMade, at_ns: int) -> None:
    contact = state.contacts.get(event.contact)
    said = contact.messages or () if contact is not None else state.ended[event.contact].last_words
    left = (one.number for one in said if one.author != "customer" and not one.internal)
    _owe(state, event.contact, next((number for number in left if number > event.number), 0))


def _owe(state: State, number: int, first: int) -> None:
    """Owe a customer all words from a message on; 0: nothing."""
    contact = state.contacts.get(number)
    if contact is not None:
        contact.undelivered = first
    else:  # replaced, not changed: a capture may hold the one there was
        ended = state.ended[number]
        words = tuple(one for one in ended.last_words if 0 < first <= one.number)
        state.ended[number] = replace(ended, last_words=words, undelivered=first)


CHANGES: Final[dict[type, Change]] = {
    MessagePosted: _message_posted,
    DeliveryFailed: _delivery_failed,
    DeliveryMade: _delivery_made,
}
