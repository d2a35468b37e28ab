"""What a crash must leave as it was, named one by one, and time that passed while down has passed."""

from __future__ import annotations

from typing import Any

import pytest

from centralita.config import EngineConfig, loads
from centralita.engine import Engine, Step
from centralita.look import agent_view, contact_view, queue_view
from centralita.matching import Core
from centralita.messages import (
    AdmitContact,
    AgentSignedOut,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    CallbackDue,
    ContactEnded,
    ContactOffered,
    EndContact,
    LoseAgent,
    OfferExpired,
    Record,
    ReportConnection,
    RequestCallback,
    RingPassed,
    SetStatus,
    SignIn,
    Tick,
    WrapUpEnded,
)

S = 1_000_000_000
T0 = 1_790_000_000 * S
DOWN_S = 45

COMPANY = """
skills = ["en", "es"]
[limits]
grace_s = 40
[queues.help]
skills = {en = 1}
offer_s = 20
wrap_up_s = 30
rings = [{after_s = 30, drop = ["en"]}, {after_s = 300, raise_priority = 5}]
max_wait_s = 600
[queues.spanish]
skills = {es = 1}
[agents.ana]
skills = {en = 5}
[agents.bea]
skills = {en = 5}
[agents.eva]
skills = {en = 5}
[agents.luz]
skills = {en = 5}
[channels.line]
type = "line"
medium = "voice"
queue = "help"
"""


class Crashing:
    """An engine with its journal, at the moment of a crash."""

    def __init__(self, core: Core) -> None:
        self.core: Core = core
        self.engine = Engine(core=core)
        self.records: list[Record] = []
        self.snapshot: tuple[bytes, int] | None = None
        self.now_ns = T0

    def do(self, command: AnyCommand, *, after_s: float = 1) -> Step:
        self.now_ns += round(after_s * S)
        step = self.engine.handle(command, now_ns=self.now_ns)
        assert step.refusal is None, step.refusal
        if step.seq:
            self.records.append(
                Record(seq=step.seq, at_ns=self.engine.now_ns, command=command, events=step.events)
            )
        return step

    def call(self, name: str, **fields: Any) -> Step:
        return self.do(AdmitContact(channel="line", provider_id=name, **fields))

    def after_the_crash(self, *, with_snapshot: bool) -> Engine:
        if not with_snapshot:
            return Engine.restore(None, self.records, core=self.core)
        assert self.snapshot is not None
        state, seq = self.snapshot
        return Engine.restore(state, [one for one in self.records if one.seq > seq], core=self.core)


def company() -> EngineConfig:
    return loads(COMPANY).engine


def offer_in(step: Step) -> ContactOffered:
    (offered,) = [event for event in step.events if isinstance(event, ContactOffered)]
    return offered


def a_centre_that_crashes(core: Core) -> Crashing:
    """ana wraps up, bea has an open offer, eva has lost her desk, luz is on a break; three wait, one of
    them for a callback's moment."""
    centre = Crashing(core)
    centre.do(ApplyConfiguration(config=company()))
    centre.do(SignIn(agent="ana", desk="floor"))
    offered = offer_in(centre.call("served"))
    centre.do(AnswerOffer(contact=offered.contact, agent="ana", offer=offered.offer, accept=True))
    centre.do(ReportConnection(contact=offered.contact, agent="ana", made=True))
    centre.do(EndContact(contact=offered.contact, by="ana"))
    centre.snapshot = centre.engine.snapshot(), centre.engine.seq
    centre.do(SignIn(agent="luz", desk="floor", status="break", reason="lunch"))
    centre.do(SignIn(agent="eva", desk="floor"))
    centre.do(SetStatus(agent="eva", status="break", reason="coffee"))
    centre.do(LoseAgent(agent="eva", desk="floor"))
    centre.do(SignIn(agent="bea", desk="floor"))
    assert offer_in(centre.call("offered")).agent == "bea"
    first = centre.call("first").contact
    centre.call("second", priority=1)
    third = centre.call("third", queue="spanish").contact
    centre.do(RequestCallback(contact=third, handle="+34600", due_ns=centre.now_ns + 40 * S))
    assert first
    return centre


CASES = [(core, snapshot) for core in ("native", "naive") for snapshot in (False, True)]


@pytest.mark.parametrize(("core", "with_snapshot"), CASES)
def test_everything_is_as_it_was(core: Core, with_snapshot: bool) -> None:
    centre = a_centre_that_crashes(core)
    lived, again = centre.engine, centre.after_the_crash(with_snapshot=with_snapshot)
    now_ns = centre.now_ns
    waiting = [lived.state.contacts[n].provider_id for n in lived.lines.in_order(now_ns=now_ns, at_first=9)]
    assert waiting == ["second", "first"]
    for engine in (lived, again):
        order = list(engine.lines.in_order(now_ns=now_ns, at_first=9))
        assert [engine.state.contacts[number].provider_id for number in order] == waiting
    for number in lived.state.contacts:
        assert contact_view(again, number) == contact_view(lived, number)
        assert again.state.contacts[number].rung == lived.state.contacts[number].rung
        assert again.state.contacts[number].works == lived.state.contacts[number].works
    for name in lived.state.agents:
        assert agent_view(again, name) == agent_view(lived, name)
    for name in lived.state.queues:
        assert queue_view(again, name) == queue_view(lived, name)
    assert again.next_deadline_ns() == lived.next_deadline_ns()
    assert sorted(map(repr, again.open_asks())) == sorted(map(repr, lived.open_asks()))
    states = {name: agent_view(again, name).state for name in again.state.agents}  # type: ignore[union-attr]
    assert states == {"ana": "wrapping", "bea": "offered", "eva": "lost", "luz": "break"}


@pytest.mark.parametrize(("core", "with_snapshot"), CASES)
def test_time_that_passed_while_down_has_passed(core: Core, with_snapshot: bool) -> None:
    centre = a_centre_that_crashes(core)
    lived, again = centre.engine, centre.after_the_crash(with_snapshot=with_snapshot)
    up_again_ns = centre.now_ns + DOWN_S * S
    happened: list[Any] = []
    while again.next_deadline_ns() <= up_again_ns:
        step = again.handle(Tick(), now_ns=up_again_ns)
        assert step.events == lived.handle(Tick(), now_ns=up_again_ns).events
        happened += step.events
    kinds = {type(event) for event in happened}
    assert {WrapUpEnded, OfferExpired, RingPassed, CallbackDue, ContactEnded, AgentSignedOut} <= kinds
    signed_out = [event.agent for event in happened if isinstance(event, AgentSignedOut)]
    assert "eva" in signed_out
    offers = [event for event in happened if isinstance(event, ContactOffered)]
    # ana is free: the one of higher priority comes first, and the time down is time waited.
    by_number = {c.id: c.provider_id for c in lived.state.contacts.values()}
    assert [(by_number[event.contact], event.agent) for event in offers] == [("second", "ana")]
    assert offers[0].waited_ns > DOWN_S * S
    assert again.state_hash() == lived.state_hash()
