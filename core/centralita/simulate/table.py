"""Reads any table of calls, one a line, by a map that says which column is what.

The map is TOML; a FreeSWITCH detail record and a spreadsheet's export differ only in it:

    delimiter = ","                 # one character, or "tab"
    encoding = "utf-8"              # or "cp1252", and whatever else Python knows
    time_format = "iso"             # iso, unix, unix_ms, unix_us, or a strptime pattern
    target_s = 20
    [columns]                       # ours = theirs; id, kind, asked and outcome there must be
    id = "uuid"
    kind = "cc_queue"
    asked = "cc_queue_joined_epoch" # asked for an agent
    answered = "cc_queue_answered_epoch"
    ended = "cc_queue_terminated_epoch"
    agent = "cc_agent"
    outcome = "cc_cause"
    [outcomes]                      # theirs = ours: served, abandoned, ignored
    answered = "served"
    cancel = "abandoned"

`waited` and `handling`, in seconds, may stand instead of `answered` and `ended`; `wrap_up`, `customer`,
`priority` and `credit` (seconds) are read when named. Everything must be as the map says: a value that
can't be read, an outcome that is not in the map, a column that is missing is an error with line and column.
"""

from __future__ import annotations

import codecs
import csv
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from centralita.config import Part, Priority
from centralita.config.faults import convert
from centralita.errors import reason
from centralita.simulate.drive import LATEST_NS
from centralita.simulate.recorded import SPENT_MAX_S, Recorded, Recording, RecordingError
from centralita.simulate.recorded_file import opened

ROWS_MAX: Final = 20_000_000
_NS: Final = 1_000_000_000
_NO_DELIMITERS: Final = '\r\n\0"'
_UNIX: Final = {"unix": 1_000_000_000, "unix_ms": 1_000_000, "unix_us": 1_000}


class Columns(Part):
    """The names of the columns, theirs by ours."""

    id: str
    kind: str
    asked: str
    outcome: str
    answered: str = ""
    ended: str = ""
    waited: str = ""
    handling: str = ""
    wrap_up: str = ""
    agent: str = ""
    customer: str = ""
    priority: str = ""
    credit: str = ""


class TableMap(Part):
    """How to read a table."""

    columns: Columns
    outcomes: dict[str, Literal["served", "abandoned", "ignored"]]
    delimiter: str = ","
    encoding: str = "utf-8"
    time_format: Annotated[str, Meta(min_length=1)] = "iso"
    target_s: Annotated[float, Meta(gt=0, le=86_400)] = 20


def load_map(path: Path) -> TableMap:
    """Read the map. Raises RecordingError for what can't be used in it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RecordingError(f"{path}: not TOML: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RecordingError(f"{path}: can't be read: {reason(error)}") from error
    problems: list[str] = []
    found = convert(raw, TableMap, "", problems)
    if problems:
        raise RecordingError(f"{path}: {problems[0].lstrip('.: ')}")
    assert isinstance(found, TableMap)
    columns = found.columns
    if not (columns.answered or columns.waited):
        raise RecordingError(f"{path}: columns: answered or waited must be named")
    if not (columns.ended or columns.handling):
        raise RecordingError(f"{path}: columns: ended or handling must be named")
    if (len(found.delimiter) != 1 or found.delimiter in _NO_DELIMITERS) and found.delimiter != "tab":
        raise RecordingError(f"{path}: delimiter was {found.delimiter!r}; expected one character, or tab")
    try:
        codecs.lookup(found.encoding)
    except (LookupError, ValueError):
        raise RecordingError(
            f"{path}: encoding was {found.encoding!r}; expected one that Python knows, such as utf-8 or cp1252"
        ) from None
    if found.time_format not in ("iso", *_UNIX) and "%Y" not in found.time_format:
        try:
            moment = datetime.strptime(datetime(2028, 2, 29).strftime(found.time_format), found.time_format)
        except ValueError:
            moment = None
        if moment is None or moment.year != 2028:
            raise RecordingError(
                f"{path}: time_format was {found.time_format!r};"
                f" expected iso, {', '.join(_UNIX)}, or a strptime pattern with day and year"
            )
    return found


def read_table(path: Path, layout: TableMap) -> Recording:
    """Read a whole table. Raises RecordingError with the line and the column of what can't be read."""
    contacts: list[Recorded] = []
    lines: dict[str, int] = {}
    try:
        encoding = "utf-8-sig" if layout.encoding.lower() in ("utf-8", "utf8") else layout.encoding
        with opened(path, encoding) as text:
            rows = csv.DictReader(text, delimiter="\t" if layout.delimiter == "tab" else layout.delimiter)
            theirs = [getattr(layout.columns, name) for name in Columns.__struct_fields__]
            missing = [name for name in theirs if name and name not in (rows.fieldnames or ())]
            if missing:
                known = ", ".join(rows.fieldnames or ()) or "none"
                raise RecordingError(f"{path}:1: no column {', '.join(missing)}; there are: {known}")
            twice = [name for name in theirs if name and (rows.fieldnames or ()).count(name) > 1]
            if twice:
                raise RecordingError(f"{path}:1: the column {', '.join(twice)} is there more than once")
            for row in rows:
                if len(contacts) >= ROWS_MAX:
                    raise RecordingError(f"{path}: more than {ROWS_MAX:,} rows; split the table")
                try:
                    contact = _contact(row, layout)
                    before = lines.setdefault(contact.id, rows.line_num)
                    if before != rows.line_num:
                        raise ValueError(
                            f"{layout.columns.id} was {contact.id!r}; it stands in line {before} already"
                        )
                    contacts.append(contact)
                except ValueError as error:
                    raise RecordingError(f"{path}:{rows.line_num}: {error}") from error
    except csv.Error as error:
        raise RecordingError(f"{path}: can't be read: {error}") from error
    return Recording(contacts=tuple(contacts), source=path.name, target_s=layout.target_s)


