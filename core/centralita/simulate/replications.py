"""Many runs of one scenario, over the machine's cores, each with streams of its own.

A run's streams are named by (seed, replication), see `distributions.stream`; so the n-th replication is
the same whichever process makes it, and however many there are.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from centralita.simulate.figures import HOUR_NS, Summary, summarise
from centralita.simulate.scenario import Scenario
from centralita.simulate.world import run

Done = Callable[[], object]


def workers_n() -> int:
    """How many processes run at once unless somebody says otherwise: a core each."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def summary(scenario: Scenario, seed: int, replication: int, interval_ns: int = HOUR_NS) -> Summary:
    """Run once and keep the figures."""
    return summarise(run(scenario, seed, replication=replication), scenario, interval_ns=interval_ns)


class Pool:
    """Processes that run scenarios; with one worker there is none, and runs are made here."""

    def __init__(self, executor: ProcessPoolExecutor | None) -> None:
        self._executor = executor

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
        if self._executor is None:
            results: Iterator[Summary] = (summary(*job) for job in jobs)
        else:
            with interrupts_for_us_alone():
                results = self._executor.map(summary, *zip(*jobs, strict=True))
        for result in results:
            made.append(result)
            if done is not None:
                done()
        return [made[index : index + replications] for index in range(0, len(made), replications)]


@contextmanager
def interrupts_for_us_alone() -> Iterator[None]:
    """Ctrl-C goes to every process of a terminal; those started in here leave it to us, who end them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def pool(workers: int | None = None) -> Iterator[Pool]:
    """Processes for a while. They are started afresh, not forked: whoever calls may have threads."""
    workers = workers or workers_n()
    if workers == 1:
        yield Pool(None)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        try:
            yield Pool(executor)
        except BaseException:
            executor.shutdown(cancel_futures=True)  # and wait: let go of, it would run them all first
            raise


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
