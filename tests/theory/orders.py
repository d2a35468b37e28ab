"""Alike agents, unlike customers: who goes first. Formulas for a common exponential service."""

from __future__ import annotations

from collections.abc import Sequence

from .erlang import erlang_c


def priorities(rates: Sequence[float], mu: float, n: int) -> list[float]:
    """Mean waits under non-preemptive priority, the first class highest (Cobham 1954, Davis 1966):
    W_k = W_0 / ((1 - s_(k-1)) (1 - s_k)), s the load of the classes so far."""
    first = erlang_c(n, sum(rates) / mu) / (n * mu)
    waits, load = [], 0.0
    for rate in rates:
        before, load = load, load + rate / (n * mu)
        waits.append(first / ((1 - before) * (1 - load)))
    return waits


def accumulating(rates: Sequence[float], gains: Sequence[float], mu: float, n: int) -> list[float]:
    """Mean waits when each class gains priority at its own rate while it waits (Kleinrock 1964)."""
    load = [rate / (n * mu) for rate in rates]
    common = erlang_c(n, sum(rates) / mu) / (n * mu) / (1 - sum(load))
    waits: dict[int, float] = {}
    for p in sorted(range(len(rates)), key=lambda k: gains[k]):
        slower = sum(load[i] * waits[i] * (1 - gains[i] / gains[p]) for i in waits if gains[i] < gains[p])
        faster = sum(load[i] * (1 - gains[p] / gains[i]) for i in range(len(rates)) if gains[i] > gains[p])
        waits[p] = (common - slower) / (1 - faster)
    return [waits[k] for k in range(len(rates))]


def conserved(rates: Sequence[float], mu: float, n: int) -> float:
    """Sum of load times wait, the same for every work-conserving order (Kleinrock 1965): that of first come
    first served."""
    wait = erlang_c(n, sum(rates) / mu) / (n * mu - sum(rates))
    return sum(rates) / (n * mu) * wait
