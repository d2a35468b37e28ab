"""People who mean harm, at real sockets: the slow, the silent, the many, and those who take and don't read."""

from __future__ import annotations

import json
import ssl
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from centralita.messages import PostMessage
from tests.http.company import PATIENCE_S, Company, company, eventually, read_answer

OPENING = (
    b"GET /ws/desk HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
QUICK: dict[str, Any] = {"header_s": 0.5, "body_s": 0.5, "send_s": 0.5}


async def until_closed(stream: trio.abc.ReceiveStream) -> None:
    with trio.fail_after(PATIENCE_S):
        try:
            while await stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass


async def trickle(stream: trio.SocketStream, line: bytes) -> None:
    """Send a byte at a time, for ever: slowloris."""
    try:
        while True:
            for place in range(len(line)):
                await stream.send_all(line[place : place + 1])
                await trio.sleep(0.05)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


@pytest.mark.parametrize(
    "start",
    [b"", b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: "],
    ids=["from the first byte", "within a header"],
)
async def test_head_that_comes_byte_by_byte_is_given_up(tmp_path: Path, start: bytes) -> None:
    async with company(tmp_path, http={"limits": QUICK}) as shop:
        async with await shop.stream() as stream, trio.open_nursery() as nursery:
            await stream.send_all(start)
            nursery.start_soon(trickle, stream, b"GET /healthz HTTP/1.1" if not start else b"y")
            await until_closed(stream)
            nursery.cancel_scope.cancel()
        await eventually(lambda: shop.door.connections_open == 0)


async def test_body_that_comes_byte_by_byte_is_given_up(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": {"body_s": 0.5}}) as shop:
        async with await shop.stream() as stream, trio.open_nursery() as nursery:
            head = f"POST /api/contacts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.admin}\r\n"
            await stream.send_all(f"{head}content-length: 100000\r\n\r\n".encode())
            nursery.start_soon(trickle, stream, b" ")
            assert (await read_answer(stream)).status_code == 408
            nursery.cancel_scope.cancel()
        await eventually(lambda: shop.door.connections_open == 0)


async def test_silent_connections_go_and_make_room(tmp_path: Path) -> None:
    limits = {"connections_per_address": 20}
    async with company(tmp_path / "room", http={"limits": limits}) as shop, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(await shop.stream()) for _ in range(20)]
        await eventually(lambda: shop.door.connections_open == 20)
        assert (await shop.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).status_code == 200
        assert (await read_answer(streams[0])).status_code == 503
    limits = {**QUICK, "connections_per_address": 20}
    async with company(tmp_path / "go", http={"limits": limits}) as shop, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(await shop.stream()) for _ in range(20)]
        for stream in streams:
            await until_closed(stream)
        await eventually(lambda: shop.door.connections_open == 0)


async def test_websocket_opening_that_never_says_who_it_is_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("centralita_http.desk.FIRST_FRAME_S", 0.3)
    async with company(tmp_path) as shop, shop.socket("/ws/desk"):
        await eventually(lambda: shop.door.connections_open == 0)


@pytest.mark.parametrize("path", ["/api/events", "/api/board"])
async def test_listener_who_does_not_read_is_dropped(tmp_path: Path, path: str) -> None:
    async with company(tmp_path, http={"limits": {**QUICK, "header_s": 60}}) as shop:
        async with await shop.stream() as stream:
            head = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.admin}\r\n\r\n"
            await stream.send_all(head.encode())
            await stream.receive_some(10)
            contact = await shop.admit("1", subject="x" * 900)
            for number in range(200 if path == "/api/board" else 0):
                await shop.admit(f"more {number}", subject="x" * 900, customer_name="y" * 900)
            with trio.fail_after(PATIENCE_S):
                number = 0
                while shop.door.connections_open:
                    number += 1
                    await say(shop, contact, number)
                    await trio.sleep(0.005)
        assert (await shop.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).status_code == 200


async def say(shop: Company, contact: int, number: int) -> None:
    await shop.switchboard.submit(
        PostMessage(contact=contact, author="customer", text="x" * 60_000, message_id=str(number))
    )


