"""`centralita contacts`: the live contacts of a running daemon, or one with its words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, get_args

import click
from rich.text import Text

from centralita.state import Phase
from centralita_cli import tables
from centralita_cli.client import connect
from centralita_cli.options import online

PHASES: Final[tuple[Phase, ...]] = get_args(Phase)


@click.command()
@click.argument("contact", type=int, required=False)
@click.option("--queue", help="Only those of this queue.")
@click.option("--agent", help="Only those of this agent.")
@click.option("--phase", type=click.Choice(PHASES), help="Only those in this phase.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many."
)
@online
def contacts(
    contact: int | None,
    queue: str | None,
    agent: str | None,
    phase: str | None,
    limit: int,
    config_path: Path | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Show the live contacts, waiting ones in order.

    With a CONTACT only that one, and with it what was written; the list shows no words of customers.
    """
    client = connect(config_path, url, token)
    if contact is not None:
        found = client.get(f"/api/contacts/{contact}")
        tables.write_json(found) if as_json else _show_one(found)
        return
    listed = client.get("/api/contacts", queue=queue, agent=agent, phase=phase, limit=limit)
    if as_json:
        tables.write_json(listed)
        return
    tables.show(
        (">CONTACT", "CHANNEL", "PHASE", "QUEUE", ">POSITION", ">PRIORITY", "REQUIRES", "AGENT", ">AGE"),
        [_row(one) for one in listed],
        nothing="no live contact",
    )


def _row(contact: dict[str, Any]) -> tuple[object, ...]:
    return (
        contact["id"],
        contact["channel"],
        tables.state(contact["phase"]),
        contact["queue"] or tables.NOTHING,
        contact["position"] or tables.NOTHING,
        contact["priority"],
        tables.skills(contact["skills"]),
        contact["agent"] or tables.NOTHING,
        tables.age(contact["arrived_ns"]),
    )


def _show_one(contact: dict[str, Any]) -> None:
    facts = {
        "contact": contact["id"],
        "conversation": contact["conversation"],
        "phase": contact["phase"] + (f", {contact['outcome']}" if contact["outcome"] else ""),
        "channel": f"{contact['channel']} ({contact['medium']}, {contact['direction']})",
        "customer": contact["customer_name"] or contact["handle"],
        "subject": contact["subject"],
        "queue": contact["queue"],
        "requires": tables.skills(contact["skills"]),
        "position": contact["position"] or "",
        "agents": ", ".join(f"{work['agent']} {work['state']}" for work in contact["works"]),
        "age": tables.age(contact["arrived_ns"]),
        "disposition": contact["disposition"],
        "notes": contact["notes"],
    }
    lines = [tables.facts((key, value) for key, value in facts.items() if value != "")]
    tables.put(*lines, *(_words(message) for message in contact["messages"]))


def _words(message: dict[str, Any]) -> Text:
    author = message["author_id"] or message["author"]
    files = "".join(f" [{file['name']}]" for file in message["attachments"])
    inside = " (internal)" if message["internal"] else ""
    return Text(f"{message['number']:>4} {author}{inside}: {message['text']}{files}")
