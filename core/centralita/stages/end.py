"""How a contact ends: by anybody, at any stage; the after-work that follows; and a rating later.

A conversation that was served goes through wrap-up; the contact itself ends with the last agent's part
in it, so that its figures are whole. Consultations end with the contact they belong to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from centralita.asks import goodbyes
from centralita.config import ns
from centralita.messages import (
    AbandonContact,
    AgentLeft,
    CancelContact,
    ConsultationEnded,
    ContactEnded,
    ContactRated,
    EndContact,
    ExtendWrapUp,
    FinishWrapUp,
    Outcome,
    RateContact,
    ReconcileChannel,
    Refusal,
    ServiceEnded,
    WrapUpEnded,
    WrapUpExtended,
    WrapUpStarted,
)
from centralita.stages import offer, serve, wait
from centralita.stages.refuse import find_work, no_contact, wrong_phase
from centralita.state import Contact, Work

if TYPE_CHECKING:
    from centralita.engine import Engine

COMMENT_LENGTH_MAX = 10_000
"""Characters of a rating's comment."""


def abandon(engine: Engine, command: AbandonContact) -> Refusal | None:
    """The customer has gone, whatever stage the contact is in."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if contact.phase in ("connected", "on_hold"):
        stop_serving(engine, contact, by="customer", reason=command.reason)
    elif contact.phase == "wrapping":
        return wrong_phase(contact, "not over")
    elif contact.phase == "connecting" and contact.to_dial:
        serve.unreached(engine, contact, command.reason)
    elif contact.to_dial:
        what = "a callback" if contact.callback_handle else "yet to be dialled"
        return Refusal(code="already", message=f"contact {contact.id} is {what}: nobody waits on the line")
    else:
        close(engine, contact, "abandoned", by="customer", reason=command.reason)
    return None


def end(engine: Engine, command: EndContact) -> Refusal | None:
    """An agent in the conversation, a supervisor or a channel ends it."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if command.by in engine.state.agents:
        found = find_work(engine, command.contact, command.by)
        if isinstance(found, Refusal):
            return found
        if found[1].state == "connecting" and contact.direction != "inbound":
            close(engine, contact, "cancelled", by=command.by, reason=command.reason)
            return None
        if found[1].state != "connected":
            return wrong_phase(contact, "connected")
    if contact.phase in ("connected", "on_hold"):
        stop_serving(engine, contact, by=command.by, reason=command.reason)
    elif contact.phase == "wrapping":
        return wrong_phase(contact, "not over")
    else:
        close(engine, contact, "cancelled", by=command.by, reason=command.reason)
    return None


def cancel(engine: Engine, command: CancelContact) -> Refusal | None:
    """Take a contact out before it is served."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if contact.phase in ("connected", "on_hold", "wrapping"):
        return wrong_phase(contact, "not yet served")
    close(engine, contact, "cancelled", by=command.by, reason=command.reason)
    return None


def close(engine: Engine, contact: Contact, outcome: Outcome, *, by: str, reason: str = "") -> None:
    """End a contact that nobody is serving; an agent who had it before may still be wrapping up."""
    offer.withdraw(engine, contact, outcome)
    for name, work in list(contact.works.items()):
        if work.state == "connecting":
            engine.emit(AgentLeft(contact=contact.id, agent=name, reason=outcome))
    if contact.works:
        engine.emit(ServiceEnded(contact=contact.id, by=by, reason=reason, outcome=outcome))
    else:
        _final(engine, contact, outcome, by, reason)


def stop_serving(engine: Engine, contact: Contact, *, by: str, reason: str = "") -> None:
    """The conversation is over; every agent in it goes to the after-work."""
    if contact.consultation:
        end_consultation(engine, contact)
    if contact.parent:
        _final(engine, contact, "consulted", by, reason)
        return
    engine.emit(ServiceEnded(contact=contact.id, by=by, reason=reason))
    if contact.queue and engine.lines.terms[contact.queue].wrap_up_ns:
        for name, work in list(contact.works.items()):
            if work.state != "wrapping":
                wrap_up(engine, contact, name, stays=True)
    for work in contact.works.values():
        if work.state == "wrapping":
            break
    else:
        _final(engine, contact, "served", by, reason)
        return
    for name, work in list(contact.works.items()):
        if work.state != "wrapping":
            engine.emit(AgentLeft(contact=contact.id, agent=name, reason="no wrap-up"))


def wrap_up(engine: Engine, contact: Contact, agent: str, *, stays: bool) -> None:
    """Begin an agent's after-work, if the queue gives any. When the contact does not stay with the agent
    (a transfer), the agent's capacity stays taken under an id of its own."""
    seconds = engine.state.rules(contact.queue).wrap_up_s if contact.queue else 0
    if seconds:
        engine.emit(
            WrapUpStarted(
                contact=contact.id,
                agent=agent,
                deadline_ns=engine.now_ns + ns(seconds),
                hold=0 if stays else engine.next_id(),
            )
        )


