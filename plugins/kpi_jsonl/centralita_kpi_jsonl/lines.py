"""Which lines a record gives, and what stands in them. No file, no position.

Every line says where it comes from: `seq` of its record, and `line` of `lines` of that record's, so that a
reader of a torn file knows whether a record is there whole.

Customers' words and addresses are left out unless `personal` is set: an export travels further than a
journal does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, Literal

import msgspec

from centralita.messages import ConfigurationApplied, ContactEnded, Record, named
from centralita.personal import PERSONAL

Content = Literal["events", "contacts"]

_PERSONAL: Final = {kind.__name__: names for kind, names in PERSONAL.items()}

_NS_FIELDS: Final = ("waited_ns", "talk_ns", "hold_ns", "wrap_up_ns")
_encode: Final = msgspec.json.Encoder().encode


def lines_of(record: Record, content: Content, *, personal: bool) -> bytes:
    """The record's lines, each ending in a newline; empty when it has none."""
    found = list(_events(record, personal) if content == "events" else _contacts(record))
    return b"".join(
        _encode({"seq": record.seq, "line": number, "lines": len(found), **one}) + b"\n"
        for number, one in enumerate(found, 1)
    )


def erased(line: bytes, *, contacts: Collection[int]) -> bytes | None:
    """A line without what is the customer's, when it is of one of these contacts and has such; else None."""
    fields = msgspec.json.decode(line, type=dict[str, Any])
    if fields.get("contact") not in contacts:
        return None
    bare = _without(fields)
    return None if bare == fields else _encode(bare) + b"\n"


def about(line: bytes, contacts: Collection[int]) -> dict[str, Any] | None:
    """A line's fields, when it is of one of these contacts; else None."""
    fields = msgspec.json.decode(line, type=dict[str, Any])
    return fields if fields.get("contact") in contacts else None


def _without(fields: dict[str, Any]) -> dict[str, Any]:
    personal = _PERSONAL.get(fields.get("type", ""), ())
    return {name: value for name, value in fields.items() if name not in personal}


def _events(record: Record, personal: bool) -> Iterator[dict[str, Any]]:
    for event in record.events:
        fields = named(event)
        if not personal:
            fields = _without(fields)
        if isinstance(event, ConfigurationApplied):
            # It names every agent and rule, and is in the journal; here its moment is enough.
            fields.pop("config")
        yield {"at_ns": record.at_ns, **fields}


def _contacts(record: Record) -> Iterator[dict[str, Any]]:
    for event in record.events:
        if isinstance(event, ContactEnded):
            fields = named(event)
            del fields["type"], fields["reason"]
            times_s = {name.removesuffix("_ns") + "_s": fields.pop(name) / 1e9 for name in _NS_FIELDS}
            yield {**fields, "ended_ns": record.at_ns, **times_s}
