"""The torture as a tool: it goes everywhere, repeats itself exactly, and says what broke and how to have it again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import get_args

import msgspec
import pytest
from click.testing import CliRunner

from centralita.apply import APPLY
from centralita.config import Queue
from centralita.journal.codec import Encoder
from centralita.matching.naive import rule
from centralita.messages import AdmitContact, AnyCommand, AnyEvent, OfferDeclined, Record, Tick
from centralita.simulate.torture import Report, run
from centralita.simulate.torture.centre import centre
from centralita.simulate.torture.day import Day
from centralita.simulate.torture.disk import ModelDisk
from centralita.simulate.torture.run import begin, live, torture
from centralita_cli.main import cli

SEEDS = range(4)
STEPS = 12_000
COVERED_WITHIN_STEPS = 60_000


def days(seed: int, steps: int) -> Iterator[Day]:
    """The days of a seed, lived."""
    number = lived = 0
    while lived < steps:
        number += 1
        day = begin(seed, number, "both")
        live(day, number)
        lived += day.steps_n
        yield day


@pytest.mark.parametrize("seed", SEEDS)
def test_every_rule_holds(seed: int) -> None:
    report = torture(seed, STEPS)
    assert report.violation is None, report.violation
    assert report.steps >= STEPS


def test_word_that_fails_after_others_were_owed_and_kept_no_longer_is_owed_anew() -> None:
    report = torture(1796077968, 1, day=57)
    assert report.violation is None, report.violation


@pytest.mark.slow
def test_every_command_and_every_event_comes_within_the_stated_steps() -> None:
    commands: Counter[type] = Counter()
    events: Counter[type] = Counter()
    for day in days(1, COVERED_WITHIN_STEPS):
        commands.update(type(record.command) for record in day.records)
        events.update(type(event) for record in day.records for event in record.events)
    assert set(get_args(AnyCommand)) - set(commands) == set()
    assert set(get_args(AnyEvent)) - set(events) == set()


def test_a_seed_is_the_same_torture_every_time() -> None:
    one, other = ([day.records for day in days(3, 8_000)] for _ in range(2))
    assert one == other


def test_crashes_take_what_was_not_acknowledged_and_tear_what_was_written() -> None:
    report = torture(2, 40_000, cores="native")
    assert report.violation is None
    assert report.crashes > 5
    assert report.records_lost > 0


def test_written_records_may_survive_in_part_and_never_damaged() -> None:
    records = [
        Record(seq=seq, at_ns=seq, command=AdmitContact(channel="web", provider_id=str(seq)), events=[])
        for seq in range(1, 31)
    ]
    survivors: Counter[int] = Counter()
    for seed in range(300):
        disk, encoder = ModelDisk(), Encoder()
        disk.append(encoder.encode(records[:10], after_seq=0, after_ns=0), expected_seq=0)
        for start in (10, 20):
            batch = encoder.encode(records[start : start + 10], after_seq=start, after_ns=start)
            disk.write(batch, expected_seq=start)
        disk.crash(Random(seed))
        assert [record for batch in disk.read() for record in batch] == records[: disk.last_seq]
        survivors[disk.last_seq] += 1
    assert set(survivors) == {10, 20, 30}


@pytest.fixture
def declined_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug: who declines is asked again at once."""
    apply = APPLY[OfferDeclined]

    def forgetful(state: object, event: OfferDeclined, at_ns: int) -> None:
        contact = state.contacts[event.contact]  # type: ignore[attr-defined]
        before = dict(contact.excluded or {})
        apply(state, event, at_ns)  # type: ignore[arg-type]
        contact.excluded = before or None

    from centralita import engine

    ask, _, follow = engine._EFFECTS[OfferDeclined]
    monkeypatch.setitem(engine._EFFECTS, OfferDeclined, (ask, forgetful, follow))


@pytest.mark.usefixtures("declined_is_forgotten")
def test_failure_is_repeated_by_its_seed_and_day_and_made_short() -> None:
    found = torture(1, 100_000, cores="native").violation
    assert found is not None
    again = torture(found.seed, 1, cores="native", day=found.day).violation
    assert again == found
    assert 2 < len(found.minimal) < 100
    assert found.again == f"centralita torture --seed 1 --day {found.day} --core native"


@pytest.mark.usefixtures("declined_is_forgotten")
def test_command_ends_with_1_and_says_how_to_have_the_failure_again() -> None:
    result = CliRunner().invoke(cli, ["torture", "--steps", "100000", "--core", "native"])
    assert result.exit_code == 1
    assert "BROKEN:" in result.stdout
    assert "again: centralita torture --seed 1 --day" in result.stdout
    shown = CliRunner().invoke(
        cli, ["torture", "--steps", "100000", "--core", "native", "--json", "--no-shrink"]
    )
    violation = json.loads(shown.stdout)["violation"]
    assert shown.exit_code == 1
    assert violation["seed"] == 1
    assert violation["minimal"] == []


def test_command_ends_with_0_when_every_rule_held() -> None:
    result = CliRunner().invoke(cli, ["torture", "--steps", "3000", "--json"])
    assert result.exit_code == 0
    report = msgspec.convert(json.loads(result.stdout), Report)
    assert report.steps >= 3000
    assert report.days >= 1
    said = CliRunner().invoke(cli, ["torture", "--day", "2", "--seed", "9"])
    assert said.exit_code == 0
    assert "in 1 days" in said.stdout
    assert "every rule held" in said.stdout


def test_queues_that_differ_are_found_on_a_day_on_both_and_made_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rule, "_drains_to", lambda book, contact, agent: False)
    assert torture(1, 20_000, cores="native", shrink=False).violation is None
    found = torture(1, 100_000).violation
    assert found is not None
    assert found.rule == "same decisions"
    assert "by the specification" in found.detail
    assert 2 < len(found.minimal) < 100
    assert found.again == f"centralita torture --seed 1 --day {found.day} --core both"


@pytest.mark.parametrize("option", [("--seed", "-1"), ("--steps", "0"), ("--core", "wooden"), ("--day", "0")])
def test_wrong_options_are_wrong_usage(option: tuple[str, str]) -> None:
    assert CliRunner().invoke(cli, ["torture", *option]).exit_code == 2


def test_whatever_ends_the_engine_is_reported_with_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    from centralita import stages

    def broken(engine: object, command: Tick) -> None:
        raise KeyError("contact 1")

    monkeypatch.setitem(stages.DECIDE, Tick, broken)
    found = run.torture(1, 1000, cores="native").violation
    assert found is not None
    assert found.rule == "KeyError"


def test_every_rule_of_a_queue_is_drawn() -> None:
    """A rule that no random history knows is held to nothing: not to its compiled part, not to a recovery."""
    nobody_decides_by = {"title", "hours", "short_abandon_s"}
    words = {"announce_position", "wrap_up_max_s"}
    seen: dict[str, set[str]] = {name: set() for name in Queue.__struct_fields__}
    for seed in range(40):
        for queue in centre(Random(seed)).queues.values():
            for name, values in seen.items():
                values.add(repr(getattr(queue, name)))
    assert {name for name, values in seen.items() if len(values) == 1} == nobody_decides_by | words
