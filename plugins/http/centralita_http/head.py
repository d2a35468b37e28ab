"""HEAD wherever GET is (RFC 9110, section 9.3.2): routes say GET and know nothing of it.

An ASGI layer around the application, so that what other components mount has it as well.
"""

from __future__ import annotations

import trio

from centralita_http.limits import App, Message, Receive, Scope, Send


class AnswersHead:
    """The application, asked for HEAD too."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application around the other."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._head(scope, receive, _allowing(send))
        else:
            await self._app(scope, receive, _allowing(send))

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What GET would answer, without its body; a stream ends before its first event."""
        with trio.CancelScope() as answering:

            async def send_head(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await send(message)
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    answering.cancel()

            await self._app({**scope, "method": "GET"}, receive, send_head)


def _allowing(send: Send) -> Send:
    """Where an answer says which methods a route has, HEAD is beside GET."""

    async def send_allowing(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name, _with_head(name, value)) for name, value in message.get("headers", [])]
            message = {**message, "headers": headers}
        await send(message)

    return send_allowing


def _with_head(name: bytes, value: bytes) -> bytes:
    methods = [] if name.lower() != b"allow" else [one.strip() for one in value.split(b",")]
    return value if b"GET" not in methods else b", ".join(sorted({*methods, b"HEAD"}))
