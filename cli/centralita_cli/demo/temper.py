"""What a simulated person is made of: a seeded chance, and how quickly they do things."""

from __future__ import annotations

from random import Random

import trio


class Temper:
    """One person's chance and speed; two with the same seed do the same in the same situations."""

    def __init__(self, seed: str, *, speed: float = 1.0) -> None:
        self.chance = Random(seed)
        self._speed = speed

    async def wait(self, seconds: float) -> None:
        """Let time pass, as a person at speed 1 would."""
        await trio.sleep(seconds / self._speed)

    async def ponder(self, least_s: float, most_s: float) -> None:
        """Wait for some time between the two."""
        await self.wait(self.chance.uniform(least_s, most_s))

    def deadline(self, seconds: float) -> float:
        """When so much time will have passed, by trio's clock."""
        return trio.current_time() + seconds / self._speed
