"""Server-sent events: nothing missed, nothing repeated, resumed where one was; the board drawn once for all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import h11
import trio

from centralita_http.streams import BOARD_INTERVAL_S, _picture
from tests.http.company import PATIENCE_S, Company, company, eventually
from tests.on_loop import called_here


class Listener:
    """A reader of one stream over a bare connection: HTTP clients leave generators behind when left early."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)
        self._text = ""

    async def open(self, path: str, headers: dict[str, str]) -> None:
        request = h11.Request(method="GET", target=path, headers=list(headers.items()))
        await self._stream.send_all(self._http.send(request) + self._http.send(h11.EndOfMessage()))
        answer = await self._event()
        assert isinstance(answer, h11.Response)
        assert answer.status_code == 200
        assert (b"content-type", b"text/event-stream; charset=utf-8") in answer.headers

    async def next(self) -> dict[str, str]:
        """The next event's fields; comments are passed over."""
        while (block := await self._block()).startswith(":"):
            pass
        return dict(line.split(": ", 1) for line in block.split("\n"))

    async def following(self) -> None:
        """Wait until the server says that nothing is missed from now on."""
        assert await self._block() == ": following"

    async def _block(self) -> str:
        with trio.fail_after(PATIENCE_S):
            while "\n\n" not in self._text:
                data = await self._event()
                assert isinstance(data, h11.Data), data
                self._text += data.data.decode()
        block, _, self._text = self._text.partition("\n\n")
        return block

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._stream.receive_some())
        return event


@asynccontextmanager
async def listening(shop: Company, path: str, **headers: str) -> AsyncIterator[Listener]:
    given = {"host": "127.0.0.1", "authorization": f"Bearer {await shop.token('supervisor')}", **headers}
    async with await shop.stream() as stream:
        listener = Listener(stream)
        await listener.open(path, given)
        yield listener


async def test_events_come_in_order_and_are_resumed_without_loss(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        seen: list[int] = []
        last = shop.switchboard.status()["durable_seq"]
        for start in range(0, 9, 3):
            for number in range(start, start + 3):
                await shop.admit(str(number))
            async with listening(shop, "/api/events", **{"last-event-id": str(last)}) as listener:
                for _ in range(3):
                    event = await listener.next()
                    data = json.loads(event["data"])
                    assert event["id"] == str(data["seq"])
                    seen.append(data["seq"])
                    assert data["events"][0]["type"] == "ContactAdmitted"
                    assert data["events"][0]["provider_id"] == str(start + len(seen) - 1 - start)
            last = seen[-1]
        assert seen == list(range(seen[0], seen[0] + 9))


async def test_events_from_now_on_are_only_the_new_ones(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        await shop.admit("old")
        async with listening(shop, "/api/events") as listener:
            await listener.following()
            await shop.admit("new")
            data = json.loads((await listener.next())["data"])
        assert data["events"][0]["provider_id"] == "new"


async def test_malformed_place_is_refused(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client(shop.admin) as client:
        for place in ("x", "-1", "1.5", "9" * 30, "²", "10000"):
            answer = await client.get("/api/events", headers={b"last-event-id": place.encode()})
            assert answer.status_code == 400, place


async def test_board_shows_what_changed_and_is_drawn_once_for_all(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        assert shop.door.app is not None
        board = shop.door.app.state.board
        drawn: list[float] = []
        draw = board._draw

        async def count() -> None:
            drawn.append(trio.current_time())
            await draw()

        board._draw = count
        async with listening(shop, "/api/board") as one, listening(shop, "/api/board") as two:
            first: list[Any] = [json.loads((await listener.next())["data"]) for listener in (one, two)]
            assert set(first[0]) == {"now_ns", "queues", "agents", "contacts", "figures", "components"}
            assert first[0]["queues"][0]["waiting"] == 0
            for number in range(50):
                await shop.admit(str(number))
            for listener in (one, two):
                while True:
                    event = await listener.next()
                    assert event["event"] == "board"
                    picture = json.loads(event["data"])
                    if picture["queues"][0]["waiting"] == 50:
                        break
                assert [contact["provider_id"] for contact in picture["contacts"]] == [
                    str(n) for n in range(50)
                ]
        gaps = [later - earlier for earlier, later in pairwise(drawn[1:])]
        assert all(gap >= BOARD_INTERVAL_S * 0.9 for gap in gaps), gaps
        await eventually(lambda: board._looking_n == 0)
        before = len(drawn)
        await shop.admit("unseen")
        await trio.sleep(2 * BOARD_INTERVAL_S)
        assert len(drawn) == before, "nobody looks, so nothing is drawn"


async def test_listeners_are_limited(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": {"streams": 2}}) as shop, shop.client(shop.admin) as client:
        async with listening(shop, "/api/events"), listening(shop, "/api/board"):
            refused = await client.get("/api/board")
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        with trio.fail_after(PATIENCE_S):
            while True:
                async with client.stream("GET", "/api/board") as answer:
                    if answer.status_code == 200:
                        return


async def test_board_is_put_into_words_off_the_loops_thread(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        with called_here(_picture) as called:
            async with listening(shop, "/api/board") as listener:
                assert json.loads((await listener.next())["data"])["agents"]
        assert not called


async def test_whoever_is_first_at_the_board_sees_what_came_while_nobody_looked(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        assert shop.door.app is not None
        board = shop.door.app.state.board
        async with listening(shop, "/api/board") as listener:
            assert not json.loads((await listener.next())["data"])["contacts"]
        await eventually(lambda: board._looking_n == 0)
        await shop.admit("unseen")
        async with listening(shop, "/api/board") as listener:
            (seen,) = json.loads((await listener.next())["data"])["contacts"]
        assert seen["provider_id"] == "unseen"
