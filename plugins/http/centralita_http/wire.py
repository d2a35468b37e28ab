"""The words of the interfaces: the engine's messages as JSON objects with named fields.

Commands, customers and attachments are journalled as arrays, whose places have no names. People and
browsers get objects instead: `encode` writes them, `object_form` derives from a message the struct that
reads one. The derived forms forbid unknown fields and keep every number within what JSON readers
and the journal can both hold, so nothing beyond them comes near the engine.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from centralita.config import what_is_known
from centralita.messages import AnyCommand, Command, named

Form = TypeVar("Form", bound=Struct)

INTEGER_MAX: Final = (1 << 53) - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8259, section 6)."""
REAL_MAX: Final = 1e9
WORDS_MAX: Final = 65_536
"""The longest text of a message; longer ones are files."""
ITEMS_MAX: Final = 100

Integer = Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Words = Annotated[str, Meta(max_length=WORDS_MAX)]
Short = Annotated[str, Meta(max_length=1000)]
Skills = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[int, Meta(ge=1, le=10)]], Meta(max_length=100)
]

_encoder: Final = msgspec.json.Encoder()
_forms: dict[type[Struct], type[Struct]] = {}


def encode(value: object) -> bytes:
    """A view, a message, or dictionaries and lists of them, as JSON with names."""
    return _encoder.encode(named(value))


def object_form(message: type[Struct], *, without: Iterable[str] = ()) -> type[Struct]:
    """The struct that reads `message` from a JSON object; the fields in `without` aren't read."""
    left_out = frozenset(without)
    if not left_out and message in _forms:
        return _forms[message]
    hints = typing.get_type_hints(message, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(message):
        if field.name in left_out:
            continue
        kind = _bounded(hints[field.name])
        if field.required:
            fields.append((field.name, kind))
        else:
            fields.append((field.name, kind, field.default))
    form = msgspec.defstruct(
        f"{message.__name__}Fields", fields, kw_only=True, frozen=True, forbid_unknown_fields=True
    )
    if not left_out:
        _forms[message] = form
    return form


def fields_of(form: Struct) -> dict[str, Any]:
    """What was read, as arguments for the message; nested forms become their messages."""
    return {name: _message(getattr(form, name)) for name in form.__struct_fields__}


def converted(fields: dict[str, Any], form: type[Form]) -> Form:
    """Decoded JSON fields as a form. Raises msgspec.ValidationError, whose message names the field and what is known."""
    try:
        return msgspec.convert(fields, form)
    except msgspec.ValidationError as error:
        message, at, place = str(error).partition(" - at ")
        raise msgspec.ValidationError(f"{message}{what_is_known(error, form)}{at}{place}") from None


def reader(command: type[Command], *, without: Iterable[str] = ()) -> Callable[..., AnyCommand]:
    """A function from decoded JSON fields, and the arguments left out, to the command.

    It raises as `converted` does.
    """
    form = object_form(command, without=without)

    def read(fields: dict[str, Any], **given: Any) -> AnyCommand:
        made: Any = command(**fields_of(converted(fields, form)), **given)
        return typing.cast(AnyCommand, made)

    return read


def _bounded(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Struct):
        form = object_form(kind)
        _messages[form] = kind
        return form
    if kind is int:
        return Integer
    if kind is float:
        return Annotated[float, Meta(ge=-REAL_MAX, le=REAL_MAX)]
    if kind is str:
        return Words
    origin = get_origin(kind)
    if origin is Annotated or origin is Literal or origin is None:
        return kind
    parts = tuple(part if part is Ellipsis else _bounded(part) for part in get_args(kind))
    if origin in {Union, types.UnionType}:
        return Union[parts]  # noqa: UP007  # made of values, which `|` can't fold
    made = origin[parts]
    return Annotated[made, Meta(max_length=ITEMS_MAX)] if origin in {dict, tuple, list} else made


_messages: dict[type[Struct], type[Struct]] = {}


def _message(value: Any) -> Any:
    if isinstance(value, Struct) and type(value) in _messages:
        return _messages[type(value)](**fields_of(value))
    if isinstance(value, tuple | list):
        return type(value)(_message(item) for item in value)
    return value
