"""What each event moves in the lines: the matching queue's contacts and hands, and the deadlines.

`FOLLOW[type(event)](lines, event, now_ns)` is called once the state has the event, live and when a
journal is read back alike. An event that is not in the table moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from centralita.lines import (
    ANNOUNCE,
    ASK_AGAIN,
    DUE,
    GRACE,
    STAGE,
    TAKEN,
    WORK,
    Lines,
    ask_again_ns,
    earliest_work_ns,
    set_deadline,
)
from centralita.messages import (
    AgentConnectionLost,
    AgentJoined,
    AgentLeaving,
    AgentLeft,
    AgentOccupied,
    AgentReleased,
    AgentReturned,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    CallbackDue,
    CallbackPostponed,
    CallbackRequested,
    ClassificationStarted,
    ConfigurationApplied,
    ConnectionFailed,
    ContactClassified,
    ContactConnected,
    ContactEnded,
    ContactHeld,
    ContactIdentified,
    ContactMoved,
    ContactOffered,
    ContactPlaced,
    ContactQueued,
    ContactResumed,
    ContactReturned,
    ContactTransferred,
    ExclusionsEnded,
    IdentificationStarted,
    MaxWaitPassed,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    SelfServiceEnded,
    SelfServiceStarted,
    SelfServiceTurn,
    ServiceEnded,
    TransferStarted,
    WaitAnnounced,
    WrapUpEnded,
    WrapUpExtended,
    WrapUpStarted,
)
from centralita.state import Contact


def _stage(lines: Lines, event: Any, now_ns: int) -> None:
    lines.timers.schedule(STAGE, event.contact, event.deadline_ns)


def _stage_over(lines: Lines, event: Any, now_ns: int) -> None:
    lines.timers.cancel(STAGE, event.contact)


def _identified(lines: Lines, event: ContactIdentified, now_ns: int) -> None:
    if not lines.state.contacts[event.contact].deadline_ns:
        lines.timers.cancel(STAGE, event.contact)


def _resumed(lines: Lines, event: ContactResumed, now_ns: int) -> None:
    lines.timers.schedule(STAGE, event.contact, lines.state.contacts[event.contact].deadline_ns)


def _queued(lines: Lines, event: ContactQueued, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    if contact.hops > 1 or contact.excluded or contact.id in lines.known:
        put_back(lines, contact, now_ns)
        return
    # Into its first line a contact comes from nowhere and without any deadline, unless the agent who placed it
    # passes it on; retiming it would cancel five.
    if not contact.due_ns:
        lines.enqueue(contact)
    timers = lines.timers
    if contact.deadline_ns:
        timers.schedule(STAGE, contact.id, contact.deadline_ns)
    if contact.announce_at_ns:
        timers.schedule(ANNOUNCE, contact.id, contact.announce_at_ns)


def put_back(lines: Lines, contact: Contact, now_ns: int) -> None:
    """Take a contact's place and its deadlines anew from the state."""
    lines.replace(contact, now_ns=now_ns)
    lines.retime(contact)


def _replaced(lines: Lines, event: Any, now_ns: int) -> None:
    put_back(lines, lines.state.contacts[event.contact], now_ns)


