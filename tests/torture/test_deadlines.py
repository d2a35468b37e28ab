"""The deadlines that an engine keeps are those its state says, so that one that is recovered does the same at the same Tick."""

from __future__ import annotations

import pytest

from centralita.engine import Engine
from centralita.lines import ANNOUNCE, ASK_AGAIN, DUE, STAGE, WORK
from centralita.matching import NEVER_NS
from centralita.messages import AnyEvent
from centralita.simulate.torture import day, torture
from centralita.simulate.torture.books import Books
from centralita.timers import NaiveTimers

KINDS = {STAGE: "STAGE", WORK: "WORK", ANNOUNCE: "ANNOUNCE", DUE: "DUE", ASK_AGAIN: "ASK_AGAIN"}


def said_by_the_state(engine: Engine, number: int) -> NaiveTimers:
    """The deadlines of a contact as a recovery would set them."""
    kept, anew = engine.lines.timers, NaiveTimers()
    contact = engine.state.contacts.get(number)
    if contact is not None:
        engine.lines.timers = anew
        try:
            engine.lines.retime(contact)
        finally:
            engine.lines.timers = kept
    return anew


def differences(engine: Engine, number: int) -> list[str]:
    timers, said = engine.lines.timers, said_by_the_state(engine, number)
    contact = engine.state.contacts.get(number)
    found = []
    for kind, name in KINDS.items():
        if kind == STAGE and contact is not None and contact.phase == "connected":
            continue  # who spoke has put the end of silence off; its look stands where it was (stages/tick.py)
        at_ns, said_ns = timers.deadline_ns(kind, number), said.deadline_ns(kind, number)
        # What is past was looked at while the contact was in no line, and is looked at again on its return.
        if at_ns != said_ns and (at_ns < NEVER_NS or engine.now_ns < said_ns):
            found.append(f"{name} stands at {at_ns}, the state says {said_ns}")
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_deadlines_that_stand_are_those_the_state_says(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    looked_at = 0

    def look(engine: Engine, events: list[AnyEvent], books: Books) -> None:
        nonlocal looked_at
        for number in {getattr(event, "contact", 0) for event in events} - {0}:
            looked_at += 1
            assert differences(engine, number) == [], f"contact {number} after {events}"

    monkeypatch.setattr(day, "after_step", look)
    report = torture(seed, 40_000)
    assert report.violation is None, report.violation
    assert looked_at > 10_000
