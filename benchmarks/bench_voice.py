"""Our engine beside app_queue on one real Asterisk, in one run: `make bench-voice`.

The same callers, the same members, the same ears: callers are Local channels that come to a queue's door, members are Local
channels that answer at once and hang up when they have talked for a while; who waits hears it ring, since a thousand streams of music would cost more
than all else. Who speaks with whom is read off Asterisk's own bridge events with
Asterisk's own clock. One side waits in `Queue()`, the other in our engine, which is connected by ARI and journals in SQLite.

    idle     agents are idle, calls come one by one: from the door to the agent
    drain    so many wait, then so many agents become available: how long an agent who is freed stands idle before the next
             caller speaks, and how much longer than ideal it takes until nobody waits and nobody talks
    rate     a hundred calls a second with a hundred idle agents: held or not, and processor time of all servers a call

Ends with one line of JSON. `--write` puts the tables into benchmarks/RESULTS.md, `--quick` leaves the large drain out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import trio

HERE: Final = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from tools.asterisk_server import PASSWORD, USER, Asterisk, Unavailable  # noqa: E402
from voice import ami as manager  # noqa: E402
from voice.ears import Ears, ms  # noqa: E402

AGENTS: Final = 100
FIRST_MEMBER: Final = 10_000
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PORTS: Final = range(23_000, 25_000)
STANDSTILL_S: Final = 40.0
"""Calls are lost when none of them has found an agent for so long: longer than an offer stands whose phone never rang."""
MARKS: Final = ("<!-- bench-voice: begin -->", "<!-- bench-voice: end -->")
SIDES: Final = {"ours": "ours", "app_queue": "theirs"}
"""Each side's name, and its extension in the dialplan."""

DIALPLAN: Final = """
[callers]
exten => theirs,1,UserEvent(Door)
 same => n,Queue(bench,cr)
 same => n,Hangup()
exten => ours,1,UserEvent(Door)
 same => n,Stasis(centralita,queue=bench)
 same => n,Hangup()
[members]
exten => _X.,1,Answer(,i)
 same => n,Wait(3600)
 same => n,Hangup()
"""
QUEUE: Final = """
autofill = yes
persistentmembers = no
shared_lastcall = no
[bench]
musicclass = default
strategy = leastrecent
timeout = 15
retry = 1
wrapuptime = 0
autofill = yes
ringinuse = no
joinempty = yes
leavewhenempty = no
announce-frequency = 0
"""
MANAGER: Final = """[general]
enabled = yes
bindaddr = 127.0.0.1
port = {port}
timestampevents = yes
[{user}]
secret = {secret}
read = call,user
write = all
writetimeout = 10000
eventfilter(action(include),name(BridgeEnter)) =
eventfilter(action(include),name(BridgeLeave)) =
eventfilter(action(include),name(UserEvent)) =
"""
COMPANY: Final = """
default_queue = "bench"
[queues.bench]
wrap_up_s = 0
offer_s = 15
no_answer = "stay"
[channels.phone]
type = "asterisk"
queue = "bench"
phone = "Local/{{agent}}@members/n"
answer = "with_agent"
[channels.phone.servers.main]
url = "{url}"
user = "{user}"
password = "{password}"
"""


