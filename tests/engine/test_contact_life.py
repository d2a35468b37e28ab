"""A contact's life, one claim a test: from admission to its end, and every way off that path."""

from __future__ import annotations

import pytest

from centralita.messages import (
    AbandonContact,
    AdmitContact,
    Attachment,
    CancelContact,
    ClassifyContact,
    ConnectContact,
    ContactConnected,
    ContactEnded,
    Customer,
    DeliverMessage,
    DisconnectContact,
    EndContact,
    ExtendWrapUp,
    FinishSelfService,
    FinishWrapUp,
    HoldContact,
    IdentifyContact,
    NoteContact,
    PlaceContact,
    PostMessage,
    RateContact,
    ReconcileChannel,
    ReportConnection,
    RequestCallback,
    ResumeContact,
    SendOffer,
    SetStatus,
    Tick,
)
from tests.engine.floor import Floor, kinds

STAGES = """
[crms.local]
type = "crm"
[classifiers.words]
type = "words"
[bots.menu]
type = "menu"
[limits]
identify_s = 3
classify_s = 4
bot_turn_s = 30
"""


def test_an_admission_repeated_finds_the_same_contact() -> None:
    floor = Floor()
    first = floor.do(AdmitContact(channel="web", provider_id="x"))
    again = floor.do(AdmitContact(channel="web", provider_id="x", text="changed"))
    assert (again.contact, again.events, again.seq) == (first.contact, [], 0)
    assert floor.do(AdmitContact(channel="mail", provider_id="x")).contact != first.contact


def test_an_admission_repeated_after_the_end_admits_nothing() -> None:
    floor = Floor()
    number = floor.admit()
    floor.do(CancelContact(contact=number))
    assert floor.do(AdmitContact(channel="web", provider_id="p1")).contact == number
    assert floor.phase(number) == "ended"


def test_a_contact_is_offered_accepted_connected_wrapped_up_and_counted() -> None:
    floor = Floor("wrap_up_s = 30")
    floor.sign_in("ana")
    step = floor.do(AdmitContact(channel="web", provider_id="1", text="hello"))
    assert kinds(step) == ["ContactAdmitted", "MessagePosted", "ContactQueued", "ContactOffered"]
    assert [type(ask) for ask in step.asks] == [SendOffer]
    number = step.contact
    assert [type(ask) for ask in floor.answer(number, "ana").asks] == [ConnectContact]
    floor.do(ReportConnection(contact=number, agent="ana", made=True), after_s=1)
    floor.do(HoldContact(contact=number, agent="ana"), after_s=10)
    floor.do(ResumeContact(contact=number, agent="ana"), after_s=5)
    ended = floor.do(EndContact(contact=number, by="ana"), after_s=20)
    assert [type(ask) for ask in ended.asks] == [DisconnectContact]
    assert floor.phase(number) == "wrapping"
    last = floor.do(FinishWrapUp(contact=number, agent="ana", disposition="sold", notes="n"), after_s=7)
    event = last.events[-1]
    assert isinstance(event, ContactEnded)
    assert (event.outcome, event.agent) == ("served", "ana")
    seconds = [ns / 1e9 for ns in (event.waited_ns, event.talk_ns, event.hold_ns, event.wrap_up_ns)]
    assert seconds == [1, 30, 5, 7]


def test_identify_classify_and_self_service_come_in_that_order_before_waiting() -> None:
    floor = Floor(
        more=STAGES.replace(
            "[limits]", '[channels.line]\ntype = "x"\nmedium = "chat"\nbot = "menu"\n[limits]'
        )
    )
    number = floor.admit("line")
    assert floor.phase(number) == "identifying"
    floor.do(IdentifyContact(contact=number, customer=Customer(id="7", name="Eva")))
    assert floor.phase(number) == "classifying"
    floor.do(ClassifyContact(contact=number, skills={"es": 2}, priority=3, by="words"))
    assert floor.phase(number) == "self_service"
    floor.do(FinishSelfService(contact=number, resolved=False, summary="wants a refund"))
    contact = floor.contact(number)
    assert (contact.phase, contact.skills, contact.priority) == ("waiting", {"es": 2}, 3)
    assert contact.summary == "wants a refund"


