"""How many agents of which crew, in each interval of the day, meet a target at least cost.

First Erlang A for each crew and interval alone, every class of customers with the cheapest crew that can serve
it. Then the engine says: where an interval misses the target, the crew whose one further agent mends most for
its cost is given one; then agents are taken away again where the target still holds. All plans meet
the same customers (common random numbers), so that small differences can be seen. At the end
the plan is run with customers that it has not been fitted to, and so are plans with an agent more or less.

It is a search by steps of one, not a proof: a plan with two agents swapped between crews may be cheaper
(Cezik and L'Ecuyer 2008, "Staffing multiskill call centers via linear programming and simulation").
Breaks are not planned: what is found is people at their desks.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from centralita.config import EngineConfig
from centralita.errors import ConfigurationError
from centralita.simulate.arrivals import DAY_NS
from centralita.simulate.distributions import stream
from centralita.simulate.erlang import Load, agents_needed
from centralita.simulate.figures import Mean, Summary, Together, mean_of, t_975, together
from centralita.simulate.plans import Plan, changed, clock, with_plan
from centralita.simulate.replications import Done, Pool
from centralita.simulate.scenario import Crew, Customers, Scenario
from centralita.structs import Frozen

Level = Literal[
    "of_offered", "of_answered", "of_patient", "asterisk_sl", "asterisk_sl2", "genesys", "amazon_connect"
]

ROUNDS_MAX: Final = 60
"""How many times agents may be added, and how many times taken away, before the search stops."""
DAYS_SAMPLED: Final = 20
"""Days of arrivals that the expected demand is the mean of."""
FRESH: Final = 1_000_000
"""Replications from here on confirm what the first ones found."""
BEYOND: Final = 0.05
"""What a share served beyond the target counts beside one short of it, when crews are compared."""
_NS: Final = 1_000_000_000
_MINUTE_S: Final = 60


class Target(Frozen):
    """What must hold in every interval, for every queue. `abandoned_max` None does not matter."""

    level: float
    of: Level = "of_offered"
    abandoned_max: float | None = None


class Interval(Frozen):
    """One interval of the day, and how its queues fare under the plan."""

    start: str
    agents: dict[str, int]
    agents_erlang: dict[str, int]
    levels: dict[str, Mean]
    abandonment: dict[str, Mean]
    met: bool


class Step(Frozen):
    """The plan, or one that differs from it by an agent of one crew in every interval that has any."""

    change: str
    agent_hours: float
    cost: float
    level: Mean
    wait_s_mean: Mean
    abandonment: Mean
    occupancy: Mean


class Staffing(Frozen):
    """What was found. `cost` and `agent_hours` are a day's."""

    target: Target
    interval_s: int
    crews: tuple[str, ...]
    intervals: tuple[Interval, ...]
    cost: float
    agent_hours: float
    steps: tuple[Step, ...]
    plans_tried: int
    met: bool


def staff(
    scenario: Scenario,
    target: Target,
    *,
    pool: Pool,
    interval_s: int = 3600,
    replications: int | None = None,
    seed: int | None = None,
    done: Done | None = None,
) -> Staffing:
    """Find a plan. Raises ConfigurationError for a scenario that can't be planned, with the place."""
    search = _Search(scenario, target, pool, interval_s, replications, seed, done)
    erlang = search.start()
    plan = search.trim(search.mend(erlang))
    return search.report(plan, erlang)


