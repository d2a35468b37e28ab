"""A contact is over: what is remembered of it, for how long, and what is forgotten at once."""

from __future__ import annotations

from itertools import islice
from typing import Final

from msgspec.structs import replace

from centralita.apply.arrivals import forget_customer
from centralita.apply.means import GAP_WEIGHT, left_line
from centralita.apply.phases import Change, move
from centralita.messages import ContactEnded, ContactRated, ContactsErased
from centralita.personal import bare_ended
from centralita.state import (
    ENDED_KEPT_MAX,
    OWED_KEPT_MAX,
    RECENT_NS,
    WORDS_SWEPT_EVERY_NS,
    Contact,
    Ended,
    Message,
    State,
    provider_key,
)


def _ended(state: State, event: ContactEnded, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, ContactEnded, at_ns)
    if contact.works:
        for agent in contact.works:
            del state.agents[agent].contacts[contact.id]
        contact.works.clear()
        contact.agent = ""
    if contact.answered and contact.direction == "inbound" and contact.queue in state.queues:
        queue = state.queues[contact.queue]
        handling_ns = contact.talk_ns + contact.hold_ns + contact.wrap_up_ns
        queue.handled_n += 1
        queue.handling_ns += (handling_ns - queue.handling_ns) * max(GAP_WEIGHT, 1 / queue.handled_n)
    elif event.outcome == "abandoned" and event.waited_ns and contact.queue in state.queues:
        left_line(state.queues[contact.queue], event.waited_ns, gave_up=True)
    state.ended_n += 1
    if contact.customer is not None:
        forget_customer(state, contact)
    del state.contacts[contact.id]
    ended = state.ended
    ended[contact.id] = Ended(
        contact.channel,
        contact.provider_id,
        contact.queue,
        contact.last_agent,
        at_ns,
        contact.rated,
        contact.callback_channel,
        last_words(contact, at_ns) if contact.messages else (),
        contact.parent != 0,
        contact.forwarded_to,
        contact.undelivered,
    )
    if at_ns >= state.words_swept_ns + WORDS_SWEPT_EVERY_NS:
        let_go_of_words(state, at_ns)
    if len(ended) > ENDED_KEPT_MAX:
        forget_oldest(state)


def last_words(contact: Contact, at_ns: int) -> tuple[Message, ...]:
    """What was said to the customer within RECENT_NS of the end, and what is owed, in order."""
    words: list[Message] = []
    owed = contact.undelivered
    for message in reversed(contact.messages or ()):
        if contact.parent or (message.at_ns < at_ns - RECENT_NS and not 0 < owed <= message.number):
            break
        if message.author != "customer" and not message.internal:
            words.append(message)
    words.reverse()
    return tuple(words)


def let_go_of_words(state: State, at_ns: int) -> None:
    """Keep no words of those who ended more than RECENT_NS ago and are owed nothing. All at once and seldom:
    a look at each end would cost every contact, and who ended long before has been looked at."""
    looked_at_ns = state.words_swept_ns - RECENT_NS
    state.words_swept_ns = at_ns
    old: list[int] = []
    for number, ended in reversed(state.ended.items()):
        if ended.ended_ns < looked_at_ns:
            break
        if ended.ended_ns < at_ns - RECENT_NS and ended.last_words and not ended.undelivered:
            old.append(number)
    for number in old:  # replaced, not changed: a capture may hold the one there was
        state.ended[number] = replace(state.ended[number], last_words=())


def forget_oldest(state: State) -> None:
    """Forget the older half at once: a dictionary that loses its first key each time gets slow. Those who are
    owed words are remembered longer, the newest OWED_KEPT_MAX of them."""
    oldest = list(islice(state.ended, len(state.ended) // 2))
    owed = [number for number in oldest if state.ended[number].undelivered]
    for number in set(oldest).difference(owed[-OWED_KEPT_MAX:]):
        forgotten = state.ended.pop(number)
        del state.by_provider[provider_key(forgotten.channel, forgotten.provider_id)]


def _rated(state: State, event: ContactRated, at_ns: int) -> None:
    contact = state.contacts.get(event.contact)
    if contact is not None:
        contact.rated = True
    else:  # replaced, not changed: a capture may hold the one there was
        state.ended[event.contact] = replace(state.ended[event.contact], rated=True)


def _erased(state: State, event: ContactsErased, at_ns: int) -> None:
    for number in event.contacts:
        ended = state.ended.get(number)
        if ended is not None:
            bare = state.ended[number] = bare_ended(number, ended)
            bare.undelivered = 0
            del state.by_provider[provider_key(ended.channel, ended.provider_id)]
            state.by_provider[provider_key(bare.channel, bare.provider_id)] = number


CHANGES: Final[dict[type, Change]] = {
    ContactEnded: _ended,
    ContactRated: _rated,
    ContactsErased: _erased,
}
