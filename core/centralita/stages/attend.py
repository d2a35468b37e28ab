"""Agents come, choose a status, lose their desk and go; what they have in hand goes where it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.config import ns
from centralita.messages import (
    AgentConnectionLost,
    AgentLeaving,
    AgentLeft,
    AgentOccupied,
    AgentReleased,
    AgentReturned,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    ContactReturned,
    LoseAgent,
    OccupyAgent,
    Refusal,
    SetStatus,
    SignIn,
    SignOut,
)
from centralita.stages import end, offer, wait
from centralita.stages.refuse import find_present, no_agent
from centralita.state import DESK_LOST, Agent, Contact

if TYPE_CHECKING:
    from centralita.engine import Engine


def sign_in(engine: Engine, command: SignIn) -> Refusal | None:
    """An agent is here, or is back within the grace time, or has moved to another desk. Who is back later, and has
    deferred contacts still, comes as one who signs in."""
    agent = engine.state.agents.get(command.agent)
    if agent is None:
        return no_agent(command.agent)
    if command.status == "offline":
        return Refusal(code="bad_value", message="status was 'offline'; allowed: available, break")
    late = agent.desk_lost and not agent.grace_until_ns
    if not agent.present or late:
        refusal = _bad_reason(engine, command.status, command.reason)
        if refusal is not None:
            return refusal
    status, reason = command.status, command.reason
    if not agent.present:
        engine.emit(AgentSignedIn(agent=agent.name, desk=command.desk, status=status, reason=reason))
    elif agent.grace_until_ns or agent.desk != command.desk or late:
        engine.emit(AgentReturned(agent=agent.name, desk=command.desk))
        if late:
            engine.emit(AgentStatusChanged(agent=agent.name, status=status, reason=reason, by=agent.name))
    return None


def set_status(engine: Engine, command: SetStatus) -> Refusal | None:
    """Choose a status; choosing to be available ends the after-work, offline is signing out."""
    agent = find_present(engine, command.agent)
    if isinstance(agent, Refusal):
        return agent
    if command.status == "offline":
        leave_now(engine, agent, command.reason or "signed out")
        return None
    refusal = _bad_reason(engine, command.status, command.reason)
    if refusal is not None:
        return refusal
    if command.status == "available":
        for contact in _works(engine, agent):
            if contact.works[agent.name].state == "wrapping":
                end.wrapped(engine, contact, agent.name, by="status")
    if (agent.status, agent.reason) != (command.status, command.reason) or agent.leaving:
        engine.emit(
            AgentStatusChanged(agent=agent.name, status=command.status, reason=command.reason, by=command.by)
        )
    return None


def _bad_reason(engine: Engine, status: str, reason: str) -> Refusal | None:
    known = engine.state.config.break_reasons
    if status == "break" and reason and known and reason not in known:
        return Refusal(code="bad_value", message=f"reason was {reason!r}; known: {', '.join(known)}")
    return None


def sign_out(engine: Engine, command: SignOut) -> Refusal | None:
    """Leave at once, or when the work in hand is done."""
    agent = find_present(engine, command.agent)
    if isinstance(agent, Refusal):
        return agent
    if not command.when_free:
        leave_now(engine, agent, "signed out")
    elif not agent.leaving:
        engine.emit(AgentLeaving(agent=agent.name))
    return None


def occupy(engine: Engine, command: OccupyAgent) -> Refusal | None:
    """Something outside keeps an agent busy, or no longer does. What is in hand stays in hand."""
    agent = find_present(engine, command.agent)
    if isinstance(agent, Refusal):
        return agent
    reason = command.reason or "busy"
    if command.on and agent.busy != reason:
        engine.emit(AgentOccupied(agent=agent.name, reason=reason, by=command.by))
    elif not command.on and agent.busy:
        engine.emit(AgentReleased(agent=agent.name, by=command.by))
    return None


def settle(engine: Engine) -> None:
    """Sign out those who leave when free, and are."""
    for name in sorted(engine.lines.leaving):
        agent = engine.state.agents[name]
        if not agent.contacts:
            engine.emit(AgentSignedOut(agent=name, reason="free"))
            wait.unstaffed(engine, name)


def leave_now(engine: Engine, agent: Agent, reason: str) -> None:
    """Sign an agent out, whatever is in hand."""
    release(engine, agent, reason)
    engine.emit(AgentSignedOut(agent=agent.name, reason=reason))
    wait.unstaffed(engine, agent.name)


def lose(engine: Engine, command: LoseAgent) -> Refusal | None:
    """A desk's connection broke: offers go on at once, the rest waits for the grace time."""
    agent = find_present(engine, command.agent)
    if isinstance(agent, Refusal):
        return agent
    if agent.grace_until_ns or (command.desk and command.desk != agent.desk):
        return Refusal(code="already", message=f"agent {agent.name!r} is not at desk {command.desk!r}")
    for contact in _works(engine, agent):
        if contact.works[agent.name].state == "offered":
            offer.withdraw(engine, contact, "desk lost", only=agent.name)
            offer.come_back(engine, contact, "desk lost")
    grace_ns = ns(engine.state.config.limits.grace_s)
    if grace_ns:
        engine.emit(AgentConnectionLost(agent=agent.name, grace_until_ns=engine.now_ns + grace_ns))
    else:
        grace_over(engine, agent)
    return None


