"""When customers come, as a scenario writes it: a process that gives moments in ascending order.

Poisson at one rate, or at a rate for each piece of the day (exact: each piece is walked with unit
exponentials, nothing is thinned), either with busy days: every day's rates are multiplied by a gamma
variate of mean 1 (Jongbloed and Koole 2001, "Managing uncertainty in call centres using Poisson mixtures": real days vary more
than Poisson says). Or the moments themselves, from a file.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
from math import log
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from centralita.config import Part
from centralita.simulate.drive import LATEST_NS

Rate = Annotated[float, Meta(ge=0, le=100_000_000)]
BusyCv = Annotated[float, Meta(ge=0, le=10)]

_NS: Final = 1_000_000_000
_HOUR_NS: Final = 3600 * _NS
DAY_NS: Final = 24 * _HOUR_NS
BUSY_CV_MIN: Final = 1e-6
"""Days that differ by less are alike: a gamma variate's shape is the square of its inverse."""


class Poisson(Part, tag_field="kind", tag="poisson"):
    """Independent customers at one rate."""

    per_hour: Annotated[float, Meta(gt=0, le=100_000_000)]
    busy_cv: BusyCv = 0

    def moments(self, rng: random.Random, days: random.Random, *, start_ns: int) -> Iterator[int]:
        """The moments from `start_ns` on, as long as a run may go on; `days` decides how busy each day is."""
        if self.busy_cv:
            yield from _pieces((self.per_hour,), DAY_NS, self.busy_cv, rng, days, start_ns)
            return
        uniform, gap_ns = rng.random, -_HOUR_NS / self.per_hour
        at_ns = float(0)  # from the start on, so that no precision is lost to the epoch
        last_ns = LATEST_NS - start_ns
        while True:
            at_ns += gap_ns * log(1.0 - uniform())
            if at_ns > last_ns:  # with a rate next to nothing no integer may hold it
                return
            yield start_ns + int(at_ns)


class Piecewise(Part, tag_field="kind", tag="piecewise"):
    """Independent customers at a rate for each piece of the day, the first from midnight on, repeated."""

    per_hour: Annotated[tuple[Rate, ...], Meta(min_length=1, max_length=1440)]
    piece_s: Annotated[float, Meta(ge=1, le=604_800)] = 3600
    busy_cv: BusyCv = 0

    def moments(self, rng: random.Random, days: random.Random, *, start_ns: int) -> Iterator[int]:
        """The moments from `start_ns` on, as long as a run may go on; `days` decides how busy each day is."""
        return _pieces(self.per_hour, round(self.piece_s * _NS), self.busy_cv, rng, days, start_ns)


class Listed(Part, tag_field="kind", tag="listed"):
    """The moments themselves, in seconds from the start, listed or one a line in a file.

    The file is read when the scenario is (`scenario_file.load`), which puts its moments here.
    """

    at_s: tuple[Annotated[float, Meta(ge=0, le=315_360_000)], ...] = ()
    file: str = ""

    def moments(self, rng: random.Random, days: random.Random, *, start_ns: int) -> Iterator[int]:
        """The moments, once."""
        return iter([start_ns + round(at_s * _NS) for at_s in sorted(self.at_s)])


def _pieces(
    per_hour: tuple[float, ...],
    piece_ns: int,
    busy_cv: float,
    rng: random.Random,
    days: random.Random,
    start_ns: int,
) -> Iterator[int]:
    uniform = rng.random
    factor, day = 1.0, -1
    owed = -log(1.0 - uniform())  # how much rate × time until the next customer
    for piece in count(start_ns // piece_ns):
        from_ns = max(start_ns, piece * piece_ns)
        if from_ns > LATEST_NS:
            return
        if busy_cv > BUSY_CV_MIN and from_ns // DAY_NS != day:
            day = from_ns // DAY_NS
            shape = 1 / (busy_cv * busy_cv)
            factor = days.gammavariate(shape, 1 / shape)
        rate = per_hour[piece % len(per_hour)] * factor / _HOUR_NS
        length_ns = (piece + 1) * piece_ns - from_ns
        at = 0.0
        while owed < (length_ns - at) * rate:
            at += owed / rate
            owed = -log(1.0 - uniform())
            yield from_ns + int(at)
        owed -= (length_ns - at) * rate


Arrivals: TypeAlias = Poisson | Piecewise | Listed
