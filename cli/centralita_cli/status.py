"""`centralita status`: whether the daemon is well, on one screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from centralita_cli import tables
from centralita_cli.client import connect
from centralita_cli.components import COLUMNS, component_row
from centralita_cli.exits import OK, PROBLEM
from centralita_cli.options import online

WITH_CONSULTATIONS: Final = ("admitted", "ended", "live")
"""What the engine counts of all its contacts, where the figures that `top` shows keep consultations apart."""


@click.command()
@online
@click.pass_context
def status(
    ctx: click.Context, config_path: Path | None, url: str | None, token: str | None, as_json: bool
) -> None:
    """Show how the daemon is.

    Ends with 1 when a component is down, with 3 when no daemon answers.
    """
    client = connect(config_path, url, token)
    found = client.get("/api/status")
    components = client.get("/api/components")
    down = [one for one in components if one["state"] == "down"]
    if as_json:
        tables.write_json({**found, "components": components})
    else:
        facts = [("daemon", client.url), *_flat(found)]
        tables.put(tables.facts(facts), tables.table(COLUMNS, map(component_row, components)))
    ctx.exit(PROBLEM if down else OK)


def _flat(found: dict[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    """Whatever the daemon tells of itself, nested facts as `journal.seq`."""
    pairs: list[tuple[str, object]] = []
    for key, value in found.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        elif key in WITH_CONSULTATIONS:
            pairs.append((f"{prefix}{key}", f"{value}, consultations included"))
        elif key.endswith("_s") and isinstance(value, int | float):
            pairs.append((f"{prefix}{key.removesuffix('_s')}", tables.duration(value)))
        elif isinstance(value, list):
            pairs.append((f"{prefix}{key}", ", ".join(map(str, value)) or tables.NOTHING))
        elif not key.endswith("_ns"):
            pairs.append((f"{prefix}{key}", value))
    return pairs
