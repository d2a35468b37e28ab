"""Whether estimated waits hold as often as they claim: estimates made for contacts that begin to wait,
beside what then came.

An estimate speaks of somebody who stays. Who gives up is followed on as if still there: the first
contact that came later to the same queue and is connected, or has found an agent free, shows when their
turn would have been. That is exact for one queue served in order of arrival, and not for others, so that
this is for scenarios in which a queue's agents are its own.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Callable
from typing import Final, NamedTuple

from centralita import estimate
from centralita.messages import ContactConnected, ContactEnded, ContactQueued
from centralita.simulate.drive import Drive
from centralita.structs import Frozen
from centralita.views import EstimateView

POSITIONS: Final = (1, 2, 3, 5, 10, 20, 50)
"""Coverage is shown for positions from each of these to before the next."""
_S: Final = 1e-9


class Checked(NamedTuple):
    """One estimate and what came of it; `waited_s` is the time still waited since it was made."""

    queue: str
    position: int
    low_s: float
    expected_s: float
    high_s: float
    confidence: float
    waited_s: float


class Coverage(Frozen):
    """How often intervals held. `below` and `above` are the shares that came sooner, and later."""

    claimed: float
    held: float
    below: float
    above: float
    estimates: int
    expected_s_mean: float
    waited_s_mean: float
    width_s_mean: float


class _Open(NamedTuple):
    queue: str
    position: int
    at_ns: int
    said: EstimateView


class Probe:
    """Notes an estimate for each contact that begins to wait: `run(scenario, watch=probe.attach)`."""

    def __init__(self, *, from_ns: int = 0) -> None:
        self.checked: list[Checked] = []
        self.unknown = 0
        """Contacts that began to wait before anything could be said."""
        self._from_ns = from_ns
        self._open: dict[int, _Open] = {}
        self._gone: dict[str, list[int]] = defaultdict(list)
        self._drive: Drive | None = None

    def attach(self, drive: Drive) -> None:
        """Watch a drive from its beginning."""
        self._drive = drive
        drive.watches(ContactQueued, self._queued)
        drive.watches(ContactConnected, self._connected)
        drive.watches(ContactEnded, self._ended)

    def _queued(self, event: ContactQueued) -> None:
        assert self._drive is not None
        engine, now_ns = self._drive.engine, self._drive.now_ns
        contact = engine.state.contacts.get(event.contact)
        if contact is None:
            return
        if contact.phase != "waiting":  # an agent was free: nobody who had stayed would still wait
            self._turn(event.queue, event.contact)
            return
        position = estimate.before_in_queue(engine, contact) + 1
        said = estimate.wait_of(engine, contact)
        if now_ns < self._from_ns:
            return
        if said.confidence == 0:
            self.unknown += 1
            return
        self._open[event.contact] = _Open(event.queue, position, now_ns, said)

    def _connected(self, event: ContactConnected) -> None:
        self._close(event.contact)
        self._turn(event.queue, event.contact)

    def _ended(self, event: ContactEnded) -> None:
        if event.contact in self._open:
            if event.outcome == "abandoned":
                bisect.insort(self._gone[event.queue], event.contact)
            else:
                del self._open[event.contact]

    def _turn(self, queue: str, contact: int) -> None:
        """Somebody's turn has come: it would have come by now for those who were before and have gone."""
        gone = self._gone[queue]
        before = bisect.bisect_left(gone, contact)
        for number in gone[:before]:
            self._close(number)
        del gone[:before]

    def _close(self, contact: int) -> None:
        assert self._drive is not None
        found = self._open.pop(contact, None)
        if found is not None:
            said = found.said
            self.checked.append(
                Checked(
                    found.queue,
                    found.position,
                    said.low_s,
                    said.expected_s,
                    said.high_s,
                    said.confidence,
                    (self._drive.now_ns - found.at_ns) * _S,
                )
            )


def coverage(checked: list[Checked]) -> Coverage | None:
    """How often these held; None when there are none."""
    if not checked:
        return None
    n = len(checked)
    below = sum(one.waited_s < one.low_s for one in checked)
    above = sum(one.waited_s > one.high_s for one in checked)
    return Coverage(
        claimed=sum(one.confidence for one in checked) / n,
        held=1 - (below + above) / n,
        below=below / n,
        above=above / n,
        estimates=n,
        expected_s_mean=sum(one.expected_s for one in checked) / n,
        waited_s_mean=sum(one.waited_s for one in checked) / n,
        width_s_mean=sum(one.high_s - one.low_s for one in checked) / n,
    )


def by_position(checked: list[Checked]) -> dict[int, Coverage]:
    """Coverage by where somebody stood: the first position of each group of POSITIONS."""
    return _grouped(checked, lambda one: POSITIONS[bisect.bisect_right(POSITIONS, one.position) - 1])


def _grouped(checked: list[Checked], key: Callable[[Checked], int]) -> dict[int, Coverage]:
    groups: dict[int, list[Checked]] = defaultdict(list)
    for one in checked:
        groups[key(one)].append(one)
    made = {first: coverage(group) for first, group in sorted(groups.items())}
    return {first: found for first, found in made.items() if found is not None}
