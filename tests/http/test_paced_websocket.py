"""Frames that say nothing to anybody, in such numbers that the server would do nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from centralita_http import paced_websocket
from tests.http.company import PATIENCE_S, Company, company, eventually
from tests.http.test_attacks import OPENING
from tests.http.test_served_limits import customers_page

PING, PONG = b"\x89\x80\0\0\0\0", b"\x8a\0"
EMPTY_FRAGMENT = b"\x00\x80\0\0\0\0"
FIRST_FRAGMENT = b"\x01\x80\0\0\0\0"
POLICY_VIOLATION = b"\x03\xf0"


async def opened(shop: Company, *, address: str = "127.0.0.1") -> trio.SocketStream:
    """A customer's WebSocket, without any library that would be kinder."""
    assert shop.door.app is not None
    host, _, port = shop.door.address.partition("//")[2].rpartition(":")
    stream = await trio.open_tcp_stream(host, int(port), local_address=address)
    await stream.send_all(OPENING.replace(b"/ws/desk", b"/page/ws"))
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive_some()
    assert head.startswith(b"HTTP/1.1 101")
    return stream


async def read_until(stream: trio.SocketStream, what: bytes, times: int = 1) -> bytes:
    found = b""
    with trio.fail_after(PATIENCE_S):
        while found.count(what) < times:
            piece = await stream.receive_some()
            assert piece, "closed before it came"
            found += piece
    return found


@pytest.mark.parametrize("frame", [PING, EMPTY_FRAGMENT], ids=["pings", "empty fragments"])
async def test_flood_of_frames_is_cut_off_and_costs_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: bytes
) -> None:
    monkeypatch.setattr(paced_websocket, "PATIENCE_S", 0.2)
    async with company(tmp_path) as shop:
        assert shop.door.app is not None
        shop.door.app.register(customers_page)
        async with await opened(shop) as stream:
            await stream.send_all(FIRST_FRAGMENT + frame * 5_000 if frame != PING else frame * 5_000)
            found = await read_until(stream, POLICY_VIOLATION)
            assert found.count(PONG) < 1_000, "two seconds' worth, and what came while it waited"
        await eventually(lambda: shop.door.connections_open == 0)


async def test_who_sends_much_waits_and_is_heard_in_full(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        assert shop.door.app is not None
        shop.door.app.register(customers_page)
        async with await opened(shop) as stream:
            await stream.send_all(PING * 500)
            await read_until(stream, PONG, times=500)


async def test_connections_of_one_address_share_a_pace_and_others_have_their_own(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": {"frames_per_s": 1}}) as shop:
        assert shop.door.app is not None
        shop.door.app.register(customers_page)
        async with (
            await opened(shop) as first,
            await opened(shop) as second,
            await opened(shop, address="127.0.0.2") as other,
        ):
            await first.send_all(PING * 2)
            await read_until(first, PONG, times=2)
            await second.send_all(PING)
            await other.send_all(PING)
            await read_until(other, PONG)
            await read_until(second, PONG)  # a second later


async def test_frame_in_many_pieces_is_one(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": {"frames_per_s": 1}}) as shop:
        assert shop.door.app is not None
        shop.door.app.register(customers_page)
        async with await opened(shop) as stream:
            await stream.send_all(b"\x81\xfe\x03\xe8\0\0\0\0")
            for _ in range(100):
                await stream.send_all(b"x" * 10)
                await trio.testing.wait_all_tasks_blocked()
            await stream.send_all(PING)
            await read_until(stream, PONG)
