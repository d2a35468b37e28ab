"""Finding the installed plugins, and calling their hooks.

pluggy calls all implementations of a hook in one loop, the last registered first, and the first
exception hides the rest. So each plugin is called apart from the others, in the order of their names,
and a fault names the plugin it belongs to.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from typing import Final

import pluggy
from msgspec import Struct

from centralita import built_in, compatibility, hookspecs
from centralita.errors import PluginError
from centralita.plugins.registry import HOOKS, Loaded, Plugins, Registration
from centralita.protocols import Build

ENTRY_POINT_GROUP: Final = "centralita"


def load_plugins(extra: Sequence[object] = (), *, entry_points: bool = True) -> Plugins:
    """Load the installed plugins (entry points of group `centralita`) and those given, and call their hooks.

    `extra` are modules or objects with `@hookimpl` methods. Raises PluginError for a plugin that can't
    be imported or was built for another version of the API, an `async def` or misspelt hook, a hook that
    raises, none at all, and a type registered twice; TypeError for `extra` that can't be plugins.
    """
    if isinstance(extra, str) or not isinstance(extra, Sequence):
        raise TypeError(f"plugins was {extra!r}; must be a list of modules or objects with hooks")
    for plugin in extra:
        if isinstance(plugin, str | type):
            raise TypeError(
                f"plugins had {plugin!r}; must be the module itself (import it), or an object with hooks"
            )
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
    """Every `register_…` of the plugin's own must be a hook and marked as one, and there must be one."""
    hooks_n = 0
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
        hooks_n += 1
        if deprecated := compatibility.DEPRECATED_HOOKS.get(attribute):
            compatibility.warn(deprecated)
    if not hooks_n:
        raise PluginError(
            f"plugin {name!r} has no hook, so it registers nothing; a hook is a function marked with "
            f"@centralita.hookimpl, known: {', '.join(known)}"
        )


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
