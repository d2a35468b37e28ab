"""The deadlines that an engine keeps are those its state says, so that one that is recovered does the same at the same Tick."""

from __future__ import annotations

from typing import Literal

import pytest

from centralita import lines
from centralita.engine import Engine
from centralita.lines import ANNOUNCE, ASK_AGAIN, DUE, STAGE, WORK
from centralita.messages import AnyEvent
from centralita.simulate.torture import day, torture
from centralita.simulate.torture.books import Books
from centralita.timers import open_timers

KINDS = {STAGE: "STAGE", WORK: "WORK", ANNOUNCE: "ANNOUNCE", DUE: "DUE", ASK_AGAIN: "ASK_AGAIN"}
Deadlines = dict[tuple[int, int], int]


class Noted:
    """Real timers, and what stands in them."""

    def __init__(self, core: Literal["native", "naive"]) -> None:
        self._timers = open_timers(core)
        self.standing: Deadlines = {}

    def schedule(self, kind: int, subject: int, at_ns: int) -> None:
        self.standing[kind, subject] = at_ns
        self._timers.schedule(kind, subject, at_ns)

    def cancel(self, kind: int, subject: int) -> None:
        self.standing.pop((kind, subject), None)
        self._timers.cancel(kind, subject)

    def pop_due(self, now_ns: int) -> list[tuple[int, int, int]]:
        due = self._timers.pop_due(now_ns)
        for _, kind, subject in due:
            self.standing.pop((kind, subject), None)
        return due

    def next_deadline_ns(self) -> int:
        return self._timers.next_deadline_ns()

    def __len__(self) -> int:
        return len(self._timers)


def said_by_the_state(engine: Engine, number: int) -> Deadlines:
    """The deadlines of a contact as a recovery would set them."""
    contact = engine.state.contacts.get(number)
    if contact is None:
        return {}
    kept, anew = engine.lines.timers, Noted("naive")
    engine.lines.timers = anew
    try:
        engine.lines.retime(contact)
    finally:
        engine.lines.timers = kept
    return anew.standing


def differences(engine: Engine, number: int) -> list[str]:
    timers, said = engine.lines.timers, said_by_the_state(engine, number)
    assert isinstance(timers, Noted)
    contact = engine.state.contacts.get(number)
    found = []
    for kind, name in KINDS.items():
        if kind == STAGE and contact is not None and contact.phase == "connected":
            continue  # who spoke has put the end of silence off; its look stands where it was (stages/tick.py)
        at_ns, said_ns = timers.standing.get((kind, number), 0), said.get((kind, number), 0)
        # What is past was looked at while the contact was in no line, and is looked at again on its return.
        if at_ns != said_ns and (at_ns or said_ns > engine.now_ns):
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

    monkeypatch.setattr(lines, "open_timers", Noted)
    monkeypatch.setattr(day, "after_step", look)
    report = torture(seed, 40_000)
    assert report.violation is None, report.violation
    assert looked_at > 10_000
