"""Many who write one file at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from centralita_webchat.group_commit import BATCH_MAX, GroupCommit, StoreError

SCHEMA = "CREATE TABLE numbers (number INTEGER PRIMARY KEY);"


async def opened(folder: Path) -> GroupCommit:
    file = GroupCommit(folder / "numbers.sqlite", schema=SCHEMA, schema_number=1)
    await file.open()
    return file


def adding(number: int) -> Callable[[sqlite3.Connection], int]:
    def do(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO numbers VALUES (?)", (number,))
        return number

    return do


async def numbers(file: GroupCommit) -> list[int]:
    return await file.do(
        lambda db: [number for (number,) in db.execute("SELECT number FROM numbers ORDER BY number")]
    )


class Rounds(trio.abc.Instrument):
    """Counts the rounds of the program."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


async def test_operations_are_done_in_the_order_they_were_handed_in(tmp_path: Path) -> None:
    """A conversation written with its agent, then without: after a crash it had never had one, and nobody could rate it."""
    file = await opened(tmp_path)
    handed_in: list[int] = []
    done: list[int] = []

    async def add(number: int) -> None:
        handed_in.append(number)
        await file.do(lambda db: done.append(adding(number)(db)))

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(add, number)
    assert done == handed_in
    await file.close()


async def test_those_who_waited_for_one_commit_go_on_together(tmp_path: Path) -> None:
    """One by one, each would cost a round of the whole program: with 2,000 pages open that was ten seconds."""
    file = await opened(tmp_path)
    rounds = Rounds()
    done: list[int] = []

    async def add(number: int) -> None:
        done.append(await file.do(adding(number)))

    trio.lowlevel.add_instrument(rounds)
    async with trio.open_nursery() as nursery:
        for number in range(3 * BATCH_MAX):
            nursery.start_soon(add, number)
    trio.lowlevel.remove_instrument(rounds)
    assert sorted(done) == await numbers(file) == list(range(3 * BATCH_MAX))
    assert rounds.count < BATCH_MAX / 4
    await file.close()


async def test_whoever_is_cancelled_leaves_nobody_waiting(tmp_path: Path) -> None:
    file = await opened(tmp_path)
    kept: list[int] = []

    async def add(number: int, scope: trio.CancelScope) -> None:
        with scope:
            await file.do(adding(number))
            kept.append(number)

    scopes = [trio.CancelScope() for _ in range(4 * BATCH_MAX)]
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for number, scope in enumerate(scopes):
                nursery.start_soon(add, number, scope)
            await trio.sleep(0)
            for scope in scopes[::2]:
                scope.cancel()
    assert set(range(1, 4 * BATCH_MAX, 2)) <= set(kept)
    assert set(kept) <= set(await numbers(file))
    await file.close()


async def test_fault_of_one_is_its_own(tmp_path: Path) -> None:
    file = await opened(tmp_path)
    failed: list[int] = []

    async def add(number: int) -> None:
        try:
            await file.do(adding(number))
        except sqlite3.IntegrityError:
            failed.append(number)

    async with trio.open_nursery() as nursery:
        for number in (1, 2, 2, 3):
            nursery.start_soon(add, number)
    assert failed == [2]
    assert await numbers(file) == [1, 2, 3]
    await file.close()


async def test_closing_waits_for_what_was_handed_in(tmp_path: Path) -> None:
    file = await opened(tmp_path)
    async with trio.open_nursery() as nursery:
        for number in range(500):
            nursery.start_soon(file.do, adding(number))
        await trio.testing.wait_all_tasks_blocked()
        await file.close()
    with pytest.raises(StoreError, match="is closed"):
        await numbers(file)
    await file.open()
    assert len(await numbers(file)) == 500
    await file.close()