async def test_answer_that_is_read_byte_by_byte_is_given_up(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": QUICK}) as shop:
        contact = await shop.admit("1")
        for number in range(100):
            await say(shop, contact, number)
        async with await shop.stream() as stream:
            head = f"GET /api/contacts/{contact} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.admin}\r\n\r\n"
            await stream.send_all(head.encode())
            with trio.fail_after(PATIENCE_S):
                while shop.door.connections_open:
                    try:
                        await stream.receive_some(1)
                    except trio.BrokenResourceError:
                        break
                    await trio.sleep(0.01)
        await eventually(lambda: shop.door.connections_open == 0)


async def test_requests_of_all_addresses_together_have_a_rate(tmp_path: Path) -> None:
    limits = {"requests_per_s_in_all": 1, "requests_per_s": 1e6, "requests_burst": 1_000_000}
    async with company(tmp_path, http={"limits": limits, "proxies": ["127.0.0.1"]}) as shop:
        async with shop.client() as client:
            answers = [
                await client.get("/healthz", headers={"x-forwarded-for": f"192.0.2.{number}"})
                for number in range(40)
            ]
        busy = [answer for answer in answers if answer.status_code == 503]
        assert busy, "from forty addresses, one request each"
        assert busy[0].json()["code"] == "busy"
        assert busy[0].headers["retry-after"] == "1"


async def test_every_answer_has_the_headers_refusals_too(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client(shop.admin) as client:
        answers = [
            await client.get("/healthz"),
            await client.get("/api/status"),
            await client.get("/nowhere"),
            await client.get("/letterbox/broken"),
            await client.request("BREW", "/healthz"),
            await client.options("/api/status"),
            await client.post("/api/contacts", content=b"nonsense"),
            await client.get("/api/status", headers={"authorization": "Bearer x"}),
        ]
        for answer in answers:
            headers = answer.headers
            assert "default-src 'none'" in headers["content-security-policy"], answer
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert "server" not in headers
        refused = await shop.opening("/ws/desk", "ctl_x")
        assert refused.status_code == 401
        assert "content-security-policy" in refused.head
        for raw in (b"nonsense\r\n\r\n", b"GET /healthz HTTP/9\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n"):
            nonsense = await shop.raw(raw)
            assert nonsense.status_code == 400
            assert json.loads(nonsense.text)["code"] == "bad_request"
            assert "default-src 'none'" in nonsense.head
            assert "server:" not in nonsense.head.lower()


@pytest.mark.parametrize("wrong", [{"sec-websocket-key": ""}, {"sec-websocket-version": "8"}])
async def test_opening_that_is_none_is_told_so_and_closed(tmp_path: Path, wrong: dict[str, str]) -> None:
    lines = {
        "host": "x",
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
        **wrong,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    async with company(tmp_path) as shop, await shop.stream() as stream:
        await stream.send_all(f"GET /ws/desk HTTP/1.1\r\n{head}\r\n".encode())
        answer = await read_answer(stream)
        assert answer.status_code == 400
        assert json.loads(answer.text)["code"] == "bad_request"
        assert "default-src 'none'" in answer.head
        await until_closed(stream)
        await eventually(lambda: shop.door.connections_open == 0)


async def test_window_that_goes_without_a_word_is_no_fault(tmp_path: Path) -> None:
    """Anybody may open one and go: that must not fill the log with errors."""
    with structlog.testing.capture_logs() as logs:
        async with company(tmp_path) as shop:
            for _ in range(3):
                async with await shop.stream() as stream:
                    await stream.send_all(OPENING)
                    await stream.receive_some()
                await eventually(lambda: shop.door.connections_open == 0)
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_head_that_two_servers_could_read_differently_is_refused(tmp_path: Path) -> None:
    """Request smuggling: a length and a coding, two lengths, a coding that isn't chunked."""
    async with company(tmp_path) as shop:
        start = b"POST /api/session HTTP/1.1\r\nhost: x\r\n"
        for headers in (
            b"content-length: 5\r\ncontent-length: 6\r\n",
            b"transfer-encoding: gzip, chunked\r\n",
            b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            b"content-length: +5\r\n",
            b"content-length: 5, 6\r\n",
            b"content-length : 5\r\n",
        ):
            answer = await shop.raw(
                start + headers + b"\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
            )
            assert answer.status_code in {400, 501}, (headers, answer.head)
        both = start + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
        answer = await shop.raw(both + b"0\r\n\r\n")
        assert answer.status_code in {400, 401}, "chunked alone counts (RFC 9112, section 6.3)"


async def test_tls_handshakes_that_stall_are_given_up(tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
        f"-keyout {tmp_path / 'key.pem'} -out {certificate}"
    )
    await trio.run_process(command.split(" "), stderr=subprocess.DEVNULL)
    trusted = ssl.create_default_context(cafile=certificate)
    tls = {"tls_cert": "cert.pem", "tls_key": "key.pem"}
    async with company(tmp_path, http={**tls, "limits": QUICK}) as shop:
        async with await shop.stream() as silent, await shop.stream() as slow, trio.open_nursery() as nursery:
            nursery.start_soon(trickle, slow, b"\x16\x03\x01\x02\x00" + bytes(500))
            await until_closed(silent)
            await until_closed(slow)
            nursery.cancel_scope.cancel()
        await eventually(lambda: shop.door.connections_open == 0)
    async with company(tmp_path, http=tls) as shop:
        async with shop.client(verify=trusted) as client:
            assert (await client.get("/healthz")).status_code == 200
        old = ssl.create_default_context(cafile=certificate)
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((trio.BrokenResourceError, ssl.SSLError)):
            async with trio.SSLStream(await shop.stream(), old, server_hostname="127.0.0.1") as stream:
                await stream.do_handshake()
