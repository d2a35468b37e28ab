"""Pictures of simulated figures, by matplotlib, which is an extra: `pip install 'centralita-cli[plots]'`.

A panel for each question: how well were hours served, how long did people wait, how busy were agents, did
estimates hold. A picture (.svg, .png) has them below each other; a page (.html) beside each other as there is room, light or
dark as the reader likes it, below the figures as a table, with nothing fetched from elsewhere.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from centralita import frames
from centralita.config import NS_PER_S
from centralita.errors import CentralitaError, reason
from centralita.simulate.calibration import POSITIONS, Coverage
from centralita.simulate.figures import PERCENT, Mean, Together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Final = (".html", ".svg", ".png")
AGENTS_SHOWN_MAX: Final = 40
"""The names of more bars than this overlap: then crews are shown."""
LINES_MAX: Final = 8
"""More lines than this can't be told apart: then queues are rows of coloured fields."""
NAME_MAX: Final = 24
"""Longer names are cut short where they would push the drawing aside."""
ESTIMATES_SHOWN_MIN: Final = 50
"""Of fewer estimates a share says nothing."""
HOURS_A_DAY: Final = 24
_SALT: Final = "centralita"
"""Names inside the drawing are hashed with it, so that the same figures give the same file."""
_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto; padding: 1rem; max-width: 84rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #8886; }
th:first-child, td:first-child { text-align: left; }
.panels { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 32rem), 1fr)); margin-top: 1.5rem; }
.panels svg { width: 100%; height: auto; fill: currentColor; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #16181c; } }
"""

Panel = Callable[["Axes"], None]


class DrawingError(CentralitaError):
    """A drawing can't be written: the disk refuses."""


def problem(path: Path) -> str:
    """Why nothing can be drawn to a path; empty when it can."""
    if path.suffix not in FORMATS:
        return f"{path}: plots are written as {', '.join(FORMATS)}"
    if nowhere := frames.no_place_for(path):
        return nowhere
    if find_spec("matplotlib") is None:
        return "plots need matplotlib: pip install 'centralita-cli[plots]'"
    return ""


def write(
    path: Path,
    found: Together,
    held: dict[str, dict[int, Coverage]] | None,
    *,
    title: str,
    start_ns: int,
    table: tuple[Sequence[str], Sequence[Sequence[str]]],
) -> None:
    """Draw figures, in the form that the path's ending names; `table` is for a page: its columns and rows.

    The file stands under its name only once it is whole. Raises DrawingError when it can't be written.
    """
    title = f"{title}: {found.runs} runs" if title else f"{found.runs} runs"
    panels: list[tuple[Panel, float]] = [
        (partial(_service_levels, found=found, start_ns=start_ns), _levels_height(found)),
        (partial(_waits, found=found), 3.2),
        (partial(_occupancy, found=found), 3.4),
    ]
    if held:
        panels.append((partial(_calibration, held=held), 3.2))
    with _plain_style(path.suffix):
        if path.suffix == ".html":
            drawn = _page(title, [_panel(*panel) for panel in panels], *table).encode()
        else:
            drawn = _saved(_stacked(title, panels), path.suffix[1:])
    partial_path = path.with_name(f"{path.name}.partial")
    try:
        partial_path.write_bytes(drawn)
        partial_path.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial_path.unlink(missing_ok=True)
        raise DrawingError(f"{path}: can't be written: {reason(error)}") from error


@contextmanager
def _plain_style(suffix: str) -> Iterator[None]:
    """On a page words stay words, in the reader's font; a picture must look the same everywhere."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "none" if suffix == ".html" else "path"}):
        yield


def _stacked(title: str, panels: Sequence[tuple[Panel, float]]) -> Figure:
    from matplotlib.figure import Figure

    heights = [height for _, height in panels]
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    axes: Any = figure.subplots(len(panels), 1, height_ratios=heights)
    for (panel, _), one in zip(panels, axes, strict=True):
        panel(one)
    figure.suptitle(title, wrap=True)
    return figure


def _panel(panel: Panel, height: float) -> str:
    """One panel as SVG to stand in a page, which gives it its colours of ink and paper."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, height), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    panel(axes)
    drawn = _saved(figure, "svg").decode()
    drawn = drawn[drawn.index("<svg") :].replace("#000000", "currentColor")
    used = set(re.findall(r"#([\w.-]+)", drawn))
    return re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", drawn)


def _saved(figure: Figure, form: str) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, format=form, metadata={"Date": None} if form == "svg" else None)
    return drawn.getvalue()


