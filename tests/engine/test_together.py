"""More than one agent in a contact's life: transfers, consultations, conferences."""

from __future__ import annotations

import pytest

from centralita.look import contact_view
from centralita.messages import (
    AbandonContact,
    EndConsultation,
    EndContact,
    FinishWrapUp,
    LeaveContact,
    PostMessage,
    ReportConnection,
    SetStatus,
    SignOut,
    StartConsultation,
    Target,
    TransferContact,
)
from tests.engine.floor import Floor, kinds

OTHER = "[queues.other]\nskills = {es = 1}"


def _with_ana(rules: str = "wrap_up_s = 10", more: str = OTHER) -> tuple[Floor, int]:
    floor = Floor(rules, more=more)
    floor.sign_in("ana")
    number = floor.admit(text="my order is late")
    floor.serve(number, "ana")
    floor.sign_in("bob")
    return floor, number


def test_a_blind_transfer_to_an_agent_is_offered_to_that_agent_whatever_the_skills() -> None:
    floor, number = _with_ana("skills = {es = 5}\nwrap_up_s = 10")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob"), note="see above"))
    assert floor.asked(number) == ["bob"]
    assert floor.contact(number).works["ana"].state == "wrapping"
    floor.serve(number, "bob")
    messages = floor.contact(number).messages
    assert messages is not None
    assert [message.text for message in messages] == ["my order is late", "see above"]
    floor.do(FinishWrapUp(contact=number, agent="ana"))
    floor.finish(number, "bob")
    assert floor.phase(number) == "ended"


def test_a_transfer_to_a_queue_or_to_skills_finds_somebody_else() -> None:
    for target in (Target(queue="sales"), Target(skills={"en": 1})):
        floor, number = _with_ana()
        floor.do(TransferContact(contact=number, agent="ana", target=target))
        assert floor.asked(number) == ["bob"]


def test_a_transferred_customer_goes_before_who_came_meanwhile() -> None:
    floor, number = _with_ana()
    floor.do(SetStatus(agent="bob", status="break"))
    floor.do(SetStatus(agent="ana", status="break"))
    newer = floor.admit()
    floor.pass_time(60)
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="sales")))
    assert floor.engine.lines.queue.in_order(now_ns=floor.now_ns, limit=2) == [number, newer]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (Target(), "bad_value"),
        (Target(agent="ana"), "bad_value"),
        (Target(agent="bob", queue="other"), "bad_value"),
        (Target(agent="zoe"), "unknown_agent"),
        (Target(queue="nowhere"), "unknown_queue"),
        (Target(skills={"zz": 1}), "unknown_skill"),
    ],
)
def test_a_target_that_cannot_be_is_refused_and_the_customer_stays(target: Target, code: str) -> None:
    floor, number = _with_ana()
    assert floor.refused(TransferContact(contact=number, agent="ana", target=target)) == code
    assert floor.refused(StartConsultation(contact=number, agent="ana", target=target)) == code
    assert floor.phase(number) == "connected"


def test_a_consulted_colleague_sees_what_was_said_and_takes_over() -> None:
    floor, number = _with_ana()
    step = floor.do(StartConsultation(contact=number, agent="ana", target=Target(agent="bob"), note="help"))
    child = step.contact
    assert floor.refused(EndConsultation(contact=number, agent="ana", then="transfer")) == "wrong_phase"
    floor.serve(child, "bob")
    seen = contact_view(floor.engine, child)
    assert seen is not None
    assert [message.text for message in seen.messages] == ["my order is late", "help"]
    floor.do(PostMessage(contact=child, author="agent", author_id="ana", text="he is angry", internal=True))
    floor.do(EndConsultation(contact=number, agent="ana", then="transfer"))
    assert (floor.phase(child), floor.contact(number).agent) == ("ended", "bob")
    assert floor.contact(number).works["ana"].state == "wrapping"
    floor.finish(number, "bob")
    assert floor.phase(number) == "wrapping"
    floor.pass_time(10)
    assert floor.phase(number) == "ended"


def test_a_colleague_joins_and_each_leaves_by_themselves() -> None:
    floor, number = _with_ana("wrap_up_s = 0")
    child = floor.do(StartConsultation(contact=number, agent="ana", target=Target(agent="bob"))).contact
    floor.serve(child, "bob")
    floor.do(EndConsultation(contact=number, agent="ana", then="join"))
    assert sorted(floor.contact(number).works) == ["ana", "bob"]
    assert (
        floor.refused(TransferContact(contact=number, agent="ana", target=Target(queue="other")))
        == "wrong_phase"
    )
    floor.do(LeaveContact(contact=number, agent="ana"))
    assert (floor.phase(number), floor.contact(number).agent) == ("connected", "bob")
    floor.do(LeaveContact(contact=number, agent="bob"))
    assert floor.phase(number) == "ended"


def test_a_consultation_that_is_cancelled_leaves_customer_and_agent_together() -> None:
    floor, number = _with_ana()
    child = floor.do(StartConsultation(contact=number, agent="ana", target=Target(agent="bob"))).contact
    floor.do(EndConsultation(contact=number, agent="ana", then="cancel"))
    assert (floor.phase(child), floor.phase(number)) == ("ended", "connected")
    assert floor.engine.state.agents["bob"].contacts == {}


def test_a_colleague_who_hangs_up_ends_only_the_consultation() -> None:
    floor, number = _with_ana()
    child = floor.do(StartConsultation(contact=number, agent="ana", target=Target(agent="bob"))).contact
    floor.serve(child, "bob")
    floor.do(EndContact(contact=child, by="bob"))
    assert (floor.phase(child), floor.phase(number), floor.contact(number).consultation) == (
        "ended",
        "connected",
        0,
    )


def test_a_customer_who_leaves_ends_the_consultation_too() -> None:
    floor, number = _with_ana()
    child = floor.do(StartConsultation(contact=number, agent="ana", target=Target(agent="bob"))).contact
    step = floor.do(AbandonContact(contact=number))
    assert floor.phase(child) == "ended"
    assert "ConsultationEnded" in kinds(step)


def test_an_agent_who_goes_in_a_conference_leaves_the_customer_to_the_other() -> None:
    floor, number = _with_ana()
    child = floor.do(StartConsultation(contact=number, agent="ana", target=Target(agent="bob"))).contact
    floor.serve(child, "bob")
    floor.do(EndConsultation(contact=number, agent="ana", then="join"))
    floor.do(SignOut(agent="ana"))
    assert (floor.phase(number), floor.contact(number).agent) == ("connected", "bob")


def test_a_consultation_whose_connection_fails_waits_for_somebody_else() -> None:
    floor, number = _with_ana()
    child = floor.do(StartConsultation(contact=number, agent="ana", target=Target(queue="sales"))).contact
    floor.answer(child, "bob")
    floor.do(ReportConnection(contact=child, agent="bob", made=False, reason="desk"))
    assert (floor.phase(child), floor.phase(number)) == ("waiting", "connected")
