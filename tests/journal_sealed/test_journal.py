"""The sealed journal: nothing readable without the keys, everything with them, and no way back from erasing."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog

from centralita.config import decode
from centralita.engine import Engine
from centralita.errors import JournalCorrupt, JournalError
from centralita.journal import Encoder, SqliteJournal, backup, compact, export, recover, verify
from centralita.messages import (
    AdmitContact,
    AnyCommand,
    ApplyConfiguration,
    Attachment,
    CancelContact,
    Customer,
    EraseContacts,
    IdentifyContact,
    NoteContact,
    PostMessage,
    RateContact,
    Record,
    RequestCallback,
)
from centralita.personal import ERASED
from centralita.recovery import Replay, replay
from centralita_journal_sealed import KeyFile, SealedJournal, SealedJournalConfig
from centralita_journal_sealed.keys import BLOCK, KEY_BYTES
from centralita_journal_sealed.upkeep import erase_again, forget_keys

START_NS = 1_700_000_000_000_000_000
CONFIG = decode(
    {
        "skills": ["en"],
        "queues": {"sales": {"skills": {"en": 1}}},
        "channels": {"line": {"type": "program", "medium": "chat", "queue": "sales"}},
        "default_queue": "sales",
    }
).engine
SECRETS = (
    "ana.garcia@example.org", "Ana Garcia", "my card is 4929", "passport.png", "+34600111222",
    "she sounded upset", "crm-77", "order-9", "provider-ana", "m-id-1",
)  # fmt: skip


class House:
    """An engine whose records go straight into a sealed journal."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.journal = SealedJournal(folder, SealedJournalConfig(**settings))
        snapshot, records = recover(self.journal)
        self.engine = Engine.restore(snapshot.state if snapshot else None, records)
        self.encoder = Encoder(self.journal.seal)
        if not self.journal.last_seq:
            self.do(ApplyConfiguration(config=CONFIG))

    def do(self, command: AnyCommand) -> int:
        now_ns = max(self.engine.now_ns, START_NS) + 1_000_000_000
        step = self.engine.handle(command, now_ns=now_ns)
        assert step.refusal is None, step.refusal
        record = Record(seq=step.seq, at_ns=now_ns, command=command, events=step.events)
        batch = self.encoder.encode(
            [record], after_seq=self.journal.last_seq, after_ns=self.journal.last_at_ns
        )
        self.journal.append(batch, expected_seq=self.journal.last_seq)
        return step.contact

    def customer(self, who: str) -> int:
        """A contact with something in each place where words can be."""
        contact = self.do(
            AdmitContact(
                channel="line",
                provider_id=f"provider-{who}",
                handle="ana.garcia@example.org",
                customer_name="Ana Garcia",
                attributes={"order": "order-9"},
                text="my card is 4929",
            )
        )
        self.do(IdentifyContact(contact=contact, customer=Customer(id="crm-77", name="Ana Garcia", crm="h")))
        photo = Attachment(id="f1", name="passport.png", media_type="image/png", bytes_n=3)
        self.do(
            PostMessage(
                contact=contact,
                author="customer",
                text="my card is 4929",
                message_id="m-id-1",
                attachments=(photo,),
            )
        )
        self.do(RequestCallback(contact=contact, handle="+34600111222", due_ns=START_NS + 10**15))
        return contact

    def snapshot(self) -> None:
        self.journal.save_snapshot(self.engine.seq, self.engine.snapshot())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.journal.close()


