"""A capture: the state after one record, written down in pieces while it goes on changing."""

from __future__ import annotations

import random

import msgspec
import pytest

from centralita.capture import DIGEST_BYTES, Capture, Snapshot, rebuild_indexes, state_form
from centralita.engine import Engine
from centralita.errors import JournalCorrupt, StateDiffers
from centralita.messages import AdmitContact, ApplyConfiguration, CancelContact, PostMessage
from centralita.state import State
from tests.engine.histories import Centre, centre, commands

SEEDS = range(12)
STEPS = 900


def crowd(contacts_n: int) -> Engine:
    engine = Engine()
    engine.handle(ApplyConfiguration(config=centre(identify=False)), now_ns=1)
    for number in range(contacts_n):
        engine.handle(AdmitContact(channel="mail", provider_id=f"m{number}"), now_ns=2 + number)
    return engine


@pytest.mark.parametrize("seed", SEEDS)
def test_capture_in_pieces_is_the_state_at_its_beginning(seed: int) -> None:
    chance = random.Random(seed)
    house = Centre()
    engine = house.engine
    capture: Capture | None = None
    expected, finished = b"", 0
    for later_s, command in commands(engine, seed, STEPS):
        if capture is None and chance.random() < 0.1:
            expected = engine.snapshot()
            capture = engine.begin_capture()
        house.do(command, after_s=later_s)
        if capture is not None and chance.random() < 0.3 and capture.step(chance.randint(1, 4)):
            assert b"".join(capture.parts) == expected, f"seed {seed}"
            engine.end_capture()
            capture, finished = None, finished + 1
    assert finished > 10


@pytest.mark.parametrize("seed", SEEDS)
def test_recovered_state_has_the_hash_of_the_one_that_lived(seed: int) -> None:
    house = Centre()
    hashes: dict[int, bytes] = {}
    snapshot, done = b"", 0
    for number, (later_s, command) in enumerate(commands(house.engine, seed, STEPS)):
        house.do(command, after_s=later_s)
        if number % 50 == 25:
            hashes[house.engine.seq] = house.engine.state_hash()
        if number == 400:
            snapshot, done = house.engine.snapshot(), len(house.records)
    assert len(set(hashes.values())) > 10
    for start, records in ((None, house.records), (snapshot, house.records[done:])):
        again = Engine.restore(start, records, hashes=hashes)
        assert again.state_hash() == house.engine.state_hash(), f"seed {seed}"


def test_a_state_that_differs_is_refused() -> None:
    house = Centre()
    for later_s, command in commands(house.engine, 1, 200):
        house.do(command, after_s=later_s)
    wrong = {house.engine.seq: bytes(DIGEST_BYTES)}
    with pytest.raises(StateDiffers, match=f"after record {house.engine.seq} is not the one that lived"):
        Engine.restore(None, house.records, hashes=wrong)


def test_what_changes_before_its_turn_is_kept_as_it_was() -> None:
    engine = crowd(50)
    first, last = min(engine.state.contacts), max(engine.state.contacts)
    expected = engine.snapshot()
    capture = engine.begin_capture()
    capture.step(10)
    for number in (first, last, last - 1):
        post = PostMessage(contact=number, author="customer", text="meanwhile", message_id="1")
        assert engine.handle(post, now_ns=10**12).refusal is None
    assert engine.handle(CancelContact(contact=last - 2, reason="x"), now_ns=10**12).refusal is None
    engine.handle(AdmitContact(channel="mail", provider_id="new"), now_ns=10**12)
    assert capture.finish() == expected != engine.snapshot()


def test_no_piece_is_longer_than_asked_for() -> None:
    engine = crowd(1000)
    capture = engine.begin_capture()
    pieces = 1
    while not capture.step(100):
        pieces += 1
    assert pieces == 11
    assert len(capture.parts) == 2 + 10 + 1
    with_ended = crowd(10)
    for number in list(with_ended.state.contacts):
        with_ended.handle(CancelContact(contact=number, reason="x"), now_ns=10**12)
    assert with_ended.begin_capture().step(3) is False


def test_indexes_are_made_again_from_the_contacts() -> None:
    house = Centre()
    for later_s, command in commands(house.engine, 3, STEPS):
        house.do(command, after_s=later_s)
    state = house.engine.state
    assert state.by_customer
    assert set(state.by_provider.values()) == set(state.contacts) | set(state.ended)
    written = msgspec.msgpack.decode(house.engine.snapshot(), type=Snapshot).state
    assert (written.by_provider, written.by_customer) == ({}, {})
    rebuild_indexes(written)
    assert written == state


def test_bytes_are_those_of_encoding_all_at_once() -> None:
    engine = crowd(20)
    snapshot = engine.snapshot()
    assert msgspec.msgpack.encode(msgspec.msgpack.decode(snapshot, type=Snapshot)) == snapshot


def test_a_snapshot_of_another_schema_is_refused() -> None:
    newer = msgspec.msgpack.encode(Snapshot(schema=4, seq=1, now_ns=1, state=State()))
    with pytest.raises(JournalCorrupt, match="schema was 4; this version reads 1 to 3"):
        Engine.restore(newer, [])


def test_the_form_is_the_same_in_every_process() -> None:
    assert len(state_form()) == 8
    state_form.cache_clear()
    assert state_form() == state_form()
