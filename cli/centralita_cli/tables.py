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
from typing import IO, Any, Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from centralita.errors import reason
from centralita_cli.exits import Broken

PIPE_WIDTH: Final = 10_000
"""Wide enough that nothing is cut where there is no screen to fit."""

TEXT_WIDTH_LEAST: Final = 8
"""No column of words is made narrower than this on a screen that is too small for a table."""
HEADING_WIDTH_LEAST: Final = 4

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


class _Plain(Console):
    """A console that shows control characters instead of sending them: a customer may have written them, to
    colour, move or retitle the terminal of whoever reads."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=segment.text.translate(_SHOWN))


_SHOWN: Final = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}
"""Control characters → the pictures that Unicode has of them; of the second set there are none."""


def console(file: IO[str] | None = None) -> Console:
    """A console on stdout as it is now, or on `file`; wide when stdout is no terminal."""
    width = None if on_terminal() else PIPE_WIDTH
    return _Plain(file=file, width=width, highlight=False, emoji=False, markup=False)


def put(*renderables: RenderableType) -> None:
    """Print on stdout; in a pipe without the blanks that fill a table's last column."""
    if on_terminal():
        console().print(*renderables, sep="\n")
        return
    text = StringIO()
    console(text).print(*renderables, sep="\n", soft_wrap=True)
    _write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def write_json(value: Any) -> None:
    """One JSON document on stdout; escaped where stdout can't hold the words themselves."""
    indent = 2 if on_terminal() else None
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    _write(text + "\n")


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


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", one_line: bool = False
) -> Table:
    """A table; a column whose name begins with `>` is set to the right. Where the screen is too narrow, words
    go on in further lines, or with `one_line` are cut."""
    made = Table(
        box=box.SIMPLE_HEAD if on_terminal() else None,
        title=title or None,
        title_justify="left",
        pad_edge=False,
        collapse_padding=on_terminal(),
        header_style="bold",
    )
    for column in columns:
        right = column.startswith(">")
        made.add_column(column.removeprefix(">"), justify="right" if right else "left", no_wrap=not right)
    cells = [[cell if isinstance(cell, Text) else Text(str(cell)) for cell in row] for row in rows]
    for row in cells:
        made.add_row(*row)
    if on_terminal():
        _fit(made, cells, console().width, one_line=one_line)
    return made


def _fit(made: Table, rows: Sequence[Sequence[Text]], width: int, *, one_line: bool) -> None:
    """Make a table as narrow as the screen. Headings fold and words give way; figures stay whole: left to
    itself, rich cuts them away before it touches a long name."""
    over = _width(made) - width
    if over <= 0:
        return
    cells = [
        max((cell_len(row[index].plain) for row in rows), default=1) for index in range(len(made.columns))
    ]
    widths = [max(cell, cell_len(str(one.header))) for cell, one in zip(cells, made.columns, strict=True)]
    least = [
        max(cell if one.justify == "right" else min(cell, TEXT_WIDTH_LEAST), min(now, HEADING_WIDTH_LEAST))
        for cell, now, one in zip(cells, widths, made.columns, strict=True)
    ]
    if over > sum(widths) - sum(least):
        made.padding = 0
        over = _width(made) - width
    for _ in range(over):
        slack = [now - narrowest for now, narrowest in zip(widths, least, strict=True)]
        if max(slack) <= 0:
            break
        widths[slack.index(max(slack))] -= 1
    for column, now in zip(made.columns, widths, strict=True):
        cut = one_line and column.justify == "left"
        column.width, column.no_wrap, column.overflow = now, cut, "ellipsis" if cut else "fold"


def _width(made: Table) -> int:
    """How many characters a table takes where there is room for all of them."""
    wide = Console(width=PIPE_WIDTH)
    return Measurement.get(wide, wide.options, made).maximum


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
