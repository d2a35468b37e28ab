"""`centralita queues`: the queues of a running daemon as they stand."""

from __future__ import annotations

from pathlib import Path

import click

from centralita_cli import tables
from centralita_cli.client import connect, segment
from centralita_cli.options import online


@click.command()
@click.argument("name", required=False)
@online
def queues(
    name: str | None, config_path: Path | None, url: str | None, token: str | None, as_json: bool
) -> None:
    """Show the queues as they stand.

    With a NAME only that one.
    """
    client = connect(config_path, url, token)
    if name:
        found = [client.get(f"/api/queues/{segment(name)}")]
    else:
        found = client.get("/api/queues")
    if as_json:
        tables.write_json(found[0] if name else found)
        return
    rows = [
        (
            queue["name"],
            queue["title"],
            tables.state("open" if queue["open"] else "closed"),
            queue["waiting"],
            tables.age(queue["longest_wait_since_ns"]),
            tables.estimate(queue["estimate"]),
            queue["offered"],
            queue["connected"],
            queue["wrapping"],
            f"{queue['agents_available']}/{queue['agents_present']}",
        )
        for queue in found
    ]
    columns = (
        "QUEUE",
        "TITLE",
        "STATE",
        ">WAITING",
        ">LONGEST",
        ">EXPECTED",
        ">OFFERED",
        ">TALKING",
        ">WRAP-UP",
    )
    tables.show((*columns, ">AGENTS FREE"), rows, nothing="no queue is configured")
