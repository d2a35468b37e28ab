"""`centralita staff`: how many agents, of which crew and when, meet a target at least cost."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from msgspec.structs import replace
from rich.text import Text

from centralita.errors import ConfigurationError
from centralita.simulate.figures import LEVELS
from centralita.simulate.replications import pool
from centralita.simulate.scenario import Scenario
from centralita.simulate.staffing import Staffing, Target
from centralita.simulate.staffing import staff as find
from centralita_cli import tables
from centralita_cli.exits import PROBLEM, unusable
from centralita_cli.options import SECONDS_MAX, Number, json_option
from centralita_cli.simulate import estimated, progress, read_scenario, share

AN_HOUR_MIN = 60


@click.command()
@click.argument("file", metavar="SCENARIO.toml", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--level",
    type=Number(0, 1, min_open=True),
    default=0.8,
    show_default=True,
    help="The service level that every queue must reach in every interval.",
)
@click.option(
    "--definition",
    type=click.Choice(LEVELS),
    default="of_offered",
    show_default=True,
    help="Whose service level: docs/figures.md.",
)
@click.option(
    "--within", "within_s", type=Number(0, SECONDS_MAX), help="Seconds; else each queue's answer_target_s."
)
@click.option("--abandoned", "abandoned_max", type=Number(0, 1), help="The most that may give up.")
@click.option(
    "--interval",
    "interval_min",
    type=click.IntRange(1, 1440),
    default=AN_HOUR_MIN,
    show_default=True,
    help="Minutes for which the number of agents stays the same.",
)
@click.option(
    "--replications", type=click.IntRange(2, 100_000), help="Runs of each plan; else the scenario says."
)
@click.option("--seed", type=int, help="Where the streams of random numbers begin; else the scenario says.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes at once; one a core when not given.")
@json_option
def staff(
    file: Path,
    level: float,
    definition: str,
    within_s: float | None,
    abandoned_max: float | None,
    interval_min: int,
    replications: int | None,
    seed: int | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Find the agents that a scenario needs, by crew and interval, and what each further one buys.

    The crews' skills, costs and behaviour are the scenario's; their numbers and shifts are found: Erlang A
    to begin with, then runs of the real engine. Ends with 1 when the target is not met.
    """
    scenario = _aimed(read_scenario(file), within_s)
    target = Target(
        level=level,
        of=definition,  # type: ignore[arg-type]  # click lets nothing else in
        abandoned_max=abandoned_max,
    )
    try:
        with pool(workers) as running, progress("trying plans", None) as done:
            found = find(
                scenario,
                target,
                pool=running,
                interval_s=interval_min * 60,
                replications=replications,
                seed=seed,
                done=done,
            )
    except ConfigurationError as error:
        raise unusable(error, str(file)) from error
    if as_json:
        tables.write_json(msgspec.to_builtins(found))
    else:
        _print(found, scenario)
    if not found.met:
        raise click.exceptions.Exit(PROBLEM)


def _aimed(scenario: Scenario, within_s: float | None) -> Scenario:
    if within_s is None:
        return scenario
    queues = {
        name: replace(rules, answer_target_s=within_s) for name, rules in scenario.config.queues.items()
    }
    return replace(scenario, config=replace(scenario.config, queues=queues))


def _print(found: Staffing, scenario: Scenario) -> None:
    queues = list(scenario.config.queues)
    rows = [
        (
            interval.start,
            *(f"{interval.agents[crew]} ({interval.agents_erlang[crew]})" for crew in found.crews),
            *(share(interval.levels[queue]) for queue in queues),
            "yes" if interval.met else "no",
        )
        for interval in found.intervals
    ]
    most = found.target.abandoned_max
    tables.put(
        Text(
            f"Target: {found.target.of} at least {found.target.level:.0%} in every interval and queue"
            + ("" if most is None else f", at most {most:.0%} abandoned")
            + f". {found.plans_tried} plans tried."
        ),
        Text("Agents, in brackets what Erlang A alone would say; then the level that fresh customers met."),
        Text(),
        tables.table(
            ("from", *(f">{crew}" for crew in found.crews), *(f">{q}" for q in queues), "met"), rows
        ),
        Text(),
        Text(
            f"A day: {found.agent_hours:,.1f} agent hours, cost {found.cost:,.2f}. What an agent more or less buys:"
        ),
        tables.table(
            ("agents", ">agent hours", ">cost", ">level", ">abandoned", ">mean wait", ">occupancy"),
            [
                (
                    step.change,
                    f"{step.agent_hours:,.1f}",
                    f"{step.cost:,.2f}",
                    share(step.level),
                    share(step.abandonment),
                    estimated(step.wait_s_mean, "{:.1f} s"),
                    share(step.occupancy),
                )
                for step in found.steps
            ],
        ),
    )
