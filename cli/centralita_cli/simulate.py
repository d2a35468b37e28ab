"""`centralita simulate`: a scenario through the real engine, many times, its figures with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from centralita import frames
from centralita import simulate as simulator
from centralita.errors import ConfigurationError
from centralita.simulate.calibration import Coverage, Probe, by_position, coverage
from centralita.simulate.figures import LEVELS, Mean, Together, together
from centralita.simulate.replications import Done, replicate
from centralita.simulate.scenario import Scenario
from centralita_cli import tables
from centralita_cli.exits import Unusable, broken_by, unusable
from centralita_cli.options import json_option, table_options
from centralita_cli.plots import HOURS_A_DAY, hour_name

COLUMNS: Final = (
    ">offered", ">served", ">abandoned", ">waited", ">mean wait", ">mean answer", ">p90 answer", ">in target",
)  # fmt: skip


@click.command()
@click.argument("file", metavar="SCENARIO.toml", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--replications", type=click.IntRange(1, 100_000), help="How many runs; else the scenario says."
)
@click.option("--seed", type=int, help="Where the streams of random numbers begin; else the scenario says.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes at once; one a core when not given.")
@click.option("--hours", "by_hour", is_flag=True, help="Show every hour of every queue.")
@click.option("--agents", "by_agent", is_flag=True, help="Show every agent.")
@click.option(
    "--calibrate", is_flag=True, help="Hold the estimated waits of one further run against what came."
)
@click.option(
    "--plots",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plots to one page (.html) or picture (.svg, .png).",
)
@table_options(required=False)
@json_option
def simulate(
    file: Path,
    replications: int | None,
    seed: int | None,
    workers: int | None,
    by_hour: bool,
    by_agent: bool,
    calibrate: bool,
    plots: Path | None,
    to: Path | None,
    kind: str,
    interval_s: int,
    as_json: bool,
) -> None:
    """Run a scenario in virtual time, several times, and show its figures with 95 % intervals.

    A scenario is a configuration with customers, crews and shifts: docs/simulate.md. The engine is the one
    that the daemon runs.
    """
    scenario = read_scenario(file)
    if plots is not None:
        _drawing_or_unusable(plots)
    runs = replications or scenario.world.replications
    with progress("simulating", runs) as done:
        found = together(
            replicate(scenario, replications=replications, seed=seed, workers=workers, done=done)
        )
    held = _calibrate(scenario, seed, runs) if calibrate else None
    if plots is not None:
        from centralita_cli import plots as drawing

        with broken_by(drawing.DrawingError):
            drawing.write(
                plots,
                found,
                held,
                title=scenario.name,
                start_ns=scenario.start_ns,
                table=(("queue", *COLUMNS), _queue_rows(found, scenario)),
            )
    if to is not None:
        recorder = simulator.Recorder()
        simulator.run(scenario, seed, watch=recorder.attach)
        write_recorded(to, kind, recorder, interval_s=interval_s)
    if as_json:
        value: dict[str, Any] = {"scenario": scenario.name, **msgspec.to_builtins(found, str_keys=True)}
        if held is not None:
            value["calibration"] = msgspec.to_builtins(held, str_keys=True)
        tables.write_json(value)
        return
    _print(found, scenario, by_hour=by_hour, by_agent=by_agent)
    if held is not None:
        _print_calibration(held)


def write_recorded(to: Path, kind: str, recorder: simulator.Recorder, *, interval_s: int) -> None:
    """Write a table of one run and say so on stderr, where it is in no program's way."""
    with broken_by(frames.TableError):
        rows = frames.write(to, kind, recorder.records, interval_s=interval_s)
    click.echo(f"{to}: {rows:,} rows of {kind}", err=True)


def read_scenario(file: Path) -> Scenario:
    """The scenario of a file. Raises Unusable with every problem in it."""
    try:
        return simulator.load(file)
    except ConfigurationError as error:
        raise unusable(error, str(file)) from error


