"""Random histories: the invariants after each step, and what two cores, replay and recovery agree on."""

from __future__ import annotations

import pytest

from centralita.engine import Engine
from tests.engine.histories import Centre, check, commands

SEEDS = range(20)
STEPS = 600


def _live(seed: int, *, core: str = "native", steps: int = STEPS) -> Centre:
    centre = Centre(core=core)
    for later_s, command in commands(centre.engine, seed, steps):
        centre.do(command, after_s=later_s)
    return centre


@pytest.mark.parametrize("seed", SEEDS)
def test_every_step_of_a_random_history_keeps_the_invariants(seed: int) -> None:
    centre = Centre()
    for number, (later_s, command) in enumerate(commands(centre.engine, seed, STEPS)):
        centre.do(command, after_s=later_s)
        try:
            check(centre.engine)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {number}, after {command}: {error}") from error


@pytest.mark.parametrize("seed", SEEDS)
def test_both_cores_decide_the_same(seed: int) -> None:
    native, naive = _live(seed), _live(seed, core="naive")
    assert [record.events for record in native.records] == [record.events for record in naive.records]
    assert native.engine.state == naive.engine.state
    assert native.engine.lines.queue.state_hash() == naive.engine.lines.queue.state_hash()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_journalled_commands_decide_the_journalled_events_again(seed: int) -> None:
    lived = _live(seed)
    again = Engine()
    for record in lived.records:
        assert again.handle(record.command, now_ns=record.at_ns).events == record.events


@pytest.mark.parametrize("seed", SEEDS)
def test_recovery_from_any_snapshot_gives_the_state_before(seed: int) -> None:
    centre = Centre()
    snapshots: list[tuple[int, bytes | None]] = [(0, None)]
    for number, (later_s, command) in enumerate(commands(centre.engine, seed, STEPS)):
        centre.do(command, after_s=later_s)
        if number % 97 == 0:
            snapshots.append((len(centre.records), centre.engine.snapshot()))
    centre.engine.snapshot()
    for done, snapshot in snapshots:
        recovered = Engine.restore(snapshot, centre.records[done:])
        recovered.snapshot()
        assert recovered.state == centre.engine.state, f"seed {seed}, from record {done}"
        assert recovered.lines.queue.waiting_n() == centre.engine.lines.queue.waiting_n()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_recovered_engine_decides_as_the_one_that_never_stopped(seed: int) -> None:
    lived = _live(seed, steps=STEPS * 2)
    half = len(lived.records) // 2
    recovered = Engine.restore(None, lived.records[:half])
    for record in lived.records[half:]:
        assert recovered.handle(record.command, now_ns=record.at_ns).events == record.events, f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_when_everybody_stops_every_contact_comes_to_its_end(seed: int) -> None:
    """Nothing is stuck: with agents who answer nothing and customers who say nothing, deadlines alone
    bring every contact that is with somebody back to a queue or to its end."""
    centre = _live(seed)
    centre.pass_time(3_000)
    check(centre.engine)
    left = {contact.phase for contact in centre.engine.state.contacts.values()}
    assert left <= {"waiting", "offered"}, left
