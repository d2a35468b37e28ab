"""What is in a recording, and how far one has come that the server still makes."""

from __future__ import annotations

import wave
from functools import partial
from pathlib import Path

import trio
from tools.asterisk_server import Asterisk
from tools.audio import RATE, ulaw

from tests.voice.phone import FRAME, FRAME_S, WITHIN_S, Talk, strength

BYTES_A_SECOND = 2 * RATE


def seconds_with(path: Path, hz: int) -> float:
    """For how long a tone is in a recording."""
    with wave.open(str(path)) as recorded:
        samples = memoryview(recorded.readframes(recorded.getnframes())).cast("h")
    frames = (
        bytes(ulaw(sample) for sample in samples[start : start + FRAME])
        for start in range(0, len(samples) - FRAME, FRAME)
    )
    return sum(strength(frame, hz) > 1000 for frame in frames) * FRAME / RATE


async def recording(asterisk: Asterisk, what: str, *, s: float = 0.25) -> None:
    """Wait until the server has recorded so much more of `what` (`voicemail`, `call-17`)."""
    enough = _bytes_n(asterisk, what) + s * BYTES_A_SECOND
    with trio.fail_after(WITHIN_S):
        while _bytes_n(asterisk, what) < enough:
            await trio.sleep(FRAME_S)


def _bytes_n(asterisk: Asterisk, what: str) -> int:
    spool = asterisk.folder / "spool" / "recording"
    return sum(path.stat().st_size for path in spool.glob(f"*-{what}-*"))


async def say_through(speaker: Talk, listener: Talk, hz: int, *, s: float = 2) -> None:
    """Say a tone in a conversation, and wait until all of it has come through; where voices are mixed, for a recording
    for one, a server that is kept waiting for a processor leaves out some of it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(speaker.say, hz, s=s))
        await listener.hears(hz)
    await listener.hears(speaker.phone.hz)
