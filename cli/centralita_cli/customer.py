"""`centralita customer`: all that a running daemon keeps about one customer, handed out or forgotten.

What is kept where, and what erasing reaches, is in docs/privacy.md.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile

import click

from centralita_cli import tables
from centralita_cli.client import connect
from centralita_cli.exits import PROBLEM, Broken, Refused, Unusable
from centralita_cli.options import ask_first, online, yes_option

WITHIN_S: Final = 3600.0
"""How long the daemon may take: it reads its whole journal."""

who_argument: Final = click.argument("who")
handle_option: Final = click.option(
    "--handle", "is_handle", is_flag=True, help="WHO is an address though it is all digits."
)
crm_option: Final = click.option("--crm", help="Whose id WHO is, when there are several CRMs.")


@click.group()
def customer() -> None:
    """Export or erase all that is kept about one customer.

    WHO is the id a CRM knows the customer by, when it is all digits; else an address: a telephone number, an e-mail address,
    a chat's account.
    """


@customer.command("export")
@who_argument
@handle_option
@crm_option
@click.option(
    "-o",
    "--output",
    "to",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A new file: .json with files in it as base64, or .zip with files beside data.json.",
)
@online
def export_customer(
    who: str,
    is_handle: bool,
    crm: str | None,
    to: Path,
    config_path: Path | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Write all that is kept about a customer into a file that only you can read."""
    if to.suffix not in {".json", ".zip"}:
        raise Unusable(f"--output was {str(to)!r}; allowed: a name that ends in .json or .zip")
    if to.exists():
        raise Refused(f"{to}: is there already; an export is never written over")
    client = connect(config_path, url, token)
    found = client.post("/api/customers/export", _body(who, is_handle, crm), within_s=WITHIN_S)
    told = {"file": str(to), "contacts": len(found["contacts"]), "records": len(found["journal"])}
    try:
        files = _write(to, found)
    except OSError as error:
        raise Broken(f"{to}: can't be written: {error.strerror}") from error
    told["files"] = files
    if as_json:
        tables.write_json(told)
    else:
        tables.put(tables.facts(told.items()))


@customer.command("erase")
@who_argument
@handle_option
@crm_option
@yes_option
@online
@click.pass_context
def erase_customer(
    ctx: click.Context,
    who: str,
    is_handle: bool,
    crm: str | None,
    yes: bool,
    config_path: Path | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Forget a customer for good: words, names, addresses and files. Figures stay.

    Asks first, and ends with 4 when the answer is not yes; with 1 when records remain that can still be read: those
    written before the journal was sealed.
    """
    body = _body(who, is_handle, crm)
    ask_first(f"Forget {who} for good?", yes=yes, otherwise=f"{who} was not forgotten")
    done = connect(config_path, url, token).post("/api/customers/erase", body, within_s=WITHIN_S)
    if as_json:
        tables.write_json(done)
    else:
        facts = {
            "contacts": done["contacts"],
            **{f"forgotten by {name}": count for name, count in done["components"].items()},
            "records still readable": done["records_still_readable"],
        }
        tables.put(tables.facts(facts.items()))
    ctx.exit(PROBLEM if done["records_still_readable"] else 0)


def _body(who: str, is_handle: bool, crm: str | None) -> dict[str, str]:
    if not who.strip():
        raise Unusable("WHO was empty; allowed: a customer's id, or an address")
    if is_handle or (not (who.isascii() and who.isdigit()) and crm is None):
        return {"handle": who}
    return {"customer": who} | ({"crm": crm} if crm else {})


def _write(to: Path, found: dict[str, Any]) -> int:
    """Write the file, for its owner alone; returns how many files of the customer's are in it."""
    with open(to, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        if to.suffix == ".json":
            file.write(json.dumps(found, ensure_ascii=False, indent=1).encode())
            return sum(1 for _ in _files(found))
        count = 0
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for count, one in enumerate(_files(found), 1):  # the last is how many
                # A customer chose the name: the number keeps it from being a path, or another's.
                name = "".join(char if char.isalnum() or char in "._-" else "_" for char in one["name"])
                archive.writestr(f"files/{count}-{name}", b64decode(one.pop("base64")))
                one["file"] = f"files/{count}-{name}"
            archive.writestr("data.json", json.dumps(found, ensure_ascii=False, indent=1))
        return count


def _files(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "base64" in value and "name" in value:
            yield value
        else:
            for inner in value.values():
                yield from _files(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _files(inner)