def finish_wrap_up(engine: Engine, command: FinishWrapUp) -> Refusal | None:
    """An agent is done with the after-work."""
    found = _wrapping(engine, command.contact, command.agent)
    if isinstance(found, Refusal):
        return found
    refusal = bad_disposition(engine, command.disposition)
    if refusal is not None:
        return refusal
    wrapped(engine, found[0], command.agent, by="agent", disposition=command.disposition, notes=command.notes)
    return None


def extend_wrap_up(engine: Engine, command: ExtendWrapUp) -> Refusal | None:
    """An agent needs more time (or, with negative seconds, less), up to the queue's maximum."""
    found = _wrapping(engine, command.contact, command.agent)
    if isinstance(found, Refusal):
        return found
    contact, work = found
    latest_ns = work.since_ns + ns(engine.state.rules(contact.queue).wrap_up_max_s)
    deadline_ns = min(work.deadline_ns + ns(command.seconds), latest_ns)
    if deadline_ns == work.deadline_ns:
        return Refusal(code="bad_value", message="the wrap-up is as long as the queue allows")
    engine.emit(
        WrapUpExtended(
            contact=contact.id, agent=command.agent, deadline_ns=max(deadline_ns, engine.now_ns + 1)
        )
    )
    return None


def _wrapping(engine: Engine, contact: int, agent: str) -> tuple[Contact, Work] | Refusal:
    found = find_work(engine, contact, agent)
    if isinstance(found, Refusal):
        return found
    if found[1].state != "wrapping":
        return Refusal(
            code="wrong_phase",
            message=f"agent {agent!r} is {found[1].state} in contact {contact}; this needs wrapping",
        )
    return found


def bad_disposition(engine: Engine, disposition: str) -> Refusal | None:
    """Why a disposition can't be: the configuration lists them, if it lists any."""
    known = engine.state.config.dispositions
    if disposition and known and disposition not in known:
        return Refusal(
            code="bad_value", message=f"disposition was {disposition!r}; known: {', '.join(known)}"
        )
    return None


def wrapped(
    engine: Engine,
    contact: Contact,
    agent: str,
    *,
    by: Literal["agent", "timer", "status", "none"],
    disposition: str = "",
    notes: str = "",
) -> None:
    """An agent's part in a contact is over; with the last one ends the contact."""
    work = contact.works[agent]
    engine.emit(
        WrapUpEnded(
            contact=contact.id,
            agent=agent,
            by=by,
            disposition=disposition,
            notes=notes,
            wrap_up_ns=engine.now_ns - work.since_ns,
            hold=work.hold,
        )
    )
    if contact.phase == "waiting" and contact.prefer_agent == agent:
        wait.ask_named(engine, contact)
    elif contact.phase == "wrapping" and not contact.works:
        assert contact.outcome is not None
        _final(engine, contact, contact.outcome, contact.ended_by, contact.ended_reason)


