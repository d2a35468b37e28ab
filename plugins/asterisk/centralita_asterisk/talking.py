"""Whether somebody talks, from the audio alone; and the audio from the packets it comes in.

It knows loud from quiet and no words: enough to cut a prompt off, and to miss the answer to what was said.

Sources: RFC 3550, section 5.1 (the header of a packet); ITU-T G.711 (µ-law).
"""

from __future__ import annotations

from typing import Final

LOUD: Final = 600
"""The amplitude of 32,767 from which a sample is loud."""
LOUD_SHARE: Final = 8
"""A frame of which one in so many samples is loud is somebody talking."""
BEGIN_FRAMES: Final = 5
"""So many frames in a row are a beginning; a click is shorter."""
END_FRAMES: Final = 35
"""So many quiet frames in a row are an end: 0.7 s."""
ULAW: Final = 0


def _amplitude(code: int) -> int:
    code = ~code & 0x7F
    return (((code & 15) << 3) + 132 << (code >> 4)) - 132


_IS_LOUD: Final = bytes(_amplitude(code) >= LOUD for code in range(256))


def payload(packet: bytes) -> bytes:
    """The µ-law in an RTP packet; empty when it holds something else."""
    if len(packet) < 12 or packet[0] >> 6 != 2 or packet[1] & 0x7F != ULAW:
        return b""
    start = 12 + 4 * (packet[0] & 15)
    if packet[0] & 0x10:
        if len(packet) < start + 4:
            return b""
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    return packet[start:end]


class Talking:
    """Whether somebody talks, frame by frame."""

    def __init__(self) -> None:
        self.on = False
        self._run = 0

    def changed(self, frame: bytes) -> bool:
        """Take a frame of µ-law (20 ms) in; True when it begins or ends the talking."""
        loud = LOUD_SHARE * frame.translate(_IS_LOUD).count(1) >= len(frame) > 0
        self._run = 0 if loud == self.on else self._run + 1
        if self._run < (END_FRAMES if self.on else BEGIN_FRAMES):
            return False
        self.on, self._run = not self.on, 0
        return True