class Floor:
    """Asterisk, our engine, and the ears; one side is at work at a time."""

    def __init__(self, asterisk: Asterisk, company: subprocess.Popen[str], nursery: trio.Nursery) -> None:
        self.asterisk = asterisk
        self.company = company
        self.ears = Ears(on_speaking=self._speaks)
        self.ami = manager.Ami(self._hear)
        self.nursery = nursery
        self.called_n = 0
        self._chance = random.Random(7)
        self._talk_s = (0.2, 0.2)

    def _speaks(self, channel: str) -> None:
        self.nursery.start_soon(self._talk, channel, self._chance.uniform(*self._talk_s))

    async def _talk(self, channel: str, seconds: float) -> None:
        """A talk takes its time from when it begins, however late that is; then the member hangs up."""
        await trio.sleep(seconds)
        await self.ami.send(Action="Hangup", Channel=channel)

    def _hear(self, event: dict[str, str]) -> None:
        if event["Event"] in ("BridgeEnter", "BridgeLeave", "UserEvent"):
            self.ears.hear(event)

    async def tell(self, words: str) -> None:
        """Tell our engine's process something, and wait until it is done."""
        await trio.to_thread.run_sync(tell, self.company, words)

    async def members(self, side: str, count: int, *, available: bool) -> None:
        """So many members of a side come, available or on a break."""
        if side == "ours":
            await self.tell(f"in {count}")
            if available:
                await self.tell("go")
            return
        for number in range(count):
            member = {"Queue": "bench", "Interface": f"Local/{FIRST_MEMBER + number}@members/n"}
            await self.ami.ask(Action="QueueAdd", **member, Paused=str(not available).lower())

    async def let_in(self, side: str, count: int) -> float:
        """The members become available; when that began, by Asterisk's clock (it is this machine's)."""
        began_s = time.time()
        if side == "ours":
            await self.tell("go")
        else:
            for number in range(count):
                interface = f"Local/{FIRST_MEMBER + number}@members/n"
                await self.ami.ask(Action="QueuePause", Queue="bench", Interface=interface, Paused="false")
        return began_s

    async def gone(self, side: str, count: int) -> None:
        """All calls end and all members go."""
        await trio.to_thread.run_sync(self.asterisk.cli, "channel request hangup all")
        with trio.move_on_after(30):
            while await trio.to_thread.run_sync(self.asterisk.channels):
                await trio.sleep(0.1)
        if side == "ours":
            await self.tell("out")
        else:
            for number in range(count):
                interface = f"Local/{FIRST_MEMBER + number}@members/n"
                await self.ami.ask(Action="QueueRemove", Queue="bench", Interface=interface)
        self.ears.forget()

    def talk_for(self, from_s: float, to_s: float) -> None:
        """How long members talk, from now on: anything between."""
        self._talk_s = (from_s, to_s)

    async def call(self, side: str) -> None:
        """One caller comes."""
        self.called_n += 1
        await self.ami.send(
            Action="Originate",
            Channel=f"Local/{SIDES[side]}@callers/n",
            Application="Wait",
            Data=3600,
            Timeout=3_600_000,
            Async="true",
            CallerID=f"<{600_000_000 + self.called_n}>",
        )

    async def until(self, holds: Any, within_s: float) -> bool:
        """Wait until something is so; whether it was in time."""
        with trio.move_on_after(within_s):
            while not holds():
                await trio.sleep(0.02)
            return True
        return False

    def processor_s(self) -> dict[str, float]:
        """Processor time used so far, of Asterisk and of our engine."""
        return {"asterisk": used_s(self.asterisk.pid), "engine": used_s(self.company.pid)}


def tell(company: subprocess.Popen[str], words: str) -> None:
    """A line to our engine's process; it must answer ok."""
    assert company.stdin is not None
    assert company.stdout is not None
    if words:
        company.stdin.write(words + "\n")
        company.stdin.flush()
    while (answer := company.stdout.readline()) and answer.strip() != "ok":
        pass
    if not answer:
        raise RuntimeError(f"our engine ended at {words!r}")


