"""What every journal promises: one suite, two implementations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralita.errors import Fenced, JournalError
from centralita.journal import Journal, MemoryJournal, Snapshot, SqliteJournal, recover
from tests.journal.samples import START_NS, batch, fill, records, seqs


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    builds: dict[str, Callable[[], Journal]] = {
        "memory": MemoryJournal,
        "sqlite": lambda: SqliteJournal(tmp_path),
    }
    opened = builds[request.param]()
    assert isinstance(opened, Journal)
    yield opened
    opened.close()


def test_empty_journal_has_nothing(journal: Journal) -> None:
    assert (journal.last_seq, journal.last_at_ns) == (0, 0)
    assert list(journal.read()) == []
    snapshot, tail = recover(journal)
    assert (snapshot, list(tail)) == (None, [])


def test_appended_records_are_read_back_in_order(journal: Journal) -> None:
    fill(journal, 1, 3, 10)
    assert [record for some in journal.read() for record in some] == records(1, 14)
    assert journal.last_seq == 14
    assert journal.last_at_ns == START_NS + 14_000_000_000


@pytest.mark.parametrize("after_seq", [0, 1, 2, 3, 4, 8, 13, 14, 15, 1000])
def test_reading_begins_after_any_record(journal: Journal, after_seq: int) -> None:
    fill(journal, 1, 3, 10)
    assert seqs(journal, after_seq) == list(range(after_seq + 1, 15))


def test_reader_meets_what_is_appended_meanwhile(journal: Journal) -> None:
    fill(journal, 2)
    reading = journal.read()
    assert [record.seq for record in next(reading)] == [1, 2]
    fill(journal, 2)
    assert [record.seq for record in next(reading)] == [3, 4]
    assert list(reading) == []


@pytest.mark.parametrize("expected_seq", [0, 2, 4])
def test_a_writer_that_expects_another_end_is_fenced(journal: Journal, expected_seq: int) -> None:
    fill(journal, 3)
    with pytest.raises(Fenced, match=f"record {expected_seq + 1} was to follow"):
        journal.append(batch(expected_seq + 1, expected_seq + 9), expected_seq=expected_seq)
    assert seqs(journal) == [1, 2, 3]


def test_state_hashes_come_with_the_batch_that_carries_them(journal: Journal) -> None:
    fill(journal, 2)
    journal.append(batch(3, 5, state_hash=b"five"), expected_seq=2)
    fill(journal, 1)
    journal.append(batch(7, 7, state_hash=b"seven"), expected_seq=6)
    assert list(journal.state_hashes()) == [(5, b"five"), (7, b"seven")]
    assert list(journal.state_hashes(5)) == [(7, b"seven")]


def test_recovery_is_the_newest_snapshot_and_the_records_after_it(journal: Journal) -> None:
    fill(journal, 4, 4)
    journal.save_snapshot(2, b"two")
    journal.save_snapshot(6, b"six")
    fill(journal, 2)
    snapshot, tail = recover(journal)
    assert snapshot == Snapshot(seq=6, state=b"six")
    assert [record.seq for record in tail] == [7, 8, 9, 10]


def test_a_snapshot_of_records_that_are_not_durable_is_refused(journal: Journal) -> None:
    fill(journal, 4)
    with pytest.raises(JournalError, match=r"after record 5; the last .*record is 4"):
        journal.save_snapshot(5, b"five")


def test_closing_twice_does_nothing(journal: Journal) -> None:
    journal.close()
    journal.close()


@given(sizes=st.lists(st.integers(1, 30), max_size=12), after_seq=st.integers(0, 200))
def test_memory_journal_gives_any_tail_of_any_batches(sizes: list[int], after_seq: int) -> None:
    journal = MemoryJournal()
    fill(journal, *sizes)
    assert seqs(journal, after_seq) == list(range(after_seq + 1, sum(sizes) + 1))
