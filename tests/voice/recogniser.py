"""A recogniser for the tests, behind the protocol of Asterisk's own recognisers (AEAP over a WebSocket).

It is a real server, a process of its own, that hears the audio which a real call brings it and nothing else. What it understands
are tones: each stands for a text. How sure it is of one is how much of what it heard was that tone. It makes no claim about speech;
what the tests show with it is the way from a caller's mouth to the bot, and back.

    python -m tests.voice.recogniser PORT '{"650": "an invoice"}' [mute|codec|error|nonsense]

`mute`: it takes calls in and hears, and never says anything; with the others it takes none. On its output: `listening`, then a line of JSON for each utterance.

Source: Asterisk 22, res/res_speech_aeap.c and res/res_aeap (the messages setup, set and get; audio in binary frames).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import partial
from typing import Final

import trio
from tools.audio import RATE
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from tests.voice.phone import _LINEAR, FRAME, strength

LOUD: Final = 500
"""The amplitude from which a frame is somebody speaking."""
END_FRAMES: Final = 50
"""So many quiet frames end an utterance: more than when people talk, for a caller whose process is held up in a word."""
UTTERANCE_FRAMES_MIN: Final = 5


def power(frame: bytes) -> float:
    """The mean square of a frame."""
    return sum(_LINEAR[code] ** 2 for code in frame) / len(frame)


class Hearer:
    """Cuts what it is given into utterances."""

    def __init__(self, words: Mapping[int, str]) -> None:
        self._words = words
        self._left = b""
        self._loud: list[bytes] = []
        self._quiet = 0

    def feed(self, data: bytes) -> list[tuple[str, int]]:
        """Text and score (of 1000) of each utterance that ends in these bytes of G.711 µ-law."""
        self._left += data
        found: list[tuple[str, int]] = []
        while len(self._left) >= FRAME:
            frame, self._left = self._left[:FRAME], self._left[FRAME:]
            if power(frame) > LOUD * LOUD / 2:
                self._loud.append(frame)
                self._quiet = 0
            elif self._loud:
                self._quiet += 1
                if self._quiet == END_FRAMES:
                    loud, self._loud, self._quiet = self._loud, [], 0
                    if len(loud) >= UTTERANCE_FRAMES_MIN:
                        found.append(self._understand(loud))
        return found

    def _understand(self, frames: list[bytes]) -> tuple[str, int]:
        whole = sum(power(frame) for frame in frames)
        shares = {hz: sum(strength(frame, hz) ** 2 / 2 for frame in frames) / whole for hz in self._words}
        best = max(shares, key=shares.__getitem__)
        return self._words[best], min(1000, round(1000 * shares[best]))


async def serve(words: Mapping[int, str], manner: str, request: WebSocketRequest) -> None:
    """One call."""
    socket = await request.accept(subprotocol="speech_to_text")
    hearer, number = Hearer(words), 0
    try:
        while True:
            message = await socket.get_message()
            if isinstance(message, str):
                await _answer(socket, json.loads(message), manner)
                continue
            for text, score in hearer.feed(message):
                print(json.dumps([text, score]), flush=True)
                if not manner:
                    number += 1
                    results = [{"text": text, "score": score, "grammar": "tones", "best": 0}]
                    await _say(socket, request="set", id=str(number), params={"results": results})
    except ConnectionClosed:
        pass


async def _answer(socket: WebSocketConnection, message: dict[str, object], manner: str) -> None:
    match message.get("request"):
        case "setup":
            if manner == "nonsense":
                await socket.send_message("hello")
            elif manner == "error":
                await _say(socket, response="setup", id=message["id"], error_msg="no licence left")
            else:
                codecs = [{"name": "opus" if manner == "codec" else "ulaw", "attributes": {"rate": RATE}}]
                await _say(socket, response="setup", id=message["id"], codecs=codecs)
        case "get":
            await _say(socket, response="get", id=message["id"], params={"results": []})
        case "set":
            await _say(socket, response="set", id=message["id"])
        case _:
            pass  # an answer to what we set


async def _say(socket: WebSocketConnection, **message: object) -> None:
    await socket.send_message(json.dumps(message))


async def main(port: int, words: Mapping[int, str], manner: str) -> None:
    """Serve until killed."""
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_websocket, partial(serve, words, manner), "127.0.0.1", port, None))
        print("listening", flush=True)


if __name__ == "__main__":
    trio.run(
        partial(
            main,
            int(sys.argv[1]),
            {int(hz): text for hz, text in json.loads(sys.argv[2]).items()},
            "".join(sys.argv[3:4]),
        )
    )
