"""The configuration: what an operator writes in TOML, as frozen structs that forbid unknown fields.

Two parts. `EngineConfig` is what the pure engine decides by; it is journalled whole, so a replay needs
no file. The rest of a `Configuration` says which components run and with which settings; each
plugin decodes its own table. Durations are in seconds (`_s`), as people write them; `ns` turns them
into the engine's integers. Whether a configuration makes sense is `lint.py`'s business; whether it
can be used at all (types, ranges, names that exist) is decided here, with the TOML path of each fault.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from centralita.errors import ConfigurationError
from centralita.structs import Frozen

Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Level = Annotated[int, Meta(ge=1, le=10)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
Priority = Annotated[int, Meta(ge=-1000, le=1000)]

COUNT_MAX: Final = 1_000_000
"""No count of contacts, offers or units is larger: the matching queue's and the journal's integers end."""
Units = Annotated[int, Meta(ge=0, le=COUNT_MAX)]

AgentOrderKey = Literal[
    "longest_idle",
    "least_loaded",
    "most_skilled",
    "least_flexible",
    "rank",
    "fewest_contacts",
    "round_robin",
    "random",
]

NS_PER_S: Final = 1_000_000_000
OWN_MEDIUM: Final = ""
"""In a channel's rule: the medium that the channel's own capabilities name."""


@lru_cache(maxsize=4096)
def ns(seconds: float) -> int:
    """Seconds as integer nanoseconds; settings are asked for again and again, so they are remembered."""
    return round(seconds * NS_PER_S)


class Part(Frozen, forbid_unknown_fields=True, omit_defaults=True):
    """A piece of the engine's configuration."""


class Medium(Part):
    """What one kind of contact takes of an agent. `may_interrupt` names media whose units it ignores."""

    units: Units = 100
    max_per_agent: Annotated[int, Meta(ge=1, le=COUNT_MAX)] | None = None
    may_interrupt: tuple[str, ...] = ()
    live: bool = True


_JOURNALLED_MEDIA: Final[dict[str, Medium]] = {
    "voice": Medium(units=100, max_per_agent=1, may_interrupt=("email",)),
    "video": Medium(units=100, max_per_agent=1, may_interrupt=("email",)),
    "chat": Medium(units=33, max_per_agent=3),
    "social": Medium(units=25, max_per_agent=4, live=False),
    "sms": Medium(units=20, max_per_agent=5, live=False),
    "email": Medium(units=10, max_per_agent=5, live=False),
    "callback": Medium(units=100, max_per_agent=1, may_interrupt=("email",)),
}
"""What a configuration without media means in a journal, which can't change after the fact."""
DEFAULT_MEDIA: Final[dict[str, Medium]] = {
    **_JOURNALLED_MEDIA,
    "voicemail": Medium(units=10, max_per_agent=5, live=False),
}
"""The media that every file has, whatever it says of others."""


class Ring(Part):
    """After so long a wait, relax what is required: drop skills, lower levels, raise priority.

    Rings of a queue are cumulative and in order of `after_s`.
    """

    after_s: Seconds
    drop: tuple[str, ...] = ()
    lower: dict[str, Level] = {}
    raise_priority: Annotated[int, Meta(ge=0, le=1000)] = 0


class Overflow(Part):
    """What to do with a contact that can't or shouldn't wait (any longer).

    `queue`: hand on to `queue`. `callback`: turn it into a callback that keeps its place. `message`:
    say `text` and let it wait on. `refuse`: say `text`, if any, and end it. `wait`: nothing.
    """

    do: Literal["wait", "queue", "callback", "message", "refuse"]
    queue: str = ""
    text: str = ""


WAIT: Final = Overflow(do="wait")