def _page(title: str, panels: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cells(kind: str, texts: Sequence[str]) -> str:
        return "".join(f"<{kind}>{html.escape(text)}</{kind}>" for text in texts)

    head = cells("th", [column.removeprefix(">") for column in columns])
    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    figures = "\n".join(f"<figure style='margin:0'>{panel}</figure>" for panel in panels)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style></head>
<body><h1>{html.escape(title)}</h1>
<p>In target: served within the queue's target, of all offered. ± and whiskers: 95 % confidence, Student's t.</p>
<div class="wide"><table><thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>
<div class="panels">
{figures}
</div></body></html>
"""


def hour_name(start_ns: int, hour: int, *, dated: bool = False) -> str:
    """When an hour of a run begins, by the clock on its wall; `dated` when there are several days to tell apart."""
    at = datetime.fromtimestamp(start_ns / NS_PER_S + hour * 3600, UTC)
    return f"{at:%Y-%m-%d %H:%M}" if dated else f"{at:%H:%M}"


def _levels_height(found: Together) -> float:
    """A row of fields needs a fifth of an inch."""
    queues = len(found.queue_hours)
    return 3.4 if queues <= LINES_MAX else 1.4 + 0.2 * queues


def _service_levels(axes: Axes, found: Together, start_ns: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    draw = _lines if len(found.queue_hours) <= LINES_MAX else _fields
    draw(axes, found.queue_hours)
    dated = max(found.hours, default=0) >= HOURS_A_DAY
    axes.set(title="Service level by hour (of_offered)", xlabel="customers who came from … on")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4 if dated else 8, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda hour, _: hour_name(start_ns, round(hour), dated=dated))
    )


def _lines(axes: Axes, queue_hours: dict[str, dict[int, dict[str, Mean]]]) -> None:
    drawn = False
    for name, hours in queue_hours.items():
        points = [
            (hour, level) for hour in sorted(hours) if (level := hours[hour]["of_offered"]).mean is not None
        ]
        if points:
            means = [level.mean or 0.0 for _, level in points]
            axes.errorbar(
                [hour for hour, _ in points],
                means,
                yerr=_whiskers([level for _, level in points], most=1.0),
                marker="o",
                capsize=3,
                label=_short(name),
            )
            drawn = True
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(_percent())
    if drawn:
        _legend(axes)
    else:
        axes.text(0.5, 0.5, "nobody came", ha="center", transform=axes.transAxes)


def _fields(axes: Axes, queue_hours: dict[str, dict[int, dict[str, Mean]]]) -> None:
    every = sorted({hour for hours in queue_hours.values() for hour in hours})
    every = list(range(every[0], every[-1] + 1)) if every else [0]
    nothing = float("nan")
    levels = [
        [
            nothing if hour not in hours or (mean := hours[hour]["of_offered"].mean) is None else mean
            for hour in every
        ]
        for hours in queue_hours.values()
    ]
    drawn = axes.imshow(
        levels,
        aspect="auto",
        vmin=0,
        vmax=1,
        cmap="viridis",
        extent=(every[0] - 0.5, every[-1] + 0.5, len(levels) - 0.5, -0.5),
    )
    axes.set_yticks(range(len(levels)), [_short(name) for name in queue_hours], fontsize=7)
    axes.get_figure().colorbar(drawn, ax=axes, format=_percent())  # type: ignore[union-attr]  # axes are always in a figure


def _waits(axes: Axes, found: Together) -> None:
    if found.wait_percentiles:
        axes.plot(found.wait_percentiles, [percent / 100 for percent in PERCENT], drawstyle="steps-post")
        axes.set_xlim(0, max(found.wait_percentiles[99], 1.0))
    else:
        axes.text(0.5, 0.5, "nobody was answered", ha="center", transform=axes.transAxes)
    axes.set(title="Waits of those answered", xlabel="seconds", ylabel="answered within", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(_percent())


def _occupancy(axes: Axes, found: Together) -> None:
    shown, what = (found.agents, "agent") if len(found.agents) <= AGENTS_SHOWN_MAX else (found.crews, "crew")
    known = {name: one["occupancy"] for name, one in shown.items() if one["occupancy"].mean is not None}
    means = [mean.mean or 0.0 for mean in known.values()]
    places = range(len(known))
    axes.bar(places, means, yerr=_whiskers(list(known.values())), capsize=2, ecolor="grey")
    axes.set_xticks(places, [_short(name) for name in known])
    # Who has several contacts at once is busy more than once.
    tallest = max((mean.mean or 0.0) + (mean.half_width or 0.0) for mean in known.values()) if known else 0.0
    axes.set(title=f"Occupancy by {what}", ylim=(0, max(1.1, 1.05 * tallest)))
    axes.tick_params(axis="x", rotation=90, labelsize=7)
    axes.yaxis.set_major_formatter(_percent())


def _calibration(axes: Axes, held: dict[str, dict[int, Coverage]]) -> None:
    drawn = False
    for name, groups in held.items():
        positions = [
            position
            for position, found in groups.items()
            if position and found.estimates >= ESTIMATES_SHOWN_MIN
        ]
        if positions:
            shares = [groups[position].held for position in positions]
            axes.plot(positions, shares, marker="o", label=_short(name))
            drawn = True
        axes.axhline(groups[0].claimed, linestyle="--", color="grey")
    axes.set(title="Estimated waits: how often the interval held", xlabel="position in line", ylim=(0, 1.02))
    axes.set_xscale("log")
    axes.set_xticks(POSITIONS, [str(position) for position in POSITIONS], minor=False)
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter(_percent())
    if drawn:
        _legend(axes)
    else:
        axes.text(0.5, 0.5, "too few waited to say", ha="center", transform=axes.transAxes)


def _whiskers(means: Sequence[Mean], most: float = float("inf")) -> list[list[float]]:
    """Below and above each mean, within what the figure can be."""
    middles = [(mean.mean or 0.0, mean.half_width or 0.0) for mean in means]
    return [
        [min(width, middle) for middle, width in middles],
        [max(0.0, min(width, most - middle)) for middle, width in middles],
    ]


def _legend(axes: Axes) -> None:
    """Beside the drawing, where it hides nothing."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), frameon=False, fontsize=8, labelcolor="black")


def _short(name: str) -> str:
    """Cut in the middle: long names that are alike differ most often at their ends."""
    return name if len(name) <= NAME_MAX else f"{name[: NAME_MAX // 2]}…{name[1 - NAME_MAX // 2 :]}"


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(xmax=1)
