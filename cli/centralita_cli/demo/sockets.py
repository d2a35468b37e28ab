"""A WebSocket that speaks JSON objects, as the demo's people use it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, open_websocket_url

CONNECT_S: Final = 10.0
MESSAGE_BYTES_MAX: Final = 8 << 20

GONE: Final = (ConnectionClosed, HandshakeError, OSError)
"""What a connection that can't be had, or is over, raises."""


class JsonSocket:
    """One open connection. Its methods raise one of GONE when it is over."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    async def send(self, **frame: Any) -> None:
        """Send one object."""
        await self._connection.send_message(json.dumps(frame, ensure_ascii=False))

    async def receive(self) -> dict[str, Any]:
        """The next object."""
        frame = json.loads(await self._connection.get_message())
        assert isinstance(frame, dict)
        return frame


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[JsonSocket]:
    """A connection for as long as the block lasts."""
    async with open_websocket_url(
        url, connect_timeout=CONNECT_S, disconnect_timeout=CONNECT_S, max_message_size=MESSAGE_BYTES_MAX
    ) as connection:
        yield JsonSocket(connection)
