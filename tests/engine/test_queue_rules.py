"""The rules of a queue, one claim a test."""

from __future__ import annotations

import pytest

from centralita.config import loads
from centralita.explain import explain_agent, explain_contact
from centralita.look import queue_view
from centralita.messages import (
    AnswerOffer,
    ApplyConfiguration,
    CloseQueue,
    ContactEnded,
    ContactOffered,
    MessagePosted,
    MoveContact,
    OfferWithdrawn,
    OpenQueue,
    PickContact,
    RequestCallback,
    SetStatus,
    WaitAnnounced,
)
from tests.engine.floor import BASE, Floor, kinds


def test_a_skill_is_required_at_its_level() -> None:
    floor = Floor("skills = {en = 4}")
    floor.sign_in("bob")
    number = floor.admit()
    assert floor.phase(number) == "waiting"
    floor.sign_in("ana")
    assert floor.asked(number) == ["ana"]


def test_a_ring_widens_what_is_required_and_the_place_is_kept() -> None:
    floor = Floor("skills = {en = 4}\nrings = [{after_s = 10, lower = {en = 3}}]")
    floor.sign_in("bob")
    number = floor.admit()
    floor.pass_time(9)
    assert floor.phase(number) == "waiting"
    floor.pass_time(1)
    assert floor.asked(number) == ["bob"]


def test_higher_priority_goes_first_and_credit_is_a_head_start() -> None:
    floor = Floor("credit_s = 0")
    first = floor.admit("phone")
    floor.pass_time(30)
    credited = floor.admit("phone", credit_s=60)
    urgent = floor.admit("phone", priority=1)
    order = floor.engine.lines.queue.in_order(now_ns=floor.now_ns, limit=9)
    assert order == [urgent, credited, first]


def test_an_offer_to_several_is_withdrawn_from_the_rest_when_one_accepts() -> None:
    floor = Floor("offer_to = 2")
    floor.sign_in("ana", "bob")
    number = floor.admit()
    assert floor.asked(number) == ["ana", "bob"]
    step = floor.answer(number, "bob")
    withdrawn = [event for event in step.events if isinstance(event, OfferWithdrawn)]
    assert [(event.agent, event.reason) for event in withdrawn] == [("ana", "taken")]
    assert list(floor.contact(number).works) == ["bob"]
    assert floor.engine.state.agents["ana"].contacts == {}


def test_of_two_who_accept_at_once_the_second_is_too_late() -> None:
    floor = Floor("offer_to = 2")
    floor.sign_in("ana", "bob")
    number = floor.admit()
    offer = floor.contact(number).works["ana"].offer
    floor.answer(number, "bob")
    late = AnswerOffer(contact=number, agent="ana", offer=offer, accept=True)
    assert floor.refused(late) == "offer_over"


def test_who_does_not_answer_becomes_unavailable_after_so_many() -> None:
    floor = Floor("offer_s = 10\nno_answer = 'unavailable'\nno_answer_limit = 2")
    floor.sign_in("ana")
    number = floor.admit()
    floor.pass_time(10)
    assert floor.asked(number) == ["ana"]
    floor.pass_time(10)
    agent = floor.engine.state.agents["ana"]
    assert (agent.status, agent.reason) == ("break", "no_answer")
    assert floor.phase(number) == "waiting"


def test_an_unavailable_last_agent_does_not_stall_the_rest() -> None:
    floor = Floor("offer_s = 10")
    floor.sign_in("ana")
    number = floor.admit()
    floor.sign_in("bob")
    floor.pass_time(10)
    assert floor.asked(number) == ["bob"]


def test_a_declined_contact_keeps_its_place_and_asks_somebody_else_first() -> None:
    floor = Floor("ask_again_s = 30")
    floor.sign_in("ana")
    number = floor.admit()
    floor.answer(number, "ana", accept=False)
    assert floor.phase(number) == "waiting"
    later = floor.admit()
    assert floor.asked(later) == ["ana"]
    assert floor.engine.lines.queue.in_order(now_ns=floor.now_ns, limit=1) == [number]
    floor.answer(later, "ana", accept=False)
    floor.pass_time(30)
    assert floor.asked(number) == ["ana"]