def _returned(lines: Lines, event: ContactReturned, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    if contact.answered or contact.id not in lines.known:
        lines.replace(contact, now_ns=now_ns)
    elif not lines.queue.is_waiting(contact.id):
        lines.queue.requeue(contact.id, now_ns=now_ns)
    lines.retime(contact)
    lines.changed = True


def _offered(lines: Lines, event: ContactOffered, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    # Somebody may still be wrapping up an earlier part of it.
    at_ns = event.expires_ns if len(contact.works) == 1 else earliest_work_ns(contact)
    lines.timers.schedule(WORK, event.contact, at_ns)
    if contact.excluded:
        # Whoever is picked although they declined is waited for no more.
        set_deadline(lines.timers, ASK_AGAIN, event.contact, ask_again_ns(contact))


def _accepted(lines: Lines, event: OfferAccepted, now_ns: int) -> None:
    number, timers = event.contact, lines.timers
    lines.queue.accept(number, lines.state.agents[event.agent].number, now_ns=now_ns)
    contact = lines.state.contacts[number]
    timers.schedule(WORK, number, earliest_work_ns(contact))
    if contact.deadline_ns:
        timers.cancel(STAGE, number)
    if contact.announce_at_ns:
        timers.cancel(ANNOUNCE, number)


def _given_back(lines: Lines, event: Any, now_ns: int) -> None:
    kind = type(event)
    number = lines.state.agents[event.agent].number
    taken = kind is OfferWithdrawn and event.reason == TAKEN
    # An offer to several is one to each alone once the rules say so: then nobody has freed the others.
    if not taken or number in lines.queue.holders(event.contact):
        exclude = kind is OfferDeclined or kind is ConnectionFailed
        lines.queue.give_back(event.contact, number, now_ns=now_ns, exclude=exclude)
    contact = lines.state.contacts[event.contact]
    set_deadline(lines.timers, WORK, contact.id, earliest_work_ns(contact))
    set_deadline(lines.timers, ASK_AGAIN, contact.id, ask_again_ns(contact))
    lines.changed = True


def _placed(lines: Lines, event: ContactPlaced, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    lines.enqueue(contact, waiting=False)
    lines.queue.assign(contact.id, lines.state.agents[event.agent].number, now_ns=now_ns)
    lines.timers.schedule(WORK, contact.id, event.connect_by_ns)


def _connected(lines: Lines, event: ContactConnected, now_ns: int) -> None:
    number, timers = event.contact, lines.timers
    contact = lines.state.contacts[number]
    if contact.queue and lines.terms[contact.queue].has_rings:
        lines.queue.change(number, ladder=-1)
    timers.schedule(STAGE, number, contact.deadline_ns)
    if len(contact.works) == 1:
        timers.cancel(WORK, number)  # the only work in it is the one that has just begun
    else:
        set_deadline(timers, WORK, number, earliest_work_ns(contact))


def _let_go(lines: Lines, contact: Contact, agent: str, now_ns: int) -> None:
    """One of the hands a contact is in opens; the contact may have no other."""
    number = lines.state.agents[agent].number
    if number in lines.queue.holders(contact.id):
        lines.queue.finish(contact.id, number, now_ns=now_ns)
        if not any(not work.hold for work in contact.works.values()):
            lines.known.discard(contact.id)
        lines.changed = True


def _left(lines: Lines, event: AgentLeft, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    if contact.id in lines.known:
        _let_go(lines, contact, event.agent, now_ns)
    set_deadline(lines.timers, WORK, contact.id, earliest_work_ns(contact))


def _transfer_started(lines: Lines, event: TransferStarted, now_ns: int) -> None:
    lines.forget(event.contact, now_ns=now_ns)
    lines.timers.cancel(STAGE, event.contact)


def _transferred(lines: Lines, event: ContactTransferred, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    lines.queue.assign(contact.id, lines.state.agents[event.to_agent].number, now_ns=now_ns)
    _let_go(lines, contact, event.from_agent, now_ns)
    lines.retime(contact)


def _joined(lines: Lines, event: AgentJoined, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    lines.queue.assign(contact.id, lines.state.agents[event.agent].number, now_ns=now_ns)
    lines.retime(contact)


def _service_ended(lines: Lines, event: ServiceEnded, now_ns: int) -> None:
    lines.timers.cancel(STAGE, event.contact)
    lines.timers.cancel(ANNOUNCE, event.contact)
    contact = lines.state.contacts[event.contact]
    for work in contact.works.values():
        if not work.hold:
            return
    lines.forget(contact.id, now_ns=now_ns)


def _wrap_up_started(lines: Lines, event: WrapUpStarted, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    if event.hold:
        keep_taken(lines, event, now_ns)
    lines.timers.schedule(WORK, contact.id, earliest_work_ns(contact))


def keep_taken(lines: Lines, event: WrapUpStarted, now_ns: int) -> None:
    """An agent wraps up what has gone on to somebody else: their capacity stays taken."""
    contact = lines.state.contacts[event.contact]
    number = lines.state.agents[event.agent].number
    lines.keep_taken(contact, event.hold, contact.medium)
    lines.queue.assign(event.hold, number, now_ns=now_ns)
    if contact.id in lines.known:
        lines.queue.exclude(contact.id, number)  # as the state has it: not asked again meanwhile


def _wrap_up_extended(lines: Lines, event: WrapUpExtended, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    lines.timers.schedule(WORK, contact.id, earliest_work_ns(contact))


def _wrap_up_ended(lines: Lines, event: WrapUpEnded, now_ns: int) -> None:
    contact = lines.state.contacts[event.contact]
    if event.hold:
        lines.forget(event.hold, now_ns=now_ns)
    else:
        _let_go(lines, contact, event.agent, now_ns)
    set_deadline(lines.timers, WORK, contact.id, earliest_work_ns(contact))
    if contact.excluded:
        set_deadline(lines.timers, ASK_AGAIN, contact.id, ask_again_ns(contact))
    lines.changed = True


def _ended(lines: Lines, event: ContactEnded, now_ns: int) -> None:
    number = event.contact
    lines.forget(number, now_ns=now_ns)
    if event.outcome == "served":
        # The end of the service and of the wrap-up have taken its other deadlines away.
        lines.timers.cancel(ASK_AGAIN, number)
        return
    for kind in (STAGE, WORK, ANNOUNCE, DUE, ASK_AGAIN):
        lines.timers.cancel(kind, number)


def _announced(lines: Lines, event: WaitAnnounced, now_ns: int) -> None:
    set_deadline(lines.timers, ANNOUNCE, event.contact, event.next_at_ns)


def _agent_in(lines: Lines, event: AgentSignedIn, now_ns: int) -> None:
    lines.add_agent(lines.state.agents[event.agent], None, now_ns=now_ns)


def _agent_availability(lines: Lines, event: Any, now_ns: int) -> None:
    agent = lines.state.agents[event.agent]
    lines.queue.set_available(agent.number, agent.receiving, now_ns=now_ns)
    if agent.leaving:
        lines.leaving.add(agent.name)
    else:
        lines.leaving.discard(agent.name)
    set_deadline(lines.timers, GRACE, agent.number, agent.grace_until_ns)
    lines.changed = True


def _agent_out(lines: Lines, event: AgentSignedOut, now_ns: int) -> None:
    agent = lines.state.agents[event.agent]
    lines.timers.cancel(GRACE, agent.number)
    lines.leaving.discard(agent.name)
    lines.note_turn(agent)
    lines.queue.remove_agent(agent.number, now_ns=now_ns)
    del lines.agent_of[agent.number]
    lines.changed = True


def _configured(lines: Lines, event: ConfigurationApplied, now_ns: int) -> None:
    lines.store_keys()
    lines.rebuild()


FOLLOW: Final[dict[type, Callable[[Lines, Any, int], None]]] = {
    IdentificationStarted: _stage,
    ContactIdentified: _identified,
    ClassificationStarted: _stage,
    ContactClassified: _stage_over,
    SelfServiceStarted: _stage,
    SelfServiceTurn: _stage,
    SelfServiceEnded: _stage_over,
    ContactQueued: _queued,
    MaxWaitPassed: _stage_over,
    ContactMoved: _replaced,
    ContactReturned: _returned,
    ExclusionsEnded: _replaced,
    ContactPlaced: _placed,
    ContactOffered: _offered,
    OfferAccepted: _accepted,
    OfferDeclined: _given_back,
    OfferExpired: _given_back,
    OfferWithdrawn: _given_back,
    ConnectionFailed: _given_back,
    ContactConnected: _connected,
    ContactHeld: _stage,
    ContactResumed: _resumed,
    TransferStarted: _transfer_started,
    ContactTransferred: _transferred,
    AgentJoined: _joined,
    AgentLeft: _left,
    ServiceEnded: _service_ended,
    WrapUpStarted: _wrap_up_started,
    WrapUpExtended: _wrap_up_extended,
    WrapUpEnded: _wrap_up_ended,
    ContactEnded: _ended,
    WaitAnnounced: _announced,
    CallbackRequested: _replaced,
    CallbackDue: _replaced,
    CallbackPostponed: _replaced,
    AgentSignedIn: _agent_in,
    AgentStatusChanged: _agent_availability,
    AgentOccupied: _agent_availability,
    AgentReleased: _agent_availability,
    AgentLeaving: _agent_availability,
    AgentReturned: _agent_availability,
    AgentConnectionLost: _agent_availability,
    AgentSignedOut: _agent_out,
    ConfigurationApplied: _configured,
}
