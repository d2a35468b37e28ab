"""A TCP stream that gives up on a reader who does not read, and spends little on those who do.

Writing to a socket with room is most of what a front door does, so it is done without a deadline and without a round of
the scheduler; only what does not go in at once waits, for so long and no longer.
"""

from __future__ import annotations

import os

import trio

from centralita_http.lobby import Seat


class PatientStream(trio.abc.HalfCloseableStream):
    """A TCP stream that counts while it is open and gives up on a slow reader."""

    def __init__(self, stream: trio.SocketStream, seat: Seat, *, send_s: float) -> None:
        self._stream = stream
        self._send_s = send_s
        self.seat = seat
        self._waiting = False
        """Whether a write waits for the reader."""

    @property
    def socket(self) -> trio.socket.SocketType:
        """The socket below, where Hypercorn looks for the addresses."""
        return self._stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, in at most `send_s`; then the reader is taken for gone (BrokenResourceError)."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._waiting:
            raise trio.BrokenResourceError("the connection is being closed")
        if rest := self.send_at_once(data):
            await self._send_patiently(rest)

    def send_at_once(self, data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
        """Send what the socket takes without a wait, and return the rest. Raises BrokenResourceError.

        Nearly always all of it: then no deadline has to be set, and no round of the scheduler to be waited for.
        """
        descriptor = self._stream.socket.fileno()
        if descriptor < 0 or not data:
            return data  # trio knows the words for a stream that is closed
        try:
            sent = os.write(descriptor, data)
        except BlockingIOError:
            return data
        except OSError as error:
            raise trio.BrokenResourceError(error.strerror or "the connection is broken") from error
        return b"" if sent == len(data) else memoryview(data)[sent:]

    async def _send_patiently(self, data: bytes | bytearray | memoryview) -> None:
        self._waiting = True
        try:
            with trio.move_on_after(self._send_s) as patience:
                await self._stream.send_all(data)
        except trio.BusyResourceError:
            # Hypercorn sends under a lock, but says goodbye (`send_eof`) without it.
            raise trio.BrokenResourceError("the connection is being closed") from None
        finally:
            self._waiting = False
        if patience.cancelled_caught:
            # What was half written can't be continued, and a polite close would wait for the reader too.
            await trio.aclose_forcefully(self)
            raise trio.BrokenResourceError(f"the reader took nothing for {self._send_s:g} s")

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        self.seat.leave()
        await self._stream.aclose()
