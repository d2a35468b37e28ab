"""The engine against exact answers: every figure within Z_MAX standard errors, seeds fixed.

With some ninety figures and errors from thirty batches, one of chance's own making beyond 4 is to be expected
in about one of thirty seeds; beyond that the engine, not chance, is the likely cause. `make theory` runs the
same for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import pytest

from centralita.kpi import Figures
from centralita.messages import Record
from centralita.simulate.drive import Drive

from .cases import CASES
from .centre import TARGETS, Centre, Customers, exponential, floor, plain
from .estimates import Found

Z_MAX: Final = 4.0


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_the_engine_waits_as_theory_proves(case: Callable[[float], Iterable[Found]]) -> None:
    found = list(case(1.0))
    assert found
    for one in found:
        assert abs(one.z) <= Z_MAX, f"{one}, z {one.z:.2f}"


def test_the_figures_name_the_service_levels_that_theory_means() -> None:
    target = 1 / 12
    config = floor({"q": plain(answer_target_s=5)}, {f"a{number}": ("q",) for number in range(10)})
    figures = Figures()

    def watch(drive: Drive) -> None:
        drive.follows(
            lambda step, command: figures.fold(
                Record(seq=step.seq, at_ns=drive.now_ns, command=command, events=list(step.events))
            )
        )

    customers = Customers(11, patience=exponential(2))
    centre = Centre({"q": customers}, config, seed=3, watch=watch)
    lived = centre.run_for(600).batches[0]["q"]
    index = TARGETS.index(target)
    levels = figures.queues["q"].service_levels()
    assert lived.abandoned > 500
    assert levels["of_offered"] == pytest.approx(lived.within[index] / lived.offered, abs=1e-6)
    assert levels["of_answered"] == pytest.approx(lived.within[index] / lived.served, abs=1e-6)
    patient = lived.offered - lived.abandoned_within[index]
    assert levels["of_patient"] == pytest.approx(lived.within[index] / patient, abs=1e-6)
    busy = [
        figures.agents[agent].as_dict(centre.drive.now_ns)["time_s"]["connected"] for agent in config.agents
    ]
    spent_s = sum(centre.busy_ns[0].values()) / 1e9
    assert sum(busy) == pytest.approx(spent_s, abs=0.1)
