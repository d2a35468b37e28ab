"""Reads a month of the "Anonymous Bank" call-centre data (Technion; I. Guedj and A. Mandelbaum, 2000).

A tab-separated file with a header, gzipped or not, one call a line: voice response unit and line, call,
customer, priority, type, date (yymmdd), entry and exit of the voice response unit, of the queue and of
the service as times of day, outcome, server. A call that never queued has 0:00:00 there. Priority 2 was
given 90 s of waiting time to begin with. The file's own oddities are kept where they can be read:
a call that crosses midnight has an exit before its entry, and the day is carried over.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from centralita.simulate.recorded import SPENT_MAX_S, Recorded, RecordedOutcome, Recording, RecordingError
from centralita.simulate.recorded_file import opened

COLUMNS: Final = (
    "vru+line", "call_id", "customer_id", "priority", "type", "date", "vru_entry", "vru_exit", "vru_time",
    "q_start", "q_exit", "q_time", "outcome", "ser_start", "ser_exit", "ser_time", "server",
)  # fmt: skip
PRIORITY_CREDIT_S: Final = 90.0
_NS: Final = 1_000_000_000
_DAY_S: Final = 86_400
_NEVER: Final = "0:00:00"


def read_anonbank(path: Path) -> Recording:
    """Read a whole file. Raises RecordingError with the line and the column of what can't be read."""
    try:
        with opened(path, "ascii") as text:
            rows = csv.reader(text, delimiter="\t")
            header = tuple(next(rows, ()))
            if header != COLUMNS:
                raise RecordingError(
                    f"{path}:1: the columns were {', '.join(header)}; expected {', '.join(COLUMNS)}"
                )
            contacts = []
            for row in rows:
                try:
                    contacts.append(_contact(rows.line_num, row))
                except (ValueError, KeyError) as error:
                    raise RecordingError(f"{path}:{rows.line_num}: {error}") from error
    except csv.Error as error:
        raise RecordingError(f"{path}: can't be read: {error}") from error
    return Recording(contacts=tuple(contacts), source=path.name)


def _contact(line: int, row: list[str]) -> Recorded:
    if len(row) != len(COLUMNS):
        raise ValueError(f"has {len(row)} columns; expected {len(COLUMNS)}")
    cell = dict(zip(COLUMNS, row, strict=True))
    day_ns = _day_ns(cell["date"])
    entry_s = _time_s("vru_entry", cell["vru_entry"])
    served = cell["ser_start"] != _NEVER
    queued = cell["q_start"] != _NEVER
    if queued:
        asked_s = _time_s("q_start", cell["q_start"])
    else:
        asked_s = _time_s("ser_start" if served else "vru_exit", cell["ser_start" if served else "vru_exit"])
    if asked_s < entry_s - _DAY_S // 2:
        asked_s += _DAY_S
    outcome = _OUTCOMES.get(cell["outcome"])
    if outcome is None:
        raise ValueError(f"outcome was {cell['outcome']!r}; known: {', '.join(_OUTCOMES)}")
    if outcome == "abandoned" and not queued:
        outcome = "left_in_self_service"
    return Recorded(
        id=str(line),
        kind=cell["type"],
        customer=cell["customer_id"],
        credit_s=PRIORITY_CREDIT_S if cell["priority"] == "2" else 0.0,
        arrived_ns=day_ns + entry_s * _NS,
        queued_ns=None if outcome == "left_in_self_service" else day_ns + asked_s * _NS,
        waited_ns=_spent_ns("q_time", cell["q_time"]) if queued else _in_self_service_ns(cell, outcome),
        handling_ns=_spent_ns("ser_time", cell["ser_time"]),
        agent="" if cell["server"] == "NO_SERVER" else cell["server"],
        outcome=outcome,
    )


def _in_self_service_ns(cell: dict[str, str], outcome: str) -> int:
    spent_s = _number("vru_time", cell["vru_time"])
    return max(0, spent_s) * _NS if outcome == "left_in_self_service" else 0


_OUTCOMES: Final[dict[str, RecordedOutcome]] = {"AGENT": "served", "HANG": "abandoned", "PHANTOM": "ignored"}


def _day_ns(text: str) -> int:
    if len(text) != 6 or not text.isdigit():
        raise ValueError(f"date was {text!r}; expected yymmdd")
    day = datetime(1900 + int(text[:2]), int(text[2:4]), int(text[4:]), tzinfo=UTC)
    return int(day.timestamp()) * _NS


def _time_s(column: str, text: str) -> int:
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{column} was {text!r}; expected h:mm:ss")
    hours, minutes, seconds = map(int, parts)
    if hours > 24 or minutes > 59 or seconds > 59:
        raise ValueError(f"{column} was {text!r}; expected a time of day, h:mm:ss")
    return hours * 3600 + minutes * 60 + seconds


def _spent_ns(column: str, text: str) -> int:
    spent_s = _number(column, text)
    if not 0 <= spent_s <= SPENT_MAX_S:
        raise ValueError(f"{column} was {text!r}; expected seconds, 0 to {SPENT_MAX_S:,}")
    return spent_s * _NS


def _number(column: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{column} was {text!r}; expected a whole number") from None
