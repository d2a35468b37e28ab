"""The agents, for Centralita's checks: they connect over TCP as anybody does."""

from __future__ import annotations

from typing import ClassVar, Final

import trio

from centralita.testing import DeskDriver, House, Seat
from my_plugin.desk import PORT_FILE

PIN: Final = "4711"


class MyPluginDriver(DeskDriver):
    """Any free port, and PINs for the agents of the checks."""

    settings: ClassVar = {"port": 0, "pins": {"kit_ana": PIN, "kit_luis": PIN}}

    async def sit(self, house: House, agent: str) -> Seat:
        """Connect and say who it is."""
        port = int((house.data / PORT_FILE).read_text())
        seat = LineSeat(await trio.open_tcp_stream("127.0.0.1", port))
        house.world.start_soon(seat.listen)
        await seat.write(f"{agent} {PIN}")
        await seat.greeted.wait()
        return seat


class LineSeat(Seat):
    """One connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__()
        self.greeted = trio.Event()
        self._stream = stream

    async def listen(self) -> None:
        """Look until the connection ends."""
        rest = b""
        async with self._stream:
            try:
                async for data in self._stream:
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self._look(line.decode())
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async def write(self, line: str) -> None:
        """Type a line."""
        await self._stream.send_all(line.encode() + b"\n")

    async def answer(self, contact: int, offer: int, *, accept: bool) -> None:
        """Take an offer, or leave it."""
        await self.write(f"{'accept' if accept else 'decline'} {offer}")

    async def say(self, contact: int, words: str) -> None:
        """Write to the customer."""
        await self.write(f"say {contact} {words}")

    async def leave(self) -> None:
        """Hang up."""
        await self._stream.aclose()

    def _look(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        match word:
            case "hello":
                self.greeted.set()
            case "offer":
                offer, _, contact, *_ = rest.split(" ")
                self.offers.append((int(contact), int(offer)))
            case "withdrawn":
                offer = rest.split(" ")[0]
                self.offers = [one for one in self.offers if one[1] != int(offer)]
            case "message":
                self.seen.append(rest.partition(" ")[2])
            case _:
                pass
