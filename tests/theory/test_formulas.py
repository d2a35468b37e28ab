"""The formulas against figures that others have printed, before the engine is held against the formulas."""

from __future__ import annotations

import pytest

from . import published
from .erlang import (
    Impatient,
    Limited,
    Served,
    erlang2_patience,
    erlang_b,
    erlang_c,
    exponential_patience,
    lognormal_patience,
    service_levels,
)
from .loss import overflow_loss, six_pools
from .orders import accumulating, conserved, priorities
from .product_form import solve

WHITT_EXACT = [
    ("patience exponential, mean 1", exponential_patience(1), 1.0),
    ("patience exponential, mean 4", exponential_patience(4), 2.0),
]
WHITT_SIMULATED = [
    ("service exponential, patience Erlang-2", erlang2_patience(1)),
    ("service exponential, patience lognormal", lognormal_patience(1, 1)),
]


@pytest.mark.parametrize(("lines", "load"), published.ERLANG_B_LOAD_AT_ONE_PER_CENT.items())
def test_erlang_b_loses_one_per_cent_where_the_tables_say(lines: int, load: float) -> None:
    assert erlang_b(lines, load) == pytest.approx(0.01, rel=2e-3)


def test_erlang_c_gives_the_known_waits() -> None:
    queue = Served(n=14, rate=100 / 30, mu=1 / 3)
    assert queue.p_wait == pytest.approx(0.17413193, abs=1e-8)
    assert queue.within(1 / 3) == pytest.approx(0.88835002, abs=1e-8)
    assert erlang_c(620, 600) == pytest.approx(0.311944, abs=1e-6)


def test_erlang_a_gives_garnett_s_figures() -> None:
    by_wait = Impatient(50, 48, 1, exponential_patience(2), upto=3)
    by_state = Limited(50, 400, 48, 1, theta=0.5)
    for figures in (by_wait, by_state):
        assert figures.p_wait == pytest.approx(published.GARNETT_2002["P(wait)"], abs=1e-6)
        assert figures.p_abandon == pytest.approx(published.GARNETT_2002["P(abandon)"], abs=1e-6)
        assert figures.queue == pytest.approx(published.GARNETT_2002["E[queue]"], abs=1e-5)
        assert figures.wait * 60 == pytest.approx(published.GARNETT_2002["wait_s"], abs=1e-3)
    assert by_wait.served_within(0.1) == pytest.approx(by_state.served_within(0.1), abs=1e-6)
    assert Served(50, 48, 1).wait * 60 == pytest.approx(20.83, abs=0.01)


@pytest.mark.parametrize(("row", "patience", "upto"), WHITT_EXACT)
def test_any_patience_gives_whitt_s_exact_rows(row: str, patience: object, upto: float) -> None:
    found = Impatient(100, 102, 1, patience, upto=upto)  # type: ignore[arg-type]  # parametrized
    for name, value in published.WHITT_2005[row].items():
        assert whitt(found)[name] == pytest.approx(value, rel=2e-3), name


@pytest.mark.parametrize(("row", "patience"), WHITT_SIMULATED)
def test_any_patience_gives_whitt_s_simulated_rows(row: str, patience: object) -> None:
    found = Impatient(100, 102, 1, patience, upto=1.5)  # type: ignore[arg-type]  # parametrized
    for name, (value, half) in published.WHITT_2005_SIMULATED[row].items():
        assert whitt(found)[name] == pytest.approx(value, abs=1.5 * half), name


def whitt(found: Impatient) -> dict[str, float]:
    """The columns of Whitt's tables."""
    return {
        "P(W=0)": 1 - found.p_wait,
        "P(A)": found.p_abandon,
        "E[Q]": found.queue,
        "E[W|S]": found.wait_served,
        "E[W|A]": found.wait_abandoned,
        "P(W<=.1|S)": found.served_within(0.1) / found.p_served,
        "P(W<=.2|S)": found.served_within(0.2) / found.p_served,
    }


