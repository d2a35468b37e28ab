"""First come first served with the longest idle agent, any skills, each agent at a pace of their own.

The exact answer (Visschers, Adan and Weiss 2012, "A product form solution to a system with multi-type jobs
and multi-type servers", Queueing Systems 70; Adan and Weiss 2014, "A skill based parallel service system
under FCFS-ALIS", Stochastic Systems 4). A state is an order of the agents, busy ones by the arrival of their
customers, then idle ones, longest idle last, with customers waiting between the busy ones: those behind
agent j can be served by nobody but the first j. Its weight is a product of simple terms; here the waiting
ones, which are geometric, are summed over in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations


@dataclass(frozen=True)
class Shared:
    """What holds in the long run."""

    p_wait: list[float]
    wait: list[float]
    busy: list[float]
    flow: list[list[float]]
    """By class and agent, customers a unit of time."""


def solve(rates: Sequence[float], mu: Sequence[float], can: Sequence[frozenset[int]]) -> Shared:
    """`can[c]` are the agents that can serve class c. Needs stability; agents! states are gone through."""
    classes, agents = range(len(rates)), range(len(mu))
    total = 0.0
    p_wait, wait, busy = [0.0] * len(rates), [0.0] * len(rates), [0.0] * len(mu)
    flow = [[0.0] * len(mu) for _ in classes]
    for order in permutations(agents):
        only = [[c for c in classes if can[c] <= set(order[: j + 1])] for j in agents]
        locked = [sum(rates[c] for c in only[j]) for j in agents]
        pace = [sum(mu[s] for s in order[: j + 1]) for j in agents]
        some = [sum(rates[c] for c in classes if can[c] & set(order[j:])) for j in agents]
        for busy_n in range(len(mu) + 1):
            weight = 1.0
            for j in range(busy_n):
                assert pace[j] > locked[j], "unstable: some classes bring more than their agents can do"
                weight /= pace[j] - locked[j]
            for j in range(busy_n, len(mu)):
                weight /= some[j]
            total += weight
            for agent in order[:busy_n]:
                busy[agent] += weight
            idle = order[busy_n:]
            for c in classes:
                takers = [agent for agent in idle if agent in can[c]]
                if takers:
                    flow[c][takers[-1]] += weight * rates[c]
                else:
                    p_wait[c] += weight
            for j in range(busy_n):
                for c in only[j]:
                    wait[c] += weight / (pace[j] - locked[j])
            for k in range(busy_n):
                _freed(order, k, busy_n, weight * mu[order[k]], rates, can, only, locked, pace, flow)
    return Shared(
        p_wait=[value / total for value in p_wait],
        wait=[value / total for value in wait],
        busy=[value / total for value in busy],
        flow=[[value / total for value in row] for row in flow],
    )


def _freed(
    order: Sequence[int],
    k: int,
    busy_n: int,
    pace_k: float,
    rates: Sequence[float],
    can: Sequence[frozenset[int]],
    only: Sequence[Sequence[int]],
    locked: Sequence[float],
    pace: Sequence[float],
    flow: list[list[float]],
) -> None:
    """Agent `order[k]` becomes free: whom of those waiting it takes, the longest waiting that it can serve."""
    agent, none_before = order[k], 1.0
    for j in range(k, busy_n):
        fits = [c for c in only[j] if agent in can[c]]
        fit = sum(rates[c] for c in fits)
        if not fit:
            continue
        # So many wait behind agent j with ratio r = locked/pace; none fits: (1 - r) / (1 - r (1 - p)).
        r, p = locked[j] / pace[j], fit / locked[j]
        none_here = (1 - r) / (1 - r * (1 - p))
        for c in fits:
            flow[c][agent] += pace_k * none_before * (1 - none_here) * rates[c] / fit
        none_before *= none_here
