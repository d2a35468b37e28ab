"""Token buckets."""

import trio
import trio.testing

from centralita_http.lag import Lag
from centralita_http.limits import ADDRESSES_KEPT, Buckets


class Now:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def test_bucket_allows_a_burst_and_then_its_rate() -> None:
    now = Now()
    buckets = Buckets(rate_per_s=2, burst=3, now_s=now)
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b"), "another address has a bucket of its own"
    now.s = 0.5
    assert [buckets.take("a") for _ in range(2)] == [True, False]
    now.s = 100
    assert buckets.level("a") == 3


def test_buckets_are_bounded_and_forget_the_quietest_first() -> None:
    buckets = Buckets(rate_per_s=0.001, burst=1, now_s=Now())
    for number in range(ADDRESSES_KEPT):
        buckets.take(str(number))
    buckets.take("0")
    buckets.take("new")
    assert buckets.level("0") < 1
    assert buckets.level("1") == 1


async def test_process_that_runs_late_is_busy_until_it_has_caught_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    lag = Lag()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag.run)
        await trio.sleep(5)
        assert lag.s < 0.001
        autojump_clock.jump(10)
        await trio.testing.wait_all_tasks_blocked()
        assert lag.s > 5
        await trio.sleep(3)
        assert not lag.busy
        nursery.cancel_scope.cancel()
