"""One connection to one Asterisk: its REST interface and its events over a single WebSocket.

It knows the wire and nothing of calls. Requests are answered in the order they were sent and events come in
the same stream, so whoever sends several at once needs no answer in between: `batch` costs one round trip.
Whatever is not in `_NAMES` the server is told not to send.

Source: Asterisk 22, rest-api/api-docs/events.json, and "ARI REST over WebSocket" of its documentation.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import msgspec
import structlog
import trio
from msgspec import Struct
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_client_stream

from centralita.errors import CentralitaError

REQUEST_S: Final = 5.0
"""How long a request may take; Asterisk answers in milliseconds or is in trouble."""
CONNECT_S: Final = 5.0
MESSAGES_WAITING_MAX: Final = 20_000
MESSAGE_BYTES_MAX: Final = 16_777_216
"""The answer to `GET /channels` names every channel there is."""


FAULTS: Final = (OSError, HandshakeError, ConnectionClosed)
"""What a connection that can't be made raises."""


class AriError(CentralitaError):
    """Asterisk could not be asked, or did not answer in time."""


class AriRefused(AriError):
    """Asterisk said no; `status` is the HTTP status."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{what}: {status}")
        self.status = status


class _Wire(Struct, frozen=True, kw_only=True):
    """Something Asterisk says; fields that are not needed here are passed over."""


class Party(_Wire, frozen=True):
    """Whoever is at one end of a channel."""

    name: str = ""
    number: str = ""


class Place(_Wire, frozen=True):
    """Where in the dialplan a channel is; in an application, which."""

    context: str = ""
    exten: str = ""
    app_name: str = ""
    app_data: str = ""


class Channel(_Wire, frozen=True):
    """One leg of a call as Asterisk sees it."""

    id: str
    name: str = ""
    state: str = ""
    caller: Party = Party()
    dialplan: Place = Place()
    creationtime: str = ""
    language: str = ""


class Playback(_Wire, frozen=True):
    """Something being played."""

    id: str
    target_uri: str = ""
    state: str = ""


class Recording(_Wire, frozen=True):
    """Something being recorded, or that was."""

    name: str
    target_uri: str = ""
    state: str = ""
    format: str = ""
    duration: int = 0
    cause: str = ""


class DeviceState(_Wire, frozen=True):
    """What a phone does: NOT_INUSE, INUSE, BUSY, RINGING, ONHOLD, UNAVAILABLE …"""

    name: str
    state: str


class Event(_Wire, frozen=True, tag_field="type"):
    """What has happened."""


class StasisStart(Event, frozen=True, tag="StasisStart"):
    """A channel is ours."""

    channel: Channel
    args: tuple[str, ...] = ()


class StasisEnd(Event, frozen=True, tag="StasisEnd"):
    """A channel is no longer ours: it has ended, or gone on in the dialplan."""

    channel: Channel


class ChannelDestroyed(Event, frozen=True, tag="ChannelDestroyed"):
    """A channel has ended; `cause` is ITU-T Q.850's."""

    channel: Channel
    cause: int = 0


class ChannelDtmfReceived(Event, frozen=True, tag="ChannelDtmfReceived"):
    """Somebody has pressed a key."""

    channel: Channel
    digit: str


class PlaybackFinished(Event, frozen=True, tag="PlaybackFinished"):
    """What was played is over."""

    playback: Playback


class RecordingFinished(Event, frozen=True, tag="RecordingFinished"):
    """What was recorded is stored."""

    recording: Recording


class RecordingFailed(Event, frozen=True, tag="RecordingFailed"):
    """What was to be recorded is not."""

    recording: Recording


class DeviceStateChanged(Event, frozen=True, tag="DeviceStateChanged"):
    """A phone does something else now."""

    device_state: DeviceState


class ChannelUserevent(Event, frozen=True, tag="ChannelUserevent"):
    """The dialplan tells us something about a channel (`UserEvent`)."""

    eventname: str = ""
    channel: Channel | None = None
    userevent: dict[str, Any] = {}


