"""A contact in its line: how it comes in, what it requires there, whom it is kept from, and callbacks."""

from __future__ import annotations

from typing import Final

from centralita.apply.phases import Change, drop_work, exclude, move, moved
from centralita.config import CALLBACK_MEDIUM
from centralita.messages import (
    CallbackDue,
    CallbackPostponed,
    CallbackRequested,
    ContactMoved,
    ContactPicked,
    ContactQueued,
    ContactReturned,
    ExclusionsEnded,
    MaxWaitPassed,
    RingPassed,
    WaitAnnounced,
)
from centralita.state import State


def _queued(state: State, event: ContactQueued, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    if contact.phase == "waiting":  # it stays so, and its line changes
        state.queues[contact.queue].waiting.pop(contact.id, None)
        state.queues[event.queue].waiting[contact.id] = None
    contact.queue = event.queue
    move(state, contact, ContactQueued, at_ns)
    if not contact.wait_from_ns:
        contact.wait_from_ns = at_ns
    contact.skills = event.skills
    contact.priority = event.priority
    contact.rate_thousandths = event.rate_thousandths
    contact.credit_ns = event.credit_ns
    contact.queued_ns = event.queued_ns
    contact.prefer_agent = event.preferred_agent
    contact.prefer_until_ns = event.preferred_until_ns
    contact.deadline_ns = event.max_wait_until_ns
    contact.announce_at_ns = event.announce_at_ns
    contact.due_ns = event.due_ns
    contact.hops = event.hops
    contact.rung = 0
    for agent in event.excluded:
        exclude(contact, agent, 0)


def _max_wait_passed(state: State, event: MaxWaitPassed, at_ns: int) -> None:
    moved(state, event, at_ns).deadline_ns = 0


def _ring_passed(state: State, event: RingPassed, at_ns: int) -> None:
    moved(state, event, at_ns).rung = event.rung


def _contact_moved(state: State, event: ContactMoved, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    if event.skills is not None:
        contact.skills = event.skills
    if event.priority is not None:
        contact.priority = event.priority


def _picked(state: State, event: ContactPicked, at_ns: int) -> None:
    moved(state, event, at_ns).picked = event.agent


def _returned(state: State, event: ContactReturned, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.agent = ""
    contact.picked = ""
    if contact.answered:
        contact.wait_from_ns = at_ns
        contact.deadline_ns = 0


def _exclusions_ended(state: State, event: ExclusionsEnded, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    left = {name: until for name, until in (contact.excluded or {}).items() if name not in event.agents}
    contact.excluded = left or None


def _announced(state: State, event: WaitAnnounced, at_ns: int) -> None:
    moved(state, event, at_ns).announce_at_ns = event.next_at_ns


def _callback_requested(state: State, event: CallbackRequested, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.callback_handle = event.handle
    contact.callback_channel = event.channel
    contact.reached = False
    for work in contact.works.values():  # who wraps up an earlier part of it keeps that part's capacity
        work.medium = work.medium or contact.medium
    contact.medium = CALLBACK_MEDIUM
    contact.due_ns = event.due_ns
    contact.announce_at_ns = 0
    contact.deadline_ns = 0


def _callback_due(state: State, event: CallbackDue, at_ns: int) -> None:
    moved(state, event, at_ns).due_ns = 0


def _callback_postponed(state: State, event: CallbackPostponed, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    for agent in [name for name, work in contact.works.items() if work.state == "connecting"]:
        drop_work(state, contact, agent)
    contact.agent = ""
    contact.callback_attempts += 1
    contact.due_ns = event.due_ns
    contact.announce_at_ns = 0
    contact.deadline_ns = 0


CHANGES: Final[dict[type, Change]] = {
    ContactQueued: _queued,
    MaxWaitPassed: _max_wait_passed,
    RingPassed: _ring_passed,
    ContactMoved: _contact_moved,
    ContactPicked: _picked,
    ContactReturned: _returned,
    ExclusionsEnded: _exclusions_ended,
    WaitAnnounced: _announced,
    CallbackRequested: _callback_requested,
    CallbackDue: _callback_due,
    CallbackPostponed: _callback_postponed,
}
