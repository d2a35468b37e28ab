"""Customers who write and agents who answer, each one task at one socket, and what they saw.

A customer says a line when the last was answered and some thought has passed, ends the conversation after the last
answer, and comes back with another matter after a pause. An agent accepts what is offered and answers each line after
some thought. What is turned away waits as long as it is told to, and tries again.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from itertools import count
from typing import Any, Final

import msgspec
import trio

from load.report import POLITE_CLOSES, polite
from load.wire import Gone, Refused, Wire

PING_EVERY_S: Final = 25.0
LINES: Final = 3
RETRY_S: Final = 5.0
"""When to come again where nobody said."""


class Pace:
    """How the crowd behaves now; the benchmark changes it between phases."""

    def __init__(self, *, think_s: float, pause_s: float) -> None:
        self.think_s = think_s
        self.pause_s = pause_s

    @property
    def talk_s(self) -> float:
        """How long a conversation takes, where nobody waits in line: each line has somebody's thought before and after it."""
        return 2 * LINES * self.think_s

    @property
    def cycle_s(self) -> float:
        """From one matter of a customer to the next."""
        return self.talk_s + self.pause_s


class Seen:
    """What the crowd saw in one phase."""

    def __init__(self) -> None:
        self.offer_s: list[float] = []
        """From a customer's first word on its way to the offer at an agent's desk, by the crowd's clock."""
        self.room_s: list[float] = []
        """Those of `offer_s` who began when an agent had room: what the daemon takes, with no time in line."""
        self.answer_s: list[float] = []
        """From an agent's line on its way to the customer's page."""
        self.counts: Counter[str] = Counter()
        self.refused = 0
        """Openings that were answered with another time to come."""
        self.impolite = 0
        """Openings and open sockets that ended without a clear answer."""

    def turned_away(self, who: str, error: Refused | Gone | OSError) -> float:
        """Note how somebody was kept or thrown out; in how many seconds they may come again."""
        later_s = RETRY_S
        if isinstance(error, Refused):
            what, kind = (
                f"refused: {error.status} {error.code}",
                polite(error.status, error.code, error.retry_after_s),
            )
            later_s = error.retry_after_s or RETRY_S
        elif isinstance(error, Gone):
            what, kind = f"closed: {error.code} {error.reason}", error.code in POLITE_CLOSES
        else:
            what, kind = f"failed: {type(error).__name__}", False
        self.counts[f"{who} {what}".strip()] += 1
        self.refused += kind
        self.impolite += not kind
        return later_s


class Crowd:
    """Everybody, their clock's book of who said what when, and the present phase's figures."""

    def __init__(self, port: int, pace: Pace, *, slots: int, seed: int = 1) -> None:
        self.port = port
        self.pace = pace
        self.slots = slots
        """How many chats the agents take at once."""
        self.talking = 0
        """Customers who have begun and not ended, in line or not."""
        self.seen = Seen()
        self.chance = random.Random(seed)
        self.began_s: dict[str, tuple[float, bool]] = {}
        """When a first line was sent, by the line, and whether an agent had room; taken out when it is offered."""
        self.said_s: dict[str, float] = {}
        self.customers_in = 0
        self.agents_in = 0
        self.numbers = count(1)

    def about(self, mean_s: float) -> float:
        """Around a mean, half of it to half as much again."""
        return mean_s * self.chance.uniform(0.5, 1.5)


