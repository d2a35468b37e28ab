"""`centralita top`: queues, agents and waiting contacts live in the terminal, from the board's stream."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from centralita_cli import tables
from centralita_cli.client import Client, connect
from centralita_cli.exits import Unreachable
from centralita_cli.options import online

REFRESH_S: Final = 0.5
"""Ages run on between two boards, so the screen is drawn at least so often."""
RETRY_S: Final = 2.0
KEYS_AT_ONCE: Final = 64
FIRST_BOARD_S: Final = 15.0
CHROME_LINES: Final = 11
"""Lines of the screen that are not rows: head, titles, blank lines, foot."""


@click.command()
@click.option("--once", is_flag=True, help="Show one screen and end; so it is in a pipe, too.")
@online
def top(once: bool, config_path: Path | None, url: str | None, token: str | None, as_json: bool) -> None:
    """Watch queues and agents live in the terminal.

    `q` ends. With --json each change is one line, until it is stopped or with --once.
    """
    client = connect(config_path, url, token)
    if as_json:
        _lines(client, once)
    elif once or not tables.on_terminal():
        tables.put(screen(next(_boards(client)), client.url, rows=None))
    else:
        _live(client)


def _boards(client: Client) -> Iterator[dict[str, Any]]:
    for event, board in client.stream("/api/board"):
        if event == "board":
            yield board
    raise Unreachable(f"the daemon at {client.url} has ended the stream")


def _lines(client: Client, once: bool) -> None:
    for board in _boards(client):
        tables.write_json(board)
        sys.stdout.flush()
        if once:
            return


class _Latest:
    """The newest board, brought by a thread that connects again whenever the daemon comes back."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._changed = threading.Condition()
        self._board: dict[str, Any] | None = None
        self._received_ns = 0
        self.trouble = ""
        self.failure: click.ClickException | None = None

    def start(self) -> None:
        """Read until the process ends."""
        threading.Thread(target=self._read, daemon=True, name="board").start()

    def wait(self, timeout_s: float) -> dict[str, Any] | None:
        """The newest board, after at most so long."""
        with self._changed:
            self._changed.wait(timeout_s)
            if self._board is None:
                return None
            # The board's clock runs on between two boards, so that ages do.
            passed_ns = time.monotonic_ns() - self._received_ns
            return {**self._board, "now_ns": self._board["now_ns"] + passed_ns}

    def _read(self) -> None:
        while True:
            try:
                for board in _boards(self._client):
                    with self._changed:
                        self._board, self._received_ns, self.trouble = board, time.monotonic_ns(), ""
                        self._changed.notify_all()
            except Unreachable as error:
                self._worry(error)
                time.sleep(RETRY_S)
            except click.ClickException as error:
                self.failure = error
                self._worry(error)
                return

    def _worry(self, error: click.ClickException) -> None:
        with self._changed:
            self.trouble = error.message
            self._changed.notify_all()


def _live(client: Client) -> None:
    latest = _Latest(client)
    latest.start()
    deadline = time.monotonic() + FIRST_BOARD_S
    board = latest.wait(FIRST_BOARD_S)
    while board is None and not latest.trouble and time.monotonic() < deadline:
        board = latest.wait(RETRY_S)
    if board is None:
        raise latest.failure or Unreachable(latest.trouble or f"{client.url} sent no board")
    output = tables.console()
    try:
        with _keys() as pressed, Live(console=output, screen=True, auto_refresh=False) as live:
            while not pressed("q"):
                if latest.failure is not None:
                    raise latest.failure
                shown = screen(
                    board or {}, client.url, rows=output.height - CHROME_LINES, trouble=latest.trouble
                )
                live.update(shown, refresh=True)
                board = latest.wait(REFRESH_S)
    except KeyboardInterrupt:
        pass


