"""`centralita whatif`: recorded demand under another configuration, side by side."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from msgspec.structs import replace
from rich.text import Text

from centralita.calendars import zone_named
from centralita.config import Configuration, EngineConfig
from centralita.errors import ConfigurationError
from centralita.simulate.figures import Mean
from centralita.simulate.journal_demand import Demand, records_of
from centralita.simulate.processes import workers_n
from centralita.simulate.recorded import Recording, RecordingError
from centralita.simulate.whatif import Cell, WhatIf, hours_in
from centralita.simulate.whatif import whatif as run_whatif
from centralita.simulate.whatif_figures import ALL, LEVELS, NO_HOUR, Times
from centralita_cli import tables
from centralita_cli.exits import Unusable, failing_as, unusable
from centralita_cli.options import json_option, loaded
from centralita_cli.replay import READERS, TABLE, read_recording
from centralita_cli.simulate import progress

JOURNAL = "journal"
COLUMNS = (
    ">asked", ">mean wait", ">now", ">then", ">change", ">service level", ">now", ">then", ">change",
    ">abandoned", ">now", ">then", ">change", ">occupancy", ">now", ">then",
)  # fmt: skip


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-c",
    "--config",
    "proposed_path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The proposed configuration.",
)
@click.option(
    "--present",
    "present_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration that was in force; the journal's last, or what the recording shows, when not given.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(sorted([*READERS, TABLE])),
    default=JOURNAL,
    show_default=True,
    help="Who recorded it.",
)
@click.option(
    "--columns",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"For --format {TABLE}: the TOML file that says which column is what.",
)
@click.option(
    "--queue",
    "renamed",
    multiple=True,
    metavar="THEIRS=OURS",
    help="Which queue here a queue of the recording is; one of the same name, but for capitals, when not said.",
)
@click.option("--replications", type=click.IntRange(2, 10_000), default=20, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; one a core when not given.")
@click.option("--hours-by-queue", is_flag=True, help="Show every queue in every hour.")
@json_option
def whatif(
    file: Path,
    proposed_path: Path,
    present_path: Path | None,
    format_name: str,
    columns: Path | None,
    renamed: tuple[str, ...],
    replications: int,
    seed: int,
    workers: int | None,
    hours_by_queue: bool,
    as_json: bool,
) -> None:
    """Put a recorded day's demand through another configuration, side by side.

    FILE is a journal; the daemon may be running. Each figure stands as recorded, then under the configuration that
    was in force, then under the proposed one, then the change. Intervals (95 %) are over replications of what the
    recording can't know: how long customers who were served would have waited.
    """
    proposed = loaded(proposed_path)
    with failing_as(Unusable):
        zone_named(proposed.domain.time_zone, "domain.time_zone")
    present = None if present_path is None else loaded(present_path).engine
    recording, last, times = _read(file, format_name, columns, proposed)
    recording = _renamed(recording, renamed, proposed.engine)
    try:
        with progress("replications", replications) as done:
            found = run_whatif(
                recording,
                proposed.engine,
                present=present or last,
                recorded_times=times,
                time_zone=proposed.domain.time_zone,
                replications=replications,
                seed=seed,
                workers=workers or workers_n(),
                done=done,
            )
    except ConfigurationError as error:
        raise unusable(error, f"{proposed_path} with {file}") from error
    if as_json:
        tables.write_json(msgspec.to_builtins(found))
    else:
        _print(found, hours_by_queue=hours_by_queue)


def _read(
    file: Path, format_name: str, columns: Path | None, proposed: Configuration
) -> tuple[Recording, EngineConfig | None, Times | None]:
    """The recording; of a journal also its last configuration and its agents' times."""
    if format_name != JOURNAL:
        return read_recording(file, format_name, columns), None, None
    demand, times = Demand(), Times(hours_in(proposed.domain.time_zone))
    try:
        for record in records_of(file):
            demand.fold(record)
            times.fold(record)
    except RecordingError as error:
        raise Unusable(str(error)) from error
    recording = demand.recording(file.name)
    if not recording.contacts:
        raise Unusable(f"{file}: no contact has ended in it")
    return recording, demand.config, times.finish()


