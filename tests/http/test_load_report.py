"""What `make bench-load` says of a run: the promises it judges, and the page it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks.load.report import BEGIN, DOC, END, broken, polite, section, write

CUSTOMERS, DESKS = 2000, 200


def phase(**changed: Any) -> dict[str, Any]:
    return {
        "seconds": 60,
        "customers": CUSTOMERS,
        "desks": DESKS,
        "chats": 300,
        "offers": 1234,
        "offers_with_room": 1_200,
        "room_ms": {"p50": 12.34, "p99": 56.7, "p99.9": None},
        "offer_ms": {"p50": 13.2, "p99": 11_371, "p99.9": None},
        "memory_mb_first_quarter": 200.0,
        "memory_mb_last_quarter": 201.0,
        "memory_mb_most": 202.0,
        "cpu_percent": 40,
        "refused": 0,
        "impolite": 0,
        "crowd_lag_ms_p99": 3.0,
        "told": {},
        **changed,
    }


def run(**changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A good run, with changes to phases: `half`, `nine_tenths`, `overload`, `after`."""
    overload = {"refused": 900, "told": {"customer refused: 503 busy": 900}, **changed.get("overload", {})}
    return {
        "half": phase(**changed.get("half", {})),
        "nine tenths": phase(**changed.get("nine_tenths", {})),
        "overload": phase(**overload),
        "after": phase(**changed.get("after", {})),
    }


def verdict(
    down: list[str] | None, phases: dict[str, dict[str, Any]], recovered_s: float | None = 12.0
) -> list[str]:
    return broken(phases, customers=CUSTOMERS, desks=DESKS, components_down=down, recovered_s=recovered_s)


def test_good_run_breaks_no_promise() -> None:
    assert verdict([], run()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"overload": {"impolite": 1}}, "overload: 1 times somebody was cut off"),
        ({"overload": {"refused": 0}}, "nobody was refused"),
        ({"overload": {"customers": 1900}}, "overload: only 1900 of 2000 customers"),
        ({"overload": {"desks": 199}}, "199 of 200 desks"),
        ({"overload": {"memory_mb_most": 302.0}}, "memory reached 302.0 MB"),
        ({"nine_tenths": {"memory_mb_last_quarter": 221.0}}, "memory grew from 200.0 to 221.0 MB"),
        ({"nine_tenths": {"refused": 1}}, "nine tenths: 1 refused, though there was room"),
        ({"after": {"customers": 1999}}, "after: only 1999 of 2000"),
        ({"after": {"offers": 0}}, "after: no offer"),
        ({"after": {"offer_ms": {"p50": 251.0, "p99": 1, "p99.9": 1}}}, "the median offer took 251.0 ms"),
    ],
)
def test_broken_promise_is_told(changed: dict[str, Any], words: str) -> None:
    found = verdict([], run(**changed))
    assert len(found) == 1
    assert words in found[0]


def test_what_is_down_at_the_end_is_told() -> None:
    assert verdict(["crms.customers"], run()) == ["down at the end: crms.customers"]
    assert verdict(None, run()) == ["the status could not be had at the end"]


def test_line_that_never_empties_is_told() -> None:
    assert verdict([], run(), None) == ["after the overload the line never emptied"]


def test_refusal_is_polite_with_a_code_and_a_time() -> None:
    assert polite(503, "busy", 5)
    assert not polite(503, "busy", None)
    assert not polite(503, "", 5)
    assert not polite(500, "internal", 5)


def test_page_gets_the_table_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "load.md"
    page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n", encoding="utf-8")
    phases = run(overload={"impolite": 2})
    text = section(
        phases, command="make bench-load", machine="this", verdict=verdict([], phases), recovered_s=12
    )
    write(text, doc=page)
    write(text, doc=page)
    written = page.read_text(encoding="utf-8")
    assert written.startswith(f"above\n{BEGIN}\n\n`make bench-load` on this\n")
    assert written.endswith(f"\n{END}\nbelow\n")
    assert "old" not in written
    assert (
        "| half | 60 | 2,000 | 200 | 300 | 1,234 | 1,200 | 12.3 | 56.7 | – | 13.2 | 200.0, 201.0 | 202.0 | 40 | 0 | 3.0 |"
        in written
    )
    assert "**Not kept**: overload: 2 times" in written
    assert "The line was empty 12 s after the overload." in written
    assert "900 × customer refused: 503 busy" in written


@pytest.mark.parametrize("marks", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}\n{END}\n{END}"])
def test_page_without_its_marks_is_left_alone(tmp_path: Path, marks: str) -> None:
    page = tmp_path / "load.md"
    page.write_text(marks, encoding="utf-8")
    with pytest.raises(ValueError, match="two marks"):
        write("text", doc=page)
    assert page.read_text(encoding="utf-8") == marks


def test_our_page_has_the_marks() -> None:
    page = DOC.read_text(encoding="utf-8")
    assert (page.count(BEGIN), page.count(END)) == (1, 1)
