"""Two rules of a queue at once, one claim a test: what a supervisor expects of the pair."""

from __future__ import annotations

import sys

import pytest
from msgspec.structs import replace

from centralita.config import EngineConfig, problems_of
from centralita.explain import explain_contact
from centralita.look import queue_view
from centralita.messages import (
    AbandonContact,
    AnnounceWait,
    ApplyConfiguration,
    Customer,
    EndContact,
    FinishWrapUp,
    HoldContact,
    IdentifyContact,
    LoseAgent,
    MoveContact,
    PartAgent,
    PickContact,
    ReconcileChannel,
    ReportConnection,
    RequestCallback,
    SetHold,
    SetStatus,
    SignOut,
    StartConsultation,
    Target,
    Tick,
    TransferContact,
)
from tests.engine.floor import Floor

DAY_NS = 86_400 * 10**9
OTHER = "[queues.other]\nmax_wait_s = 100\nannounce_every_s = 10"


def _called_back(floor: Floor) -> int:
    """A callback that ana has reached and handed on, waiting in line again; ana is on a break."""
    number = floor.admit("phone", handle="+34600")
    floor.do(RequestCallback(contact=number))
    floor.sign_in("ana")
    floor.serve(number, "ana")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="sales")))
    floor.do(SetStatus(agent="ana", status="break"))
    return number


@pytest.mark.parametrize("outbound", [False, True])
def test_who_is_yet_to_be_called_takes_nobodys_place_in_a_full_line(outbound: bool) -> None:
    floor = Floor("max_waiting = 1")
    to_call = [floor.admit("phone", handle="+34600", outbound=outbound)]
    if not outbound:
        floor.do(RequestCallback(contact=to_call[0], due_ns=floor.now_ns + DAY_NS))
    comes, too_many = floor.admit("phone"), floor.admit("phone")
    assert [floor.phase(one) for one in (*to_call, comes, too_many)] == ["waiting", "waiting", "ended"]


@pytest.mark.parametrize("rule", ["{do = 'refuse', text = 'nobody'}", "{do = 'queue', queue = 'other'}"])
def test_promised_callback_stays_when_everybody_goes_home(rule: str) -> None:
    floor = Floor(f"when_unstaffed = {rule}", more="[queues.other]\nwhen_unstaffed = {do = 'refuse'}")
    floor.sign_in("ana")
    floor.do(SetStatus(agent="ana", status="break"))
    number = floor.admit("phone", handle="+34600")
    floor.do(RequestCallback(contact=number, due_ns=floor.now_ns + DAY_NS))
    floor.do(SignOut(agent="ana"))
    assert (floor.phase(number), floor.contact(number).queue) == ("waiting", "sales")
    assert floor.contact(number).messages is None
    floor.pass_time(86_400)
    floor.sign_in("ana")
    assert floor.asked(number) == ["ana"]


def test_callback_of_a_transferred_customer_is_told_nothing_and_not_refused_when_moved() -> None:
    floor = Floor("wrap_up_s = 0", more=OTHER)
    floor.sign_in("ana")
    number = floor.admit("phone", handle="+34600")
    floor.serve(number, "ana")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="sales")))
    floor.do(SignOut(agent="ana"))
    floor.do(RequestCallback(contact=number))
    floor.do(MoveContact(contact=number, by="eva", queue="other"))
    floor.pass_time(1000)
    assert floor.phase(number) == "waiting"


def test_customer_who_was_called_back_and_transferred_may_leave_the_line() -> None:
    floor = Floor("wrap_up_s = 0")
    number = _called_back(floor)
    floor.do(AbandonContact(contact=number))
    assert floor.phase(number) == "ended"


def test_customer_who_was_called_back_and_transferred_is_lost_with_the_channel() -> None:
    floor = Floor("wrap_up_s = 0")
    number = _called_back(floor)
    floor.do(ReconcileChannel(channel="phone", alive=(floor.contact(number).provider_id,)))
    assert floor.phase(number) == "waiting"
    floor.do(ReconcileChannel(channel="phone", alive=()))
    assert floor.phase(number) == "ended"


def test_customer_who_hangs_up_after_being_called_back_is_not_called_again() -> None:
    floor = Floor("wrap_up_s = 0\ncallback_attempts = 3")
    number = _called_back(floor)
    floor.sign_in("bob")
    floor.answer(number, "bob")
    floor.do(ReportConnection(contact=number, agent="bob", made=False, customer_gone=True))
    assert floor.phase(number) == "ended"


