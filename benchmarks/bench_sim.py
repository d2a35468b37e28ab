"""Simulated contacts a second, the whole engine beside its peers, one core, one run: `make bench-sim`.

The same queue for all, M/M/50+M: arrivals at 48 a minute, handling of a minute, patience of two (Garnett, Mandelbaum
and Reiman 2002). Ours is `centralita.simulate`: each contact is admitted, queued, matched, offered, accepted,
connected and ended by the engine that the daemon runs, and leaves a row. SimPy and Ciw simulate the queue alone, as
their manuals would write it; the heap loop is the least that Python can do. The contestants take turns, REPEATS
times, so that a busy machine is as busy for each; the ratios are of medians. Every contestant's share of abandonment
is shown beside the exact one: who is fast at something else has not won. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import platform
import random
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import ciw
import simpy

from centralita import simulate

ARRIVALS: Final = 48.0
SERVICE: Final = 1.0
ABANDONMENT: Final = 0.5
AGENTS: Final = 50
P_ABANDON: Final = 0.0309122
"""Erlang A, exactly."""
REPEATS: Final = 3
SEED: Final = 20_260_105

CENTRE: Final = """
skills = ["general"]
[queues.calls]
skills = {{ general = 1 }}
wrap_up_s = 0
[simulate]
duration_s = {duration_s}
[simulate.customers.callers]
queue = "calls"
arrivals = {{ kind = "poisson", per_hour = 2880 }}
handling = {{ kind = "exponential", mean_s = 60 }}
patience = {{ kind = "exponential", mean_s = 120 }}
[simulate.crews.all]
agents = 50
skills = {{ general = 1 }}
"""


def ours(contacts: int, seed: int) -> tuple[int, int]:
    """(contacts, abandoned) by the whole engine."""
    scenario = simulate.loads(CENTRE.format(duration_s=contacts / ARRIVALS * 60))
    found = simulate.run(scenario, seed)
    return found.contacts_n, found.outcome_counts()["abandoned"]


def with_simpy(contacts: int, seed: int) -> tuple[int, int]:
    """(contacts, abandoned) by SimPy: a process each, waiting for a resource or for its patience. Who finds an agent
    free does not wait for either, which makes it half as fast again."""
    rng = random.Random(seed)
    environment = simpy.Environment()
    agents = simpy.Resource(environment, capacity=AGENTS)
    counted = [0, 0]
    waits: list[float] = []

    def contact() -> Any:
        arrived = environment.now
        request = agents.request()
        if not request.triggered:
            yield request | environment.timeout(rng.expovariate(ABANDONMENT))
        counted[0] += 1
        waits.append(environment.now - arrived)
        if request.triggered:
            yield environment.timeout(rng.expovariate(SERVICE))
            agents.release(request)
        else:
            counted[1] += 1
            request.cancel()

    def source() -> Any:
        for _ in range(contacts):
            yield environment.timeout(rng.expovariate(ARRIVALS))
            environment.process(contact())

    environment.process(source())
    environment.run()
    return counted[0], counted[1]


def with_ciw(contacts: int, seed: int) -> tuple[int, int]:
    """(contacts, abandoned) by Ciw, whose records are always whole."""
    ciw.seed(seed)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=ARRIVALS)],
        service_distributions=[ciw.dists.Exponential(rate=SERVICE)],
        reneging_time_distributions=[ciw.dists.Exponential(rate=ABANDONMENT)],
        number_of_servers=[AGENTS],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(contacts, method="Finish")
    records = simulation.get_all_records(only=["service", "renege"])
    return len(records), sum(record.record_type == "renege" for record in records)


def with_heap(contacts: int, seed: int) -> tuple[int, int]:
    """(contacts, abandoned) by one loop over a heap of ends of service: what is left when nothing else is."""
    draw = random.Random(seed).expovariate
    ends: list[float] = []
    line: deque[tuple[float, float]] = deque()
    now, free, served, abandoned = 0.0, AGENTS, 0, 0
    waits: list[float] = []
    arrival, left = draw(ARRIVALS), contacts
    while left or ends:
        if left and (not ends or arrival <= ends[0]):
            now, left = arrival, left - 1
            arrival = now + draw(ARRIVALS)
            line.append((now, now + draw(ABANDONMENT)))
        else:
            now = heapq.heappop(ends)
            free += 1
        while free and line:
            arrived, gone = line.popleft()
            if gone <= now:
                abandoned += 1
                waits.append(gone - arrived)
                continue
            free -= 1
            served += 1
            waits.append(now - arrived)
            heapq.heappush(ends, now + draw(SERVICE))
    return served + abandoned, abandoned


CONTESTANTS: Final[dict[str, Callable[[int, int], tuple[int, int]]]] = {
    "centralita": ours,
    "simpy": with_simpy,
    "ciw": with_ciw,
    "heap loop": with_heap,
}


def main() -> None:
    """Let the contestants take turns and print what each gave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=50_000, help="each turn (default 50,000)")
    parser.add_argument("--only", choices=CONTESTANTS, action="append", help="run these alone; no JSON then")
    asked = parser.parse_args()
    contacts = asked.contacts
    names = asked.only or list(CONTESTANTS)
    print(
        f"Python {platform.python_version()}, {platform.machine()}, SimPy {simpy.__version__}, Ciw {ciw.__version__},"
        f" M/M/{AGENTS}+M, {contacts:,} contacts a turn, {REPEATS} turns, CPU time"
    )
    rates: dict[str, list[float]] = {name: [] for name in names}
    shares: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(REPEATS):
        for name in names:
            gc.collect()
            before = time.process_time()
            simulated, abandoned = CONTESTANTS[name](contacts, SEED + turn)
            rates[name].append(simulated / (time.process_time() - before))
            shares[name].append(abandoned / simulated)
    for name in names:
        print(
            f"  {name:10} {statistics.median(rates[name]):9,.0f} contacts a second"
            f" ({min(rates[name]):,.0f} to {max(rates[name]):,.0f}),"
            f" abandoned {statistics.mean(shares[name]):.4f} (exact {P_ABANDON:.4f})"
        )
    if asked.only:
        return
    median = {name: statistics.median(found) for name, found in rates.items()}
    print(
        json.dumps(
            {
                "contacts_per_s": round(median["centralita"]),
                "vs_simpy": round(median["centralita"] / median["simpy"], 3),
                "vs_ciw": round(median["centralita"] / median["ciw"], 3),
                "vs_heap_loop": round(median["centralita"] / median["heap loop"], 3),
            }
        )
    )


if __name__ == "__main__":
    main()
