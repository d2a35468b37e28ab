"""After a start: bringing our disk and the engine's journal together again.

A crash may have come between any two steps. What was written down and not yet handed in is handed in;
the engine is told which contacts are alive and ends the others; what was said to a customer while a crash
kept it from us is read from the engine, and for a contact that has ended meanwhile from the journal.
"""

from __future__ import annotations

from typing import Final

import trio

from centralita.errors import JournalError
from centralita.messages import ContactEnded, MessagePosted, ReconcileChannel
from centralita.protocols import Context, Inbox
from centralita.views import ContactView, MessageView
from centralita_webchat.conversations import Conversations
from centralita_webchat.sessions import Session, Sessions, Turned
from centralita_webchat.standing import PHASES, Standing
from centralita_webchat.store import ChatRow, Line, Store

DURABLE_LOOK_S: Final = 0.01
CATCHING_UP_MAX: Final = 512
"""Conversations brought up to date at once: two commits' worth."""


class Recovery:
    """Done once per run, before any page is let in."""

    def __init__(
        self,
        context: Context,
        inbox: Inbox,
        store: Store,
        sessions: Sessions,
        conversations: Conversations,
        standing: Standing,
    ) -> None:
        self._context = context
        self._switchboard = context.switchboard
        self._inbox = inbox
        self._store = store
        self._sessions = sessions
        self._conversations = conversations
        self._standing = standing

    async def run(self) -> None:
        """Bring everything together; afterwards every open conversation is a live contact."""
        for session in self._sessions.live():
            chat = session.open_chat
            if chat is not None:
                await self._reopen(session, chat)
        alive = self._conversations.open_provider_ids()
        await self._inbox.submit(ReconcileChannel(channel=self._context.name, alive=alive))
        looks = [
            (session, chat, self._switchboard.contact(chat.contact))
            for session in self._sessions.live()
            if (chat := session.open_chat) is not None and chat.contact
        ]
        seen = self._switchboard.status()["journal_seq"]
        while self._switchboard.status()["durable_seq"] < seen:
            await trio.sleep(DURABLE_LOOK_S)  # the journal's writer ends with the engine, and we with it
        # Side by side, so that the store commits them together: a disk would take minutes over thousands.
        at_once = trio.CapacityLimiter(CATCHING_UP_MAX)
        async with trio.open_nursery() as nursery:
            for session, chat, view in looks:
                if view is not None:
                    nursery.start_soon(self._catch_up, session, chat, view, at_once)
        await self._end_the_ended([(session, chat) for session, chat, view in looks if view is None], seen)

    async def _reopen(self, session: Session, chat: ChatRow) -> None:
        self._conversations.know(session, chat)
        if chat.opening is None:
            return
        async with session.lock:
            try:
                await self._conversations.open(session, chat)
            except Turned as turned:
                self._context.log.warning("webchat_opening_refused", code=turned.code)

    async def _catch_up(
        self, session: Session, chat: ChatRow, view: ContactView, at_once: trio.CapacityLimiter
    ) -> None:
        """Write down what was said meanwhile; what is there already stays as it is."""
        async with at_once:
            lines = [self._line(chat, one, one.at_ns) for one in view.messages if not one.internal]
            session.advance(await self._store.add_lines(session.row.id, lines))
            if PHASES.get(view.phase) == "ended":
                await self._conversations.ended(session, chat, reason=view.outcome)

    async def _end_the_ended(self, gone: list[tuple[Session, ChatRow]], until_seq: int) -> None:
        """Tell the last words of contacts that ended while we were away, from the journal, and their end."""
        if not gone:
            return
        by_contact = {chat.contact: (session, chat) for session, chat in gone}
        outcomes: dict[int, str] = {}
        since = min(chat.since_seq for _, chat in gone)
        if since < until_seq:
            try:
                outcomes = await self._last_words(by_contact, since, until_seq)
            except JournalError as error:
                # The journal no longer goes back so far; what it kept is all there is to tell.
                self._context.log.warning("webchat_last_words_lost", error=type(error).__name__)
        at_once = trio.CapacityLimiter(CATCHING_UP_MAX)
        async with trio.open_nursery() as nursery:
            for contact, (session, chat) in by_contact.items():
                nursery.start_soon(self._end, session, chat, outcomes.get(contact, ""), at_once)

    async def _end(
        self, session: Session, chat: ChatRow, outcome: str, at_once: trio.CapacityLimiter
    ) -> None:
        async with at_once:
            await self._conversations.ended(session, chat, reason=outcome)

    async def _last_words(
        self, by_contact: dict[int, tuple[Session, ChatRow]], since: int, until_seq: int
    ) -> dict[int, str]:
        """Write down what was said in these contacts; returns how they ended."""
        outcomes: dict[int, str] = {}
        async with self._switchboard.follow(after_seq=since) as batches:
            async for batch in batches:
                for record in batch:
                    for event in record.events:
                        if isinstance(event, ContactEnded):
                            outcomes[event.contact] = event.outcome
                        elif isinstance(event, MessagePosted) and event.contact in by_contact:
                            await self._add(*by_contact[event.contact], event, record.at_ns)
                if batch[-1].seq >= until_seq:
                    break
        return outcomes

    async def _add(self, session: Session, chat: ChatRow, event: MessagePosted, at_ns: int) -> None:
        if not event.internal:
            line = self._line(chat, event, at_ns)
            session.advance(await self._store.add_lines(session.row.id, [line]))

    def _line(self, chat: ChatRow, event: MessagePosted | MessageView, at_ns: int) -> Line:
        mine = event.author == "customer"
        return Line(
            chat=chat.number,
            number=0 if mine else event.number,
            author=event.author,
            author_title="" if mine else self._standing.title_of(event.author_id),
            text=event.text,
            attachments=event.attachments,
            at_ns=at_ns,
            # The admission's words have no id in the contact; they are the page's first message.
            message_id=(event.message_id or chat.first_message_id) if mine else "",
        )
