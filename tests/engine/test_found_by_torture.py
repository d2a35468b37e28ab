"""What `centralita torture` has found, each as the shortest story that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from centralita.config import ChannelRule
from centralita.engine import Engine
from centralita.explain import explain_contact
from centralita.messages import (
    AnyAsk,
    ApplyConfiguration,
    CancelContact,
    CloseQueue,
    Customer,
    DeliverMessage,
    DisconnectContact,
    EndConsultation,
    EndContact,
    EraseContacts,
    FinishWrapUp,
    IdentifyContact,
    LeaveContact,
    LoseAgent,
    MessagePosted,
    MoveContact,
    PickContact,
    PlaceContact,
    PostMessage,
    ReconcileChannel,
    ReportConnection,
    ReportDelivery,
    RequestCallback,
    SignIn,
    SignOut,
    StartConsultation,
    Target,
    Tick,
    TransferContact,
)
from centralita.state import LONG_STOP_NS, units_used
from tests.engine.floor import Floor
from tests.engine.histories import NS

CARLA = "[agents.carla]\nskills = {en = 1}\n"
CRM = '[crms.local]\ntype = "crm"\n'


def test_answer_of_a_crm_that_comes_late_leaves_the_bot_its_time_limit() -> None:
    bot = '[limits]\nidentify_s = 2\nbot_turn_s = 20\n[channels.menu]\ntype = "x"\nmedium = "voice"\nbot = "menu"\n[bots.menu]\ntype = "menu"\n'
    floor = Floor(more=CRM + bot)
    number = floor.admit("menu")
    floor.pass_time(3)
    assert floor.phase(number) == "self_service"
    floor.do(IdentifyContact(contact=number, customer=Customer(id="1")))
    floor.pass_time(30)
    assert floor.phase(number) == "waiting"


def test_answer_of_a_crm_that_comes_late_leaves_a_waiting_contact_its_longest_wait() -> None:
    floor = Floor("max_wait_s = 60", more=CRM)
    number = floor.admit()
    floor.pass_time(3)
    floor.do(IdentifyContact(contact=number, customer=Customer(id="1")))
    floor.pass_time(70)
    assert floor.phase(number) == "ended"


def test_wrap_up_ends_in_time_while_the_contact_is_offered_to_the_next_agent() -> None:
    floor = Floor("offer_s = 60\nwrap_up_s = 5")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.sign_in("bob")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob")))
    assert floor.asked(number) == ["bob"]
    floor.pass_time(6)
    assert list(floor.contact(number).works) == ["bob"]


def test_wrap_up_ends_in_time_while_the_next_agent_is_being_connected() -> None:
    floor = Floor("wrap_up_s = 30\nconnect_s = 120")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.sign_in("bob")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob")))
    floor.answer(number, "bob")
    floor.pass_time(31)
    assert list(floor.contact(number).works) == ["bob"]


def test_rules_may_lose_rings_that_a_waiting_contact_has_passed() -> None:
    rings = "skills = {en = 5}\nrings = [{after_s = 5, lower = {en = 4}}, {after_s = 10, lower = {en = 1}}]"
    floor = Floor(rings)
    number = floor.admit()
    floor.pass_time(11)
    for left in (1, 0):
        rules = floor.engine.state.config
        sales = replace(rules.queues["sales"], rings=rules.queues["sales"].rings[:left])
        floor.do(ApplyConfiguration(config=replace(rules, queues={"sales": sales})))
        explain_contact(floor.engine, number)
    floor.sign_in("bob")
    assert floor.asked(number) == []
    floor.sign_in("ana")
    assert floor.asked(number) == ["ana"]


def test_callback_that_waits_for_its_moment_is_told_no_place_in_line_when_moved() -> None:
    floor = Floor(
        "announce_every_s = 5\ncallback_retry_s = 60",
        more="[queues.other]\nannounce_every_s = 5\n[queues.third]\nannounce_every_s = 5\n",
    )
    number = postponed(floor)
    floor.do(MoveContact(contact=number, by="boss", queue="third"))
    floor.pass_time(30)
    assert floor.phase(number) == "waiting"


def postponed(floor: Any) -> int:
    """A contact that was answered, returned, asked to be called back, and could not be reached."""
    floor.sign_in("ana")
    number: int = floor.admit()
    floor.serve(number, "ana")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="other")))
    floor.do(RequestCallback(contact=number, handle="+34600"))
    floor.sign_in("bob")
    floor.answer(number, "bob")
    floor.do(ReportConnection(contact=number, agent="bob", made=False, customer_gone=True))
    assert floor.contact(number).due_ns
    return number


def recovered(floor: Floor, *, from_snapshot: bool = True) -> Engine:
    """The engine as a crash right now would leave it."""
    snapshot = floor.engine.snapshot() if from_snapshot else None
    return Engine.restore(snapshot, () if from_snapshot else floor.records)


def test_rings_of_a_transferred_contact_go_on_after_a_recovery_while_it_is_offered() -> None:
    rings = "offer_s = 60\nrings = [{after_s = 5, lower = {en = 1}}, {after_s = 10, raise_priority = 1}]"
    floor = Floor(rings)
    floor.sign_in("ana", "bob")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob")))
    assert floor.asked(number) == ["bob"]
    after = recovered(floor)
    for engine in (floor.engine, after):
        engine.handle(Tick(), now_ns=floor.now_ns + 11 * NS)
    assert after.state.contacts[number].rung == floor.contact(number).rung == 2


def test_after_work_of_a_chat_takes_a_chats_capacity_when_the_chat_becomes_a_callback() -> None:
    floor = Floor("wrap_up_s = 300\nask_again_s = 3000", more="[queues.other]\nskills = {es = 9}\n")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="other")))
    floor.do(RequestCallback(contact=number, handle="+34600"))
    agent = floor.engine.state.agents["ana"]
    hands = floor.engine.lines.queue.hands(agent.number)
    after = recovered(floor)
    assert after.lines.queue.hands(agent.number) == hands
    assert after.lines.queue.state_hash() == floor.engine.lines.queue.state_hash()
    assert units_used(after.state, after.state.agents["ana"]) == 33
    fewer = replace(
        floor.engine.state.config,
        media={name: floor.engine.state.config.media[name] for name in ("callback", "email")},
        channels={"line": ChannelRule(medium="callback")},
    )
    refusal = floor.do(ApplyConfiguration(config=fewer)).refusal
    assert refusal is not None
    assert "media.chat" in refusal.message


def test_agent_who_passed_on_what_they_had_placed_may_be_asked_again_in_time() -> None:
    floor = Floor("ask_again_s = 10\nwrap_up_s = 0")
    floor.sign_in("ana")
    placed = PlaceContact(agent="ana", channel="phone", provider_id="o1", handle="+34600")
    number = floor.do(placed).contact
    floor.do(ReportConnection(contact=number, agent="ana", made=True))
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="sales")))
    assert floor.asked(number) == []
    floor.pass_time(11)
    assert floor.asked(number) == ["ana"]


def goodbyes(asks: Sequence[AnyAsk]) -> list[tuple[int, str]]:
    said: list[tuple[int, str]] = []
    for ask in asks:
        if isinstance(ask, DeliverMessage):
            said.append((ask.contact, ask.text))
        elif isinstance(ask, DisconnectContact):
            said.append((ask.contact, "goodbye"))
    return said


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_goodbye_that_a_crash_took_away_is_asked_again(from_snapshot: bool) -> None:
    floor = Floor('wrap_up_s = 30\nmax_waiting = 0\nwhen_full = {do = "refuse", text = "Sorry."}')
    refused = floor.admit()
    assert floor.phase(refused) == "ended"
    assert goodbyes(recovered(floor, from_snapshot=from_snapshot).open_asks()) == [
        (refused, "Sorry."),
        (refused, "goodbye"),
    ]
    floor.pass_time(3600)
    floor.do(CloseQueue(queue="sales"))
    assert goodbyes(recovered(floor, from_snapshot=from_snapshot).open_asks()) == []


def test_customer_of_a_contact_that_is_being_wrapped_up_is_let_go_after_a_crash() -> None:
    floor = Floor("wrap_up_s = 30")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(EndContact(contact=number, by="ana"))
    assert goodbyes(recovered(floor).open_asks()) == [(number, "goodbye")]


def test_message_before_the_customers_last_words_is_delivered_after_a_crash_if_recent() -> None:
    floor = Floor()
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(PostMessage(contact=number, author="agent", author_id="ana", text="one moment"))
    floor.do(PostMessage(contact=number, author="customer", text="and?"))
    assert goodbyes(recovered(floor).open_asks()) == [(number, "one moment")]
    floor.pass_time(3600)
    floor.do(PostMessage(contact=number, author="customer", text="hello?"))
    assert goodbyes(recovered(floor).open_asks()) == []


def test_channel_that_reconciles_is_asked_to_end_what_is_over() -> None:
    floor = Floor("wrap_up_s = 300")
    floor.sign_in("ana")
    wrapping, ended, live = floor.admit(), floor.admit(), floor.admit()
    floor.serve(wrapping, "ana")
    floor.do(EndContact(contact=wrapping, by="ana"))
    floor.do(CancelContact(contact=ended, by="boss"))
    step = floor.do(ReconcileChannel(channel="web", alive=("p1", "p2", "p3", "unheard of")))
    assert step.events == []
    assert goodbyes(step.asks) == [(wrapping, "goodbye"), (ended, "goodbye")]
    assert floor.phase(live) == "offered"


def test_queue_that_nobody_serves_any_more_treats_everybody_in_the_order_of_coming() -> None:
    floor = Floor(
        "offer_s = 5", more='[queues.other]\nwhen_unstaffed = {do = "message", text = "Nobody is here."}\n'
    )
    floor.sign_in("ana", "bob")
    first, second = floor.admit(), floor.admit(queue="other", skills={"es": 9})
    floor.do(CancelContact(contact=first))
    third = floor.admit(queue="other", skills={"es": 9})
    floor.do(MoveContact(contact=second, by="boss", queue="sales"))
    floor.do(MoveContact(contact=second, by="boss", queue="other"))
    after = recovered(floor)
    for engine in (floor.engine, after):
        events = engine.handle(SignOut(agent="ana"), now_ns=floor.now_ns).events
        assert [event.contact for event in events if isinstance(event, MessagePosted)] == [second, third]


def test_offer_to_several_is_taken_back_from_all_when_the_rules_came_to_offer_to_one() -> None:
    floor = Floor("offer_to = 2\noffer_s = 60")
    floor.sign_in("ana", "bob")
    number = floor.admit()
    assert sorted(floor.asked(number)) == ["ana", "bob"]
    rules = floor.engine.state.config
    sales = replace(rules.queues["sales"], offer_to=1)
    floor.do(ApplyConfiguration(config=replace(rules, queues={"sales": sales})))
    floor.answer(number, "ana")
    bob = floor.engine.state.agents["bob"]
    assert floor.engine.lines.queue.hands(bob.number) == []


def test_silence_ends_at_the_same_place_in_a_tick_after_a_recovery() -> None:
    floor = Floor('offer_s = 1000\nno_answer = "stay"', more="[limits]\nsilence_s = 100\n")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.pass_time(50)
    floor.do(PostMessage(contact=number, author="customer", text="still there?"))
    floor.pass_time(55)
    after = recovered(floor)
    assert after.next_deadline_ns() == floor.engine.next_deadline_ns()


def test_contact_whose_agent_vanished_after_placing_it_requires_what_its_queue_does() -> None:
    floor = Floor("skills = {en = 5}\nwrap_up_s = 0", more="[limits]\ngrace_s = 0\n")
    floor.sign_in("ana", "bob")
    placed = PlaceContact(agent="ana", channel="phone", provider_id="o1", handle="+34600")
    number = floor.do(placed).contact
    floor.do(ReportConnection(contact=number, agent="ana", made=True))
    floor.do(SignOut(agent="ana"))
    assert floor.phase(number) == "waiting"
    floor.sign_in("ana")
    assert floor.asked(number) == ["ana"]


def test_agent_who_declined_is_asked_again_in_time_though_another_still_wraps_up() -> None:
    floor = Floor("ask_again_s = 10\nwrap_up_s = 300\nskills = {en = 3}")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="sales")))
    floor.pass_time(5)
    floor.sign_in("bob")
    floor.answer(number, "bob", accept=False)
    floor.pass_time(11)
    assert floor.asked(number) == ["bob"]


def answered(floor: Floor, text: str = "one moment") -> int:
    """A contact to whose customer an agent has written, who has written again."""
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(PostMessage(contact=number, author="agent", author_id="ana", text=text))
    floor.do(PostMessage(contact=number, author="customer", text="and?"))
    return number


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_message_that_its_channel_could_not_deliver_is_asked_again_however_old(from_snapshot: bool) -> None:
    floor = Floor(more="[limits]\nsilence_s = 86400\n")
    floor.sign_in("ana")
    number = answered(floor)
    floor.do(ReportDelivery(contact=number, number=1, made=False))
    floor.pass_time(7200)
    floor.do(PostMessage(contact=number, author="customer", text="hello?"))
    asked = recovered(floor, from_snapshot=from_snapshot).open_asks()
    assert goodbyes(asked) == [(number, "one moment")]
    floor.do(ReportDelivery(contact=number, number=1, made=True))
    assert goodbyes(recovered(floor, from_snapshot=from_snapshot).open_asks()) == []


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_words_said_long_before_the_end_are_owed_until_they_are_delivered(from_snapshot: bool) -> None:
    floor = Floor("wrap_up_s = 0", more="[limits]\nsilence_s = 86400\n")
    floor.sign_in("ana")
    number = answered(floor)
    floor.do(ReportDelivery(contact=number, number=1, made=False))
    floor.pass_time(7200)
    floor.do(PostMessage(contact=number, author="agent", author_id="ana", text="still there?"))
    floor.finish(number, "ana")
    for _ in range(3):
        floor.pass_time(3600)
        floor.do(CancelContact(contact=floor.admit()))
    asked = recovered(floor, from_snapshot=from_snapshot).open_asks()
    said = [(number, "one moment"), (number, "still there?"), (number, "goodbye")]
    assert [one for one in goodbyes(asked) if one[0] == number] == said
    floor.do(ReportDelivery(contact=number, number=1, made=True))
    asked = recovered(floor, from_snapshot=from_snapshot).open_asks()
    assert [one for one in goodbyes(asked) if one[0] == number] == said[1:]
    floor.do(ReportDelivery(contact=number, number=3, made=True))
    asked = recovered(floor, from_snapshot=from_snapshot).open_asks()
    assert [one for one in goodbyes(asked) if one[0] == number] == []
    assert floor.engine.state.ended[number].last_words == ()


def test_words_that_nobody_failed_to_deliver_are_let_go_ten_minutes_after_the_end() -> None:
    floor = Floor("wrap_up_s = 0")
    floor.sign_in("ana")
    number = answered(floor)
    floor.pass_time(300)
    floor.finish(number, "ana")
    asked = recovered(floor).open_asks()
    assert goodbyes(asked) == [(number, "one moment"), (number, "goodbye")]
    floor.pass_time(500)
    floor.do(CancelContact(contact=floor.admit()))
    assert floor.engine.state.ended[number].last_words
    floor.pass_time(200)
    floor.do(CancelContact(contact=floor.admit()))
    assert floor.engine.state.ended[number].last_words == ()
    assert floor.engine.snapshot() == recovered(floor, from_snapshot=False).snapshot()


def test_undelivered_words_are_remembered_when_the_oldest_contacts_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("centralita.engine.COMPILED", frozenset())  # which has read the numbers already
    monkeypatch.setattr("centralita.apply.ends.ENDED_KEPT_MAX", 10)
    monkeypatch.setattr("centralita.apply.ends.OWED_KEPT_MAX", 2)
    floor = Floor('max_waiting = 0\nwhen_full = {do = "refuse", text = "Sorry."}')
    owed = [floor.admit() for _ in range(4)]
    for number in owed:
        floor.do(ReportDelivery(contact=number, number=1, made=False))
    others = [floor.admit() for _ in range(12)]
    assert not {others[0], *owed[:2]} & floor.engine.state.ended.keys()
    asked = goodbyes(recovered(floor).open_asks())
    assert [one for one in asked if one[0] in owed] == [
        (number, word) for number in reversed(owed[2:]) for word in ("Sorry.", "goodbye")
    ]


def test_delivery_is_reported_of_what_is_there_and_once() -> None:
    floor = Floor()
    floor.sign_in("ana")
    number = answered(floor)
    floor.do(PostMessage(contact=number, author="agent", author_id="ana", text="among us", internal=True))
    for wrong in (0, 2, 3, 4):  # none, the customer's, internal, not said yet
        assert floor.refused(ReportDelivery(contact=number, number=wrong, made=False)) == "bad_value"
    assert floor.refused(ReportDelivery(contact=number, number=1, made=True)) == "already"
    assert floor.refused(ReportDelivery(contact=99, number=1, made=False)) == "unknown_contact"
    floor.do(ReportDelivery(contact=number, number=1, made=False))
    assert floor.refused(ReportDelivery(contact=number, number=1, made=False)) == "already"
    assert floor.refused(ReportDelivery(contact=number, number=9999, made=True)) == "bad_value"
    assert goodbyes(recovered(floor).open_asks()) == [(number, "one moment")]


@pytest.mark.parametrize("ended", [False, True])
def test_words_after_one_that_is_kept_no_longer_are_owed_when_that_one_was_not_delivered(ended: bool) -> None:
    floor = Floor("wrap_up_s = 0", more="[limits]\nsilence_s = 86400\nmessages_kept = 10\n")
    floor.sign_in("ana")
    number = answered(floor)
    for count in range(8):
        floor.do(PostMessage(contact=number, author="agent", author_id="ana", text=f"part {count}"))
    floor.do(PostMessage(contact=number, author="customer", text="and?"))
    if ended:
        floor.finish(number, "ana")
    floor.do(ReportDelivery(contact=number, number=1, made=False))
    assert floor.refused(ReportDelivery(contact=number, number=1, made=False)) == "already"
    floor.pass_time(7200)
    asked = recovered(floor, from_snapshot=False).open_asks()
    said = [(number, f"part {count}") for count in range(8)]
    assert goodbyes(asked)[:8] == said
    assert floor.refused(ReportDelivery(contact=number, number=1, made=True)) == "already"
    floor.do(ReportDelivery(contact=number, number=3, made=True))
    assert goodbyes(recovered(floor, from_snapshot=False).open_asks())[:7] == said[1:]


def test_words_of_who_is_erased_are_owed_no_longer() -> None:
    floor = Floor('max_waiting = 0\nwhen_full = {do = "refuse", text = "Sorry."}')
    number = floor.admit()
    floor.do(ReportDelivery(contact=number, number=1, made=False))
    floor.pass_time(7200)
    assert goodbyes(recovered(floor).open_asks()) == [(number, "Sorry."), (number, "goodbye")]
    floor.do(EraseContacts(contacts=(number,), by="boss"))
    assert recovered(floor).open_asks() == []


def decided_alike(floor: Floor, seconds: float) -> None:
    """An engine recovered now and the one that lived do the same, in the same order, at the next Tick."""
    after = recovered(floor)
    now_ns = floor.now_ns + int(seconds * NS)
    lived, again = (engine.handle(Tick(), now_ns=now_ns).events for engine in (floor.engine, after))
    assert [type(event).__name__ for event in again] == [type(event).__name__ for event in lived]
    assert again == lived


def test_silence_that_was_put_off_ends_in_its_turn_after_a_recovery() -> None:
    floor = Floor("max_wait_s = 80", more="[limits]\nsilence_s = 60\n")
    floor.sign_in("ana")
    number = floor.admit("phone")
    floor.serve(number, "ana")
    waiting = floor.admit("phone")
    floor.pass_time(50)
    floor.do(PostMessage(contact=number, author="customer", text="and?"))
    assert floor.phase(waiting) == "waiting"
    decided_alike(floor, 100)


def test_wait_is_announced_to_who_came_back_at_the_next_tick_after_a_recovery_too() -> None:
    floor = Floor("announce_every_s = 60", more="[limits]\ngrace_s = 20\n")
    number = floor.admit("phone")
    floor.pass_time(25)
    floor.sign_in("ana")
    floor.serve(number, "ana")
    floor.do(LoseAgent(agent="ana", desk="desk"))
    decided_alike(floor, 60)


@pytest.mark.parametrize("back", [False, True])
def test_nobody_is_picked_whose_desk_is_gone_though_deferred_contacts_stay_with_them(back: bool) -> None:
    floor = Floor("keep_deferred = true", more="[limits]\ngrace_s = 5")
    floor.sign_in("ana")
    floor.serve(floor.admit("mail"), "ana")
    floor.do(LoseAgent(agent="ana", desk="desk"))
    waiting = floor.admit("mail")
    pick = PickContact(contact=waiting, agent="ana", by="boss")
    assert floor.refused(pick) == "already"
    floor.pass_time(6)
    assert floor.engine.state.agents["ana"].status == "break"
    if not back:
        assert floor.refused(pick) == "already"
    else:
        floor.do(SignIn(agent="ana", desk="desk"))
        floor.do(pick)
    assert floor.asked(waiting) == (["ana"] if back else [])


def conference(rules: str, *, then: Literal["join", "transfer"] = "join") -> tuple[Floor, int]:
    """Ana serves a customer and has brought Bob in."""
    floor = Floor(rules, more=CARLA)
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.sign_in("bob", "carla")
    child = floor.do(StartConsultation(contact=number, agent="ana", target=Target(agent="bob"))).contact
    floor.serve(child, "bob")
    floor.do(EndConsultation(contact=number, agent="ana", then=then))
    return floor, number


def test_who_stays_in_a_conference_has_the_contact_while_who_left_wraps_up() -> None:
    floor, number = conference("wrap_up_s = 30")
    floor.do(LeaveContact(contact=number, agent="ana"))
    assert floor.contact(number).works["ana"].state == "wrapping"
    assert floor.contact(number).agent == "bob"
    child = floor.do(StartConsultation(contact=number, agent="bob", target=Target(agent="carla"))).contact
    floor.do(FinishWrapUp(contact=number, agent="ana"))
    floor.do(SignOut(agent="bob"))
    assert (floor.phase(number), floor.phase(child)) == ("offered", "ended")


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_queue_excludes_who_wraps_up_what_another_has_as_a_recovered_one_does(from_snapshot: bool) -> None:
    floor, number = conference("wrap_up_s = 30", then="transfer")
    assert list(floor.contact(number).excluded or ()) == ["ana"]
    after = recovered(floor, from_snapshot=from_snapshot)
    assert after.lines.queue.state_hash() == floor.engine.lines.queue.state_hash()


def test_after_a_long_stop_what_is_said_again_is_owed_before_time_goes_on() -> None:
    floor = Floor("wrap_up_s = 0", more="[limits]\nsilence_s = 60")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(PostMessage(contact=number, author="agent", author_id="ana", text="one"))
    floor.do(PostMessage(contact=number, author="agent", author_id="ana", text="two"))
    known = floor.admit()
    floor.do(PostMessage(contact=known, author="bot", author_id="menu", text="hello"))
    floor.do(ReportDelivery(contact=known, number=1, made=False))
    after = recovered(floor)
    last_ns = after.now_ns
    assert after.open_reports(now_ns=last_ns + LONG_STOP_NS) == []
    reports = after.open_reports(now_ns=last_ns + LONG_STOP_NS + 1)
    assert reports == [ReportDelivery(contact=number, number=1, made=False)]
    for report in reports:
        after.handle(report, now_ns=last_ns)
    assert after.open_reports(now_ns=last_ns + LONG_STOP_NS + 1) == []
    after.handle(Tick(), now_ns=last_ns + 3600 * NS)
    assert number not in after.state.contacts
    again = Engine.restore(after.snapshot(), ())
    assert [text for contact, text in goodbyes(again.open_asks()) if contact == number] == [
        "one",
        "two",
        "goodbye",
    ]
