"""A file, its text or its tables as a `Configuration`: the engine's part, and which components run with which settings.

What a component's settings mean is its plugin's business; here they stay a table.
"""

from __future__ import annotations

import re
import tomllib
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal

from centralita.config.faults import convert, known_names
from centralita.config.problems import problems_of
from centralita.config.rules import (
    DEFAULT_MEDIA,
    Agent,
    ChannelRule,
    EngineConfig,
    Limits,
    Medium,
    Name,
    Part,
    Queue,
)
from centralita.errors import ConfigurationError, reason
from centralita.structs import Frozen


class Hours(Part):
    """Opening hours of queues: weekday → spans "09:00-14:00", in a time zone, less the holidays.

    Days are mon … sun; "24:00" ends a day; a span that would cross midnight is written as two.
    `holidays` are dates (closed) and `extra` dates with spans of their own.
    """

    time_zone: str
    week: dict[str, tuple[str, ...]] = {}
    holidays: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class Domain(Part):
    """Who we are and where our data lives (relative to the file's folder)."""

    name: str = "centralita"
    data: str = "data"
    language: Literal["en", "es"] = "en"
    time_zone: str = "UTC"


class Component(Frozen):
    """One `[kind.name]` table: which plugin's type, and its settings, not yet decoded."""

    kind: str
    name: str
    type: str
    settings: dict[str, Any]

    @property
    def path(self) -> str:
        """Where it stands in the TOML file."""
        return self.kind if self.kind == "journal" else f"{self.kind}.{self.name}"


class Configuration(Frozen):
    """A whole file: the engine's part, the components, and where it came from."""

    engine: EngineConfig = EngineConfig()
    domain: Domain = Domain()
    hours: dict[str, Hours] = {}
    components: tuple[Component, ...] = ()
    journal: Component | None = None
    folder: Path = Path()

    def of_kind(self, kind: str) -> list[Component]:
        """The components of one kind, in the file's order."""
        return [component for component in self.components if component.kind == kind]


COMPONENT_KINDS: Final = (
    "channels",
    "desks",
    "crms",
    "classifiers",
    "bots",
    "kpi_sinks",
    "front_doors",
    "routes",
)
"""Tables of tables in the file, one entry a component; `journal` is a single table."""

_ENGINE_TABLES: Final = {
    "media": dict[str, Medium],
    "skills": tuple[Name, ...],
    "queues": dict[str, Queue],
    "agents": dict[str, Agent],
    "dispositions": tuple[str, ...],
    "break_reasons": tuple[str, ...],
    "default_queue": str,
    "limits": Limits,
}
_TABLES_BY_NAME: Final[dict[str, type[Part]]] = {"media": Medium, "queues": Queue, "agents": Agent}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_CHANNEL_FIELDS: Final = tuple(ChannelRule.__struct_fields__)
_KNOWN_TABLES: Final = ("domain", "hours", "journal", *_ENGINE_TABLES, *COMPONENT_KINDS)


def load(path: str | Path) -> Configuration:
    """Read a TOML file. Raises ConfigurationError with every fault found and its place, TypeError for no path."""
    if not isinstance(path, str | PathLike):
        raise TypeError(f"path was {type(path).__name__}; must be the path of a TOML file, a str or a Path")
    path = Path(path)
    try:
        # Editors of Windows begin a file with a mark that TOML does not know.
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{_shown(str(path))}: can't be read: {reason(error)}"]) from error
    return loads(text, folder=path.parent, where=str(path))