@contextmanager
def progress(what: str, steps: int | None) -> Iterator[Done]:
    """A bar on stderr, when that is a terminal; `steps` None when nobody knows how many there will be."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=steps)
        yield lambda: bar.advance(task)


def estimated(found: Mean, form: str = "{:.2f}") -> str:
    """A mean and its half-width, as people write them."""
    if found.mean is None:
        return tables.NOTHING
    text = form.format(found.mean)
    return text if found.half_width is None else f"{text} ± {form.format(found.half_width)}"


def share(found: Mean) -> str:
    """A share of one in per cent, and its half-width."""
    if found.mean is None:
        return tables.NOTHING
    return f"{found.mean:.1%}" if found.half_width is None else f"{found.mean:.1%} ± {found.half_width:.1%}"


def _drawing_or_unusable(path: Path) -> None:
    """Say before a long run, not after it, that nothing could be drawn."""
    from centralita_cli import plots as drawing

    problem = drawing.problem(path)
    if problem:
        raise Unusable(problem)


def _calibrate(scenario: Scenario, seed: int | None, replication: int) -> dict[str, dict[int, Coverage]]:
    """Coverage by queue and position; position 0 is all of them."""
    world = scenario.world
    probe = Probe(from_ns=scenario.start_ns + round(world.warm_up_s * tables.NS_PER_S))
    simulator.run(scenario, seed, replication=replication, watch=probe.attach)
    held: dict[str, dict[int, Coverage]] = {}
    for queue in scenario.config.queues:
        checked = [one for one in probe.checked if one.queue == queue]
        whole = coverage(checked)
        if whole is not None:
            held[queue] = {0: whole, **by_position(checked)}
    return held


def _print(found: Together, scenario: Scenario, *, by_hour: bool, by_agent: bool) -> None:
    tables.put(
        Text(f"{scenario.name or 'scenario'}: {found.runs} runs, {found.commands:,} commands to the engine"),
        Text("In target: served within the queue's target, of all offered. ±: 95 % confidence, Student's t."),
        Text(),
        tables.table(("queue", *COLUMNS), _queue_rows(found, scenario)),
    )
    if len(found.customers) > 1:
        rows = [_row(name, measured) for name, measured in found.customers.items()]
        tables.put(Text(), tables.table(("customers", *COLUMNS), rows))
    levels = [
        [name, *(share(measured[level]) for level in LEVELS)] for name, measured in found.queues.items()
    ]
    crews = [_staff_row(name, measured) for name, measured in found.crews.items()]
    staff_columns = ("crew", ">agents", ">served", ">hours there", ">occupancy")
    tables.put(
        Text(),
        tables.table(("service level of", *(f">{level}" for level in LEVELS)), levels),
        Text(),
        tables.table(staff_columns, crews),
    )
    if by_agent:
        rows = [_staff_row(name, measured) for name, measured in found.agents.items()]
        tables.put(Text(), tables.table(("agent", *staff_columns[1:]), rows))
    if by_hour:
        dated = max(found.hours, default=0) >= HOURS_A_DAY
        rows = [
            _row(f"{name} {hour_name(scenario.start_ns, hour, dated=dated)}", measured)
            for name, hours in found.queue_hours.items()
            for hour, measured in sorted(hours.items())
        ]
        tables.put(Text(), tables.table(("queue, hour", *COLUMNS), rows))
    left = found.total["unfinished"].mean
    if left:
        tables.put(Text(), Text(f"{left:.1f} contacts a run were still waiting, or served, when it ended."))


def _queue_rows(found: Together, scenario: Scenario) -> list[tuple[str, ...]]:
    targets = {name: rules.answer_target_s for name, rules in scenario.config.queues.items()}
    queues = [_row(f"{name} ({targets[name]:g} s)", measured) for name, measured in found.queues.items()]
    return [*queues, _row("all", found.total)]


def _row(name: str, measured: dict[str, Mean]) -> tuple[str, ...]:
    seconds = "{:.1f} s"
    return (
        name,
        estimated(measured["offered"], "{:,.0f}"),
        estimated(measured["served"], "{:,.0f}"),
        share(measured["abandonment"]),
        share(measured["delayed"]),
        estimated(measured["wait_s_mean"], seconds),
        estimated(measured["answer_s_mean"], seconds),
        estimated(measured["answer_s_p90"], seconds),
        share(measured["of_offered"]),
    )


def _staff_row(name: str, measured: dict[str, Mean]) -> tuple[str, ...]:
    there_s = measured["staffed_s"].mean or 0.0
    agents = measured.get("agents")
    return (
        name,
        f"{agents.mean:.0f}" if agents is not None and agents.mean is not None else "1",
        estimated(measured["served"], "{:,.0f}"),
        f"{there_s / 3600:,.1f}",
        share(measured["occupancy"]),
    )


def _print_calibration(held: dict[str, dict[int, Coverage]]) -> None:
    rows = [
        (
            queue,
            f"from {position}" if position else "any",
            f"{found.estimates:,}",
            f"{found.claimed:.0%}",
            f"{found.held:.1%}",
            f"{found.below:.1%}",
            f"{found.above:.1%}",
            f"{found.expected_s_mean:.1f} s",
            f"{found.waited_s_mean:.1f} s",
        )
        for queue, groups in held.items()
        for position, found in groups.items()
    ]
    columns = (
        "estimates of", "position", ">contacts", ">claimed", ">held", ">sooner", ">later", ">expected", ">waited",
    )  # fmt: skip
    tables.put(Text(), tables.table(columns, rows) if rows else Text("Nobody waited: no estimate to check."))
