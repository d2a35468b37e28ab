"""The customers, for Centralita's checks: they connect over TCP as anybody does."""

from __future__ import annotations

from typing import ClassVar

import trio

from centralita.testing import ChannelDriver, Customer, House
from my_plugin.channel import PORT_FILE


class MyPluginDriver(ChannelDriver):
    """Any free port."""

    settings: ClassVar = {"port": 0}

    async def arrive(self, house: House, words: str) -> Customer:
        """Connect, and write a first line."""
        port = int((house.data / PORT_FILE).read_text())
        customer = LineCustomer(await trio.open_tcp_stream("127.0.0.1", port))
        house.world.start_soon(customer.listen)
        await customer.say(words)
        return customer


class LineCustomer(Customer):
    """One connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__()
        self._stream = stream

    async def listen(self) -> None:
        """Hear until the connection ends."""
        rest = b""
        async with self._stream:
            try:
                async for data in self._stream:
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self._hear(line.decode())
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async def say(self, words: str) -> None:
        """Write a line."""
        await self._stream.send_all(words.encode() + b"\n")

    async def leave(self) -> None:
        """Hang up."""
        await self._stream.aclose()

    def _hear(self, line: str) -> None:
        if line == "* Goodbye.":
            self.over = True
        elif not line.startswith("* "):
            self.heard.append(line.partition(": ")[2])
