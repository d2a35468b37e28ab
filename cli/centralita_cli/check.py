"""`centralita check`: everything that can be said about a configuration before anything runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from centralita.calendars import calendars, zone_named
from centralita.config import load
from centralita.errors import ConfigurationError
from centralita.lint import lint, lint_configuration
from centralita.plugins import load_plugins
from centralita.simulate import scenario_file
from centralita.views import Problem
from centralita_cli import tables
from centralita_cli.exits import OK, PROBLEM, Unusable, failing_as
from centralita_cli.options import CONFIG_VARIABLE, existing_config, json_option

_PLACE: Final = re.compile(r"(?P<path>[^\s:]+(?:\[\d+\])?):?\s+(?P<message>.*)", re.DOTALL)


@click.command()
@click.argument(
    "file", required=False, envvar=CONFIG_VARIABLE, type=click.Path(dir_okay=False, path_type=Path)
)
@click.option("--strict", is_flag=True, help="Warnings too end with exit code 1.")
@json_option
@click.pass_context
def check(ctx: click.Context, file: Path | None, strict: bool, as_json: bool) -> None:
    """Check a configuration: can it be used, and does it make sense?

    FILE is centralita.toml in this folder when not given; it may be a scenario for `simulate`. Ends with 1 when there is an error.
    """
    path = existing_config(file)
    problems = find_problems(path)
    errors = sum(problem.level == "error" for problem in problems)
    warnings = len(problems) - errors
    if as_json:
        found = [msgspec.to_builtins(problem) for problem in problems]
        tables.write_json({"file": str(path), "problems": found, "errors": errors, "warnings": warnings})
    else:
        _print(path, problems, errors, warnings)
    ctx.exit(PROBLEM if errors or (strict and warnings) else OK)


def find_problems(path: Path) -> list[Problem]:
    """The faults that make a file unusable, or when there are none, what the linter finds in it."""
    with failing_as(Unusable):
        plugins = load_plugins()
    faults: list[str] = []
    try:
        if "simulate" in (tables := scenario_file.tables_in(path)):
            return _in_scenario(tables, path)
        configuration = load(path)
    except ConfigurationError as error:
        return [_problem(fault) for fault in error.problems]
    for judge in (
        lambda: plugins.prepare(
            [*configuration.components, *filter(None, [configuration.journal])], configuration=configuration
        ),
        lambda: calendars(configuration.hours),
        lambda: zone_named(configuration.domain.time_zone, "domain.time_zone"),
    ):
        try:
            judge()
        except ConfigurationError as error:
            faults += error.problems
    if faults:
        return [_problem(fault) for fault in faults]
    deprecated = [
        Problem(level="warning", path=f"plugin {name}", message=words)
        for name, words in plugins.deprecations()
    ]
    return [*lint_configuration(configuration), *deprecated]


def _in_scenario(tables: dict[str, Any], path: Path) -> list[Problem]:
    """What the linter finds in a scenario: its crews' agents are agents, and its customers come to the queues they name."""
    world, live = scenario_file.parts_of(tables, path.parent)
    engine = scenario_file.assemble(world, live).config
    named = [customers.queue for customers in world.customers.values() if customers.queue]
    return lint(engine, hours=live.hours, named_elsewhere=named)


def _problem(fault: str) -> Problem:
    """A line that begins with its place, as `path: words` or `path was 'x'; …`, taken apart."""
    match = _PLACE.fullmatch(fault)
    if match is None:
        return Problem(level="error", path="", message=fault)
    return Problem(level="error", path=match["path"], message=match["message"])


def _print(path: Path, problems: list[Problem], errors: int, warnings: int) -> None:
    lines = [
        Text.assemble(tables.state(problem.level), f" {problem.path}: {problem.message}")
        for problem in problems
    ]
    counted = f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}"
    tables.put(*lines, f"{path}: {counted if problems else 'nothing to mend'}")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
