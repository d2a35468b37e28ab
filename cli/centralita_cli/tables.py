"""How answers look: tables that people read on a terminal and in a pipe, and JSON for programs.

On a terminal there are colours and lines; in a pipe neither, and no column is cut, so that `grep` and
`awk` find whole words. Times are given as ages and durations, which need no time zone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any, Final

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from centralita.errors import reason
from centralita_cli.exits import Broken

PIPE_WIDTH: Final = 10_000
"""Wide enough that nothing is cut where there is no screen to fit."""

NS_PER_S: Final = 1_000_000_000
NOTHING: Final = "–"

STATE_STYLES: Final = {
    "idle": "green",
    "available": "green",
    "up": "green",
    "connected": "cyan",
    "offered": "yellow",
    "connecting": "yellow",
    "wrapping": "magenta",
    "break": "yellow",
    "starting": "yellow",
    "full": "blue",
    "lost": "red",
    "down": "bold red",
    "offline": "dim",
    "stopped": "dim",
    "error": "bold red",
    "warning": "yellow",
    "open": "green",
    "closed": "red",
    "eligible": "green",
}


def console() -> Console:
    """A console on stdout as it is now; wide when that is no terminal."""
    return Console(width=None if on_terminal() else PIPE_WIDTH, highlight=False, emoji=False, markup=False)


def put(*renderables: RenderableType) -> None:
    """Print on stdout; in a pipe without the blanks that fill a table's last column."""
    if on_terminal():
        console().print(*renderables, sep="\n")
        return
    output = Console(file=StringIO(), width=PIPE_WIDTH, highlight=False, emoji=False, markup=False)
    output.print(*renderables, sep="\n", soft_wrap=True)
    assert isinstance(output.file, StringIO)
    _write("".join(f"{line.rstrip()}\n" for line in output.file.getvalue().splitlines()))


def write_json(value: Any) -> None:
    """One JSON document on stdout."""
    _write(json.dumps(value, ensure_ascii=False, indent=2 if on_terminal() else None) + "\n")


def on_terminal() -> bool:
    """Whether people read stdout as it is written; it may also be closed."""
    return sys.stdout is not None and sys.stdout.isatty()


def _write(text: str) -> None:
    """Write to stdout, all of it now: a disk that is full is told while there is somebody to tell."""
    if sys.stdout is None:
        raise Broken("stdout can't be written: it is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has seen enough; we end quietly
    except OSError as error:
        raise Broken(f"stdout can't be written: {reason(error)}") from error


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> Table:
    """A table; a column whose name begins with `>` is set to the right."""
    made = Table(
        box=box.SIMPLE_HEAD if on_terminal() else None,
        title=title or None,
        title_justify="left",
        pad_edge=False,
        header_style="bold",
    )
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.removeprefix(">"), justify="right" if right else "left", no_wrap=not right)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def show(columns: Sequence[str], rows: Sequence[Sequence[object]], *, nothing: str) -> None:
    """Print a table, or the words for an empty one."""
    put(table(columns, rows) if rows else nothing)


def state(word: str) -> Text:
    """A state, coloured by what it means."""
    return Text(word, style=STATE_STYLES.get(word, ""))


def age(since_ns: int, now_ns: int | None = None) -> str:
    """How long ago a moment was; nothing for one that never was."""
    if since_ns <= 0:
        return NOTHING
    now_ns = time.time_ns() if now_ns is None else now_ns
    return duration(max(0, now_ns - since_ns) / NS_PER_S)


def duration(seconds: float | None) -> str:
    """Seconds as people say them: `45s`, `3m05s`, `2h10m`, `3d04h`; nothing for unknown ones."""
    if seconds is None or seconds < 0:
        return NOTHING
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def estimate(value: dict[str, Any]) -> str:
    """An expected wait with its interval."""
    if value["expected_s"] < 0:
        return NOTHING
    low, high = duration(value["low_s"]), duration(value["high_s"])
    return f"{duration(value['expected_s'])} ({low} to {high})"


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Names and values, one pair a line, without a head."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column()
    for name, value in pairs:
        made.add_row(name, value if isinstance(value, Text) else Text(str(value)))
    return made


def skills(levels: dict[str, int]) -> str:
    """Skills with their levels."""
    return ", ".join(f"{name} {level}" for name, level in levels.items()) or NOTHING


def share(part: float | None) -> str:
    """A share of one in per cent."""
    return NOTHING if part is None else f"{part:.0%}"
