"""What schema 1 of the journal looks like, written down in `data/`, so that a later version can be held to it.

    python -m tests.journal.schema

writes the listing and the two journals anew. Do so only while the schema is not released: afterwards a
failing test in `test_upgrade.py` means that the change must be made differently, or be schema 2 with its
own files and a reader for both.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from centralita import messages as m
from centralita.capture import SNAPSHOT_SCHEMA, state_form
from centralita.config import Agent, ChannelRule, EngineConfig, Limits, Overflow, Queue, Ring
from centralita.engine import _DECODER, Engine
from centralita.journal import SCHEMA, Encoder, SqliteJournal, SqliteJournalConfig, StateHash, export
from centralita.journal.codec import pack_state_hash
from centralita.look import agent_view, contact_view
from centralita.messages import AnyCommand, AnyEvent, Record, Tick

DATA: Final = Path(__file__).parent / "data"
LISTING: Final = DATA / f"schema_{SCHEMA}.json"
TYPES: Final = f"schema_{SCHEMA}_types"
LIFE: Final = f"schema_{SCHEMA}_life_{SNAPSHOT_SCHEMA}"
"""A life with a snapshot in the present form; those of older forms stay in `data/` as they were written."""
T0: Final = 1_790_000_000_000_000_000
S: Final = 1_000_000_000


# The listing: every struct that stands in the journal or in a snapshot, with its fields -------------


def listing() -> dict[str, Any]:
    """Struct by name: whether it is an array, and its fields in order as [name, types, default or None]."""
    found: dict[str, Any] = {}
    for kind in (Record, _DECODER.type):
        _list(msgspec.inspect.type_info(kind), found)
    return dict(sorted(found.items()))


def _list(info: msgspec.inspect.Type, found: dict[str, Any]) -> None:
    for inner in _inside(info):
        _list(inner, found)
    if not isinstance(info, msgspec.inspect.StructType) or _name(info.cls) in found:
        return
    fields: list[Any] = []
    found[_name(info.cls)] = {"array": info.array_like, "tag": info.tag, "fields": fields}
    for field in info.fields:
        fields.append([field.encode_name, types_of(field.type), None if field.required else _default(field)])
        _list(field.type, found)


def _name(cls: type) -> str:
    """Room and class: configuration and state both know a Queue; in which file of its room it is says nothing."""
    return f"{cls.__module__.split('.')[1]}.{cls.__name__}"


def _inside(info: msgspec.inspect.Type) -> list[msgspec.inspect.Type]:
    match info:
        case msgspec.inspect.UnionType(types=types):
            return list(types)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            return [item]
        case msgspec.inspect.SetType(item_type=item) | msgspec.inspect.FrozenSetType(item_type=item):
            return [item]
        case msgspec.inspect.TupleType(item_types=items):
            return list(items)
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return [key, value]
        case _:
            return []


def types_of(info: msgspec.inspect.Type) -> list[str]:
    """What a value may be, as a sorted list of alternatives: a later version may have more of them."""
    match info:
        case msgspec.inspect.UnionType(types=types):
            return sorted({name for kind in types for name in types_of(kind)})
        case msgspec.inspect.LiteralType(values=values):
            return sorted(json.dumps(value) for value in values)
        case msgspec.inspect.StructType(cls=cls):
            return [_name(cls)]
        case _:
            inner = ", ".join("|".join(types_of(kind)) for kind in _inside(info))
            name = type(info).__name__.removesuffix("Type").lower()
            limits = {
                key: getattr(info, key)
                for key in ("ge", "gt", "le", "lt", "pattern", "max_length")
                if getattr(info, key, None) is not None
            }
            return [f"{name}{f'[{inner}]' if inner else ''}{limits or ''}"]


def _default(field: msgspec.inspect.Field) -> str:
    if field.default is not msgspec.NODEFAULT:
        return json.dumps(msgspec.to_builtins(field.default), sort_keys=True)
    return json.dumps(msgspec.to_builtins(field.default_factory()), sort_keys=True)


# A journal with one of each command and event --------------------------------------------------------


def one_of_each() -> list[Record]:
    """Records with every command, and between them every event; all fields filled, none by chance."""
    commands: list[Any] = [filled(kind) for kind in get_args(AnyCommand)]
    events: list[Any] = [filled(kind) for kind in get_args(AnyEvent)]
    size = len(events) // len(commands) + 1
    return [
        Record(seq=seq, at_ns=T0 + seq, command=command, events=events[(seq - 1) * size : seq * size])
        for seq, command in enumerate(commands, 1)
    ]


def filled(kind: Any) -> Any:
    """A value of a type, with something in every place."""
    return _filled(msgspec.inspect.type_info(kind), 1)


def _filled(info: msgspec.inspect.Type, place: int) -> Any:
    match info:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls(**{f.encode_name: _filled(f.type, at) for at, f in enumerate(fields, 1)})
        case msgspec.inspect.UnionType(types=types):
            return _filled(next(t for t in types if not isinstance(t, msgspec.inspect.NoneType)), place)
        case msgspec.inspect.LiteralType(values=values):
            return values[-1]
        case msgspec.inspect.IntType(ge=ge, le=le):
            return min(max(place, ge or 0), le if le is not None else place)
        case msgspec.inspect.FloatType(ge=ge, le=le):
            return float(min(max(place + 0.5, ge or 0), le if le is not None else place + 0.5))
        case msgspec.inspect.StrType():
            return f"ñandú-{place}"
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.ListType(item_type=item):
            return [_filled(item, place)]
        case msgspec.inspect.VarTupleType(item_type=item):
            return (_filled(item, place),)
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return {_filled(key, place): _filled(value, place)}
        case _:
            raise NotImplementedError(f"nothing to fill {info!r} with: add it here")


# A journal of a small life, written by the engine ----------------------------------------------------

CONFIG: Final = EngineConfig(
    skills=("spanish", "billing"),
    queues={
        "sales": Queue(
            skills={"spanish": 5},
            rings=(Ring(after_s=60, drop=("spanish",)),),
            when_full=Overflow(do="callback"),
        ),
        "care": Queue(skills={"billing": 3}, agent_order=("most_skilled", "longest_idle"), wrap_up_s=600),
    },
    agents={
        "ana": Agent(title="Ana Gómez", skills={"spanish": 9, "billing": 2}),
        "bob": Agent(title="Bob Hill", skills={"billing": 7}),
        "eva": Agent(title="Eva Ruiz", skills={"billing": 4, "spanish": 6}),
    },
    channels={
        "shop": ChannelRule(medium="chat", queue="sales"),
        "line": ChannelRule(medium="voice", queue="care"),
    },
    limits=Limits(grace_s=30),
)


def live() -> tuple[Engine, list[Record], bytes, int]:
    """(the engine at the end, its records, a snapshot in the middle, after which record)."""
    engine = Engine()
    made: list[Record] = []
    now_ns = T0

    def do(command: AnyCommand) -> int:
        nonlocal now_ns
        now_ns += S
        step = engine.handle(command, now_ns=now_ns)
        assert step.refusal is None, step.refusal
        if step.events:
            made.append(Record(seq=step.seq, at_ns=engine.now_ns, command=command, events=step.events))
        return step.contact

    def offer(contact: int) -> tuple[str, int]:
        view = contact_view(engine, contact)
        assert view is not None
        (work,) = view.works
        return work.agent, work.offer

    def accept(contact: int) -> str:
        agent, number = offer(contact)
        do(m.AnswerOffer(contact=contact, agent=agent, offer=number, accept=True))
        do(m.ReportConnection(contact=contact, agent=agent, made=True))
        return agent

    # As it comes in from outside: seconds written as 60 are 60.0 then, here and after a recovery.
    do(msgspec.msgpack.decode(msgspec.msgpack.encode(m.ApplyConfiguration(config=CONFIG)), type=AnyCommand))
    for name in ("ana", "bob"):
        do(m.SignIn(agent=name, desk="console"))
    served = do(m.AdmitContact(channel="line", provider_id="call-1", handle="+34910000001"))
    agent = accept(served)
    do(m.NoteContact(contact=served, agent=agent, notes="wants the invoice again"))
    do(m.EndContact(contact=served, by=agent))
    do(m.FinishWrapUp(contact=served, agent=agent, disposition="solved"))
    chat = do(
        m.AdmitContact(channel="shop", provider_id="chat-1", customer_name="Iñaki", text="¿Hay alguien?")
    )
    accept(chat)
    do(m.PostMessage(contact=chat, author="agent", author_id="ana", text="Sí, dígame.", message_id="a1"))
    wrapping = do(m.AdmitContact(channel="line", provider_id="call-2"))
    do(m.EndContact(contact=wrapping, by=accept(wrapping)))
    middle, middle_seq = engine.snapshot(), engine.seq
    do(m.SignIn(agent="eva", desk="console", status="break", reason="lunch"))
    for number in (3, 4, 5):
        do(m.AdmitContact(channel="line", provider_id=f"call-{number}", priority=number))
    last = do(m.AdmitContact(channel="line", provider_id="call-6"))
    do(m.RequestCallback(contact=last, handle="+34910000006"))
    gone = do(m.AdmitContact(channel="line", provider_id="call-7"))
    do(m.AbandonContact(contact=gone))
    do(m.SetStatus(agent="eva", status="available"))
    do(m.LoseAgent(agent="ana", desk="console"))
    now_ns += 40 * S  # the grace is over: the chat goes back to its place
    do(Tick())
    return engine, made, middle, middle_seq


def as_seen(engine: Engine) -> dict[str, Any]:
    """The live contacts and the agents, in the views' fields."""
    return {
        "contacts": [
            msgspec.to_builtins(contact_view(engine, number)) for number in sorted(engine.state.contacts)
        ],
        "agents": [msgspec.to_builtins(agent_view(engine, name)) for name in sorted(engine.state.agents)],
    }