def left_behind(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def read(journal: SqliteJournal) -> list[Record]:
    return [record for records in journal.read() for record in records]


def test_no_word_of_a_customer_is_in_the_files(house: House, tmp_path: Path) -> None:
    house.customer("ana")
    house.snapshot()
    house.do(PostMessage(contact=house.engine.state.last_id, author="customer", text="she sounded upset"))
    house.journal.close()
    content = left_behind(tmp_path)
    assert b"sales" in content, "what is nobody's is readable"
    assert [secret for secret in SECRETS if secret.encode() in content] == []


def test_recovery_with_the_keys_is_exact(house: House, tmp_path: Path) -> None:
    house.customer("ana")
    house.snapshot()
    house.customer("eva")
    house.journal.close()
    again = House(tmp_path)
    assert again.engine.state.contacts == house.engine.state.contacts
    assert again.engine.snapshot() == house.engine.snapshot()
    again.journal.close()


def test_erasing_reaches_records_snapshots_and_backups(house: House, tmp_path: Path) -> None:
    gone, kept = house.customer("ana"), house.customer("eva")
    house.snapshot()
    copy = tmp_path / "elsewhere" / "journal.sqlite"
    backup(house.journal.path, copy)
    assert house.journal.erase([gone, 10_000_000]) == 1
    assert house.journal.erase([gone]) == 0
    house.journal.close()
    shutil.copy(tmp_path / "customer-keys", copy.parent)
    for folder in (tmp_path, copy.parent):
        again = House(folder)
        state = again.engine.state
        assert "4929" not in str(state.contacts[gone])
        assert state.contacts[gone].handle == ""
        assert [message.text for message in state.contacts[gone].messages or ()] == [ERASED] * 2
        assert state.contacts[gone].due_ns, "it is the same contact, without words"
        assert state.contacts[kept].handle == "ana.garcia@example.org"
        told = [record for record in read(again.journal) if getattr(record.command, "contact", 0) == gone]
        assert told
        assert not [record for record in told if any(secret in str(record) for secret in SECRETS)]
        again.journal.close()
        assert verify(again.journal.path).problems == ()


def test_erasing_reaches_the_archive(tmp_path: Path) -> None:
    house = House(tmp_path)

    def about(journal: SqliteJournal, contact: int) -> str:
        return str([record for record in read(journal) if getattr(record.command, "contact", 0) == contact])

    def archived(*, until: int) -> None:
        """Two snapshots more, and all before the older of them goes to the archive."""
        house.snapshot()
        house.do(CancelContact(contact=house.customer(f"later-{until}")))
        house.snapshot()
        house.journal.close()
        compact(house.journal.path, tmp_path / "archive")
        assert verify(house.journal.path).first_seq > until

    gone, kept = house.customer("ana"), house.customer("eva")
    for contact in (gone, kept):
        house.do(CancelContact(contact=contact))
    archived(until=house.engine.seq)
    house = House(tmp_path)
    assert "4929" in about(house.journal, gone)
    shutil.copy(tmp_path / "customer-keys", tmp_path / "older")
    house.do(EraseContacts(contacts=(gone,), by="test"))
    assert house.journal.erase([gone]) == 1
    archived(until=house.engine.seq)
    content = left_behind(tmp_path / "archive")
    assert content
    assert [secret for secret in SECRETS if secret.encode() in content] == []
    assert all(verify(path).problems == () for path in (tmp_path / "archive").iterdir())
    # What says who is to be forgotten has gone to the archive as well.
    (tmp_path / "older").replace(tmp_path / "customer-keys")
    assert erase_again(tmp_path, SealedJournalConfig()) == 1
    house = House(tmp_path)
    assert "4929" not in about(house.journal, gone)
    assert "4929" in about(house.journal, kept)
    house.journal.close()


def test_hash_of_the_state_is_the_same_with_and_without_words(house: House, tmp_path: Path) -> None:
    contact = house.customer("ana")
    lived = house.engine.state_hash()
    house.snapshot()
    house.do(CancelContact(contact=house.customer("eva"), reason="she sounded upset"))
    ended = house.engine.state_hash()
    assert lived != ended
    assert replay(house.journal.path) == Replay(replayed=house.engine.seq, snapshots=1), "without any key"
    house.journal.erase([contact])
    house.journal.close()
    again = House(tmp_path)
    assert again.engine.state_hash() == ended
    again.journal.close()
    assert replay(house.journal.path) == Replay(replayed=house.engine.seq, snapshots=1)


def test_what_comes_after_erasing_is_not_kept(house: House, tmp_path: Path) -> None:
    contact = house.customer("ana")
    house.journal.erase([contact])
    house.do(PostMessage(contact=contact, author="customer", text="one more thing"))
    house.snapshot()
    house.journal.close()
    assert b"one more thing" not in left_behind(tmp_path)
    again = House(tmp_path)
    assert [message.text for message in again.engine.state.contacts[contact].messages or ()] == [ERASED] * 3
    again.journal.close()


def test_erased_customers_are_not_taken_for_one(house: House, tmp_path: Path) -> None:
    first, second = house.customer("ana"), house.customer("eva")
    house.snapshot()
    house.journal.erase([first, second])
    house.journal.close()
    again = House(tmp_path)
    assert len(again.engine.state.by_customer) == 2
    assert len(again.engine.state.by_provider) == 2
    # And life goes on for them and for whoever comes.
    again.customer("ana")
    again.do(PostMessage(contact=first, author="customer", text="still here"))
    again.journal.close()


def test_journal_is_whole_without_keys(house: House, tmp_path: Path) -> None:
    house.customer("ana")
    house.snapshot()
    house.journal.close()
    (tmp_path / "customer-keys").unlink()
    found = verify(house.journal.path)
    assert (found.problems, found.records) == ((), house.engine.seq)
    lines = b"".join(export(house.journal.path))
    assert ERASED.encode() in lines
    assert [secret for secret in SECRETS if secret.encode() in lines] == []


def test_start_without_the_keys_is_refused(house: House, tmp_path: Path) -> None:
    house.customer("ana")
    house.journal.close()
    (tmp_path / "customer-keys").rename(tmp_path / "aside")
    with pytest.raises(JournalError, match=r"customer-keys: the keys of journal\.sqlite are not there"):
        SealedJournal(tmp_path)
    assert not (tmp_path / "customer-keys").exists(), "a refusal makes no new keys"


def test_lost_keys_are_forgotten_on_purpose_and_life_goes_on(house: House, tmp_path: Path) -> None:
    contact = house.customer("ana")
    house.snapshot()
    house.journal.close()
    with pytest.raises(JournalError, match="customer-keys: is there"):
        forget_keys(tmp_path, SealedJournalConfig())
    (tmp_path / "customer-keys").unlink()
    assert forget_keys(tmp_path, SealedJournalConfig()) >= contact
    again = House(tmp_path)
    assert again.engine.state.contacts[contact].customer_name == ERASED
    later = again.customer("eva")
    again.journal.close()
    again = House(tmp_path)
    assert again.engine.state.contacts[contact].customer_name == ERASED
    assert again.engine.state.contacts[later].customer_name == "Ana Garcia"
    again.journal.close()


def test_older_copy_of_the_keys_brings_nobody_back(house: House, tmp_path: Path) -> None:
    contact = house.customer("ana")
    house.do(CancelContact(contact=contact))
    shutil.copy(tmp_path / "customer-keys", tmp_path / "older")
    house.do(EraseContacts(contacts=(contact,), by="test"))
    house.journal.erase([contact])
    house.journal.close()
    (tmp_path / "older").replace(tmp_path / "customer-keys")
    assert erase_again(tmp_path, SealedJournalConfig()) == 1
    assert erase_again(tmp_path, SealedJournalConfig()) == 0
    again = House(tmp_path)
    assert not [record for record in read(again.journal) if "4929" in str(record)]
    again.journal.close()


def test_keys_of_another_journal_are_refused(house: House, tmp_path: Path) -> None:
    house.customer("ana")
    house.journal.close()
    (tmp_path / "customer-keys").unlink()
    keys = KeyFile(tmp_path / "customer-keys")
    keys.ensure(5)
    keys.close()
    with pytest.raises(JournalCorrupt, match="customer-keys is another journal's, or damaged"):
        House(tmp_path)


def test_keys_that_end_early_show_the_rest_as_erased(house: House, tmp_path: Path) -> None:
    contact = house.customer("ana")
    house.journal.close()
    os.truncate(tmp_path / "customer-keys", 16 + contact * KEY_BYTES + 3)
    with structlog.testing.capture_logs() as logs:
        again = House(tmp_path)
    assert [line["event"] for line in logs] == ["journal_keys_missing"]
    assert again.engine.state.contacts[contact].customer_name == ERASED
    later = again.customer("eva")
    again.journal.close()
    again = House(tmp_path)
    assert again.engine.state.contacts[contact].customer_name == ERASED, "no new key in the old one's place"
    assert again.engine.state.contacts[later].customer_name == "Ana Garcia"
    again.journal.close()


def test_sealed_words_can_not_be_moved_to_another_record(house: House) -> None:
    contact = house.customer("ana")
    assert house.journal.seal is not None
    sealed = house.journal.seal.close(4, contact, b"words")
    assert sealed is not None
    assert house.journal.seal.open(4, contact, sealed) == b"words"
    for seq, number in ((5, contact), (4, contact + 1)):
        with pytest.raises(JournalCorrupt):
            house.journal.seal.open(seq, number, sealed)
    with pytest.raises(JournalCorrupt):
        house.journal.seal.open(4, contact, sealed[:5])


def test_plain_journal_goes_on_sealed_and_stays_readable(tmp_path: Path) -> None:
    plain = SqliteJournal(tmp_path)
    engine = Engine()
    records = []
    for command in (
        ApplyConfiguration(config=CONFIG),
        AdmitContact(channel="line", provider_id="1", handle="early@example.org"),
    ):
        step = engine.handle(command, now_ns=START_NS)
        records.append(Record(seq=step.seq, at_ns=START_NS, command=command, events=step.events))
    plain.append(Encoder().encode(records, after_seq=0, after_ns=0), expected_seq=0)
    plain.save_snapshot(engine.seq, engine.snapshot())
    plain.close()
    house = House(tmp_path)
    assert house.engine.state == engine.state
    late = house.customer("ana")
    house.journal.erase([late])
    house.journal.close()
    again = House(tmp_path)
    assert [contact.handle for contact in again.engine.state.contacts.values()] == ["early@example.org", ""]
    again.journal.close()


def test_rating_and_notes_are_sealed(house: House) -> None:
    contact = house.customer("ana")
    seal = house.encoder
    for command in (
        RateContact(contact=contact, score=1, comment="she sounded upset"),
        NoteContact(contact=contact, agent="ana", notes="she sounded upset"),
    ):
        record = Record(seq=1, at_ns=1, command=command, events=[])
        assert b"she sounded" not in seal.encode([record], after_seq=0, after_ns=0).payload


def test_keys_are_made_ahead_and_once(tmp_path: Path) -> None:
    with closing(KeyFile(tmp_path / "keys")) as keys:
        assert keys.key(3) is None
        keys.ensure(3)
        found = keys.key(3)
        assert found is not None
        assert len(found) == KEY_BYTES
        keys.reserve(BLOCK - 1)
        assert keys.size == 2 * BLOCK
        assert keys.key(3) == found
        assert keys.erase([3, 3, -1, keys.size]) == 1
        assert keys.key(3) is None
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600
    with closing(KeyFile(tmp_path / "keys")) as keys:
        assert keys.key(3) is None, "a restart gives no erased key back"
        assert keys.size == 2 * BLOCK
        keys.ensure(2 * BLOCK)
        assert keys.key(3) is None
    with pytest.raises(JournalCorrupt, match="is not a file of keys"):
        KeyFile(Path(__file__))


def test_numbers_that_are_closed_off_have_no_keys(tmp_path: Path) -> None:
    with closing(KeyFile(tmp_path / "keys")) as keys:
        keys.close_off(100)
        assert [keys.key(99), keys.size] == [None, 100]
        keys.ensure(100)
        assert keys.key(99) is None
        assert keys.key(100) is not None


def test_keys_bear_several_threads(tmp_path: Path) -> None:
    with closing(KeyFile(tmp_path / "keys")) as keys:
        threads = [threading.Thread(target=keys.ensure, args=(number * BLOCK,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert keys.size == 8 * BLOCK
        assert len({keys.key(number) for number in range(0, 8 * BLOCK, 1000)}) == len(
            range(0, 8 * BLOCK, 1000)
        )
