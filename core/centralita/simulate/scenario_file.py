"""A scenario's file: read, decoded, and held against what it says elsewhere.

The tables of a live configuration stand in the file as they are (or in the file that `simulate.config`
names), and are decoded by the same code; `[simulate]` is what `scenario.py` has.

What can't be used is said with its place, all at once, as for a live configuration.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from centralita.calendars import calendars
from centralita.config import (
    NS_PER_S,
    ChannelRule,
    Configuration,
    EngineConfig,
    convert,
    decode,
    problems_of,
)
from centralita.errors import ConfigurationError, reason
from centralita.simulate.arrivals import Arrivals, Listed, Piecewise
from centralita.simulate.distributions import Distribution, Empirical, Uniform
from centralita.simulate.drive import LATEST_NS
from centralita.simulate.scenario import (
    LINE,
    TIME_OF_DAY,
    Customers,
    Scenario,
    Shift,
    World,
    agents_made,
    agents_of,
    seconds_of,
)

VALUES_MAX: Final = 5_000_000
"""The most numbers read from one file."""
VALUE_MAX_S: Final = 315_360_000
DAY_S: Final = 86_400
WALL: Final = ZoneInfo("UTC")
"""A simulated clock on the wall has neither zone nor summer time."""
_NO_TIME: Final = f"matching regex {TIME_OF_DAY!r}"


def load(path: Path) -> Scenario:
    """Read a scenario's file, and those it names. Raises ConfigurationError with every fault found."""
    return assemble(*parts_of(tables_in(path), path.parent), name=path.stem)


