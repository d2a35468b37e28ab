"""Sounds played to somebody: one at a time, waited for, cut off when there is something better to hear.

It knows no rule about what is said when. A text is spoken if it is a sound's URI or if the settings have one for it;
Asterisk has no voice of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import trio

from centralita_asterisk.ari import AriError, AriRefused, media
from centralita_asterisk.calls import Call, Leg, Playing
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.server import Server

URI: Final = re.compile(r"(sound|recording|number|digits|characters|tone):[^\s,]+")
PLAY_S_MAX: Final = 300.0
"""Nothing plays longer; then it is taken to have ended unheard."""
PUT_DOWN_S: Final = 1.0
"""A phone that was put down is said to be gone so soon after what it heard failed; later, it was the sound that is missing."""


def sounds_of(text: str, known: Mapping[str, str]) -> list[str]:
    """How a text is spoken: the sound that stands for it, or the sounds that it names; else nothing."""
    if text in known:
        return known[text].split(",")
    parts = re.split(r"[\s,]+", text.strip())
    return parts if parts and all(URI.fullmatch(part) for part in parts) else []


async def speak(exchange: Exchange, call: Call, sounds: Sequence[str]) -> bool:
    """Play to the customer, after what is being played already; False when it was not heard to its end."""
    if not sounds:
        return True
    hushed_n = call.hushed_n
    async with call.voice:
        if call.gone.is_set() or not call.up or call.room or call.hushed_n != hushed_n:
            return False
        playback = f"{exchange.settings.app}-say-{exchange.next_number()}"
        call.playing = playback
        # What plays takes the place of the music, which `arrange` brings back.
        call.music = False
        try:
            how = await _play(exchange, call.server, call.channel, playback, sounds, call.gone)
            return how in ("done", "failed")
        finally:
            if call.playing == playback:
                call.playing = ""


async def speak_to_agent(exchange: Exchange, leg: Leg, sounds: Sequence[str]) -> None:
    """Play to an agent who is in no conversation yet, and wait until it is over: a phone put down meanwhile is gone then.

    A server tells that the sound has failed before it tells that the phone is gone, and for a moment it would still join
    the phone to a caller, who would be hung up on.
    """
    if not sounds:
        return
    playback = f"{exchange.settings.app}-say-{exchange.next_number()}"
    if await _play(exchange, leg.server, leg.id, playback, sounds, leg.ended) in ("failed", "refused"):
        with trio.move_on_after(PUT_DOWN_S):
            await leg.ended.wait()
            return
        exchange.log.warning("not_heard", agent=leg.agent, sounds=",".join(sounds))


async def hush(exchange: Exchange, call: Call) -> None:
    """Cut off what is being played, and what was to be played after it."""
    call.hushed_n += 1
    if call.playing:
        await call.server.ask("DELETE", f"playbacks/{call.playing}", known=(404,))


async def _play(
    exchange: Exchange,
    server: Server,
    channel: str,
    playback: str,
    sounds: Sequence[str],
    gone: trio.Event,
) -> Literal["done", "failed", "refused", "unheard"]:
    """Play, and wait until it is over. Refused: there is no such channel any more, which is told by itself."""
    playing = exchange.playbacks[playback] = Playing()
    how: Literal["done", "failed", "unheard"] = "unheard"
    try:
        await server.ask("POST", f"channels/{channel}/play/{playback}", media(sounds))
        with trio.move_on_after(PLAY_S_MAX):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when, gone, nursery.cancel_scope)
                await playing.over.wait()
                how = "failed" if playing.failed else "done"
                nursery.cancel_scope.cancel()
    except AriRefused:
        return "refused"
    except AriError as error:
        exchange.log.warning("not_heard", error=str(error))
        return "unheard"
    finally:
        exchange.playbacks.pop(playback, None)
    return how


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
