"""Finding plugins, hearing what they register, and turning the file's tables into components' settings.

Everything that can be wrong with a plugin or with its table is found here, before anything runs, and
said with its place. It knows no channel, desk or journal by name, and runs no component: that is
`runner/`'s business.

pluggy calls all implementations of a hook in one loop, the last registered first, and the first
exception hides the rest. So each plugin is called apart from the others, in the order of their names,
and a fault names the plugin it belongs to.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import msgspec
import pluggy
from msgspec import Struct

from centralita import built_in, compatibility, hookspecs, protocols
from centralita.config import (
    OWN_MEDIUM,
    ChannelRule,
    Component,
    Configuration,
    EngineConfig,
    locate,
    problems_of,
)
from centralita.errors import CentralitaError, ConfigurationError, PluginError
from centralita.journal import Journal
from centralita.protocols import Build, Capabilities, Context

ENTRY_POINT_GROUP: Final = "centralita"

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

PROTOCOLS: Final[dict[str, type]] = {
    "channels": protocols.Channel,
    "desks": protocols.Desk,
    "crms": protocols.Crm,
    "classifiers": protocols.Classifier,
    "bots": protocols.Bot,
    "kpi_sinks": protocols.KpiSink,
    "front_doors": protocols.FrontDoor,
    "routes": protocols.HasRoutes,
    "journal": Journal,
}
"""What a component of each kind must have."""

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
            problems.append(_locate_with_known(error, component, registration))
            return None
        return Prepared(component=component, registration=registration, settings=settings)


def load_plugins(extra: Sequence[object] = (), *, entry_points: bool = True) -> Plugins:
    """Load the installed plugins (entry points of group `centralita`) and those given, and call their hooks.

    `extra` are modules or objects with `@hookimpl` methods. Raises PluginError for a plugin that can't
    be imported or was built for another version of the API, an `async def` or misspelt hook, a hook that
    raises, and a type registered twice.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    found = [Loaded(name="built_in", plugin=built_in, api_version=compatibility.API_VERSION)]
    found += _installed() if entry_points else ()
    found += [_given(plugin) for plugin in extra]
    plugins = Plugins()
    for one in found:
        with compatibility.collecting(one.deprecations):
            _register(manager, one.name, one.plugin)
    for one in found:
        plugins.loaded[one.name] = one
        with compatibility.collecting(one.deprecations):
            _call_hooks(manager, one.name, one.plugin, plugins)
    return plugins


def data_folder(configuration: Configuration, component: Component) -> Path:
    """Where a component keeps its files: `DATA/KIND/NAME`, the journal `DATA/journal`."""
    root = configuration.folder / configuration.domain.data
    return root / "journal" if component.kind == "journal" else root / component.kind / component.name


def build(prepared: Prepared, context: Context) -> Any:
    """Make the component. Raises PluginError when `build` fails or what it made lacks something."""
    component, registration = prepared.component, prepared.registration
    where = f"{component.path} (type {registration.type_name!r} of plugin {registration.plugin!r})"
    try:
        with compatibility.collecting(registration.deprecations):
            made: Any = registration.build(prepared.settings, context)
            _warn_of_members(made, component.kind)
    except CentralitaError:
        # The component's author has said it: a setting that can't be, a journal that is locked.
        raise
    except Exception as error:
        raise PluginError(f"{where} could not be built: {type(error).__name__}: {error}") from error
    protocol = PROTOCOLS[component.kind]
    if missing := _missing(made, protocol):
        raise PluginError(
            f"{where}: {type(made).__name__} is no {protocol.__name__}: lacks {', '.join(missing)}"
        )
    if component.kind == "channels" and not isinstance(made.capabilities, Capabilities):
        raise PluginError(f"{where}: capabilities was {made.capabilities!r}; must be a Capabilities")
    return made


def resolve_channels(engine: EngineConfig, capabilities: Mapping[str, Capabilities]) -> EngineConfig:
    """Fill in what the file leaves to the channels: their medium, and whether they can begin a contact.

    A medium written in the file stands. Raises ConfigurationError when the result can't be used.
    """
    rules: dict[str, ChannelRule] = {}
    problems: list[str] = []
    for name, rule in engine.channels.items():
        own = capabilities.get(name)
        if own is None:
            problems.append(
                f"channels.{name}: not among the running channels: {', '.join(sorted(capabilities)) or 'none'}"
            )
            continue
        if rule.can_dial and not own.dial:
            problems.append(f"channels.{name}.can_dial was true; this channel can't begin a contact")
        if rule.can_forward and not own.forward:
            problems.append(f"channels.{name}.can_forward was true; this channel can't hand on to a number")
        medium = own.medium if rule.medium == OWN_MEDIUM else rule.medium
        can_dial = own.dial if rule.can_dial is None else rule.can_dial
        can_forward = own.forward if rule.can_forward is None else rule.can_forward
        rules[name] = msgspec.structs.replace(rule, medium=medium, can_dial=can_dial, can_forward=can_forward)
    resolved = msgspec.structs.replace(engine, channels=rules)
    problems += problems_of(resolved)
    if problems:
        raise ConfigurationError(problems)
    return resolved