class Customer:
    """One page of the web chat."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self._crowd = crowd
        self._address = f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
        self._session = self._secret = ""
        self._last = 0

    async def run(self) -> None:
        """Be there until cancelled."""
        while True:
            try:
                wire = await Wire.open(self._crowd.port, "/chat/shop/ws", address=self._address)
                try:
                    await self._visit(wire)
                finally:
                    self._over()
                    self._crowd.customers_in -= self._inside
                    self._inside = 0
                    with trio.CancelScope(shield=True):
                        await wire.close()
            except (Refused, Gone, OSError) as error:
                again_s = self._crowd.seen.turned_away("customer", error)
                await trio.sleep(self._crowd.about(again_s))

    _inside = 0
    _talks = 0

    def _over(self) -> None:
        self._crowd.talking -= self._talks
        self._talks = 0

    async def _visit(self, wire: Wire) -> None:
        crowd = self._crowd
        await wire.send(
            {"type": "hello", "session": self._session, "secret": self._secret, "last": self._last}
        )
        said = 0
        uid = ""
        cycle_s = crowd.pace.cycle_s
        next_s = trio.current_time() + crowd.chance.uniform(0, cycle_s)
        ping_s = trio.current_time() + PING_EVERY_S
        while True:
            now_s = trio.current_time()
            if now_s >= ping_s:
                await wire.send({"type": "ping"})
                ping_s = now_s + PING_EVERY_S
            if said == 0 and cycle_s != crowd.pace.cycle_s:
                # Who is away under the old pace would come too late, or all at once, for the new phase.
                next_s = now_s + (next_s - now_s) * crowd.pace.cycle_s / cycle_s
            cycle_s = crowd.pace.cycle_s
            if now_s >= next_s:
                next_s = math.inf
                if said >= LINES:
                    await wire.send({"type": "end"})
                elif self._inside:
                    if said == 0:
                        uid = f"c{next(crowd.numbers)}"
                        crowd.began_s[f"{uid} line 0"] = now_s, crowd.talking < crowd.slots
                        crowd.talking += 1
                        self._talks = 1
                        crowd.seen.counts["begun"] += 1
                    text = f"{uid} line {said}"
                    said += 1
                    await wire.send({"type": "message", "message_id": text.replace(" ", "."), "text": text})
            with trio.move_on_at(min(next_s, ping_s)):
                frame = msgspec.json.decode(await wire.receive())
                match frame["type"]:
                    case "session":
                        self._session, self._secret = frame["session"], frame["secret"] or self._secret
                        self._inside = 1
                        crowd.customers_in += 1
                    case "message":
                        self._last = frame["sequence"]
                        if frame["author"] == "agent":
                            sent_s = crowd.said_s.pop(frame["text"], None)
                            if sent_s is not None:
                                crowd.seen.answer_s.append(trio.current_time() - sent_s)
                            next_s = trio.current_time() + crowd.about(crowd.pace.think_s)
                    case "ended":
                        crowd.seen.counts[f"ended: {frame['outcome']}"] += said > 0
                        self._over()
                        crowd.began_s.pop(f"{uid} line 0", None)
                        said = 0
                        next_s = trio.current_time() + crowd.about(crowd.pace.pause_s)
                    case "error":
                        crowd.seen.counts[f"customer told: {frame['code']}"] += 1
                        self._over()
                        crowd.began_s.pop(f"{uid} line 0", None)
                        said = 0
                        next_s = trio.current_time() + crowd.about(max(crowd.pace.pause_s, RETRY_S))
                    case _:
                        pass


class Agent:
    """One desk."""

    def __init__(self, crowd: Crowd, token: str) -> None:
        self._crowd = crowd
        self._token = token
        self._ids = count(1)
        self._answered: dict[int, int] = {}
        self._due: list[tuple[float, int, str]] = []

    async def run(self) -> None:
        """Be there until cancelled."""
        while True:
            try:
                wire = await Wire.open(self._crowd.port, "/ws/desk", token=self._token)
                self._crowd.agents_in += 1
                try:
                    await self._visit(wire)
                finally:
                    self._crowd.agents_in -= 1
                    with trio.CancelScope(shield=True):
                        await wire.close()
            except (Refused, Gone, OSError) as error:
                await trio.sleep(self._crowd.seen.turned_away("desk", error))

    async def _visit(self, wire: Wire) -> None:
        while True:
            with trio.move_on_at(self._due[0][0] if self._due else math.inf):
                frame = msgspec.json.decode(await wire.receive())
                await self._take(wire, frame)
                continue
            _, contact, text = heapq.heappop(self._due)
            self._crowd.said_s[text] = trio.current_time()
            await self._do(wire, "PostMessage", contact, text=text, message_id=text.replace(" ", "."))

    async def _take(self, wire: Wire, frame: dict[str, Any]) -> None:
        crowd = self._crowd
        match frame["type"]:
            case "offer":
                first = frame["contact"]["messages"][0]["text"]
                if (began := crowd.began_s.pop(first, None)) is not None:
                    began_s, had_room = began
                    taken_s = trio.current_time() - began_s
                    crowd.seen.offer_s.append(taken_s)
                    if had_room:
                        crowd.seen.room_s.append(taken_s)
                await self._do(wire, "AnswerOffer", frame["contact"]["id"], offer=frame["offer"], accept=True)
            case "update" | "hello":
                for view in frame["contacts"]:
                    self._look(view)
            case "reply":
                if not frame["ok"]:
                    crowd.seen.counts[f"desk told: {frame['code']}"] += 1
            case _:
                pass

    def _look(self, view: dict[str, Any]) -> None:
        contact = view["id"]
        if view["phase"] != "connected":
            self._answered.pop(contact, None)
            return
        lines = [one["text"] for one in view["messages"] if one["author"] == "customer"]
        for line in lines[self._answered.get(contact, 0) :]:
            at_s = trio.current_time() + self._crowd.about(self._crowd.pace.think_s)
            heapq.heappush(self._due, (at_s, contact, f"re {line}"))
        self._answered[contact] = len(lines)

    async def _do(self, wire: Wire, command: str, contact: int, **fields: Any) -> None:
        await wire.send({"id": next(self._ids), "command": command, "contact": contact, **fields})
