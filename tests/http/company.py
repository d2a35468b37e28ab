"""A small company behind a real front door on a free port, with a real engine, for the tests of the plugin."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import trio
from litestar import get
from msgspec import Struct
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

import centralita_http
from centralita.config import decode
from centralita.errors import ControlRefused
from centralita.hookspecs import hookimpl
from centralita.messages import AdmitContact
from centralita.protocols import (
    Announcement,
    Capabilities,
    Context,
    Inbox,
    Outgoing,
    Register,
    Signal,
    Switchboard,
)
from centralita.runner.service import open_engine
from centralita.views import ContactView
from centralita_http.door import PORT_FILE, HttpFrontDoor
from centralita_http.settings import HttpSettings
from centralita_http.tokens import CLI_TOKEN_NAME

PATIENCE_S = 60
"""How long a test waits for the server to do something before it fails."""

CONFIGURATION: dict[str, Any] = {
    "skills": ["en", "es"],
    "default_queue": "sales",
    "dispositions": ["sold", "not sold"],
    "queues": {
        "sales": {"title": "Sales", "skills": {"en": 1}, "wrap_up_s": 600, "offer_s": 600},
        "support": {"skills": {"es": 5}},
    },
    "agents": {
        "ana": {"title": "Ana", "skills": {"en": 5}},
        "eva": {"title": "Eva", "skills": {"en": 5, "es": 5}},
    },
    "limits": {"grace_s": 60},
    "journal": {"type": "memory"},
    "channels": {"post": {"type": "letterbox"}, "parcels": {"type": "letterbox"}},
    "desks": {"console": {"type": "websocket"}},
    "front_doors": {"http": {"type": "http", "port": 0}},
}


class LetterboxSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[channels.NAME] type = "letterbox"`."""


class Letterbox:
    """A channel as a third party would write it; what it is given to send can be looked at."""

    capabilities = Capabilities(
        medium="chat", typing=True, controls=("ring_bell", "break"), supervisor_controls=("peek",)
    )

    def __init__(self, settings: LetterboxSettings, context: Context) -> None:
        self.sent: list[Outgoing] = []
        self.signals: list[Signal] = []
        self.name = context.name
        if self.name == "post":
            letterboxes[context.switchboard] = self

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    async def send(self, message: Outgoing) -> None:
        self.sent.append(message)

    async def announce(self, announcement: Announcement) -> None:
        pass

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool:
        return True

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        pass

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        pass

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        pass

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        pass

    async def control(self, contact: ContactView, *, by: str, word: str, value: str) -> dict[str, Any]:
        if value == "never":
            raise ControlRefused("wrong_phase", "not now")
        if word == "break":
            raise RuntimeError("a customer's words")
        return {"contact": contact.id, "by": by, "word": word, "value": value}

    async def signal(self, signal: Signal, provider_id: str) -> None:
        self.signals.append(signal)

    def routes(self) -> Sequence[Any]:
        @get("/letterbox/metrics", opt={"role": "metrics"})
        async def metrics() -> dict[str, int]:
            return {"sent": len(self.sent)}

        @get("/letterbox/broken", opt={"role": "admin"})
        async def broken() -> None:
            raise RuntimeError("a customer's words")

        return [metrics, broken] if self.name == "post" else []


letterboxes: dict[Switchboard, Letterbox] = {}


class LetterboxPlugin:
    """What an entry point would name."""

    @hookimpl
    def register_channels(self, register: Register) -> None:
        register("letterbox", LetterboxSettings, Letterbox)


class FrontDoorPlugin:
    """The plugin under test, which remembers the door it built."""

    def __init__(self) -> None:
        self.doors: list[HttpFrontDoor] = []

    @hookimpl
    def register_front_doors(self, register: Register) -> None:
        register("http", HttpSettings, self._build)

    @hookimpl
    def register_desks(self, register: Register) -> None:
        centralita_http.register_desks(register)

    def _build(self, settings: HttpSettings, context: Context) -> HttpFrontDoor:
        self.doors.append(HttpFrontDoor(settings, context))
        return self.doors[-1]


