"""What plugins have registered, and the file's tables as components' settings by it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from centralita.config import ChannelRule, Component, Configuration, locate, what_is_known
from centralita.errors import ConfigurationError, PluginError
from centralita.protocols import Build

HOOKS: Final = {
    "channels": "register_channels",
    "desks": "register_desks",
    "crms": "register_crms",
    "classifiers": "register_classifiers",
    "bots": "register_bots",
    "kpi_sinks": "register_kpi_sinks",
    "journal": "register_journals",
    "front_doors": "register_front_doors",
    "routes": "register_routes",
}
"""The hook that brings the types of each kind of table."""

FRONT_DOORS_MAX: Final = 1
TYPE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
RESERVED_FIELDS: Final = {"channels": ("type", *ChannelRule.__struct_fields__)}
"""Keys of a table that never reach a component's settings."""


class Registration(Struct, frozen=True, kw_only=True):
    """One type that a plugin brings: `[kind.NAME] type = "type_name"`."""

    kind: str
    type_name: str
    config_type: type[Struct]
    build: Build
    plugin: str
    deprecations: list[str] = msgspec.field(default_factory=list)
    """What its components, as far as they were built, use that a later API will not have."""


class Prepared(Struct, frozen=True, kw_only=True):
    """A component whose settings are decoded, and that has not been built yet."""

    component: Component
    registration: Registration
    settings: Struct


class Loaded(Struct, frozen=True, kw_only=True):
    """A plugin that has been loaded: where it is from, and the API version it states (None: none).

    `deprecations` is what it uses that a later version of the API will not have; as far
    as loading it tells.
    """

    name: str
    plugin: object
    distribution: str = ""
    version: str = ""
    api_version: int | None = None
    deprecations: list[str] = msgspec.field(default_factory=list)


class Plugins:
    """What all loaded plugins have registered."""

    def __init__(self) -> None:
        self.loaded: dict[str, Loaded] = {}
        self.commands: list[Any] = []
        self._types: dict[str, dict[str, Registration]] = {kind: {} for kind in HOOKS}

    @property
    def names(self) -> list[str]:
        """The plugins in the order they were loaded."""
        return list(self.loaded)

    def types(self, kind: str) -> Mapping[str, Registration]:
        """The types of one kind, by name."""
        return self._types[kind]

    def deprecations(self) -> list[tuple[str, str]]:
        """(plugin, words) for all that is used, so far, and that a later version of the API will not have."""
        built = [one for types in self._types.values() for one in types.values()]
        said = [(one.name, words) for one in self.loaded.values() for words in one.deprecations]
        said += [(one.plugin, words) for one in built for words in one.deprecations]
        return list(dict.fromkeys(said))

    def add(self, registration: Registration) -> None:
        """Take in one type. Raises PluginError when it is unusable or its name is taken."""
        known = self._types[registration.kind]
        where = f"plugin {registration.plugin!r}: {HOOKS[registration.kind]}"
        _check_registration(registration, where)
        if other := known.get(registration.type_name):
            raise PluginError(
                f"{where}: type {registration.type_name!r} is already registered by plugin {other.plugin!r}"
            )
        known[registration.type_name] = registration

    def with_build(self, registration: Registration, build: Build) -> Plugins:
        """The same plugins, but for who builds the components of one type."""
        changed = Plugins()
        changed.loaded, changed.commands = self.loaded, self.commands
        changed._types = {kind: dict(types) for kind, types in self._types.items()}
        other = msgspec.structs.replace(registration, build=build)
        changed._types[registration.kind][registration.type_name] = other
        return changed

    def prepare(
        self, components: Iterable[Component], *, configuration: Configuration | None = None
    ) -> list[Prepared]:
        """Decode each component's settings. Raises ConfigurationError with every fault and its TOML path.

        With the whole `configuration`, settings that have a method `problems` also say what of it they
        don't fit.
        """
        problems: list[str] = []
        prepared = [
            one for component in components if (one := self._prepare(component, problems)) is not None
        ]
        if configuration is not None:
            for one in prepared:
                problems += _own_problems(one, configuration)
        doors = [one.component.path for one in prepared if one.component.kind == "front_doors"]
        if len(doors) > FRONT_DOORS_MAX:
            problems.append(f"front_doors: {', '.join(doors)}; at most {FRONT_DOORS_MAX} is allowed")
        if problems:
            raise ConfigurationError(problems)
        return prepared

    def _prepare(self, component: Component, problems: list[str]) -> Prepared | None:
        known = self._types[component.kind]
        registration = known.get(component.type)
        if registration is None:
            names = ", ".join(sorted(known)) or "none"
            problems.append(f"{component.path}.type was {component.type!r}; known: {names}")
            return None
        try:
            settings = msgspec.convert(component.settings, registration.config_type)
        except msgspec.ValidationError as error:
            allowed = what_is_known(error, registration.config_type)
            problems.append(locate(error, component.path) + allowed)
            return None
        return Prepared(component=component, registration=registration, settings=settings)


def _check_registration(registration: Registration, where: str) -> None:
    # Whatever a plugin passed, whatever the annotations say.
    type_name: Any = registration.type_name
    config_type: Any = registration.config_type
    make: Any = registration.build
    if not isinstance(type_name, str) or not TYPE_NAME.fullmatch(type_name):
        raise PluginError(f"{where}: type name was {type_name!r}; allowed: {TYPE_NAME.pattern}")
    if not (isinstance(config_type, type) and issubclass(config_type, Struct)):
        raise PluginError(
            f"{where}: settings of {type_name!r} were {config_type!r}; must be a msgspec Struct"
        )
    settings = config_type.__struct_config__
    if not settings.frozen or not settings.forbid_unknown_fields:
        raise PluginError(
            f"{where}: settings of {type_name!r}, {config_type.__name__}, must be frozen=True, forbid_unknown_fields=True"
        )
    taken = sorted(
        set(config_type.__struct_fields__) & set(RESERVED_FIELDS.get(registration.kind, ("type",)))
    )
    if taken:
        raise PluginError(f"{where}: {config_type.__name__}.{taken[0]} is a key that the engine reads itself")
    if not callable(make) or inspect.iscoroutinefunction(make):
        raise PluginError(f"{where}: build of {type_name!r} was {make!r}; must be a plain callable")


def _own_problems(prepared: Prepared, configuration: Configuration) -> list[str]:
    """What settings say against themselves and their neighbours, each with its place below the table."""
    judge = getattr(prepared.settings, "problems", None)
    if not callable(judge):
        return []
    path, plugin = prepared.component.path, prepared.registration.plugin
    try:
        return [f"{path}.{problem}" for problem in judge(configuration)]
    except Exception as error:
        raise PluginError(
            f"{path}: plugin {plugin!r} can't judge its settings: {type(error).__name__}: {error}"
        ) from error
