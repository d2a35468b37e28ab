"""Contacts that we begin and that wait for an agent first: the records of a list."""

from __future__ import annotations

import pytest

from centralita.kpi import recount
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    CancelContact,
    ConnectContact,
    ContactConnected,
    ContactEnded,
    LoseAgent,
    ReconcileChannel,
    ReportConnection,
    Target,
    TransferContact,
)
from tests.engine.floor import Floor

RULES = "wrap_up_s = 0\nconnect_s = 30\nmax_wait_s = 60\nannounce_every_s = 10"


def floor(rules: str = RULES, more: str = "") -> Floor:
    return Floor(rules, more=more)


def dial(floor: Floor, **fields: object) -> int:
    return floor.admit("phone", handle="+34600111222", outbound=True, **fields)


def ended(floor: Floor) -> ContactEnded:
    (event,) = [
        event for record in floor.records for event in record.events if isinstance(event, ContactEnded)
    ]
    return event


def test_record_waits_is_offered_and_then_dialled() -> None:
    centre = floor()
    number = dial(centre)
    assert centre.phase(number) == "waiting"
    centre.sign_in("ana")
    assert centre.asked(number) == ["ana"]
    step = centre.answer(number, "ana")
    (ask,) = [ask for ask in step.asks if isinstance(ask, ConnectContact)]
    assert (ask.callback_handle, ask.channel) == ("+34600111222", "phone")
    centre.do(ReportConnection(contact=number, agent="ana", made=True))
    assert centre.phase(number) == "connected"
    centre.finish(number, "ana")
    assert (ended(centre).outcome, ended(centre).direction) == ("served", "outbound")


@pytest.mark.parametrize("reason", ["busy", "no answer"])
def test_customer_who_is_not_reached_ends_the_attempt_with_its_reason(reason: str) -> None:
    centre = floor()
    number = dial(centre)
    centre.sign_in("ana")
    centre.answer(number, "ana")
    centre.do(ReportConnection(contact=number, agent="ana", made=False, customer_gone=True, reason=reason))
    event = ended(centre)
    assert (event.outcome, event.by, event.reason) == ("unreachable", "customer", reason)


def test_fault_of_ours_is_told_apart_and_so_is_an_agent_who_goes() -> None:
    centre = floor()
    number = dial(centre)
    centre.sign_in("ana")
    centre.answer(number, "ana")
    centre.do(ReportConnection(contact=number, agent="ana", made=False, reason="agent: no answer"))
    assert (ended(centre).outcome, ended(centre).by) == ("unreachable", "channel")
    centre = floor()
    number = dial(centre)
    centre.sign_in("ana")
    centre.answer(number, "ana")
    centre.do(LoseAgent(agent="ana"))
    centre.pass_time(60)
    assert (ended(centre).outcome, ended(centre).by) == ("cancelled", "rules")


def test_nobody_on_the_line_is_told_anything_nor_refused_nor_thought_to_have_left() -> None:
    more = '[bots.menu]\ntype = "m"\n[queues.shut]\nmax_waiting = 0\nwhen_unstaffed = { do = "refuse" }'
    centre = floor(RULES + '\nwhen_unstaffed = { do = "refuse", text = "Nobody is here" }', more)
    number, crowded = dial(centre), dial(centre, queue="shut")
    centre.pass_time(3600)
    centre.sign_in("ana")
    centre.do(LoseAgent(agent="ana"))
    centre.pass_time(3600)
    assert centre.refused(AbandonContact(contact=number)) == "already"
    centre.do(ReconcileChannel(channel="phone", alive=()))
    for contact in (number, crowded):
        assert centre.phase(contact) == "waiting"
        assert centre.contact(contact).messages is None
    centre.do(CancelContact(contact=number, by="lists"))
    assert ended(centre).outcome == "cancelled"


def test_dialling_that_its_channel_has_lost_ends_and_is_asked_again_only_while_it_lives() -> None:
    centre = floor()
    number = dial(centre)
    centre.sign_in("ana")
    centre.answer(number, "ana")
    assert [type(ask) for ask in centre.engine.open_asks()] == [ConnectContact]
    centre.do(ReconcileChannel(channel="phone", alive=()))
    assert ended(centre).outcome == "lost"


def test_channel_must_be_able_to_dial_and_the_number_known() -> None:
    centre = floor()
    admission = AdmitContact(channel="mail", provider_id="x", handle="eva@example.org", outbound=True)
    assert centre.refused(admission) == "not_capable"
    assert centre.refused(AdmitContact(channel="phone", provider_id="x", outbound=True)) == "bad_value"


def test_same_record_twice_is_one_contact() -> None:
    centre = floor()
    command = AdmitContact(channel="phone", provider_id="list/1", handle="+34600", outbound=True)
    assert centre.do(command).contact == centre.do(command).contact


def test_figures_of_those_who_wait_leave_it_out_until_somebody_was_reached() -> None:
    centre = floor()
    number, other = dial(centre), dial(centre)
    centre.sign_in("ana")
    centre.answer(number, "ana", accept=False)
    centre.serve(other, "ana")
    tally = recount(centre.records).queues["sales"]
    assert (tally.offered, tally.answered, len(tally.waiting)) == (0, 0, 0)
    centre.do(CancelContact(contact=number))
    centre.sign_in("bob")
    centre.do(TransferContact(contact=other, agent="ana", target=Target(agent="bob")))
    centre.serve(other, "bob")
    centre.finish(other, "bob")
    tally = recount(centre.records).queues["sales"]
    assert (tally.offered, tally.answered, tally.handled) == (1, 1, 1)
    assert tally.outcomes["served"] == 1
    assert tally.outcomes["cancelled"] == 1
    connected = [
        event for record in centre.records for event in record.events if isinstance(event, ContactConnected)
    ]
    assert [event.agent for event in connected] == ["ana", "bob"]
