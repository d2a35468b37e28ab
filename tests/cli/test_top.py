"""`centralita top` on a terminal: a screen that lives, ends by a key, and outlives the daemon."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.conftest import COMPANY
from tests.cli.daemon import CENTRALITA, STOP_S, environment, running

SEEN_S = 120.0


class Terminal:
    """A terminal of 30 lines with one command on it."""

    def __init__(
        self, folder: Path, *arguments: str, columns: int = 120, program: Sequence[str] = CENTRALITA
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.process = subprocess.Popen(
            [*program, *arguments],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment() | {"TERM": "xterm-256color"},
        )
        os.close(slave)
        self.shown = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self.shown += os.read(self._master, 65_536)
            except OSError:
                return  # what a terminal says when its last writer has gone

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def wait_for(self, words: bytes) -> None:
        deadline = time.monotonic() + SEEN_S
        while words not in self.shown:
            assert time.monotonic() < deadline, self.shown[-4000:].decode()
            time.sleep(0.05)

    def lines(self) -> list[str]:
        """What is on it, without colours, once the command has ended."""
        self.process.wait(timeout=SEEN_S)
        self._reader.join()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown.decode()).splitlines()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._master)


@contextmanager
def terminal(folder: Path, *arguments: str, **settings: Any) -> Iterator[Terminal]:
    opened = Terminal(folder, *arguments, **settings)
    try:
        yield opened
    finally:
        opened.close()


def test_screen_lives_until_q_and_outlives_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "centralita.toml").write_text(COMPANY, encoding="utf-8")
    with running(tmp_path) as daemon, terminal(tmp_path, "top") as top:
        top.wait_for(b"0 live, 0 admitted")
        daemon.post("/api/contacts", {"channel": "help", "provider_id": "p1"})
        top.wait_for(b"1 live, 1 admitted")
        top.wait_for(b"support 4, english 4")
        daemon.stop()
        top.wait_for(b"trying again")
        top.press(b"xq")
        assert top.process.wait(STOP_S) == 0


def test_top_ends_with_3_when_no_daemon_answers(tmp_path: Path) -> None:
    with terminal(tmp_path, "top", "--url", "http://127.0.0.1:9", "--token", "x") as top:
        assert top.process.wait(STOP_S) == 3
        top.wait_for(b"can't be reached")


def test_figures_stay_whole_on_a_narrow_terminal(tmp_path: Path) -> None:
    long = "Productos de temporada de Extremadura y de toda Andalucía, también para llevar"
    company = COMPANY + f'\n[queues.temporada]\ntitle = "{long}"\n'
    (tmp_path / "centralita.toml").write_text(company, encoding="utf-8")
    with running(tmp_path):
        with terminal(tmp_path, "queues", columns=80) as shown:
            queues = shown.lines()
        with terminal(tmp_path, "top", "--once", columns=80) as shown:
            top = shown.lines()
    assert max(map(len, queues + top)) <= 80
    (row,) = (line for line in queues if "temporada" in line and "open" in line)
    assert row.split()[-7:] == ["0", "–", "–", "0", "0", "0", "0/0"]
    assert any("llevar" in line for line in queues), "a name goes on in further lines"
    (row,) = (line for line in top if "tempor" in line)
    assert row.split()[1:] == ["0", "–", "–", "0", "0", "0", "0", "0", "–", "–", "–", "–"]


MANY_FIGURES = """
from centralita_cli import tables
columns = ["KIND", *(f">FIGURE {n}" for n in range(10))]
tables.put(tables.table(columns, [["all", *["22,166"] * 10]]))
"""


def test_many_figures_go_closer_together_before_one_is_cut(tmp_path: Path) -> None:
    with terminal(tmp_path, program=(sys.executable, "-c", MANY_FIGURES), columns=80) as shown:
        lines = shown.lines()
    assert max(map(len, lines)) <= 80
    (row,) = (line for line in lines if "all" in line)
    assert row.split() == ["all", *["22,166"] * 10]
