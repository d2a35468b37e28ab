"""Bytes and records: what goes in comes out, and damage never goes unnoticed."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centralita.errors import JournalCorrupt
from centralita.journal.codec import Decoder, Encoder, checksum, join
from centralita.journal.protocol import Batch
from centralita.journal.tables import batch_of, row_of
from centralita.messages import AnyCommand, AnyEvent, Record, Tick
from tests.journal.samples import START_NS, batch, record, records, values_of

COMMANDS, EVENTS = get_args(AnyCommand), get_args(AnyEvent)
# There are 85 types: a quarter of the profile's examples each.
OF_EACH_TYPE = settings(max_examples=settings().max_examples // 4)
TIMES = st.integers(0, 2**63 - 1)


def encode(*given: Record) -> Batch:
    return Encoder().encode(given, after_seq=given[0].seq - 1, after_ns=0)


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@OF_EACH_TYPE
def test_every_command_comes_back_as_it_was(kind: Any, data: st.DataObject) -> None:
    one = Record(seq=1, at_ns=data.draw(TIMES), command=data.draw(values_of(kind)), events=[])
    assert Decoder().decode(encode(one)) == [one]


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@OF_EACH_TYPE
def test_every_event_comes_back_as_it_was(kind: Any, data: st.DataObject) -> None:
    events = data.draw(st.lists(values_of(kind), max_size=3))
    one = Record(seq=7, at_ns=data.draw(TIMES), command=Tick(), events=events)
    assert Decoder().decode(encode(one)) == [one]


@pytest.mark.parametrize("size", [1, 15, 16, 17, 65_535, 65_536])
def test_payload_is_one_msgpack_array_of_any_size(size: int) -> None:
    made = [Record(seq=seq, at_ns=5, command=Tick(), events=[]) for seq in range(1, size + 1)]
    assert Decoder().decode(encode(*made)) == made


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_joined_batches_hold_the_records_of_each(sizes: list[int]) -> None:
    batches: list[Batch] = []
    for size in sizes:
        first = batches[-1].last_seq + 1 if batches else 5
        batches.append(batch(first, first + size - 1))
    joined = join(batches)
    assert joined == batch(5, 4 + sum(sizes))
    assert Decoder().decode(joined) == records(5, 4 + sum(sizes))


def test_joined_batch_has_the_state_hash_of_its_last() -> None:
    assert join([batch(1, 2), batch(3, 3, state_hash=b"#3")]).state_hash == b"#3"


@given(
    size=st.integers(1, 5),
    state_hash=st.binary(max_size=8),
    at=st.integers(min_value=0),
    bit=st.integers(0, 7),
)
def test_a_flipped_bit_anywhere_is_noticed(size: int, state_hash: bytes, at: int, bit: int) -> None:
    row = list(row_of(batch(3, 2 + size, state_hash=state_hash)))
    numbers = [(0, 8), (1, 8), (2, 8), (3, 4)]
    places = [(column, index) for column, width in numbers for index in range(width)]
    places += [(column, index) for column in (4, 5) for index in range(len(row[column]))]  # type: ignore[arg-type]
    column, index = places[at % len(places)]
    value = row[column]
    if isinstance(value, int):
        row[column] = value ^ (1 << (index * 8 + bit))
        if not -(2**63) <= row[column] < 2**63:  # type: ignore[operator]
            row[column] -= 2**64  # type: ignore[operator]  # as SQLite would read such a number
    else:
        assert isinstance(value, bytes)
        row[column] = value[:index] + bytes([value[index] ^ (1 << bit)]) + value[index + 1 :]
    with pytest.raises(JournalCorrupt, match=r"records .* to "):
        batch_of(tuple(row))  # type: ignore[arg-type]


@given(data=st.data())
def test_a_cut_payload_is_noticed(data: st.DataObject) -> None:
    whole = batch(1, 4)
    cut = data.draw(st.integers(0, len(whole.payload) - 1))
    row = row_of(whole)
    with pytest.raises(JournalCorrupt):
        batch_of((*row[:5], row[5][:cut]))
    # Even without the checksum, a payload cut short is never taken for fewer records.
    short = Batch(first_seq=1, last_seq=4, at_ns=whole.at_ns, payload=whole.payload[:cut])
    with pytest.raises(JournalCorrupt, match="records 1 to 4"):
        Decoder().decode(short)


@given(payload=st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused_as_corrupt(payload: bytes) -> None:
    try:
        Decoder().decode(Batch(first_seq=1, last_seq=1, at_ns=0, payload=payload))
    except JournalCorrupt:
        pass


@pytest.mark.parametrize("value", [None, "text", 2.5, b""])
def test_a_row_of_wrong_types_is_corrupt_not_a_crash(value: Any) -> None:
    row = row_of(batch(1, 1))
    for column in (1, 2, 3, 4, 5):
        if row[column] != value:
            with pytest.raises(JournalCorrupt):
                batch_of((*row[:column], value, *row[column + 1 :]))


def test_checksum_covers_the_numbers() -> None:
    one = batch(1, 1)
    moved = Batch(first_seq=2, last_seq=2, at_ns=one.at_ns, payload=one.payload)
    assert checksum(one) != checksum(moved)


def test_records_that_leave_a_gap_are_refused() -> None:
    with pytest.raises(ValueError, match="record 4 after record 2; must be 3"):
        Encoder().encode([record(2), record(4)], after_seq=1, after_ns=0)


def test_time_going_back_is_refused() -> None:
    with pytest.raises(ValueError, match="record 1 is of"):
        Encoder().encode([record(1)], after_seq=0, after_ns=START_NS + 10_000_000_000)


def test_a_batch_has_a_record() -> None:
    with pytest.raises(ValueError, match="needs a record"):
        Encoder().encode([], after_seq=0, after_ns=0)


def test_records_with_other_numbers_than_their_batch_are_corrupt() -> None:
    renamed = Batch(first_seq=2, last_seq=2, at_ns=0, payload=batch(1, 1).payload)
    with pytest.raises(JournalCorrupt, match="record 2: its own number is 1"):
        Decoder().decode(renamed)
