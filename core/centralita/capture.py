"""The whole state as it was after one record, encoded piece by piece while it goes on changing.

A snapshot of many contacts takes longer than anybody should wait for a decision. So a capture encodes
what is small at once, and contacts a few at a time between decisions; a contact that is about to change
before its turn is encoded just before it does. What comes out is, byte for byte, what encoding everything in
one go would have given. The theory is copy-on-update checkpointing (Cao et al. 2011, "Fast checkpoint
recovery algorithms for frequently consistent applications", section 3).

The hash is of the state without customers' words (`personal.py`): a journal is the same whether somebody has
the keys to them, or has deleted some. The words themselves are covered by their records' checksums.

What follows from the contacts is left empty and made again when a snapshot is read: who waits in a queue, and
the indexes `by_provider` and `by_customer`. It refuses to know when a capture is wanted and where it goes.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, Final, get_args

import msgspec
from msgspec.structs import replace

from centralita.messages import AnyEvent, Event
from centralita.personal import bare_contact, bare_ended
from centralita.state import Ended, State, customer_key, provider_key

SNAPSHOT_SCHEMA: Final = 3
"""1: written in one go, with its indexes. 2: without them. 3: with whether a contact's customer was reached."""

MEANING: Final = 3
"""Goes up when an event comes to change the state otherwise than before though no field is new: then hashes
that were taken before can't be compared, and `tests/journal/test_upgrade.py` needs nothing else."""

DIGEST_BYTES: Final = 16
"""BLAKE2b of so many bytes: two states that differ by accident have the same once in 2**128."""

PIECE: Final = 300
"""Contacts encoded between two batches of decisions: well under a millisecond, a few when much was said."""

_EMPTY_MAP: Final = b"\x80"
_ENCODER: Final = msgspec.msgpack.Encoder()
_ABOUT_A_CONTACT: Final = frozenset(
    kind for kind in get_args(AnyEvent) if "contact" in kind.__struct_fields__
)


class Snapshot(msgspec.Struct, array_like=True):
    """What is written: the record after which, its time, and everything."""

    schema: int
    seq: int
    now_ns: int
    state: State


class Capture:
    """One capture. Ask `step` until it is True; meanwhile tell `before` of every event, before it is applied."""

    def __init__(self, state: State, *, seq: int, now_ns: int) -> None:
        self.seq = seq
        self.whole = False
        encode = _ENCODER.encode
        # Time goes on without a record when a command is refused, so it is no part of what is hashed.
        self.parts = [b"\x94" + encode(SNAPSHOT_SCHEMA) + encode(seq) + encode(now_ns)]
        """The snapshot's bytes so far; all of them once it is whole."""
        self._digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._state = state
        # Ids only rise and a dictionary keeps its order, so these are sorted.
        self._numbers = list(state.contacts)
        self._done_n = 0
        self._kept: dict[int, tuple[msgspec.Raw, msgspec.Raw]] = {}
        """(as it was, the same without words) of contacts that have changed before their turn."""
        self._ended: list[tuple[int, Ended]] = list(state.ended.items())
        self._ended_done_n = 0
        queues = {name: replace(queue, waiting={}) for name, queue in state.queues.items()}
        self._between = encode(state.agents) + encode(queues)
        self._last = _EMPTY_MAP * 2 + encode(state.components_down) + encode(state.words_swept_ns)
        self._put(
            bytes([0x90 | len(State.__struct_fields__)])
            + encode(state.config)
            + encode(state.last_id)
            + encode(state.last_agent_number)
            + encode(state.queue_turns)
            + encode(state.admitted_n)
            + encode(state.ended_n)
            + _map_header(len(self._numbers))
        )

    @property
    def digest(self) -> bytes:
        """The hash of the state, once it is whole."""
        assert self.whole
        return self._digest.digest()

    def before(self, event: Event) -> None:
        """Keep what an event is about to change, if its turn has not come."""
        if self.whole or type(event) not in _ABOUT_A_CONTACT:
            return
        number: int = event.contact  # type: ignore[attr-defined]
        todo = self._numbers
        if (
            self._done_n < len(todo)
            and todo[self._done_n] <= number <= todo[-1]
            and number not in self._kept
            and (contact := self._state.contacts.get(number)) is not None
        ):
            encode = _ENCODER.encode
            self._kept[number] = (
                msgspec.Raw(encode(contact)),
                msgspec.Raw(encode(bare_contact(contact))),
            )

    def step(self, piece: int = PIECE) -> bool:
        """Encode at most `piece` contacts, live or ended, more; True when it is whole."""
        if self._done_n < len(self._numbers):
            chunk = self._numbers[self._done_n : self._done_n + piece]
            self._done_n += len(chunk)
            contacts, kept = self._state.contacts, self._kept
            whole: dict[int, Any] = {}
            bare: dict[int, Any] = {}
            for number in chunk:
                if number in kept:
                    whole[number], bare[number] = kept.pop(number)
                else:
                    whole[number] = contact = contacts[number]
                    bare[number] = bare_contact(contact)
            self._put_entries(whole, bare)
        elif self._ended_done_n < len(self._ended):
            if not self._ended_done_n:
                self._put(self._between + _map_header(len(self._ended)))
            ended = self._ended[self._ended_done_n : self._ended_done_n + piece]
            self._ended_done_n += len(ended)
            self._put_entries(dict(ended), {number: bare_ended(number, one) for number, one in ended})
        elif not self.whole:
            self._put(self._last if self._ended else self._between + _EMPTY_MAP + self._last)
            self.whole = True
        return self.whole

    def finish(self) -> bytes:
        """Do all that is left at once and return the bytes."""
        while not self.step(len(self._numbers) + len(self._ended)):
            pass
        return b"".join(self.parts)

    def _put_entries(self, whole: dict[int, Any], bare: dict[int, Any]) -> None:
        header = len(_map_header(len(whole)))
        self.parts.append(_ENCODER.encode(whole)[header:])
        self._digest.update(_ENCODER.encode(bare)[header:])

    def _put(self, part: bytes) -> None:
        self.parts.append(part)
        self._digest.update(part)


