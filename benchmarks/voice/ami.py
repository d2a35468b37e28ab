"""Asterisk's manager interface, as much as is needed to make calls and to hear who is bridged with whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

USER = "bench"
SECRET = "for-benchmarks-only"
Heard = dict[str, str]


class Ami:
    """One connection. `heard` is called with each event."""

    def __init__(self, heard: Callable[[Heard], None]) -> None:
        self._heard = heard
        self._number = 0
        self._one = trio.Lock()
        self._waiting: dict[str, Any] = {}

    async def open(self, port: int, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Log in, and listen until cancelled."""
        self._stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            await self.ask(Action="Login", Username=USER, Secret=SECRET)
            task_status.started()

    async def ask(self, **fields: object) -> Heard:
        """Do something and wait for its answer. Raises RuntimeError when it is refused."""
        answered = trio.Event()
        waiting: list[Any] = [answered, None]
        # The answer may come before sending has returned.
        self._waiting[str(self._number + 1)] = waiting
        number = await self.send(**fields)
        await answered.wait()
        del self._waiting[number]
        answer: Heard = waiting[1]
        if answer["Response"] == "Error":
            raise RuntimeError(f"{fields}: {answer.get('Message')}")
        return answer

    async def send(self, **fields: object) -> str:
        """Do something and don't wait."""
        self._number += 1
        number = str(self._number)
        lines = [f"{name}: {value}" for name, value in {**fields, "ActionID": number}.items()]
        async with self._one:
            await self._stream.send_all(("\r\n".join(lines) + "\r\n\r\n").encode())
        return number

    async def _listen(self) -> None:
        rest = b""
        async for data in self._stream:
            *messages, rest = (rest + data).split(b"\r\n\r\n")
            for message in messages:
                pairs = (line.partition(": ") for line in message.decode(errors="replace").split("\r\n"))
                fields = {name: value for name, _, value in pairs}
                if "Event" in fields:
                    self._heard(fields)
                elif (one := self._waiting.get(fields.get("ActionID", ""))) is not None:
                    one[1] = fields
                    one[0].set()
