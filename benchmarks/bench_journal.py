"""How many records a second the journal makes durable, in groups of 1, 100 and 1,000, and reads back.

    python benchmarks/bench_journal.py [--folder DIR] [--seconds S] [--repeat N]

A record is one command with two events, about 150 bytes. "append" is the SQLite journal alone, from encoded
batches; "writer" is the way the runner goes: encode, hand to the thread, commit, tell trio, with whatever
gathers meanwhile. DIR decides which disk is measured; a memory disk makes fsync free and FULL meaningless.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import trio

from centralita.journal import Encoder, MemoryJournal, SqliteJournal, SqliteJournalConfig, recover
from centralita.journal.protocol import Journal
from centralita.messages import AnswerOffer, ContactConnected, OfferAccepted, Record
from centralita.runner.writer import JournalWriter

GROUPS = (1, 100, 1000)
START_NS = 1_700_000_000_000_000_000
MODES: tuple[Literal["normal", "full"], ...] = ("normal", "full")


def records(after_seq: int, count: int) -> list[Record]:
    return [
        Record(
            seq=seq,
            at_ns=START_NS + seq * 1_000,
            command=AnswerOffer(contact=seq, agent="agent-17", offer=seq + 3, accept=True),
            events=[
                OfferAccepted(contact=seq, agent="agent-17", offer=seq + 3, connect_by_ns=START_NS + seq),
                ContactConnected(contact=seq, agent="agent-17", queue="sales", waited_ns=12_345_678_901),
            ],
        )
        for seq in range(after_seq + 1, after_seq + count + 1)
    ]


def append_rate(journal: Journal, group_n: int, seconds: float) -> float:
    """Records a second of `append` with batches encoded beforehand, so that only the journal is timed."""
    encoder = Encoder()
    spent = 0.0
    first = seq = journal.last_seq
    while spent < seconds:
        batches = []
        for _ in range(max(1, 2_000 // group_n)):
            batches.append(encoder.encode(records(seq, group_n), after_seq=seq, after_ns=0))
            seq += group_n
        started = time.perf_counter()
        for batch in batches:
            journal.append(batch, expected_seq=batch.first_seq - 1)
        spent += time.perf_counter() - started
    return (seq - first) / spent


async def writer_rate(journal: Journal, group_n: int, seconds: float) -> float:
    """Records a second through JournalWriter: the records are made beforehand, encoding is timed."""
    made = records(journal.last_seq, int(400_000 * seconds))
    writer = JournalWriter(journal)
    told_n = 0

    def on_durable() -> None:
        nonlocal told_n
        told_n += 1

    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        started = time.perf_counter()
        done_n = 0
        while done_n < len(made) and time.perf_counter() - started < seconds:
            writer.put(made[done_n : done_n + group_n], on_durable)
            done_n += group_n
            await writer.wait_for_room()
        await writer.close()
        spent = time.perf_counter() - started
    assert told_n * group_n == done_n
    return journal.last_seq / spent


def read_rate(journal: Journal) -> float:
    started = time.perf_counter()
    _, tail = recover(journal)
    count = sum(1 for _ in tail)
    return count / (time.perf_counter() - started)


def encode_rate() -> float:
    made = records(0, 50_000)
    encoder = Encoder()
    started = time.perf_counter()
    for at in range(0, len(made), 100):
        encoder.encode(made[at : at + 100], after_seq=at, after_ns=0)
    return len(made) / (time.perf_counter() - started)


def median_of(repeat: int, measure: Callable[[], float]) -> tuple[int, str]:
    rates = sorted(measure() for _ in range(repeat))
    middle = statistics.median(rates)
    return round(middle), f"{middle:12,.0f}  ({rates[0]:,.0f} to {rates[-1]:,.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=None, help="where the journal is written")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each measurement")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, records a second"
    )
    figures: dict[str, int] = {}

    def show(name: str, measure: Callable[[], float]) -> None:
        figures[name], text = median_of(arguments.repeat, measure)
        print(f"{name:28}{text}", flush=True)

    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        numbers = iter(range(1_000_000))

        def sqlite(synchronous: Literal["normal", "full"]) -> SqliteJournal:
            return SqliteJournal(
                Path(folder) / str(next(numbers)), SqliteJournalConfig(synchronous=synchronous)
            )

        def timed(journal: Journal, rate: Callable[[Journal], float]) -> float:
            try:
                return rate(journal)
            finally:
                journal.close()

        show("encode_100", encode_rate)
        for synchronous in MODES:
            for group_n in GROUPS:
                show(
                    f"append_{synchronous}_{group_n}",
                    lambda s=synchronous, n=group_n: timed(  # type: ignore[misc]  # bound to this round
                        sqlite(s), lambda journal: append_rate(journal, n, arguments.seconds)
                    ),
                )
        for name, build in (
            ("memory", MemoryJournal),
            ("normal", lambda: sqlite("normal")),
            ("full", lambda: sqlite("full")),
        ):
            for group_n in GROUPS:
                show(
                    f"writer_{name}_{group_n}",
                    lambda b=build, n=group_n: timed(  # type: ignore[misc]  # bound to this round
                        b(), lambda journal: trio.run(writer_rate, journal, n, arguments.seconds)
                    ),
                )
        filled = sqlite("normal")
        append_rate(filled, 100, 1.0)
        show("recover", lambda: read_rate(filled))
        filled.close()
    print(json.dumps({f"records_per_s_{name}": rate for name, rate in figures.items()}))


if __name__ == "__main__":
    main()
