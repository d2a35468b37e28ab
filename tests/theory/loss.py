"""Markov chains without a formula: two pools with shared agents, solved; six pools on one trunk, played.

The second has too many states to solve, so its jumps are played with a random number each: no engine, no
calendar, nothing in common with what it is held against.
"""

from __future__ import annotations

import random
from itertools import product
from typing import Final

SWEEPS_MAX: Final = 20_000
PRECISION: Final = 1e-13


def overflow_loss(pool: int, shared: int, load: float) -> float:
    """The share lost of either class: `load` each, own `pool` first, then one of `shared`, then lost."""
    size = (pool + 1, pool + 1, shared + 1)
    states = list(product(*map(range, size)))
    into: dict[tuple[int, ...], list[tuple[tuple[int, ...], float]]] = {state: [] for state in states}
    out = dict.fromkeys(states, 0.0)
    for state in states:
        for target, rate in _moves(state, pool, shared, load):
            into[target].append((state, rate))
            out[state] += rate
    share = dict.fromkeys(states, 1 / len(states))
    for _ in range(SWEEPS_MAX):
        change = 0.0
        for state in states:
            value = sum(share[source] * rate for source, rate in into[state]) / out[state]
            change = max(change, abs(value - share[state]))
            share[state] = value
        total = sum(share.values())
        share = {state: value / total for state, value in share.items()}
        if change < PRECISION:
            return sum(value for (own, _, both), value in share.items() if own == pool and both == shared)
    raise AssertionError(f"no answer after {SWEEPS_MAX} sweeps")


def _moves(
    state: tuple[int, ...], pool: int, shared: int, load: float
) -> list[tuple[tuple[int, ...], float]]:
    moves = []
    for own in (0, 1):
        if state[own] < pool:
            moves.append((_changed(state, own, 1), load))
        elif state[2] < shared:
            moves.append((_changed(state, 2, 1), load))
    moves += [(_changed(state, k, -1), float(state[k])) for k in range(3) if state[k]]
    return moves


def _changed(state: tuple[int, ...], which: int, by: int) -> tuple[int, ...]:
    return tuple(value + by if k == which else value for k, value in enumerate(state))


def six_pools(seed: int, arrivals: int, *, agents: int = 15, lines: int = 120) -> tuple[float, float, float]:
    """Six types of 1.4 a minute, ten minutes each, each with `agents` of its own and `lines` together, from
    empty: (P(blocked), mean wait in minutes, P(wait) of those who enter)."""
    rng = random.Random(seed)
    inside, total = [0] * 6, 0
    came = blocked = waited = 0
    time = waiting_time = 0.0
    while came < arrivals:
        busy = [min(n, agents) for n in inside]
        pace = 8.4 + 0.1 * sum(busy)
        spent = rng.expovariate(pace)
        time += spent
        waiting_time += spent * (total - sum(busy))
        pick = rng.random() * pace
        if pick < 8.4:
            came += 1
            kind = min(5, int(pick / 1.4))
            if total >= lines:
                blocked += 1
            else:
                waited += inside[kind] >= agents
                inside[kind] += 1
                total += 1
        else:
            pick = (pick - 8.4) / 0.1
            kind = 0
            while kind < 5 and pick >= busy[kind]:
                pick -= busy[kind]
                kind += 1
            inside[kind] -= 1
            total -= 1
    entered = came - blocked
    return blocked / came, waiting_time / time / (8.4 * entered / came), waited / entered