def end_consultation(engine: Engine, contact: Contact) -> None:
    """End the consultation that a contact's agent has open, if any."""
    child = engine.state.contacts.get(contact.consultation)
    if child is not None:
        close_consultation(engine, contact, child, how="cancel")


def close_consultation(
    engine: Engine,
    contact: Contact,
    child: Contact,
    *,
    how: Literal["transfer", "join", "cancel", "failed"],
) -> None:
    """End a consultation and the contact that carried it."""
    engine.emit(ConsultationEnded(contact=contact.id, consultation=child.id, how=how))
    offer.withdraw(engine, child, "consultation over")
    _final(engine, child, "consulted", how, "")


def _final(engine: Engine, contact: Contact, outcome: Outcome, by: str, reason: str) -> None:
    """End a contact. All the time spent waiting for an agent counts, that of a present wait included."""
    waited_ns = contact.waited_ns
    if contact.wait_from_ns and contact.phase in ("waiting", "offered", "connecting"):
        waited_ns += engine.now_ns - contact.wait_from_ns
    engine.emit(
        ContactEnded(
            contact=contact.id,
            outcome="consulted" if contact.parent else outcome,
            channel=contact.channel,
            queue=contact.queue,
            agent=contact.last_agent,
            by=by,
            reason=reason,
            direction=contact.direction,
            arrived_ns=contact.arrived_ns,
            waited_ns=waited_ns,
            talk_ns=contact.talk_ns,
            hold_ns=contact.hold_ns,
            wrap_up_ns=contact.wrap_up_ns,
        )
    )
    if contact.parent:
        parent = engine.state.contacts.get(contact.parent)
        if parent is not None and parent.consultation == contact.id:
            engine.emit(ConsultationEnded(contact=parent.id, consultation=contact.id, how="failed"))


def rate(engine: Engine, command: RateContact) -> Refusal | None:
    """The customer's satisfaction, while the contact lives or for `limits.rating_s` after."""
    if not 1 <= command.score <= 5:
        return Refusal(code="bad_value", message=f"score was {command.score}; allowed: 1 to 5")
    if len(command.comment) > COMMENT_LENGTH_MAX:
        return Refusal(code="bad_value", message=f"comment is longer than {COMMENT_LENGTH_MAX} characters")
    state = engine.state
    contact = state.contacts.get(command.contact)
    if contact is not None:
        queue, agent, rated = contact.queue, contact.last_agent, contact.rated
    else:
        ended = state.ended.get(command.contact)
        if ended is None or engine.now_ns > ended.ended_ns + ns(state.config.limits.rating_s):
            return no_contact(command.contact)
        queue, agent, rated = ended.queue, ended.agent, ended.rated
    if rated:
        return Refusal(code="already", message=f"contact {command.contact} has been rated")
    engine.emit(
        ContactRated(
            contact=command.contact,
            score=command.score,
            queue=queue,
            agent=agent,
            comment=command.comment,
        )
    )
    return None


def reconcile(engine: Engine, command: ReconcileChannel) -> Refusal | None:
    """End what a channel no longer knows, and have it end what is over here. What is yet to be dialled or
    called back waits without a line, and consultations have none."""
    state = engine.state
    if command.channel not in state.config.channels:
        known = ", ".join(sorted(state.config.channels)) or "none"
        return Refusal(code="unknown_channel", message=f"channel was {command.channel!r}; known: {known}")
    alive = set(command.alive)
    vanished = [
        contact
        for contact in state.contacts.values()
        if contact.reached_on == command.channel
        and contact.provider_id not in alive
        and contact.phase != "wrapping"
        and not contact.parent
        and not (contact.to_dial and (contact.callback_handle or contact.phase != "connecting"))
    ]
    for contact in vanished:
        if contact.phase in ("connected", "on_hold"):
            stop_serving(engine, contact, by="channel", reason="lost")
        else:
            close(engine, contact, "lost", by="channel", reason="unknown to its channel")
    engine.ask(goodbyes(state, command.channel, command.alive))
    return None
