"""A WebSocket client that costs little, so that what is measured is the daemon: text frames, masks, pings, no more.

A library's client takes more of a core than the daemon does for the same frames; on a machine of two cores that
would be the measurement. RFC 6455, sections 4.1 and 5.
"""

from __future__ import annotations

import base64
import os
import ssl
import struct
from typing import Final

import msgspec
import trio

RECEIVE_BYTES: Final = 65_536
ANSWER_S: Final = 30.0
"""How long an answer to the opening may take."""
_MASK: Final = b"\x37\xfa\x21\x3d"


class Refused(Exception):
    """The opening was answered otherwise than by 101: with a status, and politely with a code and a time to come again.

    `code` is "" where the body has none, `retry_after_s` None where the head does not say.
    """

    def __init__(self, status: int, code: str, retry_after_s: float | None) -> None:
        super().__init__(f"{status}: {code}")
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


class Gone(Exception):
    """The connection ended; `code` is the peer's close code, 1006 when there was none."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Wire:
    """One open WebSocket. Receiving may be cancelled: nothing is lost by it."""

    def __init__(self, stream: trio.SocketStream, rest: bytes) -> None:
        self._stream = stream
        self._buffer = bytearray(rest)

    @classmethod
    async def open(cls, port: int, path: str, *, address: str = "127.0.0.1", token: str = "") -> Wire:
        """Connect from a loopback address of one's own. Raises Refused, Gone or OSError."""
        stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=address)
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            extra = f"Authorization: Bearer {token}\r\n" if token else ""
            opening = (
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
            )
            await stream.send_all(opening.encode())
            head = b""
            with trio.fail_after(ANSWER_S):
                while not _whole(head):
                    some = await stream.receive_some(RECEIVE_BYTES)
                    if not some:
                        raise Gone(1006, "closed during the opening")
                    head += some
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            if isinstance(error, trio.BrokenResourceError | trio.TooSlowError):
                raise Gone(1006, type(error).__name__) from error
            raise
        answer, _, rest = head.partition(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        if status != 101:
            await trio.aclose_forcefully(stream)
            later = _field(answer, b"retry-after")
            raise Refused(status, _code(rest), float(later) if later else None)
        return cls(stream, rest)

    async def send(self, frame: dict[str, object]) -> None:
        """Send one JSON object. Raises Gone."""
        await self._send(0x81, msgspec.json.encode(frame))

    async def receive(self) -> bytes:
        """The next text frame. Raises Gone."""
        while True:
            opcode, payload = await self._frame()
            if opcode == 0x1:
                return payload
            if opcode == 0x8:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Gone(code, payload[2:].decode("utf-8", "replace"))
            if opcode == 0x9:
                await self._send(0x8A, payload)

    async def close(self) -> None:
        """Break the line without a word, as a page that is closed does."""
        await trio.aclose_forcefully(self._stream)

    async def _send(self, first: int, payload: bytes) -> None:
        length = len(payload)
        if length < 126:
            head = bytes((first, 0x80 | length))
        elif length < 1 << 16:
            head = bytes((first, 0xFE)) + length.to_bytes(2, "big")
        else:
            head = bytes((first, 0xFF)) + length.to_bytes(8, "big")
        mask = int.from_bytes((_MASK * (length // 4 + 1))[:length], "big")
        masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(length, "big")
        try:
            await self._stream.send_all(head + _MASK + masked)
        except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError) as error:
            raise Gone(1006, type(error).__name__) from error

    async def _frame(self) -> tuple[int, bytes]:
        buffer = self._buffer
        while True:
            if len(buffer) >= 2:
                length, at = buffer[1] & 0x7F, 2
                if length == 126 and len(buffer) >= 4:
                    length, at = int.from_bytes(buffer[2:4], "big"), 4
                elif length == 127 and len(buffer) >= 10:
                    length, at = int.from_bytes(buffer[2:10], "big"), 10
                elif length >= 126:
                    length = 1 << 62  # the length itself is not all here
                if len(buffer) >= at + length:
                    opcode, payload = buffer[0] & 0x0F, bytes(buffer[at : at + length])
                    del buffer[: at + length]
                    return opcode, payload
            try:
                some = await self._stream.receive_some(RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise Gone(1006, type(error).__name__) from error
            if not some:
                raise Gone(1006)
            buffer += some


def _whole(answer: bytes) -> bool:
    """Whether the opening's answer is all here: the head of a 101, another with the body it declares."""
    head, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and len(body) >= int(_field(head, b"content-length") or 0)


def _field(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""


def _code(body: bytes) -> str:
    """The code of an error's JSON; "" when it is something else."""
    try:
        return str(msgspec.json.decode(body)["code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
