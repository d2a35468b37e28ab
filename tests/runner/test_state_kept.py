"""The state written down while the engine goes on: hashes in the journal, snapshots beside it, and what
a start and `verify` make of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
import structlog.testing
import trio
import trio.testing

from centralita import MemoryJournal, SqliteJournal, open_engine
from centralita.config import loads
from centralita.engine import Engine
from centralita.errors import JournalError, StateDiffers
from centralita.journal import MemoryJournalConfig, SqliteJournalConfig, tables
from centralita.journal.codec import pack_state_hash, unpack_state_hash
from centralita.journal.protocol import Batch, StateHash
from centralita.messages import AdmitContact, CancelContact
from centralita.recovery import replay, restore
from centralita.runner.switchboard import LiveSwitchboard
from tests.runner.house import CONFIG, House

FAST = SqliteJournalConfig(snapshot_every=60, state_hash_every=20, keep_days=None, synchronous="normal")


async def traffic(switchboard: LiveSwitchboard, contacts_n: int, *, after: str = "") -> None:
    """Contacts that come, every other of which goes at once."""
    for number in range(contacts_n):
        came = await switchboard.submit(AdmitContact(channel="shop", provider_id=f"{after}{number}"))
        if number % 2:
            await switchboard.submit(CancelContact(contact=came.contact, reason="over"))


async def lived(folder: Path, contacts_n: int = 80) -> Path:
    """A journal with some hashes and a snapshot or two, left as a crash would leave it: no last snapshot."""
    journal = SqliteJournal(folder, FAST)
    try:
        async with open_engine(
            loads(CONFIG, folder=folder), plugins=[House()], entry_points=False, journal=journal
        ) as board:
            await traffic(board, contacts_n)
    finally:
        journal.close()
    newest = max(folder.glob("*.snapshot-*"))
    newest.unlink()
    return journal.path


def tampered(path: Path) -> int:
    """Replace the last hash by another, checksum and all; the record after which it was taken."""
    with closing(tables.connect(path, write=True)) as connection:
        batch = tables.batches_with_state_hash(connection)[-1]
        taken = unpack_state_hash(batch.state_hash)
        other = pack_state_hash(StateHash(seq=taken.seq, form=taken.form, digest=bytes(16)))
        changed = Batch(
            first_seq=batch.first_seq,
            last_seq=batch.last_seq,
            at_ns=batch.at_ns,
            payload=batch.payload,
            state_hash=other,
        )
        connection.execute("DELETE FROM batches WHERE first_seq = ?", (batch.first_seq,))
        connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", tables.row_of(changed))
    return taken.seq


async def test_hashes_go_into_the_journal_and_agree_with_a_replay(tmp_path: Path) -> None:
    path = await lived(tmp_path)
    done = replay(path)
    assert done.problems == ()
    assert done.replayed == 121
    assert done.hashes >= 3
    assert done.snapshots >= 1
    journal = SqliteJournal(tmp_path, FAST)
    assert restore(journal, kind=Engine).seq == 121
    journal.close()


async def test_start_refuses_a_state_that_is_not_the_one_that_lived(tmp_path: Path) -> None:
    path = await lived(tmp_path)
    for snapshot in tmp_path.glob("*.snapshot-*"):
        snapshot.unlink()  # so that the record is after the snapshot that is begun with
    seq = tampered(path)
    journal = SqliteJournal(tmp_path, FAST)
    with pytest.raises(StateDiffers, match=rf"after record {seq} .*verify.*state_hash_every = 0"):
        restore(journal, kind=Engine)
    journal.close()
    assert replay(path).problems == (f"the state after record {seq} is not the one that lived",)
    unasked = SqliteJournal(tmp_path, SqliteJournalConfig(state_hash_every=0, keep_days=None))
    assert restore(unasked, kind=Engine).seq == unasked.last_seq
    unasked.close()


async def test_replay_finds_a_snapshot_that_is_not_the_state_of_its_records(tmp_path: Path) -> None:
    path = await lived(tmp_path)
    other = Engine()
    seq = int(max(tmp_path.glob("*.snapshot-*")).name.rpartition("-")[2])
    other.seq = seq
    journal = SqliteJournal(tmp_path, FAST)
    journal.save_snapshot(seq, other.snapshot())
    journal.close()
    assert replay(path).problems == (f"the snapshot after record {seq} is not the state of the records",)


async def test_hash_of_another_version_is_counted_not_compared(tmp_path: Path) -> None:
    path = await lived(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM batches").fetchall()
        for row in rows:
            batch = tables.batch_of(row)
            if batch.state_hash:
                taken = unpack_state_hash(batch.state_hash)
                foreign = pack_state_hash(StateHash(seq=taken.seq, form=b"another!", digest=bytes(16)))
                changed = tables.row_of(
                    Batch(
                        first_seq=batch.first_seq,
                        last_seq=batch.last_seq,
                        at_ns=batch.at_ns,
                        payload=batch.payload,
                        state_hash=foreign,
                    )
                )
                connection.execute("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?)", changed)
        connection.commit()
    done = replay(path)
    assert done.hashes_of_others >= 3
    assert (done.hashes, done.problems) == (0, ())
    journal = SqliteJournal(tmp_path, FAST)
    assert restore(journal, kind=Engine).seq == journal.last_seq
    journal.close()


async def test_hashes_are_as_far_apart_as_contacts_are_live(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal(MemoryJournalConfig(state_hash_every=10))
    async with House().open(tmp_path, journal=journal) as switchboard:
        for number in range(400):
            await switchboard.submit(AdmitContact(channel="shop", provider_id=str(number)))
    seqs = [unpack_state_hash(packed).seq for _, packed in journal.state_hashes()]
    gaps = [later - earlier for earlier, later in pairwise(seqs)]
    assert len(gaps) >= 3
    assert all(later > earlier * 1.5 for earlier, later in pairwise(gaps))
    assert gaps[-1] > 100


async def test_deciding_goes_on_while_a_snapshot_is_made(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The snapshot of 2,000 contacts is of the moment it was begun, and records were decided meanwhile."""
    journal = MemoryJournal(MemoryJournalConfig(snapshot_every=2001))
    async with House().open(tmp_path, journal=journal) as switchboard:
        for first in range(0, 2000, 500):
            await switchboard.submit_all(
                [AdmitContact(channel="shop", provider_id=str(first + number)) for number in range(500)]
            )
        decided = 0
        while not list(journal.snapshots()):
            await switchboard.submit(AdmitContact(channel="shop", provider_id=f"meanwhile {decided}"))
            decided += 1
            assert decided < 100
        (snapshot,) = journal.snapshots()
        assert decided >= 3
    records = [record for batch in journal.read() for record in batch]
    until = Engine.restore(None, [record for record in records if record.seq <= snapshot.seq])
    assert Engine.restore(snapshot.state, ()).state_hash() == until.state_hash()
    assert snapshot.seq < records[-1].seq


