"""What structs have in common: those that cross a seam are frozen, those that are the state change cheaply.

`Frozen` is frozen and keyword-only, in its subclasses too: msgspec hands `frozen` down to subclasses but not
`kw_only`; two numbers side by side must be named, so the metaclass sets it for every one.
`dataclass_transform` tells type checkers the same.
"""

from __future__ import annotations

from typing import Any, TypeVar, dataclass_transform

import msgspec

_StructT = TypeVar("_StructT", bound=msgspec.Struct)


class _FrozenMeta(msgspec.StructMeta):
    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **settings: Any
    ) -> _FrozenMeta:
        settings.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **settings)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Frozen(msgspec.Struct, metaclass=_FrozenMeta, frozen=True):
    """A frozen, keyword-only struct."""


def often_set(kind: type[_StructT]) -> type[_StructT]:
    """Let the interpreter store into the fields of a struct itself, which is five times as fast.

    msgspec sets a field by a function of its own, so that a struct becomes known to the garbage collector once it
    holds something that can be in a cycle. One without `gc` never does, and Python's own way is left. Both of the
    type's ways must be set, and after msgspec has made it: the interpreter looks at what they share.
    """
    assert not kind.__struct_config__.gc, f"{kind.__name__} is for the collector to follow"
    kind.__setattr__ = object.__setattr__  # type: ignore[method-assign]
    kind.__delattr__ = object.__delattr__  # type: ignore[method-assign]
    return kind
