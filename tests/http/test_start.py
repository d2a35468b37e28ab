"""Starting: addresses that can't be had, TLS, the port file, and the door's second life."""

from __future__ import annotations

import shutil
import socket
import ssl
import stat
import subprocess
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, cast

import httpx
import pytest
import structlog
import trio
from trio_websocket import wrap_client_stream

from centralita.errors import CentralitaError, ConfigurationError
from centralita_http.door import PORT_FILE
from centralita_http.listening import listen, serve
from centralita_http.lobby import Lobby
from centralita_http.settings import DoorLimits
from centralita_http.tokens import CLI_TOKEN_NAME
from tests.http.company import PATIENCE_S, company, eventually


async def test_chosen_port_and_token_are_found_in_the_data_directory(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        port = int((shop.data / PORT_FILE).read_text())
        assert shop.door.address == f"http://127.0.0.1:{port}"
        assert stat.S_IMODE((shop.data / CLI_TOKEN_NAME).stat().st_mode) == 0o600
        async with shop.client(shop.admin) as client:
            assert (await client.get("/api/me")).json()["role"] == "admin"
        first = shop.admin
    async with company(tmp_path) as shop:
        assert shop.admin == first, "tokens outlive the process"
        async with shop.client(first) as client:
            assert (await client.get("/api/me")).status_code == 200


async def test_start_beyond_loopback_without_tls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"front_doors\.http\.host was '0\.0\.0\.0'"):
        async with company(tmp_path, http={"host": "0.0.0.0"}):
            pass


async def test_start_on_a_taken_port_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CentralitaError, match=f"can't listen on 127.0.0.1:{port}"):
            async with company(tmp_path, http={"port": port}):
                pass


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
async def test_tls_serves_rest_and_desk_and_sets_a_secure_cookie(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command = f"{command} -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    await trio.run_process(command.split(" "), stderr=subprocess.DEVNULL)
    trusted = ssl.create_default_context(cafile=certificate)
    async with company(tmp_path, http={"tls_cert": "cert.pem", "tls_key": "key.pem"}) as shop:
        assert shop.door.address.startswith("https://127.0.0.1:")
        async with shop.client(verify=trusted) as client:
            answer = await client.post("/api/session", json={"token": shop.admin})
            assert answer.status_code == 200
            assert "secure" in answer.headers["set-cookie"].lower()
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
        token = await shop.token("agent", "ana", verify=trusted)
        secure = trio.SSLStream(await shop.stream(), trusted, server_hostname="127.0.0.1")
        async with secure, trio.open_nursery() as nursery:
            headers = [(b"authorization", f"Bearer {token}".encode())]
            desk = await wrap_client_stream(nursery, secure, "127.0.0.1", "/ws/desk", extra_headers=headers)
            assert '"hello"' in await desk.get_message()
            await desk.aclose()
        plain = await shop.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert plain.status_code == 0, "who speaks no TLS gets no answer"
        await eventually(lambda: shop.door.connections_open == 0)


async def test_bad_certificate_is_told_with_its_place(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(CentralitaError, match=r"front_doors\.http\.tls_cert, tls_key: can't be loaded"):
        async with company(tmp_path, http={"tls_cert": "cert.pem", "tls_key": "key.pem"}):
            pass


async def test_door_that_crashed_serves_again_what_was_mounted(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        assert shop.door.app is not None
        first = shop.door.app

        def crash() -> None:
            raise RuntimeError("a bug")

        first.state.board._draw = crash
        async with shop.client(shop.admin) as client:
            with trio.fail_after(PATIENCE_S):
                try:
                    async with client.stream("GET", "/api/board") as stream:
                        await stream.aread()
                except httpx.HTTPError:
                    pass
                first.state.board._looking_n = 1
                await shop.admit("1")
                await eventually(lambda: shop.door.app is not first)
                await shop.switchboard_up("front_doors.http")
        async with shop.client(shop.admin) as client:
            assert (await client.get("/letterbox/metrics")).status_code == 200
            assert (await client.get("/api/status")).status_code == 200
        async with shop.desk("ana") as ana:
            assert (await ana.say(ask="why"))["ok"]


async def test_stop_with_open_windows_and_listeners_takes_no_time(tmp_path: Path) -> None:
    async with AsyncExitStack() as clients:
        with structlog.testing.capture_logs() as logs:
            async with company(tmp_path) as shop:
                token = await shop.token("agent", "ana")
                openings = (
                    f"GET /api/board HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.admin}\r\n\r\n",
                    f"GET /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.admin}\r\n\r\n",
                    f"GET /ws/desk HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nupgrade: websocket\r\n"
                    "connection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                    "GET /healthz HTTP/1.1\r\nhost: x\r\n",
                )
                for opening in openings:
                    stream = await clients.enter_async_context(await shop.stream())
                    await stream.send_all(opening.encode())
                await eventually(lambda: shop.switchboard.agent("ana").state == "idle")  # type: ignore[union-attr]
                began = trio.current_time()
            assert trio.current_time() - began < 4
        assert [
            line for line in logs if line["event"] in {"components_do_not_end", "connection_failed"}
        ] == []


@pytest.mark.parametrize("turns", range(8))
def test_door_that_is_cancelled_while_it_opens_ends(turns: int) -> None:
    class Quiet:
        websockets_n = 0

    async def main() -> None:
        limits = DoorLimits()
        listeners, _ = await listen("127.0.0.1", 0, limits, Lobby(limits))
        door = partial(serve, cast(Any, Quiet()), listeners, limits, tls=None, log=cast(Any, None))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door)
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    # A shield that nobody lifts would hold up whoever waits for it, the test's own limit included.
    running = Thread(target=trio.run, args=(main,), daemon=True)
    running.start()
    running.join(timeout=PATIENCE_S)
    assert not running.is_alive()
