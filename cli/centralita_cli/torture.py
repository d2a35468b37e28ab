"""`centralita torture`: the engine under simulated faults, from one seed, until something breaks or the steps are done."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.text import Text

from centralita.simulate.torture import Found, Report
from centralita.simulate.torture import torture as run
from centralita_cli import tables
from centralita_cli.exits import OK, PROBLEM
from centralita_cli.options import json_option


@click.command()
@click.option("--seed", type=click.IntRange(0, 2**63), default=1, show_default=True, help="Which torture.")
@click.option(
    "--steps",
    type=click.IntRange(1, 10**12),
    default=1_000_000,
    show_default=True,
    help="How long, at least: the last day is lived to its end.",
)
@click.option(
    "--day", type=click.IntRange(1, 10**9), help="This day of the seed alone, as a failure names it."
)
@click.option(
    "--core",
    "cores",
    type=click.Choice(["both", "native", "naive"]),
    default="both",
    show_default=True,
    help="Which matching queue; both: the compiled one, on one day in four with the other in lockstep.",
)
@click.option("--no-shrink", is_flag=True, help="Don't look for a shorter history that breaks the same rule.")
@json_option
def torture(seed: int, steps: int, day: int | None, cores: Any, no_shrink: bool, as_json: bool) -> None:
    """Torture the engine in virtual time: crashes, torn writes, late answers, and everything at once.

    A model centre lives day after day with a disk that loses what was not synced, plugins that answer late, twice
    or never, and rules that change in the middle of it all. After every step the engine is held against books
    kept beside it: docs/torture.md. The same seed is the same torture; a failure says how to have it again.
    """
    report = run(seed, steps, cores=cores, day=day, shrink=not no_shrink)
    if as_json:
        tables.write_json({**msgspec.to_builtins(report), "steps_per_min": report.steps_per_min})
    else:
        _print(report)
    raise SystemExit(PROBLEM if report.violation is not None else OK)


def _print(report: Report) -> None:
    tables.put(
        Text(
            f"seed {report.seed}: {report.steps:,} steps in {report.days:,} days,"
            f" {report.steps_per_min:,} a minute of one core"
        ),
        Text(
            f"{report.commands:,} commands, {report.events:,} events, {report.contacts:,} contacts,"
            f" {report.crashes:,} crashes that took {report.records_lost:,} unacknowledged records"
        ),
    )
    if report.violation is None:
        tables.put(Text("every rule held"))
    else:
        _print_found(report.violation)


def _print_found(found: Found) -> None:
    tables.put(
        Text(),
        Text(f"BROKEN: {found.rule}, on day {found.day} of seed {found.seed}, step {found.step}"),
        Text(found.detail),
        Text(),
        Text("The last commands:"),
        *(Text(line) for line in found.last),
    )
    if found.minimal:
        tables.put(
            Text(),
            Text(f"The shortest history found that breaks it, {len(found.minimal)} commands:"),
            *(Text(line) for line in found.minimal),
        )
    tables.put(Text(), Text(f"again: {found.again}"))
