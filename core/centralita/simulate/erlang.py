"""Erlang A: what a single group of agents gives, exactly, when everything is exponential.

M/M/n+M by the formulas for M/M/n+G (Baccelli and Hebuterne 1981; Zeltyn and Mandelbaum 2005, section 2):
with a = λ/μ, H(x) the integral of the tail of patience, E = 1/B(n − 1, a) and J = ∫ exp(λH(x) − nμx) dx,
the offered wait has the density λ exp(λH(x) − nμx) / (E + λJ). Without patience H(x) = x: Erlang C.
The integrals are by Simpson's rule, their integrand scaled by its greatest value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from centralita.structs import Frozen

AGENTS_MAX: Final = 100_000
"""The most agents looked for."""
PIECES: Final = 4000
"""Of Simpson's rule; the integrand falls by forty powers of e over them."""
_NEGLIGIBLE: Final = -40.0


class Load(Frozen):
    """What comes to one group: customers a second, mean handling, and the rate at which the waiting give up."""

    per_s: float
    handling_s: float
    leaving_per_s: float = 0.0

    @property
    def erlangs(self) -> float:
        """Agents kept busy if nobody gave up."""
        return self.per_s * self.handling_s


class Offered(Frozen):
    """What a group of agents makes of a load: shares of all who come, and their mean wait."""

    waits: float
    abandons: float
    within: float
    """Served within the target, of all offered."""
    wait_s_mean: float
    occupancy: float


def erlang_b(agents: int, erlangs: float) -> float:
    """The share that is lost when nobody waits: 1/B(k) = 1 + k/(a B(k − 1))."""
    inverse = 1.0
    for k in range(1, agents + 1):
        inverse = 1.0 + inverse * k / erlangs
    return 1.0 / inverse


def erlang_a(load: Load, agents: int, *, within_s: float) -> Offered:
    """The figures of a group. Raises ValueError when nobody gives up and the agents are too few: the line
    grows for ever."""
    arriving, leaving = load.per_s, load.leaving_per_s
    serving = agents / load.handling_s
    if leaving == 0 and arriving >= serving:
        raise ValueError(
            f"{agents} agents for {load.erlangs:.2f} erlangs without patience: the line grows for ever"
        )

    def patient_s(x: float) -> float:  # H(x)
        return -math.expm1(-leaving * x) / leaving if leaving else x

    def height(x: float) -> float:
        return arriving * patient_s(x) - serving * x

    top = max(0.0, math.log(arriving / serving) / leaving) if leaving else 0.0
    scale = height(top)
    end = top + 1 / serving
    while height(end) - scale > _NEGLIGIBLE:
        end = top + 2 * (end - top)

    def weight(x: float) -> float:
        return math.exp(height(x) - scale)

    # A thousand erlangs' E outgrows a float long before the ratio does.
    inverse_b = _scaled_inverse_b(agents - 1, load.erlangs, scale)
    total = inverse_b + arriving * _simpson(weight, 0.0, end)
    waits = 1 - inverse_b / total
    wait_s = arriving / total * _simpson(lambda x: weight(x) * patient_s(x), 0.0, end)
    served = _simpson(lambda x: weight(x) * math.exp(-leaving * x), 0.0, min(within_s, end))
    abandons = leaving * wait_s
    return Offered(
        waits=waits,
        abandons=abandons,
        within=1 - waits + arriving / total * served,
        wait_s_mean=wait_s,
        occupancy=load.erlangs * (1 - abandons) / agents,
    )


def agents_needed(load: Load, *, within_s: float, level: float, abandoned_max: float | None = None) -> int:
    """The fewest agents that serve a share `level` within the target (and lose at most so many)."""
    if load.per_s == 0:
        return 0

    def enough(agents: int) -> bool:
        if load.leaving_per_s == 0 and load.erlangs >= agents:
            return False
        found = erlang_a(load, agents, within_s=within_s)
        return found.within >= level and (abandoned_max is None or found.abandons <= abandoned_max)

    low, high = 0, max(1, math.ceil(load.erlangs))
    while not enough(high):
        low, high = high, high + max(1, high // 4)
        if high > AGENTS_MAX:
            raise ValueError(f"more than {AGENTS_MAX:,} agents would be needed")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _scaled_inverse_b(agents: int, erlangs: float, scale: float) -> float:
    """exp(−scale)/B, from the loss formula's logarithm when 1/B itself would overflow."""
    log_inverse = 0.0
    inverse = 1.0
    for k in range(1, agents + 1):
        inverse = 1.0 + inverse * k / erlangs
        if inverse > 1e200:  # from here on the 1 is nothing beside it
            log_inverse = math.log(inverse)
            log_inverse += sum(math.log(j / erlangs) for j in range(k + 1, agents + 1))
            return math.exp(min(700.0, log_inverse - scale))
    return inverse * math.exp(-scale)


def _simpson(value: Callable[[float], float], low: float, high: float) -> float:
    if high <= low:
        return 0.0
    step = (high - low) / PIECES
    odd = math.fsum(value(low + index * step) for index in range(1, PIECES, 2))
    even = math.fsum(value(low + index * step) for index in range(2, PIECES, 2))
    return step / 3 * (value(low) + 4 * odd + 2 * even + value(high))
