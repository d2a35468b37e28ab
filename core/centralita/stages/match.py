"""Who gets whom: asks the matching queue and makes its pairs offers. The rule itself is in matching/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.messages import ContactOffered, RingPassed

if TYPE_CHECKING:
    from centralita.engine import Engine


def run(engine: Engine) -> None:
    """Pass the rings that are due, then offer until nobody eligible is left."""
    lines, now_ns = engine.lines, engine.now_ns
    lines.changed = False
    queue = lines.queue
    if queue.next_deadline_ns() <= now_ns:
        pass_rings(engine)
        lines.changed = False
    for number, agent in queue.match(now_ns=now_ns):
        offer_to(engine, number, lines.agent_of[agent])


def pass_rings(engine: Engine) -> None:
    """Pass the rings and end the preferences whose time has come."""
    for number, rung in engine.lines.queue.advance(now_ns=engine.now_ns):
        engine.emit(RingPassed(contact=number, rung=rung))
    engine.lines.changed = True


def offer_to(engine: Engine, number: int, agent: str) -> None:
    """Offer a contact that the queue has put into an agent's hands."""
    state, now_ns = engine.state, engine.now_ns
    contact = state.contacts[number]
    engine.emit(
        ContactOffered(
            contact=number,
            agent=agent,
            offer=state.last_id + 1,
            expires_ns=now_ns + engine.lines.terms[contact.queue].offer_ns,
            waited_ns=now_ns - contact.wait_from_ns,
        )
    )
