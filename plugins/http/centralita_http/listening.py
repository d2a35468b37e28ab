"""Accepting connections: how many, from whom, how slow; each one apart from the others.

Hypercorn speaks the protocols (its `TCPServer` over h11 and wsproto) but its `serve` neither counts
connections nor gives up on a reader who stopped reading, and an exception in one connection ends all.
So the listeners are ours. A `CountedListener` takes a seat in the lobby for each connection, which also knows who is to go
when there is none; a `PatientStream` gives up on who does not read; `serve` keeps every
connection's faults its own. Both stand below TLS, so that a stalled handshake counts too.

HTTP/1.1 only: HTTP/2 multiplexes streams with windows of their own, behind which a reader could stall
unseen, and no client of ours needs it. WebSocket compression is off: a small frame may unpack into a
thousand times its size before its length can be looked at.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, Final, cast

import structlog
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.logging import Logger
from hypercorn.trio.task_group import TaskGroup, _handle
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState
from hypercorn.utils import parse_socket_addr, wrap_app

from centralita_http.errors import traced
from centralita_http.http11 import Http11
from centralita_http.limits import Limited
from centralita_http.lobby import SEAT, Lobby, Seat
from centralita_http.patient_stream import PatientStream
from centralita_http.settings import DoorLimits

BACKLOG: Final = 1024
_BUSY_BODY: Final = b'{"code": "too_many_connections", "message": "try again in a moment"}'
BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"retry-after: 5\r\ncontent-length: %d\r\n\r\n%b" % (len(_BUSY_BODY), _BUSY_BODY)
)
"""Said to a connection beyond the limits, whatever it asked."""

TURN_AWAY_S: Final = 0.1
DRAIN_S: Final = 1.0
"""How long what a connection still sends is thrown away: closing on unread bytes resets it, and the answer is lost."""
DRAIN_BYTES: Final = 65_536
RECEIVE_BYTES: Final = 65_536
GOODBYE_S: Final = 3.0
"""How long open WebSockets may take at stop, when their components close them with a reason."""
GOODBYE_LOOK_S: Final = 0.01
PING_S: Final = 20.0


class CountedListener(trio.abc.Listener[PatientStream]):
    """Hands out connections, each with its seat; of what is beyond the limits, some with one that is turned away."""

    def __init__(self, listener: trio.SocketListener, limits: DoorLimits, lobby: Lobby) -> None:
        self._listener = listener
        self._limits = limits
        self._lobby = lobby

    async def accept(self) -> PatientStream:
        while True:
            stream = await self._listener.accept()
            try:
                address = str(stream.socket.getpeername()[0])
                # A peer that vanished without a word is found out by the unanswered pings.
                stream.setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self._limits.send_s * 1000)
                )
            except OSError:  # gone before we looked
                await trio.aclose_forcefully(stream)
                continue
            return PatientStream(stream, self._lobby.come(address), send_s=self._limits.send_s)

    async def aclose(self) -> None:
        await self._listener.aclose()


async def listen(host: str, port: int, limits: DoorLimits, lobby: Lobby) -> tuple[list[CountedListener], int]:
    """Bind; the second value is the port, which is a free one when 0 was asked. Raises OSError."""
    listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    taken = int(listeners[0].socket.getsockname()[1])
    return [CountedListener(listener, limits, lobby) for listener in listeners], taken


async def serve(
    app: Limited,
    listeners: list[CountedListener],
    limits: DoorLimits,
    *,
    tls: ssl.SSLContext | None,
    log: structlog.stdlib.BoundLogger,
) -> None:
    """Serve until cancelled. What goes wrong in one connection is logged and ends that one.

    Cancelled, nobody new is let in, and for `GOODBYE_S` at most the connections outlive the door: the
    components behind the WebSockets stop at the same time, and have their windows closed with a reason.
    """
    config = _hypercorn(limits, log)
    context = WorkerContext(None)
    wrapped = wrap_app(cast(ASGIFramework, app), config.wsgi_max_body_size, "asgi")

    async def talk(stream: Any, seat: Seat) -> None:
        try:
            await _Connection(wrapped, config, context, ConnectionState({SEAT: seat}), stream)
        except Exception as error:  # noqa: BLE001  # one connection's fault is not the server's
            log.error("connection_failed", **traced(error))
        except BaseExceptionGroup as group:
            cancelled, faults = group.split(trio.Cancelled)
            if faults is not None:
                log.error("connection_failed", **traced(faults))
            if cancelled is not None:
                raise cancelled from None

    async def connection(stream: Any) -> None:
        transport: PatientStream = stream.transport_stream if tls is not None else stream
        seat = transport.seat
        try:
            with seat.scope:
                await talk(stream, seat)
            if seat.turned_away:
                # Without TLS's handshake there is no saying anything, and with it no sparing of work.
                await _turn_away(transport, BUSY if tls is None and not seat.heads_n else b"")
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    doors: list[trio.abc.Listener[Any]] = list(listeners)
    if tls is not None:
        doors = [trio.SSLListener(listener, tls, https_compatible=True) for listener in listeners]
    async with trio.open_nursery() as nursery:
        # Cancelled in between, nobody would have the connections' nursery to end it, and it has a shield.
        with trio.CancelScope(shield=True):
            connections: trio.Nursery = await nursery.start(_keep_open)
        try:
            await trio.serve_listeners(connection, doors, handler_nursery=connections)
        finally:
            with trio.move_on_after(GOODBYE_S, shield=True):
                while app.websockets_n:
                    await trio.sleep(GOODBYE_LOOK_S)
            connections.cancel_scope.cancel()
            await context.terminated.set()


async def _keep_open(task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """A nursery for the connections, which ends when it is cancelled itself, and not before."""
    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as nursery:
            task_status.started(nursery)
            await trio.sleep_forever()


class _Connection(TCPServer):
    """Hypercorn's connection, speaking HTTP/1.1 alone, and its seat told of each request's begin and end."""

    def __await__(self) -> Generator[Any, Any, None]:
        return self.run().__await__()

    async def run(self) -> None:
        transport: Any = self.stream
        secure = isinstance(self.stream, trio.SSLStream)
        if isinstance(self.stream, trio.SSLStream):
            try:
                with trio.fail_after(self.config.ssl_handshake_timeout):
                    await self.stream.do_handshake()
            except (trio.BrokenResourceError, trio.TooSlowError):
                return
            transport = self.stream.transport_stream
        peer = transport.socket
        self._seat: Seat = transport.seat
        try:
            client = parse_socket_addr(peer.family, peer.getpeername())
            server = parse_socket_addr(peer.family, peer.getsockname())
            async with _AppTasks() as tasks:
                task_group = cast(_AppTasks, tasks)
                self._task_group = task_group
                self.protocol = Http11(  # type: ignore[assignment]  # what Hypercorn's wrapper would wrap
                    self.app,
                    self.config,
                    self.context,
                    task_group,
                    ConnectionState(self.state),
                    secure,
                    client,
                    server,
                    self.protocol_send,
                )
                await self.idle_task.restart(task_group, self._idle_timeout)
                await self._read_data()
                # Nothing more comes; without this, the idle timer would hold the connection open.
                await self.idle_task.stop()
                await task_group.finish()
        except OSError:
            pass  # the peer is gone; there is nobody to tell
        finally:
            if not self._seat.turned_away:
                await self._close()

    async def protocol_send(self, event: Event) -> None:
        stream: Any = self.stream
        if isinstance(event, RawData) and isinstance(stream, PatientStream) and not self.send_lock.locked():
            # Hypercorn answers 500 for an application that was cancelled, and nobody is to hear that.
            await trio.lowlevel.checkpoint_if_cancelled()
            try:
                if rest := stream.send_at_once(event.data):
                    await self._send_rest(stream, rest)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await self.protocol.handle(Closed())
            return
        if isinstance(event, Updated):
            if event.idle:
                self._seat.rest()
            else:
                self._seat.ask()
        await super().protocol_send(event)

    async def _send_rest(self, stream: PatientStream, rest: bytes | bytearray | memoryview) -> None:
        # Cancelled in between, what was half sent would run into a later close.
        self.send_lock.acquire_nowait()
        try:
            with trio.CancelScope(shield=True):
                await stream.send_all(rest)
        finally:
            self.send_lock.release()

    async def _read_data(self) -> None:
        """Hypercorn's, without setting a deadline of nothing for each piece."""
        while True:
            try:
                data = await self.stream.receive_some(RECEIVE_BYTES)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                break
            await self.protocol.handle(RawData(bytes(data)))
            if not data:
                break
        await self.protocol.handle(Closed())


