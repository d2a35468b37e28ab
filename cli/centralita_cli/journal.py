"""`centralita journal`: what an operator does with the journal's file; no daemon is needed.

The work is `centralita.journal`'s; here stand the words and the exit codes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from centralita import frames
from centralita.config import Component, locate, what_is_known
from centralita.errors import JournalError, JournalLocked, reason
from centralita.journal import SqliteJournalConfig, Verification, backup, compact, export, tables, verify
from centralita.journal.archive import Archive
from centralita.journal.snapshots import SnapshotFiles
from centralita.journal.upkeep import reader, records_of
from centralita.messages import Record
from centralita.plugins import data_folder
from centralita.recovery import Replay, replay
from centralita_cli import tables as output
from centralita_cli.exits import OK, PROBLEM, Broken, ProblemFound, Refused, Unusable, broken_by, failing_as
from centralita_cli.options import (
    Number,
    ask_first,
    config_option,
    json_option,
    loaded,
    table_options,
    yes_option,
)
from centralita_journal_sealed import KeyFile, KeySeal, SealedJournalConfig
from centralita_journal_sealed.upkeep import erase_again, forget_keys

DEFAULT_JOURNAL: Final = Component(kind="journal", name="journal", type="sqlite", settings={})
"""What a configuration without a `[journal]` means."""

SEQ_MAX: Final = (1 << 63) - 1
"""The most that SQLite takes for a record's number."""

file_argument: Final = click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def journal() -> None:
    """Verify, export, back up and compact the journal, and make tables of it.

    FILE is the journal of the configuration when not given; a file of the archive is one too.
    """


@journal.command()
@file_argument
@config_option
@json_option
def info(file: Path | None, config_path: Path | None, as_json: bool) -> None:
    """Show what the journal holds, without reading it through."""
    path, settings = journal_file(file, config_path)
    with failing_as(ProblemFound):
        found = _info(path, settings)
    if as_json:
        output.write_json(found)
        return
    facts = {
        "file": path,
        "size": f"{found['bytes']:,} bytes",
        "records": f"{found['first_seq']} to {found['last_seq']}" if found["last_seq"] else "none yet",
        "snapshots after record": ", ".join(map(str, found["snapshots"])) or output.NOTHING,
        "archive files": len(found["archive"]) or output.NOTHING,
    }
    output.put(output.facts(facts.items()))


@journal.command("verify")
@file_argument
@click.option(
    "--replay/--no-replay",
    "replaying",
    default=True,
    show_default=True,
    help="Apply all records again and compare the state with each hash and snapshot.",
)
@config_option
@json_option
@click.pass_context
def verify_file(
    ctx: click.Context, file: Path | None, replaying: bool, config_path: Path | None, as_json: bool
) -> None:
    """Read everything and check it: structure, checksums, numbers, times, snapshots, states. Ends with 1 on
    damage."""
    path, _ = journal_file(file, config_path)
    with failing_as(ProblemFound):
        found = verify(path)
        replayed = replay(path) if replaying and not found.problems else None
    _tell(found, as_json, replayed)
    ctx.exit(PROBLEM if found.problems or (replayed and replayed.problems) else OK)


@journal.command("export")
@file_argument
@click.option(
    "--after", "after_seq", type=click.IntRange(0, SEQ_MAX), default=0, help="Only records after this one."
)
@click.option(
    "-o", "--output", "to", type=click.File("wb"), default="-", help="Where to; stdout when not given."
)
@config_option
def export_records(file: Path | None, after_seq: int, to: Any, config_path: Path | None) -> None:
    """Write the records as lines of JSON, every field named.

    What customers wrote is among them: treat the lines as you treat the journal. A sealed journal is opened with
    the keys of the configuration; a FILE, or one whose keys are gone, shows what is sealed as erased.
    """
    path, settings = journal_file(file, config_path)
    name = str(getattr(to, "name", "<stdout>"))
    if path.exists() and Path(name).exists() and path.samefile(name):
        raise Refused(f"{path} is the journal itself; the lines must go elsewhere")
    with failing_as(ProblemFound), _keys_of(path, settings) as seal:
        try:
            for lines in export(path, after_seq=after_seq, seal=seal):
                to.write(lines)
            to.flush()
        except BrokenPipeError:
            raise  # the reader has seen enough; we end quietly
        except click.FileError as error:
            raise Broken(f"{name} can't be written: {error.message}") from error
        except OSError as error:
            raise Broken(f"{name} can't be written: {reason(error)}") from error


