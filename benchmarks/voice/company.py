"""Our side of the benchmark, in a process of its own: `python -m voice.company CONFIG.toml`, told on stdin what to do.

    in N     the first N agents sign in, on a break
    go       all who are there are available
    out      everybody signs out

Each line is answered with `ok` when it is durable. The journal is SQLite's, as for `centralita serve`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
import trio

from centralita import open_engine
from centralita.config import load
from centralita.messages import AnyCommand, SetStatus, SignIn, SignOut
from centralita.protocols import Switchboard


async def _do(switchboard: Switchboard, commands: Sequence[AnyCommand]) -> None:
    async def one(command: AnyCommand) -> None:
        outcome = await switchboard.submit(command)
        assert outcome.refusal is None, outcome.refusal

    async with trio.open_nursery() as nursery:
        for command in commands:
            nursery.start_soon(one, command)


async def main(path: str) -> None:
    # Standard output is for answers: what is logged there would fill the pipe, and hold everything up.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    configuration = load(Path(path))
    async with open_engine(configuration) as switchboard:
        while any(one.state != "up" for one in switchboard.components()):
            await trio.sleep(0.01)
        print("ok", flush=True)
        async for line in trio.wrap_file(sys.stdin):
            match line.split():
                case ["in", count]:
                    names = sorted(agent.name for agent in switchboard.agents())[: int(count)]
                    await _do(switchboard, [SignIn(agent=name, status="break") for name in names])
                case ["go"]:
                    there = [agent.name for agent in switchboard.agents() if agent.status != "offline"]
                    await _do(switchboard, [SetStatus(agent=name, status="available") for name in there])
                case ["out"]:
                    there = [agent.name for agent in switchboard.agents() if agent.status != "offline"]
                    await _do(switchboard, [SignOut(agent=name) for name in there])
                case _:
                    break
            print("ok", flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
