"""Scenarios: what is written is what happens, the same customers meet every configuration, faults are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from centralita import simulate
from centralita.config import ns
from centralita.errors import ConfigurationError
from centralita.messages import CallbackRequested, ContactQueued, OfferExpired
from centralita.simulate.drive import Drive
from centralita.simulate.scenario import Scenario

NS = 1_000_000_000

CENTRE = """
skills = ["general", "spanish"]
[queues.calls]
skills = { general = 1 }
wrap_up_s = 0
[simulate]
duration_s = 3600
replications = 2
[simulate.customers.callers]
queue = "calls"
arrivals = { kind = "poisson", per_hour = 600 }
handling = { kind = "exponential", mean_s = 60 }
patience = { kind = "exponential", mean_s = 120 }
[simulate.crews.all]
agents = 11
skills = { general = 1 }
"""


def written(*changes: tuple[str, str], more: str = "") -> Scenario:
    text = CENTRE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return simulate.loads(text + more)


def test_a_run_is_the_same_again_and_on_both_cores() -> None:
    scenario = written()
    first, again = simulate.run(scenario, 7), simulate.run(scenario, 7)
    naive = simulate.run(scenario, 7, core="naive")
    other = simulate.run(scenario, 7, replication=1)
    assert list(first.rows()) == list(again.rows()) == list(naive.rows())
    assert list(first.rows()) != list(other.rows())
    assert first.contacts_n > 500


def test_more_agents_meet_the_same_customers() -> None:
    few, many = simulate.run(written(), 3), simulate.run(written(("agents = 11", "agents = 14")), 3)
    assert sorted(row.arrived_ns for row in few.rows()) == sorted(row.arrived_ns for row in many.rows())
    handled = {row.arrived_ns: row.handled_ns for row in few.rows() if row.outcome == "served"}
    for row in many.rows():
        if row.outcome == "served" and row.arrived_ns in handled:
            assert row.handled_ns == handled[row.arrived_ns]
    assert sum(many.waits_ns(outcome=None)) < sum(few.waits_ns(outcome=None))


def test_every_counted_contact_is_accounted_for() -> None:
    scenario = written(("duration_s = 3600", "duration_s = 3600\nwarm_up_s = 600"))
    found = simulate.run(scenario)
    rows = list(found.rows(all_rows=True))
    counted = [row for row in rows if found.from_ns <= row.arrived_ns < found.until_ns]
    assert counted == list(found.rows())
    assert len(counted) < len(rows)
    assert found.outcome_counts().total() == len(counted)
    assert not found.unfinished
    assert set(found.outcome_counts()) == {"served", "abandoned"}
    assert found.flows().total() == found.outcome_counts()["served"]
    assert all(staffed == ns(3000) for staffed in found.staffed_ns.values())
    assert all(0 < busy <= ns(3000) for busy in found.busy_ns().values())


def test_a_centre_that_goes_on_counts_only_its_time() -> None:
    found = simulate.run(written(("duration_s = 3600", 'duration_s = 3600\nafter = "go_on"')))
    assert found.contacts_n > found.outcome_counts().total()


def test_shifts_and_breaks_are_kept() -> None:
    shifts = (
        'shifts = [{ start = "00:10", end = "00:40", '
        'breaks = [{ at = "00:20", for_s = 300, reason = "coffee" }] }]\n'
    )
    found = simulate.run(written(more=shifts))
    assert all(
        ns(25 * 60) <= staffed < ns(35 * 60) for staffed in found.staffed_ns.values()
    )  # who is busy finishes
    served = [row.arrived_ns + row.waited_ns - found.start_ns for row in found.rows() if row.agent]
    assert min(served) >= ns(600)
    assert not [at for at in served if ns(1200) <= at < ns(1500)]
    assert max(served) < ns(2400)


def test_night_shift_goes_on_into_the_next_day() -> None:
    start = ("duration_s = 3600", 'duration_s = 10800\nstart = "2026-01-06T00:00:00"')
    found = simulate.run(
        written(start, more='shifts = [{ start = "22:00", end = "02:00", days = ["mon"] }]\n')
    )
    assert all(ns(7200) <= staffed < ns(7800) for staffed in found.staffed_ns.values())


def test_closed_hours_refuse() -> None:
    hours = 'hours = "office"\n[queues.calls.when_closed]\ndo = "refuse"\n[hours.office]\ntime_zone = "UTC"\n'
    hours += 'week = { mon = ["00:00-00:30"] }\n'
    found = simulate.run(written(("wrap_up_s = 0", "wrap_up_s = 0\n" + hours)))
    refused = [row.arrived_ns - found.start_ns for row in found.rows() if row.outcome == "refused"]
    assert min(refused) >= ns(1800)
    assert found.outcome_counts()["refused"] == sum(
        row.arrived_ns - found.start_ns >= ns(1800) for row in found.rows()
    )


def test_unanswered_offers_expire_and_the_agent_comes_back() -> None:
    expired: list[OfferExpired] = []

    def watch(drive: Drive) -> None:
        drive.watches(OfferExpired, expired.append)

    found = simulate.run(written(more="no_answer = 0.1\nback_after_s = 30\n"), watch=watch)
    assert 20 < len(expired) < 200
    assert {event.agent for event in expired} == {f"all-{number}" for number in range(1, 12)}
    assert found.outcome_counts()["served"] > 300


def test_callbacks_keep_their_place_and_some_are_not_reached() -> None:
    callback = "[simulate.customers.callers.callback]\nshare = 0.5\nafter_s = 10\nreached = 0.5\n"
    scenario = written(
        ("wrap_up_s = 0", "wrap_up_s = 0\ncallback_attempts = 2\ncallback_retry_s = 300"),
        ("agents = 11", "agents = 8"),
        more=callback,
    )
    found = simulate.run(scenario)
    counts = found.outcome_counts()
    assert counts["unreachable"] > 5
    assert (
        counts["abandoned"]
        < simulate.run(written(("agents = 11", "agents = 8"))).outcome_counts()["abandoned"]
    )


def test_those_who_gave_up_may_try_again() -> None:
    redial = (
        "[simulate.customers.callers.redial]\nshare = 1\nattempts_max = 2\n"
        'after = { kind = "deterministic", value_s = 60 }\n'
    )
    plain, again = (
        simulate.run(written(("agents = 11", "agents = 6"), more=more)).outcome_counts()
        for more in ("", redial)
    )
    assert again.total() > plain.total() * 1.2


def test_after_work_takes_the_agents_time() -> None:
    scenario = written(
        ("wrap_up_s = 0", "wrap_up_s = 600"),
        ("patience =", 'wrap_up = { kind = "deterministic", value_s = 15 }\npatience ='),
        ('{ kind = "exponential", mean_s = 60 }', '{ kind = "deterministic", value_s = 30 }'),
    )
    found = simulate.run(scenario)
    assert {row.handled_ns for row in found.rows() if row.agent} == {ns(45)}


def test_skills_priority_and_credit_go_in() -> None:
    queued: list[ContactQueued] = []
    scenario = written(
        ('queue = "calls"', 'queue = "calls"\nskills = { spanish = 3 }\npriority = 2\ncredit_s = 30')
    )
    simulate.run(scenario, watch=lambda drive: drive.watches(ContactQueued, queued.append))
    assert (queued[0].skills, queued[0].priority, queued[0].credit_ns) == (
        {"general": 1, "spanish": 3},
        2,
        ns(30),
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('queue = "calls"', 'queue = "cals"', "simulate.customers.callers.queue was 'cals'; known: calls"),
        (
            'kind = "poisson"',
            'kind = "poison"',
            "simulate.customers.callers.arrivals.kind: Invalid value 'poison'; known: listed, piecewise, poisson",
        ),
        (
            '{ kind = "exponential", mean_s = 60 }',
            '{ kind = "normal", mean_s = 60 }',
            "callers.handling.kind: Invalid value 'normal'; known: deterministic, empirical, erlang, exponential,",
        ),
        ("duration_s = 3600", "warm_up_s = 9", "duration_s"),
        ("duration_s = 3600", "duration_s = 5\nwarm_up_s = 9", "simulate.warm_up_s was 9"),
        ("duration_s = 3600", 'duration_s = 5\nstart = "soon"', "simulate.start was 'soon'"),
        ("agents = 11", 'members = ["ana"]', "simulate.crews.all.members was 'ana'; known: none"),
        ("agents = 11", "agents = 1\nno_answer = 0.6\ndecline = 0.6", "no_answer and decline"),
        ('{ kind = "exponential", mean_s = 60 }', '{ kind = "empirical", file = "no.csv" }', "handling.file"),
        (
            '{ kind = "poisson", per_hour = 600 }',
            '{ kind = "piecewise", per_hour = [0] }',
            "at least one rate",
        ),
        (
            "skills = { general = 1 }\nwrap",
            "skills = { generl = 1 }\nwrap",
            "queues.calls.skills was 'generl'",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        written((old, new))
    assert said in str(caught.value)


def test_a_scenario_stands_over_a_live_configuration(tmp_path: Path) -> None:
    (tmp_path / "live.toml").write_text(
        'skills = ["en"]\n[queues.sales]\nskills = { en = 3 }\nwrap_up_s = 5\n'
        '[channels.line]\ntype = "line"\nmedium = "voice"\nqueue = "sales"\nbot = "menu"\n'
        '[bots.menu]\ntype = "menu"\n[crms.local]\ntype = "local"\n[agents.ana]\nskills = { en = 5 }\n'
    )
    (tmp_path / "busy.toml").write_text(
        '[agents.luis]\nskills = { en = 4 }\n[simulate]\nconfig = "live.toml"\nduration_s = 600\n'
        "[simulate.customers.buyers]\n"
        'arrivals = { kind = "listed", file = "times.csv" }\nhandling = { kind = "empirical", values_s = [20] }\n'
    )
    (tmp_path / "times.csv").write_text("# seconds\n10\n10,twice\n30\n")
    scenario = simulate.load(tmp_path / "busy.toml")
    assert set(scenario.config.agents) == {"ana", "luis"}
    found = simulate.run(scenario)
    assert [(row.agent, row.waited_ns, row.handled_ns) for row in found.rows()] == [
        ("ana", 0, ns(25)),
        ("luis", 0, ns(25)),
        ("ana", ns(5), ns(25)),
    ]


def test_a_queue_that_turns_long_waits_into_callbacks_loses_nobody() -> None:
    rule = 'max_wait_s = 30\n[queues.calls.when_waited]\ndo = "callback"\n'
    scenario = written(("wrap_up_s = 0", "wrap_up_s = 0\n" + rule), ("agents = 11", "agents = 9"))
    callbacks: list[CallbackRequested] = []
    found = simulate.run(scenario, watch=lambda drive: drive.watches(CallbackRequested, callbacks.append))
    assert len(callbacks) > 50
    rows = list(found.rows())
    assert max(row.waited_ns for row in rows if row.outcome == "abandoned") <= ns(30)
    assert max(row.waited_ns for row in rows if row.outcome == "served") > ns(60)


def test_ring_all_with_slow_and_unwilling_agents_ends_every_contact() -> None:
    scenario = written(
        ("wrap_up_s = 0", 'wrap_up_s = 20\noffer_to = 3\nno_answer = "stay"\nask_again_s = 5'),
        more='no_answer = 0.2\ndecline = 0.2\nanswer = { kind = "uniform", low_s = 1, high_s = 30 }\n',
    )
    found, naive = simulate.run(scenario), simulate.run(scenario, core="naive")
    assert list(found.rows()) == list(naive.rows())
    assert not found.unfinished
    assert set(found.outcome_counts()) == {"served", "abandoned"}


def test_agents_with_several_chats_at_once_are_busy_with_each() -> None:
    scenario = simulate.loads(
        CENTRE.replace(
            "[simulate]", '[channels.shop]\ntype = "webchat"\nmedium = "chat"\nqueue = "calls"\n[simulate]'
        )
        .replace('queue = "calls"\narrivals', 'channel = "shop"\narrivals')
        .replace("agents = 11", "agents = 4")
    )
    found = simulate.run(scenario)
    shares = [busy / found.staffed_ns[agent] for agent, busy in found.busy_ns().items()]
    assert all(1 < share <= 3 for share in shares)
