"""A small company around a web chat, and customers who speak with it as the widget does.

The engine, the front door and the channel are the real ones, on a free port of this machine.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_client_stream

from centralita import open_engine
from centralita.messages import AnswerOffer, AnyCommand, EndContact, PostMessage, SignIn
from centralita.protocols import Switchboard

PATIENCE_S = 60
"""How long a test waits for something that must come."""


def configuration(
    folder: Path, *, port: int = 0, queue: dict[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """A queue, two agents who see it all, and one web chat."""
    agent = {"skills": {}, "capacity": 100_000, "limits": {"chat": 1000}}
    return {
        "domain": {"name": "huerta", "data": str(folder)},
        "media": {"chat": {"units": 1, "max_per_agent": 1000}},
        "queues": {"shop": {"wrap_up_s": 0, "offer_s": 60, **(queue or {})}},
        "agents": {"ana": {"title": "Ana", **agent}, "berta": {"title": "Berta", **agent}},
        "channels": {"shop_chat": {"type": "webchat", "queue": "shop", **settings}},
        "front_doors": {
            "http": {"type": "http", "port": port, "limits": {"requests_per_s": 1000, "requests_burst": 1000}}
        },
    }


class House:
    """A running company. `base` is the chat's address without its scheme."""

    def __init__(self, switchboard: Switchboard, port: int) -> None:
        self.switchboard = switchboard
        self.port = port
        self.base = f"127.0.0.1:{port}/chat/shop_chat"

    async def submit(self, command: AnyCommand) -> None:
        """Hand in a command that must be taken."""
        outcome = await self.switchboard.submit(command)
        assert outcome.refusal is None, outcome.refusal

    async def sign_in(self, agent: str = "ana") -> None:
        await self.submit(SignIn(agent=agent))

    async def offered(self) -> int:
        """The contact that is offered to somebody."""
        return (await self.contact_in("offered"))[0]

    async def contact_in(self, *phases: str) -> list[int]:
        """The contacts in one of these phases, once there are any."""
        with trio.fail_after(PATIENCE_S):
            while True:
                found = [view.id for view in self.switchboard.contacts() if view.phase in phases]
                if found:
                    return found
                await trio.sleep(0.01)

    async def accept(self, contact: int | None = None, *, phase: str = "connected") -> int:
        """Have the agent who is asked take the contact, and wait until it is in a phase."""
        number = contact or await self.offered()
        view = self.switchboard.contact(number)
        assert view is not None
        (work,) = [work for work in view.works if work.state == "offered"]
        await self.submit(AnswerOffer(contact=number, agent=work.agent, offer=work.offer, accept=True))
        await self.until(lambda: self.phase(number) == phase)
        return number

    def phase(self, contact: int) -> str:
        view = self.switchboard.contact(contact, messages=False)
        return view.phase if view is not None else ""

    async def until(self, holds: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_S):
            while not holds():
                await trio.sleep(0.005)

    async def say(self, contact: int, text: str, *, agent: str = "ana", message_id: str = "") -> None:
        await self.submit(
            PostMessage(contact=contact, author="agent", author_id=agent, text=text, message_id=message_id)
        )

    async def end(self, contact: int, agent: str = "ana") -> None:
        await self.submit(EndContact(contact=contact, by=agent))

    def said(self, contact: int) -> list[str]:
        """The customer's words in a live contact, as the engine has them."""
        view = self.switchboard.contact(contact)
        assert view is not None
        return [message.text for message in view.messages if message.author == "customer"]


@asynccontextmanager
async def open_house(folder: Path, **settings: Any) -> AsyncIterator[House]:
    """The company on a free port; its data in `folder`, so that opening it again is a restart."""
    async with open_engine(configuration(folder, **settings)) as switchboard:
        yield House(switchboard, await listening_port(folder, switchboard))


async def listening_port(folder: Path, switchboard: Switchboard) -> int:
    """Where the front door listens, once everything is up."""
    with trio.fail_after(PATIENCE_S):
        while any(one.state != "up" for one in switchboard.components()):
            await trio.sleep(0.01)
    (path,) = folder.rglob("http.port")
    return int(path.read_text(encoding="ascii"))


def a_client(**settings: Any) -> httpx.AsyncClient:
    """Somebody who asks over HTTP and waits for a busy machine."""
    return httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False, **settings)


