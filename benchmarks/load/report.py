"""What a run of `bench_load.py` gave: the table of docs/load.md, and which promises it broke.

Knows the phases' figures and nothing of how they came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

DOC: Final = Path(__file__).parents[2] / "docs" / "load.md"
BEGIN: Final = "<!-- bench-load: from here to the end mark a run with --write replaces everything -->"
END: Final = "<!-- bench-load: end -->"

FLAT: Final = 1.10
"""Memory in a phase's last quarter over its first: more is growth. In ten minutes at nine tenths some 4,000 chats end in between, and
each leaves 3 kB behind until 20,000 are remembered (docs/load.md): 5 % that are meant."""
FLAT_MB: Final = 4.0
"""Growth that is let pass in a short phase, where a page of a pool more or less is already some percent."""
BOUND: Final = 1.5
"""The most memory of all phases over that at the end of `half`, when everybody had come in."""
RECOVERED: Final = 3.0
"""The median offer after the overload over that before it, and `RECOVERED_MS` are let pass: others use the machine too."""
RECOVERED_MS: Final = 250.0
STAYED: Final = 0.99
"""Of the customers under overload: one who was thrown out may just be on the way back."""
IN_LINE: Final = frozenset({"busy", "too_many_connections", "too_many", "too_many_requests", "stopping"})
"""The codes of a polite answer to who comes when there is no room."""
POLITE_CLOSES: Final = frozenset({1012, 1013})

Figures = Mapping[str, Any]


def polite(status: int, code: str, retry_after_s: float | None) -> bool:
    """Whether a refused opening said what it was and when to come again."""
    return status in {429, 503} and code in IN_LINE and retry_after_s is not None


def table(phases: Mapping[str, Figures]) -> str:
    """A row for each phase, in Markdown."""
    head = [
        "phase", "s", "customers", "desks", "chats", "offers", "of them with room", "p50 ms", "p99 ms", "p99.9 ms", "all, p50 ms",
        "memory MB, first and last quarter", "most", "CPU %", "refused", "crowd's own p99 ms",
    ]  # fmt: skip
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, one in phases.items():
        latency = [_number(one["room_ms"][share]) for share in ("p50", "p99", "p99.9")]
        memory = f"{one['memory_mb_first_quarter']}, {one['memory_mb_last_quarter']}"
        cells = [
            name, one["seconds"], f"{one['customers']:,}", one["desks"], one["chats"], f"{one['offers']:,}", f"{one['offers_with_room']:,}", *latency,
            _number(one["offer_ms"]["p50"]), memory, one["memory_mb_most"], one["cpu_percent"], f"{one['refused']:,}", _number(one["crowd_lag_ms_p99"]),
        ]  # fmt: skip
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(rows)


def broken(
    phases: Mapping[str, Figures],
    *,
    customers: int,
    desks: int,
    components_down: Sequence[str] | None,
    recovered_s: float | None,
) -> list[str]:
    """A line for each promise that was not kept. `components_down` None: nobody could be asked at the end.

    `recovered_s`: from the end of the overload until nobody waited in line; None when somebody always did.
    """
    found = []
    for name, one in phases.items():
        if one["impolite"]:
            found.append(f"{name}: {one['impolite']} times somebody was cut off without a clear answer")
        if not one["offers"]:
            found.append(f"{name}: no offer reached a desk")
        if name != "overload" and one["refused"]:
            found.append(f"{name}: {one['refused']} refused, though there was room")
        first, last = one["memory_mb_first_quarter"], one["memory_mb_last_quarter"]
        if name == "nine tenths" and last > max(FLAT * first, first + FLAT_MB):
            found.append(f"{name}: memory grew from {first} to {last} MB")
    full_mb = phases["half"]["memory_mb_last_quarter"]
    most_mb = max(one["memory_mb_most"] for one in phases.values())
    if most_mb > BOUND * full_mb:
        found.append(f"memory reached {most_mb} MB; with everybody in it was {full_mb} MB")
    if not phases["overload"]["refused"]:
        found.append("overload: nobody was refused, so it was none")
    for name, one in phases.items():
        least = customers * (STAYED if name == "overload" else 1)
        if one["customers"] < least or one["desks"] < desks:
            inside = f"{one['customers']} of {customers} customers and {one['desks']} of {desks} desks"
            found.append(f"{name}: only {inside} were inside at its end")
    before, after = (phases[name]["offer_ms"]["p50"] for name in ("half", "after"))
    if before and after and after > max(RECOVERED * before, RECOVERED_MS):
        found.append(f"after: the median offer took {after} ms, before the overload {before} ms")
    if recovered_s is None:
        found.append("after the overload the line never emptied")
    if components_down is None:
        found.append("the status could not be had at the end")
    elif components_down:
        found.append(f"down at the end: {', '.join(components_down)}")
    return found


def section(
    phases: Mapping[str, Figures],
    *,
    command: str,
    machine: str,
    verdict: Sequence[str],
    recovered_s: float | None,
) -> str:
    """What stands between the marks of docs/load.md."""
    kept = "Every promise was kept." if not verdict else "**Not kept**: " + "; ".join(verdict) + "."
    told = "\n".join(
        f"- {name}: {', '.join(f'{times:,} × {what}' for what, times in one['told'].items())}"
        for name, one in phases.items()
        if one["told"]
    )
    line = "" if recovered_s is None else f" The line was empty {recovered_s:g} s after the overload."
    return f"`{command}` on {machine}\n\n{table(phases)}\n\n{kept}{line} What the crowd counted:\n\n{told}\n"


def write(text: str, *, doc: Path = DOC) -> None:
    """Put `text` between the marks of the page. Raises ValueError where they are not there once and in order."""
    page = doc.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"{doc} must have the two marks of bench-load, once and in order")
    before, after = page[: page.index(BEGIN)], page[page.index(END) :]
    doc.write_text(f"{before}{BEGIN}\n\n{text}\n{after}", encoding="utf-8")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
