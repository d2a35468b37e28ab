"""A list as people keep it: a CSV file with a line of names, one record a line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from centralita.errors import CentralitaError, reason

OWN_COLUMNS: Final = ("number", "name", "language", "zone", "priority")
"""Columns with a meaning; every other one is an attribute, which the agent sees."""
DELIMITERS: Final = ",;\t|"


class BadTable(CentralitaError):
    """A file that is no table with a column `number`."""


class BadLine(CentralitaError):
    """A line that is no record; the others may be."""


def read_table(path: Path) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """(line, record) pairs, with what is wrong with a line in the record's place. Raises BadTable."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(DELIMITERS, key=header.count)
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            names = [(name or "").strip() for name in reader.fieldnames or ()]
            _check_names(path, names)
            reader.fieldnames = names
            for cells in reader:
                try:
                    yield reader.line_num, _record(cells)
                except BadLine as error:
                    yield reader.line_num, error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"{path}: can't be read: {reason(error)}") from error


def _check_names(path: Path, names: list[str]) -> None:
    if "number" not in names:
        raise BadTable(f"{path}: line 1 has no column 'number'; it has: {', '.join(names) or 'nothing'}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "" in names:
        raise BadTable(
            f"{path}: line 1 has {'a column without a name' if '' in names else f'{twice[0]!r} twice'}"
        )


def _record(cells: dict[str | None, Any]) -> dict[str, Any]:
    if None in cells:
        raise BadLine("it has more cells than line 1 has names")
    texts = {str(name): (text or "").strip() for name, text in cells.items()}
    record: dict[str, Any] = {name: texts[name] for name in OWN_COLUMNS if texts.get(name)}
    record.setdefault("number", "")
    if "priority" in record:
        try:
            record["priority"] = int(record["priority"])
        except ValueError as error:
            raise BadLine(f"priority was {record['priority']!r}; must be a number") from error
    attributes = {name: text for name, text in texts.items() if name not in OWN_COLUMNS and text}
    return {**record, "attributes": attributes} if attributes else record
