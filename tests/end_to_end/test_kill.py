"""The daemon is killed while people talk, and told to stop: nothing that was acknowledged is lost, nothing comes twice."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.cli.daemon import run
from tests.end_to_end.exchange import Exchange, open_exchange
from tests.end_to_end.people import Agent, Customer, Floor

pytestmark = pytest.mark.slow

SEEDS = [int(os.environ["EXCHANGE_SEED"])] if "EXCHANGE_SEED" in os.environ else [1, 2, 3]
CUSTOMERS_N = 12
AGENTS_N = 3
LINES_N = 12
KILLS_N = 3
LIMIT_S = 600
"""Far beyond what it takes; only what would otherwise hang comes so far."""
AGAIN = {"offer_over", "already", "wrong_phase", "not_yours", "unknown_contact", "stopping"}
"""What an agent may hear who gives a command again because its reply was lost with the daemon."""
RESTARTING = {1012, 1013}
"""How a daemon that stops closes a socket: it restarts; come back later."""


def customers_of(chance: random.Random, port: int) -> list[Customer]:
    found = []
    for number in range(CUSTOMERS_N):
        lines = [f"{number}.{line} {chance.randrange(10**9)}" for line in range(LINES_N)]
        lines[0] += chance.choice(["", "", " #transfer"])
        lines[-1] += " #bye"
        bursts = [place for place in range(LINES_N) if chance.random() < 0.3]
        cuts = [place for place in range(LINES_N) if chance.random() < 0.05]
        score = chance.choice([0, 3, 5])
        found.append(
            Customer(port, f"customer{number}@example.com", lines, bursts=bursts, cuts=cuts, score=score)
        )
    return found


@pytest.mark.parametrize("seed", SEEDS)
async def test_killed_daemon_has_everything_it_acknowledged_once(tmp_path: Path, seed: int) -> None:
    print(f"EXCHANGE_SEED={seed}")
    chance = random.Random(seed)
    async with open_exchange(tmp_path, agents_n=AGENTS_N) as exchange:
        customers, floor = customers_of(chance, exchange.port), Floor()
        for number in range(AGENTS_N):
            name = f"agent{number:02}"
            Agent(exchange.port, name, await exchange.token_for("agent", name), floor)
        # When to kill is said in messages taken in, not in seconds: the same amount of work on any machine.
        kills = sorted(chance.sample(range(5, CUSTOMERS_N * LINES_N - 20), KILLS_N))
        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as at_work:
                for agent in floor.agents.values():
                    at_work.start_soon(agent.run)
                async with trio.open_nursery() as coming:
                    for customer in customers:
                        coming.start_soon(customer.run)
                    for taken_in in kills:
                        while sum(len(customer.received) for customer in customers) < taken_in:
                            await trio.sleep(0.001)
                        await trio.sleep(chance.uniform(0, 0.02))
                        await exchange.kill()
                        await exchange.start()
                await until_empty(exchange)
                at_work.cancel_scope.cancel()
        assert await exchange.stop() == 0
        assert exchange.lives == KILLS_N + 1
        assert {refusal.partition(": ")[2] for refusal in floor.refusals} <= AGAIN
        check_the_books(customers, floor, exchange)
        verified = await trio.to_thread.run_sync(lambda: run("journal", "verify", cwd=tmp_path))
        assert verified.returncode == 0, verified.stdout + verified.stderr


async def until_empty(exchange: Exchange) -> None:
    """Wait until the agents have wrapped everything up."""
    async with exchange.client() as client:
        while (status := (await client.get("/api/status")).json())["live"]:
            await trio.sleep(0.05)
    assert status["admitted"] == status["ended"]


def check_the_books(customers: list[Customer], floor: Floor, exchange: Exchange) -> None:
    recorded = exchange.contacts_recorded()
    assert sorted(handle for handle, _, _ in recorded) == sorted(customer.email for customer in customers)
    books = exchange.transcripts()
    for customer in customers:
        answers = [f"re: {line}" for line in customer.lines]
        assert customer.received == customer.lines
        assert customer.answers == answers
        said = books[customer.email]
        assert [text for author, text in said if author == "customer"] == customer.lines
        assert [text for author, text in said if author == "agent"] == answers
        assert (customer.outcome, customer.rated) == ("served", customer.score)
    in_the_books = Counter(text for _, _, said in recorded for _, text in said)
    assert set(in_the_books.values()) == {1}
    assert {text for agent in floor.agents.values() for _, text in agent.posted} <= set(in_the_books)


async def test_told_to_stop_it_tells_everybody_exits_with_0_and_goes_on_where_it_was(tmp_path: Path) -> None:
    chance = random.Random(1)
    async with open_exchange(tmp_path, agents_n=2) as exchange:
        floor = Floor()
        for name in ("agent00", "agent01"):
            Agent(exchange.port, name, await exchange.token_for("agent", name), floor)
        customers = customers_of(chance, exchange.port)[:4]
        for customer in customers:
            customer.cuts.clear()  # so that everybody is on the line when it happens
        people: list[Any] = [*floor.agents.values(), *customers]
        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as at_work:
                for agent in floor.agents.values():
                    at_work.start_soon(agent.run)
                async with trio.open_nursery() as coming:
                    for customer in customers:
                        coming.start_soon(customer.run)
                    for agent in floor.agents.values():
                        await agent.greeted.wait()
                    while any(not customer.received for customer in customers):
                        await trio.sleep(0.001)
                    there = [one for one in people if not one.done]
                    assert await exchange.stop() == 0
                    while any(one.connected for one in there):
                        await trio.sleep(0.001)
                    told = [(one.closed_with, one.put_off_n) for one in there if not one.done]
                    assert told
                    assert all(len(codes) <= 1 and set(codes) <= RESTARTING for codes, _ in told), told
                    assert all(codes or put_off_n for codes, put_off_n in told), told
                    await exchange.start()
                await until_empty(exchange)
                at_work.cancel_scope.cancel()
        assert await exchange.stop() == 0
        check_the_books(customers, floor, exchange)
        assert not [one for one in exchange.complaints() if one["level"] != "warning"]
