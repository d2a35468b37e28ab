"""Options that several commands share, and what they stand for: which file, which daemon, which form."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from centralita import frames
from centralita.config import Configuration, load
from centralita.errors import ConfigurationError
from centralita.rows import INTERVAL_S, KINDS
from centralita_cli.exits import Refused, Unusable, unusable

Command = TypeVar("Command", bound=Callable[..., Any])

SECONDS_MAX: Final = 31_536_000
"""The most seconds that a setting or an option may be: a year."""
CONFIG_NAME: Final = "centralita.toml"
CONFIG_VARIABLE: Final = "CENTRALITA_CONFIG"

config_option: Final = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    help=f"The configuration file; {CONFIG_NAME} in this folder when not given.",
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")


def online(command: Command) -> Command:
    """Give a command the options that say which daemon to ask, and in which form to answer."""
    for option in (
        json_option,
        click.option(
            "--token",
            envvar="CENTRALITA_TOKEN",
            help="Who asks; else $CENTRALITA_TOKEN, else this machine's own, found through the configuration.",
        ),
        click.option(
            "--url",
            envvar="CENTRALITA_URL",
            show_envvar=True,
            help="Where the daemon is; else the configuration says.",
        ),
        config_option,
    ):
        command = option(command)
    return command


class Number(click.FloatRange):
    """A number between bounds. "nan" is none, though neither bound forbids it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        if isfinite(found := super().convert(value, param, ctx)):
            return found
        self.fail(f"{value!r} is not a number in the range {self._describe_range()}.", param, ctx)


class TableFile(click.ParamType[Path]):
    """A file that a table can be written to; what can't be is said before the work begins."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        path = Path(value)
        if reason := frames.problem(path):
            self.fail(reason, param, ctx)
        return path


def table_options(*, required: bool) -> Callable[[Command], Command]:
    """Options that say which table is written where: `to`, `kind` and `interval_s`."""
    names = ("-o", "--output", "to") if required else ("--table", "to")

    def with_options(command: Command) -> Command:
        for option in (
            click.option(
                "--interval",
                "interval_s",
                type=click.IntRange(1, SECONDS_MAX),
                default=INTERVAL_S,
                show_default=True,
                help="Seconds of one interval, for --kind intervals.",
            ),
            click.option(
                "--kind",
                type=click.Choice(KINDS),
                default="stays",
                show_default=True,
                help="What a row of the table is.",
            ),
            click.option(
                *names,
                type=TableFile(),
                required=required,
                help=f"Write a table to this file: {', '.join(frames.FORMATS)} (docs/tables.md).",
            ),
        ):
            command = option(command)
        return command

    return with_options


yes_option: Final = click.option("--yes", is_flag=True, help="Don't ask.")


def ask_first(question: str, *, yes: bool, otherwise: str) -> None:
    """Ask, unless told by `--yes` not to. Raises Refused, saying what was not done, when the answer is not yes."""
    try:
        if yes or click.confirm(question, err=True):
            return
    except click.Abort:
        # Where nobody can answer, or with Ctrl-C.
        click.echo(err=True)
    raise Refused(f"{otherwise}: the question was not answered with yes (--yes doesn't ask)")


def existing_config(path: Path | None) -> Path:
    """The configuration file to use. Raises Unusable when there is none."""
    path = path or Path(CONFIG_NAME)
    try:
        there = path.is_file()
    except OSError as error:
        raise Unusable(f"{path}: can't be read: {error.strerror}") from error
    if not there:
        raise Unusable(
            f"{path}: no such file; `centralita init` writes one, -c or ${CONFIG_VARIABLE} names another",
        )
    return path


def loaded(path: Path | None) -> Configuration:
    """The configuration, decoded. Raises Unusable with every problem in it."""
    path = existing_config(path)
    try:
        return load(path)
    except ConfigurationError as error:
        raise unusable(error, str(path)) from error