def rebuild_indexes(state: State) -> None:
    """Make what a capture leaves out: contacts by their queue, their provider's id and their customer."""
    by_provider, by_customer, queues = state.by_provider, state.by_customer, state.queues
    for number, ended in state.ended.items():
        by_provider[provider_key(ended.channel, ended.provider_id)] = number
    for number, contact in state.contacts.items():
        by_provider[provider_key(contact.channel, contact.provider_id)] = number
        if contact.phase == "waiting":
            queues[contact.queue].waiting[number] = None
        if contact.customer is not None:
            by_customer.setdefault(customer_key(contact.customer), {})[number] = None


def infer_reached(state: State) -> None:
    """Make what a snapshot before form 3 does not say: whose customer was reached.

    Of one who was answered, is to be called back and waits it can't be known whether that was asked before or
    after; a callback that was promised is called.
    """
    for contact in state.contacts.values():
        talked = contact.phase in ("connected", "on_hold", "wrapping")
        contact.reached = contact.answered and (talked or not contact.callback_handle)


@cache
def state_form() -> bytes:
    """Eight bytes that stand for how this version writes a state down.

    Two versions with the same form hash the same state alike; a field added anywhere changes the form.
    """
    seen: dict[str, str] = {}
    _describe(State, seen)
    text = f"{SNAPSHOT_SCHEMA} {MEANING}\n" + "\n".join(
        f"{name}: {fields}" for name, fields in sorted(seen.items())
    )
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _describe(kind: Any, seen: dict[str, str]) -> None:
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        for inner in get_args(kind):
            _describe(inner, seen)
        return
    # Named by room, not by file: a package split anew writes the same bytes, so it keeps its form.
    name = f"{'.'.join(kind.__module__.split('.')[:2])}.{kind.__qualname__}"
    if name in seen:
        return
    fields = msgspec.structs.fields(kind)
    config = kind.__struct_config__
    seen[name] = f"{config.array_like} {config.omit_defaults} {config.tag!r} " + ", ".join(
        f"{field.encode_name}={field.default!s}" for field in fields
    )
    for field in fields:
        _describe(field.type, seen)


def _map_header(length: int) -> bytes:
    """How msgpack begins a map, in its shortest form, which is the one msgspec writes."""
    if length < 16:
        return bytes([0x80 | length])
    if length < 1 << 16:
        return b"\xde" + length.to_bytes(2, "big")
    return b"\xdf" + length.to_bytes(4, "big")
