"""`centralita plugin`: what is installed beside the engine, and what each brings."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import click

from centralita.plugins import ENTRY_POINT_GROUP, HOOKS, load_plugins
from centralita_cli import tables
from centralita_cli.exits import ProblemFound, failing_as
from centralita_cli.options import json_option


@click.group()
def plugin() -> None:
    """Show the installed plugins."""


@plugin.command("list")
@json_option
def list_plugins(as_json: bool) -> None:
    """List the installed plugins and the types each registers."""
    with failing_as(ProblemFound):
        loaded = load_plugins()
    dists = {
        point.name: point.dist
        for point in metadata.entry_points(group=ENTRY_POINT_GROUP)
        if point.dist is not None
    }
    found: list[dict[str, Any]] = []
    for name in loaded.names:
        types = {
            kind: sorted(one.type_name for one in loaded.types(kind).values() if one.plugin == name)
            for kind in HOOKS
        }
        dist = dists.get(name)
        found.append(
            {
                "name": name,
                "distribution": dist.name if dist else "",
                "version": dist.version if dist else "",
                "types": {kind: names for kind, names in types.items() if names},
            }
        )
    if as_json:
        tables.write_json({"plugins": found})
        return
    rows = [
        (one["name"], one["distribution"], one["version"], kind, ", ".join(names))
        for one in found
        for kind, names in (one["types"] or {tables.NOTHING: [tables.NOTHING]}).items()
    ]
    tables.show(
        ("PLUGIN", "DISTRIBUTION", "VERSION", "KIND", "TYPES"), rows, nothing="no plugin is installed"
    )
