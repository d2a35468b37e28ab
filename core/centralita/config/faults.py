"""A table as a struct, or what is wrong with it and where: msgspec's errors with the path of the TOML file."""

from __future__ import annotations

import difflib
import re
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec


def convert(value: Any, kind: Any, path: str, problems: list[str]) -> Any:
    """A table as a struct; None when it can't be, with what was wrong and where added to `problems`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problems.append(locate(_naming_keys(error, value, kind), path) + what_is_known(error, kind))
        return None


def locate(error: msgspec.ValidationError, path: str) -> str:
    """A msgspec error as `path.to.the.field: what was wrong`."""
    message, separator, tail = str(error).partition(_AT)
    if not separator:
        return f"{path}: {message}"
    return f"{path}{tail.rstrip('`')}: {message}"


_AT: Final = " - at `$"
_SOME_KEY: Final = "[...]"
"""How msgspec names the place of a fault below a key of a mapping, whichever key it is."""


def _naming_keys(error: msgspec.ValidationError, value: Any, kind: Any) -> msgspec.ValidationError:
    """The same error with the key named: the first of its mapping that alone brings the fault about."""
    message, _, tail = str(error).partition(_AT)
    before, separator, after = tail.partition(_SOME_KEY)
    if not separator:
        return error
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", before)]
    for key in _at(value, steps):
        reduced = _replaced(value, steps, {key: _at(value, steps)[key]})
        try:
            msgspec.convert(reduced, kind)
        except msgspec.ValidationError as alone:
            if str(alone) == str(error):
                return msgspec.ValidationError(f"{message}{_AT}{before}.{key}{after}")
    return error


def _at(value: Any, steps: list[Any]) -> Any:
    for step in steps:
        value = value[step]
    return value


def _replaced(value: Any, steps: list[Any], part: Any) -> Any:
    """A copy of nested tables and arrays with what stands at `steps` replaced."""
    if not steps:
        return part
    copy = value.copy()
    copy[steps[0]] = _replaced(value[steps[0]], steps[1:], part)
    return copy


def what_is_known(error: msgspec.ValidationError, kind: Any) -> str:
    """What to add to a msgspec error about a `kind`: the fields of a table, the words of a field; "" for others."""
    message, _, place = str(error).partition(_AT)
    found = _kind_at(kind, re.findall(r"\.{3}|[^.\[\]`]+", place))
    if message.startswith("Invalid enum value") and get_origin(found) is Literal:
        return f"; known: {', '.join(map(str, get_args(found)))}"
    return _known_fields(message, found)


def _kind_at(kind: Any, steps: list[str]) -> Any:
    """The type of what stands at a place; None where it can't be told."""
    found = _plain(kind)
    for step in steps:
        if hasattr(found, "__struct_fields__"):
            fields = msgspec.structs.fields(found)
            inner = next((field.type for field in fields if field.encode_name == step), None)
        else:
            inner = (get_args(found) or (None,))[1 if get_origin(found) is dict else 0]
        found = _plain(inner)
    return found


def _plain(kind: Any) -> Any:
    """A type without its bounds, and without None beside it."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        others = [part for part in get_args(kind) if part is not NoneType]
        return _plain(others[0]) if len(others) == 1 else None
    return kind


def _known_fields(message: str, kind: Any) -> str:
    """Which fields a table has, for whoever wrote one that it hasn't; the most alike first."""
    wrong, _, _ = message.removeprefix("Object contains unknown field `").partition("`")
    if wrong == message or not hasattr(kind, "__struct_fields__"):
        return ""
    alike = difflib.get_close_matches(wrong, kind.__struct_fields__, n=1)
    hint = f"; did you mean {alike[0]}?" if alike else ";"
    return f"{hint} known: {known_names(kind.__struct_fields__)}"


def known_names(names: Any) -> str:
    """What a message says is allowed: the names in order, or that there are none."""
    return ", ".join(sorted(names)) or "none"
