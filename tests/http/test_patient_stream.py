"""Writing to a connection: at once what goes in, the rest in order as the reader takes it, and never half a frame."""

from __future__ import annotations

import socket as sockets
import struct
from pathlib import Path
from typing import Any

import pytest
import trio
from litestar import WebSocket, websocket

from centralita_http.lobby import Lobby
from centralita_http.patient_stream import PatientStream
from centralita_http.settings import DoorLimits
from tests.http.company import PATIENCE_S, company, eventually

BIG = 3_000_000
"""Bytes, more than a socket takes without a reader."""


def pair(*, send_s: float = PATIENCE_S) -> tuple[PatientStream, trio.SocketStream, Lobby]:
    ours, theirs = (trio.SocketStream(trio.socket.from_stdlib_socket(one)) for one in connected())
    lobby = Lobby(DoorLimits())
    return PatientStream(ours, lobby.come("10.0.0.1"), send_s=send_s), theirs, lobby


def connected() -> tuple[sockets.socket, sockets.socket]:
    """A TCP connection: trio's streams set options that no other socket has."""
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        one = sockets.create_connection(listener.getsockname())
        other, _ = listener.accept()
    one.setblocking(False)
    other.setblocking(False)
    return one, other


async def read(stream: trio.SocketStream, length: int) -> bytes:
    data = bytearray()
    with trio.fail_after(PATIENCE_S):
        while len(data) < length:
            piece = await stream.receive_some(length - len(data))
            assert piece, "closed early"
            data += piece
    return bytes(data)


async def test_what_does_not_go_in_at_once_follows_in_order() -> None:
    stream, reader, _ = pair()
    said = bytes(range(256)) * (BIG // 256)
    async with stream, reader, trio.open_nursery() as nursery:
        rest = stream.send_at_once(said)
        assert 0 < len(rest) < len(said), "some went in and some did not"
        nursery.start_soon(stream.send_all, rest)
        assert await read(reader, len(said)) == said
        assert not stream.send_at_once(b"after")
        assert await read(reader, 5) == b"after"


async def test_reader_who_takes_nothing_is_given_up_and_leaves_no_seat() -> None:
    stream, reader, lobby = pair(send_s=0.2)
    async with reader:
        with pytest.raises(trio.BrokenResourceError, match="took nothing for"):
            await stream.send_all(b"x" * BIG)
        assert lobby.open_n == 0


async def test_second_writer_does_not_run_into_the_first() -> None:
    stream, reader, _ = pair()
    async with stream, reader, trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, b"x" * BIG)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"y")
        assert await read(reader, BIG) == b"x" * BIG


async def test_gone_reader_and_closed_stream_are_told_in_trios_words() -> None:
    stream, reader, _ = pair()
    reader.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    await reader.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"x" * BIG)
    await stream.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await stream.send_all(b"x")


async def test_close_never_runs_into_a_frame_that_is_half_sent(tmp_path: Path) -> None:
    @websocket("/big/ws", opt={"role": "public", "messages": {"none": "public"}})
    async def big(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.send_text, "x" * BIG)
            await trio.testing.wait_all_tasks_blocked(0.05)
            half.set()
            nursery.cancel_scope.cancel()
        await socket.close(code=4321)

    half = trio.Event()
    async with company(tmp_path) as shop:
        assert shop.door.app is not None
        shop.door.app.register(big)
        async with await shop.stream() as stream:
            head = "GET /big/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            head += "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            await stream.send_all(head.encode())
            with trio.fail_after(PATIENCE_S):
                await half.wait()
            data = b""
            with trio.fail_after(PATIENCE_S):
                while b"\r\n\r\n" not in data:
                    data += await stream.receive_some()
            frames = data.partition(b"\r\n\r\n")[2]
            kinds = []
            while 0x88 not in kinds:
                start = await enough(stream, frames, 2)
                size = {126: 2, 127: 8}.get(start[1], 0)
                start = await enough(stream, start, 2 + size)
                length = int.from_bytes(start[2 : 2 + size], "big") if size else start[1]
                start = await enough(stream, start, 2 + size + length)
                kinds.append(start[0])
                if start[0] == 0x81:
                    assert start[2 + size : 2 + size + length] == b"x" * BIG
                if start[0] == 0x88:
                    assert start[2:4] == struct.pack(">H", 4321)
                frames = start[2 + size + length :]
            assert 0x81 in kinds
        await eventually(lambda: shop.door.connections_open == 0)


async def enough(stream: trio.SocketStream, have: bytes, length: int) -> bytes:
    return have if len(have) >= length else have + await read(stream, length - len(have))
