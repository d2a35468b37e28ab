"""A message with its names, for people and JSON: the arrays of the journal have none."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from centralita.messages.asks import Ask

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""What stays as it is, nine of ten values: asked for first, since figures and lists are tens of thousands of them."""


def named(value: object) -> Any:
    """A message as plain dictionaries with its type, for people and JSON: the arrays of the journal
    have no names. `{"type": "ContactOffered", "contact": 7, ...}`; defaults are kept."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, msgspec.Struct):
        fields = {name: named(getattr(value, name)) for name in value.__struct_fields__}
        tag = value.__struct_config__.tag
        if tag is not None:
            return {"type": tag, **fields}
        if isinstance(value, Ask):
            return {"type": type(value).__name__, **fields}
        return fields
    if isinstance(value, dict):
        return {key: named(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [named(item) for item in value]
    return msgspec.to_builtins(value)
