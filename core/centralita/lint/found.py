"""What the linter's rules report to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from centralita.views import Problem

NAMES_SHOWN_MAX: Final = 5
"""A message names so many; of the others it says how many."""


class Found:
    """Collects problems in the order in which they are found."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def error(self, path: str, message: str) -> None:
        """It can't work."""
        self.problems.append(Problem(level="error", path=path, message=message))

    def warning(self, path: str, message: str) -> None:
        """It was probably not meant."""
        self.problems.append(Problem(level="warning", path=path, message=message))


def listed(names: Collection[str]) -> str:
    """Names for a message: the first few, and how many more."""
    shown = ", ".join(list(names)[:NAMES_SHOWN_MAX])
    more = len(names) - NAMES_SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def levels(skills: Iterable[tuple[str, int]]) -> str:
    """Required skills for a message: `sales 5, spanish 3`."""
    return ", ".join(f"{name} {level}" for name, level in skills) or "no skills"


def span(seconds: float) -> str:
    """A duration for a message: `45 s`, `10 min`, `2 h`, in the largest unit that divides it."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
