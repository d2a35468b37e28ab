"""Checks 101 to 106: what a plugin says of itself, and how its settings become a component."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect

from centralita import compatibility
from centralita.config import COMPONENT_KINDS
from centralita.errors import CentralitaError, ConfigurationError, PluginError
from centralita.plugins import HOOKS
from centralita.testing.bench import Bench, refused
from centralita.testing.checks import check, fail
from centralita.testing.watch import descriptors_open

EVERY: Final = tuple(HOOKS)

ODD: Final[dict[type[inspect.Type], tuple[object, ...]]] = {
    inspect.StrType: ("", " ", "no such thing ∅", "/no/such/place", "http://[", "x" * 5000),
    inspect.IntType: (-1, 0, 1, 65_536, 2**53),
    inspect.FloatType: (-1.0, 0.0, 1e-9, 1e18),
}
"""Values that a type of settings allows and that may yet make no sense."""


@check(101, "The plugin states the version of the API that it was built for", kinds=EVERY)
async def states_its_version(bench: Bench) -> None:
    """`centralita_api = 1` beside the hooks."""
    name = bench.registration.plugin
    loaded = bench.subject.plugins.loaded[name]
    if loaded.api_version is None:
        fail(
            f"plugin {name!r} states none; write {compatibility.ATTRIBUTE} = {compatibility.API_VERSION} "
            "beside its hooks"
        )


@check(102, "A setting that is not known is refused, at every depth", kinds=EVERY)
async def forbids_unknown_settings(bench: Bench) -> None:
    """Every struct of the settings forbids unknown fields; a slip of the pen is never passed over."""
    for path, struct in _structs(bench.registration.config_type):
        if not struct.__struct_config__.forbid_unknown_fields:
            fail(f"{path}: {struct.__name__} lets unknown fields through; give it forbid_unknown_fields=True")


@check(103, "Settings can't be changed, at any depth", kinds=EVERY)
async def settings_are_frozen(bench: Bench) -> None:
    """Every struct of the settings is frozen."""
    for path, struct in _structs(bench.registration.config_type):
        if not struct.__struct_config__.frozen:
            fail(f"{path}: {struct.__name__} can be changed; give it frozen=True")


@check(104, "Settings that can't be used are refused with their place", kinds=EVERY)
async def refuses_with_the_place(bench: Bench) -> None:
    """Whatever fits the types either builds or raises ConfigurationError that begins with the TOML path."""
    path = bench.subject.path
    _close(bench.make())
    for field, value in _odd_settings(bench.registration.config_type):
        settings = {**bench.settings, field: value}
        try:
            bench.prepared(settings)
        except ConfigurationError:
            continue  # the types refuse it
        try:
            _close(bench.make(settings, data=bench.folder / f"odd-{field}"))
        except ConfigurationError as error:
            if astray := refused(error, path):
                fail(f"with {field} = {value!r:.60} a problem does not begin with {path}: {astray[0]!r:.200}")
        except CentralitaError as error:
            if isinstance(error, PluginError):
                cause = error.__cause__
                fail(
                    f"with {field} = {value!r:.60} build raised {type(cause or error).__name__}: {cause or error!s:.100}; "
                    f"must be ConfigurationError([{path + '.' + field + ': …'!r}])"
                )


@check(105, "Every table gets a component of its own", kinds=EVERY)
async def builds_one_for_each_table(bench: Bench) -> None:
    """Two tables of the same type are two components."""
    first = bench.make()
    second = bench.make(data=bench.folder / "second")
    try:
        if first is second:
            fail("build gave the same component twice")
    finally:
        _close(first)
        _close(second)


@check(106, "Building a component opens nothing and starts nothing", kinds=COMPONENT_KINDS)
async def building_opens_nothing(bench: Bench) -> None:
    """No file, no socket, no thread: that is for `run`, which is supervised."""
    bench.make()  # what is imported at the first time is not held against it
    before, threads = descriptors_open(), threading.active_count()
    made = bench.make()
    after = descriptors_open()
    if before is not None and after is not None and (opened := after - before):
        fail(f"build opened {', '.join(sorted(opened))}; open it in run")
    if threading.active_count() > threads:
        fail("build started a thread; start it in run")
    found = sorted(str(path.relative_to(bench.data)) for path in bench.data.rglob("*") if path.is_file())
    if found:
        fail(f"build wrote {', '.join(found[:5])}; write in run")
    del made


def _close(made: Any) -> None:
    """Let go of a journal; components hold nothing yet."""
    close = getattr(made, "close", None)
    if callable(close) and hasattr(made, "append"):
        close()


def _structs(settings: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Every struct that settings are made of, with its place in them."""
    seen: set[type] = set()

    def walk(info: inspect.Type, path: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
        if isinstance(info, inspect.Metadata):
            yield from walk(info.type, path)
        elif isinstance(info, inspect.StructType):
            if info.cls not in seen:
                seen.add(info.cls)
                yield path or "settings", info.cls
                for field in info.fields:
                    yield from walk(field.type, f"{path}.{field.encode_name}".lstrip("."))
        elif isinstance(info, inspect.UnionType):
            for one in info.types:
                yield from walk(one, path)
        elif isinstance(info, inspect.DictType):
            yield from walk(info.value_type, f"{path}.NAME")
        elif isinstance(
            info, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType
        ):
            yield from walk(info.item_type, f"{path}[0]")
        elif isinstance(info, inspect.TupleType):
            for index, one in enumerate(info.item_types):
                yield from walk(one, f"{path}[{index}]")

    yield from walk(inspect.type_info(settings), "")


def _odd_settings(settings: type[msgspec.Struct]) -> Iterator[tuple[str, object]]:
    info = inspect.type_info(settings)
    while isinstance(info, inspect.Metadata):
        info = info.type
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        kind = field.type
        while isinstance(kind, inspect.Metadata):
            kind = kind.type
        for of_type, values in ODD.items():
            if isinstance(kind, of_type):
                for value in values:
                    yield field.encode_name, value
