"""`centralita components`: the running plugins' components of a daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from centralita_cli import tables
from centralita_cli.client import connect
from centralita_cli.exits import OK, PROBLEM
from centralita_cli.options import online


@click.command()
@online
@click.pass_context
def components(
    ctx: click.Context, config_path: Path | None, url: str | None, token: str | None, as_json: bool
) -> None:
    """Show the plugins' components and whether they run.

    Ends with 1 when one is down.
    """
    found = connect(config_path, url, token).get("/api/components")
    if as_json:
        tables.write_json(found)
    else:
        tables.show(COLUMNS, [component_row(one) for one in found], nothing="no component is configured")
    ctx.exit(PROBLEM if any(one["state"] == "down" for one in found) else OK)


COLUMNS = ("COMPONENT", "TYPE", "STATE", ">SINCE", ">RESTARTS", "LAST ERROR")


def component_row(one: dict[str, Any]) -> tuple[object, ...]:
    """One component as a row under COLUMNS."""
    return (
        f"{one['kind']}.{one['name']}",
        one["type"],
        tables.state(one["state"]),
        tables.age(one["since_ns"]),
        one["restarts"],
        one["error"] or tables.NOTHING,
    )
