"""Which lines a record gives, and what stands in them. No file, no position.

Every line says where it comes from: `seq` of its record, and `line` of `lines` of that record's, so that a
reader of a torn file knows whether a record is there whole.

Customers' words and addresses are left out unless `personal` is set: an export travels further than a
journal does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from centralita.messages import ConfigurationApplied, ContactEnded, Record, named

Content = Literal["events", "contacts"]

PERSONAL_FIELDS: Final = frozenset(
    {
        "attachments",
        "attributes",
        "comment",
        "customer",
        "customer_name",
        "handle",
        "note",
        "notes",
        "provider_id",
        "subject",
        "summary",
        "text",
        "to",
    }
)
"""Fields of events that hold what a customer said, or who the customer is."""

_NS_FIELDS: Final = ("waited_ns", "talk_ns", "hold_ns", "wrap_up_ns")
_encode: Final = msgspec.json.Encoder().encode


def lines_of(record: Record, content: Content, *, personal: bool) -> bytes:
    """The record's lines, each ending in a newline; empty when it has none."""
    found = list(_events(record, personal) if content == "events" else _contacts(record))
    return b"".join(
        _encode({"seq": record.seq, "line": number, "lines": len(found), **one}) + b"\n"
        for number, one in enumerate(found, 1)
    )


def _events(record: Record, personal: bool) -> Iterator[dict[str, Any]]:
    for event in record.events:
        fields = named(event)
        if not personal:
            fields = {name: value for name, value in fields.items() if name not in PERSONAL_FIELDS}
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
