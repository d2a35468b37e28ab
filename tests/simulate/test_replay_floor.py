"""What a recording does not say and a replay reads off it: after-call work, and who was really there."""

from __future__ import annotations

from centralita.simulate.recorded import Presence
from centralita.simulate.replay_floor import GAPS_MIN, after_call, presences
from tests.simulate.test_replay_formats import S, recorded

START_NS = 1_700_000_000 * S


def test_after_call_work_is_the_gap_while_the_next_customer_waited() -> None:
    # Every minute a call of 30 s; the next customer has been waiting for 10 s when it ends and is taken 8 s later.
    calls = [recorded(n, 60 * n - 18, wait_s=18, spent_s=52, agent="eva") for n in range(1, GAPS_MIN + 2)]
    assert after_call(calls) == {"q": 8 * S}
    # A customer who came when the agent was free says nothing of after-call work.
    idle = [recorded(n, 60 * n, wait_s=0, spent_s=30, agent="eva") for n in range(1, GAPS_MIN + 2)]
    assert after_call(idle) == {"q": 0}
    # What is recorded is not estimated.
    told = [recorded(n, 60 * n, wait_s=0, spent_s=30, agent="eva", wrap_up_ns=3 * S) for n in range(GAPS_MIN)]
    assert after_call(told) == {"q": 3 * S}


def test_an_agent_who_lets_a_customer_wait_is_away() -> None:
    calls = [
        recorded(1, 0, wait_s=0, spent_s=60, agent="eva"),
        recorded(2, 100, wait_s=200, spent_s=60, agent="tom"),
        recorded(3, 500, wait_s=0, spent_s=60, agent="eva"),
        recorded(4, 600, wait_s=0, spent_s=60, agent="eva"),
    ]
    eva = [there for there in presences(calls, 1800 * S) if there.agent == "eva"]
    assert eva == [
        Presence(agent="eva", from_ns=START_NS, until_ns=START_NS + 100 * S),
        Presence(agent="eva", from_ns=START_NS + 300 * S, until_ns=START_NS + 660 * S),
    ]
