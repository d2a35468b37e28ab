"""Time has passed: every deadline that is due, in order, does what its stage says.

A deadline is a hint to look; what the state says counts, so that one which is stale does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.config import ns
from centralita.lines import ANNOUNCE, ASK_AGAIN, DUE, GRACE, STAGE, WORK, earliest_work_ns
from centralita.messages import Tick
from centralita.stages import attend, classify, end, identify, match, offer, self_serve, serve, wait
from centralita.state import Contact

if TYPE_CHECKING:
    from centralita.engine import Engine


def tick(engine: Engine, command: Tick) -> None:
    """Do whatever is due by now."""
    lines = engine.lines
    if lines.queue.next_deadline_ns() <= engine.now_ns:
        match.pass_rings(engine)
    due = lines.timers.pop_due(engine.now_ns)
    if len(due) > 1:
        _put_off_silence(engine, due)
    for _, kind, subject in due:
        if kind == GRACE:
            name = lines.agent_of.get(subject)
            agent = engine.state.agents.get(name) if name is not None else None
            if agent is not None and 0 < agent.grace_until_ns <= engine.now_ns:
                attend.grace_over(engine, agent)
            continue
        contact = engine.state.contacts.get(subject)
        if contact is not None:
            _contact_due(engine, contact, kind)


def _put_off_silence(engine: Engine, due: list[tuple[int, int, int]]) -> None:
    """Give the ends of silence their turn: whoever spoke has put theirs off, and its look stands where it was.

    Without this an engine that was recovered, whose looks are anew, would do what is due in another order.
    """
    silence_ns = ns(engine.state.config.limits.silence_s)
    contacts = engine.state.contacts
    later = False
    for place, (at_ns, kind, subject) in enumerate(due):
        if kind == STAGE:
            contact = contacts.get(subject)
            if (
                contact is not None
                and contact.phase == "connected"
                and at_ns < contact.active_ns + silence_ns
            ):
                due[place] = (contact.active_ns + silence_ns, kind, subject)
                later = True
    if later:
        due.sort()


def _contact_due(engine: Engine, contact: Contact, kind: int) -> None:
    now_ns = engine.now_ns
    if kind == WORK:
        _works_due(engine, contact)
    elif kind == STAGE:
        if 0 < contact.deadline_ns <= now_ns:
            _stage_due(engine, contact)
    elif kind == ANNOUNCE:
        if contact.phase == "waiting" and 0 < contact.announce_at_ns <= now_ns:
            wait.announce(engine, contact)
    elif kind == DUE:
        if contact.phase == "waiting" and 0 < contact.due_ns <= now_ns:
            wait.callback_due(engine, contact)
    elif kind == ASK_AGAIN and contact.phase == "waiting":
        wait.ask_again(engine, contact)


def _stage_due(engine: Engine, contact: Contact) -> None:
    match contact.phase:
        case "identifying":
            identify.time_out(engine, contact)
        case "classifying":
            classify.time_out(engine, contact)
        case "self_service":
            self_serve.time_out(engine, contact)
        case "waiting":
            wait.waited_too_long(engine, contact)
        case "on_hold":
            serve.held_too_long(engine, contact)
        case "connected":
            serve.silent(engine, contact)
        case _:
            return


def _works_due(engine: Engine, contact: Contact) -> None:
    now_ns = engine.now_ns
    due = [name for name, work in contact.works.items() if 0 < work.deadline_ns <= now_ns]
    for name in due:
        work = contact.works.get(name)
        if work is None:
            continue
        match work.state:
            case "offered":
                offer.expire(engine, contact, name)
            case "connecting":
                if contact.to_dial:
                    serve.unreached(engine, contact, "time limit")
                else:
                    serve.fail(engine, contact, name, "time limit")
            case "wrapping":
                end.wrapped(engine, contact, name, by="timer")
            case "connected":
                continue
    following_ns = earliest_work_ns(contact)
    if following_ns and contact.id in engine.state.contacts:
        engine.lines.timers.schedule(WORK, contact.id, following_ns)
