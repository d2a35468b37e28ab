"""A plan of agents by crew and interval of the day, and the scenario that has it in place of its own crews."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from centralita.simulate.scenario import Scenario, Shift, agents_made, agents_of

Plan = dict[str, tuple[int, ...]]
"""By crew, the agents in each of the intervals."""


def with_plan(scenario: Scenario, plan: Plan, intervals: Sequence[int], interval_s: int) -> Scenario:
    """The scenario with a plan's agents in place of its crews' own. `intervals` are numbered from midnight."""
    crews = {name: crew for name, crew in scenario.world.crews.items() if name not in plan}
    dropped = {agent for name in plan for agent in agents_of(name, scenario.world.crews[name])}
    for name, numbers in plan.items():
        # Agents who are there in the same intervals make a crew: the k-th is there wherever k are needed.
        alike: dict[tuple[int, ...], int] = {}
        for rank in range(1, max(numbers, default=0) + 1):
            there = tuple(
                interval for interval, number in zip(intervals, numbers, strict=True) if number >= rank
            )
            alike[there] = alike.get(there, 0) + 1
        for index, (there, agents) in enumerate(alike.items()):
            shifts = tuple(_shift(first, last, interval_s) for first, last in _stretches(there))
            crews[f"{name}.{index}"] = replace(scenario.world.crews[name], agents=agents, shifts=shifts)
    kept = {name: agent for name, agent in scenario.config.agents.items() if name not in dropped}
    return replace(
        scenario,
        world=replace(scenario.world, crews=crews),
        config=replace(scenario.config, agents={**kept, **agents_made(crews)}),
    )


def changed(plan: Plan, crew: str, places: Sequence[int], step: int) -> Plan:
    """A plan with so many agents more, or less, of a crew in some of its intervals."""
    numbers = list(plan[crew])
    for place in places:
        numbers[place] = max(0, numbers[place] + step)
    return {**plan, crew: tuple(numbers)}


def clock(seconds: int) -> str:
    """A time of day, as shifts have it."""
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"


def _stretches(there: Sequence[int]) -> list[tuple[int, int]]:
    """(first, last) of each unbroken row of intervals."""
    found: list[tuple[int, int]] = []
    for interval in there:
        if found and found[-1][1] == interval - 1:
            found[-1] = (found[-1][0], interval)
        else:
            found.append((interval, interval))
    return found


def _shift(first: int, last: int, interval_s: int) -> Shift:
    return Shift(start=clock(first * interval_s), end=clock((last + 1) * interval_s))
