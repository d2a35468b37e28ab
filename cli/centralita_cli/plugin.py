"""`centralita plugin`: what is installed beside the engine, and what each brings."""

from __future__ import annotations

from typing import Any

import click

from centralita import __version__
from centralita.compatibility import API_VERSION
from centralita.plugins import HOOKS, load_plugins
from centralita_cli import tables
from centralita_cli.exits import ProblemFound, failing_as
from centralita_cli.options import json_option
from centralita_cli.plugin_check import check_plugin, list_checks
from centralita_cli.plugin_new import new_plugin


@click.group()
def plugin() -> None:
    """Show the installed plugins, hold them to their contract, begin another."""


plugin.add_command(check_plugin)
plugin.add_command(list_checks)
plugin.add_command(new_plugin)


@plugin.command("list")
@json_option
def list_plugins(as_json: bool) -> None:
    """List the types that the installed plugins register, and the plugin API each was built for."""
    with failing_as(ProblemFound):
        loaded = load_plugins()
    found: list[dict[str, Any]] = []
    for name, known in loaded.loaded.items():
        types = {
            kind: sorted(each.type_name for each in loaded.types(kind).values() if each.plugin == name)
            for kind in HOOKS
        }
        built_in = name == "built_in"
        found.append(
            {
                "name": name,
                "distribution": "centralita" if built_in else known.distribution,
                "version": __version__ if built_in else known.version,
                "api_version": known.api_version,
                "types": {kind: names for kind, names in types.items() if names},
                "deprecations": known.deprecations,
            }
        )
    if as_json:
        tables.write_json({"api_version": API_VERSION, "plugins": found})
        return
    rows = [
        (type_name, kind, one["name"], one["distribution"], one["version"], _api(one))
        for one in found
        for kind, names in (one["types"] or {tables.NOTHING: [tables.NOTHING]}).items()
        for type_name in names
    ]
    tables.show(
        ("TYPE", "KIND", "PLUGIN", "DISTRIBUTION", "VERSION", "API"), rows, nothing="no plugin is installed"
    )
    for one in found:
        for words in one["deprecations"]:
            tables.put(f"plugin {one['name']}: {words}")


def _api(found: dict[str, Any]) -> str:
    stated = found["api_version"]
    words = "not stated" if stated is None else str(stated)
    return f"{words} (deprecated)" if found["deprecations"] else words
