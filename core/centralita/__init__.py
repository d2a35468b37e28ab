"""Centralita: an embeddable contact-centre routing engine.

    async with centralita.open_engine("centralita.toml") as switchboard:
        outcome = await switchboard.submit(AdmitContact(channel="shop", provider_id="1"))

`open_engine` runs everything inside a trio program, `EngineThread` in a thread of its own for programs
that are not trio's, `serve` until a signal. `Engine` is the engine alone, for whoever brings the loop.
Commands, events and asks are in `centralita.messages`, what plugins implement in `centralita.protocols`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

__version__ = "0.1.0"

if TYPE_CHECKING:
    from centralita.config import Configuration, load, loads
    from centralita.engine import Engine, Step
    from centralita.errors import CentralitaError, ConfigurationError, EngineStopped, PluginError
    from centralita.hookspecs import hookimpl
    from centralita.journal import MemoryJournal, SqliteJournal
    from centralita.runner.service import open_engine, serve
    from centralita.runner.thread import EngineThread

# Looked up when first used: whoever wants the pure engine, or one message, pays for no trio.
_HOMES: Final = {
    "CentralitaError": "errors",
    "Configuration": "config",
    "ConfigurationError": "errors",
    "Engine": "engine",
    "EngineStopped": "errors",
    "EngineThread": "runner.thread",
    "MemoryJournal": "journal",
    "PluginError": "errors",
    "SqliteJournal": "journal",
    "Step": "engine",
    "hookimpl": "hookspecs",
    "load": "config",
    "loads": "config",
    "open_engine": "runner.service",
    "serve": "runner.service",
}

__all__ = [
    "CentralitaError",
    "Configuration",
    "ConfigurationError",
    "Engine",
    "EngineStopped",
    "EngineThread",
    "MemoryJournal",
    "PluginError",
    "SqliteJournal",
    "Step",
    "__version__",
    "hookimpl",
    "load",
    "loads",
    "open_engine",
    "serve",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
