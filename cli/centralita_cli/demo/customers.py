"""Simulated customers: pages of the web chat (docs/webchat.md) that come, wait, talk, go and rate.

They arrive by chance (a Poisson stream), each with a matter, a name and a patience of its own; one who
has waited too long leaves. Like the agents they know only what the interface tells them.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Final

import structlog
import trio

from centralita_cli.demo import words
from centralita_cli.demo.sockets import GONE, JsonSocket, connected
from centralita_cli.demo.temper import Temper

AT_ONCE_MAX: Final = 30
"""Customers at a time; who would come beyond that stays away."""
PATIENCE_S: Final = (45.0, 240.0)
PING_EVERY_S: Final = 25.0
GOODBYE_S: Final = 40.0
RATING_SHARE: Final = 0.6
SCORES: Final = (5, 5, 5, 4, 4, 3, 2)
CHARACTERS_PER_S: Final = 14.0

CHANNELS: Final = {"shop": 1, "tienda": 4, "help": 4, "ayuda": 4, "accounts": 3}
"""How often each channel is chosen. The shop, where Ana is asked first, is left mostly to the visitor."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("centralita.demo")


async def stream_of_customers(url: str, *, seed: int, every_s: float, speed: float) -> None:
    """Let customers come until cancelled, one every `every_s` in the mean; `url` is `ws://HOST:PORT`."""
    arrivals = Temper(f"arrivals {seed}")
    limit = trio.CapacityLimiter(AT_ONCE_MAX)
    async with trio.open_nursery() as nursery:
        for number in count(1):
            await arrivals.wait(arrivals.chance.expovariate(1 / every_s))
            if limit.available_tokens:
                nursery.start_soon(_visit, url, Temper(f"customer {seed} {number}", speed=speed), limit)


async def _visit(url: str, temper: Temper, limit: trio.CapacityLimiter) -> None:
    channel = temper.chance.choices(tuple(CHANNELS), weights=tuple(CHANNELS.values()))[0]
    async with limit:
        try:
            async with connected(f"{url}/chat/{channel}/ws") as socket:
                await _Visit(channel, socket, temper).run()
        except* GONE as group:
            log.info("simulated_customer_disconnected", error=type(group.exceptions[0]).__name__)


class _Visit:
    """One customer's one matter."""

    def __init__(self, channel: str, socket: JsonSocket, temper: Temper) -> None:
        self._socket = socket
        self._temper = temper
        self._chance = chance = temper.chance
        self._language = words.language_of(channel)
        self._lines = [says for says, _ in chance.choice(words.DIALOGUES[channel])]
        self._name = chance.choice(words.CALLERS[self._language])
        self._ids = count(1)
        self._chat = 0
        self._phase = ""
        self._answers = 0
        self._over = trio.Event()
        self._news = trio.Event()
        self._may_rate = False

    async def run(self) -> None:
        """From the first word to the last."""
        await self._socket.send(type="hello", language=self._language)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            nursery.start_soon(self._stay)
            await self._talk()
            nursery.cancel_scope.cancel()

    async def _talk(self) -> None:
        patience_s = self._chance.uniform(*PATIENCE_S)
        for number, line in enumerate(self._lines):
            await self._say(line)
            with trio.move_on_at(self._temper.deadline(patience_s)):
                while self._answers <= number and not self._over.is_set():
                    await self._next_news()
            if self._answers <= number or self._over.is_set():
                break
            # From the first answer on, somebody is there: one waits longer for the next.
            patience_s = PATIENCE_S[1]
        else:
            with trio.move_on_at(self._temper.deadline(GOODBYE_S)):
                await self._over.wait()
        if not self._over.is_set():
            await self._socket.send(type="end")
            with trio.move_on_at(self._temper.deadline(GOODBYE_S)):
                await self._over.wait()
        if self._may_rate and self._chance.random() < RATING_SHARE:
            await self._temper.ponder(1, 4)
            await self._socket.send(type="rate", score=self._chance.choice(SCORES), chat=self._chat)
            await self._temper.wait(1)

    async def _say(self, text: str) -> None:
        await self._temper.ponder(1, 4)
        await self._socket.send(type="typing", on=True)
        await self._temper.wait(min(6.0, len(text) / CHARACTERS_PER_S))
        who = {}
        if not self._chat:
            address = self._name.lower().replace(" ", ".").translate(_PLAIN)
            who = {"name": self._name, "email": f"{address}@example.com"}
        message_id = f"m{next(self._ids)}"
        await self._socket.send(type="message", message_id=message_id, text=text, chat=self._chat, **who)

    async def _next_news(self) -> None:
        self._news = trio.Event()
        await self._news.wait()

    async def _read(self) -> None:
        while True:
            frame = await self._socket.receive()
            self._take(frame)
            if frame["type"] == "message":
                await self._socket.send(type="ack", sequence=frame["sequence"])
            self._news.set()

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "received":
                self._chat = frame["chat"]
            case "message" if frame["author"] == "agent":
                self._answers += 1
            case "ended":
                self._may_rate = frame["may_rate"]
                self._over.set()
            case "error":
                log.info("simulated_customer_refused", code=frame["code"])
            case _:
                pass

    async def _stay(self) -> None:
        while True:
            await trio.sleep(PING_EVERY_S)
            await self._socket.send(type="ping")


_PLAIN: Final = str.maketrans("áéíóúñ", "aeioun")