def test_a_preferred_agent_who_is_here_is_waited_for_and_one_who_is_not_is_not() -> None:
    floor = Floor("prefer_for_s = 20")
    floor.sign_in("bob")
    floor.do(SetStatus(agent="bob", status="break"))
    floor.sign_in("ana")
    held = floor.admit(preferred_agent="bob")
    assert floor.phase(held) == "waiting"
    floor.pass_time(20)
    assert floor.asked(held) == ["ana"]
    other = Floor("prefer_for_s = 20")
    other.sign_in("ana")
    assert other.asked(other.admit(preferred_agent="bob")) == ["ana"]


def test_a_full_queue_does_what_its_rule_says() -> None:
    floor = Floor("max_waiting = 1\nwhen_full = {do = 'refuse', text = 'Full.'}")
    floor.admit()
    floor.admit()
    events = floor.records[-1].events
    said = [event.text for event in events if isinstance(event, MessagePosted)]
    last = events[-1]
    assert isinstance(last, ContactEnded)
    assert (said, last.outcome, last.reason) == (["Full."], "refused", "full")


def test_a_queue_without_places_takes_whom_an_agent_can_take_at_once() -> None:
    floor = Floor("max_waiting = 0")
    floor.sign_in("ana")
    first, second = floor.admit("phone"), floor.admit("phone")
    assert floor.asked(first) == ["ana"]
    assert floor.phase(second) == "ended"
    floor.answer(first, "ana", accept=False)
    assert (
        floor.phase(first) == "waiting"
    )  # who was in keeps the place, and who comes gets the agent it is not for
    assert floor.asked(floor.admit("phone")) == ["ana"]
    assert floor.phase(floor.admit("phone")) == "ended"


def test_a_full_line_for_others_keeps_nobody_from_a_free_agent() -> None:
    floor = Floor("max_waiting = 2", more="[queues.other]")
    floor.sign_in("bob")
    waiting = [floor.admit("phone", skills={"es": 3}) for _ in range(2)]
    english = floor.admit("phone", skills={"en": 3})
    assert [floor.phase(number) for number in waiting] == ["waiting", "waiting"]
    assert floor.asked(english) == ["bob"]
    assert floor.phase(floor.admit("phone", skills={"es": 3})) == "ended"


def test_overflow_to_another_queue_brings_the_waiting_time_along() -> None:
    floor = Floor(
        "max_wait_s = 30\nwhen_waited = {do = 'queue', queue = 'other'}",
        more="[queues.other]\nskills = {es = 1}",
    )
    number = floor.admit("phone")
    floor.pass_time(20)
    newer = floor.admit("phone", queue="other")
    floor.pass_time(10)
    assert floor.contact(number).queue == "other"
    floor.sign_in("ana")
    assert floor.asked(number) == ["ana"]
    assert floor.phase(newer) == "waiting"


@pytest.mark.parametrize(
    ("rule", "phase"),
    [
        ("{do = 'wait'}", "waiting"),
        ("{do = 'message', text = 'Soon.'}", "waiting"),
        ("{do = 'refuse'}", "ended"),
    ],
)
def test_the_longest_wait_does_what_its_rule_says_once(rule: str, phase: str) -> None:
    floor = Floor(f"max_wait_s = 30\nwhen_waited = {rule}")
    number = floor.admit()
    floor.pass_time(300)
    assert floor.phase(number) == phase
    assert sum(kind == "MaxWaitPassed" for record in floor.records for kind in map(_name, record.events)) == 1


def _name(event: object) -> str:
    return type(event).__name__


def test_after_the_longest_wait_a_contact_becomes_a_callback_that_keeps_its_place() -> None:
    floor = Floor("max_wait_s = 30\nwhen_waited = {do = 'callback', text = 'We call.'}")
    number = floor.admit("phone", handle="+34600")
    nameless = floor.admit("phone")
    floor.pass_time(31)
    assert floor.contact(number).callback_handle == "+34600"
    assert floor.phase(nameless) == "ended"


def test_when_the_last_who_could_serve_has_gone_the_rule_applies_to_who_waits() -> None:
    floor = Floor("skills = {es = 1}\nwhen_unstaffed = {do = 'refuse', text = 'Nobody is here.'}")
    floor.sign_in("ana")
    floor.do(SetStatus(agent="ana", status="break"))
    number = floor.admit()
    assert floor.phase(number) == "waiting"
    floor.do(SetStatus(agent="ana", status="offline"))
    assert floor.phase(number) == "ended"
    assert floor.phase(floor.admit()) == "ended"