@journal.command("table")
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, path_type=Path), metavar="[FILE]...")
@table_options(required=True)
@config_option
@json_option
def write_table(
    files: tuple[Path, ...], to: Path, kind: str, interval_s: int, config_path: Path | None, as_json: bool
) -> None:
    """Write the cases behind the figures as a table for pandas, Polars, DuckDB or a spreadsheet.

    Of several files (the archive's, then the journal) each must go on where the one before ended. No column
    holds what customers wrote or where they are reached. docs/tables.md explains every kind and column.
    """
    paths = files or (journal_file(None, config_path)[0],)
    with failing_as(ProblemFound), broken_by(frames.TableError):
        rows = frames.write(to, kind, records_of_files(paths), interval_s=interval_s)
    if as_json:
        output.write_json({"file": str(to), "kind": kind, "rows": rows})
    else:
        output.put(f"{to}: {rows:,} rows of {kind}")


@journal.command("backup")
@click.argument("to", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="The journal to copy.")
@config_option
@json_option
def back_up(to: Path, file: Path | None, config_path: Path | None, as_json: bool) -> None:
    """Copy the journal as it is now to the new file TO and verify the copy. The daemon may go on."""
    path, _ = journal_file(file, config_path)
    if to.exists():
        raise Refused(f"{to} is there already; a backup is never written over")
    with failing_as(ProblemFound):
        found = backup(path, to)
    _tell(found, as_json)