@contextmanager
def _keys() -> Iterator[Any]:
    """Let single keys through; yields a function that says whether one was pressed."""
    if not sys.stdin.isatty():
        yield lambda _wanted: False
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)

    def pressed(wanted: str) -> bool:
        keys = b""
        while select.select([file], [], [], 0)[0]:
            read = os.read(file, KEYS_AT_ONCE)
            if not read:
                return True  # the terminal has gone
            keys += read
        return wanted.encode() in keys

    try:
        tty.setcbreak(file)
        yield pressed
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def screen(board: dict[str, Any], url: str, *, rows: int | None, trouble: str = "") -> RenderableType:
    """One screen; `rows` is how many lines the three tables may have together, None for all."""
    queues, agents = board["queues"], [one for one in board["agents"] if one["state"] != "offline"]
    waiting = [one for one in board["contacts"] if one["phase"] in {"waiting", "offered", "connecting"}]
    space = 10_000 if rows is None else max(3, rows)
    queue_rows = _queue_rows(board)[: max(1, space // 2)]
    agent_rows = _agent_rows(agents, board["now_ns"])[: max(1, (space - len(queue_rows)) * 2 // 3)]
    left = max(0, space - len(queue_rows) - len(agent_rows))
    contact_rows = _contact_rows(waiting, board["now_ns"])[:left]
    parts: list[RenderableType] = [_head(board, url, trouble)]
    parts.append(
        tables.table(_QUEUE_COLUMNS, queue_rows, one_line=True) if queues else Text("no queue is configured")
    )
    parts.append(
        tables.table(_AGENT_COLUMNS, agent_rows, one_line=True) if agents else Text("nobody is signed in")
    )
    if contact_rows:
        parts.append(tables.table(_CONTACT_COLUMNS, contact_rows, one_line=True))
    return Group(*parts)


def _head(board: dict[str, Any], url: str, trouble: str) -> Text:
    contacts, total = board["figures"]["contacts"], _today(board)["total"]
    down = [f"{one['kind']}.{one['name']}" for one in board["components"] if one["state"] == "down"]
    head = Text.assemble(
        ("centralita", "bold"),
        f" {url}  {contacts['live']} live, {contacts['admitted']} admitted, {contacts['ended']} ended;"
        f" today: service level {tables.share(total['service_level'])},"
        f" abandoned {tables.share(total['abandon_rate'])}, ASA {tables.duration(total['asa_s'])},"
        f" AHT {tables.duration(total['aht_s'])}",
    )
    if down:
        head.append(f"\ndown: {', '.join(down)}", style="bold red")
    if trouble:
        head.append(f"\n{trouble}; trying again", style="bold red")
    return head


def _today(board: dict[str, Any]) -> dict[str, Any]:
    """What is counted today, or since the journal began while nothing has been counted today."""
    figures: dict[str, Any] = board["figures"]
    today: dict[str, Any] = figures.get("today", figures)
    return today


_QUEUE_COLUMNS: Final = (
    "QUEUE", ">WAITING", ">LONGEST", ">EXPECTED", ">OFFERED", ">TALKING", ">WRAP-UP", ">FREE", ">PRESENT",
    ">SL", ">ABANDONED", ">ASA", ">AHT",
)  # fmt: skip
_AGENT_COLUMNS: Final = ("AGENT", "STATE", ">SINCE", ">LOAD", "CONTACTS")
_CONTACT_COLUMNS: Final = (">NEXT", ">CONTACT", "PHASE", "QUEUE", "CHANNEL", "REQUIRES", ">AGE")


def _queue_rows(board: dict[str, Any]) -> list[tuple[object, ...]]:
    figures = _today(board)["queues"]
    rows: list[tuple[object, ...]] = []
    for queue in board["queues"]:
        counted = figures.get(queue["name"], {})
        name = Text(queue["name"], style="" if queue["open"] else "dim strike")
        waiting = Text(str(queue["waiting"]), style="bold yellow" if queue["waiting"] else "dim")
        rows.append(
            (
                name,
                waiting,
                tables.age(queue["longest_wait_since_ns"], board["now_ns"]),
                tables.duration(queue["estimate"]["expected_s"]),
                queue["offered"],
                queue["connected"],
                queue["wrapping"],
                queue["agents_available"],
                queue["agents_present"],
                tables.share(counted.get("service_level")),
                tables.share(counted.get("abandon_rate")),
                tables.duration(counted.get("asa_s")),
                tables.duration(counted.get("aht_s")),
            )
        )
    return rows


def _agent_rows(agents: list[dict[str, Any]], now_ns: int) -> list[tuple[object, ...]]:
    return [
        (
            agent["title"] or agent["name"],
            tables.state(agent["state"]),
            tables.age(agent["since_ns"], now_ns),
            tables.share(agent["units_used"] / agent["capacity"]),
            ", ".join(f"{contact} {work['state']}" for contact, work in agent["works"].items()),
        )
        for agent in agents
    ]


def _contact_rows(contacts: list[dict[str, Any]], now_ns: int) -> list[tuple[object, ...]]:
    return [
        (
            contact["position"] or "",
            contact["id"],
            tables.state(contact["phase"]),
            contact["queue"],
            contact["channel"],
            tables.skills(contact["skills"]),
            tables.age(contact["arrived_ns"], now_ns),
        )
        for contact in contacts
    ]