@pytest.mark.parametrize("fault", ["telephone", "time limit", "agent"])
def test_customer_whom_we_called_and_transferred_waits_on_when_our_side_fails(fault: str) -> None:
    floor = Floor("wrap_up_s = 0")
    floor.sign_in("ana")
    number = floor.admit("phone", handle="+34600", outbound=True)
    floor.serve(number, "ana")
    floor.sign_in("bob")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob")))
    floor.answer(number, "bob")
    floor.do(SetStatus(agent="ana", status="break"))
    match fault:
        case "telephone":
            floor.do(ReportConnection(contact=number, agent="bob", made=False))
        case "time limit":
            floor.pass_time(30)
        case _:
            floor.do(LoseAgent(agent="bob"))
            floor.pass_time(20)
    assert floor.phase(number) == "waiting"


@pytest.mark.parametrize("wrap_up_s", [0, 30])
def test_contact_goes_back_by_name_to_who_handed_it_on(wrap_up_s: int) -> None:
    floor = Floor(f"wrap_up_s = {wrap_up_s}\nask_again_s = 600")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.sign_in("bob")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob")))
    floor.serve(number, "bob")
    floor.do(TransferContact(contact=number, agent="bob", target=Target(agent="ana")))
    if wrap_up_s:
        assert floor.phase(number) == "waiting"
        floor.do(FinishWrapUp(contact=number, agent="ana"))
    assert floor.asked(number) == ["ana"]


def test_who_handed_a_contact_on_to_a_queue_is_not_asked_because_the_customer_prefers_them() -> None:
    floor = Floor("wrap_up_s = 30\nprefer_for_s = 600\nask_again_s = 600")
    floor.sign_in("ana")
    number = floor.admit(preferred_agent="ana")
    floor.serve(number, "ana")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="sales")))
    floor.do(FinishWrapUp(contact=number, agent="ana"))
    assert floor.phase(number) == "waiting"


def test_colleague_who_still_wraps_a_contact_up_can_be_consulted_about_it() -> None:
    floor = Floor("wrap_up_s = 30")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.sign_in("bob")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob")))
    floor.serve(number, "bob")
    ana = Target(agent="ana")
    consultation = floor.do(StartConsultation(contact=number, agent="bob", target=ana)).contact
    assert floor.asked(consultation) == ["ana"]
    floor.serve(consultation, "ana")
    floor.do(EndContact(contact=consultation, by="ana"))
    assert floor.phase(number) == "connected"


def test_nobody_is_waited_for_who_lacks_what_is_required() -> None:
    floor = Floor("skills = {es = 1}\nprefer_for_s = 600")
    floor.sign_in("ana", "bob")
    assert floor.asked(floor.admit(preferred_agent="bob")) == ["ana"]


def test_preferred_agent_is_waited_for_whom_a_ring_lets_in_meanwhile() -> None:
    rules = "skills = {en = 5}\nprefer_for_s = 60\nrings = [{after_s = 10, lower = {en = 3}}]"
    floor = Floor(rules)
    floor.sign_in("ana", "bob")
    number = floor.admit(preferred_agent="bob")
    assert floor.phase(number) == "waiting"
    floor.pass_time(10)
    assert floor.asked(number) == ["bob"]


def test_contact_that_is_looked_up_survives_that_the_default_queue_goes() -> None:
    floor = Floor(more='[crms.c]\ntype = "c"')
    number = floor.admit()
    config = floor.engine.state.config
    channels = {name: replace(rule, queue="sales") for name, rule in config.channels.items()}
    floor.do(ApplyConfiguration(config=replace(config, channels=channels, default_queue="")))
    floor.do(IdentifyContact(contact=number, customer=Customer(id="1")))
    assert (floor.phase(number), floor.contact(number).queue) == ("waiting", "sales")


def test_channel_on_which_somebody_is_called_back_cannot_be_removed() -> None:
    floor = Floor()
    number = floor.admit("web")
    floor.do(RequestCallback(contact=number, handle="+34600", channel="phone"))
    config = floor.engine.state.config
    channels = {name: rule for name, rule in config.channels.items() if name != "phone"}
    assert floor.refused(ApplyConfiguration(config=replace(config, channels=channels))) == "bad_configuration"


def test_configuration_without_the_medium_of_callbacks_cannot_be_used() -> None:
    media = {name: rule for name, rule in EngineConfig().media.items() if name != "callback"}
    assert problems_of(EngineConfig(media=media)) == [
        "media.callback: none given; whoever asks to be called back needs it"
    ]


