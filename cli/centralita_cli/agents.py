"""`centralita agents`: the agents of a running daemon and what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from centralita_cli import tables
from centralita_cli.client import connect, segment
from centralita_cli.options import online


@click.command()
@click.argument("name", required=False)
@click.option("--all", "everybody", is_flag=True, help="Also those who are offline.")
@online
def agents(
    name: str | None,
    everybody: bool,
    config_path: Path | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Show the agents and what they do.

    With a NAME only that one.
    """
    client = connect(config_path, url, token)
    if name:
        found = [client.get(f"/api/agents/{segment(name)}")]
    else:
        found = client.get("/api/agents")
    if as_json:
        tables.write_json(found[0] if name else found)
        return
    shown = [agent for agent in found if name or everybody or agent["state"] != "offline"]
    nothing = f"nobody is signed in; {len(found)} are offline (--all shows them)"
    tables.show(
        ("AGENT", "NAME", "STATE", "REASON", ">SINCE", "CONTACTS", ">LOAD", "SKILLS"),
        [_row(agent) for agent in shown],
        nothing=nothing,
    )


def _row(agent: dict[str, Any]) -> tuple[object, ...]:
    works = ", ".join(f"{contact} {work['state']}" for contact, work in agent["works"].items())
    reason = ", ".join(filter(None, (agent["reason"], "leaving" if agent["leaving"] else "")))
    return (
        agent["name"],
        agent["title"],
        tables.state(agent["state"]),
        reason or tables.NOTHING,
        tables.age(agent["since_ns"]),
        works or tables.NOTHING,
        tables.share(agent["units_used"] / agent["capacity"]),
        tables.skills(agent["skills"]),
    )
