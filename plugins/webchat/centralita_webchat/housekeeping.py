"""What nobody asks for: noticing customers who have gone, and changes that nobody told of.

The engine tells a channel what it must do, not every phase of a contact; and what it tells can be lost with
a component that crashes. So each conversation is compared with the engine's view of it now and then.
"""

from __future__ import annotations

from typing import Final

import trio

from centralita.protocols import Context
from centralita_webchat.conversations import Conversations
from centralita_webchat.sessions import Sessions, Turned
from centralita_webchat.settings import WebchatSettings
from centralita_webchat.standing import PHASES, Standing

LOOK_OVER_S: Final = 1.0
"""How often conversations are looked over."""
ERASE_EVERY_S: Final = 3600.0
"""How often what has had its time is erased."""
LOOKS_AT_ONCE: Final = 100
"""Conversations looked over before other tasks get a turn."""
MISSED_MAX: Final = 3
"""Looks in a row at which the engine does not know a contact, before its conversation is ended."""


class Housekeeping:
    """Runs beside the pages of one web chat."""

    def __init__(
        self,
        context: Context,
        settings: WebchatSettings,
        sessions: Sessions,
        conversations: Conversations,
        standing: Standing,
    ) -> None:
        self._switchboard = context.switchboard
        self._log = context.log
        self._grace_s = settings.grace_s
        self._sessions = sessions
        self._conversations = conversations
        self._standing = standing

    async def run(self) -> None:
        """Until cancelled."""
        next_erase_s = trio.current_time()
        while True:
            if trio.current_time() >= next_erase_s:
                erased_n = await self._sessions.erase_old()
                if erased_n:
                    self._log.info("webchat_files_erased", files_n=erased_n)
                next_erase_s += ERASE_EVERY_S
            await trio.sleep(LOOK_OVER_S)
            await self.look_over()
            await self.let_go_of_the_gone()

    async def look_over(self) -> None:
        """Tell pages what has changed without anybody saying so, and end what the engine no longer knows."""
        for index, session in enumerate(self._sessions.live()):
            if index % LOOKS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            chat = session.open_chat
            if chat is None or not chat.contact or session.lock.locked():
                continue
            view = self._switchboard.contact(chat.contact, messages=False)
            if view is None or PHASES.get(view.phase) == "ended":
                # The engine's own word is on its way, or was lost with something that crashed.
                session.missed += 1
                if session.missed >= MISSED_MAX:
                    await self._conversations.ended(
                        session, chat, reason="" if view is None else view.outcome
                    )
                continue
            session.missed = 0
            told = session.state.phase if session.state is not None else ""
            # Of a connection the channel itself has told before the engine calls it one.
            being_connected = view.phase == "connecting" and told == "connected"
            if told and told != PHASES.get(view.phase, "waiting") and not being_connected:
                self._standing.show(session, view)

    async def let_go_of_the_gone(self) -> None:
        """Abandon the contacts of customers whose page has been gone for longer than the grace time."""
        for session in self._sessions.live():
            chat = session.open_chat
            if chat is None:
                self._sessions.release(session)
                continue
            away_s = session.away_since_s
            if chat.callback or away_s is None or trio.current_time() - away_s < self._grace_s:
                continue
            async with session.lock:
                if session.away_since_s == away_s and session.open_chat is chat:
                    try:
                        await self._conversations.finish(
                            session, chat, reason="customer's page closed", wanted=False
                        )
                    except Turned as turned:  # tried again at the next round
                        self._log.warning("webchat_leaving_refused", code=turned.code)
            self._sessions.release(session)