def used_s(pid: int) -> float:
    """Processor time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def idle(floor: Floor, side: str, *, calls: int, gap_s: float) -> dict[str, Any]:
    """Calls come one by one to idle agents."""
    floor.talk_for(0.2, 0.2)
    await floor.members(side, 10, available=True)
    waits: list[float] = []
    for _ in range(calls):
        before = len(floor.ears.speaking)
        await floor.call(side)
        await floor.until(lambda before=before: len(floor.ears.speaking) > before, 10)
        if len(floor.ears.speaking) > before:
            waits.append(floor.ears.speaking[-1][0] - max(floor.ears.entered.values()))
        await trio.sleep(gap_s)
    await floor.until(lambda: floor.ears.waiting == 0, 5)
    lost = calls - len(waits)
    await floor.gone(side, 10)
    return {"p50": ms(waits, 0.5), "p95": ms(waits, 0.95), "n": len(waits), "lost": lost}


async def drain(floor: Floor, side: str, *, members: int, waiting: int, talk_s: float) -> dict[str, Any]:
    """So many wait, then the agents become available, until all have been served."""
    floor.talk_for(talk_s * 0.5, talk_s * 1.5)
    await floor.members(side, members, available=False)
    for number in range(waiting):
        await floor.call(side)
        if number % 20 == 19:
            await trio.sleep(0.2)
    await floor.until(lambda: len(floor.ears.entered) >= waiting, 60)
    await trio.sleep(3)
    came = len(floor.ears.entered)
    began_s = await floor.let_in(side, members)
    limit_s = 3 * waiting / members * talk_s + 20
    ears = floor.ears
    done = await floor.until(
        lambda: len(ears.speaking) >= came and all(talk > 0 for _, talk in ears.talks), limit_s
    )
    ideal_s, took_s = ears.ideal_s(members), ears.last_s - began_s
    result = {
        "members": members,
        "waiting": came,
        "idle_p50": ms(ears.idle_s, 0.5),
        "idle_p95": ms(ears.idle_s, 0.95),
        "idle_s": list(ears.idle_s),
        "took_s": round(took_s, 2),
        "ideal_s": round(ideal_s, 2),
        "over": round(took_s / ideal_s - 1, 4),
        "lost": came - len(ears.speaking) + (waiting - came),
        "done": done,
    }
    await floor.gone(side, members)
    return result


async def rate(floor: Floor, side: str, *, per_s: int, seconds: float) -> dict[str, Any]:
    """So many calls a second; talks are so short that somebody is always idle."""
    floor.talk_for(0.2, 0.2)
    await floor.members(side, AGENTS, available=True)
    calls = round(per_s * seconds)
    before, began = floor.processor_s(), trio.current_time()
    for number in range(calls):
        await floor.call(side)
        await trio.sleep_until(began + (number + 1) / per_s)
    sent_s = trio.current_time() - began
    spoke_n, took_s = -1, 0.0
    while spoke_n < len(floor.ears.speaking) < calls:  # until nothing moves any more
        spoke_n = len(floor.ears.speaking)
        await floor.until(lambda: len(floor.ears.speaking) >= calls, STANDSTILL_S)
    took_s = max((spoke for spoke, _, _ in floor.ears.speaking), default=0.0) - min(
        floor.ears.entered.values(), default=0.0
    )
    used = {name: after - before[name] for name, after in floor.processor_s().items()}
    doors = sorted(floor.ears.entered.values())
    waits = [spoke - door for (spoke, _, _), door in zip(sorted(floor.ears.speaking), doors, strict=False)]
    spoke = len(floor.ears.speaking)
    result = {
        "calls": calls,
        "asked_per_s": per_s,
        "sent_per_s": round(calls / sent_s, 1),
        "held_per_s": round(spoke / took_s, 1),
        "p50": ms(waits, 0.5),
        "p95": ms(waits, 0.95),
        "asterisk_ms": round(used["asterisk"] / max(1, spoke) * 1000, 2),
        "engine_ms": round(used["engine"] / max(1, spoke) * 1000, 2) if side == "ours" else 0.0,
        "lost": calls - spoke,
    }
    await floor.gone(side, AGENTS)
    return result


async def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """All scenarios of both sides, one after the other."""
    port = free_port()
    asterisk = Asterisk(
        folder / "asterisk",
        name="bench",
        extra={
            "extensions.conf": DIALPLAN,
            "queues.conf": QUEUE,
            "manager.conf": MANAGER.format(port=port, user=manager.USER, secret=manager.SECRET),
        },
    )
    asterisk.start()
    try:
        with engine(folder, asterisk) as company:
            async with trio.open_nursery() as nursery:
                floor = Floor(asterisk, company, nursery)
                await nursery.start(floor.ami.open, port)
                results: dict[str, dict[str, Any]] = {}
                for side in SIDES:
                    one = results[side] = {}
                    one["idle"] = say(side, "idle", await idle(floor, side, calls=60, gap_s=0.25))
                    one["10/100"] = say(
                        side, "10/100", await drain(floor, side, members=10, waiting=100, talk_s=2)
                    )
                    if not arguments.quick:
                        one["100/1000"] = say(
                            side, "100/1000", await drain(floor, side, members=100, waiting=1000, talk_s=4)
                        )
                    one["rate"] = say(side, "rate", await rate(floor, side, per_s=100, seconds=10))
                nursery.cancel_scope.cancel()
        return results
    finally:
        asterisk.stop()


class engine:
    """Our engine in a process of its own, until the block ends."""

    def __init__(self, folder: Path, asterisk: Asterisk) -> None:
        agents = "".join(f"[agents.{FIRST_MEMBER + number}]\n" for number in range(AGENTS))
        text = COMPANY.format(url=asterisk.url, user=USER, password=PASSWORD) + agents
        self._file = folder / "centralita.toml"
        self._file.write_text(text, encoding="utf-8")
        self._log = folder / "engine.log"

    def __enter__(self) -> subprocess.Popen[str]:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "voice.company", str(self._file)],
                cwd=HERE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        tell(self._process, "")
        return self._process

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def say(side: str, scenario: str, result: dict[str, Any]) -> dict[str, Any]:
    """Show progress on stderr; the result goes on."""
    shown = {name: value for name, value in result.items() if name != "idle_s"}
    print(f"{side:9} {scenario:9} {shown}", file=sys.stderr, flush=True)
    return result


def free_port() -> int:
    """A free port for the manager interface."""
    for port in PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise Unavailable("no free port")


def summary(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The line that the run ends with."""
    ours, theirs = results["ours"], results["app_queue"]
    drains = [name for name in ("10/100", "100/1000") if name in ours]
    lost = sum(int(one["lost"]) for one in ours.values())
    return {
        "freed_idle_ms_p50": ours["10/100"]["idle_p50"],
        "freed_idle_ms_p95": ours["10/100"]["idle_p95"],
        "app_queue_freed_idle_ms_p50": theirs["10/100"]["idle_p50"],
        "drain_over_ideal": {name: ours[name]["over"] for name in drains},
        "idle_join_to_connect_ms_p50": ours["idle"]["p50"],
        "app_queue_idle_join_to_connect_ms_p50": theirs["idle"]["p50"],
        "lost": lost,
    }


