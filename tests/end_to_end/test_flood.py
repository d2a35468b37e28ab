"""Connections that come faster than their heads, at the real daemon: staff and those inside go on working."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.cli.daemon import run
from tests.end_to_end.exchange import PATIENCE_S, RETRY_S, Exchange, company
from tests.end_to_end.people import Agent, Customer, Floor
from tests.ports import held_port

pytestmark = pytest.mark.slow

FLOODERS: Final = 300
LIMIT_S: Final = 300
"""Far beyond what it takes; only what would otherwise hang comes so far."""
ADDRESSES: Final = 4
"""From thousands it would be a question of speed: the lobby's size against the time a head takes."""
ROOM: Final = (
    "connections = 200\nstaff_connections = 40\nlobby_connections = 64\nconnections_per_address = 150"
)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    with held_port() as port:
        text = company(agents_n=1, port=port).replace("connections_per_address = 4000", ROOM)
        (tmp_path / "centralita.toml").write_text(text, encoding="utf-8")
        made = Exchange(tmp_path, port)
        yield made
        made.end()


class Flood:
    """So many connections that never say a word, from some addresses, each back as soon as it is closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.closed_n = 0

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for number in range(FLOODERS):
                nursery.start_soon(self._come_back, f"127.0.0.{2 + number % ADDRESSES}")

    async def _come_back(self, address: str) -> None:
        while True:
            try:
                async with await trio.open_tcp_stream(
                    "127.0.0.1", self._port, local_address=address
                ) as stream:
                    while await stream.receive_some():
                        pass
            except (OSError, trio.BrokenResourceError):
                pass
            self.closed_n += 1
            await trio.sleep(RETRY_S)  # the machine is not to be tested


async def test_flood_without_heads_keeps_nobody_out(exchange: Exchange) -> None:
    await exchange.start()
    token = await exchange.token_for("agent", "agent00")
    customer = Customer(exchange.port, "eve@example.org", ["before", "during", "still here"])
    agent = Agent(exchange.port, "agent00", token, Floor())
    flood = Flood(exchange.port)
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as people:
            people.start_soon(flood.run)
            await until(lambda: flood.closed_n > FLOODERS)
            async with trio.open_nursery() as shift:
                shift.start_soon(agent.run)
                await customer.run()
                shift.cancel_scope.cancel()
            assert customer.outcome
            assert customer.visits == 1, "who is inside is not thrown out"
            status = partial(run, "status", "--json", cwd=exchange.folder)
            # The command has a limit of its own, which a busy machine may exceed.
            while "no answer in time" in (asked := await trio.to_thread.run_sync(status)).stderr:
                pass
            assert asked.returncode == 0, asked.stderr
            again = Agent(exchange.port, "agent00", token, Floor())
            people.start_soon(again.run)
            await again.greeted.wait()
            before = flood.closed_n
            await until(lambda: flood.closed_n > before + FLOODERS)
            people.cancel_scope.cancel()


async def until(condition: object) -> None:
    assert callable(condition)
    with trio.fail_after(PATIENCE_S):
        while not condition():
            await trio.sleep(RETRY_S)
