"""A snapshot's bytes with customers' words sealed: each contact's under its own key, as in the records.

The state stands in the snapshot as it will be once the keys are gone; what was taken out stands after it. It
is taken apart by places, not by types, so it costs no second state in memory, and what it does not know it
leaves alone. It refuses to know where a snapshot is kept.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from centralita.errors import JournalCorrupt
from centralita.journal.protocol import Seal
from centralita.messages import Attachment, Customer
from centralita.personal import ERASED, PERSONAL, erased
from centralita.state import Contact, Ended, Message, State

_STATE: Final = 3
_SEALED: Final = 4
"""Places in a snapshot's array: the state, and what was taken out of it."""

_OF_STATE: Final = {name: place for place, name in enumerate(State.__struct_fields__)}
_CONTACTS, _ENDED = _OF_STATE["contacts"], _OF_STATE["ended"]

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode
_decode_raws: Final = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


def close_state(state: bytes, seal: Seal) -> bytes:
    """A snapshot sealed. Raises JournalError when a key can't be kept."""
    snapshot, everything = _parts(state)
    contacts, ended = _decode(everything[_CONTACTS]), _decode(everything[_ENDED])
    sealed = [_close_all(contacts, _PLACES_OF_CONTACT, seal), _close_all(ended, _PLACES_OF_ENDED, seal)]
    everything[_CONTACTS], everything[_ENDED] = contacts, ended
    return _encode([*snapshot[:_STATE], everything, sealed])


def open_state(state: bytes, seal: Seal) -> bytes:
    """A snapshot as it was before it was sealed, as far as there are keys; one that never was, as it is.

    Raises JournalCorrupt.
    """
    try:
        snapshot, everything = _parts(state)
        if len(snapshot) <= _SEALED:
            return state
        contacts, ended = _decode(everything[_CONTACTS]), _decode(everything[_ENDED])
        of_contacts, of_ended = _decode(snapshot[_SEALED])
        _open_all(contacts, of_contacts, _PLACES_OF_CONTACT, seal)
        _open_all(ended, of_ended, _PLACES_OF_ENDED, seal)
    except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
        raise JournalCorrupt(f"a sealed snapshot can't be read: {error}") from error
    everything[_CONTACTS], everything[_ENDED] = contacts, ended
    return _encode([*snapshot[:_STATE], everything])


def bare_state(state: bytes) -> bytes:
    """A snapshot as if every key was erased; one that was never sealed, as it is. Raises JournalCorrupt."""
    try:
        snapshot, _ = _parts(state)
    except (msgspec.DecodeError, LookupError, ValueError) as error:
        raise JournalCorrupt(f"a snapshot can't be read: {error}") from error
    return state if len(snapshot) <= _SEALED else _encode(snapshot[:_SEALED])


def _parts(state: bytes) -> tuple[list[msgspec.Raw], list[Any]]:
    """A snapshot's places, and those of the state in it. What is not touched goes on byte for byte."""
    snapshot = _decode_raws(state)
    return snapshot, list(_decode_raws(snapshot[_STATE]))


def _places(kind: type[msgspec.Struct]) -> tuple[tuple[str, int], ...]:
    order = {name: place for place, name in enumerate(kind.__struct_fields__)}
    return tuple((name, order[name]) for name in PERSONAL[kind])


_PLACES_OF_CONTACT: Final = _places(Contact)
_PLACES_OF_ENDED: Final = _places(Ended)
_PLACES_OF_MESSAGE: Final = _places(Message)
_OF_CUSTOMER: Final = {name: place for place, name in enumerate(Customer.__struct_fields__)}
_OF_ATTACHMENT: Final = {name: place for place, name in enumerate(Attachment.__struct_fields__)}


def _close_all(
    rows: dict[int, list[Any]], places: tuple[tuple[str, int], ...], seal: Seal
) -> dict[int, bytes]:
    sealed: dict[int, bytes] = {}
    for contact, row in rows.items():
        words = [row[place] for _, place in places]
        if not any(words):
            continue
        blob = seal.close(0, contact, _encode(words))
        if blob is not None:
            sealed[contact] = blob
        for name, place in places:
            row[place] = _bare(name, row[place], contact)
    return sealed


def _open_all(
    rows: dict[int, list[Any]], sealed: dict[int, bytes], places: tuple[tuple[str, int], ...], seal: Seal
) -> None:
    for contact, blob in sealed.items():
        words = seal.open(0, contact, blob)
        if words is not None:
            for (_, place), value in zip(places, _decode(words), strict=True):
                rows[contact][place] = value


def _bare(name: str, value: Any, contact: int) -> Any:
    """`personal.erased` for values that stand as arrays without types."""
    if not value:
        return value
    if name == "messages":
        return [_bare_message(message, contact) for message in value]
    if name == "attachments":
        return [_changed(one, _OF_ATTACHMENT, id="", name=ERASED) for one in value]
    if name == "customer":
        return _changed(value, _OF_CUSTOMER, id=f"erased-{contact}", name=ERASED, language="", url="")
    return erased(name, value, contact)


def _bare_message(message: list[Any], contact: int) -> list[Any]:
    bare = list(message)
    for name, place in _PLACES_OF_MESSAGE:
        bare[place] = _bare(name, bare[place], contact)
    return bare


def _changed(row: list[Any], order: dict[str, int], **values: Any) -> list[Any]:
    changed = list(row)
    for name, value in values.items():
        if order[name] < len(changed):
            changed[order[name]] = value
    return changed