def test_whoever_does_not_answer_in_time_is_passed_by() -> None:
    floor = Floor(
        more=STAGES.replace(
            "[limits]", '[channels.line]\ntype = "x"\nmedium = "chat"\nbot = "menu"\n[limits]'
        )
    )
    number = floor.admit("line")
    floor.pass_time(3)
    assert floor.phase(number) == "classifying"
    floor.pass_time(4)
    assert floor.phase(number) == "self_service"
    floor.pass_time(30)
    assert floor.phase(number) == "waiting"


def test_a_late_answer_of_a_crm_is_still_kept() -> None:
    floor = Floor(more=STAGES)
    number = floor.admit()
    floor.pass_time(10)
    floor.do(IdentifyContact(contact=number, customer=Customer(id="7", name="Eva")))
    found = floor.contact(number)
    assert found.customer is not None
    assert (found.phase, found.customer.name) == ("waiting", "Eva")
    assert floor.refused(IdentifyContact(contact=number)) == "already"


def test_two_contacts_of_one_customer_share_the_conversation() -> None:
    floor = Floor(more='[crms.local]\ntype = "crm"')
    first, second = floor.admit(), floor.admit("mail")
    for number in (first, second):
        floor.do(IdentifyContact(contact=number, customer=Customer(id="7", crm="local")))
    assert floor.contact(second).conversation == floor.contact(first).conversation == first


def test_a_bot_that_resolves_the_matter_ends_the_contact() -> None:
    floor = Floor(more='[bots.menu]\ntype = "m"\n[channels.line]\ntype = "x"\nmedium = "chat"\nbot = "menu"')
    number = floor.admit("line")
    step = floor.do(FinishSelfService(contact=number, resolved=True))
    event = step.events[-1]
    assert isinstance(event, ContactEnded)
    assert event.outcome == "resolved_by_bot"


@pytest.mark.parametrize("moment", ["waiting", "offered", "connecting"])
def test_a_customer_who_leaves_before_the_answer_has_abandoned(moment: str) -> None:
    floor = Floor()
    number = floor.admit()
    if moment != "waiting":
        floor.sign_in("ana")
    if moment == "connecting":
        floor.answer(number, "ana")
    assert floor.phase(number) == moment
    event = floor.do(AbandonContact(contact=number)).events[-1]
    assert isinstance(event, ContactEnded)
    assert event.outcome == "abandoned"
    floor.sign_in("ana")
    assert floor.engine.state.agents["ana"].contacts == {}


def test_a_customer_who_hangs_up_in_the_conversation_was_served() -> None:
    floor = Floor("wrap_up_s = 5")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(AbandonContact(contact=number))
    assert floor.phase(number) == "wrapping"
    floor.pass_time(5)
    assert floor.engine.state.ended_n == 1


def test_a_failed_connection_returns_the_contact_to_its_place() -> None:
    floor = Floor("ask_again_s = 60")
    floor.sign_in("ana")
    number = floor.admit()
    floor.pass_time(2)
    floor.admit()
    floor.answer(number, "ana")
    floor.do(ReportConnection(contact=number, agent="ana", made=False, reason="phone unplugged"))
    assert floor.phase(number) == "waiting"
    assert floor.engine.lines.queue.in_order(now_ns=floor.now_ns, limit=1) == [number]
    floor.sign_in("bob")
    assert floor.asked(number) == ["bob"]


def test_messages_are_numbered_once_and_carried_to_the_customer() -> None:
    floor = Floor()
    floor.sign_in("ana")
    number = floor.admit(text="first")
    floor.serve(number, "ana")
    shot = Attachment(id="f1", name="screen.png", media_type="image/png", bytes_n=10)
    floor.do(PostMessage(contact=number, author="customer", message_id="c1", attachments=(shot,)))
    say = PostMessage(contact=number, author="agent", author_id="ana", text="hi", message_id="a1")
    (ask,) = floor.do(say).asks
    assert isinstance(ask, DeliverMessage)
    assert (ask.number, ask.text) == (3, "hi")
    assert floor.do(say).events == []
    whisper = PostMessage(contact=number, author="agent", author_id="ana", text="psst", internal=True)
    assert floor.do(whisper).asks == []
    messages = floor.contact(number).messages
    assert messages is not None
    assert [message.number for message in messages] == [1, 2, 3, 4]