def grace_over(engine: Engine, agent: Agent) -> None:
    """The desk has not come back. Deferred contacts may stay, if their queue says so; the agent is
    then on a break until the desk is back, and otherwise signed out."""
    release(engine, agent, "connection lost", keep_deferred=True)
    if agent.contacts:
        engine.emit(AgentStatusChanged(agent=agent.name, status="break", reason=DESK_LOST, by="rules"))
        engine.emit(AgentConnectionLost(agent=agent.name, grace_until_ns=0))
        return
    engine.emit(AgentSignedOut(agent=agent.name, reason="connection lost"))
    wait.unstaffed(engine, agent.name)


def release(engine: Engine, agent: Agent, reason: str, *, keep_deferred: bool = False) -> None:
    """Take everything out of an agent's hands; each contact keeps its place, or ends as it must."""
    for contact in _works(engine, agent):
        if contact.id not in engine.state.contacts or agent.name not in contact.works:
            continue
        match contact.works[agent.name].state:
            case "offered":
                offer.withdraw(engine, contact, reason, only=agent.name)
                offer.come_back(engine, contact, reason)
            case "wrapping":
                end.wrapped(engine, contact, agent.name, by="status")
            case "connecting" | "connected":
                if not (keep_deferred and _stays(engine, contact)):
                    _take_out(engine, contact, agent, reason)


def _stays(engine: Engine, contact: Contact) -> bool:
    deferred = not engine.state.config.media[contact.medium].live
    return deferred and bool(contact.queue) and engine.state.rules(contact.queue).keep_deferred


def _take_out(engine: Engine, contact: Contact, agent: Agent, reason: str) -> None:
    """An agent is no longer in a conversation that may go on with others, wait again, or be over."""
    if contact.parent:
        end.stop_serving(engine, contact, by="rules", reason=reason)
        return
    if contact.phase == "connecting" and contact.direction == "outbound" and contact.to_dial:
        end.close(engine, contact, "cancelled", by="rules", reason=reason)
        return
    if contact.agent == agent.name:
        end.end_consultation(engine, contact)
    engine.emit(AgentLeft(contact=contact.id, agent=agent.name, reason=reason))
    if not any(work.state != "wrapping" for work in contact.works.values()):
        engine.emit(ContactReturned(contact=contact.id, reason=reason))
        if contact.direction == "outbound" and not contact.hops:
            # It has stood in no line yet, so that nothing says what it requires there.
            wait.join(engine, contact, contact.queue, reason=reason)


def _works(engine: Engine, agent: Agent) -> list[Contact]:
    return [engine.state.contacts[number] for number in list(agent.contacts)]