def test_channel_that_called_back_is_told_of_holds_and_of_who_comes_and_goes() -> None:
    floor = Floor("wrap_up_s = 0\nannounce_every_s = 10")
    number = floor.admit("web")
    floor.do(RequestCallback(contact=number, handle="+34600", channel="phone"))
    floor.sign_in("ana")
    floor.serve(number, "ana")
    held = floor.do(HoldContact(contact=number, agent="ana"))
    passed_on = floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="sales")))
    announced = floor.do(Tick(), after_s=10)
    asks = [ask for step in (held, passed_on, announced) for ask in step.asks]
    told = [ask for ask in asks if isinstance(ask, SetHold | PartAgent | AnnounceWait)]
    assert [type(ask) for ask in asks] == [SetHold, PartAgent, AnnounceWait]
    assert {ask.channel for ask in told} == {"phone"}


def test_callback_for_tomorrow_is_not_who_has_waited_longest() -> None:
    floor = Floor()
    number = floor.admit("phone", handle="+34600")
    floor.do(RequestCallback(contact=number, due_ns=floor.now_ns + DAY_NS))
    floor.pass_time(3600)
    view = queue_view(floor.engine, "sales")
    assert view is not None
    assert (view.waiting, view.longest_wait_since_ns) == (0, 0)
    floor.pass_time(86_400)
    view = queue_view(floor.engine, "sales")
    assert view is not None
    assert (view.waiting, view.longest_wait_since_ns) == (1, floor.now_ns - DAY_NS - 3600 * 10**9)


def _consulting(rules: str, more: str = "") -> tuple[Floor, int, int]:
    """Ana, who speaks with a customer, asks for a colleague in the queue `other`."""
    floor = Floor("wrap_up_s = 0", more=f"[queues.other]\n{rules}\n{more}")
    floor.sign_in("ana")
    number = floor.admit("phone", handle="+34600")
    floor.serve(number, "ana")
    start = StartConsultation(contact=number, agent="ana", target=Target(queue="other"))
    return floor, number, floor.do(start).contact


def test_consultation_becomes_no_callback_of_the_customer() -> None:
    floor, number, consultation = _consulting("max_wait_s = 10\nwhen_waited = {do = 'callback'}")
    assert floor.refused(RequestCallback(contact=consultation)) == "wrong_phase"
    floor.pass_time(10)
    assert (floor.phase(consultation), floor.phase(number)) == ("ended", "connected")


def test_consultation_takes_no_customers_place_in_a_full_line() -> None:
    floor, _, _ = _consulting("max_waiting = 1")
    assert floor.phase(floor.admit("phone", queue="other")) == "waiting"


def test_who_is_passed_on_to_a_queue_that_nobody_serves_goes_where_its_rule_says() -> None:
    rules = "skills = {es = 10}\nwhen_unstaffed = {do = 'queue', queue = 'third'}"
    floor, number, consultation = _consulting(rules, "[queues.third]")
    assert floor.contact(consultation).queue == "third"
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="other")))
    assert floor.contact(number).queue == "third"


def test_shift_that_goes_home_looks_at_who_waits_once() -> None:
    agents = "".join(f"\n[agents.a{index}]\nskills = {{en = 5}}" for index in range(20))
    floor = Floor("skills = {en = 1}\nwhen_unstaffed = {do = 'refuse'}", more=agents)
    names = [f"a{index}" for index in range(20)]
    floor.sign_in(*names)
    for name in names:
        floor.do(SetStatus(agent=name, status="break"))
    waiting = [floor.admit("phone") for _ in range(500)]
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    for name in names[1:]:
        floor.do(SignOut(agent=name))
    sys.setprofile(None)
    assert calls < 500 * 2
    assert {floor.phase(number) for number in waiting} == {"waiting"}
    floor.do(SignOut(agent=names[0]))
    assert {floor.phase(number) for number in waiting} == {"ended"}


def test_callback_for_later_passes_no_ring_and_is_not_picked_before_its_moment() -> None:
    floor = Floor("skills = {en = 5}\nrings = [{after_s = 10, lower = {en = 3}}]")
    floor.sign_in("bob")
    number = floor.admit("phone", handle="+34600")
    floor.do(RequestCallback(contact=number, due_ns=floor.now_ns + DAY_NS))
    floor.pass_time(60)
    told = explain_contact(floor.engine, number)
    assert told is not None
    assert (told.rung, told.next_ring_ns) == (0, 0)
    refusal = floor.do(PickContact(contact=number, agent="bob", by="eva")).refusal
    assert refusal is not None
    assert refusal.message == "contact 1 is waiting; this needs it in line: it is to be called back later"
