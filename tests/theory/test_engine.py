"""The engine against exact answers: every figure within Z_MAX standard errors, seeds fixed.

With some ninety figures and errors from thirty batches, one of chance's own making beyond 4 is to be expected
in about one of thirty seeds; beyond that the engine, not chance, is the likely cause. `make theory` runs the
same for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import pytest

from .cases import CASES
from .estimates import Found

Z_MAX: Final = 4.0


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_the_engine_waits_as_theory_proves(case: Callable[[float], Iterable[Found]]) -> None:
    found = list(case(1.0))
    assert found
    for one in found:
        assert abs(one.z) <= Z_MAX, f"{one}, z {one.z:.2f}"