class Company:
    """A running company: its switchboard, its front door, its tokens."""

    def __init__(self, switchboard: Switchboard, door: HttpFrontDoor, data: Path) -> None:
        self.switchboard = switchboard
        self.door = door
        self.data = data
        self.admin = (data / CLI_TOKEN_NAME).read_text().strip()
        self._tokens: dict[tuple[str, str], str] = {("admin", ""): self.admin}

    @property
    def letterbox(self) -> Letterbox:
        return letterboxes[self.switchboard]

    def client(self, token: str = "", **settings: Any) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        settings.setdefault("verify", False)  # reading the system's certificates takes longer than a test
        return httpx.AsyncClient(
            base_url=self.door.address, headers=headers, timeout=PATIENCE_S, trust_env=False, **settings
        )

    async def token(self, role: str, agent: str = "", **settings: Any) -> str:
        """A token of a role, made over the interface, once."""
        key = (role, agent)
        if key not in self._tokens:
            async with self.client(self.admin, **settings) as client:
                body = {"name": f"{role} {agent}", "role": role, "agent": agent}
                if role == "channel":
                    body["channel"] = "post"
                made = await client.post("/api/tokens", json=body)
                assert made.status_code == 201, made.text
                self._tokens[key] = made.json()["token"]
        return self._tokens[key]

    async def admit(self, provider_id: str, *, channel: str = "post", **fields: Any) -> int:
        """A contact, as the letterbox would admit it."""
        command = AdmitContact(channel=channel, provider_id=provider_id, **fields)
        outcome = await self.switchboard.submit(command)
        assert outcome.refusal is None, outcome.refusal
        return outcome.contact

    @asynccontextmanager
    async def desk(self, agent: str, *, greeted: bool = True) -> AsyncIterator[DeskClient]:
        """A window of an agent's desk."""
        token = await self.token("agent", agent)
        async with self.socket("/ws/desk", token) as socket:
            client = DeskClient(socket)
            if greeted:
                client.hello = await client.next("hello")
            yield client

    @asynccontextmanager
    async def socket(
        self, path: str, token: str = "", headers: Sequence[tuple[str, str]] = ()
    ) -> AsyncIterator[WebSocketConnection]:
        given = [(name.encode(), value.encode()) for name, value in headers]
        if token:
            given.append((b"authorization", f"Bearer {token}".encode()))
        host = self.door.address.partition("//")[2]
        # The stream is ours: the library leaves it open when the server is the first to close.
        async with await self.stream() as stream, trio.open_nursery() as nursery:
            socket = await wrap_client_stream(nursery, stream, host, path, extra_headers=given)
            try:
                yield socket
            finally:
                with trio.move_on_after(PATIENCE_S, shield=True):
                    await socket.aclose()

    async def opening(self, path: str, token: str = "", **headers: str) -> Answer:
        """The answer to a WebSocket's opening: 101, or an error with its body."""
        lines = {
            "host": self.door.address.partition("//")[2],
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
            **headers,
        }
        if token:
            lines["authorization"] = f"Bearer {token}"
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return await self.raw(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())

    async def raw(self, request: bytes) -> Answer:
        """What the server says to some bytes; status 0 when it says nothing and closes."""
        async with await self.stream() as stream:
            try:
                await stream.send_all(request)
            except trio.BrokenResourceError:
                pass  # it has heard enough; the answer is still to be read
            return await read_answer(stream)

    async def switchboard_up(self, path: str) -> None:
        """Wait until a component runs."""
        await eventually(
            lambda: any(
                f"{one.kind}.{one.name}" == path and one.state == "up"
                for one in self.switchboard.components()
            )
        )

    async def stream(self) -> trio.SocketStream:
        """A bare connection."""
        host, _, port = self.door.address.partition("//")[2].rpartition(":")
        return await trio.open_tcp_stream(host, int(port))


class Answer:
    """An HTTP answer read from a bare connection."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head = head.decode("latin-1")
        self.text = body.decode()
        self.status_code = int(head.split(b" ")[1]) if head else 0


async def read_answer(stream: trio.SocketStream) -> Answer:
    """Read one answer whose length is declared; what follows it is not looked at."""
    data = b""
    with trio.fail_after(PATIENCE_S):
        while True:
            head, end, body = data.partition(b"\r\n\r\n")
            declared = re.search(rb"content-length: (\d+)", head)
            length = int(declared[1]) if declared else 0
            if end and len(body) >= length:
                return Answer(head, body[:length])
            try:
                piece = await stream.receive_some()
            except trio.BrokenResourceError:
                piece = b""
            if not piece:
                return Answer(head if end else b"", body)
            data += piece


async def closing_code(socket: WebSocketConnection) -> int:
    """The code with which the server closes, whatever it still says before."""
    with trio.fail_after(PATIENCE_S):
        try:
            while True:
                await socket.get_message()
        except ConnectionClosed as closed:
            return closed.reason.code if closed.reason is not None else 0


class DeskClient:
    """The agent's side of the desk's protocol."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.hello: dict[str, Any] = {}
        self.frames: list[dict[str, Any]] = []
        self._ids = 0

    async def say(self, **frame: Any) -> dict[str, Any]:
        """Send a frame and wait for its reply."""
        self._ids += 1
        await self.socket.send_message(json.dumps({"id": self._ids, **frame}))
        return await self.next("reply", id=self._ids)

    async def next(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next frame of a kind (with such fields); those before it stay to be asked for."""
        with trio.fail_after(PATIENCE_S):
            place = 0
            while True:
                while place >= len(self.frames):
                    self.frames.append(json.loads(await self.socket.get_message()))
                frame = self.frames[place]
                if frame["type"] == kind and fields.items() <= frame.items():
                    return self.frames.pop(place)
                place += 1

    async def update_until(self, condition: Any) -> dict[str, Any]:
        """The next update for which `condition(update)` holds."""
        while True:
            update = await self.next("update")
            if condition(update):
                return update


@asynccontextmanager
async def company(folder: Path, *, more: Sequence[object] = (), **changes: Any) -> AsyncIterator[Company]:
    """A company in `folder`. `changes` replace top-level tables; `http` adds to the front door's settings."""
    http = {**CONFIGURATION["front_doors"]["http"], **changes.pop("http", {})}
    raw = {**CONFIGURATION, "front_doors": {"http": http}, **changes}
    front = FrontDoorPlugin()
    plugins = [front, LetterboxPlugin(), *more]
    configuration = decode(raw, folder=folder)
    async with open_engine(configuration, plugins=plugins, entry_points=False) as switchboard:
        (data,) = (path.parent for path in folder.rglob(PORT_FILE))
        try:
            yield Company(switchboard, front.doors[0], data)
        finally:
            letterboxes.pop(switchboard, None)


async def eventually(condition: Any) -> None:
    """Wait until a condition of the running engine holds."""
    with trio.fail_after(PATIENCE_S):
        while not condition():
            await trio.sleep(0.01)