def loads(text: str, *, folder: Path = Path(), where: str = "configuration") -> Configuration:
    """Decode TOML text; `folder` is what relative paths in it are relative to, `where` what a message calls the text.

    Raises ConfigurationError with every fault found and its place, TypeError for what is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"text was {type(text).__name__}; must be the text of a TOML file, a str")
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError([f"{where}: not TOML: {error}"]) from error
    return decode(raw, folder=folder)


def decode(raw: dict[str, Any], *, folder: Path = Path()) -> Configuration:
    """Turn a decoded TOML document (or the same as dictionaries) into a Configuration. Raises as `loads`."""
    problems = [
        f"{key}: unknown table; known: {', '.join(sorted(_KNOWN_TABLES))}"
        for key in raw
        if key not in _KNOWN_TABLES
    ]
    components, rules = _components(raw, problems)
    parts: dict[str, Any] = {}
    for key, kind in _ENGINE_TABLES.items():
        if key in raw:
            table = _TABLES_BY_NAME.get(key)
            parts[key] = (
                convert(raw[key], kind, key, problems)
                if table is None
                else _convert_tables(raw[key], table, key, problems)
            )
    domain = convert(raw.get("domain", {}), Domain, "domain", problems)
    hours = _convert_tables(raw.get("hours", {}), Hours, "hours", problems)
    journal = _journal(raw.get("journal"), problems)
    if problems:
        raise ConfigurationError(problems)
    parts["media"] = {**DEFAULT_MEDIA, **parts.get("media", {})}
    engine = EngineConfig(
        **parts,
        channels=rules,
        crms=tuple(c.name for c in components if c.kind == "crms"),
        classifiers=tuple(c.name for c in components if c.kind == "classifiers"),
    )
    problems = problems_of(engine, bots=frozenset(c.name for c in components if c.kind == "bots"))
    problems += [
        f"queues.{name}.hours was {queue.hours!r}; known: {known_names(hours)}"
        for name, queue in engine.queues.items()
        if queue.hours and queue.hours not in hours
    ]
    if problems:
        raise ConfigurationError(problems)
    return Configuration(
        engine=engine,
        domain=domain,
        hours=hours,
        components=tuple(components),
        journal=journal,
        folder=folder,
    )


def _components(raw: dict[str, Any], problems: list[str]) -> tuple[list[Component], dict[str, ChannelRule]]:
    components: list[Component] = []
    rules: dict[str, ChannelRule] = {}
    for kind in COMPONENT_KINDS:
        tables = raw.get(kind, {})
        if not isinstance(tables, dict):
            problems.append(f"{kind}: expected tables [{kind}.NAME]")
            continue
        for name, table in tables.items():
            path = f"{kind}.{name}"
            if not isinstance(table, dict):
                problems.append(f"{path}: expected a table, got {type(table).__name__}")
                continue
            _check_name(name, kind, problems)
            settings = dict(table)
            type_name = settings.pop("type", None)
            if not isinstance(type_name, str):
                problems.append(f"{path}.type: missing; it names the plugin's type")
                continue
            if kind == "channels":
                rule = {key: settings.pop(key) for key in _CHANNEL_FIELDS if key in settings}
                rules[name] = convert(rule, ChannelRule, path, problems)
            components.append(Component(kind=kind, name=name, type=type_name, settings=settings))
    return components, rules


def _journal(raw: Any, problems: list[str]) -> Component | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        problems.append("journal: expected a table")
        return None
    settings = dict(raw)
    return Component(
        kind="journal", name="journal", type=str(settings.pop("type", "sqlite")), settings=settings
    )


def _convert_tables(tables: Any, kind: type[Part], path: str, problems: list[str]) -> dict[str, Any]:
    """Tables of tables, each by itself, so that every one of them has its faults told."""
    if not isinstance(tables, dict):
        problems.append(f"{path}: expected tables [{path}.NAME]")
        return {}
    for name in tables:
        _check_name(name, path, problems)
    return {name: convert(table, kind, f"{path}.{name}", problems) for name, table in tables.items()}


def _check_name(name: object, table: str, problems: list[str]) -> None:
    """A name that can't be stands in the message as Python writes it: it may have signs that no terminal takes."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        problems.append(f"{table}.{_shown(name)}: the name was {name!r}; allowed: {_NAME.pattern}")


def _shown(name: object) -> str:
    return name if isinstance(name, str) and name.isprintable() else ascii(name)
