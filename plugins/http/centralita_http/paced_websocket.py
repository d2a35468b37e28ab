"""A WebSocket whose frames are taken in no quicker than is fair: who sends more waits, and who goes on all the same is cut off.

What a message says is limited by whoever it is said to; a ping, a pong and an empty fragment are said to nobody. They are six bytes each,
and one read of 64 KiB holds ten thousand: one silent customer sending them kept the whole server busy. Here every frame counts, once for
its connection and once for its address. Waiting means not reading: the sender's own buffers fill, and it costs us nothing.
"""

from __future__ import annotations

from typing import Any, Final

import trio
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.ws_stream import FrameTooLargeError, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason

from centralita_http.limits import Buckets
from centralita_http.settings import DoorLimits

OF_ONE_PER_S: Final = 200
"""Frames of one connection, or four times the commands that a window may give, where that is more."""
PAUSE_S: Final = 0.05
PATIENCE_S: Final = 10.0
"""Who has sent so much at once that it would wait longer than this is cut off."""


class FramePace:
    """How quickly frames are taken in, of one connection and of one address; one for the whole front door."""

    def __init__(self, limits: DoorLimits) -> None:
        self.of_one_per_s = max(OF_ONE_PER_S, 4 * limits.messages_per_s)
        self.of_address = Buckets(
            rate_per_s=limits.frames_per_s, burst=2 * limits.frames_per_s, now_s=trio.current_time
        )


class PacedWebSocket(WSStream):
    """Hypercorn's WebSocket, which takes in frames at the pace that `config.frame_pace` says."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._pace: FramePace = self.config.frame_pace  # type: ignore[attr-defined]  # listening.DoorConfig's
        per_s = self._pace.of_one_per_s
        self._of_one = Buckets(rate_per_s=per_s, burst=2 * per_s, now_s=trio.current_time)
        self._address = self.client[0] if self.client else ""

    async def _handle_events(self) -> None:
        deadline = trio.current_time() + PATIENCE_S
        for event in self.connection.events():
            # A frame that comes in pieces is counted when it is whole.
            if not isinstance(event, Message) or event.frame_finished:
                while not (self._of_one.take("") and self._pace.of_address.take(self._address)):
                    if trio.current_time() >= deadline:
                        await self._cut_off()
                        return
                    await trio.sleep(PAUSE_S)
            if isinstance(event, Message):
                try:
                    self.buffer.extend(event)
                except FrameTooLargeError:
                    await self._send_wsproto_event(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
                    return
                if event.message_finished:
                    assert self.app_put is not None
                    await self.app_put(self.buffer.to_message())
                    self.buffer.clear()
            elif isinstance(event, Ping):
                await self._send_wsproto_event(event.response())
            elif isinstance(event, CloseConnection):
                if self.connection.state == ConnectionState.REMOTE_CLOSING:
                    await self._send_wsproto_event(event.response())
                await self.send(StreamClosed(stream_id=self.stream_id))

    async def _cut_off(self) -> None:
        await self._send_wsproto_event(
            CloseConnection(code=CloseReason.POLICY_VIOLATION, reason="too many frames a second")
        )
        await self.send(StreamClosed(stream_id=self.stream_id))
