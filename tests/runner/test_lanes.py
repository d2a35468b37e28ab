"""Lanes keep the order of a key, bound the tasks, and let nothing but a failing key wait."""

import random
import time

import pytest
import trio
import trio.testing

from centralita.errors import EngineStopped
from centralita.protocols import Signal
from centralita.runner.clock import RealClock, TrioClock, sleep_until
from centralita.runner.lanes import Lanes
from centralita.runner.signals import SIGNALS_MAX, Signals
from centralita.runner.supervise import CallFailed


@pytest.mark.parametrize("seed", range(5))
async def test_items_of_a_key_are_done_in_order_by_few_tasks(
    autojump_clock: trio.testing.MockClock, seed: int
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    done: dict[int, list[int]] = {}
    tried: dict[tuple[int, int], int] = {}
    at_work: set[int] = set()
    most = 0

    async def work(key: int, item: int) -> float | None:
        nonlocal most
        assert key not in at_work
        at_work.add(key)
        most = max(most, len(at_work))
        await trio.sleep(chance.random())
        at_work.remove(key)
        tried[key, item] = tried.get((key, item), 0) + 1
        if chance.random() < 0.3 and tried[key, item] < 5:
            return chance.random()
        done.setdefault(key, []).append(item)
        return None

    async with trio.open_nursery() as nursery:
        lanes: Lanes[int, int] = Lanes(nursery, work, workers_max=4, paused=True)
        for item in range(200):
            lanes.put(chance.randrange(20), item)
            if chance.random() < 0.2:
                await trio.sleep(chance.random())
            if chance.random() < 0.1:
                lanes.pause()
            elif chance.random() < 0.3:
                lanes.resume()
        lanes.resume()
        await lanes.wait_idle()
    assert len(lanes) == 0
    assert sum(map(len, done.values())) == 200
    assert all(items == sorted(items) for items in done.values())
    assert most <= 4


async def test_key_that_is_tried_again_holds_up_no_other(autojump_clock: trio.testing.MockClock) -> None:
    done: list[str] = []

    async def work(key: str, item: int) -> float | None:
        if key == "bad" and trio.current_time() < 100:
            return 10.0
        done.append(key)
        return None

    async with trio.open_nursery() as nursery:
        lanes: Lanes[str, int] = Lanes(nursery, work, workers_max=1)
        for number in range(5):
            lanes.put("bad", number)
            lanes.put("good", number)
        await trio.sleep(1)
        assert done == ["good"] * 5
        await lanes.wait_idle()
    assert done == ["good"] * 5 + ["bad"] * 5


async def test_lanes_rest_when_the_engine_takes_no_more_answers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def work(key: str, item: int) -> float | None:
        await trio.lowlevel.checkpoint()
        raise EngineStopped("over")

    async with trio.open_nursery() as nursery:
        lanes: Lanes[str, int] = Lanes(nursery, work)
        lanes.put("a", 1)
        lanes.put("b", 1)
        await lanes.wait_idle()


async def test_whoever_waits_for_idleness_is_woken_when_what_was_to_be_tried_again_is_paused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def work(key: str, item: int) -> float | None:
        await trio.lowlevel.checkpoint()
        return 1000.0

    async with trio.open_nursery() as nursery:
        lanes: Lanes[str, int] = Lanes(nursery, work)
        lanes.put("a", 1)
        with trio.fail_after(10):
            async with trio.open_nursery() as waiting:
                waiting.start_soon(lanes.wait_idle)
                await trio.testing.wait_all_tasks_blocked()
                lanes.pause()
        nursery.cancel_scope.cancel()


async def test_only_the_newest_sign_of_each_kind_is_sent_and_few_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    sent: list[Signal] = []

    async def send(signal: Signal) -> None:
        await trio.sleep(1)
        sent.append(signal)
        if len(sent) % 2:
            raise CallFailed("no line")

    async with trio.open_nursery() as nursery:
        signals = Signals(nursery, send)
        for _ in range(3):
            signals.put(Signal(kind="typing", contact=1, by="customer", on=True))
            signals.put(Signal(kind="typing", contact=1, by="customer", on=False))
        await trio.sleep(10)
        assert [signal.on for signal in sent] == [False]
        for contact in range(10 * SIGNALS_MAX):
            signals.put(Signal(kind="typing", contact=contact, by="customer"))
        await trio.sleep(10 * SIGNALS_MAX)
        assert len(sent) <= 2 + SIGNALS_MAX


def test_real_clock_goes_on_from_the_journals_last_moment_when_the_wall_is_behind() -> None:
    began_ns = time.monotonic_ns()
    ahead_ns = time.time_ns() + 3600 * 10**9
    clock = RealClock(not_before_ns=ahead_ns)
    first = clock.now_ns()
    set_back_ns, drift_ns = clock.set_back_ns, clock.drift_ns()
    drift_of_another_ns = RealClock().drift_ns()
    # However long this machine has let the test stand; a wall clock is also slewed a little.
    passed_ns = time.monotonic_ns() - began_ns + 10**9
    assert ahead_ns <= first < ahead_ns + passed_ns
    assert clock.now_ns() >= first
    assert 3600 * 10**9 - passed_ns < set_back_ns <= 3600 * 10**9
    assert drift_ns < passed_ns - 3600 * 10**9
    assert RealClock().set_back_ns == 0
    assert abs(drift_of_another_ns) < passed_ns


async def test_virtual_clock_sleeps_to_the_moment_and_not_past_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    start_ns = 1_772_000_000_000_000_000
    clock = TrioClock(start_ns)
    for wait_ns in (0, 1, 999, 10**6 + 1, 86_400 * 10**9 + 7):
        due_ns = clock.now_ns() + wait_ns
        await sleep_until(clock, due_ns)
        assert due_ns <= clock.now_ns() <= due_ns + 2_000
