"""What a caller hears and may press while nobody is there yet: prompts and answers, the place in line, a way out.

It decides nothing about the line: a key asks the engine for a callback, and what follows comes back from it.
"""

from __future__ import annotations

from typing import Final

import trio

from centralita.messages import PostMessage, RequestCallback
from centralita.protocols import Announcement
from centralita_asterisk.ari import Request
from centralita_asterisk.calls import Call
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.mailbox import Mailbox
from centralita_asterisk.rooms import arrange_soon
from centralita_asterisk.settings import Phrases, Sounds
from centralita_asterisk.speaking import hush, speak

DIGITS_MAX: Final = 40
END_OF_DIGITS: Final = "#"


class Waiting:
    """What is done with callers in self-service and in line."""

    def __init__(self, exchange: Exchange, mailbox: Mailbox) -> None:
        self._exchange = exchange
        self._mailbox = mailbox

    async def announce(self, call: Call, announcement: Announcement) -> None:
        """Say the place in line and the expected wait, as far as they are known."""
        sounds = announced(self._exchange.settings.phrases, announcement)
        if sounds and await speak(self._exchange, call, sounds):
            arrange_soon(self._exchange, call)

    async def key(self, call: Call, key: str) -> None:
        """The caller has pressed a key."""
        exchange, settings = self._exchange, self._exchange.settings
        phase = exchange.phase(call)
        if phase == "self_service":
            # Beside: a key that waited for the server's answer could be overtaken by the next.
            exchange.start(hush, exchange, call)
            await self._collect(call, key)
        elif phase == "waiting" and key == settings.callback_key:
            await self._ask_for_callback(call)
        elif phase in ("waiting", "offered") and key == settings.voicemail_key:
            await self._mailbox.take(call, cancel=True)

    async def _collect(self, call: Call, key: str) -> None:
        """Gather digits until the caller pauses or presses #; by default each key is an answer."""
        pause_s = self._exchange.settings.digits_pause_s
        if not pause_s:
            await self._say_for(call, key)
            return
        ends = key == END_OF_DIGITS and call.digits
        if not ends:
            call.digits += key
        digits = call.digits
        if not ends and len(digits) < DIGITS_MAX:
            await trio.sleep(pause_s)
            if call.digits != digits:
                return  # another key came meanwhile, and waits in its turn
        call.digits = ""
        await self._say_for(call, digits)

    async def _say_for(self, call: Call, text: str) -> None:
        exchange = self._exchange
        await exchange.submit(
            PostMessage(
                contact=call.contact,
                author="customer",
                text=text,
                message_id=f"keys-{exchange.next_number()}",
            )
        )

    async def _ask_for_callback(self, call: Call) -> None:
        exchange = self._exchange
        outcome = await exchange.submit(RequestCallback(contact=call.contact))
        if outcome is not None and outcome.refusal is not None and outcome.refusal.code == "bad_value":
            # Nobody knows where to call back: the number was withheld.
            await speak(exchange, call, exchange.settings.phrases.no_callback)
            arrange_soon(exchange, call)

    async def became_callback(self, call: Call) -> None:
        """The contact waits without the line from now on: say so, and hang up."""
        exchange = self._exchange
        contact = call.contact
        # From here on the contact has no line; when its turn comes, it is dialled.
        exchange.calls.forget(call)
        for leg in exchange.calls.legs_of(contact):
            # Who is being rung will talk to them all the same, once they are called back.
            leg.taken = leg.taken or leg.state == "up"
        line_is_free = exchange.goodbyes[contact] = trio.Event()
        try:
            await hush(exchange, call)
            call.contact = 0
            await speak(exchange, call, exchange.settings.phrases.callback_taken)
            call.gone.set()
            await exchange.end(call.server, [Request("DELETE", f"channels/{call.channel}", known=(404,))])
        finally:
            line_is_free.set()
            del exchange.goodbyes[contact]


def announced(phrases: Phrases, announcement: Announcement) -> Sounds:
    """The sounds of an announcement; a wait is said in whole minutes, and not when nobody knows."""
    sounds: list[str] = []
    if announcement.position == 1:
        sounds += phrases.next
    elif announcement.position > 1:
        sounds += [sound.replace("{position}", str(announcement.position)) for sound in phrases.position]
    if announcement.high_s >= 0:
        minutes = max(1, round(announcement.high_s / 60))
        sounds += [sound.replace("{minutes}", str(minutes)) for sound in phrases.wait]
    return tuple(sounds)
