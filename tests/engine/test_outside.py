"""What happens outside and the engine must know: an agent's private call, a customer handed on to a number."""

from __future__ import annotations

import pytest

from centralita.engine import Engine
from centralita.messages import (
    OccupyAgent,
    ReconcileChannel,
    SetStatus,
    SignOut,
    StartConsultation,
    Target,
    TransferContact,
)
from tests.engine.floor import Floor, kinds


@pytest.fixture
def floor() -> Floor:
    return Floor("wrap_up_s = 10")


def test_agent_on_a_private_call_is_offered_nothing(floor: Floor) -> None:
    floor.sign_in("ana")
    assert kinds(floor.do(OccupyAgent(agent="ana", on=True, reason="on_the_phone"))) == ["AgentOccupied"]
    assert kinds(floor.do(OccupyAgent(agent="ana", on=True, reason="on_the_phone"))) == []
    contact = floor.admit()
    assert floor.phase(contact) == "waiting"
    assert kinds(floor.do(OccupyAgent(agent="ana", on=False))) == ["AgentReleased", "ContactOffered"]
    assert floor.asked(contact) == ["ana"]


def test_private_call_leaves_what_is_in_hand(floor: Floor) -> None:
    floor.sign_in("ana")
    contact = floor.admit()
    floor.serve(contact, "ana")
    floor.do(OccupyAgent(agent="ana", on=True))
    assert floor.phase(contact) == "connected"


def test_private_call_does_not_outlive_a_sign_out(floor: Floor) -> None:
    floor.sign_in("ana")
    floor.do(OccupyAgent(agent="ana", on=True))
    floor.do(SignOut(agent="ana"))
    floor.sign_in("ana")
    assert floor.engine.state.agents["ana"].receiving
    floor.do(OccupyAgent(agent="ana", on=True))
    floor.do(SetStatus(agent="ana", status="break"))
    floor.do(SetStatus(agent="ana", status="available"))
    assert not floor.engine.state.agents["ana"].receiving


def test_nobody_absent_is_busy(floor: Floor) -> None:
    assert floor.refused(OccupyAgent(agent="ana", on=True)) == "not_signed_in"
    assert floor.refused(OccupyAgent(agent="eve", on=True)) == "unknown_agent"


def test_customer_is_handed_on_to_a_number_and_served(floor: Floor) -> None:
    floor.sign_in("ana")
    contact = floor.admit(channel="phone")
    floor.serve(contact, "ana")
    target = Target(number="+34600111222")
    step = floor.do(TransferContact(contact=contact, agent="ana", target=target, note="billing"))
    assert kinds(step) == ["MessagePosted", "ContactForwarded", "ServiceEnded", "WrapUpStarted"]
    assert [type(ask).__name__ for ask in step.asks] == ["ForwardContact", "DisconnectContact"]
    assert floor.phase(contact) == "wrapping"


@pytest.mark.parametrize("wrap_up_s", [0, 30])
@pytest.mark.parametrize("from_snapshot", [True, False])
def test_customer_whom_a_crash_kept_from_being_handed_on_is_handed_on_then(
    wrap_up_s: int, from_snapshot: bool
) -> None:
    floor = Floor(f"wrap_up_s = {wrap_up_s}")
    floor.sign_in("ana")
    contact = floor.admit(channel="phone")
    floor.serve(contact, "ana")
    target = Target(number="+34600111222")
    asked = floor.do(TransferContact(contact=contact, agent="ana", target=target)).asks
    assert [type(ask).__name__ for ask in asked] == ["ForwardContact", "DisconnectContact"]
    # In the order of the first time: the goodbye alone would hang up on the customer.
    snapshot = floor.engine.snapshot() if from_snapshot else None
    again = Engine.restore(snapshot, () if from_snapshot else floor.records).open_asks()
    assert [type(ask).__name__ for ask in again] == ["ForwardContact", "DisconnectContact"]
    assert again[0] == asked[0]
    alive = ReconcileChannel(channel="phone", alive=("p1",))
    assert [type(ask).__name__ for ask in floor.do(alive).asks] == ["ForwardContact", "DisconnectContact"]


@pytest.mark.parametrize(
    ("channel", "number", "code"),
    [
        ("web", "600111222", "not_capable"),
        ("phone", "call me", "bad_value"),
        ("phone", "6" * 50, "bad_value"),
    ],
)
def test_nobody_is_handed_on_where_it_cannot_be(floor: Floor, channel: str, number: str, code: str) -> None:
    floor.sign_in("ana")
    contact = floor.admit(channel=channel)
    floor.serve(contact, "ana")
    refused = TransferContact(contact=contact, agent="ana", target=Target(number=number))
    assert floor.refused(refused) == code


def test_number_is_no_target_of_a_consultation_nor_one_of_two(floor: Floor) -> None:
    floor.sign_in("ana", "bob")
    contact = floor.admit(channel="phone")
    floor.serve(contact, "ana")
    number = Target(number="600111222")
    assert floor.refused(StartConsultation(contact=contact, agent="ana", target=number)) == "bad_value"
    both = Target(number="600111222", agent="bob")
    assert floor.refused(TransferContact(contact=contact, agent="ana", target=both)) == "bad_value"
