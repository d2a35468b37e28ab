"""The checker checked: every bug of `planted.py` is found within its number of steps."""

from __future__ import annotations

import pytest

from centralita.simulate.torture import torture
from tests.torture.planted import BUGS, Planted


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_planted_bug_is_found(bug: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    # They are planted in the specification, which must then decide everything.
    monkeypatch.setattr("centralita.engine.COMPILED", frozenset())
    bug.plant(monkeypatch)
    report = torture(1, bug.within, cores="native", shrink=False)
    assert report.violation is not None, f"{bug.name}: {report.steps} steps without a word"
    print(f"{bug.name}: {report.steps} steps, {report.violation.rule}")
    assert report.steps <= bug.within


def test_at_least_fifteen_bugs_are_planted() -> None:
    assert len(BUGS) >= 15
