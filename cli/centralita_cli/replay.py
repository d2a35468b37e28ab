"""`centralita replay`: a recording through the real engine, its figures beside the recorded ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec
from rich.text import Text

from centralita.simulate.anonbank import read_anonbank
from centralita.simulate.journal_demand import read_journal
from centralita.simulate.queue_log import read_queue_log
from centralita.simulate.recorded import Recording, RecordingError
from centralita.simulate.recorder import Recorder
from centralita.simulate.replay import AWAY_AFTER_S, Cell, Comparison
from centralita.simulate.replay import replay as run_replay
from centralita.simulate.table import load_map, read_table
from centralita_cli import tables
from centralita_cli.exits import Unusable
from centralita_cli.options import SECONDS_MAX, Number, json_option, table_options
from centralita_cli.simulate import write_recorded

Command = TypeVar("Command", bound=Callable[..., Any])

READERS: Final = {"anonbank": read_anonbank, "journal": read_journal, "queue_log": read_queue_log}
TABLE: Final = "table"
COLUMNS: Final = (
    ">asked", ">served", ">", ">abandoned", ">", ">mean wait", ">", ">longest", ">", ">in target", ">",
)  # fmt: skip


def recording_options(command: Command) -> Command:
    """Give a command the file of a recording and the options that say how to read it."""
    for option in (
        click.option(
            "--columns",
            type=click.Path(dir_okay=False, path_type=Path),
            help=f"For --format {TABLE}: the TOML file that says which column is what (docs/simulate.md).",
        ),
        click.option(
            "--format",
            "format_name",
            type=click.Choice(sorted([*READERS, TABLE])),
            required=True,
            help="Who recorded it.",
        ),
        click.argument("file", type=click.Path(dir_okay=False, path_type=Path)),
    ):
        command = option(command)
    return command


def read_recording(file: Path, format_name: str, columns: Path | None) -> Recording:
    """Read a recording as the options say. Raises Unusable with the line and the column of a fault."""
    if (columns is None) == (format_name == TABLE):
        raise Unusable(f"--format {TABLE} and --columns go together: one was given, not the other")
    try:
        if columns is not None:
            recording = read_table(file, load_map(columns))
        else:
            recording = READERS[format_name](file)
    except RecordingError as error:
        raise Unusable(str(error)) from error
    if not recording.contacts:
        raise Unusable(f"{file}: holds no contact")
    return recording


@click.command()
@recording_options
@click.option(
    "--away-after",
    type=Number(0, SECONDS_MAX, min_open=True),
    default=AWAY_AFTER_S,
    show_default=True,
    help="Seconds without a service after which an agent is taken to have been away.",
)
@click.option(
    "--wrap-up",
    type=Number(0, SECONDS_MAX),
    help="Seconds of after-call work; as the recording shows it when not given.",
)
@click.option("--naive", is_flag=True, help="Decide by the readable specification of the matching queue.")
@click.option("--hours-by-kind", is_flag=True, help="Show every kind in every hour.")
@table_options(required=False)
@json_option
def replay(
    file: Path,
    format_name: str,
    columns: Path | None,
    away_after: float,
    wrap_up: float | None,
    naive: bool,
    hours_by_kind: bool,
    to: Path | None,
    kind: str,
    interval_s: int,
    as_json: bool,
) -> None:
    """Put a recording through the real engine in virtual time.

    Arrivals, patience and handling times are the recording's; who serves whom and when is the engine's.
    In each pair of columns the recorded figure stands first, the engine's second.
    """
    recording = read_recording(file, format_name, columns)
    recorder = Recorder() if to is not None else None
    found = run_replay(
        recording,
        core="naive" if naive else "native",
        away_after_s=away_after,
        wrap_up_s=wrap_up,
        watch=recorder.attach if recorder is not None else None,
    )
    if to is not None and recorder is not None:
        write_recorded(to, kind, recorder, interval_s=interval_s)
    if as_json:
        tables.write_json(msgspec.to_builtins(found))
    else:
        _print(found, hours_by_kind=hours_by_kind)


def _print(found: Comparison, *, hours_by_kind: bool) -> None:
    outcomes = sorted({**found.outcomes_recorded, **found.outcomes_engine})
    wrap_ups = ", ".join(f"{kind} {spent_s:.1f} s" for kind, spent_s in found.wrap_up_s.items() if spent_s)
    tables.put(
        Text(
            f"{found.source}: {found.records:,} records, {found.agents} agents, {found.commands:,} commands"
        ),
        Text(f"After-call work: {wrap_ups or 'none'}."),
        *(Text(f"Left out: {n:,} {what}.") for what, n in found.unread),
        Text(
            f"Recorded | engine. In target: served within {found.target_s:g} s, of all who asked for an agent."
        ),
        Text(),
        tables.table(
            ("outcome", ">recorded", ">engine"),
            [
                (name, f"{found.outcomes_recorded.get(name, 0):,}", f"{found.outcomes_engine.get(name, 0):,}")
                for name in outcomes
            ]
            + [("all", f"{found.records:,}", f"{sum(found.outcomes_engine.values()):,}")],
        ),
        Text(),
        tables.table(
            ("kind", *COLUMNS), [_row(cell.kind, cell) for cell in found.kinds] + [_row("all", found.total)]
        ),
        Text(),
        tables.table(("hour", *COLUMNS), [_row(f"{cell.hour:02}", cell) for cell in found.hours]),
    )
    if hours_by_kind:
        rows = [_row(f"{cell.kind} {cell.hour:02}", cell) for cell in found.kinds_hours]
        tables.put(Text(), tables.table(("kind, hour", *COLUMNS), rows))


def _row(name: str, cell: Cell) -> tuple[str, ...]:
    then, now = cell.recorded, cell.engine
    return (
        name,
        f"{then.asked:,}",
        f"{then.served:,}",
        f"{now.served:,}",
        f"{then.abandoned:,}",
        f"{now.abandoned:,}",
        f"{then.waited_s_mean:.1f} s",
        f"{now.waited_s_mean:.1f} s",
        f"{then.waited_s_max:.0f} s",
        f"{now.waited_s_max:.0f} s",
        f"{then.in_target:.1%}",
        f"{now.in_target:.1%}",
    )
