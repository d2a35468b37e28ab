"""Records to test with: a few plain ones by number, and any at all by Hypothesis."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from centralita.journal import Batch, Encoder, Journal
from centralita.messages import MessagePosted, PostMessage, Record

START_NS = 1_700_000_000_000_000_000
INT_MIN, INT_MAX = -(2**63), 2**64 - 1  # what msgpack can hold


def record(seq: int) -> Record:
    text = f"¿Qué tal, {seq}?"
    return Record(
        seq=seq,
        at_ns=START_NS + seq * 1_000_000_000,
        command=PostMessage(contact=1, author="customer", text=text, message_id=f"m{seq}"),
        events=[MessagePosted(contact=1, number=seq, author="customer", text=text, message_id=f"m{seq}")],
    )


def records(first: int, last: int) -> list[Record]:
    return [record(seq) for seq in range(first, last + 1)]


def batch(first: int, last: int, *, state_hash: bytes = b"") -> Batch:
    return Encoder().encode(records(first, last), after_seq=first - 1, after_ns=0, state_hash=state_hash)


def fill(journal: Journal, *sizes: int) -> None:
    """Append batches of these sizes."""
    for size in sizes:
        first = journal.last_seq + 1
        journal.append(batch(first, first + size - 1), expected_seq=first - 1)


def seqs(journal: Journal, after_seq: int = 0) -> list[int]:
    return [record.seq for records in journal.read(after_seq) for record in records]


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Every value a type of `centralita.messages` may have, found by looking at the type itself."""
    return _strategy(msgspec.inspect.type_info(kind))


def _strategy(info: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            parts = {field.encode_name: _strategy(field.type) for field in fields}
            return st.fixed_dictionaries(parts).map(lambda values: cls(**values))
        case msgspec.inspect.UnionType(types=types):
            return st.one_of([_strategy(kind) for kind in types])
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case msgspec.inspect.IntType(ge=ge, le=le, gt=gt, lt=lt):
            low = gt + 1 if gt is not None else ge if ge is not None else INT_MIN
            high = lt - 1 if lt is not None else le if le is not None else INT_MAX
            return st.integers(low, high)
        case msgspec.inspect.FloatType(ge=ge, le=le, gt=gt, lt=lt):
            return st.floats(
                min_value=ge if ge is not None else gt,
                max_value=le if le is not None else lt,
                exclude_min=gt is not None,
                exclude_max=lt is not None,
                allow_nan=False,
            )
        case msgspec.inspect.StrType(max_length=max_length, pattern=pattern):
            if pattern is not None:
                return st.from_regex(pattern, fullmatch=True).filter(lambda t: len(t) <= (max_length or 1000))
            return st.text(st.characters(codec="utf-8"), max_size=min(max_length or 20, 20))
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.ListType(item_type=item):
            return st.lists(_strategy(item), max_size=3)
        case msgspec.inspect.VarTupleType(item_type=item):
            return st.lists(_strategy(item), max_size=3).map(tuple)
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_strategy(key), _strategy(value), max_size=3)
        case _:
            raise NotImplementedError(f"no strategy for {info!r}: add it here")
