"""How a day ends: nobody comes any more, and everything must come to its end.

First nobody says anything, so that deadlines alone must bring whatever is with somebody back to a queue
or to its end. Then everybody works and customers who wait hang up, and nothing may be left: no contact,
no ask, no customer on the line, no message that was promised and not delivered.
"""

from __future__ import annotations

from typing import Final

from centralita.engine import Engine
from centralita.messages import (
    AbandonContact,
    AnswerOffer,
    AnyCommand,
    CancelContact,
    ClassifyContact,
    EndContact,
    FinishSelfService,
    FinishWrapUp,
    IdentifyContact,
    LeaveContact,
    OccupyAgent,
    ReportConnection,
    SetStatus,
    SignIn,
)
from centralita.simulate.torture.centre import SPARE
from centralita.simulate.torture.checks import recount
from centralita.simulate.torture.counted import check_figures
from centralita.simulate.torture.day import TICK, Day
from centralita.simulate.torture.people import NS
from centralita.simulate.torture.violation import Violation
from centralita.state import Contact

SILENCE_S: Final = 700
"""Longer than every limit of a day's centres but the waits for an agent."""
ROUNDS_MAX: Final = 60
PATIENT_ROUNDS: Final = 8
"""So long do customers wait before they hang up; what waits without a line is cancelled then."""


def close(day: Day) -> None:
    """Bring a day to its end. Raises Violation for whatever does not come to one."""
    day.edge.transit.clear()
    day.people.unacked.clear()
    _in_silence(day)
    _everybody_works(day)
    recount(day.engine, day.books)
    check_figures(day.engine.state, day.books, day.figures)
    if day.engine.state.by_customer:
        raise Violation("conservation", f"customers are left behind: {day.engine.state.by_customer}")
    if day.engine.seq != day.disk.last_seq or len(day.records) != day.disk.last_seq:
        raise Violation("durability", f"{day.disk.last_seq} of {day.engine.seq} records are safe")
    _check_lines(day)


def _in_silence(day: Day) -> None:
    until_ns = day.now_ns + SILENCE_S * NS
    while (due_ns := day.engine.next_deadline_ns()) <= until_ns:
        day.now_ns = max(day.now_ns, due_ns)
        before = (day.engine.now_ns, day.engine.seq)
        day.steps_n += 1
        day.decide(TICK)
        if before == (day.engine.now_ns, day.engine.seq) and day.engine.next_deadline_ns() <= day.now_ns:
            raise Violation("liveness", f"a Tick is due at {due_ns} and changes nothing")
    day.now_ns = until_ns
    day.decide(TICK)
    for contact in day.engine.state.contacts.values():
        if contact.phase not in ("waiting", "offered"):
            raise Violation(
                "liveness", f"contact {contact.id} is {contact.phase} after {SILENCE_S} s of silence"
            )


def _everybody_works(day: Day) -> None:
    if SPARE in day.engine.state.config.channels:
        # Named again by the rules, it looks at its lines as it starts; the others have been there all day.
        day.decide(day.people.reconcile(day.engine, SPARE))
    for number in range(ROUNDS_MAX):
        day.settle()
        _carry_out_all(day)
        _all_available(day)
        for contact in list(day.engine.state.contacts.values()):
            if contact.id in day.engine.state.contacts:
                command = _done_with(day.engine, contact, patient=number < PATIENT_ROUNDS)
                if command is not None:
                    day.steps_n += 1
                    day.decide(command)
        if not day.engine.state.contacts and not day.edge.busy:
            day.settle()
            if not day.edge.busy:
                return
        day.now_ns += 2 * NS
    stuck = [f"{contact.id}: {contact.phase}" for contact in day.engine.state.contacts.values()]
    raise Violation("liveness", f"stuck are {stuck}")


def _carry_out_all(day: Day) -> None:
    edge = day.edge
    edge.down = False
    while edge.busy:
        day.steps_n += 1
        edge.perform(day.engine)
        while edge.reports:
            day.decide(edge.reported())
    for command in edge.transit:
        day.decide(command)
    edge.transit.clear()


def _all_available(day: Day) -> None:
    for agent in list(day.engine.state.agents.values()):
        if not agent.present or agent.grace_until_ns or not agent.desk:
            day.decide(SignIn(agent=agent.name, desk="d1"))
        if agent.busy:
            day.decide(OccupyAgent(agent=agent.name, on=False))
        if not agent.receiving:
            day.decide(SetStatus(agent=agent.name, status="available"))


def _done_with(engine: Engine, contact: Contact, *, patient: bool) -> AnyCommand | None:
    """The next thing that brings a contact nearer to its end."""
    here = contact.id
    match contact.phase:
        case "identifying":
            return IdentifyContact(contact=here)
        case "classifying":
            return ClassifyContact(contact=here)
        case "self_service":
            return FinishSelfService(contact=here, resolved=True)
        case "waiting" if not patient:
            return CancelContact(contact=here) if contact.to_dial else AbandonContact(contact=here)
        case "waiting":
            return None
        case _:
            pass
    for agent, work in contact.works.items():
        if work.state == "offered":
            return AnswerOffer(contact=here, agent=agent, offer=work.offer, accept=True)
        if work.state == "connecting":
            return ReportConnection(contact=here, agent=agent, made=True)
        if work.state == "wrapping" and contact.phase == "wrapping":
            return FinishWrapUp(contact=here, agent=agent)
    if len(contact.works) > 1 and here % 2:
        return LeaveContact(contact=here, agent=contact.agent)
    return EndContact(contact=here)


def _check_lines(day: Day) -> None:
    """No customer is left on the line, and each got every message that was written to them.

    A channel that the rules name no longer has nobody to say goodbye; it does once they name it again.
    """
    keys = day.books.keys
    for key, line in day.edge.lines.items():
        number = keys.get(key, 0)
        if number in day.books.erased:
            continue  # whom it was about is forgotten, and with that where to say goodbye after a crash
        if number and not line.closed and line.channel in day.engine.state.config.channels:
            raise Violation("lines", f"contact {number} is over, and its customer is on the line")
        missing = [sent for sent in day.books.owed.get(number, ()) if sent not in line.given]
        if missing:
            raise Violation("lines", f"contact {number}: messages {missing} were never delivered")
