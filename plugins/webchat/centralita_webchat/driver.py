"""The customers of a web chat, for the checks of `centralita.testing`: pages as the widget is one.

Needs `trio-websocket`, which the channel itself does not: `pip install centralita-webchat[kit]`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Final

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream

from centralita.messages import Attachment
from centralita.testing import ChannelDriver, Customer, House

DOOR: Final = "kit_door"
PATIENCE_S: Final = 30
BUSY: Final = 503
"""What a door answers that runs late; it says when to come again."""


class WebchatDriver(ChannelDriver):
    """Pages that connect over the front door. A closed page counts as gone at once."""

    settings: ClassVar = {"grace_s": 0.2, "messages_per_minute_max": 10_000, "origins": ("*",)}
    tables: ClassVar = {"front_doors": {DOOR: {"type": "http", "port": 0}}}

    async def arrive(self, house: House, words: str) -> Customer:
        """Open a page and write the first message."""
        page = Page()
        await page.resume(house)
        await page.say(words)
        return page

    async def attach(self, house: House, customer: Customer) -> Attachment:
        """What the console would send; the page is told of it, the bytes are fetched apart."""
        return Attachment(id="kit", name="map.pdf", media_type="application/pdf", bytes_n=4)


class Page(Customer):
    """One page with its session: it resumes where it was, and sends again what was not taken in."""

    def __init__(self) -> None:
        super().__init__()
        self._session = self._secret = ""
        self._last = 0
        self._chat = 0
        self._ids = 0
        self._received: set[str] = set()
        self._entered = trio.Event()
        self._scope = trio.CancelScope()
        self._socket: WebSocketConnection | None = None

    async def resume(self, house: House) -> None:
        """Open the socket again, as a widget does when it has lost it."""
        self._scope.cancel()
        self._scope, self._entered = trio.CancelScope(), trio.Event()
        house.world.start_soon(self._live, house, self._scope)
        with trio.fail_after(PATIENCE_S):
            await self._entered.wait()

    async def say(self, words: str) -> None:
        """Write a message; returns when the chat has taken it in."""
        self._ids += 1
        message_id = f"m{self._ids}"
        await self._put(type="message", message_id=message_id, text=words, chat=self._chat)
        await _until(lambda: message_id in self._received)

    async def leave(self) -> None:
        """Close the page."""
        self._scope.cancel()

    async def _live(self, house: House, scope: trio.CancelScope) -> None:
        with scope:
            while (wait_s := await self._connected(house)) is not None:
                await trio.sleep(wait_s)

    async def _connected(self, house: House) -> float | None:
        """Live on one connection until it is closed; in how many seconds to try again when the door was busy."""
        again_s: float | None = None
        port = _port(house)
        try:
            # The stream is ours: the library leaves it open when the server is the first to close.
            async with (
                await trio.open_tcp_stream("127.0.0.1", port) as stream,
                trio.open_nursery() as nursery,
            ):
                path = f"/chat/{house.name}/ws"
                self._socket = socket = await wrap_client_stream(nursery, stream, f"127.0.0.1:{port}", path)
                hello = {"session": self._session, "secret": self._secret, "last": self._last}
                await self._put(type="hello", **hello)
                with suppress(ConnectionClosed):
                    while True:
                        self._take(json.loads(await socket.get_message()))
        except* ConnectionRejected as group:
            for rejected in group.exceptions:
                if not isinstance(rejected, ConnectionRejected) or rejected.status_code != BUSY:
                    raise
                again_s = float(dict(rejected.headers).get(b"retry-after", 1))
        return again_s

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "session":
                self._session, self._secret = frame["session"], frame["secret"] or self._secret
                self._entered.set()
            case "message":
                self._last = frame["sequence"]
                if frame["author"] != "customer":
                    self.heard.append(frame["text"])
                    self.files += [file["name"] for file in frame["attachments"]]
            case "received":
                self._chat = frame["chat"]
                self._received.add(frame["message_id"])
            case "ended":
                self.over = True
            case _:
                pass

    async def _put(self, **frame: Any) -> None:
        assert self._socket is not None
        await self._socket.send_message(json.dumps(frame))


def _port(house: House) -> int:
    return int((house.data.parents[1] / "front_doors" / DOOR / "http.port").read_text(encoding="ascii"))


async def _until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not holds():
            await trio.sleep(0.005)
