"""A process that feeds one history to the sinks and the CRM, from each one's own position; a test kills it.

python -m tests.kpi.feeding FOLDER [BATCHES]

With BATCHES it does no more than so many and waits for its end.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

import trio

from centralita.protocols import Follower
from centralita_crm_sqlite import Settings as CrmSettings
from centralita_crm_sqlite import SqliteCrm
from centralita_kpi_jsonl import JsonlSink
from centralita_kpi_jsonl import Settings as LineSettings
from centralita_kpi_prometheus import PrometheusSink
from centralita_kpi_prometheus import Settings as FigureSettings
from tests.kpi.building import context, start
from tests.kpi.histories import History

HISTORY: Final = History(9)
RECORDS: Final = HISTORY.play(1500)
BATCH: Final = 5


def followers(folder: Path) -> list[Any]:
    """One of each kind, each with a folder of its own."""
    return [
        JsonlSink(LineSettings(content="events"), context(folder / "lines")),
        PrometheusSink(FigureSettings(save_every_s=1), context(folder / "figures", now_ns=HISTORY.now_ns)),
        SqliteCrm(CrmSettings(), context(folder / "people", kind="crms", name="people")),
    ]


def kept(folder: Path) -> tuple[list[str], list[bytes]]:
    """What the CRM and the lines have at the end."""
    with closing(sqlite3.connect(folder / "people" / "crm.sqlite3")) as file:
        return list(file.iterdump()), (folder / "lines" / "events.jsonl").read_bytes().splitlines()


async def feed(follower: Follower, batches: Iterator[int]) -> None:
    """As the runner does, in small batches, while there are any; a letter on stdout for each that is said to be done."""
    position = await follower.position()
    for first in range(position, len(RECORDS), BATCH):
        if next(batches, None) is None:
            await trio.sleep_forever()
        await follower.write(RECORDS[first : first + BATCH])
        sys.stdout.write(".")
        sys.stdout.flush()


async def main(folder: Path, batches_n: int | None = None) -> None:
    """Feed all three side by side, to the end; `batches_n`: no more than so many batches."""
    batches = count() if batches_n is None else iter(range(batches_n))
    async with trio.open_nursery() as alive:
        async with trio.open_nursery() as feeding:
            for follower in followers(folder):
                await start(alive, follower)
                feeding.start_soon(feed, follower, batches)
        alive.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
