"""What a run says: a figure, its standard error, and how far it is from the exact answer.

Errors are from batch means: the figure is a sum over a sum, and the batches tell how much it could have been
another. Batches must be long against what the queue remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import sqrt

from .centre import TARGETS, Centre, Tally


@dataclass(frozen=True)
class Found:
    """One figure of one case: what is exact, what the engine gives, and the standard error of the difference."""

    case: str
    figure: str
    exact: float
    ours: float
    error: float

    @property
    def z(self) -> float:
        return (
            (self.ours - self.exact) / self.error if self.error else 0.0 if self.ours == self.exact else 99.0
        )


def ratio(parts: Iterable[float], wholes: Iterable[float]) -> tuple[float, float]:
    """Sum over sum, and its standard error over batches (delta method; Law, section 9.5)."""
    pairs = list(zip(parts, wholes, strict=True))
    part, whole = sum(p for p, _ in pairs), sum(w for _, w in pairs)
    value = part / whole
    squares = sum((p - value * w) ** 2 for p, w in pairs)
    return value, sqrt(squares * len(pairs) / (len(pairs) - 1)) / whole


class Figures:
    """The figures of a centre that has run, for one class or for all together."""

    def __init__(self, centre: Centre, *classes: str) -> None:
        names = classes or tuple(centre.customers)
        self.batches = [[batch[name] for name in names] for batch in centre.batches]

    def of(self, part: Callable[[Tally], float], whole: Callable[[Tally], float]) -> tuple[float, float]:
        return ratio(
            [sum(map(part, batch)) for batch in self.batches],
            [sum(map(whole, batch)) for batch in self.batches],
        )

    @property
    def p_wait(self) -> tuple[float, float]:
        return self.of(lambda t: t.waited, entered)

    @property
    def p_abandon(self) -> tuple[float, float]:
        return self.of(lambda t: t.abandoned, entered)

    @property
    def p_blocked(self) -> tuple[float, float]:
        return self.of(lambda t: t.blocked, lambda t: t.offered)

    @property
    def wait(self) -> tuple[float, float]:
        return self.of(lambda t: t.wait_served + t.wait_abandoned, entered)

    @property
    def wait_served(self) -> tuple[float, float]:
        return self.of(lambda t: t.wait_served, lambda t: t.served)

    @property
    def wait_abandoned(self) -> tuple[float, float]:
        return self.of(lambda t: t.wait_abandoned, lambda t: t.abandoned)

    def within(self, target: float, whole: Callable[[Tally], float]) -> tuple[float, float]:
        index = TARGETS.index(target)
        return self.of(lambda t: t.within[index], whole)


def entered(tally: Tally) -> float:
    return tally.offered - tally.blocked


def served(tally: Tally) -> float:
    return tally.served
