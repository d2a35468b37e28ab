"""What every request passes before anybody looks at it: rates, sizes, times, and the headers of the answer.

An ASGI layer around the whole application, so that what other components mount is covered as well. It
knows addresses and bytes; who the caller is and what the routes mean are not its business.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, Final

import msgspec
import trio
from litestar.exceptions import HTTPException

from centralita_http.errors import REFUSED, ErrorBody
from centralita_http.settings import HttpSettings

ADDRESSES_KEPT: Final = 10_000
"""Buckets remembered; the one untouched longest is forgotten, which gives it a full bucket again."""
REFUSED_RETRY_S: Final = 5
"""When a WebSocket that there was no room for may come again."""
LINGER_S: Final = 2.0
"""How long an unread body is thrown away so that its sender reads our refusal."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final = {
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=()",
    b"cache-control": b"no-store",
}
"""On every answer that does not say otherwise itself."""

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Buckets:
    """A token bucket for each key (an address, a window), in bounded memory."""

    def __init__(self, *, rate_per_s: float, burst: float, now_s: Callable[[], float]) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._now_s = now_s
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, *, n: float = 1) -> bool:
        """Take `n` out of the key's bucket; False, taking nothing, when they aren't there."""
        level = self.level(key)
        enough = level >= n
        self._levels[key] = (level - n if enough else level, self._now_s())
        self._levels.move_to_end(key)
        if len(self._levels) > ADDRESSES_KEPT:
            self._levels.popitem(last=False)
        return enough

    def level(self, key: str) -> float:
        """What is in the key's bucket now."""
        level, at_s = self._levels.get(key, (self._burst, self._now_s()))
        return min(self._burst, level + (self._now_s() - at_s) * self._rate)


class Limited:
    """The application behind its limits."""

    def __init__(self, app: App, settings: HttpSettings, *, tls: bool) -> None:
        self._app = app
        self._limits = settings.limits
        self._proxies = frozenset(str(ip_address(proxy)) for proxy in settings.proxies)
        self.websockets_n = 0
        """WebSockets that are served now."""
        self._headers = dict(SECURITY_HEADERS)
        if tls:
            self._headers[b"strict-transport-security"] = b"max-age=31536000"
        self._rates = Buckets(
            rate_per_s=self._limits.requests_per_s,
            burst=self._limits.requests_burst,
            now_s=trio.current_time,
        )

        self._rate_in_all = Buckets(
            rate_per_s=self._limits.requests_per_s_in_all,
            burst=2 * self._limits.requests_per_s_in_all,
            now_s=trio.current_time,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application that Hypercorn calls."""
        if scope["type"] not in {"http", "websocket"}:
            return
        scope["client"] = (self._address(scope), scope["client"][1] if scope["client"] else 0)
        headed = self._with_headers(send)
        if not self._rates.take(scope["client"][0]):
            message = f"more than {self._limits.requests_per_s:g} requests a second from this address"
            await refuse(scope, headed, 429, "too_many_requests", message, retry_after_s=1)
        elif not self._rate_in_all.take(""):
            await refuse(scope, headed, 503, "busy", "too many requests; try again", retry_after_s=1)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, headed)
        else:
            await self._request(scope, receive, headed)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive, bytes_max=self._limits.upload_bytes, within_s=self._limits.body_s)

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await body.discard()
            await send(message)

        if _declared_length(scope) > self._limits.upload_bytes:
            await refuse(scope, send_last, 413, "too_large", _too_large(self._limits.upload_bytes))
        else:
            await self._app(scope, body.receive, send_last)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        opening = True

        async def send_or_refuse(message: Message) -> None:
            nonlocal opening
            if opening and message["type"] == "websocket.close":
                status, body = scope.get(REFUSED, (403, ErrorBody(code="forbidden", message="not here")))
                later_s = REFUSED_RETRY_S if status == 503 else None
                await refuse(scope, send, status, body.code, body.message, retry_after_s=later_s)
            else:
                await send(message)
            opening = False

        self.websockets_n += 1
        try:
            await self._app(scope, receive, send_or_refuse)
        finally:
            self.websockets_n -= 1

    def _address(self, scope: Scope) -> str:
        """Who asks: the peer, or whom a proxy of ours says it asks for (the last hop it saw)."""
        peer = scope["client"][0] if scope["client"] else ""
        if peer in self._proxies:
            for hop in reversed(forwarded_for(scope)):
                if hop not in self._proxies:
                    return hop
        return str(peer)

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                given = list(message.get("headers", []))
                names = {bytes(name).lower() for name, _ in given}
                # Whoever states a policy of their own also says who may frame them.
                framed = {b"x-frame-options"} if b"content-security-policy" in names else set()
                given += [
                    pair for pair in self._headers.items() if pair[0] not in names and pair[0] not in framed
                ]
                message = {**message, "headers": given}
            await send(message)

        return send_with_headers


class _Body:
    """A request's body as it comes in: not more than so many bytes, not longer than so many seconds."""

    def __init__(self, receive: Receive, *, bytes_max: int, within_s: float) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._bytes_n = 0
        self._deadline = trio.current_time() + within_s
        self._within_s = within_s
        self._over = False

    async def receive(self) -> Message:
        """The next piece; once the body is over, whatever comes and whenever (a disconnect)."""
        if self._over:
            return await self._receive()
        with trio.move_on_at(self._deadline):
            message = await self._receive()
            self._note(message)
            if message["type"] == "http.disconnect":
                raise HTTPException(status_code=400, detail="the body ended before its end")
            if self._bytes_n > self._bytes_max:
                raise HTTPException(status_code=413, detail=_too_large(self._bytes_max))
            return message
        raise HTTPException(status_code=408, detail=f"the body took longer than {self._within_s:g} s")

    async def discard(self) -> None:
        """Throw away what is still coming, for a moment."""
        with trio.move_on_after(LINGER_S):
            while not self._over and self._bytes_n <= 2 * self._bytes_max:
                self._note(await self._receive())

    def _note(self, message: Message) -> None:
        self._bytes_n += len(message.get("body", b""))
        self._over = message["type"] != "http.request" or not message.get("more_body", False)


async def refuse(
    scope: Scope, send: Send, status: int, code: str, message: str, *, retry_after_s: int | None = None
) -> None:
    """Answer a request or a WebSocket's opening with an error, without the application."""
    body = msgspec.json.encode({"code": code, "message": message})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    prefix = "websocket.http" if scope["type"] == "websocket" else "http"
    await send({"type": f"{prefix}.response.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": body})


def forwarded_for(scope: Scope) -> list[str]:
    """The hops of X-Forwarded-For, oldest first; what isn't an address is left out."""
    hops = []
    for name, value in scope["headers"]:
        if name.lower() == b"x-forwarded-for":
            for part in value.decode("latin-1").split(","):
                try:
                    hops.append(str(ip_address(part.strip())))
                except ValueError:
                    continue
    return hops


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _too_large(bytes_max: int) -> str:
    return f"the body is larger than {bytes_max} bytes"
