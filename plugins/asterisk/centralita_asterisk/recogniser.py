"""One conversation with a recogniser: audio goes there, texts come back.

The protocol is Asterisk's own for programs beside it (AEAP, `speech_to_text`): JSON requests and answers, and G.711 µ-law in
binary frames, over a WebSocket. It is spoken from here and not by Asterisk's `res_speech_aeap`, which in one of a hundred endings
leaves a channel behind that nothing ends any more (22.10: its reader waits for good on a connection that is closed).

Source: Asterisk 22, res/res_speech_aeap.c: the messages setup, set and get.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import trio
from msgspec import Struct
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_client_stream

from centralita.errors import CentralitaError

VERSION: Final = "0.1.0"
PROTOCOL: Final = "speech_to_text"
CODEC: Final = "ulaw"
MESSAGE_BYTES_MAX: Final = 65_536


_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class RecogniserError(CentralitaError):
    """The recogniser could not be reached, would not listen, or is gone."""


class Result(Struct, frozen=True, kw_only=True):
    """What was understood; `score` of 1000."""

    text: str = ""
    score: float = 0


class _Codec(Struct, frozen=True):
    name: str


class _Params(Struct, frozen=True):
    results: list[Result] = []


class _Message(Struct, frozen=True):
    request: str = ""
    response: str = ""
    id: str = ""
    error_msg: str = ""
    codecs: list[_Codec] = []
    params: _Params = _Params()


_MESSAGES: Final = msgspec.json.Decoder(_Message)


class Recogniser:
    """An open conversation; `open_recogniser` makes one."""

    _socket: WebSocketConnection

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    async def close(self) -> None:
        """Hang up. Waits for nobody, cancelled or not."""
        await trio.aclose_forcefully(self._stream)

    async def hear(self, audio: bytes) -> None:
        """Have it hear this, in µ-law at 8 kHz. Raises RecogniserError."""
        try:
            await self._socket.send_message(audio)
        except ConnectionClosed:
            raise RecogniserError("the recogniser has hung up") from None

    async def result(self) -> Result:
        """The best text of the next utterance. Raises RecogniserError."""
        while True:
            message = await self._receive()
            if not message.request:
                continue
            answer = {"response": message.request, "id": message.id}
            if message.request != "set":
                answer["error_msg"] = "unsupported"
            await self._say(answer)
            if message.request == "set" and message.params.results:
                return max(message.params.results, key=lambda result: result.score)

    async def begin(self, nursery: trio.Nursery, url: str, params: dict[str, str]) -> None:
        """Shake hands and agree on the audio. Raises RecogniserError, HandshakeError."""
        parts = urlsplit(url)
        resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._socket = await wrap_client_stream(
            nursery,
            self._stream,
            parts.netloc,
            resource,
            subprotocols=[PROTOCOL],
            max_message_size=MESSAGE_BYTES_MAX,
        )
        codecs = [{"name": CODEC}]
        await self._say(
            {"request": "setup", "id": "setup", "version": VERSION, "codecs": codecs, "params": params}
        )
        while (message := await self._receive()).response != "setup":
            pass
        if message.error_msg:
            raise RecogniserError(f"the recogniser refuses: {message.error_msg[:200]}")
        if [codec.name for codec in message.codecs][:1] != [CODEC]:
            raise RecogniserError(f"the recogniser does not take {CODEC}")

    async def _say(self, message: dict[str, Any]) -> None:
        try:
            await self._socket.send_message(msgspec.json.encode(message).decode())
        except ConnectionClosed:
            raise RecogniserError("the recogniser has hung up") from None

    async def _receive(self) -> _Message:
        try:
            return _MESSAGES.decode(await self._socket.get_message())
        except ConnectionClosed:
            raise RecogniserError("the recogniser has hung up") from None
        except msgspec.DecodeError as error:
            raise RecogniserError(f"the recogniser said what is no AEAP: {error}") from None


async def open_recogniser(
    nursery: trio.Nursery, url: str, params: dict[str, str], *, seconds: float
) -> Recogniser:
    """Begin a conversation, until `close`; the nursery is for what reads it. Raises RecogniserError."""
    recogniser = None
    try:
        with trio.fail_after(seconds):
            recogniser = Recogniser(await _open_stream(url))
            await recogniser.begin(nursery, url, params)
            return recogniser
    except trio.TooSlowError:
        failed = RecogniserError(f"no answer in {seconds:g} s")
    except (OSError, HandshakeError) as error:
        failed = RecogniserError(str(error) or type(error).__name__)
    except RecogniserError as error:
        failed = error
    except trio.Cancelled:
        if recogniser is not None:
            await recogniser.close()
        raise
    if recogniser is not None:
        await recogniser.close()
    raise failed


async def _open_stream(url: str) -> _Stream:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    if parts.scheme == "wss":
        return await trio.open_ssl_over_tcp_stream(host, parts.port or 443, https_compatible=True)
    return await trio.open_tcp_stream(host, parts.port or 80)
