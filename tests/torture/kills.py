"""The real daemon, killed again and again while people talk over real sockets, and its books held against theirs.

Customers come one after another, as many at once as there are places; agents answer them. Between two kills the
daemon runs for a moment drawn from the seed, from no time at all (it may die while it starts) to a second and a
half. In the end everybody finishes, and what the daemon acknowledged to anybody must be in its books, once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from tests.cli.daemon import run
from tests.end_to_end.exchange import RETRY_S, Exchange, open_exchange
from tests.end_to_end.people import Agent, Customer, Floor

AT_ONCE: Final = 8
AGENTS: Final = 3
RUN_S: Final = 1.5
"""The longest a life lasts once it is ready."""
FINISH_S: Final = 600
"""Far beyond what the last customers take; only what would otherwise hang comes so far."""
AGAIN: Final = {"offer_over", "already", "wrong_phase", "not_yours", "unknown_contact", "stopping"}
"""What an agent may hear who gives a command again because its reply was lost with the daemon."""


@dataclass
class Killed:
    """What came of it. `lost`: acknowledged and not in the books; `doubled`: there, or shown, more than once."""

    kills: int = 0
    customers: int = 0
    messages: int = 0
    resumed: int = 0
    """Visits of customers and agents after their first: each came back by itself."""
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def kill(
    folder: Path,
    seed: int,
    *,
    kills: int,
    until: Callable[[], bool] = lambda: False,
    found: Killed | None = None,
) -> Killed:
    """Kill the daemon so many times, or at least once until `until` says that it is enough; see what is left.

    What is found stands in `found`, also when something that nobody foresaw ends it with an exception.
    """
    chance = random.Random(seed)
    found = Killed() if found is None else found
    customers: list[Customer] = []
    async with open_exchange(folder, agents_n=AGENTS) as exchange:
        floor = Floor()
        for number in range(AGENTS):
            name = f"agent{number:02}"
            Agent(exchange.port, name, await exchange.token_for("agent", name), floor)
        open_still = trio.Event()

        async def place() -> None:
            while not open_still.is_set():
                customers.append(_customer(chance, exchange.port, len(customers)))
                await customers[-1].run()

        async with trio.open_nursery() as at_work:
            for agent in floor.agents.values():
                at_work.start_soon(agent.run)
            async with trio.open_nursery() as coming:
                for _ in range(AT_ONCE):
                    coming.start_soon(place)
                while found.kills < kills and not (found.kills and until()):
                    await trio.sleep(chance.uniform(0, RUN_S))
                    # The last one meets somebody: on a busy machine nobody may have got in before.
                    while found.kills == kills - 1 and not any(
                        one.connected for one in floor.agents.values()
                    ):
                        await trio.sleep(RETRY_S)
                    await exchange.kill()
                    found.kills += 1
                    await exchange.start()
                open_still.set()
                coming.cancel_scope.deadline = trio.current_time() + FINISH_S
            stuck = [one for one in customers if not one.done]
            found.problems += [f"did not come to an end: {one}" for one in stuck]
            if not stuck:
                await _until_empty(exchange, found)
            at_work.cancel_scope.cancel()
        if (code := await exchange.stop()) != 0:
            found.problems.append(f"the daemon ended with {code}")
        _hold_against_the_books(exchange, customers, floor, found)
        verified = await trio.to_thread.run_sync(lambda: run("journal", "verify", cwd=folder))
        if verified.returncode != 0:
            found.problems.append(f"journal verify: {verified.stdout}{verified.stderr}")
    return found


def _customer(chance: random.Random, port: int, number: int) -> Customer:
    lines = [f"{number}.{line} {chance.randrange(10**9)}" for line in range(chance.randint(2, 5))]
    lines[0] += chance.choice(["", "", "", " #transfer", " #decline"])
    lines[-1] += " #bye"
    places = range(len(lines))
    return Customer(
        port,
        f"customer{number}@example.com",
        lines,
        bursts=[place for place in places if chance.random() < 0.3],
        cuts=[place for place in places if chance.random() < 0.05],
        score=chance.choice([0, 0, 4]),
    )


async def _until_empty(exchange: Exchange, found: Killed) -> None:
    """Wait until the agents have wrapped everything up."""
    status = {"live": -1}
    with trio.move_on_after(FINISH_S):
        async with exchange.client() as client:
            while (status := (await client.get("/api/status")).json())["live"]:
                await trio.sleep(0.05)
    if status["live"]:
        found.problems.append(f"contacts did not come to an end: {status}")
    elif status["admitted"] != status["ended"]:
        found.problems.append(f"admitted and ended differ: {status}")


def _hold_against_the_books(
    exchange: Exchange, customers: list[Customer], floor: Floor, found: Killed
) -> None:
    found.customers = len(customers)
    found.resumed = sum(max(0, one.visits - 1) for one in (*customers, *floor.agents.values()))
    recorded = exchange.contacts_recorded()
    handles = Counter(handle for handle, _, _ in recorded)
    books = Counter(text for _, _, said in recorded for _, text in said)
    found.messages = sum(books.values())
    found.doubled += [handle for handle, count in handles.items() if count > 1]
    found.doubled += [text for text, count in books.items() if count > 1]
    for customer in customers:
        if not customer.done:
            continue
        answers = [f"re: {line}" for line in customer.lines]
        found.lost += [text for text in customer.received if text not in books]
        found.lost += [
            f"{customer.email} was not told {text}" for text in answers if text not in customer.answers
        ]
        found.doubled += [text for text, count in Counter(customer.answers).items() if count > 1]
        if customer.outcome != "served" or customer.received != customer.lines:
            found.lost.append(repr(customer))
        if customer.rated != customer.score:
            found.lost.append(f"the rating of {customer!r}")
    found.lost += [text for agent in floor.agents.values() for _, text in agent.posted if text not in books]
    wrong = {refusal for refusal in floor.refusals if refusal.partition(": ")[2] not in AGAIN}
    found.problems += sorted(wrong)
    errors = [one for one in exchange.complaints() if one["level"] in {"error", "critical"}]
    # A kill in the midst of a commit leaves one that nobody was told of, and the next start says so: docs/journal.md.
    cut_off = [
        one for one in errors if one["event"] == "journal_unfinished_commit_dropped" and one["commits"] <= 1
    ]
    if len(cut_off) <= found.kills:
        errors = [one for one in errors if one not in cut_off]
    found.problems += [f"the daemon logged {one}" for one in errors[:5]]