@asynccontextmanager
async def open_socket(
    base: str, *, origin: str = "", handshake_s: float = PATIENCE_S
) -> AsyncIterator[WebSocketConnection]:
    """A WebSocket to the chat. trio-websocket waits for ever for one that hung up at once: `handshake_s` at most."""
    host, _, path = base.partition("/")
    headers = [(b"Origin", origin.encode())] if origin else []
    stream = await trio.open_tcp_stream("127.0.0.1", int(host.partition(":")[2]))
    try:
        async with trio.open_nursery() as nursery:
            socket = None
            with trio.move_on_after(handshake_s):
                socket = await wrap_client_stream(nursery, stream, host, f"/{path}/ws", extra_headers=headers)
            if socket is None:
                raise HandshakeError
            yield socket
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(stream)  # trio-websocket leaves it open when the line breaks early


class Page:
    """A customer's page: keeps its session and what is not known to be taken in, and resumes."""

    def __init__(self, base: str, *, handshake_s: float = PATIENCE_S) -> None:
        self.base = base
        self._handshake_s = handshake_s
        self.session = ""
        self.secret = ""
        self.last = 0
        self.chat = 0
        self.ended_chat = 0
        self.outbox: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.socket: WebSocketConnection | None = None
        self.gone = False
        self.entered = False
        self.changed = trio.Condition()

    @property
    def texts(self) -> list[str]:
        """Everything said, in the order shown."""
        return [line["text"] for line in self.lines]

    @asynccontextmanager
    async def open(self, **hello: Any) -> AsyncIterator[Page]:
        """The page with its socket, until the block ends."""
        async with (
            open_socket(self.base, handshake_s=self._handshake_s) as socket,
            trio.open_nursery() as nursery,
        ):
            self.socket = socket
            self.heard.clear()
            self.gone = self.entered = False
            nursery.start_soon(self._listen, socket)
            await self.put(type="hello", session=self.session, secret=self.secret, last=self.last, **hello)
            await self.wait_until(lambda: self.entered or self.gone)
            for message in self.outbox:
                await self.put(**message)
            yield self
            nursery.cancel_scope.cancel()

    async def put(self, **frame: Any) -> None:
        assert self.socket is not None
        await self.socket.send_message(json.dumps(frame))

    async def _listen(self, socket: WebSocketConnection) -> None:
        while True:
            try:
                frame = json.loads(await socket.get_message())
            except ConnectionClosed:
                self.gone = True
                async with self.changed:
                    self.changed.notify_all()
                return
            self._take(frame)
            async with self.changed:
                self.changed.notify_all()

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "session":
                self.entered = True
                self.session = frame["session"]
                self.secret = frame["secret"] or self.secret
                if not frame["resumed"]:
                    self.last, self.lines = 0, []
            case "message":
                assert frame["sequence"] == self.last + 1, "a gap or a repetition"
                self.last = frame["sequence"]
                self.lines.append(frame)
            case "received":
                self.chat = frame["chat"] if frame["chat"] > self.ended_chat else 0
                self.outbox = [m for m in self.outbox if m["message_id"] != frame["message_id"]]
            case "state":
                self.chat = frame["chat"]
            case "ended":
                self.chat, self.ended_chat = 0, frame["chat"]
            case _:
                pass
        self.heard.append(frame)

    async def send(self, message_id: str, text: str = "", **fields: Any) -> None:
        """Say something; it is sent again on resuming until it is known to be taken in."""
        frame = {"type": "message", "message_id": message_id, "text": text, "chat": self.chat, **fields}
        self.outbox.append(frame)
        await self.put(**frame)

    async def wait_for(self, type_: str, **fields: Any) -> dict[str, Any]:
        """The next frame of this type with these fields; those of its type before it are passed over."""

        def found() -> dict[str, Any] | None:
            for index, frame in enumerate(self.heard):
                if frame["type"] == type_ and all(frame[key] == value for key, value in fields.items()):
                    self.heard[: index + 1] = [one for one in self.heard[:index] if one["type"] != type_]
                    return frame
            return None

        return cast(dict[str, Any], await self.wait_until(found))

    async def wait_until(self, holds: Callable[[], Any]) -> Any:
        """Wait until `holds()` is true of what was heard, and return it."""
        with trio.fail_after(PATIENCE_S):
            async with self.changed:
                while not (result := holds()):
                    await self.changed.wait()
                return result