class ApplicationReplaced(Event, frozen=True, tag="ApplicationReplaced"):
    """Another connection has taken over our application."""

    application: str = ""


class Answer(Event, frozen=True, tag="RESTResponse"):
    """What became of a request."""

    request_id: str
    status_code: int
    message_body: str = ""


AnyEvent = (
    StasisStart
    | StasisEnd
    | ChannelDestroyed
    | ChannelDtmfReceived
    | PlaybackFinished
    | RecordingFinished
    | RecordingFailed
    | DeviceStateChanged
    | ChannelUserevent
    | ApplicationReplaced
)
_NAMES: Final = (
    "StasisStart",
    "StasisEnd",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "PlaybackFinished",
    "RecordingFinished",
    "RecordingFailed",
    "DeviceStateChanged",
    "ChannelUserevent",
    "RESTResponse",
)
_EVENTS: Final = msgspec.json.Decoder(AnyEvent | Answer)
_CHANNELS: Final = msgspec.json.Decoder(list[Channel])


class Request(Struct, frozen=True):
    """One thing to ask of Asterisk; `known` are statuses that mean: it is so already, or no longer matters."""

    method: str
    path: str
    query: dict[str, str] = {}
    body: dict[str, Any] | None = None
    known: tuple[int, ...] = ()


class _Waiting:
    __slots__ = ("answer", "done")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: Answer | None = None


class Ari:
    """An open connection. `on_event` is called for each event, in order, and must not wait."""

    def __init__(self, socket: WebSocketConnection, app: str, log: structlog.stdlib.BoundLogger) -> None:
        self.app = app
        self._socket = socket
        self._log = log
        self._number = 0
        self._waiting: dict[str, _Waiting] = {}
        self._closed = False

    async def ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        known: tuple[int, ...] = (),
        body: dict[str, Any] | None = None,
    ) -> str:
        """Ask one thing; returns the answer's body. Raises AriRefused and AriError."""
        (answer,) = await self.batch([Request(method, path, query or {}, body, known)])
        return answer.message_body

    async def batch(self, requests: Sequence[Request]) -> list[Answer]:
        """Ask several things, in this order and without waiting in between; the answers in the same order.

        All are sent, whatever becomes of each; then the first that was refused raises AriRefused.
        """
        waiting: list[tuple[str, _Waiting]] = []
        try:
            with trio.fail_after(REQUEST_S):
                for request in requests:
                    waiting.append(await self._send(request))
                for _, one in waiting:
                    await one.done.wait()
        except trio.TooSlowError:
            raise AriError(f"no answer in {REQUEST_S:g} s: {requests[0].method} {requests[0].path}") from None
        finally:
            for number, _ in waiting:
                self._waiting.pop(number, None)
        answers: list[Answer] = []
        for request, (_, one) in zip(requests, waiting, strict=True):
            if one.answer is None:
                raise AriError("the connection is lost")
            answers.append(one.answer)
            status = one.answer.status_code
            if status >= 400 and status not in request.known:
                raise AriRefused(status, f"{request.method} {request.path}")
        return answers

    async def channels(self) -> list[Channel]:
        """Every channel there is, ours and others'."""
        return _CHANNELS.decode(await self.ask("GET", "channels"))

    async def _send(self, request: Request) -> tuple[str, _Waiting]:
        if self._closed:
            raise AriError("the connection is lost")
        self._number += 1
        number = str(self._number)
        said: dict[str, Any] = {
            "type": "RESTRequest",
            "transaction_id": number,
            "request_id": number,
            "method": request.method,
            "uri": request.path,
        }
        if request.query:
            said["uri"] = f"{request.path}?{urlencode(request.query, quote_via=quote)}"
        if request.body is not None:
            said["content_type"] = "application/json"
            said["message_body"] = msgspec.json.encode(request.body).decode()
        waiting = self._waiting[number] = _Waiting()
        try:
            await self._socket.send_message(msgspec.json.encode(said).decode())
        except ConnectionClosed:
            self._waiting.pop(number, None)
            raise AriError("the connection is lost") from None
        return number, waiting

    async def read(self, on_event: Callable[[AnyEvent], None]) -> None:
        """Read until the connection ends."""
        try:
            while True:
                message = await self._socket.get_message()
                try:
                    event = _EVENTS.decode(message)
                except msgspec.DecodeError:
                    continue  # before the filter is set, everything comes
                if isinstance(event, Answer):
                    waiting = self._waiting.get(event.request_id)
                    if waiting is not None:
                        waiting.answer = event
                        waiting.done.set()
                else:
                    on_event(event)
        except ConnectionClosed:
            pass
        finally:
            self._closed = True
            for waiting in self._waiting.values():
                waiting.done.set()


