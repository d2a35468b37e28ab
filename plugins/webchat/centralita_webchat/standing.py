"""Where a conversation stands, in the words a page is told: state and end.

Made from the engine's view of the contact. A view may be some milliseconds ahead of the disk, which is
good enough for what is shown and forgotten; what must hold is told by the engine's asks alone.
"""

from __future__ import annotations

from typing import Final

from centralita.protocols import Announcement, Context
from centralita.views import ContactView
from centralita_webchat import frames
from centralita_webchat.sessions import Session
from centralita_webchat.settings import WebchatSettings
from centralita_webchat.store import ChatRow

PHASES: Final = {
    "self_service": "bot",
    "connected": "connected",
    "on_hold": "held",
    "wrapping": "ended",
    "ended": "ended",
}
"""What a page calls the phases of a contact; every other is `waiting` to a customer."""


class Standing:
    """Tells pages where their conversation stands."""

    def __init__(self, context: Context, settings: WebchatSettings) -> None:
        self._switchboard = context.switchboard
        self._settings = settings

    def show(self, session: Session, view: ContactView | None = None) -> None:
        """Tell every page of the session where the conversation stands."""
        chat = session.chat
        if chat is None:
            session.tell(frames.StateFrame(chat=0, phase="none"))
            return
        if chat.ended:
            session.tell(self.ended_frame(chat))
            return
        view = view or self._switchboard.contact(chat.contact, messages=False)
        if view is None:
            return
        if view.phase != "connecting" or session.state is None:
            # Pages hear that an agent is here before the engine does; until then it stands.
            session.state = self.state_of(chat, view)
        session.tell(session.state)

    def announce(self, session: Session, chat: ChatRow, announcement: Announcement) -> None:
        """Tell every page of the session what the queue announces; nothing when it comes too late."""
        view = self._switchboard.contact(announcement.contact, messages=False)
        if view is None or view.phase not in ("waiting", "offered"):
            return  # an agent came while it was on its way
        session.state = frames.StateFrame(
            chat=chat.number,
            phase="waiting",
            position=announcement.position if self._staffed(view.queue) else -1,
            low_s=announcement.low_s,
            high_s=announcement.high_s,
            callback=chat.callback,
        )
        session.tell(session.state)

    def _staffed(self, queue: str) -> bool:
        """Whether anybody is there for the queue: a place in a line that nobody serves promises too much."""
        view = self._switchboard.queue(queue)
        return view is not None and view.agents_present > 0

    def state_of(self, chat: ChatRow, view: ContactView) -> frames.StateFrame:
        """Where a contact stands, with its place and expected wait as of now."""
        phase = PHASES.get(view.phase, "waiting")
        position, low_s, high_s = -1, -1.0, -1.0
        rules = self._switchboard.configuration().engine.queues.get(view.queue)
        if phase == "waiting" and rules is not None:
            queue = self._switchboard.queue(view.queue)
            if rules.announce_position and view.position and self._staffed(view.queue):
                position = view.position
            if rules.announce_wait and queue is not None and view.queued_ns:
                waited_s = max(0, self._switchboard.now_ns() - view.queued_ns) / 1e9
                if queue.estimate.high_s >= waited_s:
                    low_s = max(0.0, queue.estimate.low_s - waited_s)
                    high_s = queue.estimate.high_s - waited_s
        return frames.StateFrame(
            chat=chat.number,
            phase=phase,
            position=position,
            low_s=low_s,
            high_s=high_s,
            agent_title=self.title_of(view.agent) if phase in ("connected", "held") else "",
            callback=bool(view.callback_handle),
        )

    def ended_frame(self, chat: ChatRow) -> frames.EndedFrame:
        """How a conversation ended."""
        return frames.EndedFrame(
            chat=chat.number, outcome=chat.outcome, may_rate=self.may_rate(chat), score=chat.score
        )

    def may_rate(self, chat: ChatRow) -> bool:
        """Whether a rating would be taken: an agent was there, and none was given."""
        return self._settings.rating and chat.ended and chat.connected and chat.score == 0

    def title_of(self, name: str) -> str:
        """What customers call an agent; an agent's name is for colleagues."""
        agent = self._switchboard.agent(name) if name else None
        return agent.title if agent is not None else ""
