"""Journal records as Arrow tables, which pandas, Polars and DuckDB read. What a column means: `docs/tables.md`.

    from centralita.frames import table
    table(records, "stays").to_pandas()

The rows are `rows.py`'s; here they get types and a file. pyarrow is an extra, `pip install 'centralita[arrow]'`,
and is imported when a table is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from centralita.errors import CentralitaError, reason
from centralita.messages import Record
from centralita.rows import COLUMNS, INTERVAL_S, KINDS, Rows

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS: Final = (".parquet", ".arrow", ".csv")
ROWS_AT_ONCE: Final = 65_536
"""Rows in one batch of a stream or file."""
MISSING: Final = "tables need pyarrow: pip install 'centralita[arrow]'"


class TableError(CentralitaError):
    """A table can't be made: pyarrow is missing, or no file of that name can be written."""


def schema(kind: str) -> pa.Schema:
    """The Arrow schema of a kind. Raises ValueError for an unknown one, TableError without pyarrow."""
    pa = _pyarrow()
    if kind not in COLUMNS:
        raise ValueError(f"kind was {kind!r}; known: {', '.join(KINDS)}")
    types = {
        "whole": pa.int64(),
        "text": pa.string(),
        "moment": pa.timestamp("ns", "UTC"),
        "truth": pa.bool_(),
    }
    return pa.schema([(name, types[form]) for name, form in COLUMNS[kind].items()])


def batches(
    records: Iterable[Record], kind: str, *, interval_s: int = INTERVAL_S
) -> Iterator[pa.RecordBatch]:
    """The table in pieces of some ROWS_AT_ONCE rows, as the records come: memory is bounded by a piece and what is live.

    Records come in order of seq, each once. Rows come in the order in which their cases ended; what still runs at the
    last record has a row too, at the end. Raises as `table`, at the first piece.
    """
    shape = schema(kind)
    rows = Rows(kind, interval_s=interval_s)
    for record in records:
        rows.fold(record)
        if rows.pending >= ROWS_AT_ONCE:
            yield _batch(rows.taken(), shape)
    rows.finish()
    running = rows.taken()
    for start in range(0, len(running), ROWS_AT_ONCE):
        yield _batch(running[start : start + ROWS_AT_ONCE], shape)


def table(records: Iterable[Record], kind: str, *, interval_s: int = INTERVAL_S) -> pa.Table:
    """One table of a kind (`KINDS`) from records in order of seq; its columns are `schema(kind)`'s.

    `interval_s` is the length of a row of "intervals", in seconds; other kinds ignore it. Raises ValueError for an
    unknown kind or an interval below a second, TableError without pyarrow.
    """
    return _pyarrow().Table.from_batches(batches(records, kind, interval_s=interval_s), schema(kind))


def problem(path: Path) -> str:
    """Why no table can be written to a path; empty when one can."""
    if path.suffix not in FORMATS:
        return f"{path}: tables are written as {', '.join(FORMATS)}"
    return no_place_for(path) or ("" if find_spec("pyarrow") else MISSING)


def no_place_for(path: Path) -> str:
    """Why no file can stand at a path, as far as it can be told without writing; empty when one can."""
    if path.is_dir():
        return f"{path}: is a folder"
    if not path.absolute().parent.is_dir():
        return f"{path}: there is no folder {path.parent}"
    if not os.access(path.absolute().parent, os.W_OK):
        return f"{path}: nothing can be written to the folder {path.parent}"
    return ""


def write(path: Path, kind: str, records: Iterable[Record], *, interval_s: int = INTERVAL_S) -> int:
    """Write a table to a file in the form that its ending names, piece by piece; returns how many rows.

    The file stands under its name only once it is whole. Raises as `table`, TableError for another ending and when the
    disk refuses, and what the records raise.
    """
    if no_file := problem(path):
        raise TableError(no_file)
    partial = path.with_name(f"{path.name}.partial")
    count = 0
    try:
        with _telling(path):
            writer = _writer(partial, path.suffix, schema(kind))
        try:
            for batch in batches(records, kind, interval_s=interval_s):
                with _telling(path):
                    writer.write_batch(batch)
                count += batch.num_rows
        finally:
            with _telling(path):
                writer.close()
        with _telling(path):
            partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return count


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """What the disk refuses is a TableError, unlike what the records raise."""
    try:
        yield
    except OSError as error:
        # pyarrow's own words name the place again, and the partial file.
        words = os.strerror(error.errno) if error.errno else reason(error)
        raise TableError(f"{path}: can't be written: {words}") from error


def _batch(rows: list[tuple[Any, ...]], shape: pa.Schema) -> pa.RecordBatch:
    pa = _pyarrow()
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, shape, strict=True)], schema=shape
    )


def _writer(path: Path, suffix: str, shape: pa.Schema) -> Any:
    if suffix == ".parquet":
        from pyarrow.parquet import ParquetWriter

        return ParquetWriter(path, shape)
    if suffix == ".csv":
        from pyarrow.csv import CSVWriter

        return CSVWriter(str(path), shape)
    from pyarrow.ipc import new_file

    return new_file(str(path), shape)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise TableError(MISSING) from error
    return pyarrow
