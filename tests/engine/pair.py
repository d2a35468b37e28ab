"""Two engines in one: the compiled way of a contact, and the Python that is its specification.

A `Pair` is an engine on the native core that hands each command to one on the naive core as well, and holds what comes of
it together: the step to its bytes and its types, and, every so often, all that the two know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Self

import msgspec

from centralita.capture import Capture
from centralita.engine import Engine, Step
from centralita.matching import Core
from centralita.matching.protocol import TIME_LIMIT_NS
from centralita.messages import AnyCommand, AnyEvent, Record
from centralita.simulate.torture.same import difference

LOOK_EVERY = 50
"""Commands between two looks at all that both know."""

_encode = msgspec.msgpack.Encoder().encode


class Pair(Engine):
    """An engine that is two. It is used as any other; `AssertionError` says where they differ."""

    def __init__(self, *, core: Core = "native") -> None:
        super().__init__(core=core)
        self.naive = Engine(core="naive") if core == "native" else None
        self.commands_n: Counter[type] = Counter()
        self.events_n: Counter[type] = Counter()
        self._chance = Random(7)
        self._captures: list[Capture] = []

    def handle(self, command: AnyCommand, *, now_ns: int) -> Step:
        if self.naive is None:
            return super().handle(command, now_ns=now_ns)
        step, other = _tried(super().handle, command, now_ns), _tried(self.naive.handle, command, now_ns)
        if isinstance(step, Exception) or isinstance(other, Exception):
            assert type(step) is type(other), f"after {command}: {step!r} / {other!r}"
            assert isinstance(step, Exception)
            raise step
        self._compare(command, step, other)
        return step

    def _compare(self, command: AnyCommand, step: Step, other: Step) -> None:
        assert self.naive is not None
        after = f"record {self.seq}, after {command}"
        assert step == other, f"{after}:\n{step}\n{other}"
        assert _encode(step) == _encode(other), after
        same_kinds(step, other, after)
        assert shared(step, self) == shared(other, self.naive), after
        assert (self.seq, self.now_ns) == (self.naive.seq, self.naive.now_ns), after
        self.commands_n[type(command)] += 1
        self.events_n.update(map(type, step.events))
        if self._captures:
            self._captures[1].step(1 + self._chance.randrange(3))
        if not self.commands_n.total() % LOOK_EVERY:
            self.look(after)

    def look(self, after: str = "at the end") -> None:
        """Hold together all that both know."""
        if self.naive is not None:
            same_engines(self, self.naive, after)

    def begin_capture(self) -> Capture:
        capture = super().begin_capture()
        if self.naive is not None:
            self._captures = [capture, self.naive.begin_capture()]
        return capture

    def end_capture(self) -> None:
        """Let go of both, and have them equal if the native one is whole."""
        if self._captures and self._captures[0].whole:
            one, other = self._captures
            assert one.finish() == other.finish()
            assert one.digest == other.digest
        self._captures = []
        super().end_capture()
        if self.naive is not None:
            self.naive.end_capture()

    @classmethod
    def restore(
        cls,
        snapshot: bytes | None,
        records: Iterable[Record],
        *,
        core: Core = "native",
        hashes: Mapping[int, bytes] = MappingProxyType({}),
    ) -> Self:
        kept = list(records)
        made = super().restore(snapshot, kept, core=core, hashes=hashes)
        if made.naive is not None:
            # A recovered dictionary would be shared with the records: each has its own, as after a crash.
            kept = msgspec.msgpack.decode(_encode(kept), type=list[Record])
            made.naive = Engine.restore(snapshot, kept, core="naive", hashes=hashes)
            made.look("after a recovery")
        return made


def _tried(handle: Any, command: AnyCommand, now_ns: int) -> Step | Exception:
    try:
        done: Step = handle(command, now_ns=now_ns)
    except Exception as error:  # noqa: BLE001  # which it is, is what is compared
        return error
    return done


def same_engines(one: Engine, other: Engine, after: str) -> None:
    """Hold two engines together: what they know, to the order of each table, and what their lines hold."""
    assert one.state_hash() == other.state_hash(), f"{after}:\n{difference(one, other)}"
    assert one.state == other.state, f"{after}:\n{difference(one, other)}"
    # Bytes have an order and know a bool from an int.
    assert _encode(one.state) == _encode(other.state), f"{after}:\n{difference(one, other)}"
    same_kinds(one.state, other.state, after)
    for name in ("known", "leaving", "agent_of", "changed", "terms"):
        assert getattr(one.lines, name) == getattr(other.lines, name), f"{after}: {name}"
    assert timers(one) == timers(other), after
    assert one.next_deadline_ns() == other.next_deadline_ns(), after
    assert one.lines.queue.state_hash() == other.lines.queue.state_hash(), after
    assert one.open_asks() == other.open_asks(), after


def timers(engine: Engine) -> list[tuple[int, int, int]]:
    """Every deadline: (when, kind, subject)."""
    held: list[tuple[int, int, int]] = engine.lines.timers.pop_due(2 * TIME_LIMIT_NS - 1)
    for at_ns, kind, subject in held:
        engine.lines.timers.schedule(kind, subject, at_ns)
    return held


def same_kinds(one: Any, other: Any, where: str) -> None:
    """Two equal values are of the same types, all the way down."""
    assert type(one) is type(other), f"{where}: {one!r} / {other!r}"
    if isinstance(one, msgspec.Struct):
        for field in one.__struct_fields__:
            same_kinds(getattr(one, field), getattr(other, field), f"{where}.{field}")
    elif isinstance(one, dict):
        for (key, value), (other_key, other_value) in zip(one.items(), other.items(), strict=True):
            same_kinds(key, other_key, where)
            same_kinds(value, other_value, f"{where}.{key}")
    elif isinstance(one, list | tuple):
        for value, other_value in zip(one, other, strict=True):
            same_kinds(value, other_value, where)


def shared(step: Step, engine: Engine) -> list[tuple[str, str, str]]:
    """Which tables of an event are the very ones that its contact holds: whoever changes one changes both."""
    return [
        (type(event).__name__, field, held)
        for event in step.events
        for field, table in _tables(event)
        for held, other in _tables(engine.state.contacts.get(getattr(event, "contact", 0)))
        if other is table
    ]


def _tables(struct: AnyEvent | Any) -> list[tuple[str, Any]]:
    fields = struct.__struct_fields__ if struct is not None else ()
    return [(field, value) for field in fields if isinstance(value := getattr(struct, field), dict | list)]
