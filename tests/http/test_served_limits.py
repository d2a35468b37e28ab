"""What the server takes of anybody: bodies, heads, messages, connections, rates, and readers who don't read."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect

from centralita.messages import PostMessage
from tests.http.company import PATIENCE_S, Company, closing_code, company, eventually


async def test_body_too_large_is_413_whether_it_says_so_or_not(tmp_path: Path) -> None:
    limits = {"body_bytes": 2000, "upload_bytes": 4000}
    async with company(tmp_path, http={"limits": limits}) as shop, shop.client(shop.admin) as client:

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b"x" * 1000

        for size, status in ((1900, 400), (2100, 413), (5000, 413)):
            answer = await client.post("/api/contacts", content=b"[" + b" " * size)
            assert (answer.status_code, size) == (status, size)
            assert answer.json()["code"] == ("too_large" if status == 413 else "bad_request")
        answer = await client.post("/api/contacts", content=pieces())
        assert answer.status_code == 413
        assert (await client.get("/healthz")).status_code == 200


async def test_unread_long_body_does_not_hold_the_connection(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        head = b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n"
        answer = await shop.raw(head + b"x" * 3_000_000)
        assert answer.status_code == 404
        await eventually(lambda: connections(shop) == 0)


def state(shop: Company) -> str:
    view = shop.switchboard.agent("ana")
    assert view is not None
    return view.state


def connections(shop: Company) -> int:
    """Connections that the listeners count as open."""
    return shop.door.connections_open


async def test_head_too_large_is_refused(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": {"header_bytes": 2000}}) as shop:
        # Whether it comes in one piece or in many, whether in one line or in its first.
        for head in (
            b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 70_000,
            b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 2_000,
            b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 1_001 + b"z: z",
            b"GET /" + b"y" * 2_000 + b" HTTP/1.1\r\nhost: x",
        ):
            answer = await shop.raw(head + b"\r\n\r\n")
            assert answer.status_code == 431
            assert json.loads(answer.text) == {
                "code": "too_large",
                "message": "the request's head is larger than 2000 bytes",
            }
        assert (await shop.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).status_code == 200


async def test_head_and_body_that_never_end_are_given_up(tmp_path: Path) -> None:
    async with company(tmp_path / "head", http={"limits": {"header_s": 0.3}}) as shop:
        assert (await shop.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")).status_code == 0
        await eventually(lambda: connections(shop) == 0)
    async with company(tmp_path / "body", http={"limits": {"body_s": 0.3}}) as shop:
        head = f"POST /api/contacts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.admin}\r\ncontent-length: 9"
        assert (await shop.raw(f"{head}\r\n\r\n{{".encode())).status_code == 408
        await eventually(lambda: connections(shop) == 0)


async def test_requests_beyond_the_rate_are_429(tmp_path: Path) -> None:
    limits = {"requests_per_s": 0.001, "requests_burst": 3}
    async with company(tmp_path, http={"limits": limits}) as shop, shop.client() as client:
        answers = [await client.get("/healthz") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["code"] == "too_many_requests"
        assert answers[-1].headers["retry-after"] == "1"
        assert (await shop.opening("/ws/desk")).status_code == 429


@pytest.mark.parametrize("limit", ["connections", "connections_per_address"])
async def test_connections_beyond_the_limit_are_turned_away_and_taken_again_later(
    tmp_path: Path, limit: str
) -> None:
    async with company(tmp_path, http={"limits": {limit: 3}}) as shop:
        await shop.token("agent", "ana")
        await eventually(lambda: connections(shop) == 0)
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(shop.desk("ana"))
            refused = await shop.raw(b"")
            assert refused.status_code == 503
            assert refused.text == '{"code": "too_many_connections", "message": "try again in a moment"}'
        await eventually(lambda: connections(shop) == 0)
        assert (await shop.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).status_code == 200


async def test_crowd_of_customers_leaves_room_for_agents_and_operators(tmp_path: Path) -> None:
    limits = {"connections": 8, "staff_connections": 4}
    async with company(tmp_path, http={"limits": limits}) as shop:
        assert shop.door.app is not None
        shop.door.app.register(customers_page)
        token = await shop.token("agent", "ana")
        await eventually(lambda: connections(shop) == 0)
        async with AsyncExitStack() as stack:
            for _ in range(4):
                page = await stack.enter_async_context(shop.socket("/page/ws"))
                # The library's client can't be closed before it has answered the first ping.
                await page.ping()
            refused = await shop.opening("/page/ws")
            assert refused.status_code == 503
            assert '"busy"' in refused.text
            assert (await shop.opening("/ws/desk", token)).status_code == 101
            async with shop.client(shop.admin) as client:
                assert (await client.get("/api/status")).status_code == 200
        await eventually(lambda: connections(shop) == 0)
        assert (await shop.opening("/page/ws")).status_code == 101


@websocket("/page/ws", opt={"role": "public"})
async def customers_page(socket: WebSocket[Any, Any, Any]) -> None:
    """What a channel for customers would mount."""
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()


async def test_process_without_time_lets_no_more_customers_in(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        assert shop.door.app is not None
        shop.door.app.register(customers_page)
        token = await shop.token("agent", "ana")
        shop.door.lag.s = 10.0**9  # it is forgotten by and by
        refused = await shop.opening("/page/ws")
        assert refused.status_code == 503
        assert "busy" in refused.text
        assert (await shop.opening("/ws/desk", token)).status_code == 101
        shop.door.lag.s = 0.0
        assert (await shop.opening("/page/ws")).status_code == 101


async def test_websocket_message_too_large_closes_the_window(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": {"message_bytes": 2000}}) as shop, shop.desk("ana") as ana:
        await ana.socket.send_message("x" * 2001)
        assert await closing_code(ana.socket) == 1009
        await eventually(lambda: state(shop) == "lost")


async def test_reader_who_stops_reading_is_dropped_and_counts_as_gone(tmp_path: Path) -> None:
    limits = {"send_s": 0.5, "send_queue": 50}
    async with company(tmp_path, http={"limits": limits}) as shop:
        token = await shop.token("agent", "ana")
        async with await shop.stream() as stream:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            head = "GET /ws/desk HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            head += "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            await stream.send_all(f"{head}authorization: Bearer {token}\r\n\r\n".encode())
            await eventually(lambda: state(shop) == "idle")
            contact = await shop.admit("1", text="x" * 60_000)
            with trio.fail_after(PATIENCE_S):
                number = 0
                while state(shop) != "lost":
                    number += 1
                    await say_something(shop, contact, number)
                    await trio.sleep(0.005)
        await eventually(lambda: connections(shop) == 0)
        async with shop.client() as client:
            assert (await client.get("/healthz")).status_code == 200


async def say_something(shop: Company, contact: int, number: int) -> None:
    message = PostMessage(contact=contact, author="customer", text="x" * 60_000, message_id=str(number))
    await shop.switchboard.submit(message)


async def test_compression_is_not_spoken(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        answer = await shop.opening("/ws/desk", **{"sec-websocket-extensions": "permessage-deflate"})
        assert answer.status_code == 101
        assert "permessage-deflate" not in answer.head


async def test_no_way_out_of_http_1_1(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        upgrade = (
            b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
        )
        assert (await shop.raw(upgrade + b"http2-settings: AAMAAABkAAQAAP__\r\n\r\n")).status_code == 200
        assert (await shop.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).status_code in {0, 400, 404, 405, 505}
        assert (await shop.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).status_code == 200