class Queue(Part):
    """The rules of one queue."""

    title: str = ""
    skills: dict[str, Level] = {}
    priority: Priority = 0
    credit_s: Annotated[float, Meta(ge=-31_536_000, le=31_536_000)] = 0
    rate: Annotated[float, Meta(ge=0.001, le=1000)] = 1
    agent_order: tuple[AgentOrderKey, ...] = ("longest_idle",)
    seed: Annotated[int, Meta(ge=0, le=(1 << 62) - 1)] = 0
    offer_to: Annotated[int, Meta(ge=1, le=100)] = 1
    offer_s: Annotated[float, Meta(gt=0, le=86_400)] = 20
    no_answer: Literal["stay", "unavailable"] = "unavailable"
    no_answer_limit: Annotated[int, Meta(ge=1, le=COUNT_MAX)] = 1
    connect_s: Annotated[float, Meta(gt=0, le=86_400)] = 30
    rings: tuple[Ring, ...] = ()
    prefer_for_s: Seconds = 0
    wrap_up_s: Seconds = 30
    wrap_up_max_s: Seconds = 600
    answer_target_s: Seconds = 20
    short_abandon_s: Seconds = 5
    hours: str = ""
    max_waiting: Annotated[int, Meta(ge=0, le=COUNT_MAX)] | None = None
    max_wait_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    when_full: Overflow = Overflow(do="refuse")
    when_waited: Overflow = Overflow(do="refuse")
    when_unstaffed: Overflow = WAIT
    when_closed: Overflow = Overflow(do="refuse")
    announce_every_s: Seconds = 0
    announce_position: bool = True
    announce_wait: bool = True
    callback_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    callback_s: Annotated[float, Meta(gt=0, le=86_400)] = 300
    callback_retry_s: Annotated[float, Meta(gt=0, le=31_536_000)] = 900
    reserve_after_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    keep_deferred: bool = True
    ask_again_s: Annotated[float, Meta(gt=0, le=31_536_000)] = 60


class Agent(Part):
    """Somebody who serves. `ranks` are tiers by queue: 1, the default, is asked first."""

    title: str = ""
    skills: dict[str, Level] = {}
    capacity: Annotated[int, Meta(ge=1, le=COUNT_MAX)] = 100
    limits: dict[str, Annotated[int, Meta(ge=0, le=COUNT_MAX)]] = {}
    ranks: dict[str, Annotated[int, Meta(ge=1, le=COUNT_MAX)]] = {}
    team: str = ""


class ChannelRule(Part):
    """What the engine must know of a channel: its medium, where its contacts go, who greets them.

    In a file, `medium`, `can_dial` and `can_forward` may be left out: they are then what the channel itself says
    (`Capabilities`), filled in by `plugins.resolve_channels` before the engine sees them.
    """

    medium: str = OWN_MEDIUM
    queue: str = ""
    bot: str = ""
    can_dial: bool | None = None
    can_forward: bool | None = None


class Limits(Part):
    """How long each stage waits for an answer from outside, and how much it keeps."""

    identify_s: Annotated[float, Meta(gt=0, le=600)] = 2
    classify_s: Annotated[float, Meta(gt=0, le=600)] = 2
    bot_turn_s: Annotated[float, Meta(gt=0, le=86_400)] = 300
    grace_s: Annotated[float, Meta(ge=0, le=86_400)] = 20
    hold_s: Annotated[float, Meta(gt=0, le=604_800)] = 3600
    silence_s: Annotated[float, Meta(gt=0, le=31_536_000)] = 604_800
    rating_s: Annotated[float, Meta(ge=0, le=31_536_000)] = 86_400
    messages_kept: Annotated[int, Meta(ge=10, le=100_000)] = 1000
    hops: Annotated[int, Meta(ge=1, le=100)] = 10


class EngineConfig(Part):
    """Everything the pure engine decides by."""

    media: dict[str, Medium] = msgspec.field(default_factory=_JOURNALLED_MEDIA.copy)
    skills: tuple[str, ...] = ()
    queues: dict[str, Queue] = {}
    agents: dict[str, Agent] = {}
    channels: dict[str, ChannelRule] = {}
    crms: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    dispositions: tuple[str, ...] = ()
    break_reasons: tuple[str, ...] = ("coffee", "lunch", "training", "meeting")
    default_queue: str = ""
    limits: Limits = Limits()


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
        return f"{self.kind}.{self.name}"


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


def load(path: Path) -> Configuration:
    """Read a TOML file. Raises ConfigurationError with every fault found and its place."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: can't be read: {error}"]) from error
    return loads(text, folder=path.parent, where=str(path))


def loads(text: str, *, folder: Path = Path(), where: str = "configuration") -> Configuration:
    """Decode TOML text; `folder` is what relative paths in it are relative to."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{where}: not TOML: {error}"]) from error
    return decode(raw, folder=folder)


def decode(raw: dict[str, Any], *, folder: Path = Path()) -> Configuration:
    """Turn a decoded TOML document (or the same as dictionaries) into a Configuration."""
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
        f"queues.{name}.hours was {queue.hours!r}; known: {_known(hours)}"
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


