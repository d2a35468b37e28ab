"""`centralita figures`: the figures of docs/figures.md, counted again from a journal's records.

The fold is the engine's own; here is only which records are counted, against which target, and how it looks.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from msgspec.structs import replace

from centralita.config import NS_PER_S
from centralita.kpi import Figures
from centralita.messages import AnyEvent, ConfigurationApplied, Record
from centralita_cli import tables
from centralita_cli.exits import ProblemFound, Unusable, failing_as
from centralita_cli.journal import journal_file, records_of_files
from centralita_cli.options import SECONDS_MAX, Number, config_option, json_option

COUNTS: Final = (
    "queue",
    ">offered",
    ">answered",
    ">in target",
    ">abandoned",
    ">other ends",
    ">waiting",
    ">ASA",
    ">AHT",
)


class Moment(click.ParamType[int]):
    """A date or a moment in ISO 8601; without an offset it is this machine's local time. In ns."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Nanoseconds since the epoch."""
        try:
            return int(datetime.fromisoformat(value).timestamp()) * NS_PER_S
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no moment; allowed: 2026-11-29, 2026-11-29T08:00, 2026-11-29T08:00:00+01:00",
                param,
                ctx,
            )


@click.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, path_type=Path), metavar="[FILE]...")
@click.option("--from", "from_ns", type=Moment(), help="Count from this moment on.")
@click.option("--to", "to_ns", type=Moment(), help="Count until this moment, not included.")
@click.option(
    "--target",
    "target_s",
    type=Number(0, SECONDS_MAX, min_open=True),
    help="Seconds within which an answer counts, instead of each queue's own.",
)
@config_option
@json_option
def figures(
    files: tuple[Path, ...],
    from_ns: int | None,
    to_ns: int | None,
    target_s: float | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Count the figures again from a journal, for any period, with every service level by its name.

    FILE is the journal of the configuration when not given; of several (the archive's, then the journal) each
    must go on where the one before ended. The daemon may be running.
    """
    if from_ns is not None and to_ns is not None and from_ns >= to_ns:
        raise Unusable("--from must be before --to")
    paths = files or (journal_file(None, config_path)[0],)
    found = Figures()
    begun = from_ns is None
    with failing_as(ProblemFound):
        for record in records_of_files(paths):
            if to_ns is not None and record.at_ns >= to_ns:
                break
            if not begun and from_ns is not None and record.at_ns >= from_ns:
                found.begin_anew(from_ns)
                begun = True
            found.fold(record if target_s is None else _judged(record, target_s))
    if not found.seq:
        raise ProblemFound(
            f"{paths[0]}: holds no records" if to_ns is None else "there are no records before --to"
        )
    if not begun and from_ns is not None:
        found.begin_anew(from_ns)
    value = found.as_dict(to_ns)
    if as_json:
        tables.write_json(value)
        return
    _show(value)


def _judged(record: Record, target_s: float) -> Record:
    """The record as if every queue had had this answer target."""
    if not any(type(event) is ConfigurationApplied for event in record.events):
        return record
    return replace(record, events=[_with_target(event, target_s) for event in record.events])


def _with_target(event: AnyEvent, target_s: float) -> AnyEvent:
    if not isinstance(event, ConfigurationApplied):
        return event
    config = event.config
    queues = {name: replace(rules, answer_target_s=target_s) for name, rules in config.queues.items()}
    return replace(event, config=replace(config, queues=queues))


def _show(value: dict[str, Any]) -> None:
    sides = [*value["queues"].items(), ("all", value["total"])]
    since, until = (
        datetime.fromtimestamp(value[key] / NS_PER_S).astimezone() for key in ("since_ns", "now_ns")
    )
    tables.put(
        f"{since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S}, records to {value['seq']}",
        "",
        tables.table(COUNTS, (_counts(name, side) for name, side in sides)),
        "",
        tables.table(
            ("service level", *(f">{name}" for name, _ in sides)),
            (
                (definition, *(tables.share(side["service_levels"][definition]) for _, side in sides))
                for definition in value["total"]["service_levels"]
            ),
        ),
    )


def _counts(name: str, side: dict[str, Any]) -> tuple[object, ...]:
    target = "" if side["answer_target_s"] is None else f" of {side['answer_target_s']:g}s"
    others = side["became_callbacks"] + side["flowed_out"] + side["removed"]
    return (
        name,
        side["offered"],
        side["answered"],
        f"{side['answered_in_target']}{target}",
        side["abandoned"],
        others,
        side["waiting"],
        tables.duration(side["asa_s"]),
        tables.duration(side["aht_s"]),
    )