class _Search:
    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        pool: Pool,
        interval_s: int,
        replications: int | None,
        seed: int | None,
        done: Done | None,
    ) -> None:
        self.scenario, self.target, self.pool, self.interval_s, self.done = (
            scenario, target, pool, interval_s, done,
        )  # fmt: skip
        self.seed = scenario.world.seed if seed is None else seed
        self.replications = replications or scenario.world.replications
        self.crews = {
            name: crew for name, crew in scenario.world.crews.items() if crew.agents and not crew.members
        }
        self.interval_ns = interval_s * _NS
        problems = []
        if not self.crews:
            problems.append("simulate.crews: there is none with `agents` whose number could be found")
        if interval_s % _MINUTE_S or 86_400 % interval_s:
            problems.append(f"the interval was {interval_s} s; must be whole minutes and divide a day")
        elif scenario.start_ns % self.interval_ns:
            problems.append(f"simulate.start was {scenario.world.start}; must begin an interval")
        self.can: dict[str, list[str]] = {}
        for name, customers in scenario.world.customers.items():
            self.can[name] = [
                crew for crew, rules in self.crews.items() if _serves(rules, customers, scenario.config)
            ]
            if not self.can[name] and not problems:
                problems.append(f"simulate.customers.{name}: no crew with `agents` has the skills they need")
        if problems:
            raise ConfigurationError(problems)
        first = scenario.start_ns // self.interval_ns
        n = math.ceil(scenario.world.duration_s / interval_s)
        self.a_day = DAY_NS // self.interval_ns
        self.intervals = sorted({(first + index) % self.a_day for index in range(n)})
        self.n = n
        self.first = first
        self.tried = 0

    # Where it begins.

    def start(self) -> Plan:
        """Erlang A for every crew and interval alone."""
        chosen = {
            name: min(can, key=lambda crew: (self.crews[crew].cost_per_hour, len(self.crews[crew].skills)))
            for name, can in self.can.items()
        }
        demand = {name: self._demand(name, customers) for name, customers in self._customers()}
        plan: Plan = {}
        for crew in self.crews:
            theirs = [(name, one) for name, one in self._customers() if chosen[name] == crew]
            plan[crew] = tuple(
                self._erlang([(one, demand[name][place]) for name, one in theirs])
                for place in range(len(self.intervals))
            )
        return plan

    def _customers(self) -> list[tuple[str, Customers]]:
        return list(self.scenario.world.customers.items())

    def _demand(self, name: str, customers: Customers) -> list[float]:
        """Expected customers a second in each interval: the mean of sampled days."""
        counts = dict.fromkeys(self.intervals, 0)
        start_ns = self.scenario.start_ns
        end_ns = start_ns + round(self.scenario.world.duration_s * _NS)
        for sample in range(DAYS_SAMPLED):
            purpose = (self.seed, FRESH - 1 - sample)
            moments = customers.arrivals.moments(
                stream(*purpose, "arrivals", name), stream(*purpose, "days", name), start_ns=start_ns
            )
            for at_ns in moments:
                if at_ns >= end_ns:
                    break
                counts[at_ns // self.interval_ns % self.a_day] += 1
        times = dict.fromkeys(self.intervals, 0)
        for index in range(self.n):
            times[(self.first + index) % self.a_day] += 1
        return [
            counts[interval] / (DAYS_SAMPLED * times[interval] * self.interval_s)
            for interval in self.intervals
        ]

    def _erlang(self, loads: list[tuple[Customers, float]]) -> int:
        per_s = math.fsum(rate for _, rate in loads)
        if per_s == 0:
            return 0
        handling_s = leaving = 0.0
        within_s, shares = 0.0, [rate / per_s for _, rate in loads]
        for (customers, _), share in zip(loads, shares, strict=True):
            rules = self.scenario.config.queues[_queue_of(customers, self.scenario.config)]
            after_s = rules.wrap_up_s
            if customers.wrap_up is not None:
                after_s = min(after_s, customers.wrap_up.expected_s())
            handling_s += share * (customers.handling.expected_s() + after_s)
            if customers.patience is not None:
                leaving += share / max(customers.patience.expected_s(), 0.001)
            within_s += share * rules.answer_target_s
        load = Load(per_s=per_s, handling_s=handling_s, leaving_per_s=leaving)
        return agents_needed(
            load, within_s=within_s, level=self.target.level, abandoned_max=self.target.abandoned_max
        )

    # The search.

    def mend(self, plan: Plan) -> Plan:
        """Add agents until the target holds everywhere, or ROUNDS_MAX."""
        for _ in range(ROUNDS_MAX):
            (found,) = self._run([plan])
            short = [place for place in range(len(self.intervals)) if not self._met(found, place)]
            if not short:
                return plan
            trials = dict(
                zip(self.crews, self._run([changed(plan, c, short, +1) for c in self.crews]), strict=True)
            )
            for place in short:
                before = self._merit(found, place)
                gains = {
                    crew: (self._merit(runs, place) - before) / self.crews[crew].cost_per_hour
                    for crew, runs in trials.items()
                }
                plan = changed(plan, max(gains, key=gains.__getitem__), [place], +1)
        return plan

    def trim(self, plan: Plan) -> Plan:
        """Take agents away where the target holds without them, dearest crews first. Every other interval at
        a time: who waits at the end of one is a burden on the next."""
        fixed: set[tuple[str, int]] = set()
        order = sorted(self.crews, key=lambda crew: -self.crews[crew].cost_per_hour)
        for _ in range(ROUNDS_MAX):
            before = plan
            for crew in order:
                for parity in (0, 1):
                    plan = self._trim_some(plan, crew, parity, fixed)
            if plan == before:
                break
        return plan

    def _trim_some(self, plan: Plan, crew: str, parity: int, fixed: set[tuple[str, int]]) -> Plan:
        places = [
            place
            for place in range(parity, len(self.intervals), 2)
            if plan[crew][place] and (crew, place) not in fixed
        ]
        while places:
            trial = changed(plan, crew, places, -1)
            (found,) = self._run([trial])
            failed = [
                place
                for place in places
                if not all(
                    self._met(found, near) for near in (place, place + 1) if near < len(self.intervals)
                )
            ]
            if not failed:
                return trial
            fixed.update((crew, place) for place in failed)
            places = [place for place in places if place not in failed]
        return plan

    def _run(self, plans: list[Plan], *, first: int = 0) -> list[list[Summary]]:
        self.tried += len(plans)
        return self.pool.summaries(
            [with_plan(self.scenario, plan, self.intervals, self.interval_s) for plan in plans],
            seed=self.seed,
            replications=self.replications,
            first=first,
            interval_ns=self.interval_ns,
            done=self.done,
        )

    def _figures(self, runs: list[Summary], queue: str, place: int, figure: str) -> list[float | None]:
        """A figure of a queue in an interval of the day: one for each run and day."""
        interval = self.intervals[place]
        return [
            run.queue_hours[queue][index][figure]
            for run in runs
            for index in range(self.n)
            if (self.first + index) % self.a_day == interval and index in run.queue_hours[queue]
        ]

    def _met(self, runs: list[Summary], place: int, *, surely: bool = True) -> bool:
        """Whether an interval meets the target; `surely` by a standard error, without which a search among
        many plans would pick those that were merely lucky."""
        most = self.target.abandoned_max
        for queue in self.scenario.config.queues:
            level = mean_of(self._figures(runs, queue, place, self.target.of))
            if level.mean is not None and level.mean - surely * _error(level) < self.target.level:
                return False
            lost = mean_of(self._figures(runs, queue, place, "abandonment"))
            if most is not None and lost.mean is not None and lost.mean + surely * _error(lost) > most:
                return False
        return True

    def _merit(self, runs: list[Summary], place: int) -> float:
        """How near the target the queues of an interval are, what is beyond it counting little."""
        merit = 0.0
        for queue in self.scenario.config.queues:
            level = mean_of(self._figures(runs, queue, place, self.target.of)).mean
            if level is not None:
                merit += min(level, self.target.level) + BEYOND * level
            lost = mean_of(self._figures(runs, queue, place, "abandonment")).mean
            if self.target.abandoned_max is not None and lost is not None:
                merit -= max(0.0, lost - self.target.abandoned_max)
        return merit

    # What is said.

    def report(self, plan: Plan, erlang: Plan) -> Staffing:
        """Run the plan, and its neighbours, with customers that it was not fitted to."""
        changes: list[tuple[str, Plan]] = [("as planned", plan)]
        for crew, numbers in plan.items():
            there = [place for place, number in enumerate(numbers) if number]
            if not there:
                continue
            changes += [(f"{step:+d} {crew}", changed(plan, crew, there, step)) for step in (-1, 1, 2)]
        results = self._run([one for _, one in changes], first=FRESH)
        places = range(len(self.intervals))
        queues = self.scenario.config.queues
        intervals = tuple(
            Interval(
                start=clock(self.intervals[place] * self.interval_s),
                agents={crew: plan[crew][place] for crew in plan},
                agents_erlang={crew: erlang[crew][place] for crew in plan},
                levels={q: mean_of(self._figures(results[0], q, place, self.target.of)) for q in queues},
                abandonment={q: mean_of(self._figures(results[0], q, place, "abandonment")) for q in queues},
                met=self._met(results[0], place, surely=False),
            )
            for place in places
        )
        return Staffing(
            target=self.target,
            interval_s=self.interval_s,
            crews=tuple(plan),
            intervals=intervals,
            cost=self._cost(plan),
            agent_hours=self._hours(plan),
            steps=tuple(
                self._step(change, one, together(runs))
                for (change, one), runs in zip(changes, results, strict=True)
            ),
            plans_tried=self.tried,
            met=all(interval.met for interval in intervals),
        )

    def _step(self, change: str, plan: Plan, found: Together) -> Step:
        busy = [measured["busy_s"].mean or 0.0 for measured in found.crews.values()]
        there = [measured["staffed_s"].mean or 0.0 for measured in found.crews.values()]
        occupancy = math.fsum(busy) / math.fsum(there) if any(there) else None
        return Step(
            change=change,
            agent_hours=self._hours(plan),
            cost=self._cost(plan),
            level=found.total[self.target.of],
            wait_s_mean=found.total["wait_s_mean"],
            abandonment=found.total["abandonment"],
            occupancy=Mean(mean=occupancy, half_width=None, runs=found.runs),
        )

    def _hours(self, plan: Plan) -> float:
        return sum(sum(numbers) for numbers in plan.values()) * self.interval_s / 3600

    def _cost(self, plan: Plan) -> float:
        return math.fsum(
            sum(numbers) * self.interval_s / 3600 * self.crews[crew].cost_per_hour
            for crew, numbers in plan.items()
        )


def _error(mean: Mean) -> float:
    """The standard error of a mean; none of a single run's."""
    return 0.0 if mean.half_width is None else mean.half_width / t_975(mean.runs - 1)


def _queue_of(customers: Customers, config: EngineConfig) -> str:
    channel = config.channels[customers.channel or next(iter(config.channels))]
    return customers.queue or channel.queue or config.default_queue


def _serves(crew: Crew, customers: Customers, config: EngineConfig) -> bool:
    """Whether a crew's agents have what the customers need, at the latest after the queue's last ring."""
    rules = config.queues[_queue_of(customers, config)]
    dropped = {skill for ring in rules.rings for skill in ring.drop}
    return all(
        crew.skills.get(skill, 0) >= level
        for needed in (rules.skills, customers.skills)
        for skill, level in needed.items()
        if skill not in dropped
    )
