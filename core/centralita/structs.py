"""The base of every struct that crosses a seam: frozen and keyword-only, in its subclasses too.

msgspec hands `frozen` down to subclasses but not `kw_only`; two numbers side by side must be named, so
the metaclass sets it for every one. `dataclass_transform` tells type checkers the same.
"""

from __future__ import annotations

from typing import Any, dataclass_transform

import msgspec


class _FrozenMeta(msgspec.StructMeta):
    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **settings: Any
    ) -> _FrozenMeta:
        settings.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **settings)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Frozen(msgspec.Struct, metaclass=_FrozenMeta, frozen=True):
    """A frozen, keyword-only struct."""