def _contact(row: Mapping[str, str | None], layout: TableMap) -> Recorded:
    columns = layout.columns

    def cell(theirs: str) -> str:
        value = row.get(theirs) if theirs else ""
        if value is None:
            raise ValueError(f"{theirs}: there is nothing; the line is too short")
        return value.strip()

    def read(theirs: str, how: Callable[[str], int]) -> int | None:
        text = cell(theirs)
        try:
            return how(text) if text else None
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{theirs} was {text!r}; {error}") from None

    def moment(text: str) -> int:
        return _moment_ns(text, layout.time_format)

    if any(row.get(None) or ()):  # type: ignore[call-overload]  # where csv puts what has no column
        raise ValueError(f"the line is too long: {row[None]} has no column")  # type: ignore[index]
    recorded = cell(columns.outcome)
    outcome = layout.outcomes.get(recorded)
    if outcome is None:
        known = ", ".join(layout.outcomes) or "none"
        raise ValueError(f"{columns.outcome} was {recorded!r}; known: {known}")
    asked_ns = read(columns.asked, moment)
    if asked_ns is None:
        raise ValueError(f"{columns.asked} is empty")
    ended_ns = read(columns.ended, moment)
    waited_ns = read(columns.waited, _seconds_ns)
    if waited_ns is None:
        until_ns = read(columns.answered, moment) if outcome == "served" else ended_ns
        waited_ns = None if until_ns is None else until_ns - asked_ns
    handling_ns = read(columns.handling, _seconds_ns)
    if handling_ns is None and outcome == "served" and ended_ns is not None and waited_ns is not None:
        handling_ns = ended_ns - asked_ns - waited_ns
    if outcome != "ignored":
        _known(columns, "waited", waited_ns)
        if outcome == "served":
            _known(columns, "handling", handling_ns)
        if not cell(columns.kind):
            raise ValueError(f"{columns.kind} is empty")
    return Recorded(
        id=cell(columns.id),
        kind=cell(columns.kind),
        customer=cell(columns.customer),
        credit_s=credit_ns / _NS if (credit_ns := read(columns.credit, _seconds_ns)) is not None else None,
        arrived_ns=asked_ns,
        queued_ns=asked_ns,
        waited_ns=waited_ns or 0,
        handling_ns=handling_ns or 0,
        agent=cell(columns.agent),
        outcome=outcome,
        wrap_up_ns=read(columns.wrap_up, _seconds_ns),
        priority=read(columns.priority, _priority) or 0,
    )


def _known(columns: Columns, what: str, value_ns: int | None) -> None:
    name = getattr(columns, what) or f"{columns.ended or columns.answered} less {columns.asked}"
    if value_ns is None:
        raise ValueError(f"{name}: {what} is not known; the outcome says it should be")
    if value_ns < 0:
        raise ValueError(f"{name}: {what} was {value_ns / _NS:g} s; must not be less than 0")
    if value_ns > SPENT_MAX_S * _NS:
        raise ValueError(f"{name}: {what} was {value_ns / _NS:g} s; allowed: up to {SPENT_MAX_S:,}, a year")


def _priority(text: str) -> int:
    try:
        return msgspec.convert(int(text), Priority)
    except ValueError:  # msgspec's own is one
        raise ValueError("expected a whole number, -1000 to 1000") from None


def _seconds_ns(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError("expected seconds") from None
    if not abs(seconds) <= SPENT_MAX_S:
        raise ValueError(f"expected seconds, 0 to {SPENT_MAX_S:,}")
    return round(seconds * _NS)


def _moment_ns(text: str, time_format: str) -> int:
    at_ns = _any_moment_ns(text, time_format)
    if not 0 <= at_ns <= LATEST_NS:
        raise ValueError(f"expected a time from 1970 on and before 2041 ({time_format})")
    return at_ns


def _any_moment_ns(text: str, time_format: str) -> int:
    unit_ns = _UNIX.get(time_format)
    if unit_ns:
        try:
            return int(text) * unit_ns if text.isdigit() else round(float(text) * unit_ns)
        except ValueError:
            raise ValueError(f"expected a number ({time_format})") from None
    try:
        moment = (
            datetime.fromisoformat(text) if time_format == "iso" else datetime.strptime(text, time_format)
        )  # the zone is added below
    except ValueError:
        raise ValueError(f"expected a time ({time_format})") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * _NS + moment.microsecond * 1_000
