"""Many runs of one scenario, over the machine's cores, each with streams of its own.

A run's streams are named by (seed, replication), see `distributions.stream`; so the n-th replication is
the same whichever process makes it, and however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from centralita.simulate.figures import HOUR_NS, Summary, summarise
from centralita.simulate.processes import Each, processes, workers_n
from centralita.simulate.scenario import Scenario
from centralita.simulate.world import run

Done = Callable[[], object]
Job = tuple[Scenario, int, int, int]
"""Scenario, seed, replication and interval: everything that a run is made of."""


def summary(job: Job) -> Summary:
    """Run once and keep the figures."""
    scenario, seed, replication, interval_ns = job
    return summarise(run(scenario, seed, replication=replication), scenario, interval_ns=interval_ns)


class Pool:
    """Processes that run scenarios."""

    def __init__(self, each: Each) -> None:
        self._each = each

    def summaries(
        self,
        scenarios: Sequence[Scenario],
        *,
        seed: int,
        replications: int,
        first: int = 0,
        interval_ns: int = HOUR_NS,
        done: Done | None = None,
    ) -> list[list[Summary]]:
        """For each scenario its replications, in order; `done()` is called after each run."""
        jobs = [
            (one, seed, first + number, interval_ns) for one in scenarios for number in range(replications)
        ]
        made = []
        for result in self._each(summary, jobs):
            made.append(result)
            if done is not None:
                done()
        return [made[index : index + replications] for index in range(0, len(made), replications)]


@contextmanager
def pool(workers: int | None = None) -> Iterator[Pool]:
    """Processes for a while; a core each unless `workers` says otherwise."""
    with processes(workers or workers_n()) as each:
        yield Pool(each)


def replicate(
    scenario: Scenario,
    *,
    replications: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    done: Done | None = None,
) -> list[Summary]:
    """Run a scenario several times: as often, and from the seed, that it says unless told otherwise."""
    with pool(min(workers or workers_n(), replications or scenario.world.replications)) as running:
        (made,) = running.summaries(
            [scenario],
            seed=scenario.world.seed if seed is None else seed,
            replications=replications or scenario.world.replications,
            done=done,
        )
    return made
