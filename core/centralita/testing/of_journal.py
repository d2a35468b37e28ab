"""Checks 901 to 914: a journal keeps every record, in order, for one writer, over any end of the process.

A kill is a copy of all files right after `append` has returned; what a loss of power does to a disk no
check in a process can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from centralita.errors import CentralitaError, Fenced, JournalError
from centralita.journal import Encoder, Journal
from centralita.journal.protocol import Batch
from centralita.messages import Record
from centralita.testing import samples
from centralita.testing.bench import Bench
from centralita.testing.checks import check, fail, said

KINDS: Final = ("journal",)
APPENDS: Final = (901, 902)
TIDY_MAX: Final = 10_000


@check(901, "A new journal is empty", kinds=KINDS)
async def is_empty(bench: Bench) -> None:
    """No record, no snapshot, numbers and times at 0."""
    with _Opened(bench) as journal:
        seen = (journal.last_seq, journal.last_at_ns, _all(journal), list(journal.snapshots()))
        if seen != (0, 0, [], []):
            fail(f"last_seq, last_at_ns, records, snapshots were {seen}; must be 0, 0, [], []")


@check(902, "What was appended is read back, unchanged and in order", kinds=KINDS, needs=[901])
async def keeps_records(bench: Bench) -> None:
    """Whatever may stand in a record."""
    records = samples.busy_records()
    with _Opened(bench) as journal:
        _append(journal, records, sizes=(1, 2, 40))
        if _all(journal) != records:
            fail(_difference(records, _all(journal)))


@check(903, "Reading begins after any record", kinds=KINDS, needs=APPENDS)
async def reads_from_anywhere(bench: Bench) -> None:
    """Also in the middle of a batch, and at the end."""
    records = samples.plain_records()
    with _Opened(bench) as journal:
        _append(journal, records, sizes=(1, 3, 10))
        for after in (0, 1, 2, 5, 13, 14, len(records) - 1, len(records)):
            seqs = [record.seq for record in _all(journal, after)]
            if seqs != list(range(after + 1, len(records) + 1)):
                fail(f"read({after}) gave records {_span(seqs)}; must be {after + 1} to {len(records)}")


@check(904, "It knows its last record", kinds=KINDS, needs=APPENDS)
async def knows_its_end(bench: Bench) -> None:
    """`last_seq` and `last_at_ns`, after every batch."""
    records = samples.plain_records()
    with _Opened(bench) as journal:
        for batch in _encoded(records, sizes=(1, 5, 20)):
            journal.append(batch, expected_seq=batch.first_seq - 1)
            if (journal.last_seq, journal.last_at_ns) != (batch.last_seq, batch.at_ns):
                fail(
                    f"after record {batch.last_seq} of {batch.at_ns} ns last_seq and last_at_ns were "
                    f"{journal.last_seq} and {journal.last_at_ns}"
                )


@check(905, "A writer that expects another end is fenced", kinds=KINDS, needs=APPENDS)
async def fences(bench: Bench) -> None:
    """`Fenced`, and nothing is appended: somebody else has written."""
    records = samples.plain_records()
    batches = _encoded(records, sizes=(3, 3, 3))
    for number, batch in enumerate((batches[0], batches[2])):
        # Each in a journal of its own: who was fenced once may refuse everything from then on.
        with _Opened(bench, bench.folder / f"fenced-{number}") as journal:
            journal.append(batches[0], expected_seq=0)
            try:
                journal.append(batch, expected_seq=batch.first_seq - 1)
            except Fenced:
                pass
            except CentralitaError as error:
                fail(f"append after another record than the last raised {said(error)}; must be Fenced")
            else:
                fail(f"append of record {batch.first_seq} after record 3 did not raise Fenced")
            if len(_all(journal)) != 3:
                fail("a batch that was fenced was appended all the same")


@check(906, "The state's hashes come with their records", kinds=KINDS, needs=APPENDS)
async def keeps_hashes(bench: Bench) -> None:
    """`state_hashes`: for the batches that carry one."""
    records = samples.plain_records()
    encoder = Encoder()
    with _Opened(bench) as journal:
        first = encoder.encode(records[:2], after_seq=0, after_ns=0)
        second = encoder.encode(records[2:5], after_seq=2, after_ns=0, state_hash=b"\x00five")
        third = encoder.encode(records[5:9], after_seq=5, after_ns=0, state_hash=b"nine")
        for batch in (first, second, third):
            journal.append(batch, expected_seq=batch.first_seq - 1)
        if (hashes := list(journal.state_hashes())) != [(5, b"\x00five"), (9, b"nine")]:
            fail(f"state_hashes() gave {hashes}; must be [(5, b'\\x00five'), (9, b'nine')]")
        if (hashes := list(journal.state_hashes(5))) != [(9, b"nine")]:
            fail(f"state_hashes(5) gave {hashes}; must be [(9, b'nine')]")


@check(907, "The newest snapshot is the first", kinds=KINDS, needs=APPENDS)
async def keeps_snapshots(bench: Bench) -> None:
    """A start takes the first good one."""
    with _Opened(bench) as journal:
        records = samples.plain_records()
        _append(journal, records, sizes=(10, 10))
        states = {seq: samples.state_after(records, seq) for seq in (2, 9)}
        for seq, state in states.items():
            journal.save_snapshot(seq, state)
        snapshots = list(journal.snapshots())
        seqs = [one.seq for one in snapshots]
        if not seqs or seqs[0] != 9 or seqs != sorted(seqs, reverse=True):
            fail(f"snapshots after records 2 and 9 came as {seqs}; the newest is first")
        if any(one.state != states[one.seq] for one in snapshots):
            fail("a snapshot's state is not what was saved")


@check(908, "A snapshot of records that are not there is refused", kinds=KINDS, needs=APPENDS)
async def refuses_early_snapshots(bench: Bench) -> None:
    """`JournalError`: it would stand in for records that a crash could still lose."""
    with _Opened(bench) as journal:
        records = samples.plain_records()
        _append(journal, records[:4], sizes=(4,))
        try:
            journal.save_snapshot(5, samples.state_after(records, 5))
        except JournalError:
            return
        fail("save_snapshot(5) with 4 records did not raise JournalError")


@check(909, "Opened again, it has everything", kinds=KINDS, needs=APPENDS)
async def is_durable(bench: Bench) -> None:
    """Closed in order, on the same files."""
    records = samples.busy_records()
    with _Opened(bench) as journal:
        _append(journal, records, sizes=(1, 20))
        journal.save_snapshot(5, samples.state_after(records, 5))
    with _Opened(bench) as journal:
        _must_have(journal, records, "closed and opened again")
        if [one.seq for one in journal.snapshots()][:1] != [5]:
            fail("closed and opened again, the snapshot is gone")


@check(910, "Killed right after append, it has everything", kinds=KINDS, needs=(*APPENDS, 909))
async def survives_kills(bench: Bench) -> None:
    """When `append` has returned, the batch is told to others; it is never lost then."""
    records = samples.plain_records()
    with _Opened(bench) as journal:
        for number, batch in enumerate(_encoded(records, sizes=(1, 7, 30))):
            journal.append(batch, expected_seq=batch.first_seq - 1)
            data = bench.copy_data(f"killed-{number}")
            with _Opened(bench, data) as other:
                _must_have(other, records[: batch.last_seq], "killed right after append")
                if other.last_seq != batch.last_seq:
                    fail(f"killed after record {batch.last_seq}, last_seq was {other.last_seq}")


@check(911, "It is read from other threads while it is written", kinds=KINDS, needs=APPENDS)
async def is_read_meanwhile(bench: Bench) -> None:
    """`append` in one thread, `read` in any: a reader sees some first part, in order, nothing else."""
    records = samples.plain_records()
    with _Opened(bench) as journal:
        batches = _encoded(records, sizes=(1,) * len(records))
        faults: list[str] = []

        async def reading() -> None:
            while not faults:
                try:
                    seqs = [one.seq for one in await trio.to_thread.run_sync(_all, journal)]
                except Exception as error:  # noqa: BLE001 - the claim
                    faults.append(f"read in another thread raised {said(error)}")
                    return
                if seqs != list(range(1, len(seqs) + 1)):
                    faults.append(f"a reader saw records {_span(seqs)}")
                if len(seqs) == len(records):
                    return

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reading)
            # The runner keeps one thread for a journal's commits; the limiter does the same here.
            one = trio.CapacityLimiter(1)
            for batch in batches:
                append = partial(journal.append, batch, expected_seq=batch.first_seq - 1)
                if journal.blocking:
                    await trio.to_thread.run_sync(append, limiter=one)
                else:
                    append()
                    await trio.lowlevel.checkpoint()
        if faults:
            fail(faults[0])


@check(912, "Closed twice, it is closed once", kinds=KINDS, needs=[901])
async def closes_twice(bench: Bench) -> None:
    """A second `close` does nothing."""
    journal = bench.make()
    journal.close()
    try:
        journal.close()
    except Exception as error:  # noqa: BLE001 - the claim
        fail(f"the second close raised {said(error)}")


@check(913, "It has one writer", kinds=KINDS, needs=(*APPENDS, 909))
async def has_one_writer(bench: Bench) -> None:
    """A second one on the same files is refused when it opens, or fenced when it writes."""
    records = samples.plain_records()
    first, second = _encoded(records, sizes=(3, 3))[:2]
    with ExitStack() as stack:
        one = stack.enter_context(_Opened(bench))
        one.append(first, expected_seq=0)
        try:
            other = stack.enter_context(_Opened(bench))
            one.append(second, expected_seq=first.last_seq)
            other.append(second, expected_seq=first.last_seq)
        except JournalError:
            return
        fail(
            "two writers have appended the same record to the same journal; the second must be refused or Fenced"
        )


@check(914, "Housekeeping comes to an end", kinds=KINDS, needs=APPENDS)
async def tidies(bench: Bench) -> None:
    """`tidy` says whether there is more to do, and leaves what is not old."""
    records = samples.plain_records()
    with _Opened(bench) as journal:
        _append(journal, records, sizes=(10, 10))
        for _ in range(TIDY_MAX):
            more = journal.tidy()
            if not isinstance(more, bool):
                fail(f"tidy returned {more!r}; must be True or False")
            if not more:
                break
        else:
            fail(f"tidy still has more to do after {TIDY_MAX} calls")
        if journal.last_seq != len(records):
            fail(f"after tidy last_seq was {journal.last_seq}; it was {len(records)}")


class _Opened:
    """A journal of the type that is checked, closed at the end of the block."""

    def __init__(self, bench: Bench, data: Path | None = None) -> None:
        self._bench = bench
        self._data = data

    def __enter__(self) -> Journal:
        journal: Journal = self._bench.make(data=self._data)
        self._journal = journal
        return journal

    def __exit__(self, *exception: Any) -> None:
        self._journal.close()


def _all(journal: Journal, after_seq: int = 0) -> list[Record]:
    return [record for batch in journal.read(after_seq) for record in batch]


def _encoded(records: Sequence[Record], *, sizes: Sequence[int]) -> list[Batch]:
    """The records in batches of these sizes, the last of them again and again."""
    encoder = Encoder()
    batches: list[Batch] = []
    start, after_ns = 0, 0
    while start < len(records):
        size = sizes[min(len(batches), len(sizes) - 1)]
        part = records[start : start + size]
        batches.append(encoder.encode(part, after_seq=part[0].seq - 1, after_ns=after_ns))
        start, after_ns = start + size, part[-1].at_ns
    return batches


def _append(journal: Journal, records: Sequence[Record], *, sizes: Sequence[int]) -> None:
    for batch in _encoded(records, sizes=sizes):
        journal.append(batch, expected_seq=batch.first_seq - 1)


def _must_have(journal: Journal, records: Sequence[Record], how: str) -> None:
    found = _all(journal)
    if found != list(records):
        fail(f"{how}: {_difference(records, found)}")


def _difference(expected: Sequence[Record], found: Sequence[Record]) -> str:
    for one, other in zip(expected, found, strict=False):
        if one != other:
            return f"record {one.seq} was {one!r:.200} and came back as {other!r:.200}"
    return f"{len(expected)} records were appended, {len(found)} came back"


def _span(seqs: Sequence[int]) -> str:
    return f"{seqs[0]} to {seqs[-1]} ({len(seqs)} of them)" if seqs else "none"