def test_a_closed_queue_takes_nobody_new_and_keeps_who_waits() -> None:
    floor = Floor("when_closed = {do = 'refuse', text = 'Closed.'}")
    number = floor.admit()
    floor.do(CloseQueue(queue="sales", reason="hours"))
    assert floor.phase(number) == "waiting"
    assert floor.phase(floor.admit()) == "ended"
    floor.do(OpenQueue(queue="sales"))
    assert floor.phase(floor.admit()) == "waiting"
    assert floor.refused(OpenQueue(queue="nowhere")) == "unknown_queue"


def test_position_and_expected_wait_are_announced_again_and_again() -> None:
    floor = Floor("announce_every_s = 10")
    floor.admit()
    number = floor.admit()
    floor.pass_time(30)
    told = [
        event
        for record in floor.records
        for event in record.events
        if isinstance(event, WaitAnnounced) and event.contact == number
    ]
    assert [(event.position, event.low_s) for event in told] == [(2, -1.0)] * 3


def test_the_expected_wait_is_an_interval_that_says_how_it_was_made() -> None:
    floor = Floor("wrap_up_s = 0")
    floor.sign_in("ana")
    waiting = [floor.admit("phone") for _ in range(9)]
    for number in waiting[:8]:
        floor.serve(number, "ana")
        floor.pass_time(60)
        floor.finish(number, "ana")
    view = queue_view(floor.engine, "sales")
    assert view is not None
    assert view.estimate.expected_s == pytest.approx(60, rel=0.1)
    assert view.estimate.low_s < 60 < view.estimate.high_s
    assert "7 seen" in view.estimate.basis


def test_capacity_a_limit_and_the_interrupt_rule_say_who_gets_what_at_once() -> None:
    floor = Floor(more="[queues.mail]\n[media.email]\nunits = 10\nlive = false\n")
    floor.sign_in("ana")
    chats = [floor.admit() for _ in range(4)]
    assert [floor.phase(number) for number in chats] == ["offered"] * 3 + ["waiting"]
    assert floor.phase(floor.admit("phone")) == "waiting"
    other = Floor()
    other.sign_in("ana")
    mails = [other.admit("mail") for _ in range(5)]
    call = other.admit("phone")  # voice may interrupt e-mail: its units don't count
    assert [other.phase(number) for number in (*mails, call)] == ["offered"] * 6


def test_a_supervisor_moves_a_contact_and_picks_one_for_an_agent() -> None:
    floor = Floor("skills = {es = 9}", more="[queues.other]")
    floor.sign_in("bob")
    number = floor.admit()
    picked = floor.admit()
    assert kinds(floor.do(PickContact(contact=picked, agent="bob", by="eva"))) == [
        "ContactPicked",
        "ContactOffered",
    ]
    floor.do(MoveContact(contact=number, by="eva", queue="other", priority=5))
    assert floor.asked(number) == ["bob"]
    assert floor.refused(MoveContact(contact=number, by="eva")) == "wrong_phase"
    third = floor.admit()
    assert floor.refused(PickContact(contact=third, agent="ana", by="eva")) == "not_signed_in"
    assert floor.refused(MoveContact(contact=third, by="eva", skills={"zz": 1})) == "unknown_skill"


def test_why_names_the_first_rule_that_bars_each_agent_with_its_numbers() -> None:
    floor = Floor("skills = {en = 4}")
    floor.sign_in("ana", "bob")
    floor.do(SetStatus(agent="ana", status="break"))
    floor.admit("phone")
    number = floor.admit("phone")
    why = explain_contact(floor.engine, number)
    assert why is not None
    assert (why.position, why.ahead, why.capable, why.available) == (2, 1, 1, 0)
    barred = {row.agent: (row.rule, row.subject, row.needed, row.had) for row in why.agents}
    assert barred["bob"] == ("skill", "en", 4, 3)
    assert barred["ana"][0] == "unavailable"
    mine = explain_agent(floor.engine, "bob")
    assert mine is not None
    assert "needs en at 4, has 3" in mine.words


def test_why_counts_nobody_as_free_who_is_busy() -> None:
    floor = Floor("skills = {en = 1}")
    floor.sign_in("ana", "bob")
    floor.serve(floor.admit("phone"), "ana")
    floor.answer(second := floor.admit("phone"), "bob", accept=False)
    why = explain_contact(floor.engine, second)
    assert why is not None
    assert {row.agent: row.rule for row in why.agents} == {"ana": "medium_limit", "bob": "excluded"}
    assert (why.capable, why.available) == (2, 1)


