"""The agents at a WebSocket desk, for the checks of `centralita.testing`, and what a front door needs for them.

Needs `trio-websocket`, which the front door itself does not: `pip install centralita-http[kit]`.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any, ClassVar, Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from centralita.testing import DeskDriver, Driver, House, Seat
from centralita_http.door import PORT_FILE
from centralita_http.tokens import open_store

DOOR: Final = "kit_door"
PATIENCE_S: Final = 10


class HttpDriver(Driver):
    """Any free port."""

    settings: ClassVar = {"port": 0}


class WebSocketDeskDriver(DeskDriver):
    """Windows as the console opens them, over a front door beside the desk."""

    tables: ClassVar = {"front_doors": {DOOR: {"type": "http", "port": 0}}}

    async def sit(self, house: House, agent: str) -> Seat:
        """Open a window with a token of the agent; returns when the desk has said hello."""
        folder = house.data.parents[1] / "front_doors" / DOOR
        token = await trio.to_thread.run_sync(partial(_token, folder, agent, house))
        port = int((folder / PORT_FILE).read_text(encoding="ascii"))
        window = Window(port, token)
        house.world.start_soon(window.live)
        with trio.fail_after(PATIENCE_S):
            await window.greeted.wait()
        return window


class Window(Seat):
    """One window of the desk: offers by their numbers, and the words of the contacts in hand."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__()
        self.greeted = trio.Event()
        self._port = port
        self._token = token
        self._scope = trio.CancelScope()
        self._socket: WebSocketConnection | None = None
        self._ids = 0
        self._replies: dict[int, dict[str, Any]] = {}

    async def live(self) -> None:
        """Read until the socket is closed."""
        headers = [(b"authorization", f"Bearer {self._token}".encode())]
        with self._scope:
            # The stream is ours: the library leaves it open when the server is the first to close.
            stream = await trio.open_tcp_stream("127.0.0.1", self._port)
            async with stream, trio.open_nursery() as nursery:
                host = f"127.0.0.1:{self._port}"
                self._socket = socket = await wrap_client_stream(
                    nursery, stream, host, "/ws/desk", extra_headers=headers
                )
                try:
                    while True:
                        self._take(json.loads(await socket.get_message()))
                except ConnectionClosed:
                    return

    async def answer(self, contact: int, offer: int, *, accept: bool) -> None:
        """Press accept or decline."""
        await self._command("AnswerOffer", contact=contact, offer=offer, accept=accept)

    async def say(self, contact: int, words: str) -> None:
        """Write into the conversation."""
        await self._command("PostMessage", contact=contact, text=words)

    async def leave(self) -> None:
        """Close the window."""
        self._scope.cancel()

    async def _command(self, name: str, **fields: Any) -> None:
        self._ids += 1
        number = self._ids
        assert self._socket is not None
        await self._socket.send_message(json.dumps({"id": number, "command": name, **fields}))
        with trio.fail_after(PATIENCE_S):
            while number not in self._replies:
                await trio.sleep(0.005)

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "hello":
                self.greeted.set()
            case "reply":
                self._replies[frame["id"]] = frame
            case "offer":
                # As the console does: an offer's number is its place on the screen.
                shown = (int(frame["contact"]["id"]), int(frame["offer"]))
                if shown not in self.offers:
                    self.offers.append(shown)
            case "withdraw":
                self.offers = [one for one in self.offers if one[1] != frame["offer"]]
            case "update":
                for contact in frame["contacts"]:
                    self.seen += [
                        message["text"]
                        for message in contact.get("messages", ())
                        if message["author"] == "customer"
                    ]
            case _:
                pass


def _token(folder: Any, agent: str, house: House) -> str:
    store = open_store(folder, now_ns=house.bench.clock.now_ns)
    try:
        return store.create(name=f"kit {agent}", role="agent", agent=agent)[1]
    finally:
        store.close()
