"""Finding what a command names, or saying why it can't be: the refusals all stages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.messages import Refusal
from centralita.state import Agent, Contact, Work

if TYPE_CHECKING:
    from centralita.engine import Engine


def no_contact(contact: int) -> Refusal:
    """The contact has ended or never was."""
    return Refusal(code="unknown_contact", message=f"contact {contact} is not live")


def no_agent(agent: str) -> Refusal:
    """No such agent is configured."""
    return Refusal(code="unknown_agent", message=f"agent {agent!r} is not configured")


def no_queue(engine: Engine, queue: str) -> Refusal:
    """No such queue is configured."""
    known = ", ".join(sorted(engine.state.queues)) or "none"
    return Refusal(code="unknown_queue", message=f"queue was {queue!r}; known: {known}")


def wrong_phase(contact: Contact, wanted: str) -> Refusal:
    """The contact is not where this can be done."""
    return Refusal(
        code="wrong_phase", message=f"contact {contact.id} is {contact.phase}; this needs it {wanted}"
    )


def bad_skills(engine: Engine, skills: dict[str, int] | None) -> Refusal | None:
    """Why required skills can't be: an unknown name, a level out of range."""
    for skill, level in (skills or {}).items():
        if skill not in engine.state.config.skills:
            known = ", ".join(sorted(engine.state.config.skills)) or "none"
            return Refusal(code="unknown_skill", message=f"skill was {skill!r}; known: {known}")
        if not 1 <= level <= 10:
            return Refusal(code="bad_value", message=f"skills.{skill} was {level}; allowed: 1 to 10")
    return None


def bad_priority(priority: int | None) -> Refusal | None:
    """Why a priority can't be."""
    if priority is not None and not -1000 <= priority <= 1000:
        return Refusal(code="bad_value", message=f"priority was {priority}; allowed: -1000 to 1000")
    return None


def find_present(engine: Engine, name: str) -> Agent | Refusal:
    """An agent who is signed in."""
    agent = engine.state.agents.get(name)
    if agent is None:
        return no_agent(name)
    if not agent.present:
        return Refusal(code="not_signed_in", message=f"agent {name!r} is not signed in")
    return agent


def find_work(engine: Engine, contact: int, agent: str) -> tuple[Contact, Work] | Refusal:
    """A live contact and this agent's part in it."""
    found = engine.state.contacts.get(contact)
    if found is None:
        return no_contact(contact)
    work = found.works.get(agent)
    if work is not None:
        return found, work
    if agent not in engine.state.agents:
        return no_agent(agent)
    return Refusal(code="not_yours", message=f"agent {agent!r} does not have contact {contact}")


def find_connected(engine: Engine, contact: int, agent: str) -> Contact | Refusal:
    """A contact in which this agent is with the customer."""
    found = find_work(engine, contact, agent)
    if isinstance(found, Refusal):
        return found
    if found[1].state != "connected":
        return Refusal(
            code="wrong_phase",
            message=f"agent {agent!r} is {found[1].state} in contact {contact}; this needs connected",
        )
    return found[0]
