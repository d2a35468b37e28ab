"""What a recording can't know of its customers, drawn: patience beyond what was seen, handling never begun.

Patience of whoever did not give up is longer than the wait that was seen: it is drawn from the estimate of Kaplan and
Meier (1958), given that it is longer; beyond the last observation with the constant rate at which
people gave up over all (the exponential tail of Brown, Hollander and Korwar 1974). A kind with few who gave up
takes everybody's. Handling and after-work of whoever was not served are those of somebody of the same kind.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from centralita.simulate.distributions import stream
from centralita.simulate.recorded import Recorded
from centralita.simulate.replay_floor import after_call
from centralita.simulate.replay_world import Part

ABANDONED_MIN: Final = 10
"""With fewer who gave up than this, a kind's patience is estimated from all kinds."""


class Patience:
    """How long customers wait before they give up, as far as a recording shows it."""

    def __init__(self, contacts: Sequence[Recorded]) -> None:
        waits = sorted(
            (contact.waited_ns, contact.outcome != "abandoned")
            for contact in contacts
            if contact.queued_ns is not None and contact.outcome not in ("ignored", "left_in_self_service")
        )
        self.abandoned_n = sum(not censored for _, censored in waits)
        total_ns = sum(waited_ns for waited_ns, _ in waits)
        self._rate = self.abandoned_n / total_ns if total_ns else 0.0
        self._times: list[int] = [0]
        self._longer: list[float] = [1.0]
        at_risk, longer = len(waits), 1.0
        for waited_ns, censored in waits:
            if not censored:
                longer *= 1 - 1 / at_risk
                self._times.append(waited_ns)
                self._longer.append(longer)
            at_risk -= 1

    def beyond(self, waited_ns: int, rng: random.Random) -> int | None:
        """A patience of more than `waited_ns`; None, for ever, when nobody ever gave up."""
        uniform = 1 - rng.random()
        if not self._rate:
            return None
        index = bisect_right(self._times, waited_ns) - 1
        target = uniform * self._longer[index]
        low, high = index, len(self._longer)
        while low < high:  # the first that is no more than the target; the list goes down
            middle = (low + high) // 2
            if self._longer[middle] <= target:
                high = middle
            else:
                low = middle + 1
        if low < len(self._times):
            return max(self._times[low], waited_ns + 1)
        return max(self._times[-1], waited_ns) + 1 + round(rng.expovariate(self._rate))


class Parts:
    """The parts of a recording's contacts, drawn anew for each replication."""

    def __init__(self, contacts: Sequence[Recorded]) -> None:
        self._contacts = contacts
        everybody = Patience(contacts)
        by_kind: dict[str, list[Recorded]] = defaultdict(list)
        for contact in contacts:
            by_kind[contact.kind].append(contact)
        self._patience: dict[str, Patience] = {}
        self._served: dict[str, list[Recorded]] = {}
        served = [contact for contact in contacts if contact.outcome == "served"]
        for kind, alike in by_kind.items():
            own = Patience(alike)
            self._patience[kind] = own if own.abandoned_n >= ABANDONED_MIN else everybody
            self._served[kind] = [contact for contact in alike if contact.outcome == "served"] or served
        # A recording that says nothing of after-work has it estimated; one that does is believed.
        self._after_ns = (
            {} if any(contact.wrap_up_ns is not None for contact in served) else after_call(contacts)
        )

    def draw(self, seed: int, replication: int) -> dict[str, Part]:
        """The parts of one replication; the same numbers give the same parts."""
        patience_rng = stream(seed, replication, "patience")
        handling_rng = stream(seed, replication, "handling")
        parts: dict[str, Part] = {}
        for contact in self._contacts:
            if contact.outcome == "abandoned":
                patience_ns: int | None = contact.waited_ns
            else:
                patience_ns = self._patience[contact.kind].beyond(contact.waited_ns, patience_rng)
            alike = self._served[contact.kind]
            like = contact if contact.outcome == "served" or not alike else handling_rng.choice(alike)
            parts[contact.id] = Part(
                patience_ns=patience_ns,
                handling_ns=like.handling_ns,
                wrap_up_ns=self._after_ns.get(contact.kind, like.wrap_up_ns),
                answer_ns=like.answer_ns,
            )
        return parts
