"""Pictures of simulated figures, by matplotlib, which is an extra: `pip install 'centralita-cli[plots]'`.

One figure with a panel for each question: how well were hours served, how long did people wait, how busy were
agents, did estimates hold. A page (.html) holds the same drawing as SVG, with nothing fetched from elsewhere.
"""

from __future__ import annotations

import html
import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from centralita.simulate.calibration import POSITIONS, Coverage
from centralita.simulate.figures import PERCENT, Mean, Together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Final = (".html", ".svg", ".png")
AGENTS_SHOWN_MAX: Final = 60
"""More bars than this can't be told apart: then crews are shown."""
ESTIMATES_SHOWN_MIN: Final = 50
"""Of fewer estimates a share says nothing."""
_SALT: Final = "centralita"
"""Names inside the drawing are hashed with it, so that the same figures give the same file."""


def problem(path: Path) -> str:
    """Why nothing can be drawn to a path; empty when it can."""
    if path.suffix not in FORMATS:
        return f"{path}: plots are written as {', '.join(FORMATS)}"
    if not path.absolute().parent.is_dir():
        return f"{path}: there is no folder {path.parent}"
    if find_spec("matplotlib") is None:
        return "plots need matplotlib: pip install 'centralita-cli[plots]'"
    return ""


def simulated(found: Together, held: dict[str, dict[int, Coverage]] | None, *, title: str = "") -> Figure:
    """Service level by hour, distribution of waits, occupancy, and calibration if it was measured."""
    from matplotlib.figure import Figure

    panels = 3 + bool(held)
    figure = Figure(figsize=(9, 3.4 * panels), layout="constrained")
    axes: Any = figure.subplots(panels, 1)
    _service_levels(axes[0], found)
    _waits(axes[1], found)
    _occupancy(axes[2], found)
    if held:
        _calibration(axes[3], held)
    figure.suptitle(f"{title}: {found.runs} runs" if title else f"{found.runs} runs")
    return figure


def write(path: Path, figure: Figure) -> None:
    """Write a figure in the form that the path's ending names."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": _SALT}):
        if path.suffix != ".html":
            figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
            return
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    picture = drawn.getvalue()
    title = html.escape(figure.get_suptitle() or "Simulation")
    path.write_text(
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f"<body>{picture[picture.index('<svg') :]}</body></html>\n",
        encoding="utf-8",
    )


def _service_levels(axes: Axes, found: Together) -> None:
    for name, hours in found.queue_hours.items():
        known = [(hour, hours[hour]["of_offered"]) for hour in sorted(hours)]
        _line(axes, [(hour, level) for hour, level in known if level.mean is not None], name)
    axes.set(title="Service level by hour (of_offered)", xlabel="hour since the start", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(_percent())
    axes.legend(loc="lower right")


def _line(axes: Axes, points: list[tuple[int, Mean]], name: str) -> None:
    if points:
        means = [mean.mean or 0.0 for _, mean in points]
        widths = [mean.half_width or 0.0 for _, mean in points]
        axes.errorbar([hour for hour, _ in points], means, yerr=widths, marker="o", capsize=3, label=name)


def _waits(axes: Axes, found: Together) -> None:
    if found.wait_percentiles:
        axes.plot(found.wait_percentiles, [percent / 100 for percent in PERCENT], drawstyle="steps-post")
        axes.set_xlim(0, max(found.wait_percentiles[99], 1.0))
    axes.set(title="Waits of those served", xlabel="seconds", ylabel="served within", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(_percent())


def _occupancy(axes: Axes, found: Together) -> None:
    shown, what = (found.agents, "agent") if len(found.agents) <= AGENTS_SHOWN_MAX else (found.crews, "crew")
    bars = {name: measured["occupancy"] for name, measured in shown.items()}
    known = {name: mean for name, mean in bars.items() if mean.mean is not None}
    axes.bar(
        list(known),
        [mean.mean or 0.0 for mean in known.values()],
        yerr=[mean.half_width or 0.0 for mean in known.values()],
        capsize=2,
    )
    axes.set(title=f"Occupancy by {what}", ylim=(0, 1.1))
    axes.tick_params(axis="x", rotation=90, labelsize=7)
    axes.yaxis.set_major_formatter(_percent())


def _calibration(axes: Axes, held: dict[str, dict[int, Coverage]]) -> None:
    for name, groups in held.items():
        positions = [
            position
            for position, found in groups.items()
            if position and found.estimates >= ESTIMATES_SHOWN_MIN
        ]
        axes.plot(positions, [groups[position].held for position in positions], marker="o", label=name)
        axes.axhline(groups[0].claimed, linestyle="--", color="grey")
    axes.set(title="Estimated waits: how often the interval held", xlabel="position in line", ylim=(0, 1.02))
    axes.set_xscale("log")
    axes.set_xticks(POSITIONS, [str(position) for position in POSITIONS], minor=False)
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter(_percent())
    axes.legend(loc="lower left")


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(xmax=1)
