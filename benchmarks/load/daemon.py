"""The daemon under load: the real `centralita serve`, in a process and a folder of its own, and what it uses."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final

READY_S: Final = 60.0
ANSWER_S: Final = 30.0
PATIENCE_S: Final = 120.0
"""How long an operator keeps asking a daemon that has no room."""
RETRY_S: Final = 1.0
STOP_S: Final = 30.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

CONFIG: Final = """
skills = ["english"]
default_queue = "help"
[domain]
name = "load"
[queues.help]
title = "Help"
skills = {{ english = 1 }}
wrap_up_s = 0
max_waiting = {waiting}
when_full = {{ do = "message", text = "All our lines are busy. Please try again in some minutes." }}
[channels.shop]
type = "webchat"
sockets_max = {customers}
[crms.customers]
type = "crm_sqlite"
[kpi_sinks.metrics]
type = "prometheus"
[desks.console]
type = "websocket"
[routes.console]
type = "console"
[front_doors.http]
type = "http"
port = {port}
[front_doors.http.limits]
connections = {connections}
staff_connections = {staff}
"""


class LoadedDaemon:
    """The daemon, from `with` to its end."""

    def __init__(self, folder: Path, *, agents: int, customers: int) -> None:
        """`customers` at once are let in; half as many contacts as agents may wait in line."""
        self.folder = folder
        self.agents = agents
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        staff = agents + 100
        text = CONFIG.format(
            port=self.port,
            customers=customers,
            connections=customers + 200 + staff,
            staff=staff,
            waiting=max(1, agents // 2),
        )
        text += "".join(
            f'[agents.agent{number:03}]\ntitle = "Agent {number}"\nskills = {{ english = 5 }}\n'
            for number in range(agents)
        )
        (folder / "centralita.toml").write_text(text, encoding="utf-8")

    def __enter__(self) -> LoadedDaemon:
        log = (self.folder / "log.jsonl").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from centralita_cli.main import main; main()", "serve", "--log-json"],
            cwd=self.folder,
            stderr=log,
            stdout=subprocess.DEVNULL,
        )
        limit_s = time.monotonic() + READY_S
        while time.monotonic() < limit_s:
            if self.process.poll() is not None:
                break
            try:
                if self.get("/readyz", token="") is not None:
                    return self
            except OSError:
                time.sleep(0.1)
        self.process.kill()
        raise SystemExit(f"the daemon did not start:\n{(self.folder / 'log.jsonl').read_text()[-3000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def token(self) -> str:
        """The administrator's."""
        (path,) = self.folder.rglob("cli.token")
        return path.read_text(encoding="ascii").strip()

    def get(self, path: str, *, token: str | None = None, body: Any = None) -> Any:
        """Ask it over HTTP."""
        token = self.token if token is None else token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            text = answer.read()
        return json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def get_in_time(self, path: str) -> tuple[Any, int]:
        """`get`, coming again when told to or cut off; the answer, None after `PATIENCE_S`, and how often it was refused."""
        limit_s = time.monotonic() + PATIENCE_S
        refused_n = 0
        while time.monotonic() < limit_s:
            try:
                return self.get(path), refused_n
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in {429, 503}:
                        raise
                later_s = float(error.headers.get("retry-after") or RETRY_S)
            except (OSError, http.client.HTTPException):  # timed out, or closed before it said a word
                later_s = RETRY_S
            refused_n += 1
            time.sleep(later_s)
        return None, refused_n

    def desk_tokens(self) -> list[str]:
        """One for each agent, made as an administrator makes them."""
        made = []
        for number in range(self.agents):
            name = f"agent{number:03}"
            made.append(self.get("/api/tokens", body={"name": name, "role": "agent", "agent": name})["token"])
        return made

    def memory_bytes(self) -> int:
        """Resident."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()
        return int(fields[1]) * PAGE_BYTES

    def cpu_s(self) -> float:
        """Of all its threads, since its start."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS_PER_S
