"""Checks 201 to 206: the life of whatever runs: it starts, goes on, lets go, and starts again."""

from __future__ import annotations

from typing import Final

import trio

from centralita.config import COMPONENT_KINDS
from centralita.protocols import Component
from centralita.testing.bench import Bench
from centralita.testing.checks import CheckInapplicable, CheckSkipped, check, fail, said
from centralita.testing.exercise import exercise
from centralita.testing.house import House
from centralita.testing.watch import descriptors_open

RUNNING: Final = COMPONENT_KINDS


@check(201, "`run` says that it is ready within its limit", kinds=RUNNING)
async def starts(bench: Bench) -> None:
    """`task_status.started()` is called, once everything else may be asked of it."""
    async with bench.house() as house:
        _must_run(house)
        async with trio.open_nursery() as nursery:
            await house.start(nursery)
            house.end(nursery)


@check(202, "`run` goes on until it is cancelled", kinds=RUNNING, needs=[201])
async def goes_on(bench: Bench) -> None:
    """Neither returning nor raising when nothing is wrong: either is a crash."""
    async with bench.house() as house:
        _must_run(house)
        async with house.life():
            await house.quiet()


@check(203, "Cancelled, `run` ends in time and lets the cancellation pass", kinds=RUNNING, needs=[201, 202])
async def lets_go(bench: Bench) -> None:
    """The engine stops, or restarts a component that hangs; nobody may hold it up or hide it."""
    limit_s = bench.limits.stop_s
    async with bench.house() as house:
        _must_run(house)
        ended = trio.Event()
        seen: list[str] = []

        async def run(*, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
            try:
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as nursery:
                        await house.start(nursery)
                        task_status.started(scope)
                if not scope.cancelled_caught:
                    seen.append("run swallowed the cancellation; let trio.Cancelled pass")
            except Exception as error:  # noqa: BLE001 - what it raises is what we look for
                words = said(error)
                seen.append(
                    "run swallowed the cancellation and returned; let trio.Cancelled pass"
                    if "run returned" in words
                    else f"cancelled, {words}"
                )
            ended.set()

        async with trio.open_nursery() as nursery:
            scope: trio.CancelScope = await nursery.start(run)
            await house.quiet()
            scope.cancel()
            house.stopped()
            with trio.move_on_after(limit_s) as late:
                await ended.wait()
            if late.cancelled_caught:
                seen.append(f"run went on for more than {limit_s:g} s after it was cancelled")
            await ended.wait()
        if seen:
            fail(seen[0])


@check(204, "`run` can be run again on the same object", kinds=RUNNING, needs=[201, 202, 203])
async def runs_again(bench: Bench) -> None:
    """After a crash the supervisor runs the same component again."""
    async with bench.house() as house:
        _must_run(house)
        async with house.life():
            await house.quiet()
        async with house.life():
            await house.quiet()


@check(205, "What `run` opens, it closes", kinds=RUNNING, needs=[201, 202, 203, 204])
async def closes_what_it_opens(bench: Bench) -> None:
    """Files and sockets; a component that is restarted every minute must not use up the process."""
    async with bench.house() as house:
        _must_run(house)
        async with house.life():
            await house.quiet()
        before = descriptors_open()
        if before is None:
            raise CheckSkipped("this system does not tell what a process has open (/proc)")
        async with house.life():
            await house.quiet()
        after = descriptors_open()
        assert after is not None
        if left := after - before:
            fail(f"left open after run had ended: {', '.join(sorted(left))}")


@check(206, "No call holds the thread", kinds=RUNNING, needs=[201, 202, 203])
async def does_not_block(bench: Bench) -> None:
    """One thread carries everybody: whatever blocks goes to trio.to_thread."""
    async with bench.house() as house:
        async with house.life():
            await exercise(house)
        if stalls := bench.watch.stalls:
            fail(f"{stalls[0]}; at most {bench.limits.block_s:g} s are allowed: use trio.to_thread")


def _must_run(house: House) -> None:
    if not isinstance(house.component, Component):
        raise CheckInapplicable(f"{type(house.component).__name__} has no run")
