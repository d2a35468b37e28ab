"""HTTP/1.1 on one connection, without the ways out of it: no upgrade to HTTP/2, no WebSocket compression.

Hypercorn's, with two things more. h11 bounds a head only while it is incomplete, so one that comes in a single piece may be
as large as what is read at once: here it is measured again when it is whole. And a head that nobody's handler sees, because
it is no HTTP or too large, is refused as everything else is: with the one form of errors, and with the headers of every answer.
"""

from __future__ import annotations

from typing import Any, Final

import h11
import msgspec
from hypercorn.events import Closed
from hypercorn.protocol.events import Body, EndBody, Response, StreamClosed
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.ws_stream import WSStream

from centralita_http.errors import ErrorBody
from centralita_http.limits import SECURITY_HEADERS

NOT_HTTP: Final = "what came is not a request of HTTP/1.1"
"""Also said of a WebSocket's opening that is none."""


class Http11(H11Protocol):
    """One connection's protocol. Its heads are at most `config.h11_max_incomplete_size` bytes."""

    _opening_refused = False

    async def stream_send(self, event: Any) -> None:
        """Hypercorn refuses what is no opening of a WebSocket without a word, and leaves the connection open."""
        opens = isinstance(self.stream, WSStream) and not self.stream.handshake.accepted
        if opens and isinstance(event, Response) and not _has_our_headers(event):
            body, headers = _refusal(event.status_code, NOT_HTTP)
            await super().stream_send(
                Response(stream_id=STREAM_ID, status_code=event.status_code, headers=headers)
            )
            await super().stream_send(Body(stream_id=STREAM_ID, data=body))
            await super().stream_send(EndBody(stream_id=STREAM_ID))
            await super().stream_send(StreamClosed(stream_id=STREAM_ID))
            self._opening_refused = True
        elif not self._opening_refused:
            await super().stream_send(event)

    async def _check_protocol(self, event: Any) -> None:
        pass

    async def _create_stream(self, request: Any) -> None:
        pairs = request.headers.raw_items()
        taken = (
            len(request.method) + len(request.target) + sum(len(name) + len(value) for name, value in pairs)
        )
        if taken > self.config.h11_max_incomplete_size:
            await self._send_error_response(431)
            await self.send(Closed())
            return
        kept = [pair for pair in pairs if pair[0].lower() != b"sec-websocket-extensions"]
        plain = h11.Request(
            method=request.method, target=request.target, headers=kept, http_version=request.http_version
        )
        await super()._create_stream(plain)

    async def _send_error_response(self, status_code: int) -> None:
        most = self.config.h11_max_incomplete_size
        message = f"the request's head is larger than {most} bytes" if status_code == 431 else NOT_HTTP
        body, headers = _refusal(status_code, message)
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


def _has_our_headers(response: Response) -> bool:
    return not SECURITY_HEADERS.keys().isdisjoint(bytes(name).lower() for name, _ in response.headers)


def _refusal(status_code: int, message: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    code = "too_large" if status_code == 431 else "bad_request"
    body = msgspec.json.encode(ErrorBody(code=code, message=message))
    length = (b"content-length", str(len(body)).encode())
    head = [(b"content-type", b"application/json"), length, (b"connection", b"close")]
    return body, [*head, *SECURITY_HEADERS.items()]
