"""`centralita token`: who may call the daemon, on this machine's files; no daemon is needed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import msgspec

from centralita.plugins import data_folder
from centralita_cli import tables
from centralita_cli.client import front_door
from centralita_cli.exits import Broken, Refused, Unusable, failing_as
from centralita_cli.options import config_option, json_option, loaded
from centralita_http.tokens import ROLES, BadToken, Token, TokenStore, open_store


@click.group()
def token() -> None:
    """Make, list and revoke tokens, on this machine's files.

    A running daemon takes notice at once of a new token, and within seconds of a revoked one.
    """


@token.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--agent", default="", help="Whose it is, for the role agent.")
@click.option("--channel", default="", help="What it speaks for, for the role channel.")
@click.option("--days", type=float, help="It expires after so many; never when not given.")
@config_option
@json_option
def create(
    name: str,
    role: str,
    agent: str,
    channel: str,
    days: float | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Make a token called NAME and print it. It is shown this once; only its hash is kept."""
    configuration = loaded(config_path)
    known = configuration.engine.agents
    if role == "agent" and not agent:
        raise Unusable(
            "--agent is missing; a token of role agent belongs to one agent,"
            f" known: {', '.join(sorted(known)) or 'none'}"
        )
    if agent and agent not in known:
        raise Unusable(f"--agent was {agent!r}; known: {', '.join(sorted(known)) or 'none'}")
    channels = configuration.engine.channels
    if channel and channel not in channels:
        raise Unusable(f"--channel was {channel!r}; known: {', '.join(sorted(channels)) or 'none'}")
    with _store(config_path) as store:
        try:
            made, text = store.create(name=name, role=role, agent=agent, channel=channel, days=days)
        except BadToken as error:
            raise Unusable(str(error)) from error
    if as_json:
        tables.write_json({**msgspec.to_builtins(made), "token": text})
    else:
        click.echo(text)


@token.command("list")
@config_option
@json_option
def list_tokens(config_path: Path | None, as_json: bool) -> None:
    """List all tokens ever made; the tokens themselves can't be shown."""
    with _store(config_path) as store:
        found = store.all()
    if as_json:
        tables.write_json([msgspec.to_builtins(one) for one in found])
        return
    now_ns = time.time_ns()
    rows = [
        (
            one.id,
            one.name,
            one.role,
            one.agent or one.channel or tables.NOTHING,
            tables.age(one.made_ns),
            _standing(one, now_ns),
        )
        for one in found
    ]
    tables.show(("ID", "NAME", "ROLE", "OF", ">AGE", "STANDING"), rows, nothing="no token was made yet")


@token.command()
@click.argument("token_id", metavar="ID")
@config_option
def revoke(token_id: str, config_path: Path | None) -> None:
    """Make the token with this ID worthless, for good."""
    with _store(config_path) as store:
        if not store.revoke(token_id):
            raise Refused(f"no token has the id {token_id!r}; `centralita token list` shows them")
    click.echo(f"{token_id} is revoked")


@contextmanager
def _store(config_path: Path | None) -> Iterator[TokenStore]:
    configuration = loaded(config_path)
    folder = data_folder(configuration, front_door(configuration))
    with failing_as(Broken), closing(open_store(folder)) as store:
        try:
            yield store
        except sqlite3.Error as error:
            raise Broken(f"{folder}: the tokens can't be read or written: {error}") from error


def _standing(one: Token, now_ns: int) -> str:
    if one.revoked_ns:
        return f"revoked {tables.age(one.revoked_ns, now_ns)} ago"
    if not one.expires_ns:
        return "good"
    if not one.is_live(now_ns):
        return f"expired {tables.age(one.expires_ns, now_ns)} ago"
    return f"good for {tables.duration((one.expires_ns - now_ns) / tables.NS_PER_S)}"