def tables(results: dict[str, dict[str, Any]], *, others: str, seconds: float) -> str:
    """The results as they stand in benchmarks/RESULTS.md."""
    ours, theirs = results["ours"], results["app_queue"]
    rows = [
        (
            "idle agent: from the door to the agent, ms p50 / p95",
            *(pair(one["idle"]) for one in (ours, theirs)),
        ),
    ]
    for name in ("10/100", "100/1000"):
        if name in ours:
            rows.append(
                (
                    f"{name}: a freed agent stands idle, ms p50 / p95",
                    *(f"{one[name]['idle_p50']} / {one[name]['idle_p95']}" for one in (ours, theirs)),
                )
            )
            rows.append(
                (
                    f"{name}: drained in s (ideal), over ideal",
                    *(
                        f"{one[name]['took_s']} ({one[name]['ideal_s']}), {one[name]['over'] * 100:+.1f} %"
                        for one in (ours, theirs)
                    ),
                )
            )
    rows += [
        ("100 calls a second: held a second", *(f"{one['rate']['held_per_s']}" for one in (ours, theirs))),
        (
            "the same: from the door to the agent, ms p50 / p95",
            *(pair(one["rate"]) for one in (ours, theirs)),
        ),
        (
            "the same: processor ms a call, Asterisk + our engine",
            *(f"{one['rate']['asterisk_ms']} + {one['rate']['engine_ms']}" for one in (ours, theirs)),
        ),
        ("calls lost", *(str(sum(part["lost"] for part in one.values())) for one in (ours, theirs))),
    ]
    lines = [
        f"Measured by `make bench-voice` on {platform.machine()}, {os.cpu_count()} virtual cores, Python"
        f" {platform.python_version()}, in {seconds:.0f} s. {others}",
        "",
        "| | ours | app_queue |",
        "|---|---:|---:|",
        *(f"| {label} | {one} | {other} |" for label, one, other in rows),
    ]
    return "\n".join(lines)


def pair(result: dict[str, Any]) -> str:
    """p50 / p95 of a result."""
    return f"{result['p50']} / {result['p95']}"


def write(text: str) -> None:
    """Put the tables between their marks in benchmarks/RESULTS.md."""
    path = HERE / "RESULTS.md"
    whole = path.read_text(encoding="utf-8")
    begin, end = MARKS
    block = f"{begin}\n{text}\n{end}"
    if begin not in whole:
        raise SystemExit(f"{path} has no mark {begin}")
    path.write_text(
        re.sub(rf"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, whole, flags=re.DOTALL),
        encoding="utf-8",
    )


def busy_s() -> tuple[float, float]:
    """(processor time used by all, all there was), in seconds since the machine started."""
    fields = [
        int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    ]
    return (sum(fields) - fields[3] - fields[4]) / TICKS_PER_S, sum(fields) / TICKS_PER_S


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="leave out the large drain")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    # So that Asterisk and our engine are ended too when somebody ends this.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    before, began = busy_s(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bv-") as folder:
        (Path(folder) / "asterisk").mkdir()
        try:
            results = trio.run(measure, Path(folder), arguments)
        except Unavailable as error:
            raise SystemExit(f"no Asterisk here: {error}") from error
    after = busy_s()
    share = (after[0] - before[0]) / (after[1] - before[1])
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    others = f"The machine was busy {share:.0%} of the time with everything on it; load averages {load} afterwards."
    text = tables(results, others=others, seconds=time.monotonic() - began)
    print(text)
    if arguments.write:
        write(text)
    print(json.dumps(summary(results)))


if __name__ == "__main__":
    main()
