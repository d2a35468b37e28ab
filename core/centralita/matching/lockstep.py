"""Both of a kind at once: whatever is asked is asked of the compiled one and of the specification, and compared.

An engine on both queues costs what the specification costs, and ends with `Diverged` at the very call that
the two answer differently: a state that went apart earlier is seen at the first question that shows it, and
`state_hash` asks about all of it. It is for whoever tortures or tests; nobody serves customers with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final


class Diverged(AssertionError):
    """The two have answered one call differently."""


_TAKE_ITERABLES: Final = frozenset(("requirement", "profile", "order", "ladder", "set_interrupts", "enqueue"))
"""Calls that take iterables: one that can be read once only would leave nothing to the second."""


class Lockstep:
    """Stands for `native` and `naive` at once: each of `names` is a method that asks both.

    An error that both raise, of the same kind, is the answer as any other is. Raises Diverged when one
    answers otherwise than the other; both have then done what was asked.
    """

    def __init__(self, native: Any, naive: Any, names: Iterable[str]) -> None:
        self._native, self._naive = native, naive
        for name in names:
            ask = _asking(name, getattr(native, name), getattr(naive, name))
            setattr(self, name, _kept(ask) if name in _TAKE_ITERABLES else ask)

    def __len__(self) -> int:
        length, beside = len(self._native), len(self._naive)
        if length != beside:
            raise Diverged(f"the compiled one holds {length}; the specification {beside}")
        return length


@cache
def methods_of(protocol: type) -> tuple[str, ...]:
    """The names of a protocol's methods, without those that Python itself calls."""
    return tuple(name for name, of in vars(protocol).items() if callable(of) and not name.startswith("_"))


def _asking(name: str, native: Callable[..., Any], naive: Callable[..., Any]) -> Callable[..., Any]:
    def ask(*args: Any, **named: Any) -> Any:
        try:
            answer = native(*args, **named)
        except Exception as error:
            _must_raise(name, naive, args, named, error)
            raise
        beside = naive(*args, **named)
        if answer != beside:
            raise Diverged(f"{name}{args}{named or ''} was answered {answer}; by the specification {beside}")
        return answer

    return ask


def _must_raise(
    name: str, naive: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any], error: Exception
) -> None:
    try:
        beside = naive(*args, **named)
    except Exception as other:  # noqa: BLE001  # whatever it is, it is compared
        if type(other) is type(error):
            return
        beside = repr(other)
    raise Diverged(f"{name}{args}{named or ''} was refused: {error!r}; by the specification {beside}")


def _kept(ask: Callable[..., Any]) -> Callable[..., Any]:
    def kept(*args: Any, **named: Any) -> Any:
        return ask(
            *(tuple(one) if hasattr(one, "__next__") else one for one in args),
            **{key: tuple(one) if hasattr(one, "__next__") else one for key, one in named.items()},
        )

    return kept
