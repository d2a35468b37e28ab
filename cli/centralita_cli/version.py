"""`centralita version`: what is installed, as a bug report needs it."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from centralita_cli import tables
from centralita_cli.options import json_option


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Show the versions of everything installed."""
    found = {
        dist.name: dist.version
        for dist in metadata.distributions()
        if dist.name == "centralita" or dist.name.startswith("centralita-")
    }
    found |= {
        point.dist.name: point.dist.version
        for point in metadata.entry_points(group="centralita")
        if point.dist is not None
    }
    versions = dict(sorted(found.items())) | {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }
    if as_json:
        tables.write_json(versions)
    else:
        tables.show(("WHAT", "VERSION"), list(versions.items()), nothing="")