async def open_ari(
    url: str,
    *,
    app: str,
    user: str,
    password: str,
    log: structlog.stdlib.BoundLogger,
    run: Callable[[Ari], Any],
    on_event: Callable[[AnyEvent], None],
) -> None:
    """Connect to `url` (`http://HOST:8088/ari`), run `run(ari)` beside the reading, return when either ends.

    Raises AriError when the connection can't be made.
    """
    parts = urlsplit(url)
    resource = f"{parts.path.rstrip('/')}/events?{urlencode({'app': app})}"
    credentials = b64encode(f"{user}:{password}".encode())
    patience = trio.CancelScope(deadline=trio.current_time() + CONNECT_S)
    try:
        with patience:
            stream = await _open_stream(parts)
            # The stream is ours to close: a handshake that fails would leave it open.
            async with stream, trio.open_nursery() as nursery:
                socket = await wrap_client_stream(
                    nursery,
                    stream,
                    parts.netloc,
                    resource,
                    extra_headers=[(b"Authorization", b"Basic " + credentials)],
                    message_queue_size=MESSAGES_WAITING_MAX,
                    max_message_size=MESSAGE_BYTES_MAX,
                )
                patience.deadline = float("inf")
                ari = Ari(socket, app, log)
                nursery.start_soon(_until_over, nursery, run, ari)
                await ari.read(on_event)
                nursery.cancel_scope.cancel()
    except FAULTS as error:
        raise AriError(f"no connection: {_words(error)}") from None
    except BaseExceptionGroup as group:
        known, rest = group.split((AriError, *FAULTS))
        if known is None or rest is not None:
            raise
        raise AriError(f"no connection: {_words(_first(known))}") from None
    if patience.cancelled_caught:
        raise AriError(f"no connection in {CONNECT_S:g} s")


async def _open_stream(parts: SplitResult) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    host = parts.hostname or "localhost"
    if parts.scheme == "https":
        return await trio.open_ssl_over_tcp_stream(host, parts.port or 443, https_compatible=True)
    return await trio.open_tcp_stream(host, parts.port or 80)


async def _until_over(nursery: trio.Nursery, run: Callable[[Ari], Any], ari: Ari) -> None:
    await run(ari)
    nursery.cancel_scope.cancel()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _words(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    if status == 401:
        return "user or password is wrong (401)"
    return f"status {status}" if status is not None else str(error) or type(error).__name__


async def filter_events(ari: Ari) -> None:
    """Have only those events sent that somebody here reads."""
    allowed = [{"type": name} for name in _NAMES]
    await ari.ask("PUT", f"applications/{ari.app}/eventFilter", body={"allowed": allowed})


def media(uris: Sequence[str]) -> dict[str, str]:
    """The query of a `play`: all of these, one after the other."""
    return {"media": ",".join(uris)}


def without(mapping: Mapping[str, str]) -> dict[str, str]:
    """A query without what is empty."""
    return {key: value for key, value in mapping.items() if value}
