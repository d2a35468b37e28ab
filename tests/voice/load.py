"""Many calls at once: sipp calls, telephones answer by themselves, and everything is counted afterwards.

python -m tests.voice.load                1,000 calls at 50 a second
python -m tests.voice.load 200 20         as many, as fast
"""

from __future__ import annotations

import csv
import json
import socket
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trio
from tools.asterisk_server import Asterisk, claimed_port

from centralita.messages import AgentJoined, ContactConnected, ContactEnded, SignIn
from tests.voice.house import House, open_house
from tests.voice.phone import FRAME_S, WITHIN_S, Phone, Talk

SCENARIO = Path(__file__).with_name("caller.xml")
TALK_S = 0.2


def agents(n: int) -> list[str]:
    """Names of telephones enough."""
    return [f"agent{number:03}" for number in range(n)]


class AnsweringPhone(Phone):
    """Answers whatever rings, talks for a moment once it hears its own echo from the caller, and puts down."""

    def __init__(self, nursery: trio.Nursery, name: str, *, talk_s: float = TALK_S) -> None:
        super().__init__(nursery, name, hz=900)
        self.answered = self.heard = 0
        self.every = 5
        self.talk_s = talk_s
        self.then = lambda talk: nursery.start_soon(self._converse, talk)

    async def _converse(self, talk: Talk) -> None:
        if talk.ended.is_set():
            return
        await talk.answer()
        self.answered += 1
        while not talk.frames and not talk.ended.is_set():
            await trio.sleep(FRAME_S / 2)
        self.heard += not talk.ended.is_set()
        with trio.move_on_after(self.talk_s):
            await talk.ended.wait()
        await talk.hang_up()


async def sipp(asterisk: Asterisk, calls: int, rate: float) -> dict[str, int]:
    """Make so many calls, so many a second; returns how many came to a good end and how many did not."""
    claims: list[socket.socket] = []
    # For the callers' audio sipp takes the first, and for pictures the third.
    audio = claimed_port(socket.SOCK_DGRAM, claims, n=3)
    with ExitStack() as claimed, tempfile.TemporaryDirectory() as folder:
        for claim in claims:
            claimed.enter_context(claim)
        statistics = Path(folder) / "sipp.csv"
        done = await trio.run_process(
            [
                "sipp", f"127.0.0.1:{asterisk.sip}", "-sf", str(SCENARIO), "-i", "127.0.0.1", "-s", "sales",
                "-m", str(calls), "-r", str(max(1, round(rate))), "-l", str(calls), "-nostdin",
                "-rtp_echo", "-mp", str(audio),
                "-timeout", "180", "-trace_stat", "-stf", str(statistics), "-trace_err", "-error_file", str(Path(folder) / "errors"), "-fd", "1",
            ],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )  # fmt: skip
        rows = list(csv.reader(statistics.read_text().splitlines(), delimiter=";"))
        last = dict(zip(rows[0], rows[-1], strict=False))
        assert done.returncode in (0, 1), done.stderr.decode(errors="replace")[-500:]
        errors = Path(folder) / "errors"
        if errors.exists() and errors.stat().st_size:
            print(errors.read_text(errors="replace")[:3000], file=sys.stderr)
        return {"good": int(last["SuccessfulCall(C)"]), "failed": int(last["FailedCall(C)"])}


def changed_for(names: list[str]) -> dict[str, dict[str, Any]]:
    """The configuration's part about these agents."""
    return {f"agents.{name}": {"capacity": 100} for name in names}


async def answer_all(house: House, names: list[str], *, talk_s: float = TALK_S) -> list[AnsweringPhone]:
    """All agents at their telephones, signed in."""
    phones = [AnsweringPhone(house.nursery, name, talk_s=talk_s) for name in names]
    for phone in phones:
        await phone.open(house.asterisk.sip)
        await phone.register()
        await house.do(SignIn(agent=phone.name, desk="phones"))
    return phones


async def measure(asterisk: Asterisk, calls: int, rate: float, names: list[str]) -> dict[str, Any]:
    """Make the calls and count everything. Nothing may be left on the server."""
    async with open_house(asterisk, also=changed_for(names)) as house:
        phones = await answer_all(house, names)
        began = time.perf_counter()
        made = await sipp(asterisk, calls, rate)
        await house.until(lambda: len(house.events(ContactEnded)) >= calls, within_s=2 * WITHIN_S)
        await house.quiet(within_s=2 * WITHIN_S)
        connected = Counter(event.contact for event in house.events(ContactConnected))
        waits = sorted(event.waited_ns / 1e6 for event in house.events(ContactConnected))
        return {
            "calls": calls,
            "rate": rate,
            "seconds": round(time.perf_counter() - began, 1),
            **made,
            "outcomes": dict(Counter(house.outcomes())),
            "connected_twice": sum(n > 1 for n in connected.values()),
            "never_connected": calls - len(connected),
            "joined": len(house.events(AgentJoined)),
            "phones_answered": sum(phone.answered for phone in phones),
            "heard_the_caller": sum(phone.heard for phone in phones),
            "join_to_connect_ms_p50": round(waits[len(waits) // 2], 1),
            "join_to_connect_ms_p95": round(waits[int(len(waits) * 0.95)], 1),
            "channels_left": len(asterisk.channels()),
        }


def check(found: dict[str, Any]) -> None:
    """Nobody lost, stuck, or answered twice."""
    calls = found["calls"]
    assert (found["good"], found["failed"]) == (calls, 0), found
    assert found["outcomes"] == {"served": calls}, found
    assert (found["connected_twice"], found["never_connected"], found["joined"]) == (0, 0, 0), found
    assert found["heard_the_caller"] >= calls, found
    assert found["channels_left"] == 0, found


def main() -> None:
    """Run at length, and say how it went in one line of JSON."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 50
    names = agents(60)
    with tempfile.TemporaryDirectory(prefix="ast-") as folder:
        asterisk = Asterisk(Path(folder), agents=names)
        asterisk.start()
        try:
            found = trio.run(measure, asterisk, calls, rate, names)
        finally:
            asterisk.stop()
    print(json.dumps(found))
    check(found)


if __name__ == "__main__":
    main()
