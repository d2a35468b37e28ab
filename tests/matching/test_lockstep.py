"""The compiled queue and timers answer every history as the specification does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from centralita.matching import MatchingQueue, NaiveMatchingQueue
from centralita.timers import NaiveTimers, Timers
from tests.matching.fuzz import Twins
from tests.matching.fuzz import run as run_history
from tests.matching.invariants import check_invariants

MEDIA, SKILLS = ("voice", "chat", "mail"), ("es", "en", "billing")
ORDERS: tuple[list[str], ...] = (
    ["longest_idle"], ["least_loaded", "longest_idle"], ["most_skilled", "least_flexible", "rank"],
    ["fewest_contacts", "round_robin"], ["random"], [],
)  # fmt: skip
SPAN_NS = st.integers(0, 30)
LEVELS = st.lists(st.tuples(st.integers(0, 2), st.integers(4, 7)), max_size=2, unique_by=lambda pair: pair[0])
AGENT, CONTACT = st.integers(0, 4), st.integers(0, 15)


class Lockstep(RuleBasedStateMachine):
    """Every operation of the protocol, told to both; every answer compared after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.naive, self.native = NaiveMatchingQueue(), MatchingQueue()
        self.now_ns = 0
        self.requirements: list[int] = []
        self.profiles: list[int] = []
        self.orders: list[int] = []
        self.ladders: list[int] = []

    def tell(self, name: str, *args: Any, **kwargs: Any) -> Any:
        answers: list[tuple[str, Any]] = []
        for queue in (self.naive, self.native):
            try:
                answers.append(("returned", getattr(queue, name)(*args, **kwargs)))
            except (KeyError, ValueError) as error:
                answers.append(("raised", type(error)))
        assert answers[0] == answers[1]
        return answers[0][1] if answers[0][0] == "returned" else None

    @initialize(dispersed=st.booleans())
    def rules_of_the_house(self, dispersed: bool) -> None:
        if dispersed:
            self.native.disperse()
        for medium in MEDIA:
            self.tell("medium", medium)
        for skill in SKILLS:
            self.tell("skill", skill)
        self.requirements = [self.tell("requirement", [], 0, 100), self.tell("requirement", [(0, 2)], 1, 33)]
        self.profiles = [
            self.tell("profile", [(0, 3), (1, 1)], 100),
            self.tell("profile", [(2, 2)], 150, [(1, 1)]),
        ]
        self.orders = [self.tell("order", ["longest_idle"]), self.tell("order", [], reserve_after_ns=10)]
        self.ladders = [self.tell("ladder", [(10, self.requirements[0], 1), (20, self.requirements[0], 0)])]

    @rule(levels=LEVELS, medium=st.integers(0, 2), units=st.sampled_from([0, 10, 33, 100]))
    def requirement(self, levels: list[tuple[int, int]], medium: int, units: int) -> None:
        self.requirements.append(self.tell("requirement", levels, medium, units))

    @rule(
        levels=LEVELS, capacity=st.sampled_from([0, 99, 100]), limit=st.integers(0, 3), rank=st.integers(1, 2)
    )
    def profile(self, levels: list[tuple[int, int]], capacity: int, limit: int, rank: int) -> None:
        self.profiles.append(self.tell("profile", levels, capacity, [(1, limit)], [(0, rank)]))

    @rule(
        keys=st.sampled_from(ORDERS),
        offer_to=st.integers(1, 3),
        after_ns=st.sampled_from([0, 15, (1 << 63) - 1]),
    )
    def order(self, keys: list[str], offer_to: int, after_ns: int) -> None:
        self.orders.append(self.tell("order", keys, offer_to=offer_to, seed=7, reserve_after_ns=after_ns))

    @rule(pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=3))
    def interrupts(self, pairs: list[tuple[int, int]]) -> None:
        self.tell("set_interrupts", pairs)

    @rule(span_ns=SPAN_NS)
    def wait(self, span_ns: int) -> None:
        self.now_ns += span_ns
        self.tell("advance", now_ns=self.now_ns)

    @rule(agent=AGENT, data=st.data(), available=st.booleans())
    def sign_in(self, agent: int, data: st.DataObject, available: bool) -> None:
        profile = data.draw(st.sampled_from(self.profiles))
        self.tell("add_agent", agent, profile, now_ns=self.now_ns, available=available)

    @rule(agent=AGENT)
    def sign_out(self, agent: int) -> None:
        self.tell("remove_agent", agent, now_ns=self.now_ns)

    @rule(agent=AGENT, available=st.booleans())
    def switch(self, agent: int, available: bool) -> None:
        self.tell("set_available", agent, available, now_ns=self.now_ns)

    @rule(agent=AGENT, data=st.data())
    def learn(self, agent: int, data: st.DataObject) -> None:
        self.tell("set_profile", agent, data.draw(st.sampled_from(self.profiles)))

    @rule(
        contact=CONTACT, data=st.data(), credit_ns=st.integers(-20, 20), priority=st.integers(-1, 1),
        rate=st.sampled_from([1000, 1000, 2500]), laddered=st.booleans(), preferred=st.sampled_from([-1, -1, 0, 1, 2]),
        excluded=st.lists(AGENT, max_size=2), waiting=st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    def enqueue(
        self, contact: int, data: st.DataObject, credit_ns: int, priority: int, rate: int, laddered: bool,
        preferred: int, excluded: list[int], waiting: bool,
    ) -> None:  # fmt: skip
        self.tell(
            "enqueue", contact, data.draw(st.sampled_from(self.requirements)), data.draw(st.sampled_from(self.orders)),
            queued_ns=self.now_ns, credit_ns=credit_ns, priority=priority, rate=rate,
            ladder=self.ladders[0] if laddered else -1, preferred=preferred,
            preferred_until_ns=self.now_ns + 15, excluded=excluded, waiting=waiting,
        )  # fmt: skip

    @rule(contact=CONTACT, name=st.sampled_from(["requeue", "drop"]))
    def requeue_or_drop(self, contact: int, name: str) -> None:
        self.tell(name, contact, now_ns=self.now_ns)

    @rule(
        contact=CONTACT,
        data=st.data(),
        field=st.sampled_from(["requirement", "order", "priority", "rate", "credit_ns", "ladder", "rung"]),
    )
    def change(self, contact: int, data: st.DataObject, field: str) -> None:
        handles = {"requirement": self.requirements, "order": self.orders, "ladder": [*self.ladders, -1]}
        numbers = {"priority": [-1, 0, 1], "rate": [1000, 400], "credit_ns": [-9, 0, 50], "rung": [0, 1, 2]}
        self.tell("change", contact, **{field: data.draw(st.sampled_from((handles | numbers)[field]))})

    @rule(contact=CONTACT, agent=st.integers(-1, 4), span_ns=SPAN_NS)
    def prefer(self, contact: int, agent: int, span_ns: int) -> None:
        self.tell("prefer", contact, agent, until_ns=self.now_ns + span_ns)

    @rule(contact=CONTACT, agent=AGENT)
    def exclude(self, contact: int, agent: int) -> None:
        self.tell("exclude", contact, agent)

    @rule(
        agent=AGENT,
        data=st.data(),
        name=st.sampled_from(["finish", "accept", "give_back", "finish_then_match"]),
    )
    def answer(self, agent: int, data: st.DataObject, name: str) -> None:
        try:
            hands = [contact for contact, _, _, _ in self.native.hands(agent)]
        except KeyError:
            hands = []
        contact = data.draw(st.sampled_from(hands) if hands else CONTACT)
        more = {"exclude": data.draw(st.booleans())} if name == "give_back" else {}
        if name == "finish_then_match":
            self.tell("advance", now_ns=self.now_ns)
        self.tell(name, contact, agent, now_ns=self.now_ns, **more)

    @rule(contact=CONTACT, agent=AGENT)
    def assign(self, contact: int, agent: int) -> None:
        self.tell("assign", contact, agent, now_ns=self.now_ns)

    @rule(contact=CONTACT, agent=AGENT, medium=st.integers(0, 3), tentative=st.booleans())
    def hold(self, contact: int, agent: int, medium: int, tentative: bool) -> None:
        self.tell("hold", contact, agent, medium=medium, units=33, tentative=tentative)

    @precondition(lambda self: self.requirements)
    @rule()
    def match(self) -> None:
        self.tell("advance", now_ns=self.now_ns)
        self.tell("match", now_ns=self.now_ns)
        check_invariants(self.native, now_ns=self.now_ns, agents=range(5))

    @rule(contact=CONTACT, agent=AGENT, limit=st.sampled_from([0, 1, 2, 100]))
    def ask(self, contact: int, agent: int, limit: int) -> None:
        for name in ("ahead", "explain"):
            self.tell(name, contact, now_ns=self.now_ns, **({"limit": limit} if name == "explain" else {}))
        self.tell("explain_choice", contact, [agent], now_ns=self.now_ns)
        self.tell("in_order", now_ns=self.now_ns, limit=limit)
        for name in ("hands", "held_units", "agent_keys", "reserved_for"):
            self.tell(name, agent)
        self.tell("holders", contact)
        self.tell("is_waiting", contact)
        self.tell("capable_n", len(self.requirements) - 1)

    @invariant()
    def same_state(self) -> None:
        for name in ("state_hash", "next_deadline_ns", "waiting_n", "agents_n"):
            self.tell(name)


TestLockstep = Lockstep.TestCase
TestLockstep.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("seed", range(12))
def test_random_histories_agree(seed: int) -> None:
    run_history(seed, steps=250)


def test_same_history_gives_the_same_pairs_and_hash() -> None:
    first, second = Twins(3), Twins(3)
    for twins in (first, second):
        for _ in range(150):
            twins.step()
    assert first.told == second.told
    assert first.native.state_hash() == second.native.state_hash()


class TimersLockstep(RuleBasedStateMachine):
    """Timers, naive and compiled, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.naive, self.native = NaiveTimers(), Timers()

    @rule(kind=st.integers(0, 3), subject=st.integers(0, 9), at_ns=st.integers(-50, 50))
    def schedule(self, kind: int, subject: int, at_ns: int) -> None:
        for timers in (self.naive, self.native):
            timers.schedule(kind, subject, at_ns)

    @rule(kind=st.integers(0, 3), subject=st.integers(0, 9))
    def cancel(self, kind: int, subject: int) -> None:
        for timers in (self.naive, self.native):
            timers.cancel(kind, subject)

    @rule(now_ns=st.integers(-50, 50))
    def pop_due(self, now_ns: int) -> None:
        assert self.naive.pop_due(now_ns) == self.native.pop_due(now_ns)

    @rule(kind=st.integers(-1, 4), subject=st.integers(-1, 10))
    def deadline(self, kind: int, subject: int) -> None:
        assert self.naive.deadline_ns(kind, subject) == self.native.deadline_ns(kind, subject)

    @invariant()
    def same_deadline(self) -> None:
        assert self.naive.next_deadline_ns() == self.native.next_deadline_ns()
        assert len(self.naive) == len(self.native)


TestTimersLockstep = TimersLockstep.TestCase
TestTimersLockstep.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


@pytest.mark.parametrize("timers", [NaiveTimers(), Timers()])
@pytest.mark.parametrize("bad", [(-1, 0, 0), (256, 0, 0), (0, -1, 0), (0, 1 << 62, 0), (0, 0, 1 << 62)])
def test_timers_refuse_what_is_out_of_range(timers: Any, bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        timers.schedule(*bad)
    assert len(timers) == 0
