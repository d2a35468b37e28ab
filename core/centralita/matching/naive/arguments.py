"""What is refused, and in which words: values out of range, names that stand twice, rows that don't divide."""

from __future__ import annotations

from collections.abc import Iterable

from centralita.matching.protocol import NUMBER_LIMIT, TIME_LIMIT_NS, Buffer


def within(name: str, value: int, least: int, below: int) -> int:
    """The value, from `least` to below `below`. Raises ValueError."""
    if not least <= value < below:
        raise ValueError(f"{name} was {value}; allowed: {least} to {below - 1}")
    return value


def number(name: str, value: int, least: int = 0) -> int:
    """A unit, capacity, limit, rank, rate or priority. Raises ValueError."""
    return within(name, value, least, NUMBER_LIMIT)


def time(name: str, value: int, least: int = -TIME_LIMIT_NS + 1) -> int:
    """A time or a span in ns. Raises ValueError."""
    return within(name, value, least, TIME_LIMIT_NS)


def pairs_of(name: str, given: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Pairs in order of what stands left, each of it once. Raises ValueError."""
    made = sorted((left, right) for left, right in given)
    if len({left for left, _ in made}) != len(made):
        raise ValueError(f"{name} {made} name one twice")
    return tuple(made)


def rows_of(buffer: Buffer, columns: int) -> Iterable[tuple[int, ...]]:
    """A buffer of 64-bit integers as rows. Raises ValueError when it doesn't divide into them."""
    octets = memoryview(buffer).cast("B")
    if len(octets) % 8:
        raise ValueError(f"rows hold {len(octets)} bytes, not whole numbers")
    numbers = octets.cast("q")
    if len(numbers) % columns:
        raise ValueError(f"rows hold {len(numbers)} numbers; a row has {columns}")
    return zip(*[iter(numbers)] * columns, strict=True)