def extends(newer: Any, older: Any) -> bool:
    """Whether all that the older value says is said by the newer one, which may have more fields."""
    if isinstance(older, dict) and isinstance(newer, dict):
        return all(key in newer and extends(newer[key], value) for key, value in older.items())
    if isinstance(older, list) and isinstance(newer, list):
        return len(older) == len(newer) and all(map(extends, newer, older))
    return bool(newer == older)


# Writing them down -----------------------------------------------------------------------------------


def _write(
    name: str, made: list[Record], snapshots: dict[int, bytes], hashes: dict[int, bytes] | None = None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = SqliteJournalConfig(path=f"{name}.sqlite")
        journal = SqliteJournal(Path(folder), config)
        for first in range(0, len(made), 10):
            some = made[first : first + 10]
            known = [seq for seq in hashes or {} if first - 10 < seq <= first]
            state_hash = b""
            if hashes and known:
                taken = StateHash(seq=known[-1], form=state_form(), digest=hashes[known[-1]])
                state_hash = pack_state_hash(taken)
            batch = Encoder().encode(some, after_seq=first, after_ns=0, state_hash=state_hash)
            journal.append(batch, expected_seq=first)
        for seq, state in snapshots.items():
            journal.save_snapshot(seq, state)
        journal.close()
        with closing(sqlite3.connect(journal.path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        for old in DATA.glob(f"{name}.sqlite*"):
            old.unlink()
        for path in Path(folder).glob(f"{name}.sqlite*"):
            if not path.name.endswith((".lock", "-wal", "-shm")):
                shutil.copy(path, DATA / path.name)
    (DATA / f"{name}.jsonl").write_bytes(b"".join(export(DATA / f"{name}.sqlite")))


def main() -> None:
    DATA.mkdir(exist_ok=True)
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in listing().items()]
    LISTING.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    _write(TYPES, one_of_each(), {})
    engine, made, middle, middle_seq = live()
    at_ten = Engine.restore(None, made[:10]).state_hash()
    _write(LIFE, made, {middle_seq: middle}, {10: at_ten})
    (DATA / f"{LIFE}.seen.json").write_text(json.dumps(as_seen(engine), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
