"""The fold against a count by other means, over random histories of the real engine."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest

from centralita.kpi import Figures, recount
from centralita.messages import (
    ConsultationStarted,
    ContactAdmitted,
    ContactConnected,
    ContactEnded,
    ContactOffered,
    ContactRated,
    ContactTransferred,
    MessagePosted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    TransferStarted,
)
from tests.kpi import slow
from tests.kpi.histories import AGENTS, CONFIG, QUEUES, History, S

SEEDS = range(12)
STEPS = 800


@cache
def played(seed: int, *, over: bool) -> History:
    history = History(seed)
    history.play(STEPS)
    if over:
        history.drain()
    return history


@pytest.fixture(params=SEEDS, ids="seed={}".format)
def history(request: pytest.FixtureRequest) -> History:
    """A history that stops in the middle of everything."""
    return played(request.param, over=False)


@pytest.fixture(params=SEEDS, ids="seed={}".format)
def over(request: pytest.FixtureRequest) -> History:
    """A history after which nothing is live."""
    return played(request.param, over=True)


def test_stays_and_waits_equal_a_count_contact_by_contact(history: History) -> None:
    figures = recount(history.records).as_dict()
    stays = slow.stays(slow.all_events(history.records))
    for name in QUEUES:
        here = [stay for stay in stays if stay.queue == name]
        fates = Counter(stay.fate for stay in here)
        found = figures["queues"][name]
        assert found["offered"] == len(here)
        for fate in ("answered", "abandoned", "became_callbacks", "flowed_out", "removed"):
            assert found[fate] == fates[fate], fate
        assert found["waiting"] == fates[""]
        rules = CONFIG.queues[name]
        assert_waits(found, here, rules.answer_target_s * S, rules.short_abandon_s * S)
    assert figures["total"]["offered"] == len(stays)


def assert_waits(found: dict[str, Any], here: list[slow.Stay], target_ns: float, short_ns: float) -> None:
    answered = [stay.wait_ns for stay in here if stay.fate == "answered"]
    abandoned = [stay.wait_ns for stay in here if stay.fate == "abandoned"]
    assert found["answered_in_target"] == sum(wait <= target_ns for wait in answered)
    assert found["abandoned_in_target"] == sum(wait <= target_ns for wait in abandoned)
    assert found["short_abandons"] == sum(wait < short_ns for wait in abandoned)
    assert found["asa_s"] == (
        pytest.approx(sum(answered) / len(answered) / S, abs=0.002) if answered else None
    )
    assert found["wait_s_max"] == pytest.approx(max(answered, default=0) / S, abs=0.001)
    assert sum(found["wait_histogram"]["answered"]) == len(answered)
    within = sum(found["wait_histogram"]["abandoned"][: found["wait_histogram"]["bounds_s"].index(60) + 1])
    assert within == sum(wait <= 60 * S for wait in abandoned)


def test_counts_equal_the_events_counted(history: History) -> None:
    events = slow.all_events(history.records)
    customers = slow.customers_contacts(events)
    own = [one for one in events if getattr(one.event, "contact", 0) in customers]
    total = recount(history.records).as_dict()["total"]
    assert total["admitted"] == len(customers)
    for outcome in total["outcomes"]:
        assert total["outcomes"][outcome] == slow.count(own, ContactEnded, outcome=outcome)
    for author in total["messages"]:
        assert total["messages"][author] == slow.count(own, MessagePosted, author=author)
    assert total["offers_made"] == slow.count(own, ContactOffered)
    assert total["offers_accepted"] == slow.count(own, OfferAccepted)
    assert total["offers_declined"] == slow.count(own, OfferDeclined)
    assert total["offers_expired"] == slow.count(own, OfferExpired)
    assert total["offers_withdrawn"] == slow.count(own, OfferWithdrawn)
    assert total["transfers_blind"] == slow.count(own, TransferStarted)
    assert total["transfers_consulted"] == slow.count(own, ContactTransferred)
    assert total["consultations"] == slow.count(own, ConsultationStarted)
    rated = [one.event.score for one in events if isinstance(one.event, ContactRated)]
    assert total["csat_count"] == len(rated)
    assert total["csat_mean"] == (pytest.approx(sum(rated) / len(rated), abs=1e-6) if rated else None)


def test_identities_hold_after_every_record(history: History) -> None:
    figures = Figures()
    admitted = ended = 0
    for record in history.records:
        figures.fold(record)
        events = slow.all_events([record])
        admitted += slow.count(events, ContactAdmitted)
        ended += slow.count(events, ContactEnded)
        contacts, consultations = figures.contacts(), figures.consultations()
        for counts in (contacts, consultations):
            assert counts["admitted"] == counts["ended"] + counts["live"]
        assert contacts["admitted"] + consultations["admitted"] == admitted
        assert contacts["ended"] + consultations["ended"] == ended
        for tally in figures.queues.values():
            gone = (
                tally.answered + tally.abandoned + tally.became_callbacks + tally.flowed_out + tally.removed
            )
            assert tally.offered == gone + len(tally.waiting)
    total = figures.as_dict()["total"]
    reached = total["callbacks_reached"] + total["callbacks_unreached"]
    assert total["callbacks_requested"] == reached + total["callbacks_waiting"]


def test_who_waits_is_who_waits_in_the_engine(history: History) -> None:
    figures = recount(history.records).as_dict()
    waiting = slow.waiting_now(history.records)
    assert {name: figures["queues"][name]["waiting"] for name in QUEUES} == {
        name: waiting[name] for name in QUEUES
    }


def test_time_by_state_is_what_the_engine_showed(history: History) -> None:
    until_ns = history.now_ns + 7 * S
    agents = recount(history.records).as_dict(until_ns)["agents"]
    times = slow.agent_times(history.records, until_ns)
    for name in AGENTS:
        shown = times.states[name]
        shown["connected"] += shown.pop("full", 0)
        shown.pop("offline", None)
        found = {state: spent for state, spent in agents[name]["time_s"].items() if spent}
        assert found == pytest.approx(
            {state: spent / S for state, spent in shown.items() if spent}, abs=0.001
        )
        assert sum(agents[name]["break_s"].values()) == pytest.approx(shown["break"] / S, abs=0.01)


def test_handling_times_of_agents_add_up_when_all_is_over(over: History) -> None:
    agents = recount(over.records).agents
    parts = slow.agent_times(over.records, over.now_ns).parts
    for name in AGENTS:
        assert agents[name].talk_ns == parts[name]["connected"]
        assert agents[name].hold_ns == parts[name]["held"]
        assert agents[name].wrap_up_ns == parts[name]["wrapping"]
        assert agents[name].offered == agents[name].connected == agents[name].wrapping == 0


def test_nothing_is_kept_of_contacts_when_all_is_over(over: History) -> None:
    figures = recount(over.records)
    assert figures.contacts()["live"] == figures.consultations()["live"] == 0
    assert not any(tally.waiting or tally.callbacks_waiting for tally in figures.queues.values())


def test_handling_of_a_queue_is_that_of_its_ended_contacts(over: History) -> None:
    events = slow.all_events(over.records)
    customers = slow.customers_contacts(events)
    ended = [
        one.event for one in events if isinstance(one.event, ContactEnded) and one.event.contact in customers
    ]
    spoken = {one.event.contact for one in events if isinstance(one.event, ContactConnected)} & customers
    total = recount(over.records).as_dict()["total"]
    assert total["handled"] == len(spoken)
    whole_ns = sum(one.talk_ns + one.hold_ns + one.wrap_up_ns for one in ended if one.contact in spoken)
    assert total["aht_s"] == (pytest.approx(whole_ns / len(spoken) / S, abs=0.002) if spoken else None)


def test_fold_goes_on_from_a_snapshot_as_if_nothing_had_been(history: History) -> None:
    whole = recount(history.records)
    for cut in (0, 1, len(history.records) // 3, len(history.records)):
        first = recount(history.records[:cut])
        second = Figures.restore(first.snapshot())
        for record in history.records[cut:]:
            second.fold(record)
        assert second.as_dict() == whole.as_dict()
        assert second.snapshot() == whole.snapshot()


def test_trends_equal_the_stays_of_each_interval(history: History) -> None:
    figures = recount(history.records).as_dict(history.now_ns)
    stays = slow.stays(slow.all_events(history.records))
    for trend in figures["trends"].values():
        length_ns = trend["interval_s"] * S
        assert trend["start_ns"][-1] <= history.now_ns < trend["start_ns"][-1] + length_ns
        assert all(start % length_ns == 0 for start in trend["start_ns"])
        for index, start_ns in enumerate(trend["start_ns"]):
            end_ns = start_ns + length_ns
            columns = trend["total"]
            assert columns["offered"][index] == sum(start_ns <= one.start_ns < end_ns for one in stays)
            for fate in ("answered", "abandoned"):
                ended = [one for one in stays if one.fate == fate and start_ns <= one.end_ns < end_ns]
                assert columns[fate][index] == len(ended)
            running = [
                one for one in stays if one.start_ns < end_ns and not (one.fate and one.end_ns < end_ns)
            ]
            assert columns["waiting"][index] == len(running)


def test_fold_that_begins_late_counts_only_what_it_can_know(history: History) -> None:
    begun = len(history.records) // 2
    figures = recount(history.records[begun:])
    known = {
        event.contact
        for record in history.records[begun:]
        for event in record.events
        if isinstance(event, ContactAdmitted) and event.direction != "consultation"
    }
    assert figures.contacts()["admitted"] == len(known)
    figures.as_dict()


def test_histories_reach_every_corner() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        records = played(seed, over=False).records
        seen.update(type(event).__name__ for record in records for event in record.events)
    handled = {kind.__name__ for kind in Figures()._handlers}
    assert handled - set(seen) == set()
