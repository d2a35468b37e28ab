"""The room of connections by which nobody is known yet: who is pushed out of it, and who can't be."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from centralita_http.lobby import FAMILIAR_KEPT, FAMILIAR_SEATS_MAX, LEAVING_MAX, Lobby, Seat
from centralita_http.settings import DoorLimits
from tests.http.company import Company, company, eventually, read_answer
from tests.http.test_served_limits import customers_page

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


def lobby(*, connections: int = 10, seats: int = 3, of_one: int = 10) -> Lobby:
    limits = DoorLimits(connections=connections, lobby_connections=seats, connections_per_address=of_one)
    return Lobby(limits)


def test_newest_pushes_out_the_oldest() -> None:
    room = lobby()
    seats = [room.come(f"10.0.0.{number}") for number in range(4)]
    assert [seat.turned_away for seat in seats] == [True, False, False, False]
    assert seats[0].scope.cancel_called
    assert (room.waiting_n, room.leaving_n, room.open_n) == (3, 1, 4)
    seats[0].leave()
    assert room.open_n == 3


def test_address_with_most_seats_loses_one_first() -> None:
    room = lobby()
    alone = room.come("10.0.0.1")
    crowd = [room.come("10.0.0.2") for _ in range(20)]
    assert not alone.turned_away
    assert [seat.turned_away for seat in crowd] == [True] * 18 + [False] * 2


def test_head_makes_a_connection_the_newest_again() -> None:
    room = lobby()
    first, second, third = (room.come(f"10.0.0.{number}") for number in range(3))
    first.ask()
    room.come("10.0.0.9")
    assert [seat.turned_away for seat in (first, second, third)] == [False, True, False]


def test_who_is_known_is_not_pushed_out_until_it_rests() -> None:
    room = lobby(seats=1)
    known = room.come("10.0.0.1")
    known.ask()
    known.enter(by_token=False)
    flood = [room.come("10.0.0.2") for _ in range(5)]
    assert not known.turned_away
    assert room.known_n == 1
    known.rest()
    assert flood[-1].turned_away, "it takes the lobby's one seat again"
    flood.append(room.come("10.0.0.3"))
    assert [seat.turned_away for seat in (known, flood[-1])] == [True, False]


def test_full_of_known_callers_turns_away_who_comes() -> None:
    room = lobby(connections=2)
    for number in range(2):
        room.come(f"10.0.0.{number}").enter(by_token=False)
    late = room.come("10.0.0.9")
    assert late.turned_away
    late.leave()
    assert room.open_n == 2


def test_address_at_its_limit_pushes_out_its_own_or_nobody() -> None:
    room = lobby(of_one=2)
    other = room.come("10.0.0.1")
    mine = [room.come("10.0.0.2") for _ in range(3)]
    assert [seat.turned_away for seat in (other, *mine)] == [False, True, False, False]
    for seat in mine[1:]:
        seat.enter(by_token=False)
    assert room.come("10.0.0.2").turned_away
    assert room.waiting_n == 1, "the other's"


def test_those_who_leave_have_time_for_it_up_to_a_number() -> None:
    room = lobby()
    seats = [room.come("10.0.0.1") for _ in range(3 + LEAVING_MAX)]
    hurried = [seats[0].hurried]
    room.come("10.0.0.1")
    hurried.append(seats[0].hurried)
    seats[1].leave()
    assert [*hurried, seats[0].hurried] == [False, True, False]


def familiar(room: Lobby, address: str) -> None:
    """Somebody with a token was here, and has gone."""
    seat = room.come(address)
    seat.enter(by_token=True)
    seat.leave()


def test_address_that_signed_in_before_keeps_its_seats_before_any_number_of_others() -> None:
    room = lobby(connections=100, seats=40, of_one=30)
    familiar(room, "10.0.0.1")
    mine = [room.come("10.0.0.1") for _ in range(FAMILIAR_SEATS_MAX)]
    flood = [room.come(f"10.1.{number // 250}.{number % 250}") for number in range(1000)]
    assert not any(seat.turned_away for seat in mine)
    assert [seat.turned_away for seat in flood] == [True] * 968 + [False] * 32
    more = [room.come("10.0.0.1") for _ in range(5)]
    assert [seat.turned_away for seat in (*mine, *more)] == [True] * 4 + [False] * 9, (
        "what it has beyond them"
    )


def test_customers_page_makes_no_address_familiar() -> None:
    room = lobby(seats=2)
    page = room.come("10.0.0.1")
    page.enter(by_token=False)
    again = room.come("10.0.0.1")
    for number in range(2):
        room.come(f"10.1.0.{number}")
    assert again.turned_away


@pytest.mark.parametrize("addresses_n", [1, 5, 11, 40])
def test_familiar_addresses_have_half_of_the_lobby_at_most(addresses_n: int) -> None:
    room = lobby(connections=1000, seats=20, of_one=100)
    known = [f"10.0.0.{number}" for number in range(addresses_n)]
    for address in known:
        familiar(room, address)
    for address in known * 30:
        room.come(address)
    strangers = [room.come(f"10.1.0.{number}") for number in range(20)]
    assert sum(not seat.turned_away for seat in strangers) >= 10


def test_familiar_addresses_are_remembered_up_to_a_number() -> None:
    room = lobby(seats=2)
    familiar(room, "10.0.0.1")
    familiar(room, "10.0.0.2")
    for number in range(FAMILIAR_KEPT - 1):
        room.remember(f"2001:db8::{number:x}")
    known, forgotten = room.come("10.0.0.2"), room.come("10.0.0.1")
    for number in range(2):
        room.come(f"10.1.0.{number}")
    assert [seat.turned_away for seat in (known, forgotten)] == [False, True]


@pytest.mark.parametrize("seed", range(20))
def test_counts_are_those_of_a_recount(seed: int) -> None:
    chance = random.Random(seed)
    room = lobby(connections=8, seats=4, of_one=3)
    here: list[Seat] = []
    for _ in range(400):
        match chance.randrange(5):
            case 0 | 1:
                here.append(room.come(f"10.0.0.{chance.randrange(6)}"))
            case 2 if here:
                chance.choice(here).ask()
            case 3 if here:
                chance.choice(here).enter(by_token=chance.random() < 0.5)
            case 4 if here:
                here.pop(chance.randrange(len(here))).leave()
            case _:
                pass
        stayed = [seat for seat in here if not seat.turned_away]
        assert room.open_n == len(here)
        assert room.leaving_n == len(here) - len(stayed)
        assert room.waiting_n == sum(seat.waiting for seat in stayed) <= 4
        assert room.known_n + room.waiting_n == len(stayed) <= 8
        assert max(Counter(seat.address for seat in stayed).values(), default=0) <= 3
    for seat in here:
        seat.leave()
        seat.leave()
    assert (room.open_n, room.waiting_n, room.leaving_n) == (0, 0, 0)
    assert not room._waiting
    assert not room._by_address


async def test_pushed_out_without_a_word_hears_why_though_it_had_begun_to_speak(tmp_path: Path) -> None:
    """Closing on bytes that nobody read would reset the connection, and the answer with it."""
    async with company(tmp_path, http={"limits": {"lobby_connections": 1}}) as shop:
        async with await shop.stream() as stream:
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nx: ")
            await eventually(lambda: shop.door.lobby.waiting_n == 1)
            async with await shop.stream() as newer:
                await eventually(lambda: shop.door.lobby.leaving_n == 1)
                await stream.send_all(b"y" * 5000)
                answer = await read_answer(stream)
                assert (answer.status_code, json.loads(answer.text)["code"]) == (503, "too_many_connections")
                assert "retry-after: 5" in answer.head
                await newer.send_all(HEALTH)
                assert (await read_answer(newer)).status_code == 200
        await eventually(lambda: shop.door.connections_open == 0)


async def test_unanswered_body_and_resting_connection_are_pushed_out_without_an_answer(
    tmp_path: Path,
) -> None:
    async with (
        company(tmp_path, http={"limits": {"lobby_connections": 2}}) as shop,
        AsyncExitStack() as stack,
    ):
        slow = await stack.enter_async_context(await shop.stream())
        await slow.send_all(b"POST /api/session HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        await eventually(lambda: [seat.heads_n for seat in waiting(shop)] == [1])
        resting = await stack.enter_async_context(await shop.stream())
        await resting.send_all(HEALTH)
        assert (await read_answer(resting)).status_code == 200
        for gone in (slow, resting):
            await stack.enter_async_context(await shop.stream())
            assert (await read_answer(gone)).status_code == 0
    await eventually(lambda: shop.door.connections_open == 0)


def waiting(shop: Company) -> list[Seat]:
    return [seat for of_address in shop.door.lobby._waiting.values() for seat in of_address]


async def test_silent_flood_takes_nobodys_room(tmp_path: Path) -> None:
    """More silent connections than there are places in all, each coming back when it is closed, from a few addresses."""
    limits = {"connections": 40, "staff_connections": 10, "lobby_connections": 20}
    async with company(tmp_path, http={"limits": limits}) as shop:
        assert shop.door.app is not None
        shop.door.app.register(customers_page)
        token = await shop.token("agent", "ana")
        async with shop.socket("/page/ws") as page, shop.desk("ana") as ana, trio.open_nursery() as nursery:
            turns = Counter[str]()
            for number in range(60):
                nursery.start_soon(come_back_silently, shop, turns, f"127.0.0.{2 + number % 3}")
            await eventually(lambda: turns.total() > 100)
            assert (await shop.opening("/ws/desk", token)).status_code == 101
            assert (await shop.opening("/page/ws")).status_code == 101
            async with shop.client(shop.admin) as client:
                assert (await client.get("/api/status")).status_code == 200
            await page.ping()
            reply = await ana.say(command="SetStatus", status="available")
            assert reply["ok"], reply
            seen = turns.total()
            await eventually(lambda: turns.total() > seen)
            nursery.cancel_scope.cancel()
    await eventually(lambda: shop.door.connections_open == 0)


async def test_silent_flood_from_everywhere_keeps_nobody_out_who_signed_in_before(tmp_path: Path) -> None:
    """From more addresses than the lobby has seats; and a head that takes longer than all of them to come."""
    limits = {"lobby_connections": 6}
    async with company(tmp_path, http={"limits": limits}) as shop:
        async with shop.client(shop.admin) as client:
            assert (await client.get("/api/status")).status_code == 200
        await eventually(lambda: shop.door.connections_open == 0)
        async with trio.open_nursery() as nursery:
            turns = Counter[str]()
            for number in range(30):
                nursery.start_soon(come_back_silently, shop, turns, f"127.0.1.{number}")
            async with await shop.stream() as stream:
                await stream.send_all(b"GET /api/status HTTP/1.1\r\nhost: x\r\n")
                seen = turns.total()
                await eventually(lambda: turns.total() > seen + 100)
                await stream.send_all(f"authorization: Bearer {shop.admin}\r\n\r\n".encode())
                assert (await read_answer(stream)).status_code == 200
            nursery.cancel_scope.cancel()
    await eventually(lambda: shop.door.connections_open == 0)


async def come_back_silently(shop: Company, turns: Counter[str], address: str) -> None:
    host, _, port = shop.door.address.partition("//")[2].rpartition(":")
    while True:
        try:
            async with await trio.open_tcp_stream(host, int(port), local_address=address) as stream:
                while await stream.receive_some():
                    pass
        except (trio.BrokenResourceError, OSError):
            pass
        turns[address] += 1