def problems_of(engine: EngineConfig, *, bots: frozenset[str] | None = None) -> list[str]:
    """What makes an engine configuration unusable: names that don't exist, rules that can't be kept.

    The engine refuses to apply a configuration for which this is not empty.
    """
    problems: list[str] = []
    names = {"queue": engine.queues, "skill": engine.skills, "medium": engine.media}

    def known(path: str, what: str, value: str) -> None:
        if value not in names[what]:
            problems.append(f"{path} was {value!r}; known: {_known(names[what])}")

    if len(set(engine.skills)) != len(engine.skills):
        problems.append("skills: a name stands twice")
    for name, queue in engine.queues.items():
        _queue_problems(name, queue, known, problems)
    for name, agent in engine.agents.items():
        for skill in agent.skills:
            known(f"agents.{name}.skills", "skill", skill)
        for medium in agent.limits:
            known(f"agents.{name}.limits", "medium", medium)
        for ranked in agent.ranks:
            known(f"agents.{name}.ranks", "queue", ranked)
    for name, medium_rule in engine.media.items():
        for other in medium_rule.may_interrupt:
            known(f"media.{name}.may_interrupt", "medium", other)
    for name, channel in engine.channels.items():
        # A file (`bots` is given) may leave the medium to the channel; the engine needs to know it.
        if channel.medium != OWN_MEDIUM or bots is None:
            known(f"channels.{name}.medium", "medium", channel.medium)
        if channel.queue:
            known(f"channels.{name}.queue", "queue", channel.queue)
        if channel.bot and bots is not None and channel.bot not in bots:
            problems.append(f"channels.{name}.bot was {channel.bot!r}; known: {_known(bots)}")
        if not channel.queue and not engine.default_queue:
            problems.append(
                f"channels.{name}.queue: none given, and no default_queue; known: {_known(engine.queues)}"
            )
    if engine.default_queue:
        known("default_queue", "queue", engine.default_queue)
    return problems


def _queue_problems(name: str, queue: Queue, known: Any, problems: list[str]) -> None:
    path = f"queues.{name}"
    for skill in queue.skills:
        known(f"{path}.skills", "skill", skill)
    previous_s = -1.0
    for index, ring in enumerate(queue.rings):
        for skill in (*ring.drop, *ring.lower):
            known(f"{path}.rings[{index}]", "skill", skill)
        if ring.after_s <= previous_s:
            problems.append(
                f"{path}.rings[{index}].after_s was {ring.after_s:g}; must be more than {previous_s:g}"
            )
        previous_s = ring.after_s
    for field in ("when_full", "when_waited", "when_unstaffed", "when_closed"):
        overflow: Overflow = getattr(queue, field)
        if overflow.do == "queue":
            known(f"{path}.{field}.queue", "queue", overflow.queue)
            if overflow.queue == name:
                problems.append(f"{path}.{field}.queue was {name!r}: a queue can't overflow into itself")
        if overflow.do == "message" and not overflow.text:
            problems.append(f"{path}.{field}.text is empty; do = 'message' needs one")
    if queue.wrap_up_s > queue.wrap_up_max_s:
        problems.append(
            f"{path}.wrap_up_s was {queue.wrap_up_s:g}; at most wrap_up_max_s, {queue.wrap_up_max_s:g}"
        )
    if len(set(queue.agent_order)) != len(queue.agent_order):
        problems.append(f"{path}.agent_order: a key stands twice")


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
            _check_name(name, path, problems)
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
        _check_name(name, f"{path}.{name}", problems)
    return {name: convert(table, kind, f"{path}.{name}", problems) for name, table in tables.items()}


def _check_name(name: str, path: str, problems: list[str]) -> None:
    if not _NAME.fullmatch(name):
        problems.append(f"{path}: the name was {name!r}; allowed: {_NAME.pattern}")


def convert(value: Any, kind: Any, path: str, problems: list[str]) -> Any:
    """A table as a struct; None when it can't be, with what was wrong and where added to `problems`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        known = "" if _AT in str(error) else _known_fields(str(error), kind)
        problems.append(locate(_naming_keys(error, value, kind), path) + known)
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


def _known_fields(message: str, kind: Any) -> str:
    """Which fields a table has, for whoever wrote one that it hasn't; the most alike first."""
    wrong, _, _ = message.removeprefix("Object contains unknown field `").partition("`")
    if wrong == message or not hasattr(kind, "__struct_fields__"):
        return ""
    alike = difflib.get_close_matches(wrong, kind.__struct_fields__, n=1)
    hint = f"; did you mean {alike[0]}?" if alike else ";"
    return f"{hint} known: {_known(kind.__struct_fields__)}"


def _known(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"