@journal.command("compact")
@file_argument
@click.option("--keep-days", type=Number(0, 36_500), default=0, show_default=True, help="Keep so many days.")
@click.option("--archive", type=click.Path(file_okay=False, path_type=Path), help="Where older records go.")
@click.option("--drop", is_flag=True, help="Drop older records for good instead of archiving them.")
@config_option
@json_option
def compact_file(
    file: Path | None,
    keep_days: float,
    archive: Path | None,
    drop: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Move old records into the archive and shrink the file. Stop the daemon first."""
    path, settings = journal_file(file, config_path)
    if drop and archive:
        raise Unusable("--drop and --archive exclude each other")
    if archive is None and not drop:
        if not settings.archive:
            raise Unusable("the configuration names no archive; say --archive FOLDER or --drop")
        archive = path.parent / settings.archive
    try:
        done = compact(path, archive, keep_days=keep_days)
    except JournalLocked as error:
        raise Refused(str(error)) from error
    except JournalError as error:
        raise ProblemFound(str(error)) from error
    if as_json:
        output.write_json(msgspec.to_builtins(done))
        return
    where = f"moved to {done.archive}" if done.archive else "dropped"
    if not done.retired:
        where += " (only what two snapshots cover goes)"
    output.put(
        f"{done.path}: {done.retired} records {where}; {done.first_seq} to {done.last_seq} are kept;"
        f" {done.bytes_before:,} bytes before, {done.bytes_after:,} now"
    )


@journal.command("forget-keys")
@config_option
@yes_option
def forget_lost_keys(config_path: Path | None, yes: bool) -> None:
    """Go on without the keys of a sealed journal, which were lost. Stop the daemon first.

    Asks first, and ends with 4 when the answer is not yes.
    """
    folder, settings = _sealed(config_path)
    ask_first(
        "All that was sealed stays erased, for good. Go on?", yes=yes, otherwise="no keys were forgotten"
    )
    with failing_as(ProblemFound):
        last = forget_keys(folder, settings)
    output.put(f"{folder / settings.keys}: begun anew; contacts up to {last} stay erased")


@journal.command("erase-again")
@config_option
def erase_again_(config_path: Path | None) -> None:
    """Erase again what was erased, after an older copy of the keys was put back. Stop the daemon first."""
    folder, settings = _sealed(config_path)
    with failing_as(ProblemFound):
        erased = erase_again(folder, settings)
    output.put(f"{folder / settings.keys}: {erased} keys were there again and are erased")


def _sealed(config_path: Path | None) -> tuple[Path, SealedJournalConfig]:
    path, settings = journal_file(None, config_path)
    if not isinstance(settings, SealedJournalConfig):
        raise Unusable('journal.type was not "sealed"; only such a journal has keys')
    return path.parent, settings


def journal_file(file: Path | None, config_path: Path | None) -> tuple[Path, SqliteJournalConfig]:
    """The journal to work on, and its settings: those of the configuration, or the defaults for a file."""
    if file is not None:
        return file, SqliteJournalConfig()
    configuration = loaded(config_path)
    component = configuration.journal or DEFAULT_JOURNAL
    if component.type not in _SETTINGS:
        raise Unusable(
            f"journal.type was {component.type!r}; these commands know: {', '.join(_SETTINGS)}. "
            "Name a FILE instead"
        )
    try:
        settings = msgspec.convert(component.settings, _SETTINGS[component.type])
    except msgspec.ValidationError as error:
        known = what_is_known(error, _SETTINGS[component.type])
        raise Unusable(locate(error, component.path) + known) from error
    return data_folder(configuration, component) / settings.path, settings


def records_of_files(paths: tuple[Path, ...]) -> Iterator[Record]:
    """The records of several files as one history. Raises JournalError where one does not go on."""
    last_seq = 0
    for path in paths:
        first_seq, records = records_of(path)
        if last_seq and first_seq != last_seq + 1:
            raise JournalError(
                f"{path}: begins with record {first_seq}, but the file before ends at {last_seq}"
            )
        for record in records:
            last_seq = record.seq
            yield record


_SETTINGS: Final[dict[str, type[SqliteJournalConfig]]] = {
    "sqlite": SqliteJournalConfig,
    "sealed": SealedJournalConfig,
}


@contextmanager
def _keys_of(path: Path, settings: SqliteJournalConfig) -> Iterator[KeySeal | None]:
    """What opens the customers' words in a journal, when its configuration names keys and they are there."""
    place = path.parent / settings.keys if isinstance(settings, SealedJournalConfig) else None
    if place is None or not place.is_file():
        yield None
        return
    with closing(KeyFile(place, write=False)) as keys:
        yield KeySeal(keys)


def _info(path: Path, settings: SqliteJournalConfig) -> dict[str, Any]:
    with closing(reader(path)) as connection:
        kind, schema = tables.check_identity(connection, path)
        first_seq, last_seq = tables.bounds(connection)
    archive = Archive(path.parent / settings.archive).files() if settings.archive else {}
    return {
        "file": str(path),
        "kind": kind,
        "schema": schema,
        "bytes": path.stat().st_size,
        "first_seq": first_seq,
        "last_seq": last_seq,
        "snapshots": list(SnapshotFiles(path).seqs()),
        "archive": [str(archived) for archived in archive.values()],
    }


def _tell(found: Verification, as_json: bool, replayed: Replay | None = None) -> None:
    if as_json:
        shown = msgspec.to_builtins(found)
        output.write_json({**shown, "replay": msgspec.to_builtins(replayed)})
        return
    problems = found.problems + (replayed.problems if replayed is not None else ())
    facts = {
        "file": found.path,
        "records": f"{found.records}, {found.first_seq} to {found.last_seq}" if found.records else "none yet",
        "batches": found.batches,
        "size": f"{found.payload_bytes:,} bytes",
        "last record": f"{output.age(found.last_at_ns)} ago" if found.last_at_ns else output.NOTHING,
        "snapshots after record": ", ".join(map(str, found.snapshots)) or output.NOTHING,
        **({"replayed": _replayed(replayed)} if replayed is not None else {}),
        "found": "whole"
        if not problems
        else "1 problem"
        if len(problems) == 1
        else f"{len(problems)} problems",
    }
    output.put(output.facts(facts.items()), *(f"damaged: {problem}" for problem in problems))
    sys.stdout.flush()


def _replayed(done: Replay) -> str:
    text = f"{done.replayed} records; the state was compared with {done.hashes} hashes, {done.snapshots} snapshots"
    if others := done.hashes_of_others + done.snapshots_of_others:
        text += f"; {others} of another version's form can't be compared"
    return text
