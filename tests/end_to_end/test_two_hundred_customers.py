"""Two hundred customers and twenty agents at once, over real sockets, against the real daemon."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.end_to_end.exchange import Exchange, open_exchange
from tests.end_to_end.people import Agent, Customer, Floor

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("EXCHANGE_SEED", "1"))
CUSTOMERS_N = 200
AGENTS_N = 20
SAMPLE_S = 0.05
LIMIT_S = 600
"""Far beyond what it takes; only what would otherwise hang comes so far."""


def customers_of(chance: random.Random, port: int) -> list[Customer]:
    """Whom the seed sends: what they say, when their lines break, who ends it, who rates it."""
    found = []
    for number in range(CUSTOMERS_N):
        lines = [
            f"{number}.{line} ¿qué tal? {chance.randrange(10**9)}" for line in range(chance.randint(3, 6))
        ]
        signs = [sign for sign, share in (("#decline", 0.1),) if chance.random() < share]
        signs += chance.choices([[], ["#transfer"], ["#consult"]], weights=[7, 2, 1])[0]
        lines[0] = " ".join([lines[0], *signs])
        if chance.random() < 0.7 or "#transfer" in signs or "#consult" in signs:
            lines[-1] += " #bye"
        places = range(len(lines))
        found.append(
            Customer(
                port,
                f"customer{number}@example.com",
                lines,
                bursts=[place for place in places if chance.random() < 0.3],
                cuts=[place for place in places if chance.random() < 0.1],
                score=chance.choice([0, 0, 1, 4, 5]),
            )
        )
    return found


async def watch_the_books(exchange: Exchange, samples: list[dict[str, Any]]) -> None:
    """Look at the figures again and again: at every moment what came in has ended or is there."""
    async with exchange.client() as client:
        while True:
            status = (await client.get("/api/status")).json()
            figures = (await client.get("/api/figures")).json()
            assert status["admitted"] == status["ended"] + status["live"], status
            for kind in ("contacts", "consultations"):
                counts = figures[kind]
                assert counts["admitted"] == counts["ended"] + counts["live"], figures
            for stays in (figures["total"], *figures["queues"].values()):
                fates = ("answered", "abandoned", "became_callbacks", "flowed_out", "removed", "waiting")
                assert stays["offered"] == sum(stays[fate] for fate in fates), stays
            samples.append(figures)
            await trio.sleep(SAMPLE_S)


async def until_settled(exchange: Exchange, samples: list[dict[str, Any]]) -> None:
    """Wait until nobody is there any more and the figures have counted all that was journalled."""
    async with exchange.client() as client:
        while (status := (await client.get("/api/status")).json())["live"]:
            await trio.sleep(SAMPLE_S)
    while samples[-1]["seq"] < status["journal_seq"]:
        await trio.sleep(SAMPLE_S)


async def test_every_message_arrives_once_and_in_order_and_the_books_add_up(tmp_path: Path) -> None:
    print(f"EXCHANGE_SEED={SEED}")
    chance = random.Random(SEED)
    async with open_exchange(tmp_path, agents_n=AGENTS_N) as exchange:
        customers = customers_of(chance, exchange.port)
        floor = Floor()
        names = [f"agent{number:02}" for number in range(AGENTS_N)]
        for name, colleague in zip(names, [*names[1:], names[0]], strict=True):
            token = await exchange.token_for("agent", name)
            Agent(exchange.port, name, token, floor, colleague=colleague)
        samples: list[dict[str, Any]] = []
        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as watch:
                watch.start_soon(watch_the_books, exchange, samples)
                async with trio.open_nursery() as at_work:
                    for agent in floor.agents.values():
                        at_work.start_soon(agent.run)
                    for agent in floor.agents.values():
                        await agent.greeted.wait()
                    async with trio.open_nursery() as coming:
                        for customer in customers:
                            coming.start_soon(customer.run)
                    await until_settled(exchange, samples)
                    at_work.cancel_scope.cancel()
                watch.cancel_scope.cancel()
        assert await exchange.stop() == 0

        check_what_was_said(customers, floor, exchange)
        check_what_was_counted(customers, floor, samples[-1])
        assert len(samples) > 3
        assert not floor.refusals
        assert not exchange.complaints()


def check_what_was_said(customers: list[Customer], floor: Floor, exchange: Exchange) -> None:
    """Each side heard the other's words once and in order, and the CRM has the same."""
    recorded = exchange.contacts_recorded()
    assert len(recorded) == CUSTOMERS_N
    assert [customer for customer in customers if customer.outcome != "served"] == []
    books = exchange.transcripts()
    answered = Counter(text for agent in floor.agents.values() for _, text in agent.posted)
    assert answered == Counter(f"re: {line}" for customer in customers for line in customer.lines)
    for customer in customers:
        answers = [f"re: {line}" for line in customer.lines]
        assert customer.received == customer.lines
        assert customer.answers == answers
        assert [text for author, text in customer.shown if author == "customer"] == customer.lines
        book = books[customer.email]
        assert [text for author, text in book if author == "customer"] == customer.lines
        assert [text for author, text in book if author == "agent"] == answers
    for agent in floor.agents.values():
        for messages in agent.seen.values():
            said = [one["text"] for one in messages if one["author"] == "customer"]
            assert said in [customer.lines[: len(said)] for customer in customers]


def check_what_was_counted(customers: list[Customer], floor: Floor, figures: dict[str, Any]) -> None:
    """The figures at the end, against what the people themselves know."""
    total, counts = figures["total"], floor.counts
    assert figures["contacts"] == {"admitted": CUSTOMERS_N, "ended": CUSTOMERS_N, "live": 0}
    assert figures["consultations"]["live"] == 0
    assert figures["consultations"]["ended"] == counts["StartConsultation"] == counts["EndConsultation"]
    assert total["served"] == total["outcomes"]["served"] == CUSTOMERS_N
    assert total["answered"] == CUSTOMERS_N + counts["TransferContact"]
    assert total["transfers_blind"] == counts["TransferContact"] == signs(customers, "#transfer")
    assert total["transfers_consulted"] == counts["EndConsultation"] == signs(customers, "#consult")
    declined = sum(agent["offers_declined"] for agent in figures["agents"].values())
    assert declined == counts["decline"] == signs(customers, "#decline")
    lines_n = sum(len(customer.lines) for customer in customers)
    assert (total["messages"]["customer"], total["messages"]["agent"]) == (lines_n, lines_n + notes_n(counts))
    scores = [customer.score for customer in customers if customer.score]
    assert [customer.rated for customer in customers] == [customer.score for customer in customers]
    assert total["csat_count"] == len(scores)
    assert total["csat_mean"] == pytest.approx(sum(scores) / len(scores), abs=1e-6)
    assert sum(customer.visits > 1 for customer in customers) > CUSTOMERS_N // 10


def signs(customers: list[Customer], sign: str) -> int:
    return sum(sign in customer.lines[0] for customer in customers)


def notes_n(counts: Any) -> int:
    """Each blind transfer carries a note, which is a message among agents; consultations' are their own."""
    return int(counts["TransferContact"])
