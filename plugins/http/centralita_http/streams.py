"""Server-sent events: the journal as it grows, and the wall board as it stands.

`/api/events` is a log: each listener has a place in it, resumes there, and is fed by the switchboard's
`follow`, which keeps no more for a slow one than for a quick one. `/api/board` is a picture: it is
computed once for all listeners, at most four times a second and only while somebody looks, and a
slow listener simply sees fewer pictures.

The format is the HTML standard's, section 9.2. Each stream is written by a function that owns its
nursery, not by an async generator: a generator left between two values can't be cancelled cleanly.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import trio
from litestar import Response, get
from litestar.params import QueryParameter

from centralita.errors import JournalError
from centralita.messages import Record, named
from centralita.protocols import Switchboard
from centralita_http.access import Caller, Gate, caller_of
from centralita_http.answers import AnyRequest, gate_of, switchboard_of
from centralita_http.errors import Rejected
from centralita_http.wire import INTEGER_MAX, encode

BOARD_INTERVAL_S: Final = 0.25
BOARD_CONTACTS: Final = 100
KEEP_ALIVE_S: Final = 15.0
"""A comment goes out this often, so that proxies and dead peers are noticed."""
RECHECK_S: Final = 10.0
"""How often an open connection's token is looked at again."""

SendText = Callable[[str], Awaitable[None]]
Write = Callable[[SendText], Awaitable[None]]


class Streams:
    """Counts the listeners of one server."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open_n = 0

    def enter(self) -> None:
        """One more. Raises Rejected when there are too many."""
        if self._open_n >= self._most:
            raise Rejected(503, "too_many_streams", f"{self._most} listeners are connected", retry_after_s=10)
        self._open_n += 1

    def leave(self) -> None:
        """One fewer."""
        self._open_n -= 1


class Board:
    """The wall board's picture: recomputed when something changed, for whoever looks."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._changed = trio.Event()
        self._drawn = trio.Event()
        self._picture = ""
        self._looking_n = 0
        self._seen_seq = 0

    async def run(self) -> None:
        """Redraw as records come in; until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            while True:
                await self._changed.wait()
                self._changed = trio.Event()
                if self._looking_n:
                    await self._draw()
                    await trio.sleep(BOARD_INTERVAL_S)

    async def show(self, send: SendText) -> None:
        """Send the picture now and whenever it was redrawn, the latest each time."""
        self._looking_n += 1
        try:
            if self._looking_n == 1:
                self._picture = ""  # nobody looked, so the last one may be old
                self._changed.set()
            while True:
                drawn = self._drawn
                if self._picture:
                    await send(self._picture)
                await drawn.wait()
        finally:
            self._looking_n -= 1

    async def _watch(self) -> None:
        async with self._switchboard.follow() as batches:
            async for batch in batches:
                self._seen_seq = batch[-1].seq
                self._changed.set()

    async def _draw(self) -> None:
        """Look, and put what was seen into words in a thread: with hundreds of queues and agents either takes long."""
        board = self._switchboard
        picture: dict[str, Any] = {
            "now_ns": board.now_ns(),
            "queues": board.queues(),
            "agents": board.agents(),
            "contacts": board.contacts(limit=BOARD_CONTACTS),
            "figures": board.figures(),
            "components": board.components(),
        }
        self._picture = await trio.to_thread.run_sync(_picture, picture)
        self._drawn.set()
        self._drawn = trio.Event()
        if picture["figures"]["seq"] < self._seen_seq:
            # The figures follow the journal by themselves: draw again when they have come so far.
            self._changed.set()


class EventStream(Response[None]):
    """A response that goes on: `write` is called with a function that sends one event's text."""

    def __init__(self, write: Write, *, streams: Streams, gate: Gate, caller: Caller) -> None:
        super().__init__(None, media_type="text/event-stream")
        self._write = write
        self._streams = streams
        self._gate = gate
        self._caller = caller

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Litestar asks for what it then awaits: this object itself."""
        return self

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send until the listener goes, the token is revoked, or the server stops."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        lock = trio.Lock()

        async def send_text(text: str) -> None:
            async with lock:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

        self._streams.enter()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
                nursery.start_soon(self._until_revoked, nursery.cancel_scope)
                nursery.start_soon(_keep_alive, send_text)
                await self._write(send_text)
                nursery.cancel_scope.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streams.leave()

    async def _until_revoked(self, scope: trio.CancelScope) -> None:
        while await self._gate.still_live(self._caller):
            await trio.sleep(RECHECK_S)
        scope.cancel()


@get("/api/events", opt={"role": "supervisor"}, media_type="text/event-stream")
async def events(
    request: AnyRequest, after_seq: Annotated[int | None, QueryParameter(ge=0, le=INTEGER_MAX)] = None
) -> Response[None]:
    """The journal's records as they become durable, from the next one or from after `after_seq`."""
    resumed = _last_event_id(request)
    place = after_seq if resumed is None else resumed
    switchboard = switchboard_of(request)

    durable = int(switchboard.status().get("durable_seq", 0))
    if place is not None and place > durable:
        raise Rejected(400, "bad_request", f"after_seq was {place}; the journal has records up to {durable}")

    async def write(send: SendText) -> None:
        try:
            async with switchboard.follow(after_seq=place) as batches:
                await send(": following\n\n")
                async for batch in batches:
                    await send("".join(map(_event, batch)))
        except JournalError as error:
            # The journal no longer keeps what comes next; the listener has to begin elsewhere.
            await send(f"event: lost\ndata: {encode({'message': str(error)}).decode()}\n\n")

    return _stream(request, write)


@get("/api/board", opt={"role": "supervisor"}, media_type="text/event-stream")
async def board(request: AnyRequest) -> Response[None]:
    """The wall board, whenever something changed, at most four times a second."""
    drawn: Board = request.app.state.board
    return _stream(request, drawn.show)


ROUTES: Final = (events, board)


def _stream(request: AnyRequest, write: Write) -> EventStream:
    streams: Streams = request.app.state.streams
    return EventStream(write, streams=streams, gate=gate_of(request), caller=caller_of(request))


def _picture(picture: dict[str, Any]) -> str:
    return f"event: board\ndata: {encode(picture).decode()}\n\n"


def _event(record: Record) -> str:
    data = {"seq": record.seq, "at_ns": record.at_ns, "events": named(record.events)}
    return f"id: {record.seq}\ndata: {encode(data).decode()}\n\n"


def _last_event_id(request: AnyRequest) -> int | None:
    text = request.headers.get("last-event-id")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 1 + math.log10(INTEGER_MAX)):
        raise Rejected(
            400, "bad_request", f"header.Last-Event-ID was {text[:50]!r}; allowed: a seq of the journal"
        )
    return int(text)


async def _until_gone(receive: Any, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _keep_alive(send: SendText) -> None:
    while True:
        await trio.sleep(KEEP_ALIVE_S)
        await send(": here\n\n")
