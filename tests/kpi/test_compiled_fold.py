"""The compiled fold against Python's, which is its specification: the same memory after every record."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable

import msgspec
import pytest
from msgspec.structs import replace

from centralita.fold import Fold
from centralita.journal.codec import Decoder, Encoder
from centralita.kpi import Figures, recount
from centralita.matching import QueueBrokenError
from centralita.memory import Memory
from centralita.messages import AbandonContact, ContactOffered, Record, SignOut
from centralita.simulate.torture.day import Day
from centralita.tallies import WAIT_BOUNDS_NS, QueueTally
from tests.engine.floor import Floor
from tests.engine.histories import Centre, commands
from tests.kpi.histories import History, S

SEEDS = range(6)


def kpi_records(seed: int) -> list[Record]:
    history = History(seed)
    history.play(700)
    return history.drain()


def engine_records(seed: int) -> list[Record]:
    centre = Centre()
    for later_s, command in commands(centre.engine, seed, 600):
        centre.do(command, after_s=later_s)
    return centre.records


def torture_records(seed: int) -> list[Record]:
    day = Day(str(seed))
    for _ in range(600):
        day.step()
    return day.records


def _memory(snapshot: bytes | None) -> Memory | None:
    return None if snapshot is None else msgspec.msgpack.decode(snapshot, type=Memory)


class Both:
    """One fold of each kind, held together."""

    def __init__(self, seed: int, snapshot: bytes | None = None) -> None:
        self.seed = seed
        self.native, self.naive = Figures(_memory(snapshot)), Figures(_memory(snapshot), core="naive")

    def fold(self, records: Iterable[Record]) -> None:
        for record in records:
            self.native.fold(record)
            self.naive.fold(record)
            if self.native.snapshot() != self.naive.snapshot():
                assert self.native._memory == self.naive._memory, self.where(record)
                raise AssertionError(f"the order or the types differ: {self.where(record)}")
            native, naive = self.native.as_dict(trends=False), self.naive.as_dict(trends=False)
            assert native == naive, self.where(record)
        assert self.native.as_dict() == self.naive.as_dict(), f"seed {self.seed}, at the end"

    def where(self, record: Record) -> str:
        return f"seed {self.seed}, record {record.seq}: {record}"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("played", [kpi_records, engine_records, torture_records])
def test_both_folds_remember_the_same_after_every_record(
    played: Callable[[int], list[Record]], seed: int
) -> None:
    Both(seed).fold(played(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_both_folds_go_on_alike_from_a_snapshot_and_from_nothing(seed: int) -> None:
    records = kpi_records(seed)
    half = len(records) // 2
    before = Both(seed)
    before.fold(records[:half])
    Both(seed, before.native.snapshot()).fold(records[half:])
    Both(seed).fold(records[half:])


@pytest.mark.parametrize("seed", SEEDS)
def test_records_of_a_journal_count_as_those_that_were_made(seed: int) -> None:
    records = engine_records(seed)
    read = Decoder().decode(Encoder().encode(records, after_seq=0, after_ns=0))
    assert read == records
    both = Both(seed)
    both.fold(read)
    made = Both(seed)
    made.fold(records)
    assert both.native.snapshot() == made.native.snapshot()


def bound_records() -> list[Record]:
    """Everybody waits as long as a bound of a figure, or a nanosecond to its side; half of them are answered."""
    floor = Floor("answer_target_s = 20\nshort_abandon_s = 5\nwrap_up_s = 1")
    bounds_ns = (5 * S, 20 * S, *(bound_ns for bound_ns in WAIT_BOUNDS_NS if bound_ns < 300 * S))
    for bound_ns in bounds_ns:
        for wait_ns in (bound_ns - 1, bound_ns, bound_ns + 1):
            left = floor.admit()
            floor.now_ns += wait_ns
            floor.do(AbandonContact(contact=left))
            answered = floor.admit()
            floor.now_ns += wait_ns
            floor.sign_in("ana")
            floor.serve(answered, "ana")
            floor.finish(answered, "ana")
            floor.do(SignOut(agent="ana"))
    return floor.records


def test_both_folds_see_the_same_in_a_wait_as_long_as_a_bound() -> None:
    both = Both(0)
    both.fold(bound_records())
    sales = both.native.queues["sales"]
    assert sales.answered == sales.abandoned
    assert sales.answered_in_target == sales.abandoned_in_target


def test_both_folds_count_an_offer_to_who_is_asked_already_alike() -> None:
    floor = Floor()
    floor.sign_in("ana")
    floor.admit()
    last = floor.records[-1]
    again = replace(last, seq=last.seq + 1, at_ns=last.at_ns + S, events=last.events[-1:])
    assert [type(event) for event in again.events] == [ContactOffered]
    both = Both(0)
    both.fold([*floor.records, again])
    assert both.native.agents["ana"].offered == 1


def test_a_day_and_a_new_beginning_are_kept_alike() -> None:
    records = kpi_records(3)
    part = len(records) // 3
    both = Both(3)
    both.fold(records[:part])
    for figures in (both.native, both.naive):
        figures.begin_day(records[part - 1].at_ns)
    both.fold(records[part : 2 * part])
    for figures in (both.native, both.naive):
        figures.begin_anew(records[2 * part - 1].at_ns)
    both.fold(records[2 * part :])


def test_sums_outgrow_64_bits_alike() -> None:
    records = kpi_records(4)
    both = Both(4)
    both.fold(records[:100])
    for figures in (both.native, both.naive):
        for queue in figures.queues.values():
            queue.wait_ns = queue.talk_ns = (1 << 63) - S
        for agent in figures.agents.values():
            agent.talk_ns = agent.wrap_up_ns = (1 << 63) - S
            agent.state_ns = [(1 << 63) - S] * len(agent.state_ns)
    both.fold(records[100:])
    assert max(queue.talk_ns for queue in both.native.queues.values()) > 1 << 63


def test_who_asks_for_nothing_gets_a_fold_that_calls_its_handlers() -> None:
    class Watched(Fold):
        seen = 0

        def _admitted(self, event: object, at_ns: int) -> None:
            self.seen += 1

    watched = Watched()
    for record in kpi_records(5):
        watched.fold(record)
    assert watched.seen


@pytest.mark.parametrize("broken", [QueueTally(), None])
def test_a_tally_that_is_none_is_an_error_and_not_a_crash(broken: object) -> None:
    records = kpi_records(6)
    figures = recount(records[:100])
    for name in figures.agents:
        figures.agents[name] = broken  # type: ignore[assignment]
    with pytest.raises((TypeError, AttributeError)):
        _fold_all(figures, records[100:])


def _fold_all(figures: Figures, records: Iterable[Record]) -> None:
    for record in records:
        figures.fold(record)


class Watched(Figures):
    """Figures that this file alone makes."""


def test_figures_nobody_holds_are_collected() -> None:
    Watched().fold(kpi_records(7)[0])
    gc.collect()
    # A weak reference would not do: the collector clears it before it knows whether the cycle can be broken.
    assert not [held for held in gc.get_objects() if type(held) is Watched]


def test_a_field_that_was_deleted_is_an_error_as_python_says_it() -> None:
    figures = recount(kpi_records(6)[:100])
    for agent in figures.agents.values():
        del agent.lost
    with pytest.raises(AttributeError, match="lost"):
        _fold_all(figures, kpi_records(6)[100:])


def test_a_bug_is_an_error_and_the_fold_refuses_to_go_on() -> None:
    figures = Figures()
    with pytest.raises(QueueBrokenError):
        figures._panic()  # type: ignore[attr-defined]
    with pytest.raises(QueueBrokenError, match="an earlier record broke this fold"):
        figures.fold(kpi_records(6)[0])
