"""Agents come, break, lose their desk and go; what they have goes where it should."""

from __future__ import annotations

import pytest

from centralita.look import agent_view
from centralita.messages import (
    EndContact,
    FinishWrapUp,
    LoseAgent,
    SetStatus,
    SignIn,
    SignOut,
)
from centralita.state import agent_state
from tests.engine.floor import Floor, kinds


def _state(floor: Floor, agent: str = "ana") -> str:
    return agent_state(floor.engine.state, floor.engine.state.agents[agent])


def test_the_computed_state_follows_the_works_in_hand() -> None:
    floor = Floor("wrap_up_s = 10")
    seen = [_state(floor)]
    floor.sign_in("ana")
    seen.append(_state(floor))
    number = floor.admit("phone")
    seen.append(_state(floor))
    floor.serve(number, "ana")
    seen.append(_state(floor))
    floor.do(EndContact(contact=number, by="ana"))
    seen.append(_state(floor))
    floor.do(FinishWrapUp(contact=number, agent="ana"))
    floor.do(SetStatus(agent="ana", status="break", reason="lunch"))
    seen.append(_state(floor))
    assert seen == ["offline", "idle", "offered", "connected", "wrapping", "break"]


def test_an_agent_on_a_break_gets_nothing_and_keeps_what_is_in_hand() -> None:
    floor = Floor()
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(SetStatus(agent="ana", status="break", reason="coffee"))
    assert floor.phase(floor.admit()) == "waiting"
    assert floor.phase(number) == "connected"
    assert floor.refused(SetStatus(agent="ana", status="break", reason="surfing")) == "bad_value"


def test_signing_out_at_once_returns_a_live_contact_to_its_place() -> None:
    floor = Floor("wrap_up_s = 10")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    newer = floor.admit(priority=0)
    floor.do(SignOut(agent="ana"))
    assert floor.engine.lines.queue.in_order(now_ns=floor.now_ns, limit=2) == [number, newer]
    floor.sign_in("bob")
    assert floor.asked(number) == ["bob"]


def test_signing_out_when_free_waits_for_the_last_work() -> None:
    floor = Floor("wrap_up_s = 10")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(SignOut(agent="ana", when_free=True))
    assert floor.phase(floor.admit()) == "waiting"
    floor.do(EndContact(contact=number, by="ana"))
    assert _state(floor) == "wrapping"
    step = floor.do(FinishWrapUp(contact=number, agent="ana"))
    assert kinds(step)[-1] == "AgentSignedOut"
    assert _state(floor) == "offline"


def test_a_lost_desk_gives_offers_on_at_once_and_the_rest_after_the_grace_time() -> None:
    floor = Floor(more="[limits]\ngrace_s = 20")
    floor.sign_in("ana")
    speaking = floor.admit()
    floor.serve(speaking, "ana")
    offered = floor.admit()
    floor.do(LoseAgent(agent="ana", desk="desk"))
    assert (floor.phase(offered), floor.phase(speaking), _state(floor)) == ("waiting", "connected", "lost")
    floor.pass_time(20)
    assert (floor.phase(speaking), _state(floor)) == ("waiting", "offline")


def test_a_desk_that_is_back_in_time_finds_everything_as_it_was() -> None:
    floor = Floor(more="[limits]\ngrace_s = 20")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(LoseAgent(agent="ana", desk="desk"))
    floor.pass_time(19)
    assert kinds(floor.do(SignIn(agent="ana", desk="other"))) == ["AgentReturned"]
    floor.pass_time(100)
    assert (floor.phase(number), _state(floor)) == ("connected", "connected")


def test_a_desk_that_lost_an_agent_who_sits_elsewhere_now_changes_nothing() -> None:
    floor = Floor()
    floor.sign_in("ana")
    floor.do(SignIn(agent="ana", desk="new"))
    assert floor.refused(LoseAgent(agent="ana", desk="desk")) == "already"


@pytest.mark.parametrize(
    ("keep", "phase", "state"), [("true", "connected", "connected"), ("false", "waiting", "offline")]
)
def test_deferred_contacts_stay_with_a_lost_agent_if_their_queue_says_so(
    keep: str, phase: str, state: str
) -> None:
    floor = Floor(f"keep_deferred = {keep}", more="[limits]\ngrace_s = 5")
    floor.sign_in("ana")
    number = floor.admit("mail")
    floor.serve(number, "ana")
    floor.do(LoseAgent(agent="ana", desk="desk"))
    floor.pass_time(6)
    assert (floor.phase(number), _state(floor)) == (phase, state)
    view = agent_view(floor.engine, "ana")
    assert view is not None
    if keep == "true":
        assert (view.status, view.reason) == ("break", "connection_lost")
        floor.do(SignIn(agent="ana", desk="desk"))
        view = agent_view(floor.engine, "ana")
        assert view is not None
        assert (view.status, view.reason, view.desk) == ("available", "", "desk")


def test_signing_in_twice_is_once_and_nobody_signs_in_offline() -> None:
    floor = Floor()
    floor.sign_in("ana")
    assert floor.do(SignIn(agent="ana", desk="desk")).events == []
    assert floor.refused(SignIn(agent="bob", status="offline")) == "bad_value"
    assert floor.refused(SignIn(agent="zoe")) == "unknown_agent"
