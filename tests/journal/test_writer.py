"""The writer: in order, in groups, bounded, and loud when the disk fails."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from centralita.errors import EngineStopped, Fenced, JournalError
from centralita.journal import Batch, MemoryJournal, MemoryJournalConfig, Snapshot, SqliteJournal, recover
from centralita.runner.writer import JournalWriter
from tests.journal.samples import batch, records, seqs

LONG_S = 30  # only ever waited for when a test fails


class GatedJournal(MemoryJournal):
    """A journal as slow as a disk: each append waits until the test lets it through."""

    blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.arrived = threading.Semaphore(0)
        self.groups: list[int] = []
        self.failure: Exception | None = None

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        self.arrived.release()
        assert self.gate.acquire(timeout=LONG_S)
        if self.failure is not None:
            raise self.failure
        super().append(batch, expected_seq=expected_seq)
        self.groups.append(batch.records_n)

    async def wait_arrived(self) -> None:
        await trio.to_thread.run_sync(partial(self.arrived.acquire, timeout=LONG_S))

    def open_wide(self) -> None:
        self.gate.release(1_000_000)


def nothing() -> None:
    pass


async def test_records_are_durable_when_they_are_announced_and_in_order(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    journal = SqliteJournal(tmp_path)
    writer = JournalWriter(journal)
    told: list[int] = []

    def telling(seq: int) -> Callable[[], None]:
        def on_durable() -> None:
            assert journal.last_seq >= seq
            assert writer.durable_seq >= seq
            told.append(seq)

        return on_durable

    put: list[int] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        for _ in range(300):
            size = chance.randrange(0, 5)
            last = writer.put_seq + size
            writer.put(records(writer.put_seq + 1, last), telling(last))
            put.append(last)
            if chance.random() < 0.2:
                await writer.wait_for_room()
            if chance.random() < 0.02:
                await writer.flush()
                assert told == put
        await writer.close()
    assert told == put
    assert seqs(journal) == list(range(1, writer.put_seq + 1))
    journal.close()


async def test_what_gathers_during_a_commit_is_committed_as_one() -> None:
    journal = GatedJournal()
    writer = JournalWriter(journal)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        writer.put(records(1, 1), nothing)
        await journal.wait_arrived()
        for seq in range(2, 12):  # decided while the first is on its way to the disk
            writer.put(records(seq, seq), nothing)
        assert (writer.put_seq, writer.durable_seq) == (11, 0)
        journal.open_wide()
        await writer.close()
    assert journal.groups == [1, 10]
    assert seqs(journal) == list(range(1, 12))


async def test_a_state_hash_ends_its_group() -> None:
    journal = GatedJournal()
    writer = JournalWriter(journal)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        writer.put(records(1, 1), nothing)
        await journal.wait_arrived()
        writer.put(records(2, 3), nothing)
        writer.put(records(4, 5), nothing, state_hash=b"five")
        writer.put(records(6, 7), nothing)
        journal.open_wide()
        await writer.close()
    assert journal.groups == [1, 4, 2]
    assert list(journal.state_hashes()) == [(5, b"five")]


async def test_a_put_of_nothing_is_told_after_all_before_it() -> None:
    journal = GatedJournal()
    writer = JournalWriter(journal)
    told: list[str] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        writer.put(records(1, 2), lambda: told.append("admitted"))
        writer.put([], lambda: told.append("repeated"))
        await journal.wait_arrived()
        assert told == []
        journal.open_wide()
        await writer.close()
    assert told == ["admitted", "repeated"]


async def test_what_waits_for_the_disk_is_bounded() -> None:
    journal = GatedJournal()
    writer = JournalWriter(journal, pending_bytes_max=1000)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        while writer.pending_bytes < 1000:
            with trio.fail_after(LONG_S):
                await writer.wait_for_room()
            writer.put(records(writer.put_seq + 1, writer.put_seq + 1), nothing)
        waited: list[int] = []

        async def wait() -> None:
            await writer.wait_for_room()
            waited.append(writer.pending_bytes)

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert waited == []
        journal.open_wide()
        await writer.flush()
        await trio.testing.wait_all_tasks_blocked()
        assert len(waited) == 1
        assert waited[0] < 1000
        await writer.close()
    assert writer.pending_bytes == 0


@pytest.mark.parametrize(
    "failure", [JournalError("the disk is full"), Fenced("deposed"), RuntimeError("a fault")]
)
async def test_a_failed_commit_ends_everything(failure: Exception) -> None:
    journal = GatedJournal()
    writer = JournalWriter(journal, pending_bytes_max=1)
    told: list[int] = []
    failed: list[str] = []

    async def expect_failure(wait: Callable[[], object]) -> None:
        with pytest.raises(JournalError, match="the journal's writer has failed"):
            await wait()  # type: ignore[misc]
        failed.append(getattr(wait, "__name__", "snapshot"))

    with pytest.RaisesGroup(pytest.RaisesExc(type(failure), match=str(failure))):
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            writer.put(records(1, 1), lambda: told.append(1))
            journal.gate.release()
            await writer.flush()
            journal.failure = failure
            writer.put(records(2, 2), lambda: told.append(2))
            async with trio.open_nursery() as waiting:
                waiting.start_soon(expect_failure, writer.flush)
                waiting.start_soon(expect_failure, writer.wait_for_room)
                waiting.start_soon(expect_failure, partial(writer.save_snapshot, 2, [b""]))
                with trio.CancelScope(shield=True):
                    await trio.testing.wait_all_tasks_blocked()
                waiting.cancel_scope.shield = True
                journal.open_wide()
            with pytest.raises(JournalError, match="has failed"):
                writer.put(records(3, 3), nothing)
    assert told == [1]
    assert sorted(failed) == ["flush", "snapshot", "wait_for_room"]
    assert seqs(journal) == [1]


@pytest.mark.parametrize("journal", [MemoryJournal(), GatedJournal()])
async def test_an_on_durable_that_raises_ends_everything(journal: MemoryJournal) -> None:
    writer = JournalWriter(journal)

    def on_durable() -> None:
        raise ZeroDivisionError("a fault of the runner")

    if isinstance(journal, GatedJournal):
        journal.open_wide()
    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError, match="a fault of the runner")):
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            writer.put(records(1, 1), on_durable)
            await trio.sleep_forever()


async def test_cancelled_writer_still_commits_what_was_put() -> None:
    journal = GatedJournal()
    writer = JournalWriter(journal)
    told: list[int] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        writer.put(records(1, 3), lambda: told.append(3))
        writer.put(records(4, 9), lambda: told.append(9))
        nursery.cancel_scope.cancel()
        journal.open_wide()
    assert seqs(journal) == list(range(1, 10))
    assert told == [3, 9]
    with pytest.raises(EngineStopped):
        writer.put(records(10, 10), nothing)


async def test_a_commit_that_fails_while_the_writer_is_cancelled_is_still_raised() -> None:
    journal = GatedJournal()
    journal.failure = JournalError("the disk is full")
    writer = JournalWriter(journal)
    with pytest.RaisesGroup(pytest.RaisesExc(JournalError, match="the disk is full")):
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            writer.put(records(1, 3), nothing)
            nursery.cancel_scope.cancel()
            journal.open_wide()


async def test_closed_writer_takes_nothing() -> None:
    writer = JournalWriter(MemoryJournal())
    with pytest.raises(EngineStopped):
        writer.put(records(1, 1), nothing)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        await writer.close()
        with pytest.raises(EngineStopped):
            writer.put(records(1, 1), nothing)


async def test_records_that_do_not_continue_the_journal_are_refused_and_the_writer_lives() -> None:
    journal = MemoryJournal()
    journal.append(batch(1, 5), expected_seq=0)
    writer = JournalWriter(journal)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        with pytest.raises(ValueError, match="record 9 after record 5; must be 6"):
            writer.put(records(9, 9), nothing)
        writer.put(records(6, 7), nothing)
        await writer.close()
    assert journal.last_seq == 7


async def test_another_writer_fences_this_one() -> None:
    journal = MemoryJournal()
    writer = JournalWriter(journal)
    with pytest.RaisesGroup(Fenced):
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            journal.append(batch(1, 2), expected_seq=0)
            writer.put(records(1, 1), nothing)
            writer.put(records(2, 2), nothing)  # dropped: the end is on its way
            await writer.wait_for_room()  # and comes before anything else is raised
            raise AssertionError("the nursery is cancelled by now")


async def test_memory_journal_needs_no_thread_and_is_told_later() -> None:
    before = set(threading.enumerate())
    writer = JournalWriter(MemoryJournal())
    told: list[int] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        writer.put(records(1, 1), lambda: told.append(1))
        assert told == []  # never from inside put: the caller is in the middle of something
        assert set(threading.enumerate()) <= before
        await writer.flush()
        assert told == [1]
        await writer.close()


async def test_virtual_time_does_not_pass_while_memory_commits(
    autojump_clock: trio.testing.MockClock,
) -> None:
    writer = JournalWriter(MemoryJournal())
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        nursery.start_soon(trio.sleep, 3600)
        began = trio.current_time()
        for seq in range(1, 50):
            writer.put(records(seq, seq), nothing)
            await writer.flush()
        assert trio.current_time() == began
        await writer.close()


async def test_snapshot_is_kept_once_its_record_is_durable(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    writer = JournalWriter(journal)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        writer.put(records(1, 1000), nothing)
        await writer.save_snapshot(1000, [b"a thousand"])
        writer.put(records(1001, 1003), nothing)
        with pytest.raises(ValueError, match="a snapshot after record 1004; the last one put is 1003"):
            await writer.save_snapshot(1004, [b""])
        await writer.close()
    snapshot, tail = recover(journal)
    assert snapshot == Snapshot(seq=1000, state=b"a thousand")
    assert [record.seq for record in tail] == [1001, 1002, 1003]
    journal.close()


async def test_a_gather_window_waits_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = GatedJournal()
    journal.open_wide()
    all_put = threading.Event()
    waited_s: list[float] = []

    def sleep(seconds: float) -> None:
        waited_s.append(seconds)
        assert all_put.wait(LONG_S)

    monkeypatch.setattr("centralita.runner.writer.time", SimpleNamespace(sleep=sleep))
    writer = JournalWriter(journal, gather_s=0.05)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        for seq in range(1, 20):
            writer.put(records(seq, seq), nothing)
        all_put.set()
        await writer.close()
    assert (journal.groups, waited_s) == ([19], [0.05])
    with pytest.raises(ValueError, match=r"gather_s was 2; must be from 0 to 0\.1"):
        JournalWriter(journal, gather_s=2)


async def test_memory_journal_forgets_what_a_snapshot_covers() -> None:
    journal = MemoryJournal(MemoryJournalConfig(keep_records=10))
    writer = JournalWriter(journal)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        for first in range(1, 100, 5):
            writer.put(records(first, first + 4), nothing)
        await writer.save_snapshot(100, [b"state"])
        writer.put(records(101, 105), nothing)
        await writer.close()
    assert seqs(journal, 100) == [101, 102, 103, 104, 105]
    with pytest.raises(JournalError, match="no longer kept"):
        seqs(journal, 50)