def test_only_who_has_the_contact_may_speak_in_it() -> None:
    floor = Floor()
    floor.sign_in("ana")
    number = floor.admit()
    say = PostMessage(contact=number, author="agent", author_id="bob", text="hi")
    assert floor.refused(say) == "not_yours"
    assert (
        floor.refused(PostMessage(contact=number, author="agent", author_id="ana", text="x")) == "wrong_phase"
    )
    assert floor.refused(PostMessage(contact=number, author="customer")) == "bad_value"
    assert floor.refused(PostMessage(contact=99, author="customer", text="x")) == "unknown_contact"


def test_nobody_stays_on_hold_for_ever() -> None:
    floor = Floor(more="[limits]\nhold_s = 60")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(HoldContact(contact=number, agent="ana"))
    floor.pass_time(60)
    assert floor.phase(number) == "connected"


def test_a_conversation_in_which_nobody_speaks_ends_by_itself() -> None:
    floor = Floor("wrap_up_s = 0", more="[limits]\nsilence_s = 100")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.pass_time(90)
    floor.do(PostMessage(contact=number, author="customer", text="still here"))
    floor.pass_time(90)
    assert floor.phase(number) == "connected"
    floor.pass_time(10)
    assert floor.phase(number) == "ended"


def test_wrap_up_ends_by_the_timer_and_can_be_extended_to_its_maximum() -> None:
    floor = Floor("wrap_up_s = 10\nwrap_up_max_s = 25")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(EndContact(contact=number, by="ana"))
    floor.do(ExtendWrapUp(contact=number, agent="ana", seconds=10))
    floor.do(ExtendWrapUp(contact=number, agent="ana", seconds=10))
    assert floor.refused(ExtendWrapUp(contact=number, agent="ana", seconds=10)) == "bad_value"
    floor.pass_time(24.9)
    assert floor.phase(number) == "wrapping"
    floor.pass_time(0.2)
    assert floor.phase(number) == "ended"


def test_choosing_to_be_available_ends_the_wrap_up() -> None:
    floor = Floor("wrap_up_s = 100")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(EndContact(contact=number, by="ana"))
    floor.do(SetStatus(agent="ana", status="available"))
    assert floor.phase(number) == "ended"


def test_a_disposition_must_be_one_of_those_listed() -> None:
    floor = Floor("wrap_up_s = 10", more="")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(NoteContact(contact=number, agent="ana", notes="first", disposition="anything"))
    assert floor.contact(number).disposition == "anything"


def test_a_rating_is_taken_once_while_it_is_remembered() -> None:
    floor = Floor("wrap_up_s = 0", more="[limits]\nrating_s = 100")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.do(EndContact(contact=number, by="ana"))
    assert floor.refused(RateContact(contact=number, score=6)) == "bad_value"
    assert kinds(floor.do(RateContact(contact=number, score=5), after_s=50)) == ["ContactRated"]
    assert floor.refused(RateContact(contact=number, score=1)) == "already"
    other = floor.admit()
    floor.do(CancelContact(contact=other))
    floor.pass_time(101)
    assert floor.refused(RateContact(contact=other, score=5)) == "unknown_contact"


def test_a_channel_that_reconciles_loses_what_vanished_and_nothing_else() -> None:
    floor = Floor("wrap_up_s = 0")
    floor.sign_in("ana")
    served = floor.admit()
    floor.serve(served, "ana")
    floor.do(SetStatus(agent="ana", status="break"))
    vanished, waiting, elsewhere, callback = (floor.admit(name) for name in ("web", "web", "mail", "web"))
    floor.do(RequestCallback(contact=callback, handle="+34600"))
    step = floor.do(ReconcileChannel(channel="web", alive=(floor.contact(waiting).provider_id,)))
    ended = {event.contact: event.outcome for event in step.events if isinstance(event, ContactEnded)}
    assert ended == {served: "served", vanished: "lost"}
    assert [floor.phase(number) for number in (waiting, elsewhere, callback)] == ["waiting"] * 3


def test_a_callback_keeps_its_place_and_is_dialled_when_its_turn_comes() -> None:
    floor = Floor()
    first = floor.admit("phone", handle="+34600")
    floor.do(RequestCallback(contact=first), after_s=5)
    second = floor.admit("phone", handle="+34601")
    floor.sign_in("ana")
    assert floor.asked(first) == ["ana"]
    assert floor.phase(second) == "waiting"
    (ask,) = floor.answer(first, "ana").asks
    assert isinstance(ask, ConnectContact)
    assert ask.callback_handle == "+34600"


