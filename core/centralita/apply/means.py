"""The moving means that estimates are made from: of gaps between starts, of handling, of who gives up."""

from __future__ import annotations

from typing import Final

from centralita.state import Queue

GAP_WEIGHT: Final = 0.02
"""Weight of the newest sample in the moving means that estimates are made from: about the last hundred.
A shorter memory moves with the line's own luck: it promises most just when the line is short."""
LINE_WEIGHT: Final = 0.005
"""The same for who gives up, which is rarer, and for how uneven gaps are: about the last four hundred."""
UNEVENNESS_MAX: Final = 100.0
"""As much may one gap say of it: ten means more than the mean."""


def left_line(queue: Queue, waited_ns: int, *, gave_up: bool) -> None:
    """Somebody left the line, for an agent or for good, after a wait."""
    queue.line_n += 1
    weight = max(LINE_WEIGHT, 1 / queue.line_n)
    queue.line_ns += (waited_ns - queue.line_ns) * weight
    queue.gave_up += (gave_up - queue.gave_up) * weight
