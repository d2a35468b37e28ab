"""What the kit can't know: who is let in, and what a line that makes no sense is answered."""

from collections.abc import Sequence
from pathlib import Path

import my_plugin
import pytest
import trio

import centralita

PATIENCE_S = 10


def talk(folder: Path, lines: Sequence[str], until: str) -> list[str]:
    """What the desk says to these lines, up to one that begins with `until`."""

    async def main() -> list[str]:
        raw = {
            "domain": {"data": str(folder)},
            "journal": {"type": "memory"},
            "queues": {"help": {}},
            "default_queue": "help",
            "agents": {"ana": {}},
            "desks": {"hall": {"type": "my_plugin", "port": 0, "pins": {"ana": "4711", "eve": "4712"}}},
        }
        heard = b""
        async with centralita.open_engine(raw, plugins=[my_plugin], entry_points=False):
            port = int((folder / "desks" / "hall" / "port").read_text())
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all("".join(f"{line}\n" for line in lines).encode())
                with trio.fail_after(PATIENCE_S):
                    while f"\n{until}" not in f"\n{heard.decode()}":
                        heard += await stream.receive_some()
        return heard.decode().splitlines()

    return trio.run(main)


@pytest.mark.parametrize("line", ["ana 0000", "ana", "", "bob 4711"])
def test_nobody_sits_down_with_another_pin(tmp_path: Path, line: str) -> None:
    assert talk(tmp_path, [line], "error") == ["error: no such agent, or another PIN"]


def test_agent_whom_the_configuration_does_not_know_is_told(tmp_path: Path) -> None:
    (line,) = talk(tmp_path, ["eve 4712"], "error")
    assert line.startswith("error: ")


@pytest.mark.parametrize("line", ["accept", "accept twelve", "dance 3", "say Hello"])
def test_line_that_makes_no_sense_is_answered_with_those_that_do(tmp_path: Path, line: str) -> None:
    *_, answer = talk(tmp_path, ["ana 4711", line], "error")
    assert answer == "error: known: accept OFFER, decline OFFER, say CONTACT WORDS, end CONTACT"