def test_a_callback_waits_for_its_agreed_moment_without_losing_its_waiting_time() -> None:
    floor = Floor()
    number = floor.admit("phone", handle="+34600")
    floor.do(RequestCallback(contact=number, due_ns=floor.now_ns + 60 * 10**9))
    floor.sign_in("ana")
    assert floor.phase(number) == "waiting"
    later = floor.admit("phone")
    floor.serve(later, "ana")
    floor.sign_in("bob")
    floor.pass_time(60)
    assert floor.asked(number) == ["bob"]


def test_a_callback_nobody_answers_is_tried_again_and_then_given_up() -> None:
    floor = Floor("callback_attempts = 2\ncallback_retry_s = 50\nno_answer = 'stay'")
    floor.sign_in("ana")
    number = floor.admit("web")
    floor.do(SetStatus(agent="ana", status="break"))
    floor.answer(number, "ana", accept=False)
    floor.do(RequestCallback(contact=number, handle="+34600"))
    floor.do(SetStatus(agent="ana", status="available"))
    floor.pass_time(61)  # ana declined it a moment ago
    for attempt in (1, 2):
        assert floor.asked(number) == ["ana"], attempt
        floor.answer(number, "ana")
        floor.do(ReportConnection(contact=number, agent="ana", made=False, customer_gone=True))
        floor.pass_time(50)
    assert floor.phase(number) == "ended"


def test_nobody_waits_on_the_line_of_a_callback_so_it_cannot_be_abandoned() -> None:
    floor = Floor()
    number = floor.admit("phone", handle="+34600")
    floor.do(RequestCallback(contact=number))
    assert floor.refused(AbandonContact(contact=number)) == "already"
    assert floor.refused(RequestCallback(contact=number)) == "already"


def test_an_agent_places_a_contact_where_the_channel_can_dial() -> None:
    floor = Floor("wrap_up_s = 0")
    floor.sign_in("ana")
    place = PlaceContact(agent="ana", channel="phone", provider_id="o1", handle="+34600")
    step = floor.do(place)
    (ask,) = step.asks
    assert isinstance(ask, ConnectContact)
    assert ask.callback_handle == "+34600"
    assert floor.do(place).contact == step.contact
    mail = PlaceContact(agent="ana", channel="mail", provider_id="o2", handle="eva@example.org")
    assert floor.refused(mail) == "not_capable"
    made = floor.do(ReportConnection(contact=step.contact, agent="ana", made=True))
    assert isinstance(made.events[0], ContactConnected)
    floor.finish(step.contact, "ana")
    assert floor.phase(step.contact) == "ended"


def test_a_placed_contact_nobody_answers_is_unreachable() -> None:
    floor = Floor("connect_s = 20")
    floor.sign_in("ana")
    number = floor.do(PlaceContact(agent="ana", channel="phone", provider_id="o", handle="+34600")).contact
    floor.pass_time(20)
    assert floor.phase(number) == "ended"
    assert isinstance(floor.records[-1].events[-1], ContactEnded)
    assert floor.records[-1].events[-1].outcome == "unreachable"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (AdmitContact(channel="fax", provider_id="1"), "unknown_channel"),
        (AdmitContact(channel="web", provider_id=""), "bad_value"),
        (AdmitContact(channel="web", provider_id="1", queue="nowhere"), "unknown_queue"),
        (AdmitContact(channel="web", provider_id="1", skills={"klingon": 1}), "unknown_skill"),
        (AdmitContact(channel="web", provider_id="1", skills={"en": 11}), "bad_value"),
        (AdmitContact(channel="web", provider_id="1", priority=5000), "bad_value"),
        (EndContact(contact=99), "unknown_contact"),
        (SetStatus(agent="ana", status="break"), "not_signed_in"),
        (SetStatus(agent="zoe", status="break"), "unknown_agent"),
    ],
)
def test_what_cannot_be_is_refused_with_its_code_and_changes_nothing(command: object, code: str) -> None:
    assert Floor().refused(command) == code  # type: ignore[arg-type]


def test_a_tick_with_nothing_due_changes_nothing() -> None:
    floor = Floor()
    assert floor.do(Tick(), after_s=10).events == []
