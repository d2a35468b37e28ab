"""Both queues behind one name: the first call that they answer differently ends everything."""

from __future__ import annotations

from typing import Any

import pytest

from centralita.matching import Diverged, NaiveMatchingQueue, open_queue
from centralita.matching.protocol import MatchingQueueProtocol
from centralita.timers import NaiveTimers, open_timers


def one_waits() -> MatchingQueueProtocol:
    """Both queues with one agent and one contact that waits for them."""
    queue = open_queue("both")
    queue.medium("voice")
    queue.add_agent(7, queue.profile([], 100), now_ns=0)
    queue.enqueue(1, queue.requirement([], 0, 100), queue.order(["longest_idle"]), queued_ns=0)
    return queue


def test_what_both_answer_is_the_answer() -> None:
    queue = one_waits()
    assert queue.match(now_ns=1) == [(1, 7)]
    assert queue.holders(1) == [7]
    assert queue.state_hash() == queue.state_hash()


def test_what_can_be_read_once_is_told_to_both() -> None:
    queue = one_waits()
    queue.medium("chat")
    queue.set_interrupts((by, over) for by, over in [(0, 1)])
    queue.enqueue(2, 0, 0, queued_ns=0, excluded=(agent for agent in [7]))
    assert queue.state_hash()
    assert [line.rule for line in queue.explain(2, now_ns=1)] == ["excluded"]


def test_what_both_refuse_is_refused_and_both_go_on() -> None:
    queue = one_waits()
    with pytest.raises(ValueError, match="here already"):
        queue.enqueue(1, 0, 0, queued_ns=0)
    with pytest.raises(KeyError):
        queue.holders(2)
    assert queue.match(now_ns=1) == [(1, 7)]


def test_another_answer_ends_it_with_the_call_and_both_answers() -> None:
    queue = one_waits()
    queue._naive.set_available(7, False, now_ns=0)  # type: ignore[attr-defined]
    with pytest.raises(
        Diverged, match=r"match.*'now_ns': 1.*answered \[\(1, 7\)\]; by the specification \[\]"
    ):
        queue.match(now_ns=1)


def test_another_state_is_seen_in_the_hash_before_any_answer_shows_it() -> None:
    queue = one_waits()
    queue._naive.change(1, credit_ns=5)  # type: ignore[attr-defined]
    assert queue.waiting_n() == 1
    with pytest.raises(Diverged, match="state_hash"):
        queue.state_hash()


@pytest.mark.parametrize("answer", [3, IndexError("no")])
def test_what_only_one_refuses_ends_it(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def otherwise(self: NaiveMatchingQueue, contact: int) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(NaiveMatchingQueue, "holders", otherwise)
    with pytest.raises(Diverged, match=r"holders.* was refused: KeyError"):
        one_waits().holders(99)


def test_timers_are_told_to_both_and_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    timers = open_timers("both")
    timers.schedule(0, 1, 10)
    assert (len(timers), timers.next_deadline_ns()) == (1, 10)
    assert timers.pop_due(10) == [(10, 0, 1)]
    timers.schedule(0, 1, 20)
    monkeypatch.setattr(NaiveTimers, "__len__", lambda self: 2)
    with pytest.raises(Diverged, match="holds 1; the specification 2"):
        len(timers)