class _AppTasks(TaskGroup):
    """Starts the application for a request. Telling it that the peer is gone never waits.

    Hypercorn puts `disconnect` into the same bounded queue as the body; an application that answers
    without having read a long body would wait in its own queue for itself, for good.
    """

    def __init__(self) -> None:
        super().__init__()
        self._apps_n = 0
        self._apps_done = trio.Event()

    async def finish(self) -> None:
        """Wait for the application's answer, then end what only kept the connection company (pings)."""
        while self._apps_n:
            await self._apps_done.wait()
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()

    async def spawn_app(
        self, app: Any, config: Config, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        sender, receiver = trio.open_memory_channel[Any](config.max_app_queue_size)
        goodbye: list[Any] = [{"type": f"{scope['type']}.disconnect", "code": 1006}]

        async def put(message: Any) -> None:
            try:
                if message["type"].endswith(".disconnect"):
                    goodbye[0] = message
                    sender.close()
                else:
                    await sender.send(message)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                pass  # the application has gone on, or home

        async def receive() -> Any:
            try:
                return await receiver.receive()
            except trio.EndOfChannel:
                return goodbye[0]

        async def run() -> None:
            with receiver:
                await _handle(
                    app, config, scope, receive, send, trio.to_thread.run_sync, trio.from_thread.run
                )

        self.spawn(run)
        return put


class _StructuredLog(Logger):
    """What Hypercorn has to say, in our log. Requests are not logged: their paths hold names."""

    def __init__(self, config: Config, *, log: structlog.stdlib.BoundLogger) -> None:
        super().__init__(config)
        self._log = log

    async def access(self, request: Any, response: Any, request_time: float) -> None:
        pass

    async def error(self, message: str, *args: Any, **kwargs: Any) -> None:
        self._log.error("http_server", what=message % args if args else message)

    critical = error

    async def warning(self, message: str, *args: Any, **kwargs: Any) -> None:
        self._log.warning("http_server", what=message % args if args else message)

    async def info(self, message: str, *args: Any, **kwargs: Any) -> None:
        pass

    debug = info

    async def exception(self, message: str, *args: Any, **kwargs: Any) -> None:
        error = sys.exception()
        self._log.error("http_server", what=message, **(traced(error) if error else {}))

    async def log(self, level: int, message: str, *args: Any, **kwargs: Any) -> None:
        pass


def _hypercorn(limits: DoorLimits, log: structlog.stdlib.BoundLogger) -> Config:
    config = Config()
    config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = limits.header_bytes
    config.keep_alive_timeout = limits.header_s
    config.ssl_handshake_timeout = limits.header_s
    config.websocket_max_message_size = limits.message_bytes
    config.websocket_ping_interval = PING_S
    config.logger_class = partial(_StructuredLog, log=log)  # type: ignore[assignment]  # called as a class
    return config


async def _turn_away(stream: PatientStream, words: bytes) -> None:
    """Say that there is no room, and let it be read; of a flood, only some get the time for that."""
    with trio.move_on_after(TURN_AWAY_S if stream.seat.hurried else DRAIN_S):
        try:
            # A new socket has room for this.
            await stream.send_all(words)
            await stream.send_eof()
            drained = 0
            while not stream.seat.hurried and drained < DRAIN_BYTES:
                some = await stream.receive_some(DRAIN_BYTES)
                if not some:
                    break
                drained += len(some)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
