"""A component made of its settings, and held to the protocol of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Final

import msgspec

from centralita import compatibility, protocols
from centralita.config import OWN_MEDIUM, ChannelRule, Component, Configuration, EngineConfig, problems_of
from centralita.errors import CentralitaError, ConfigurationError, PluginError
from centralita.journal import Journal
from centralita.plugins.registry import Prepared
from centralita.protocols import Capabilities, Context

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
    if fault := misfit(made, protocol):
        raise PluginError(f"{where}: {fault}")
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


def _warn_of_members(component: object, kind: str) -> None:
    for (of_kind, member), deprecated in compatibility.DEPRECATED_MEMBERS.items():
        if of_kind == kind and hasattr(component, member):
            compatibility.warn(deprecated)


def misfit(made: object, protocol: type) -> str:
    """Why an object can't be one of a protocol; "" when nothing is seen that speaks against it."""
    name = type(made).__name__
    if missing := _missing(made, protocol):
        return f"{name} is no {protocol.__name__}: lacks {', '.join(missing)}"
    for member in sorted(_members(protocol)):
        # The other way round nothing is certain: a plain function may give something to be awaited.
        if iscoroutinefunction(getattr(made, member)) and not iscoroutinefunction(
            getattr(protocol, member, None)
        ):
            return f"{name}.{member} is async def; must be a plain function, since nobody awaits it"
    return ""


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
