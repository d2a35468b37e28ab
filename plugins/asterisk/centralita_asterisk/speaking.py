"""Sounds played to somebody: one at a time, waited for, cut off when there is something better to hear.

It knows no rule about what is said when. A text is spoken if it is a sound's URI or if the settings have one for it;
Asterisk has no voice of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import trio

from centralita_asterisk.ari import AriError, AriRefused, media
from centralita_asterisk.calls import Call, Leg
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.server import Server

URI: Final = re.compile(r"(sound|recording|number|digits|characters|tone):[^\s,]+")
PLAY_S_MAX: Final = 300.0
"""Nothing plays longer; then it is taken to have ended unheard."""


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
            return await _play(exchange, call.server, call.channel, playback, sounds, call.gone)
        finally:
            if call.playing == playback:
                call.playing = ""


async def speak_to_agent(exchange: Exchange, leg: Leg, sounds: Sequence[str]) -> None:
    """Play to an agent who is in no conversation yet, and wait until it is over."""
    if sounds:
        playback = f"{exchange.settings.app}-say-{exchange.next_number()}"
        await _play(exchange, leg.server, leg.id, playback, sounds, leg.ended)


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
) -> bool:
    over = exchange.playbacks[playback] = trio.Event()
    heard = False
    try:
        await server.ask("POST", f"channels/{channel}/play/{playback}", media(sounds))
        with trio.move_on_after(PLAY_S_MAX):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when, gone, nursery.cancel_scope)
                await over.wait()
                heard = True
                nursery.cancel_scope.cancel()
    except AriRefused:
        return False  # the channel has gone, and that comes by itself
    except AriError as error:
        exchange.log.warning("not_heard", error=str(error))
        return False
    finally:
        exchange.playbacks.pop(playback, None)
    return heard


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
