"""Telephone audio as the tests hear it: G.711 at 8 kHz, and the tone that stands for music on hold."""

from __future__ import annotations

import math
from typing import Final

RATE: Final = 8_000
MUSIC_HZ: Final = 500


def ulaw(sample: int) -> int:
    """One 16-bit sample in G.711 µ-law (ITU-T G.711, table 2a)."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32_635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> (exponent + 3) & 15) & 255


def music() -> list[int]:
    """What who waits hears: a tone, so that a test can tell it from a voice."""
    return [round(6000 * math.sin(2 * math.pi * MUSIC_HZ * index / RATE)) for index in range(10 * RATE)]
