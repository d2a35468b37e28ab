"""Queues with many alike agents: Erlang B, C and A, a limited line, any patience. Standard library only.

Rates are per unit of time, waits in that unit. Notation as in Zeltyn and Mandelbaum (2005), "Call
centers with impatient customers: many-server asymptotics of the M/M/n+G queue": arrival rate, service
rate mu, n agents, load a = rate/mu; patience has tail `1 - G` with integral H.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, exp, expm1, log, sqrt
from typing import Final

STEPS_N: Final = 10_000
"""Pieces into which an integral over the offered wait is cut (Simpson)."""


def erlang_b(n: int, load: float) -> float:
    """The share lost when nobody waits (Erlang 1917): 1 + k / (a B(k-1)) is 1 / B(k)."""
    inverse = 1.0
    for k in range(1, n + 1):
        inverse = 1 + inverse * k / load
    return 1 / inverse


def erlang_c(n: int, load: float) -> float:
    """The share that waits when all do until served (Erlang 1917); needs load < n."""
    lost = erlang_b(n, load)
    return n * lost / (n - load * (1 - lost))


@dataclass(frozen=True)
class Served:
    """The M/M/n queue."""

    n: int
    rate: float
    mu: float

    @property
    def p_wait(self) -> float:
        return erlang_c(self.n, self.rate / self.mu)

    @property
    def wait(self) -> float:
        return self.p_wait / (self.n * self.mu - self.rate)

    def within(self, t: float) -> float:
        return 1 - self.p_wait * exp(-(self.n * self.mu - self.rate) * t)


@dataclass(frozen=True)
class Limited:
    """M/M/n/K+M: `places` to wait besides n agents; each leaves at rate theta while waiting (0: never).

    A birth and death chain. Whoever enters behind j others waits for j + 1 departures, at rates
    n mu + j theta down to n mu; served within t means that this is over by t and before the own patience:
    tilted by the patience, a sum of exponentials with rates n mu + theta (1 .. j+1), which is the (j+1)-th
    of n mu / theta + j + 1 ordered lifetimes: an incomplete beta function (theta = 0: Erlang's).
    """

    n: int
    places: int
    rate: float
    mu: float
    theta: float = 0

    def shares(self) -> list[float]:
        """P(so many are inside), from 0 to n + places."""
        weights = [1.0]
        for i in range(1, self.n + self.places + 1):
            down = min(i, self.n) * self.mu + max(0, i - self.n) * self.theta
            weights.append(weights[-1] * self.rate / down)
        total = sum(weights)
        return [weight / total for weight in weights]

    @property
    def p_blocked(self) -> float:
        return self.shares()[-1]

    @property
    def p_wait(self) -> float:
        """Of those who enter."""
        shares = self.shares()
        return sum(shares[self.n : -1]) / (1 - shares[-1])

    @property
    def queue(self) -> float:
        return sum((i - self.n) * share for i, share in enumerate(self.shares()) if i > self.n)

    @property
    def wait(self) -> float:
        """Of those who enter, whatever becomes of them (Little)."""
        return self.queue / (self.rate * (1 - self.p_blocked))

    @property
    def p_abandon(self) -> float:
        """Of those who enter."""
        return self.theta * self.wait

    def served_within(self, t: float) -> float:
        """Of those who enter, who is served after at most t."""
        shares = self.shares()
        total = sum(shares[: self.n])
        for j in range(self.places):
            total += shares[self.n + j] * self._patient(j) * self._over(j + 1, t)
        return total / (1 - shares[-1])

    def _patient(self, ahead: int) -> float:
        kept, pace = 1.0, self.n * self.mu
        for i in range(ahead + 1):
            kept *= (pace + i * self.theta) / (pace + (i + 1) * self.theta)
        return kept

    def _over(self, m: int, t: float) -> float:
        pace = self.n * self.mu
        if not self.theta:  # an Erlang distribution: the tail of a Poisson one
            term = total = exp(-pace * t)
            for k in range(1, m):
                term *= pace * t / k
                total += term
            return 1 - total
        b, p = pace / self.theta + 1, -expm1(-self.theta * t)
        if p <= 0:
            return 0.0
        beta = 1 / b  # B(1, b)
        kept = exp(b * log(1 - p))
        value = 1 - kept
        power = p
        for k in range(1, m):  # I_p(k+1, b) = I_p(k, b) - p^k (1-p)^b / (k B(k, b))
            value -= power * kept / (k * beta)
            beta *= k / (k + b)
            power *= p
        return value


@dataclass(frozen=True)
class Patience:
    """How long customers wait: P(more than x), and its integral from 0 to x."""

    tail: Callable[[float], float]
    integral: Callable[[float], float]


def exponential_patience(mean: float) -> Patience:
    return Patience(lambda x: exp(-x / mean), lambda x: -mean * expm1(-x / mean))


def erlang2_patience(mean: float) -> Patience:
    r = 2 / mean
    return Patience(lambda x: (1 + r * x) * exp(-r * x), lambda x: mean - exp(-r * x) * (mean + x))


def lognormal_patience(mean: float, cv: float) -> Patience:
    variance = log(1 + cv * cv)
    mu, sigma = log(mean) - variance / 2, sqrt(variance)

    def normal(z: float) -> float:
        return (1 + erf(z / sqrt(2))) / 2

    def tail(x: float) -> float:
        return 1 - normal((log(x) - mu) / sigma) if x > 0 else 1.0

    def integral(x: float) -> float:  # E[min(X, x)]
        return mean * normal((log(x) - mu - variance) / sigma) + x * tail(x) if x > 0 else 0.0

    return Patience(tail, integral)


class Impatient:
    """M/M/n+G (Baccelli and Hebuterne 1981): density of the offered wait
    rate e^(rate H(x) - n mu x) / (E + rate J), J its integral without the front, E = 1 / B(n-1)."""

    def __init__(self, n: int, rate: float, mu: float, patience: Patience, *, upto: float) -> None:
        """`upto` is where the offered wait has practically no mass beyond."""
        self.n, self.rate, self.mu, self.patience = n, rate, mu, patience
        self._scale = 1.0
        j = self._mass(lambda x: 1.0, upto) / rate
        e = 1 / erlang_b(n - 1, rate / mu)
        self._scale = 1 / (e + rate * j)
        self.p_wait = rate * j / (e + rate * j)
        self.p_abandon = (1 + (rate - n * mu) * j) / (e + rate * j)
        self.p_served = 1 - self.p_abandon
        self.wait = self._mass(patience.integral, upto)
        self.queue = rate * self.wait
        waited = self._mass(lambda x: x * patience.tail(x), upto)
        self.wait_served = waited / self.p_served
        self.wait_abandoned = (self.wait - waited) / self.p_abandon

    def served_within(self, t: float) -> float:
        """Of all offered, who is served after at most t."""
        return 1 - self.p_wait + self._mass(self.patience.tail, t)

    def virtual_within(self, t: float) -> float:
        """P(one with endless patience would wait at most t)."""
        return 1 - self.p_wait + self._mass(lambda x: 1.0, t)

    def abandoned_within(self, t: float) -> float:
        """Of all offered, who leaves after at most t: patience below both t and the offered wait."""
        mass = self._mass(lambda x: 1.0, t)
        inside = self._mass(self.patience.tail, t)
        return mass - inside + (self.p_wait - mass) * (1 - self.patience.tail(t))

    def _mass(self, of: Callable[[float], float], upto: float) -> float:
        """The integral of `of` times the density from 0 to `upto`."""
        rate, pace, integral = self.rate, self.n * self.mu, self.patience.integral
        step = upto / STEPS_N
        total = 0.0
        for i in range(STEPS_N + 1):
            x = i * step
            weight = 1 if i in (0, STEPS_N) else 4 if i % 2 else 2
            total += weight * of(x) * exp(rate * integral(x) - pace * x)
        return self._scale * rate * total * step / 3


def service_levels(
    *, offered: float, served: float, served_within: float, abandoned_within: float
) -> dict[str, float]:
    """Three of the four definitions, by the names of our figures; the fourth is of the virtual wait."""
    return {
        "of_offered": served_within / offered,
        "of_answered": served_within / served,
        "of_patient": served_within / (offered - abandoned_within),
    }
