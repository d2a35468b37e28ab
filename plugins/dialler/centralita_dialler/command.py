"""`centralita campaign`: the lists of a running daemon, over its HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from centralita_cli import tables
from centralita_cli.client import connect, segment
from centralita_cli.exits import PROBLEM, Unusable
from centralita_cli.options import online
from centralita_dialler.table_file import BadLine, BadTable, read_table

CHUNK: Final = 200
"""Records of one request."""
TOLD_MAX: Final = 20
"""Lines that can't be used are told up to here."""

_file = click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))


@click.group()
def campaign() -> None:
    """Call lists of numbers: import, start, pause, look."""


@campaign.command(name="status")
@click.argument("name", required=False)
@online
def status(
    name: str | None, config_path: Path | None, url: str | None, token: str | None, as_json: bool
) -> None:
    """Show the campaigns and how far they are."""
    client = connect(config_path, url, token)
    found = [client.get(f"/api/campaigns/{segment(name)}")] if name else client.get("/api/campaigns")
    if as_json:
        tables.write_json(found[0] if name else found)
        return
    _show(found)


@campaign.command(name="start")
@click.argument("name")
@online
def start(name: str, config_path: Path | None, url: str | None, token: str | None, as_json: bool) -> None:
    """Dial from now on."""
    _told(connect(config_path, url, token).post(f"/api/campaigns/{segment(name)}/start"), as_json)


@campaign.command(name="pause")
@click.argument("name")
@online
def pause(name: str, config_path: Path | None, url: str | None, token: str | None, as_json: bool) -> None:
    """Dial nobody until it is started again."""
    _told(connect(config_path, url, token).post(f"/api/campaigns/{segment(name)}/pause"), as_json)


@campaign.command(name="import")
@click.argument("name")
@_file
@click.option("--check", is_flag=True, help="Only say which lines can't be used.")
@online
@click.pass_context
def import_(
    ctx: click.Context,
    name: str,
    file: Path,
    check: bool,
    config_path: Path | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Put the records of a CSV file on a campaign's list.

    Line 1 names the columns: number, and if you like name, language, zone, priority; every other column is
    kept with the contact. Lines that can't be used are told and left out, and then the exit code is 1.
    """
    client = connect(config_path, url, token)
    total: dict[str, int] = {}
    wrong: list[tuple[int, str]] = []
    for lines in _chunks(_rows(file, wrong)):
        body = {"records": [record for _, record in lines], "check": check}
        answer = client.post(f"/api/campaigns/{segment(name)}/records", body)
        wrong += [(lines[one["index"]][0], one["message"]) for one in answer.pop("invalid")]
        for key, count in answer.items():
            total[key] = total.get(key, 0) + count
    if as_json:
        tables.write_json(
            {**total, "invalid": [{"line": line, "message": words} for line, words in sorted(wrong)]}
        )
    else:
        for line, words in sorted(wrong)[:TOLD_MAX]:
            tables.put(f"{file}: line {line}: {words}")
        if len(wrong) > TOLD_MAX:
            tables.put(f"and {len(wrong) - TOLD_MAX} more lines that can't be used")
        counted = ", ".join(f"{key.replace('_', ' ')} {count}" for key, count in total.items())
        tables.put(f"{name}: {counted or 'nothing to add'}, unusable {len(wrong)}")
    ctx.exit(PROBLEM if wrong else 0)


@campaign.command(name="do-not-call")
@click.argument("numbers", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; kept with the numbers.")
@online
@click.pass_context
def do_not_call(
    ctx: click.Context,
    numbers: tuple[str, ...],
    reason: str,
    config_path: Path | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Never call these numbers again, on no list."""
    client = connect(config_path, url, token)
    added, wrong = 0, list[str]()
    for chunk in _chunks(iter(numbers)):
        answer = client.post("/api/do-not-call", {"numbers": chunk, "reason": reason})
        added += answer["added"]
        wrong += [one["message"] for one in answer["invalid"]]
    if as_json:
        tables.write_json({"added": added, "invalid": wrong})
    else:
        tables.put(*wrong, f"do-not-call: added {added}, unusable {len(wrong)}")
    ctx.exit(PROBLEM if wrong else 0)


def _rows(file: Path, wrong: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, record) pairs; lines that are no records are put with the `wrong`."""
    try:
        for line, record in read_table(file):
            if isinstance(record, BadLine):
                wrong.append((line, str(record)))
            else:
                yield line, record
    except BadTable as error:
        raise Unusable(str(error)) from error


def _chunks(items: Iterator[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _told(standing: dict[str, Any], as_json: bool) -> None:
    if as_json:
        tables.write_json(standing)
    else:
        _show([standing])


def _show(campaigns: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            one["name"],
            tables.state("open" if one["running"] else "stopped"),
            one["mode"],
            one["queue"],
            one["records"]["pending"],
            one["records"]["live"],
            one["records"]["done"],
            one["records"]["do_not_call"],
            ", ".join(f"{result} {count}" for result, count in sorted(one["results"].items()))
            or tables.NOTHING,
        )
        for one in campaigns
    ]
    columns = ("CAMPAIGN", "STATE", "MODE", "QUEUE", ">TO CALL", ">LIVE", ">DONE", ">DO NOT CALL", "ATTEMPTS")
    tables.show(columns, rows, nothing="no campaign is configured")