class NoRoomForSnapshots(MemoryJournal):
    def save_snapshot(self, seq: int, state: bytes) -> None:
        raise JournalError("the snapshot can't be written: No space left on device")


async def test_snapshot_that_cannot_be_written_is_loud_and_the_engine_lives(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = NoRoomForSnapshots(MemoryJournalConfig(snapshot_every=20))
    with structlog.testing.capture_logs() as logs:
        async with House().open(tmp_path, journal=journal) as switchboard:
            await traffic(switchboard, 60)
            assert switchboard.status()["live"] == 30
    failed = [line for line in logs if line["event"] == "journal_snapshot_failed"]
    assert len(failed) >= 3, "it is tried again, and at the end"
    assert all(line["log_level"] == "error" for line in failed)


async def test_every_hash_is_of_the_record_it_names(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal(MemoryJournalConfig(state_hash_every=7))
    async with House().open(tmp_path, journal=journal) as switchboard:
        await traffic(switchboard, 40)
    records: Sequence[object] = [record for batch in journal.read() for record in batch]
    taken = [unpack_state_hash(packed) for _, packed in journal.state_hashes()]
    hashes = {one.seq: one.digest for one in taken}
    assert len(hashes) == len(taken) >= 4
    Engine.restore(None, [record for batch in journal.read() for record in batch], hashes=hashes)
    assert len(records) > max(hashes)
