"""Distributions, arrivals, intervals and Erlang A: each against what is known of it."""

from __future__ import annotations

import statistics
from itertools import islice, takewhile

import pytest

from centralita.simulate.arrivals import Listed, Piecewise, Poisson
from centralita.simulate.distributions import (
    Deterministic,
    Distribution,
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    Lognormal,
    Uniform,
    stream,
)
from centralita.simulate.erlang import Load, agents_needed, erlang_a, erlang_b
from centralita.simulate.figures import mean_of, t_975

S = 1_000_000_000
HOUR = 3600 * S


@pytest.mark.parametrize(
    ("distribution", "mean_s", "cv"),
    [
        (Exponential(mean_s=30), 30, 1),
        (Deterministic(value_s=30), 30, 0),
        (Uniform(low_s=10, high_s=50), 30, 40 / 12**0.5 / 30),
        (Lognormal(mean_s=30, cv=1.4), 30, 1.4),
        (Gamma(mean_s=30, cv=0.5), 30, 0.5),
        (Erlang(mean_s=30, stages=4), 30, 0.5),
        (Erlang(mean_s=30, stages=25), 30, 0.2),
        (Empirical(values_s=(15, 45)), 30, 0.5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_distribution_has_its_mean_and_variation(
    distribution: Distribution, mean_s: float, cv: float
) -> None:
    sample = distribution.sampler(stream(1, "test"))
    drawn = [sample() / S for _ in range(40_000)]
    assert distribution.expected_s() == pytest.approx(mean_s)
    assert statistics.fmean(drawn) == pytest.approx(mean_s, rel=0.025)
    assert statistics.pstdev(drawn) / mean_s == pytest.approx(cv, rel=0.06)


def test_streams_of_different_purposes_have_nothing_in_common() -> None:
    names = [("arrivals", "a"), ("arrivals", "b"), ("handling", "a")]
    made = [stream(seed, *name) for seed in (1, 2) for name in names]
    streams = [[one.random() for _ in range(1000)] for one in made]
    for index, one in enumerate(streams):
        for other in streams[:index]:
            assert abs(statistics.correlation(one, other)) < 0.12
    assert stream(1, "a").random() == stream(1, "a").random()


def counts(moments: list[int], piece_ns: int, pieces: int) -> list[int]:
    found = [0] * pieces
    for at_ns in moments:
        found[at_ns // piece_ns % pieces] += 1
    return found


def test_poisson_counts_have_the_variance_of_their_mean() -> None:
    moments = Poisson(per_hour=120).moments(stream(3, "a"), stream(3, "d"), start_ns=5 * HOUR)
    found = list(takewhile(lambda at_ns: at_ns < 1005 * HOUR, moments))
    hours = counts(found, HOUR, 1005)[5:]
    assert found == sorted(found)
    assert statistics.fmean(hours) == pytest.approx(120, rel=0.02)
    assert statistics.pvariance(hours) == pytest.approx(120, rel=0.15)


def test_piecewise_rates_are_kept_and_nobody_comes_at_rate_nought() -> None:
    rates = tuple(float(hour % 4 * 60) for hour in range(24))
    arrivals = Piecewise(per_hour=rates).moments(stream(4, "a"), stream(4, "d"), start_ns=0)
    found = counts(list(takewhile(lambda at_ns: at_ns < 200 * 24 * HOUR, arrivals)), HOUR, 24)
    for rate, n in zip(rates, found, strict=True):
        assert n / 200 == pytest.approx(rate, rel=0.05, abs=0)


def test_busy_days_vary_more_than_poisson_says() -> None:
    arrivals = Poisson(per_hour=50, busy_cv=0.3).moments(stream(5, "a"), stream(5, "d"), start_ns=0)
    days = counts(list(takewhile(lambda at_ns: at_ns < 400 * 24 * HOUR, arrivals)), 24 * HOUR, 400)
    mean = 50 * 24
    assert statistics.fmean(days) == pytest.approx(mean, rel=0.05)
    assert statistics.pstdev(days) == pytest.approx((mean + (0.3 * mean) ** 2) ** 0.5, rel=0.12)


def test_listed_moments_are_sorted() -> None:
    moments = Listed(at_s=(3, 1, 2)).moments(stream(0), stream(0), start_ns=HOUR)
    assert list(islice(moments, 5)) == [HOUR + S, HOUR + 2 * S, HOUR + 3 * S]


def test_students_quantiles() -> None:
    for freedom, known in (
        (1, 12.706),
        (9, 2.262),
        (30, 2.042),
        (40, 2.0211),
        (120, 1.9799),
        (10_000, 1.9602),
    ):
        assert t_975(freedom) == pytest.approx(known, abs=1e-3)


def test_mean_and_half_width() -> None:
    found = mean_of([1.0, 2.0, None, 3.0])
    assert (found.mean, found.runs) == (2.0, 3)
    assert found.half_width == pytest.approx(4.3027 / 3**0.5)
    assert (mean_of([]).mean, mean_of([4.0]).half_width) == (None, None)


def test_erlang_formulas_give_the_published_numbers() -> None:
    # Garnett, Mandelbaum and Reiman 2002; the others from tables of Erlang B and C.
    patient = erlang_a(Load(per_s=0.8, handling_s=60, leaving_per_s=1 / 120), 50, within_s=20)
    assert patient.waits == pytest.approx(0.467774, abs=1e-6)
    assert patient.abandons == pytest.approx(0.0309122, abs=1e-7)
    assert patient.wait_s_mean == pytest.approx(3.709, abs=1e-3)
    endless = erlang_a(Load(per_s=0.8, handling_s=60), 50, within_s=20)
    assert endless.wait_s_mean == pytest.approx(20.83, abs=0.01)
    known = erlang_a(Load(per_s=100 / 1800, handling_s=180), 14, within_s=20)
    assert known.waits == pytest.approx(0.17413193, abs=1e-7)
    assert known.within == pytest.approx(0.88835002, abs=1e-7)
    assert erlang_a(Load(per_s=600, handling_s=1), 620, within_s=1).waits == pytest.approx(0.311944, abs=1e-6)
    assert erlang_b(50, 37.90) == pytest.approx(0.01, abs=1e-5)


def test_agents_needed_are_the_fewest() -> None:
    load = Load(per_s=100 / 1800, handling_s=180)
    needed = agents_needed(load, within_s=20, level=0.8)
    assert erlang_a(load, needed, within_s=20).within >= 0.8 > erlang_a(load, needed - 1, within_s=20).within
    assert agents_needed(Load(per_s=0, handling_s=180), within_s=20, level=0.8) == 0
    with pytest.raises(ValueError, match="grows for ever"):
        erlang_a(load, 10, within_s=20)
