"""An exchange: the real daemon in a process of its own, over as many lives as a test gives it, and its books."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import trio

from tests.cli.daemon import CENTRALITA, START_S, STOP_S, Daemon, environment
from tests.ports import held_port

PATIENCE_S: Final = 120.0
"""How long one answer of the daemon may take before a test fails."""
RETRY_S: Final = 0.05


def company(*, agents_n: int, port: int, offer_s: float = 600, wrap_up_s: float = 600) -> str:
    """The configuration: two queues, one web chat, everything durable, and limits that one address may reach."""
    agents = "".join(
        f'[agents.agent{number:02}]\ntitle = "Agent {number}"\nskills = {{ english = 5 }}\n'
        for number in range(agents_n)
    )
    queue = f"offer_s = {offer_s}\nwrap_up_s = {wrap_up_s}\nwrap_up_max_s = {wrap_up_s}\nconnect_s = 120\nask_again_s = 2\n"
    return f"""
skills = ["english"]
dispositions = ["resolved", "handed on"]
default_queue = "first"
[domain]
name = "exchange"
[limits]
grace_s = 300
identify_s = 120
[queues.first]
skills = {{ english = 1 }}
{queue}
[queues.second]
skills = {{ english = 2 }}
{queue}
{agents}
[channels.shop]
type = "webchat"
grace_s = 600
messages_per_minute_max = 10000
sessions_per_minute_max = 100000
[crms.customers]
type = "crm_sqlite"
[desks.console]
type = "websocket"
[routes.console]
type = "console"
[front_doors.http]
type = "http"
port = {port}
[front_doors.http.limits]
connections_per_address = 4000
requests_per_s = 100000
requests_burst = 100000
messages_per_s = 10000
"""


class Exchange:
    """The daemon, over as many lives as a test gives it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.lives = 0
        self._daemon: Daemon | None = None

    @property
    def daemon(self) -> Daemon:
        assert self._daemon is not None, "not started"
        return self._daemon

    @property
    def token(self) -> str:
        """The administrator's token."""
        return self.daemon.token

    async def start(self) -> None:
        """Start it and wait until it can work."""
        self.lives += 1
        with (self.folder / f"log-{self.lives}.jsonl").open("w") as log:
            process = subprocess.Popen(
                [*CENTRALITA, "serve", "--log-json"],
                cwd=self.folder,
                stderr=log,
                env=environment(),
                text=True,
            )
        self._daemon = Daemon(self.folder, process)
        self._daemon.log = self.folder / f"log-{self.lives}.jsonl"
        with trio.fail_after(START_S):
            while not await self._is_ready():
                assert process.poll() is None, self.log()
                await trio.sleep(RETRY_S)

    async def _is_ready(self) -> bool:
        # Without the list of authorities, whose reading would take the processor from what is starting.
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE_S) as client:
            try:
                return (await client.get(f"{self.address}/readyz")).status_code == 200
            except httpx.TransportError:
                return False

    async def kill(self) -> None:
        """SIGKILL: nothing is said, nothing is flushed."""
        self.daemon.process.kill()
        await trio.to_thread.run_sync(self.daemon.process.wait)

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.daemon.process.send_signal(signal.SIGTERM)
        return await trio.to_thread.run_sync(partial(self.daemon.process.wait, STOP_S))

    def end(self) -> None:
        """Leave nothing running."""
        if self._daemon is not None:
            self._daemon.process.kill()
            self._daemon.process.wait()

    def log(self) -> str:
        """What this life of the daemon has logged."""
        return self.daemon.log.read_text()

    def complaints(self) -> list[dict[str, Any]]:
        """What the daemon logged of warnings and errors, in all lives."""
        logs = sorted(self.folder.glob("log-*.jsonl"))
        lines = [line for path in logs for line in path.read_text().splitlines()]
        said = [json.loads(line) for line in lines if line.startswith("{")]
        return [one for one in said if one["level"] in {"warning", "error", "critical"}]

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """A program that uses the interface; `token` None is the administrator's, "" is nobody's."""
        token = self.token if token is None else token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.address, headers=headers, trust_env=False, timeout=PATIENCE_S)

    async def token_for(self, role: str, agent: str = "") -> str:
        """A new token."""
        async with self.client() as client:
            made = await client.post("/api/tokens", json={"name": role, "role": role, "agent": agent})
            assert made.status_code == 201, made.text
            return str(made.json()["token"])

    def transcripts(self) -> dict[str, list[tuple[str, str]]]:
        """Who said what to each customer, in order, as the CRM's file has it; by e-mail address."""
        return {handle: said for handle, _, said in self.contacts_recorded()}

    def contacts_recorded(self) -> list[tuple[str, str, list[tuple[str, str]]]]:
        """Each customer's contact in the CRM's file: address, outcome, and what was said aloud."""
        (path,) = self.folder.rglob("crm.sqlite3")
        with closing(sqlite3.connect(path)) as file:
            contacts = file.execute(
                "SELECT id, handle, outcome FROM contacts WHERE direction <> 'consultation' ORDER BY id"
            ).fetchall()
            return [
                (
                    handle,
                    outcome,
                    file.execute(
                        "SELECT author, text FROM messages WHERE contact = ? AND internal = 0 ORDER BY number",
                        (number,),
                    ).fetchall(),
                )
                for number, handle, outcome in contacts
            ]


@asynccontextmanager
async def open_exchange(folder: Path, **settings: Any) -> AsyncIterator[Exchange]:
    """A running exchange in `folder`, killed in the end if it still runs."""
    with held_port() as port:
        (folder / "centralita.toml").write_text(company(port=port, **settings), encoding="utf-8")
        exchange = Exchange(folder, port)
        try:
            await exchange.start()
            yield exchange
        finally:
            exchange.end()
