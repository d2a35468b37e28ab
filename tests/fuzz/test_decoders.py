"""Whatever bytes come to a decoder, it reads them or says what is wrong: never another exception, never a crash.

Journal batches, sealed records, snapshots, keys, the chat's and the desk's frames, TOML configurations, tokens.
Each is fed with noise, and with what is right but for a few bytes. `make fuzz` tries fifty times as many.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from centralita.config import decode, loads
from centralita.engine import Engine
from centralita.errors import ConfigurationError, JournalCorrupt, JournalError
from centralita.journal import Decoder, Encoder
from centralita.journal.codec import unpack_state_hash
from centralita.journal.protocol import Batch
from centralita.journal.sealed_state import bare_state, close_state, open_state
from centralita.messages import AdmitContact, ApplyConfiguration, PostMessage, Record
from centralita_http.desk_words import Misspoken, first_token, understand
from centralita_http.tokens import _TOKEN
from centralita_journal_sealed import KeyFile, KeySeal
from centralita_webchat import frames
from tests.journal.samples import records

NOISE = st.binary(max_size=200)
QUIET = settings(suppress_health_check=list(HealthCheck), deadline=None)
CONFIG = loads(
    'default_queue = "sales"\n[queues.sales]\n[agents.ana]\n[channels.line]\ntype = "program"\n'
).engine


def damaged(good: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a few of them changed, some cut off, some put in."""

    @st.composite
    def damage(draw: st.DrawFn) -> bytes:
        content = bytearray(good)
        for _ in range(draw(st.integers(1, 4))):
            place = draw(st.integers(0, max(0, len(content) - 1)))
            match draw(st.integers(0, 3)):
                case 0 if content:
                    content[place] = draw(st.integers(0, 255))
                case 1:
                    del content[place : place + draw(st.integers(1, 20))]
                case 2:
                    content[place:place] = draw(st.binary(min_size=1, max_size=6))
                case _:
                    del content[place:]
        return bytes(content)

    return damage()


def batch(payload: bytes) -> Batch:
    return Batch(first_seq=1, last_seq=3, at_ns=5, payload=payload)


PLAIN = Encoder().encode(records(1, 3), after_seq=0, after_ns=0).payload


@given(payload=NOISE | damaged(PLAIN))
@QUIET
def test_journal_batch_is_read_or_corrupt(payload: bytes) -> None:
    try:
        Decoder().decode(batch(payload))
    except JournalCorrupt:
        pass


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> KeySeal:
    return KeySeal(KeyFile(tmp_path_factory.mktemp("keys") / "keys"))


def lived() -> Engine:
    engine = Engine()
    for command in (
        ApplyConfiguration(config=CONFIG),
        AdmitContact(channel="line", provider_id="1", handle="a@b.example", text="words"),
    ):
        engine.handle(command, now_ns=1)
    engine.handle(PostMessage(contact=1, author="customer", text="more"), now_ns=2)
    return engine


@given(data=st.data())
@QUIET
def test_sealed_batch_is_read_or_corrupt(seal: KeySeal, data: st.DataObject) -> None:
    sealed = Encoder(seal).encode(records(1, 3), after_seq=0, after_ns=0).payload
    payload = data.draw(NOISE | damaged(sealed))
    try:
        for record in Decoder(seal).decode(batch(payload)):
            assert isinstance(record, Record)
    except JournalCorrupt:
        pass


@given(data=st.data())
@QUIET
def test_snapshot_is_read_or_corrupt(seal: KeySeal, data: st.DataObject) -> None:
    whole = lived().snapshot()
    state = data.draw(NOISE | damaged(whole) | damaged(close_state(whole, seal)))
    readers: list[Callable[[], bytes]] = [lambda: open_state(state, seal), lambda: bare_state(state)]
    for read in readers:
        try:
            opened = read()
        except JournalCorrupt:
            continue
        try:
            Engine.restore(opened, ())
        except JournalCorrupt:
            pass


@pytest.mark.parametrize(
    "short", [b"", b"\x90", b"\x91\x00", b"\x94\x00\x00\x00\x00", b"\x94\x00\x00\x00\x90"]
)
def test_snapshot_without_its_places_is_corrupt(seal: KeySeal, short: bytes) -> None:
    with pytest.raises(JournalCorrupt):
        Engine.restore(bare_state(short), ())
    with pytest.raises(JournalCorrupt):
        Engine.restore(open_state(short, seal), ())


@given(packed=NOISE)
@QUIET
def test_packed_hash_is_read_or_corrupt(packed: bytes) -> None:
    try:
        unpack_state_hash(packed)
    except JournalCorrupt:
        pass


@given(content=st.binary(max_size=100))
@QUIET
def test_file_of_keys_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed-keys"
    path.write_bytes(content)
    try:
        keys = KeyFile(path)
    except JournalError:
        return
    keys.key(3)
    keys.close()


TEXT = st.text(max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def objects(kinds: tuple[str, ...], tag: str, fields: tuple[str, ...]) -> st.SearchStrategy[str]:
    named = st.dictionaries(st.sampled_from(fields) | TEXT, VALUES, max_size=5)
    return st.builds(
        lambda kind, rest: msgspec.json.encode({tag: kind, **rest}).decode(), st.sampled_from(kinds), named
    )


CHAT = objects(
    frames.CLIENT_KINDS,
    "type",
    (
        "message_id",
        "text",
        "attachments",
        "chat",
        "name",
        "email",
        "score",
        "session",
        "secret",
        "last",
        "on",
    ),
)


@given(said=TEXT | CHAT)
@QUIET
def test_frame_of_a_chat_is_understood_or_said_to_be_wrong(said: str) -> None:
    try:
        frames.decode(said)
    except msgspec.DecodeError:
        pass


DESK = objects(
    ("PostMessage", "AnswerOffer", "SetStatus", "TransferContact", "PlaceContact", "IdentifyContact", "nothing"),
    "command",
    ("id", "contact", "offer", "accept", "text", "target", "customer", "status", "agent", "ask", "signal"),
)  # fmt: skip


@given(said=TEXT | NOISE | DESK)
@QUIET
def test_frame_of_a_desk_is_understood_or_said_to_be_wrong(said: str | bytes) -> None:
    for read in (lambda: understand(said, agent="ana", desk="console"), lambda: first_token(said)):
        try:
            read()
        except Misspoken:
            pass


TOML = """
skills = ["en"]
default_queue = "sales"
[domain]
name = "x"
[hours.office]
timezone = "Europe/Madrid"
[queues.sales]
skills = { en = 1 }
offer_s = 20
[agents.ana]
title = "Ana"
skills = { en = 5 }
[channels.line]
type = "program"
queue = "sales"
"""


@given(text=damaged(TOML.encode()).map(lambda content: content.decode("utf-8", "replace")) | TEXT)
@QUIET
def test_configuration_is_read_or_its_problems_are_named(text: str) -> None:
    told = ["nothing"]
    try:
        loads(text)
    except ConfigurationError as error:
        told = error.problems
    assert told


@given(values=st.dictionaries(st.sampled_from(["queues", "agents", "channels", "skills", "media"]), VALUES))
@QUIET
def test_configuration_of_any_values_is_read_or_its_problems_are_named(values: dict[str, object]) -> None:
    told = ["nothing"]
    try:
        decode(values)
    except ConfigurationError as error:
        told = error.problems
    assert told


@given(text=TEXT)
@QUIET
def test_token_is_matched_whole(text: str) -> None:
    match = _TOKEN.fullmatch(text)
    assert match is None or match[0] == text
