"""How long things take: handling, patience, the time until an answer, as a scenario writes them.

Each distribution turns a stream of random numbers into whole nanoseconds. A stream belongs to one purpose
of one class of customers (`stream`), and each customer draws once from each, at arrival: so the n-th
customer of a class is as patient, and takes as long, under every configuration that is compared
(common random numbers; Law, Simulation Modeling and Analysis, section 11.2).

Streams are `random.Random`, a Mersenne twister of 19,937 bits, seeded with a text that names the
seed, the replication and the purpose: Python hashes a text with SHA-512 and spreads it over the whole
state, so that streams with different names have nothing in common but by the chance of a collision.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from centralita.config import Part

Sampler: TypeAlias = Callable[[], int]

Mean = Annotated[float, Meta(gt=0, le=31_536_000)]
Variation = Annotated[float, Meta(ge=1e-6, le=100)]
Stages = Annotated[int, Meta(ge=1, le=1000)]
Share = Annotated[float, Meta(ge=0, le=1)]

LONGEST_NS: Final = 100 * 31_536_000 * 1_000_000_000
"""Longer than any run; the calendar's integers hold what is drawn from a distribution with no end."""
_NS: Final = 1_000_000_000


def stream(seed: int, *purpose: str | int) -> random.Random:
    """The stream of random numbers for a purpose; the same words give the same numbers everywhere."""
    return random.Random("/".join(map(str, (seed, *purpose))))


class Exponential(Part, tag_field="kind", tag="exponential"):
    """Without memory: `-mean × ln(1 − u)`."""

    mean_s: Mean

    def sampler(self, rng: random.Random) -> Sampler:
        """Draw from a stream."""
        uniform, log, scale = rng.random, math.log, -self.mean_s * _NS
        return lambda: int(scale * log(1.0 - uniform()))

    def expected_s(self) -> float:
        """The mean, in seconds."""
        return self.mean_s


class Deterministic(Part, tag_field="kind", tag="deterministic"):
    """Always the same."""

    value_s: Annotated[float, Meta(ge=0, le=31_536_000)]

    def sampler(self, rng: random.Random) -> Sampler:
        """Draw from a stream, which is left as it is."""
        value_ns = round(self.value_s * _NS)
        return lambda: value_ns

    def expected_s(self) -> float:
        """The mean, in seconds."""
        return self.value_s


class Uniform(Part, tag_field="kind", tag="uniform"):
    """Anything between two bounds alike."""

    low_s: Annotated[float, Meta(ge=0, le=31_536_000)]
    high_s: Mean

    def sampler(self, rng: random.Random) -> Sampler:
        """Draw from a stream."""
        uniform, low, width = rng.random, self.low_s * _NS, (self.high_s - self.low_s) * _NS
        return lambda: int(low + width * uniform())

    def expected_s(self) -> float:
        """The mean, in seconds."""
        return (self.low_s + self.high_s) / 2


class Lognormal(Part, tag_field="kind", tag="lognormal"):
    """By mean and coefficient of variation: σ² = ln(1 + cv²), μ = ln(mean) − σ²/2.

    What handling times of telephone calls look like (Brown and others, JASA 100, 2005, section 4.3).
    """

    mean_s: Mean
    cv: Variation

    def sampler(self, rng: random.Random) -> Sampler:
        """Draw from a stream."""
        variance = math.log1p(self.cv * self.cv)
        mu, sigma = math.log(self.mean_s * _NS) - variance / 2, math.sqrt(variance)
        normal, exp = rng.gauss, math.exp
        return lambda: int(min(exp(normal(mu, sigma)), LONGEST_NS))

    def expected_s(self) -> float:
        """The mean, in seconds."""
        return self.mean_s


class Gamma(Part, tag_field="kind", tag="gamma"):
    """By mean and coefficient of variation: shape 1/cv²."""

    mean_s: Mean
    cv: Variation

    def sampler(self, rng: random.Random) -> Sampler:
        """Draw from a stream."""
        shape = 1 / (self.cv * self.cv)
        gamma, scale = rng.gammavariate, self.mean_s * _NS / shape
        return lambda: int(min(gamma(shape, scale), LONGEST_NS))

    def expected_s(self) -> float:
        """The mean, in seconds."""
        return self.mean_s


class Erlang(Part, tag_field="kind", tag="erlang"):
    """The sum of `stages` exponential parts with `mean_s` together."""

    mean_s: Mean
    stages: Stages

    def sampler(self, rng: random.Random) -> Sampler:
        """Draw from a stream."""
        uniform, log, scale, stages = rng.random, math.log, -self.mean_s * _NS / self.stages, self.stages

        def draw() -> int:
            product = 1.0
            for _ in range(stages):
                product *= 1.0 - uniform()
            return int(scale * log(product))

        def draw_many() -> int:  # a long product would underflow
            return int(scale * math.fsum(log(1.0 - uniform()) for _ in range(stages)))

        return draw if stages <= 16 else draw_many

    def expected_s(self) -> float:
        """The mean, in seconds."""
        return self.mean_s


class Empirical(Part, tag_field="kind", tag="empirical"):
    """One of the values observed, each as likely: listed, or one a line in a file.

    The file is read when the scenario is (`scenario_file.load`), which puts its values here.
    """

    values_s: tuple[Annotated[float, Meta(ge=0, le=31_536_000)], ...] = ()
    file: str = ""

    def sampler(self, rng: random.Random) -> Sampler:
        """Draw from a stream."""
        values_ns = [round(value_s * _NS) for value_s in self.values_s]
        return partial(rng.choice, values_ns)

    def expected_s(self) -> float:
        """The mean, in seconds."""
        return math.fsum(self.values_s) / len(self.values_s)


Distribution: TypeAlias = Exponential | Deterministic | Uniform | Lognormal | Gamma | Erlang | Empirical
