"""What `make bench-voice` hears: members, callers and idle times read off bridge events, and the ideal that drains are held to."""

from __future__ import annotations

import pytest
from benchmarks.voice.ears import Ears, ms


def event(at_s: float, name: str, bridge: str, channel: str) -> dict[str, str]:
    return {
        "Timestamp": str(at_s),
        "Event": name,
        "BridgeUniqueid": bridge,
        "Channel": channel,
        "Uniqueid": channel,
    }


def talk(
    ears: Ears, member: int, caller: str, begin_s: float, end_s: float, *, member_first: bool = False
) -> None:
    channels = [f"Local/{caller}@callers-1;2", f"Local/{member}@members-1;1"]
    for channel in reversed(channels) if member_first else channels:
        ears.hear(event(begin_s, "BridgeEnter", caller, channel))
    ears.hear(event(end_s, "BridgeLeave", caller, channels[1]))


@pytest.mark.parametrize("member_first", [False, True])
def test_member_who_is_freed_while_somebody_waits_is_idle_until_the_next_speaks(member_first: bool) -> None:
    ears = Ears()
    for number in range(3):
        ears.hear(event(0.5, "UserEvent", "", f"caller {number}"))
    talk(ears, 10000, "a", 1, 3, member_first=member_first)
    talk(ears, 10000, "b", 3.25, 5, member_first=member_first)
    assert ears.idle_s == [0.25]
    assert ears.waiting == 1
    assert ears.talks == [(1, 2), (3.25, 1.75)]
    talk(ears, 10000, "c", 6, 7)
    assert (ears.waiting, ears.last_s) == (0, 7)
    ears.hear(event(9, "UserEvent", "", "caller 4"))
    talk(ears, 10000, "d", 9, 10)
    assert ears.idle_s == [0.25, 1.0]  # nobody waited when the third talk ended


def test_caller_in_a_bridge_alone_speaks_with_nobody() -> None:
    ears = Ears()
    ears.hear(event(0, "UserEvent", "", "caller"))
    ears.hear(event(1, "BridgeEnter", "a", "Local/x@callers-1;2"))
    ears.hear(event(1, "BridgeEnter", "b", "Local/10000@members-1;1"))
    assert (ears.speaking, ears.waiting) == ([], 1)


def test_ideal_is_every_member_at_work_until_the_last_call() -> None:
    ears = Ears()
    ears.talks = [(0, 3), (0, 1), (1, 1), (2, 2)]
    assert ears.ideal_s(2) == 4
    assert ears.ideal_s(1) == 7
    assert ears.ideal_s(10) == 3


def test_quantiles_are_in_ms() -> None:
    assert [ms([0.010, 0.020, 0.030], share) for share in (0, 0.5, 0.95)] == [10, 20, 30]
    assert ms([], 0.5) is None
