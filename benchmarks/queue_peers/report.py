"""What a run has measured, in tables, plots and verdicts; RESULTS.md keeps what stands outside the marks."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from queue_peers.inside_rust import RustRun
from queue_peers.measure import Latency, Result
from queue_peers.work import Mode, Size

if TYPE_CHECKING:
    from bench_queue import Measured

RESULTS: Final = Path(__file__).parents[1] / "RESULTS.md"
PLOTS: Final = RESULTS.parent / "plots"
BEGIN: Final = "<!-- bench-queue: from here to the end mark a run with --write replaces everything -->"
END: Final = "<!-- bench-queue: end -->"
GOALS: Final[tuple[tuple[str, str, float, bool], ...]] = (
    (
        "cycles_per_s_python_api",
        "match cycles a second through Python, 1,000 × 1,000 × 10,000 agents",
        1e6,
        True,
    ),
    ("vs_best_python", "times the best pure Python, 100,000 waiting", 4, True),
    ("vs_sqlite", "times SQLite with mod_callcenter's own pass a match, 100,000 waiting", 10_000, True),
    (
        "events_per_s_rust_mixed",
        "mixed events a second inside Rust, 1,000,000 × 100,000 agents, 1,000 × 1,000",
        6e6,
        True,
    ),
    ("events_per_s_rust_unique", "the same, all 100,000 requirements and profiles distinct", 1e6, True),
    ("p99_us", "p99 in µs inside Rust, 1,000,000 waiting", 1, False),
    ("p999_us", "p99.9 in µs", 2, False),
    ("bytes_per_waiting", "bytes a waiting contact", 64, False),
    ("exponent_waiting", "growth of time, 10,000 to 1,000,000 waiting", 0.3, False),
    ("exponent_agents", "growth of time, 1,000 to 100,000 agents", 0.1, False),
    ("exponent_waiting_instructions", "growth of instructions, 10,000 to 1,000,000 waiting", 0.02, False),
    ("exponent_agents_instructions", "growth of instructions, 1,000 to 100,000 agents", 0.1, False),
    ("worst_us", "the slowest operation in µs of the thread's time, 1,000,000 waiting", 1_000, False),
)


class Machine:
    """The machine and how busy others kept it meanwhile."""

    def __init__(self) -> None:
        self.load_before = os.getloadavg()[0]
        self._before = _cpu_ticks()
        self._own_before = os.times()

    def finish(self) -> None:
        """What had the processors since the start: us and our children, others, the hypervisor."""
        total, idle, stolen = (
            after - before for after, before in zip(_cpu_ticks(), self._before, strict=True)
        )
        own = sum(os.times()[:4]) - sum(self._own_before[:4])
        ticks = max(1, total)
        self.ours = own * os.sysconf("SC_CLK_TCK") / ticks
        self.idle, self.stolen = idle / ticks, stolen / ticks
        self.load_after = os.getloadavg()[0]

    def __str__(self) -> str:
        cpu = re.search(
            r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
        )
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        others = max(0.0, 1 - self.ours - self.idle - self.stolen)
        rustc = shutil.which("rustc")
        rust = (
            subprocess.run([rustc, "--version"], capture_output=True, text=True, check=False).stdout.split(
                "("
            )[0]
            if rustc
            else "no rustc "
        )
        return (
            f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} virtual cores, {pages:.0f} GiB, "
            f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}, "
            f"{rust.strip()}. Of the processors' time this run and its servers had {self.ours:.0%}, other work on the "
            f"machine {others:.0%}, the hypervisor's other guests {self.stolen:.0%}, nobody {self.idle:.0%}; "
            f"load average {self.load_before:.1f} before, {self.load_after:.1f} after."
        )


def _cpu_ticks() -> tuple[int, int, int]:
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    ticks = [int(one) for one in fields]
    return sum(ticks), ticks[3] + ticks[4], ticks[7]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column left, the others right."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def rate(per_s: float) -> str:
    """Three figures with a unit."""
    if per_s >= 1e6:
        return f"{per_s / 1e6:.2f} M"
    if per_s >= 1e4:
        return f"{per_s / 1e3:.0f} k"
    return f"{per_s:,.0f}" if per_s >= 10 else f"{per_s:.2g}"


def cell(size: Size, mode: Mode, results: Sequence[Result]) -> str:
    """One size and mode with everybody who took part."""
    ours = next((one.events_per_s for one in results if not one.skipped), 0.0)
    rows: list[list[str]] = []
    for one in results:
        if one.skipped:
            rows.append([one.peer, "–", "–", "–", f"left out: {one.skipped}", "", ""])
            continue
        low, high = one.quartiles_ns
        held = "–" if one.bytes_per_waiting is None else f"{one.bytes_per_waiting:,.0f}"
        rows.append(
            [
                one.peer, rate(one.events_per_s), f"{one.median_ns / 1e3:,.2f}",
                f"{low / 1e3:,.2f}–{high / 1e3:,.2f}", f"{ours / one.events_per_s:,.2f}", held, f"{one.load_s:.2f}",
            ]
        )  # fmt: skip
    head = ["", "events/s", "µs an event", "quartiles", "ours is faster, times", "bytes a waiting", "load s"]
    return f"### {mode.capitalize()}: {size}\n\n{table(head, rows)}\n"


def latencies(measured: Sequence[tuple[Size, Mode, Latency]]) -> str:
    """Single events through Python."""
    rows = [
        [
            f"{one.peer}, {mode}, {size}", f"{one.p50_us:.2f}", f"{one.p99_us:.2f}", f"{one.p999_us:.2f}",
            f"{one.worst_us:,.0f}", f"{one.worst_cpu_us:,.0f}",
        ]
        for size, mode, one in measured
    ]  # fmt: skip
    head = ["µs an event, through Python", "p50", "p99", "p99.9", "worst", "worst by the thread's clock"]
    return table(head, rows) + "\n"


def rust(runs: Sequence[tuple[str, RustRun]]) -> str:
    """Inside Rust."""
    rows: list[list[str]] = []
    for axis, run in runs:
        low, high = run.spread
        rows.append(
            [
                f"{axis}: {run.mode}, {run.size}", rate(run["rate"]), f"{rate(low)}–{rate(high)}",
                f"{run['p50_ns'] / 1e3:.2f}", f"{run['p99_ns'] / 1e3:.2f}", f"{run['p999_ns'] / 1e3:.2f}",
                f"{run['max_ns'] / 1e3:,.0f}", f"{run['worst_event_ns'] / 1e3:,.0f}",
                f"{run['worst_fill_ns'] / 1e3:,.0f}", f"{run['bytes_per_waiting']:.0f}", f"{run['bytes_per_agent']:.0f}",
                f"{run['built_s']:.1f}",
            ]
        )  # fmt: skip
    head = [
        "inside Rust", "events/s", "least–most", "p50 µs", "p99", "p99.9", "worst", "by the thread's clock",
        "while filling", "bytes a waiting", "an agent", "built s",
    ]  # fmt: skip
    return table(head, rows) + "\n"


def instructions(counted: Sequence[tuple[str, Size, float]]) -> str:
    """A mixed event inside Rust along both axes."""
    rows = [[f"{axis}: {size}", f"{each:,.0f}"] for axis, size, each in counted]
    return table(["mixed, by callgrind", "instructions an event"], rows) + "\n"


def goals(figures: dict[str, float | None]) -> str:
    """Each goal, what was measured, whether it is met."""
    rows: list[list[str]] = []
    for name, what, wanted, more in GOALS:
        measured = figures[name]
        if measured is None:
            verdict, told = "not measured", "–"
        else:
            met = measured >= wanted if more else measured <= wanted
            verdict, told = (
                ("met" if met else "**missed**"),
                f"{measured:,.3g}" if measured < 1e3 else rate(measured),
            )
        asked = f"{'≥' if more else '≤'} {f'{wanted:,g}' if wanted < 1e5 else rate(wanted)}"
        rows.append([what, asked, told, verdict])
    return table(["goal", "asked", "measured", ""], rows) + "\n"


def sweeps(measured: Measured) -> str:
    """One row a size, along each axis."""
    parts: list[str] = []
    for axis in ("waiting", "agents", "distinct"):
        for mode in dict.fromkeys(mode for known, _, mode, _ in measured.sweeps if known == axis):
            rows = []
            for known, size, known_mode, results in measured.sweeps:
                if (known, known_mode) == (axis, mode):
                    rates = ["–" if one.skipped else rate(one.events_per_s) for one in results]
                    ours, python = results[0], results[2]
                    times = (
                        "–"
                        if ours.skipped or python.skipped
                        else f"{ours.events_per_s / python.events_per_s:.2f}"
                    )
                    rows.append([str(size), *rates, times])
                    names = [one.peer for one in results]
            if rows:
                parts.append(table([f"{mode}, by {axis}: events/s", *names, "ours / Python"], rows) + "\n")
    return "\n".join(parts)


def ending(measured: Measured, figures: dict[str, float | None]) -> str:
    """The growth tables, the verdicts and what was left out."""
    left = "".join(f"- left out: {one}\n" for one in measured.left_out)
    return "\n".join(
        part for part in (sweeps(measured), goals(figures), left, f"{measured.machine}\n") if part
    )


def write(measured: Measured, figures: dict[str, float | None], *, command: str) -> None:
    """Replace the part of RESULTS.md between the marks, and the plots."""
    drawn = "".join(f"![{name}](plots/{path.name})\n\n" for name, path in plots(measured))
    parts = [
        BEGIN,
        f"Measured by `{command}` on {measured.machine}\n",
        "## Goals\n\n" + goals(figures),
        "## Inside Rust\n\n" + rust(measured.rust),
        instructions(measured.instructions) if measured.instructions else "",
        "## Beside the peers\n\nThe first row of a table is what the others are compared with.\n",
        *(cell(*one) for one in measured.cells),
        latencies(measured.latencies),
        "## Growth, through Python\n\n" + sweeps(measured),
        drawn,
        "".join(f"- left out: {one}\n" for one in measured.left_out),
        END,
    ]
    told = "\n".join(part for part in parts if part)
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else f"{BEGIN}\n{END}\n"
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    RESULTS.write_text(head + told + tail, encoding="utf-8")


def plots(measured: Measured) -> list[tuple[str, Path]]:
    """Microseconds an event along each axis, doubly logarithmic, and the peers' bars."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "centralita"  # the same figures give the same file
    from matplotlib import pyplot

    PLOTS.mkdir(exist_ok=True)
    made: list[tuple[str, Path]] = []
    for axis in ("waiting", "agents", "distinct"):
        lines: dict[str, list[tuple[int, float]]] = {}
        for known, size, mode, results in measured.sweeps:
            for one in results:
                if known == axis and not one.skipped:
                    line = lines.setdefault(f"{one.peer}, {mode}", [])
                    line.append((getattr(size, axis), one.median_ns / 1e3))
        for known, run in measured.rust:
            if known == axis:
                line = lines.setdefault(f"inside Rust, {run.mode}", [])
                line.append((getattr(run.size, axis), 1e6 / run["rate"]))
        if lines:
            figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
            for name, points in lines.items():
                axes.loglog(*zip(*sorted(points), strict=True), marker="o", label=name)
            axes.set(xlabel=axis, ylabel="µs an event")
            axes.grid(visible=True, which="major", alpha=0.3)
            axes.legend(fontsize="small")
            made.append((f"growth by {axis}", _save(figure, f"growth-{axis}.svg")))
    if measured.cells:
        size, mode, results = measured.cells[0]
        shown = [one for one in reversed(results) if not one.skipped]
        figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
        axes.barh([one.peer for one in shown], [one.events_per_s for one in shown])
        axes.set(xscale="log", xlabel="events a second")
        figure.suptitle(f"{mode}, {size}", fontsize="medium")
        made.append(("peers", _save(figure, "peers.svg")))
    pyplot.close("all")
    return made


def _save(figure: object, name: str) -> Path:
    path = PLOTS / name
    figure.savefig(path, metadata={"Date": None})  # type: ignore[attr-defined]  # pyplot's figure, imported late
    return path