def _installed() -> Iterator[Loaded]:
    points = sorted(
        metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value)
    )
    for point in points:
        name, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
        where = f"plugin {point.name!r}" + (f" of distribution {name!r}" if name else "")
        deprecations: list[str] = []
        try:
            with compatibility.collecting(deprecations):
                plugin = point.load()
        except Exception as error:
            raise PluginError(
                f"{where}: {point.value} can't be loaded: {type(error).__name__}: {error}"
            ) from error
        api_version = compatibility.stated_version(plugin, f"{where} {version}".rstrip())
        if api_version is None:
            deprecations.append(str(compatibility.UNSTATED))
        elif older := compatibility.deprecated_version(api_version):
            deprecations.append(str(older))
        yield Loaded(
            name=point.name,
            plugin=plugin,
            distribution=name,
            version=version,
            api_version=api_version,
            deprecations=deprecations,
        )


def _given(plugin: object) -> Loaded:
    """A plugin that a program passes. One that states no version grows with its program: no word about it."""
    name = _name_of(plugin)
    api_version = compatibility.stated_version(plugin, f"plugin {name!r}")
    older = compatibility.deprecated_version(api_version) if api_version is not None else None
    return Loaded(
        name=name, plugin=plugin, api_version=api_version, deprecations=[str(older)] if older else []
    )


def _name_of(plugin: object) -> str:
    name = getattr(plugin, "__name__", None)
    return name if isinstance(name, str) else type(plugin).__name__


def _register(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    if manager.has_plugin(name) or manager.is_registered(plugin):
        raise PluginError(f"plugin {name!r} is given twice")
    _check_hook_names(name, plugin)
    try:
        manager.register(plugin, name)
    except (pluggy.PluginValidationError, ValueError) as error:
        raise PluginError(f"plugin {name!r}: {' '.join(str(error).split())}") from error


def _check_hook_names(name: str, plugin: object) -> None:
    """Every `register_…` of the plugin's own must be a hook and marked as one."""
    known = [attribute for attribute in vars(hookspecs) if attribute.startswith("register_")]
    for attribute in dir(plugin):
        function = getattr(plugin, attribute, None)
        marked = hasattr(function, f"{hookspecs.PROJECT}_impl")
        own = not inspect.ismodule(plugin) or getattr(function, "__module__", None) == plugin.__name__
        if not inspect.isroutine(function) or not (marked or (own and attribute.startswith("register_"))):
            continue
        if attribute not in known:
            near = difflib.get_close_matches(attribute, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise PluginError(f"plugin {name!r}: {attribute} is not a hook{hint} known: {', '.join(known)}")
        if not marked:
            raise PluginError(f"plugin {name!r}: {attribute} is not marked with @centralita.hookimpl")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise PluginError(
                f"plugin {name!r}: {attribute} is async; hooks only register, and are plain functions"
            )
        if inspect.isgeneratorfunction(function):
            raise PluginError(
                f"plugin {name!r}: {attribute} yields; hooks only register, and can't wrap each other"
            )
        if deprecated := compatibility.DEPRECATED_HOOKS.get(attribute):
            compatibility.warn(deprecated)


def _call_hooks(manager: pluggy.PluginManager, name: str, plugin: object, plugins: Plugins) -> None:
    others = [other for other in manager.get_plugins() if other is not plugin]

    def call(hook: str, **arguments: object) -> None:
        try:
            manager.subset_hook_caller(hook, others)(**arguments)
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(f"plugin {name!r}: {hook} failed: {type(error).__name__}: {error}") from error

    for kind, hook in HOOKS.items():
        call(hook, register=_registrar(plugins, kind, name))
    call("register_commands", add=plugins.commands.append)


def _registrar(plugins: Plugins, kind: str, plugin: str) -> Callable[[str, type[Struct], Build], None]:
    def register(type_name: str, config_type: type[Struct], build: Build) -> None:
        plugins.add(
            Registration(kind=kind, type_name=type_name, config_type=config_type, build=build, plugin=plugin)
        )

    return register


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


def _warn_of_members(component: object, kind: str) -> None:
    for (of_kind, member), deprecated in compatibility.DEPRECATED_MEMBERS.items():
        if of_kind == kind and hasattr(component, member):
            compatibility.warn(deprecated)


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


def _missing(component: object, protocol: type) -> list[str]:
    """The members of a protocol that an object lacks; a method must be callable."""
    lacking: list[str] = []
    for member in sorted(_members(protocol)):
        is_method = callable(getattr(protocol, member, None))
        value = getattr(component, member, None)
        if value is None or (is_method and not callable(value)):
            lacking.append(member)
    return lacking


def _members(protocol: type) -> set[str]:
    """The members a protocol names: Python 3.11 does not keep them in one place."""
    members: set[str] = set()
    for parent in protocol.__mro__:
        if getattr(parent, "_is_protocol", False):
            members |= {
                name
                for name in (*vars(parent), *getattr(parent, "__annotations__", {}))
                if not name.startswith("_")
            }
    return members


def _locate_with_known(
    error: msgspec.ValidationError, component: Component, registration: Registration
) -> str:
    text = locate(error, component.path)
    if "unknown field" in text:
        fields = registration.config_type.__struct_encode_fields__
        text += f"; known: {', '.join(sorted(fields)) or 'none'}"
    return text
