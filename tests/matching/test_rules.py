"""The rules, one claim a test, on both queues; first the known failures of those who went before."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import pytest

from centralita.matching import (
    BATCH_CODES,
    NEVER_NS,
    NOBODY,
    Barred,
    MatchingQueue,
    MatchingQueueProtocol,
    NaiveMatchingQueue,
)

S = 1_000_000_000


@pytest.fixture(params=[NaiveMatchingQueue, MatchingQueue], ids=["naive", "native"])
def queue(request: pytest.FixtureRequest) -> MatchingQueueProtocol:
    make: Callable[[], MatchingQueueProtocol] = request.param
    made = make()
    for medium in ("voice", "chat"):
        made.medium(medium)
    for skill in ("es", "en"):
        made.skill(skill)
    return made


def voice(queue: MatchingQueueProtocol, *skills: tuple[int, int]) -> int:
    return queue.requirement(skills, 0, 100)


def chat(queue: MatchingQueueProtocol, *skills: tuple[int, int]) -> int:
    return queue.requirement(skills, 1, 33)


def anyone(queue: MatchingQueueProtocol) -> int:
    return queue.profile([(0, 5), (1, 5)], 100)


# Known failures of others.


def test_one_inquiry_goes_to_one_agent(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"])
    for agent in range(5):
        queue.add_agent(agent, anyone(queue), now_ns=agent)
    queue.enqueue(1, voice(queue), order, queued_ns=0)
    assert queue.match(now_ns=9) == [(1, 0)]
    assert queue.match(now_ns=9) == []
    assert queue.holders(1) == [0]


def test_no_agent_is_given_more_than_their_capacity(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"])
    queue.add_agent(0, anyone(queue), now_ns=0)
    for contact in range(10):
        queue.enqueue(contact, chat(queue), order, queued_ns=contact)
    assert queue.match(now_ns=9) == [(0, 0), (1, 0), (2, 0)]
    assert queue.held_units(0) == 99
    queue.enqueue(10, voice(queue), order, queued_ns=0, priority=9)
    queue.finish(0, 0, now_ns=10)
    assert queue.match(now_ns=10) == [(3, 0)]


def test_declined_contact_keeps_its_place(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"])
    queue.add_agent(0, anyone(queue), now_ns=0)
    for contact in range(3):
        queue.enqueue(contact, voice(queue), order, queued_ns=contact)
    assert queue.match(now_ns=5) == [(0, 0)]
    assert queue.give_back(0, 0, now_ns=6, exclude=False)
    assert queue.in_order(now_ns=6, limit=9) == [0, 1, 2]
    assert queue.match(now_ns=6) == [(0, 0)]


def test_a_contact_nobody_can_serve_starves_no_one(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"])
    queue.add_agent(0, queue.profile([(1, 5)], 100), now_ns=0)
    queue.enqueue(1, voice(queue, (0, 10)), order, queued_ns=0, priority=9)
    queue.enqueue(2, voice(queue, (1, 1)), order, queued_ns=5)
    assert queue.match(now_ns=6) == [(2, 0)]


def test_an_unavailable_last_agent_stalls_no_one(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"])
    queue.add_agent(1, anyone(queue), now_ns=0)
    queue.add_agent(2, anyone(queue), now_ns=0, available=False)
    queue.enqueue(1, voice(queue), order, queued_ns=0, preferred=2, preferred_until_ns=10)
    queue.enqueue(2, voice(queue), order, queued_ns=1)
    assert queue.match(now_ns=1) == [(2, 1)]
    queue.finish(2, 1, now_ns=5)
    assert queue.next_deadline_ns() == 10
    queue.advance(now_ns=10)
    assert queue.match(now_ns=10) == [(1, 1)]


def test_an_agent_who_is_gone_holds_no_one_who_prefers_them(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"])
    queue.add_agent(1, anyone(queue), now_ns=0)
    queue.enqueue(1, voice(queue), order, queued_ns=0, preferred=2, preferred_until_ns=10)
    assert queue.match(now_ns=0) == [(1, 1)]


def test_least_loaded_prefers_an_idle_agent_to_one_with_two_chats(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["least_loaded", "longest_idle"])
    queue.add_agent(1, anyone(queue), now_ns=0)
    queue.enqueue(1, chat(queue), order, queued_ns=0)
    queue.enqueue(2, chat(queue), order, queued_ns=0)
    queue.match(now_ns=0)
    queue.add_agent(2, anyone(queue), now_ns=99)
    queue.enqueue(3, chat(queue), order, queued_ns=100)
    assert queue.match(now_ns=100) == [(3, 2)]


def test_priority_counts_across_queues(queue: MatchingQueueProtocol) -> None:
    one, other = queue.order(["longest_idle"]), queue.order(["least_loaded"])
    queue.enqueue(1, voice(queue, (0, 1)), one, queued_ns=0)
    queue.enqueue(2, voice(queue, (1, 1)), other, queued_ns=50, priority=1)
    queue.add_agent(0, anyone(queue), now_ns=60)
    assert queue.match(now_ns=60) == [(2, 0)]


def test_round_robin_goes_round_more_than_a_thousand(queue: MatchingQueueProtocol) -> None:
    if isinstance(queue, NaiveMatchingQueue):
        pytest.skip(
            "the specification is too slow for a thousand agents; lockstep holds its order to this one"
        )
    order, members = queue.order(["round_robin"]), 1_500
    for agent in range(members):
        queue.add_agent(agent, anyone(queue), now_ns=0)
    for turn in range(2 * members):
        pairs = queue.enqueue_then_match(turn, voice(queue), order, queued_ns=turn, now_ns=turn)
        assert pairs == [(turn, turn % members)]
        queue.finish(turn, turn % members, now_ns=turn)


def test_announced_position_does_not_rise_without_cause(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"])
    queue.add_agent(0, anyone(queue), now_ns=0, available=False)
    for contact in range(6):
        queue.enqueue(contact, voice(queue), order, queued_ns=contact)
    assert queue.ahead(4, now_ns=9) == 4
    queue.enqueue(9, voice(queue), order, queued_ns=20)
    assert queue.ahead(4, now_ns=20) == 4
    queue.drop(2, now_ns=21)
    assert queue.ahead(4, now_ns=21) == 3
    queue.enqueue(10, voice(queue), order, queued_ns=22, priority=1)
    assert queue.ahead(4, now_ns=22) == 4


# The rest of the rules.


def test_ahead_counts_only_those_who_want_the_same_people(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    queue.add_agent(0, queue.profile([(0, 5)], 100), now_ns=0, available=False)
    queue.add_agent(1, queue.profile([(1, 5)], 100), now_ns=0, available=False)
    queue.enqueue(1, voice(queue, (0, 1)), order, queued_ns=0)
    queue.enqueue(2, voice(queue, (1, 1)), order, queued_ns=1)
    queue.enqueue(3, voice(queue, (1, 2)), order, queued_ns=2)
    assert queue.ahead(3, now_ns=5) == 1


def test_a_faster_rate_overtakes_with_time(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    queue.enqueue(1, voice(queue), order, queued_ns=0, rate=1000)
    queue.enqueue(2, voice(queue), order, queued_ns=10, rate=2000)
    assert queue.in_order(now_ns=15, limit=9) == [1, 2]
    assert queue.in_order(now_ns=25, limit=9) == [2, 1]


def test_credit_is_a_head_start(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    queue.enqueue(1, voice(queue), order, queued_ns=0)
    queue.enqueue(2, voice(queue), order, queued_ns=10, credit_ns=11)
    assert queue.in_order(now_ns=15, limit=9) == [2, 1]


def test_a_ring_relaxes_what_is_required_and_keeps_the_place(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    strict, wide = voice(queue, (0, 9)), voice(queue)
    queue.add_agent(0, queue.profile([], 100), now_ns=0)
    queue.enqueue(1, strict, order, queued_ns=0, ladder=queue.ladder([(20, wide, 0)]))
    assert queue.match(now_ns=0) == []
    assert queue.next_deadline_ns() == 20
    assert queue.advance(now_ns=20) == [(1, 1)]
    queue.enqueue(2, wide, order, queued_ns=5)
    assert queue.match(now_ns=20) == [(1, 0)]


def test_an_interrupt_rule_lets_voice_reach_who_writes_mail(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    queue.add_agent(0, anyone(queue), now_ns=0)
    queue.enqueue(1, chat(queue), order, queued_ns=0)
    queue.match(now_ns=0)
    queue.enqueue(2, voice(queue), order, queued_ns=1)
    assert queue.match(now_ns=1) == []
    queue.set_interrupts([(0, 1)])
    assert queue.match(now_ns=1) == [(2, 0)]


def test_a_limit_on_a_medium_holds_with_room_to_spare(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    queue.add_agent(0, queue.profile([], 100, limits=[(1, 1)]), now_ns=0)
    queue.enqueue(1, chat(queue), order, queued_ns=0)
    queue.enqueue(2, chat(queue), order, queued_ns=0)
    assert queue.match(now_ns=0) == [(1, 0)]
    assert queue.explain(2, now_ns=0) == [Barred(0, 1, 0, "medium_limit", 1, 1, 1)]


def test_the_first_to_accept_an_offer_to_several_has_it(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"], offer_to=2)
    for agent in range(3):
        queue.add_agent(agent, anyone(queue), now_ns=agent)
    before = queue.agent_keys(0)
    queue.enqueue(1, voice(queue), order, queued_ns=5)
    assert queue.match(now_ns=5) == [(1, 0), (1, 1)]
    assert queue.accept(1, 1, now_ns=8) == [0]
    assert queue.holders(1) == [1]
    assert queue.agent_keys(0) == before
    assert queue.agent_keys(1) == (8, 1, 1)


def test_who_declined_is_not_asked_again(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    queue.add_agent(0, anyone(queue), now_ns=0)
    queue.enqueue(1, voice(queue), order, queued_ns=0, preferred=0, preferred_until_ns=NEVER_NS >> 3)
    assert queue.match(now_ns=0) == [(1, 0)]
    assert queue.give_back(1, 0, now_ns=1, exclude=True)
    queue.add_agent(1, anyone(queue), now_ns=1)
    assert queue.match(now_ns=1) == [(1, 1)]


def test_who_leaves_leaves_contacts_held_by_nobody(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    queue.add_agent(0, anyone(queue), now_ns=0)
    queue.enqueue(1, voice(queue), order, queued_ns=0)
    queue.match(now_ns=0)
    assert queue.remove_agent(0, now_ns=3) == [1]
    assert not queue.is_waiting(1)
    assert queue.holders(1) == []
    queue.requeue(1, now_ns=4)
    assert queue.is_waiting(1)


def test_voice_past_its_wait_reserves_an_agent_who_drains(queue: MatchingQueueProtocol) -> None:
    patient, urgent = queue.order([]), queue.order([], reserve_after_ns=30)
    queue.add_agent(0, anyone(queue), now_ns=0)
    for contact in range(3):
        queue.enqueue(contact, chat(queue), patient, queued_ns=0)
    queue.match(now_ns=0)
    queue.enqueue(9, voice(queue), urgent, queued_ns=1)
    queue.enqueue(10, chat(queue), patient, queued_ns=2)
    queue.advance(now_ns=31)
    queue.finish(0, 0, now_ns=31)
    assert queue.match(now_ns=31) == []
    assert queue.reserved_for(0) == 9
    assert queue.explain(10, now_ns=31)[0].rule == "reserved"
    queue.finish(1, 0, now_ns=32)
    assert queue.match(now_ns=32) == []
    queue.finish(2, 0, now_ns=33)
    assert queue.match(now_ns=33) == [(9, 0)]


def test_a_reservation_bars_nobody_who_stands_before_it(queue: MatchingQueueProtocol) -> None:
    patient, urgent = queue.order([]), queue.order([], reserve_after_ns=30)
    queue.add_agent(0, anyone(queue), now_ns=0)
    for contact in range(3):
        queue.enqueue(contact, chat(queue), patient, queued_ns=0)
    queue.match(now_ns=0)
    queue.enqueue(9, voice(queue), urgent, queued_ns=1)
    queue.enqueue(10, chat(queue), patient, queued_ns=2)
    queue.advance(now_ns=31)
    queue.finish(0, 0, now_ns=31)
    queue.match(now_ns=31)
    queue.enqueue(11, chat(queue), patient, queued_ns=40, priority=1)
    assert queue.match(now_ns=40) == [(11, 0)]


def test_explain_says_the_first_rule_that_bars(queue: MatchingQueueProtocol) -> None:
    order = queue.order([])
    queue.add_agent(0, anyone(queue), now_ns=0, available=False)
    queue.add_agent(1, queue.profile([(0, 2)], 100), now_ns=0)
    queue.add_agent(2, queue.profile([(0, 5)], 50), now_ns=0)
    queue.enqueue(1, voice(queue, (0, 4)), order, queued_ns=0)
    assert [tuple(line) for line in queue.explain(1, now_ns=0)] == [
        (0, 1, 0, "unavailable", -1, 1, 0),
        (1, 1, 1, "skill", 0, 4, 2),
        (2, 1, 2, "capacity", 0, 100, 50),
    ]
    assert [line.rule for line in queue.explain(1, now_ns=0, limit=2)] == ["capacity", "skill", "unavailable"]


def test_a_snapshot_brings_the_same_state_back(queue: MatchingQueueProtocol) -> None:
    order = queue.order(["longest_idle"])
    for agent in range(3):
        queue.add_agent(agent, anyone(queue), now_ns=agent)
    for contact in range(6):
        queue.enqueue(contact, chat(queue), order, queued_ns=contact)
    queue.match(now_ns=9)
    queue.finish(0, 0, now_ns=12)
    again = type(queue)()
    again.medium("something else first")
    for medium in ("voice", "chat"):
        again.medium(medium)
    for skill in ("en", "es"):
        again.skill(skill)
    profile = again.profile([(0, 5), (1, 5)], 100)
    wants, order_again = again.requirement([], 2, 33), again.order(["longest_idle"])
    rows = array("q")
    for agent in range(3):
        since_ns, given, turn = queue.agent_keys(agent)
        rows.extend([agent, profile, 1, since_ns, given, turn])
    again.load_agents(rows)
    contacts = array("q")
    for contact in range(1, 6):
        contacts.extend([contact, wants, order_again, contact, 0, 0, 1000, -1, 0, NOBODY, 0, 0])
    again.load_contacts(contacts)
    for agent in range(3):
        for contact, _, units, tentative in queue.hands(agent):
            again.hold(contact, agent, medium=2, units=units, tentative=tentative)
    assert again.state_hash() == queue.state_hash()


def test_a_batch_does_as_the_calls_do(queue: MatchingQueueProtocol) -> None:
    code, order = BATCH_CODES, queue.order([])
    wants, profile = voice(queue), anyone(queue)
    pairs = queue.batch(
        [
            (code["add_agent"], 7, profile, 0),
            (code["enqueue"], 1, wants, order, 0),
            (code["enqueue"], 2, wants, order, 0, 0, 5),
            (code["match"], 1),
            (code["finish"], 2, 7, 2),
            (code["match"], 2),
        ]
    )
    assert pairs == [(2, 7), (1, 7)]
    with pytest.raises(ValueError, match="batch operation"):
        queue.batch([(99,)])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda queue: queue.requirement([(9, 1)], 0, 1), KeyError),
        (lambda queue: queue.requirement([(0, 11)], 0, 1), ValueError),
        (lambda queue: queue.requirement([(0, 1), (0, 2)], 0, 1), ValueError),
        (lambda queue: queue.requirement([], 0, 1 << 80), ValueError),
        (lambda queue: queue.requirement([], -1, 1), KeyError),
        (lambda queue: queue.order(["idlest"]), ValueError),
        (lambda queue: queue.order(["rank", "rank"]), ValueError),
        (lambda queue: queue.ladder([(5, 0, 0), (4, 0, 0)]), ValueError),
        (lambda queue: queue.enqueue(1, 0, 0, queued_ns=0), ValueError),
        (lambda queue: queue.enqueue(-1, 0, 0, queued_ns=0), ValueError),
        (lambda queue: queue.enqueue(2, 9, 0, queued_ns=0), KeyError),
        (lambda queue: queue.enqueue(2, 0, 0, queued_ns=0, rate=0), ValueError),
        (lambda queue: queue.enqueue(2, 0, 0, queued_ns=1 << 62), ValueError),
        (lambda queue: queue.add_agent(0, 0, now_ns=0), ValueError),
        (lambda queue: queue.finish(1, 0, now_ns=0), ValueError),
        (lambda queue: queue.finish(9, 0, now_ns=0), KeyError),
        (lambda queue: queue.change(1, rung=4), ValueError),
        (lambda queue: queue.match(now_ns=-(1 << 63)), ValueError),
        (lambda queue: queue.load_agents(b"1234567"), ValueError),
    ],
)
def test_what_is_refused_changes_nothing(
    queue: MatchingQueueProtocol, call: Callable[[MatchingQueueProtocol], object], error: type[Exception]
) -> None:
    queue.enqueue(1, voice(queue), queue.order([]), queued_ns=0)
    queue.add_agent(0, queue.profile([(0, 1)], 10), now_ns=0)
    before = queue.state_hash()
    with pytest.raises(error):
        call(queue)
    assert queue.state_hash() == before