def _renamed(recording: Recording, renamed: tuple[str, ...], proposed: EngineConfig) -> Recording:
    """The recording with our queues' names."""
    names: dict[str, str] = {}
    for pair in renamed:
        theirs, separator, ours = pair.partition("=")
        if not separator or ours not in proposed.queues:
            known = ", ".join(sorted(proposed.queues)) or "none"
            raise Unusable(f"--queue was {pair!r}; expected THEIRS=OURS, ours one of: {known}")
        names[theirs] = ours
    for kind in {contact.kind for contact in recording.contacts} - set(names) - set(proposed.queues):
        if kind.lower() in proposed.queues:
            names[kind] = kind.lower()
    if not names:
        return recording
    return replace(
        recording,
        contacts=tuple(
            replace(contact, kind=names.get(contact.kind, contact.kind)) for contact in recording.contacts
        ),
    )


def _print(found: WhatIf, *, hours_by_queue: bool) -> None:
    whole = found.cell()
    queues = [cell for cell in found.cells if cell.queue != ALL and cell.hour == NO_HOUR]
    hours = [cell for cell in found.cells if cell.queue == ALL and cell.hour != NO_HOUR]
    changes = [
        f"{what}: {', '.join(names)}."
        for what, names in (("New agents", found.agents_new), ("Agents gone", found.agents_gone))
        if names
    ]
    tables.put(
        Text(f"{found.source}: {found.contacts:,} contacts, {found.replications} replications."),
        *(Text(line) for line in changes),
        *(Text(f"Left out: {n:,} {what}.") for what, n in found.unread),
        Text("Recorded, now (the configuration in force), then (the proposed one); ± is 95 %."),
        Text(),
        tables.table(
            ("service level", ">recorded", ">now", ">then", ">change"),
            [
                (
                    name,
                    _percent(whole.recorded[name]),
                    _percent_mean(whole.present[name]),
                    _percent_mean(whole.proposed[name]),
                    _percent_mean(whole.change[name], sign=True),
                )
                for name in LEVELS
            ],
        ),
        Text(),
        tables.table(("queue", *COLUMNS), [_row(cell.queue, cell) for cell in queues] + [_row("all", whole)]),
        Text(),
        tables.table(("hour", *COLUMNS), [_row(f"{cell.hour:02}", cell) for cell in hours]),
    )
    if hours_by_queue:
        rows = [
            _row(f"{cell.queue} {cell.hour:02}", cell)
            for cell in found.cells
            if cell.queue != ALL and cell.hour != NO_HOUR
        ]
        tables.put(Text(), tables.table(("queue, hour", *COLUMNS), rows))


def _row(name: str, cell: Cell) -> tuple[str, ...]:
    row = [name, f"{cell.recorded['offered']:,}", _seconds(cell.recorded["asa_s"])]
    row += [_seconds_mean(cell.present["asa_s"]), _seconds_mean(cell.proposed["asa_s"])]
    row.append(_seconds_mean(cell.change["asa_s"], sign=True))
    for measure in ("of_offered", "abandon_rate"):
        row.append(_percent(cell.recorded[measure]))
        row += [_percent_mean(cell.present[measure]), _percent_mean(cell.proposed[measure])]
        row.append(_percent_mean(cell.change[measure], sign=True))
    row += [
        _percent(cell.recorded["occupancy"]),
        _percent_mean(cell.present["occupancy"]),
        _percent_mean(cell.proposed["occupancy"]),
    ]
    return tuple(row)


def _percent(value: float | None) -> str:
    return tables.NOTHING if value is None else f"{value:.1%}"


def _seconds(value: float | None) -> str:
    return tables.NOTHING if value is None else f"{value:.1f} s"


def _percent_mean(mean: Mean, *, sign: bool = False) -> str:
    if mean.mean is None:
        return tables.NOTHING
    value = f"{mean.mean:+.1%}" if sign else f"{mean.mean:.1%}"
    return value if not mean.half_width else f"{value} ±{100 * mean.half_width:.1f}"


def _seconds_mean(mean: Mean, *, sign: bool = False) -> str:
    if mean.mean is None:
        return tables.NOTHING
    value = f"{mean.mean:+.1f}" if sign else f"{mean.mean:.1f}"
    return f"{value} s" if not mean.half_width else f"{value} ±{mean.half_width:.1f} s"