def test_a_limited_line_gives_the_ninety_agents() -> None:
    line = Limited(90, 30, 8.4, 0.1)
    assert line.p_blocked == pytest.approx(published.NINETY_AGENTS["P(blocked)"], abs=1e-9)
    assert line.p_wait == pytest.approx(published.NINETY_AGENTS["P(wait)"], abs=1e-9)
    assert line.wait == pytest.approx(published.NINETY_AGENTS["wait_min"], abs=1e-8)
    assert line.served_within(0.5) == pytest.approx(published.NINETY_AGENTS["within half a minute"], abs=1e-8)
    assert Limited(20, 0, 12.03, 1).p_blocked == pytest.approx(erlang_b(20, 12.03))


def test_the_definitions_of_service_level_differ_and_are_ordered() -> None:
    found = Impatient(50, 48, 1, exponential_patience(2), upto=3)
    t = 1 / 12
    levels = service_levels(
        offered=1,
        served=found.p_served,
        served_within=found.served_within(t),
        abandoned_within=found.abandoned_within(t),
    )
    assert found.abandoned_within(3) == pytest.approx(found.p_abandon, abs=1e-6)
    assert levels["of_offered"] < levels["of_patient"] < levels["of_answered"]
    # Who asks the virtual wait judges the centre, not its customers: it is above what they live through.
    assert levels["of_offered"] < found.virtual_within(t) < levels["of_answered"]


def test_the_orders_give_the_known_waits_and_conserve_them() -> None:
    rates = (2.0, 3.0, 3.0)
    strict, gaining = priorities(rates, 1, 10), accumulating(rates, (4, 2, 1), 1, 10)
    assert strict == pytest.approx(published.PRIORITIES, abs=1e-9)
    assert gaining == pytest.approx(published.ACCUMULATING, abs=1e-9)
    assert Served(10, 8, 1).wait == pytest.approx(published.FIRST_COME, abs=1e-7)
    assert accumulating(rates, (1, 1, 1), 1, 10) == pytest.approx([published.FIRST_COME] * 3, abs=1e-7)
    for waits in (strict, gaining):
        weighted = sum(rate / 10 * wait for rate, wait in zip(rates, waits, strict=True))
        assert weighted == pytest.approx(conserved(rates, 1, 10))


def test_the_product_form_gives_the_known_case_and_balances() -> None:
    rates, mu = (0.9, 0.5, 0.8), (1.0, 0.8, 1.2, 0.6)
    found = solve(rates, mu, [frozenset({0, 1}), frozenset({1, 2}), frozenset({0, 2, 3})])
    assert found.p_wait == pytest.approx(published.PRODUCT_FORM["P(wait)"], abs=1e-9)
    assert found.wait == pytest.approx(published.PRODUCT_FORM["wait"], abs=1e-8)
    assert found.busy == pytest.approx(published.PRODUCT_FORM["busy"], abs=1e-8)
    assert [sum(row) for row in found.flow] == pytest.approx(rates)
    for agent, pace in enumerate(mu):
        assert sum(row[agent] for row in found.flow) == pytest.approx(found.busy[agent] * pace)


def test_the_product_form_of_one_skill_is_erlang_c() -> None:
    found = solve((3.0,), (1.0,) * 4, [frozenset(range(4))])
    assert found.p_wait == pytest.approx([erlang_c(4, 3)])
    assert found.wait == pytest.approx([Served(4, 3, 1).wait])


def test_the_chain_of_pools_gives_the_known_loss() -> None:
    assert overflow_loss(7, 4, 6) == pytest.approx(published.OVERFLOW_LOSS, abs=1e-9)
    assert overflow_loss(7, 0, 6) == pytest.approx(erlang_b(7, 6), abs=1e-9)


def test_the_chain_of_six_pools_plays_as_it_was_recorded() -> None:
    blocked, wait, p_wait = six_pools(1, 30_000)
    recorded, _, recorded_wait, _, recorded_p_wait, _ = published.SIX_POOLS
    # A fifteenth of one of the twelve runs: loose, but another chain would show.
    assert blocked == pytest.approx(recorded, abs=0.015)
    assert wait == pytest.approx(recorded_wait, rel=0.15)
    assert p_wait == pytest.approx(recorded_p_wait, rel=0.05)
    # With a line for everybody, six pools are six M/M/15.
    _, free_wait, free_p_wait = six_pools(2, 60_000, agents=20, lines=10_000)
    alone = Served(20, 1.4, 0.1)
    assert free_wait == pytest.approx(alone.wait, rel=0.15)
    assert free_p_wait == pytest.approx(alone.p_wait, rel=0.1)
