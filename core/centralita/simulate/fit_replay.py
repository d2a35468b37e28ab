"""The credit found, tried out: does the engine, given it, serve in the order that was recorded?

The recording goes through the engine three times, with preferred customers given no credit, the credit found, and
enough to be strictly first. Of the recorded pairs of a preferred and a regular customer who waited at the same
time, and did so in the engine too, the share in which the same one went first as in the recording.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from centralita.matching import Core
from centralita.simulate.fit import STRICT_S, Fit, pairs_of, served_as_recorded
from centralita.simulate.recorded import Recorded, Recording
from centralita.simulate.replay import world_of
from centralita.structs import Frozen

ENDLESS_S: Final = 1_000_000.0
"""A credit that no wait makes up for: strict priority, in the engine's own terms."""


class Tried(Frozen):
    """One order, through the engine."""

    name: str
    credit_s: float | None
    pairs: int
    agreement: float


def serve_with(recording: Recording, found: Fit, *, core: Core = "native") -> tuple[Tried, ...]:
    """First come first served, the credit found, strict priority."""
    orders = (
        ("first come first served", 0.0),
        (f"credit {found.best_s:g} s", found.best_s),
        ("strict priority", STRICT_S),
    )
    pairs = [
        (first, second)
        for kind in found.kinds
        for first, second in pairs_of(recording.contacts, kind, served_as_recorded)
        if bool(first.credit_s) != bool(second.credit_s)
    ]
    return tuple(_try(recording, pairs, name, credit_s, core) for name, credit_s in orders)


def _try(
    recording: Recording,
    pairs: list[tuple[Recorded, Recorded]],
    name: str,
    credit_s: float,
    core: Core,
) -> Tried:
    given_s = min(credit_s, ENDLESS_S)
    world, _ = world_of(
        replace(
            recording,
            contacts=tuple(
                replace(contact, credit_s=given_s) if contact.credit_s else contact
                for contact in recording.contacts
            ),
        ),
        core=core,
    )
    world.run()

    def served_ns(contact: Recorded) -> int:
        fate = world.fates[contact.id]
        return (contact.queued_ns or 0) + fate.waited_ns if fate.answered else 0

    together = agreed = 0
    for first, second in pairs:
        first_ns, second_ns = served_ns(first), served_ns(second)
        if not first_ns or not second_ns or first_ns == second_ns or first_ns <= (second.queued_ns or 0):
            continue
        together += 1
        agreed += (first_ns < second_ns) == (served_as_recorded(first) < served_as_recorded(second))
    return Tried(
        name=name,
        credit_s=None if credit_s == STRICT_S else credit_s,
        pairs=together,
        agreement=round(agreed / together, 5) if together else 0.0,
    )