def test_why_tells_by_which_keys_an_agent_was_chosen() -> None:
    keys = [
        "rank",
        "longest_idle",
        "least_loaded",
        "most_skilled",
        "least_flexible",
        "fewest_contacts",
        "round_robin",
        "random",
    ]
    floor = Floor(f"agent_order = {keys}\nskills = {{en = 1}}")
    floor.sign_in("ana")
    why = explain_contact(floor.engine, floor.admit())
    assert why is not None
    assert floor.asked(why.contact) == ["ana"]
    assert why.chosen_by == (
        ("rank", "tier 1"),
        ("longest_idle", "free for the longest"),
        ("least_loaded", "33 % of the capacity with this contact"),
        ("most_skilled", "levels of 5 in all"),
        ("least_flexible", "2 skills"),
        ("fewest_contacts", "0 contacts before this one"),
        ("round_robin", "not asked for the longest"),
        ("random", "drawn by lot"),
    )


def test_a_configuration_is_applied_whole_or_not_at_all() -> None:
    floor = Floor()
    number = floor.admit()
    fewer = loads(
        BASE.replace('default_queue = "sales"', 'default_queue = "other"') + "\n[queues.other]"
    ).engine
    assert floor.refused(ApplyConfiguration(config=fewer)) == "bad_configuration"
    assert list(floor.engine.state.queues) == ["sales"]
    more = loads(BASE + "\n[queues.sales]\nskills = {es = 1}\n[queues.other]").engine
    floor.do(ApplyConfiguration(config=more))
    assert list(floor.engine.state.queues) == ["sales", "other"]
    floor.sign_in("ana")
    assert floor.asked(number) == ["ana"]
    without = loads(BASE.replace("[agents.ana]", "[agents.zoe]") + "\n[queues.sales]\n[queues.other]").engine
    floor.do(ApplyConfiguration(config=without))
    assert floor.phase(number) == "waiting"
    assert set(floor.engine.state.agents) == {"zoe", "bob"}


def test_a_configuration_that_takes_away_what_a_contact_needs_is_refused() -> None:
    floor = Floor("skills = {en = 4}")
    number = floor.admit(handle="+34600111222", skills={"es": 1})
    floor.do(RequestCallback(contact=number, channel="phone"))
    rest = "\n[queues.sales]\nskills = {en = 4}"
    without_skill = BASE.replace('"es"]', "]").replace(", es = 5", "")
    without_channel = BASE.replace("[channels.phone]", "[channels.line]")
    for text, path in ((without_skill, "skills.es"), (without_channel, "channels.phone")):
        step = floor.do(ApplyConfiguration(config=loads(text + rest).engine))
        assert step.refusal is not None
        assert step.refusal.message.startswith(f"{path}: needed by live contacts (1);")


def test_a_queue_that_has_hours_no_more_is_open() -> None:
    hours = '\n[hours.office]\ntime_zone = "UTC"\n'
    floor = Floor('hours = "office"', more=hours + "[queues.other]")
    for queue in ("sales", "other"):
        floor.do(CloseQueue(queue=queue, reason="hours"))
    floor.do(ApplyConfiguration(config=loads(BASE + "\n[queues.sales]\n[queues.other]").engine))
    queues = floor.engine.state.queues
    assert (queues["sales"].open, queues["other"].open) == (True, False)


def test_every_offer_has_its_own_number_and_time_limit() -> None:
    floor = Floor("offer_s = 15")
    floor.sign_in("ana")
    floor.admit()
    floor.admit()
    offers = [e for record in floor.records for e in record.events if isinstance(e, ContactOffered)]
    assert len({offer.offer for offer in offers}) == 2
    assert {offer.expires_ns - floor.now_ns for offer in offers} == {15 * 10**9}


def test_an_agent_counts_as_free_only_while_one_more_contact_fits() -> None:
    floor = Floor("wrap_up_s = 5")
    floor.sign_in("ana", "bob")

    def staff() -> tuple[int, int]:
        view = queue_view(floor.engine, "sales")
        assert view is not None
        return view.agents_present, view.agents_available

    assert staff() == (2, 2)
    floor.admit()
    assert staff() == (2, 2)  # two more chats fit beside one
    floor.admit("phone")
    assert staff() == (2, 1)
    floor.do(SetStatus(agent="ana", status="break"))
    floor.do(SetStatus(agent="bob", status="break"))
    assert staff() == (2, 0)
