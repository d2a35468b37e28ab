"""`centralita why`: the engine's own explanation, of a contact or of an agent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from centralita_cli import tables
from centralita_cli.client import connect, segment
from centralita_cli.options import online


@click.command()
@click.argument("contact", metavar="CONTACT|AGENT")
@click.option("--agent", "is_agent", is_flag=True, help="It is an agent though the name is all digits.")
@online
def why(
    contact: str,
    is_agent: bool,
    config_path: Path | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Explain why a contact waits, or why an agent gets nothing.

    A number is a contact, a name an agent. For an offered contact: the keys by which its agent was chosen.
    """
    client = connect(config_path, url, token)
    of_contact = not is_agent and contact.isascii() and contact.isdigit()
    path = f"/api/contacts/{contact}/why" if of_contact else f"/api/agents/{segment(contact)}/why"
    found = client.get(path)
    if as_json:
        tables.write_json(found)
    elif of_contact:
        _explain_contact(found)
    else:
        _explain_agent(found)


def _explain_contact(found: dict[str, Any]) -> None:
    facts = [("queue", found["queue"] or tables.NOTHING), ("requires", tables.skills(found["skills"]))]
    if found["rung"]:
        facts.append(("rings passed", str(found["rung"])))
    if found["next_ring_ns"]:
        left_s = max(0, found["next_ring_ns"] - time.time_ns()) / tables.NS_PER_S
        facts.append(("next ring", f"in {tables.duration(left_s)}"))
    if found["position"]:
        facts += [
            ("position", str(found["position"])),
            ("before it, for the same people", str(found["ahead"])),
        ]
    facts += [
        ("can serve it", f"{found['capable']} present, {found['available']} available"),
        ("expected wait", tables.estimate(found["estimate"])),
    ]
    if found["estimate"]["expected_s"] >= 0:
        facts.append(("made from", found["estimate"]["basis"]))
    parts: list[RenderableType] = [Text(found["words"]), tables.facts(facts)]
    if found["before"]:
        parts.append(tables.table((">BEFORE IT", "QUEUE", "BY", "IN WORDS"), map(_before, found["before"])))
    if found["chosen_by"]:
        parts.append(tables.table(("CHOSEN BY", "VALUE"), found["chosen_by"]))
    if found["agents"]:
        columns = ("AGENT", "WHAT BARS THEM", ">NEEDED", ">HAD", "IN WORDS")
        parts.append(tables.table(columns, map(_barred, found["agents"])))
    tables.put(*parts)


def _before(line: dict[str, Any]) -> tuple[object, ...]:
    return line["contact"], line["queue"] or tables.NOTHING, line["by"].replace("_", " "), line["words"]


def _barred(line: dict[str, Any]) -> tuple[object, ...]:
    who = line["agent"] or f"{line['agents']} agents with {tables.skills(line['skills'])}"
    numbers = line["rule"] not in {"unavailable", "excluded", "eligible"}
    return (
        who,
        tables.state(line["rule"]),
        line["needed"] if numbers else tables.NOTHING,
        line["had"] if numbers else tables.NOTHING,
        line["words"],
    )


def _explain_agent(found: dict[str, Any]) -> None:
    rows = [(contact, tables.state(line["rule"]), line["words"]) for contact, line in found["contacts"]]
    parts: list[RenderableType] = [Text(found["words"])]
    if rows:
        parts.append(tables.table((">CONTACT", "WHAT BARS THEM", "IN WORDS"), rows))
    tables.put(*parts)
