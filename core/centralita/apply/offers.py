"""Offers and connections: an agent's part in a contact up to the first word."""

from __future__ import annotations

from typing import Final

from centralita.apply.means import GAP_WEIGHT, LINE_WEIGHT, UNEVENNESS_MAX, left_line
from centralita.apply.phases import Change, add_work, drop_work, exclude, move, moved
from centralita.config import ns
from centralita.messages import (
    ConnectionFailed,
    ContactConnected,
    ContactOffered,
    ContactPlaced,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
)
from centralita.state import State, Work


def _offered(state: State, event: ContactOffered, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, ContactOffered, at_ns)
    state.last_id = event.offer
    agent = event.agent
    contact.works[agent] = Work("offered", at_ns, event.expires_ns, event.offer)
    state.agents[agent].contacts[contact.id] = None


def _accepted(state: State, event: OfferAccepted, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, OfferAccepted, at_ns)
    agent = event.agent
    contact.works[agent] = Work("connecting", at_ns, event.connect_by_ns)
    contact.agent = agent
    contact.picked = ""
    state.agents[agent].no_answers = 0


def _offer_over(state: State, event: OfferWithdrawn, at_ns: int) -> None:
    drop_work(state, moved(state, event, at_ns), event.agent)


def _declined(state: State, event: OfferDeclined, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    exclude(contact, event.agent, event.again_at_ns)
    contact.picked = ""
    drop_work(state, contact, event.agent)


def _expired(state: State, event: OfferExpired, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.picked = ""
    drop_work(state, contact, event.agent)
    state.agents[event.agent].no_answers += 1


def _placed(state: State, event: ContactPlaced, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.agent = event.agent
    contact.wait_from_ns = contact.queued_ns = at_ns
    add_work(state, contact, event.agent, Work("connecting", at_ns, event.connect_by_ns))


def _connected(state: State, event: ContactConnected, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, ContactConnected, at_ns)
    contact.works[event.agent] = Work("connected", at_ns)
    contact.last_agent = event.agent
    contact.active_ns = at_ns
    contact.waited_ns += event.waited_ns
    contact.answered = contact.reached = True
    contact.deadline_ns = at_ns + ns(state.config.limits.silence_s)
    queue = state.queues.get(event.queue)
    if queue is not None and contact.direction == "inbound":
        if queue.backlog_at_last_start:
            gap_ns = at_ns - queue.last_start_ns
            weight = max(GAP_WEIGHT, 1 / (queue.gaps_n + 1))
            if queue.gap_ns > 0:
                # Bounded first: a power that no float holds is an error, and gaps of nothing make the mean tiny.
                off = min(abs(gap_ns / queue.gap_ns - 1), UNEVENNESS_MAX) ** 2
                queue.gap_unevenness += (min(off, UNEVENNESS_MAX) - queue.gap_unevenness) * LINE_WEIGHT
            queue.gap_ns += (gap_ns - queue.gap_ns) * weight
            queue.gaps_n += 1
        queue.last_start_ns = at_ns
        queue.backlog_at_last_start = bool(queue.waiting)
        if event.waited_ns:
            left_line(queue, event.waited_ns, gave_up=False)


def _connection_failed(state: State, event: ConnectionFailed, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    exclude(contact, event.agent, event.again_at_ns)
    drop_work(state, contact, event.agent)


CHANGES: Final[dict[type, Change]] = {
    ContactPlaced: _placed,
    ContactOffered: _offered,
    OfferAccepted: _accepted,
    OfferDeclined: _declined,
    OfferExpired: _expired,
    OfferWithdrawn: _offer_over,
    ContactConnected: _connected,
    ConnectionFailed: _connection_failed,
}
