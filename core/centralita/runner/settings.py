"""What a program gives to `open_engine`, `serve` and `EngineThread`, and what of it can't be meant.

It knows none of it beyond its type: a fault in the configuration itself is `config`'s to tell, one in a plugin `plugins`'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, get_args

import trio

from centralita import config as configurations
from centralita.config import Configuration
from centralita.journal import Journal
from centralita.matching import Core
from centralita.plugins import misfit
from centralita.protocols import Clock

Config = Configuration | Path | str | Mapping[str, Any]
"""A configuration, the path of a file, or what such a file would decode to."""


class EngineSettings(TypedDict, total=False):
    """What `open_engine`, `serve` and `EngineThread` take by name."""

    plugins: Sequence[object]
    entry_points: bool
    journal: Journal | None
    clock: Clock | None
    core: Core
    drain_s: float


def check_in_trio(what: str) -> None:
    """Raise RuntimeError outside of trio, where what is awaited would only say that something is missing."""
    if not trio.lowlevel.in_trio_run():
        raise RuntimeError(
            f"{what} runs inside trio.run(…); from asyncio, threads or no loop at all use "
            "centralita.EngineThread (docs/embedding.md)"
        )


def read_configuration(config: Config) -> Configuration:
    """A Configuration from whatever an embedder has. Raises ConfigurationError, TypeError for what is none."""
    if isinstance(config, Configuration):
        return config
    if isinstance(config, str | Path):
        return configurations.load(config)
    if isinstance(config, Mapping):
        return configurations.decode(dict(config))
    raise TypeError(
        f"config was {type(config).__name__}; must be the path of a TOML file, the dictionaries that such a "
        "file would decode to, or a Configuration"
    )


def check_settings(*, journal: object, clock: object, core: object, drain_s: object) -> None:
    """Raise TypeError or ValueError for what can't be meant; a type checker would have said so."""
    if journal is not None:
        _check_journal(journal)
    if clock is not None and (isinstance(clock, type) or not callable(getattr(clock, "now_ns", None))):
        raise TypeError(f"clock was {clock!r}; must have a method now_ns(), or be None")
    if core not in get_args(Core):
        raise ValueError(f"core was {core!r}; known: {', '.join(get_args(Core))}")
    if isinstance(drain_s, bool) or not isinstance(drain_s, int | float):
        raise TypeError(f"drain_s was {drain_s!r}; must be a number of seconds")
    if not drain_s >= 0:
        raise ValueError(f"drain_s was {drain_s!r}; must be 0 or more seconds")


def check_time(clock: Clock) -> None:
    """Raise TypeError for a clock whose time is none; asked where it may be, within the run that it lives by."""
    now: object = clock.now_ns()
    if isinstance(now, bool) or not isinstance(now, int):
        raise TypeError(f"clock.now_ns() gave {now!r}; must be an int of nanoseconds, as of time.time_ns()")


def _check_journal(journal: object) -> None:
    if isinstance(journal, type) or not (hasattr(journal, "append") and hasattr(journal, "read")):
        raise TypeError(
            f"journal was {journal!r}; must be an open journal, such as centralita.MemoryJournal() or "
            "centralita.SqliteJournal(folder), or None"
        )
    if fault := misfit(journal, Journal):
        raise TypeError(f"journal was {journal!r}: {fault}")