def tables_in(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, not yet decoded. Raises ConfigurationError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError([f"{path}: can't be read: {reason(error)}"]) from error


def loads(text: str, *, folder: Path = Path()) -> Scenario:
    """Decode a scenario's text; the files it names are in `folder`. Raises ConfigurationError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"scenario: not TOML: {error}"]) from error
    return assemble(*parts_of(tables, folder))


def parts_of(raw: dict[str, Any], folder: Path) -> tuple[World, Configuration]:
    """The world and the configuration of a decoded document. Raises ConfigurationError with every fault found in one of them."""
    tables = {key: value for key, value in raw.items() if key != "simulate"}
    if "simulate" not in raw:
        raise ConfigurationError(["simulate: there is no such table; docs/simulate.md shows one"])
    problems: list[str] = []
    world = convert(raw["simulate"], World, "simulate", problems)
    if problems:
        raise ConfigurationError([_with_what_is_allowed(problem) for problem in problems])
    world = _filled(world, folder, problems)
    if problems:
        raise ConfigurationError(problems)
    if world.config:
        tables = _over_live(folder / world.config, tables)
    return world, decode(_with_types(tables), folder=folder)


def assemble(world: World, live: Configuration, *, name: str = "") -> Scenario:
    """Bring a world and a live configuration together. Raises ConfigurationError for what does not fit."""
    engine = live.engine
    hours = calendars(live.hours)
    channels = engine.channels or {LINE: ChannelRule(medium="voice", queue=next(iter(engine.queues), ""))}
    problems = [
        f"channels.{channel}.medium: a scenario needs it; known: {', '.join(sorted(engine.media))}"
        for channel, rule in channels.items()
        if not rule.medium
    ]
    engine = replace(
        engine,
        channels={channel: replace(rule, bot="") for channel, rule in channels.items()},
        crms=(),
        classifiers=(),
        agents={**engine.agents, **agents_made(world.crews)},
    )
    if not problems:
        problems = problems_of(engine)
    for class_name, customers in world.customers.items():
        _customers_problems(f"simulate.customers.{class_name}", customers, engine, problems)
    if not world.customers:
        problems.append("simulate.customers: nobody comes; one table a class of customers is needed")
    _crews_problems(world, live, problems)
    if world.warm_up_s >= world.duration_s:
        problems.append(
            f"simulate.warm_up_s was {world.warm_up_s:g}; must be less than duration_s, {world.duration_s:g}"
        )
    start_ns = _start_ns(world, problems)
    if problems:
        raise ConfigurationError(problems)
    return Scenario(
        config=engine,
        world=world,
        start_ns=start_ns,
        hours={
            queue: replace(hours[rules.hours], zone=WALL)
            for queue, rules in engine.queues.items()
            if rules.hours
        },
        time_zone=live.domain.time_zone,
        name=name,
    )


def _customers_problems(path: str, customers: Customers, engine: EngineConfig, problems: list[str]) -> None:
    if customers.channel and customers.channel not in engine.channels:
        problems.append(f"{path}.channel was {customers.channel!r}; known: {_known(engine.channels)}")
    if customers.queue and customers.queue not in engine.queues:
        problems.append(f"{path}.queue was {customers.queue!r}; known: {_known(engine.queues)}")
    for skill in customers.skills:
        if skill not in engine.skills:
            problems.append(f"{path}.skills was {skill!r}; known: {_known(engine.skills)}")
    if isinstance(customers.arrivals, Piecewise) and not any(customers.arrivals.per_hour):
        problems.append(f"{path}.arrivals.per_hour: at least one rate must be more than 0")


def _crews_problems(world: World, live: Configuration, problems: list[str]) -> None:
    seen: dict[str, str] = {}
    for name, crew in world.crews.items():
        path = f"simulate.crews.{name}"
        for member in agents_of(name, crew):
            if member in seen:
                problems.append(f"{path}: agent {member!r} is in crew {seen[member]!r} already")
            seen[member] = name
        for member in crew.members:
            if member not in live.engine.agents:
                problems.append(f"{path}.members was {member!r}; known: {_known(live.engine.agents)}")
        for member in agents_of(name, crew)[len(crew.members) :]:
            if member in live.engine.agents:
                problems.append(f"{path}: agent {member!r} is configured already")
        if crew.no_answer + crew.decline > 1:
            problems.append(f"{path}: no_answer and decline are more than 1 together")
        for index, shift in enumerate(crew.shifts):
            _breaks_problems(shift, f"{path}.shifts[{index}]", live.engine.break_reasons, problems)


def _breaks_problems(shift: Shift, path: str, reasons: tuple[str, ...], problems: list[str]) -> None:
    """A break begins within its shift, and once the one before is over; the engine knows its reason."""
    start_s, end_s = seconds_of(shift.start), seconds_of(shift.end)
    end_s += DAY_S if end_s <= start_s else 0
    over: dict[int, float] = {}
    for index, away in enumerate(shift.breaks):
        at_s = seconds_of(away.at)
        at_s += DAY_S if at_s < start_s else 0
        if at_s >= end_s:
            problems.append(
                f"{path}.breaks[{index}].at was {away.at!r}; must be within the shift, {shift.start} to {shift.end}"
            )
        elif any(at_s < until_s and at_s + away.for_s > from_s for from_s, until_s in over.items()):
            problems.append(f"{path}.breaks[{index}].at was {away.at!r}; another break takes that time")
        if away.reason and reasons and away.reason not in reasons:
            problems.append(f"{path}.breaks[{index}].reason was {away.reason!r}; known: {_known(reasons)}")
        over[at_s] = at_s + away.for_s


def _start_ns(world: World, problems: list[str]) -> int:
    """The start as if the clock on the wall were UTC: a simulated day has twenty-four hours."""
    text = world.start
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        problems.append(f"simulate.start was {text!r}; expected a date, or a date and a time")
        return 0
    if moment.tzinfo is not None:
        problems.append(f"simulate.start was {text!r}; it is the time on the wall, without a zone")
        return 0
    moment = moment.replace(tzinfo=UTC)
    if not 0 <= moment.timestamp() <= LATEST_NS / NS_PER_S - world.duration_s:
        problems.append(
            f"simulate.start was {text!r}, duration_s {world.duration_s:g};"
            " allowed: from 1970-01-01 on, over by 2041-01-01"
        )
        return 0
    return round(moment.timestamp()) * NS_PER_S


def _filled(world: World, folder: Path, problems: list[str]) -> World:
    """Read the files that distributions and arrivals name."""

    def read(part: Any, path: str) -> Any:
        if isinstance(part, Empirical):
            return replace(
                part, values_s=_values(part.file, part.values_s, "values_s", folder, path, problems), file=""
            )
        if isinstance(part, Listed):
            return replace(part, at_s=_values(part.file, part.at_s, "at_s", folder, path, problems), file="")
        if isinstance(part, Uniform) and part.high_s < part.low_s:
            problems.append(f"{path}.high_s was {part.high_s:g}; must not be less than low_s, {part.low_s:g}")
        return part

    def filled(customers: Customers, path: str) -> Customers:
        redial = customers.redial
        return replace(
            customers,
            arrivals=read(customers.arrivals, f"{path}.arrivals"),
            handling=read(customers.handling, f"{path}.handling"),
            patience=read(customers.patience, f"{path}.patience"),
            wrap_up=read(customers.wrap_up, f"{path}.wrap_up"),
            redial=redial and replace(redial, after=read(redial.after, f"{path}.redial.after")),
        )

    return replace(
        world,
        customers={
            name: filled(customers, f"simulate.customers.{name}")
            for name, customers in world.customers.items()
        },
        crews={
            name: replace(crew, answer=read(crew.answer, f"simulate.crews.{name}.answer"))
            for name, crew in world.crews.items()
        },
    )


def _values(
    file: str, listed: tuple[float, ...], field: str, folder: Path, path: str, problems: list[str]
) -> tuple[float, ...]:
    """The numbers of a file, one a line (anything after a comma is passed over), or those listed in `field`."""
    if file and listed:
        problems.append(f"{path}: {field} and file say the same; one of them must go")
        return ()
    if not file:
        if not listed:
            problems.append(f"{path}: {field} or file must give at least one value")
        return listed
    values = []
    try:
        # A spreadsheet's export often begins with a byte order mark.
        lines = (folder / file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        problems.append(f"{path}.file was {file!r}; can't be read: {reason(error)}")
        return ()
    if len(lines) > VALUES_MAX:
        problems.append(f"{path}.file {file} has {len(lines):,} lines; allowed: {VALUES_MAX:,}")
        return ()
    for number, line in enumerate(lines, 1):
        cell = line.partition(",")[0].strip()
        if not cell or cell.startswith("#"):
            continue
        try:
            value = float(cell)
        except ValueError:
            value = -1.0
        if not 0 <= value <= VALUE_MAX_S:
            problems.append(
                f"{path}.file {file}:{number} was {cell!r}; expected seconds, 0 to {VALUE_MAX_S:,}"
            )
            return ()
        values.append(value)
    if not values:
        problems.append(f"{path}.file {file}: there must be at least one value")
    return tuple(values)


def _over_live(path: Path, own: dict[str, Any]) -> dict[str, Any]:
    """The tables of a live configuration, those of the scenario over them, name by name."""
    try:
        base: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"simulate.config: {path} is not TOML: {error}"]) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError([f"simulate.config: {path} can't be read: {reason(error)}"]) from error
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            base[key] = {**base[key], **value}
        else:
            base[key] = value
    return base


def _with_types(tables: dict[str, Any]) -> dict[str, Any]:
    """Channels that need not say which plugin's they are, since no plugin is run."""
    channels = tables.get("channels")
    if not isinstance(channels, dict):
        return tables
    typed = {
        name: {"type": LINE, **table} if isinstance(table, dict) else table
        for name, table in channels.items()
    }
    return {**tables, "channels": typed}


def _with_what_is_allowed(problem: str) -> str:
    """What a `kind` or a time of day may be, which msgspec does not say."""
    where, _, what = problem.partition(": ")
    if what.endswith(_NO_TIME):
        return f"{where}: expected a time of day, 00:00 to 24:00"
    if not where.endswith(".kind") or not what.startswith("Invalid value"):
        return problem
    kinds = get_args(Arrivals if where.endswith(".arrivals.kind") else Distribution)
    return f"{problem}; known: {_known(kind.__struct_config__.tag for kind in kinds)}"


def _known(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"
