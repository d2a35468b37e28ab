"""A contact in service: holds, transfers, consultations, conferences, after-work."""

from __future__ import annotations

from typing import Final

from centralita.apply.phases import Change, add_work, deadline_set, drop_work, exclude, move, moved, pass_on
from centralita.config import ns
from centralita.messages import (
    AgentJoined,
    AgentLeft,
    ConsultationEnded,
    ConsultationStarted,
    ContactForwarded,
    ContactHeld,
    ContactNoted,
    ContactResumed,
    ContactTransferred,
    ServiceEnded,
    TransferStarted,
    WrapUpEnded,
    WrapUpExtended,
    WrapUpStarted,
)
from centralita.state import State, Work


def _resumed(state: State, event: ContactResumed, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.deadline_ns = at_ns + ns(state.config.limits.silence_s)
    contact.active_ns = at_ns


def _forwarded(state: State, event: ContactForwarded, at_ns: int) -> None:
    moved(state, event, at_ns).forwarded_to = event.number


def _transfer_started(state: State, event: TransferStarted, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.wait_from_ns = 0
    contact.deadline_ns = 0
    exclude(contact, event.agent, event.again_at_ns)
    if event.agent in contact.works and contact.works[event.agent].state != "wrapping":
        drop_work(state, contact, event.agent)
    contact.agent = ""


def _consultation_started(state: State, event: ConsultationStarted, at_ns: int) -> None:
    moved(state, event, at_ns).consultation = event.consultation


def _consultation_ended(state: State, event: ConsultationEnded, at_ns: int) -> None:
    moved(state, event, at_ns).consultation = 0


def _transferred(state: State, event: ContactTransferred, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    if event.from_agent in contact.works and contact.works[event.from_agent].state != "wrapping":
        drop_work(state, contact, event.from_agent)
    add_work(state, contact, event.to_agent, Work("connected", at_ns))
    contact.agent = contact.last_agent = event.to_agent
    contact.deadline_ns = at_ns + ns(state.config.limits.silence_s)
    contact.active_ns = at_ns


def _joined(state: State, event: AgentJoined, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.deadline_ns = at_ns + ns(state.config.limits.silence_s)
    add_work(state, contact, event.agent, Work("connected", at_ns))


def _left(state: State, event: AgentLeft, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    if event.agent in contact.works and contact.works[event.agent].state != "wrapping":
        drop_work(state, contact, event.agent)


def _service_ended(state: State, event: ServiceEnded, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, ServiceEnded, at_ns)
    contact.deadline_ns = 0
    contact.announce_at_ns = 0
    contact.outcome = event.outcome
    contact.ended_by = event.by
    contact.ended_reason = event.reason


def _wrap_up_started(state: State, event: WrapUpStarted, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, WrapUpStarted, at_ns)
    if event.hold:
        state.last_id = event.hold
        exclude(contact, event.agent, event.deadline_ns)
    contact.works[event.agent] = Work("wrapping", at_ns, event.deadline_ns, 0, event.hold)
    if event.hold:
        pass_on(contact, event.agent)


def _wrap_up_extended(state: State, event: WrapUpExtended, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    contact.works[event.agent].deadline_ns = event.deadline_ns


def _wrap_up_ended(state: State, event: WrapUpEnded, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    move(state, contact, WrapUpEnded, at_ns)
    contact.wrap_up_ns += event.wrap_up_ns
    if event.disposition:
        contact.disposition = event.disposition
    if event.notes:
        contact.notes = event.notes
    drop_work(state, contact, event.agent)


def _noted(state: State, event: ContactNoted, at_ns: int) -> None:
    contact = moved(state, event, at_ns)
    if event.notes is not None:
        contact.notes = event.notes
    if event.disposition is not None:
        contact.disposition = event.disposition


CHANGES: Final[dict[type, Change]] = {
    ContactForwarded: _forwarded,
    ContactHeld: deadline_set,
    ContactResumed: _resumed,
    TransferStarted: _transfer_started,
    ConsultationStarted: _consultation_started,
    ConsultationEnded: _consultation_ended,
    ContactTransferred: _transferred,
    AgentJoined: _joined,
    AgentLeft: _left,
    ServiceEnded: _service_ended,
    WrapUpStarted: _wrap_up_started,
    WrapUpExtended: _wrap_up_extended,
    WrapUpEnded: _wrap_up_ended,
    ContactNoted: _noted,
}
