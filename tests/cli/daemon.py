"""A real daemon in a process of its own, as an operator starts it, for tests of the command line."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CENTRALITA = [sys.executable, "-c", "from centralita_cli.main import main; main()"]
START_S = 180.0
STOP_S = 120.0
"""Far beyond what it takes; only what would otherwise hang comes so far, however busy the machine is."""
PORT_FILE = "data/front_doors/http/http.port"


class Daemon:
    """`centralita serve` in a folder with a configuration."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self.folder = folder
        self.process = process
        self.log = folder / "log.jsonl"

    @property
    def config(self) -> Path:
        return self.folder / "centralita.toml"

    @property
    def url(self) -> str:
        port = (self.folder / PORT_FILE).read_text().strip()
        return f"http://127.0.0.1:{port}"

    @property
    def token(self) -> str:
        return (self.folder / "data/front_doors/http/cli.token").read_text().strip()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=START_S) as answer:
            return json.load(answer)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=START_S):
                    return
            except (OSError, urllib.error.URLError):
                if self.process.poll() is not None:
                    raise AssertionError(
                        f"ended with {self.process.returncode}: {self.log.read_text()}"
                    ) from None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def stop(self, sign: int = signal.SIGTERM) -> int:
        """Tell it to stop and return its exit code."""
        self.process.send_signal(sign)
        return self.process.wait(STOP_S)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Daemon]:
    """A daemon that is ready; killed in the end if it still runs."""
    # The port of an earlier life may be somebody else's by now, who would answer in its place.
    (folder / PORT_FILE).unlink(missing_ok=True)
    with (folder / "log.jsonl").open("w") as log:
        process = subprocess.Popen(
            [*CENTRALITA, "serve", "--port", "0", *arguments],
            cwd=folder,
            stderr=log,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
    try:
        daemon = Daemon(folder, process)
        daemon.wait_ready()
        yield daemon
    finally:
        process.kill()
        process.communicate()


def run(*arguments: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """One call of `centralita` as a shell makes it."""
    return subprocess.run(
        [*CENTRALITA, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=START_S,
        env=environment() | variables,
        check=False,
    )


def environment() -> dict[str, str]:
    """Ours, without what would lead the command line elsewhere."""
    return {key: value for key, value in os.environ.items() if not key.startswith("CENTRALITA_")}
