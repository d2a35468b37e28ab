"""What a customer's page wants of the engine, and what of the engine's doings the page sees.

The order of every step is the same: first our own disk, then the engine, then the page. So after a
crash at any point a step can be done again, and each is idempotent: an admission by its provider's id, a
message by its own. A conversation's transcript takes lines in from the engine's view of the contact
and from what it is told to send, whichever comes first; a line's number in the contact keeps it single.

A customer whose page is gone counts as having left after the grace time, unless a callback was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, get_args

import trio

from centralita.errors import EngineStopped
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnyCommand,
    Attachment,
    EndContact,
    Outcome,
    PostMessage,
    RateContact,
    Refusal,
    RequestCallback,
)
from centralita.protocols import Announcement, Context, Inbox, Outgoing, Signal
from centralita.protocols import Outcome as Submitted
from centralita.views import ContactView
from centralita_webchat import frames
from centralita_webchat.sessions import Session, Sessions, Turned
from centralita_webchat.settings import WebchatSettings
from centralita_webchat.standing import Standing
from centralita_webchat.store import ChatRow, Line, Opening, Store

OUTCOMES: Final = frozenset(get_args(Outcome))

OVER: Final = ("unknown_contact", "wrong_phase")
"""Refusals that mean: the contact has ended, or is over for the customer."""

_EMAIL: Final = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,185}\.[^@\s<>\"]{1,63}")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{4,24}")


def web_handle(session: str) -> str:
    """A customer's handle who has given no other: the session."""
    return f"web:{session}"


class Conversations:
    """The conversations of one web chat."""

    def __init__(
        self,
        context: Context,
        settings: WebchatSettings,
        store: Store,
        sessions: Sessions,
        standing: Standing,
    ) -> None:
        self.inbox: Inbox = context.switchboard
        self.standing = standing
        self._context = context
        self._switchboard = context.switchboard
        self._settings = settings
        self._store = store
        self._sessions = sessions
        self._by_provider: dict[str, Session] = {}

    # From the page

    async def take_message(self, session: Session, frame: frames.Message) -> frames.ReceivedFrame:
        """Take in a customer's words; returns when they are durable. Raises Turned when they are not taken."""
        if len(frame.text) > self._settings.message_chars_max:
            raise Turned("too_long", f"message_chars_max is {self._settings.message_chars_max}")
        if not frame.text.strip() and not frame.attachments:
            raise Turned("empty", "a message needs words or a file")
        async with session.lock:
            chat = session.open_chat
            if chat is not None and chat.opening is not None:
                await self.open(session, chat)
                chat = session.open_chat
            line = await self._line(session, frame.message_id)
            if line is not None:
                return frames.ReceivedFrame(
                    message_id=frame.message_id, chat=line.chat, sequence=line.sequence
                )
            # Only what is new counts: a page that resumes sends many again at once.
            if not self._sessions.messages.allows(session.row.id, now_ns=self._context.clock.now_ns()):
                raise Turned(
                    "too_fast", f"messages_per_minute_max is {self._settings.messages_per_minute_max}"
                )
            if frame.chat and (chat is None or chat.number != frame.chat):
                raise Turned("chat_over", f"conversation {frame.chat} has ended; chat 0 begins another")
            await self._sessions.keep(session)
            files = await self._files(session, frame.attachments)
            # The page may be cut off at any moment. What the engine has must come into the transcript all the same:
            # it may be answered and over before the page says it again, which would then begin anew.
            with trio.CancelScope(shield=True):
                if chat is None:
                    chat = await self._begin(session, frame, files)
                    await self.open(session, chat)
                else:
                    await self._post(session, chat, frame, files)
            line = await self._line(session, frame.message_id)
            if line is None:
                raise Turned("unavailable", "the message was not found again; send it again")
            return frames.ReceivedFrame(message_id=frame.message_id, chat=line.chat, sequence=line.sequence)

    async def ask_callback(self, session: Session, frame: frames.Callback) -> None:
        """Turn the waiting contact into a callback. Raises Turned when it can't be."""
        handle = frame.handle.strip()
        if not self._settings.callback:
            raise Turned("refused", "this chat offers no callback")
        if handle and not _EMAIL.fullmatch(handle) and not _PHONE.fullmatch(handle):
            raise Turned("bad_frame", "callback.handle: a telephone number or an e-mail address is needed")
        async with session.lock:
            chat = self._needs_open(session)
            refusal = await self._submit(
                RequestCallback(contact=chat.contact, handle=handle or web_handle(session.row.id))
            )
            if refusal is not None and refusal.code != "already":
                raise Turned("refused", refusal.message)
            chat.callback = True
            await self._keep(chat)
            self.standing.show(session)

    async def end(self, session: Session) -> None:
        """The customer ends the conversation; nothing when none is open."""
        async with session.lock:
            chat = session.open_chat
            if chat is not None:
                await self.finish(session, chat, reason="customer ended the chat", wanted=True)

    async def rate(self, session: Session, frame: frames.Rate) -> frames.RatedFrame:
        """Take in the customer's satisfaction, once. Raises Turned when it can't be given."""
        async with session.lock:
            chat = session.chat
            if chat is None or frame.chat not in (0, chat.number) or not self.standing.may_rate(chat):
                raise Turned("refused", "there is no conversation to rate")
            refusal = await self._submit(
                RateContact(contact=chat.contact, score=frame.score, comment=frame.comment)
            )
            # "already": it was taken in before a crash kept us from writing that down. The first one counts.
            if refusal is not None and refusal.code != "already":
                raise Turned("refused", refusal.message)
            chat.score = frame.score
            await self._keep(chat)
            return frames.RatedFrame(chat=chat.number, score=frame.score)

    def typing(self, session: Session, *, on: bool) -> None:
        """The customer is writing, or stopped."""
        chat = session.open_chat
        if chat is not None and chat.contact:
            self._switchboard.signal(Signal(kind="typing", contact=chat.contact, by="customer", on=on))

    # From the engine

    def open_provider_ids(self) -> tuple[str, ...]:
        """The conversations that go on, as the engine knows them."""
        return tuple(sorted(self._by_provider))

    def know(self, session: Session, chat: ChatRow) -> None:
        """Remember whose conversation this is."""
        self._by_provider[chat.provider_id] = session

    def find(self, provider_id: str) -> Session | None:
        """The session of an open conversation."""
        return self._by_provider.get(provider_id)

    async def deliver(self, message: Outgoing) -> None:
        """Put a message for the customer into the transcript; pages that are open get it at once."""
        chat = await self._chat_of(message.provider_id)
        if chat is None:
            return  # The session was erased; there is nobody to tell.
        line = Line(
            chat=chat.number,
            number=message.number,
            author=message.author,
            # A bot's name is for colleagues; the page has its own word for one.
            author_title=message.author_title if message.author == "agent" else "",
            text=message.text,
            attachments=message.attachments,
            at_ns=self._context.clock.now_ns(),
        )
        sequence = await self._store.add_lines(chat.session, [line])
        session = self._sessions.get(chat.session)
        if session is not None:
            session.advance(sequence)
            session.tell(frames.TypingFrame(on=False))

    async def _chat_of(self, provider_id: str) -> ChatRow | None:
        """The conversation, also one that has ended: the engine's last words may come after its end."""
        session = self._by_provider.get(provider_id)
        if session is not None and session.chat is not None:
            return session.chat
        return await self._store.chat(provider_id)

    def announce(self, announcement: Announcement) -> None:
        """Tell the customer the place in line and the expected wait."""
        session = self._by_provider.get(announcement.provider_id)
        if session is not None and session.open_chat is not None:
            self.standing.announce(session, session.open_chat, announcement)

    async def connected(self, session: Session, chat: ChatRow, agent: str) -> None:
        """An agent is there."""
        chat.connected = True
        session.state = frames.StateFrame(
            chat=chat.number,
            phase="connected",
            agent_title=self.standing.title_of(agent),
            callback=chat.callback,
        )
        session.tell(session.state)
        await self._keep(chat)

    async def ended(self, session: Session, chat: ChatRow, *, reason: str) -> None:
        """The conversation is over for the customer; `reason` may be the contact's outcome or words."""
        if chat.ended:
            return
        chat.ended = True
        chat.opening = None
        chat.outcome = reason if reason in OUTCOMES else "served" if chat.connected else "abandoned"
        self._by_provider.pop(chat.provider_id, None)
        session.state = None
        session.tell(self.standing.ended_frame(chat))
        await self._keep(chat)
        self._sessions.release(session)

    async def _keep(self, chat: ChatRow) -> None:
        """Write a conversation as it is now; whoever asked for it may be cut off, the disk goes on."""
        with trio.CancelScope(shield=True):
            await self._store.change_chat(chat)

    async def adopt(self, view: ContactView) -> Session | None:
        """Give a contact that an agent began to the page it is for, if that page is open and free."""
        session = self._sessions.get(view.handle.removeprefix("web:"))
        if session is None or not session.sockets:
            return None
        async with session.lock:
            if session.open_chat is not None:
                return None
            await self._sessions.keep(session)
            chat = self._new_chat(session, view.provider_id)
            chat.contact = view.id
            await self._start(session, chat)
        return session

    def forget_all(self) -> None:
        """Leave nothing in memory."""
        self._by_provider.clear()

    # Steps

    async def _begin(self, session: Session, frame: frames.Message, files: Sequence[Attachment]) -> ChatRow:
        """Write down a new conversation, before the engine hears of it."""
        row = session.row
        email = frame.email.strip()
        row.name = frame.name.strip() or row.name
        if email and not _EMAIL.fullmatch(email):
            raise Turned("bad_frame", "message.email: is not an e-mail address")
        row.email = email or row.email
        await self._store.touch_session(row)
        chat = self._new_chat(session, f"{row.id}-{row.chats + 1}")
        chat.first_message_id = frame.message_id
        chat.opening = Opening(
            admission=AdmitContact(
                channel=self._context.name,
                provider_id=chat.provider_id,
                handle=row.email or web_handle(row.id),
                customer_name=row.name,
                language=row.language,
                attributes={"page": session.page} if session.page else None,
                text=frame.text,
            ),
            files=tuple(files),
            # An admission carries no files: they follow in a message of their own.
            files_message_id=f"{frame.message_id[:58]}.files" if frame.text.strip() else frame.message_id,
        )
        await self._start(session, chat)
        return chat

    def _new_chat(self, session: Session, provider_id: str) -> ChatRow:
        return ChatRow(
            provider_id=provider_id,
            session=session.row.id,
            number=session.row.chats + 1,
            since_seq=self._switchboard.status()["durable_seq"],
        )

    async def _start(self, session: Session, chat: ChatRow) -> None:
        # Memory and disk go together, though the page may be cut off at any moment; a disk's time bounds it.
        with trio.CancelScope(shield=True):
            await self._store.begin_chat(chat)
            session.row.chats = chat.number
            session.chat = chat
            session.missed = 0
            # Before the engine hears of it: its answer may come before ours.
            self.know(session, chat)

    async def open(self, session: Session, chat: ChatRow) -> None:
        """Have the engine admit a conversation that was written down. Raises Turned when it does not."""
        opening = chat.opening
        assert opening is not None, "only a conversation with an opening is opened"
        admission = opening.admission
        admitted = await self._hand_in(admission)
        if admitted.refusal is not None:
            if admitted.refusal.code == "stopping":
                raise Turned("unavailable", "the engine is stopping; try again")
            await self.ended(session, chat, reason="refused")
            raise Turned("refused", admitted.refusal.message)
        chat.contact = admitted.contact
        if opening.files:
            # Refused only when the contact has ended at once (a closed queue): nobody can see them then.
            refusal = await self._submit(
                PostMessage(
                    contact=chat.contact,
                    author="customer",
                    message_id=opening.files_message_id,
                    attachments=opening.files,
                )
            )
            if refusal is not None:
                self._context.log.info("webchat_files_refused", contact=chat.contact, code=refusal.code)
        if admission.text:
            await self._write_down(session, chat, chat.first_message_id, admission.text, ())
        if opening.files:
            await self._write_down(session, chat, opening.files_message_id, "", opening.files)
        chat.opening = None
        await self._keep(chat)
        self.standing.show(session)

    async def _post(
        self, session: Session, chat: ChatRow, frame: frames.Message, files: Sequence[Attachment]
    ) -> None:
        refusal = await self._submit(
            PostMessage(
                contact=chat.contact,
                author="customer",
                text=frame.text,
                message_id=frame.message_id,
                attachments=tuple(files),
            )
        )
        if refusal is None:
            await self._write_down(session, chat, frame.message_id, frame.text, files)
        elif refusal.code in OVER:
            await self.ended(session, chat, reason="")
            raise Turned("chat_over", f"conversation {chat.number} has ended; chat 0 begins another")
        else:
            raise Turned("refused", refusal.message)

    async def _write_down(
        self, session: Session, chat: ChatRow, message_id: str, text: str, files: Sequence[Attachment]
    ) -> None:
        """Put the customer's words, which the engine has, into the transcript."""
        line = Line(
            chat=chat.number,
            number=0,
            author="customer",
            author_title="",
            text=text,
            attachments=tuple(files),
            at_ns=self._context.clock.now_ns(),
            message_id=message_id,
        )
        with trio.CancelScope(shield=True):  # memory and disk go together, here too
            session.advance(await self._store.add_lines(session.row.id, [line]))

    def customers_contact(self, contact: int) -> int:
        """The contact in which the customer is: of a consultation, the one it is about."""
        view = self._switchboard.contact(contact, messages=False)
        return view.parent or contact if view is not None else contact

    async def finish(self, session: Session, chat: ChatRow, *, reason: str, wanted: bool) -> None:
        """End a contact for its customer. A callback goes on unless that is what they want (`wanted`)."""
        if chat.opening is not None:
            await self.open(session, chat)
        refusal = await self._submit(AbandonContact(contact=chat.contact, reason=reason))
        if refusal is not None and refusal.code not in OVER:
            # The queue's rules have made it a callback: nobody needs to wait on the page.
            if not wanted:
                chat.callback = True
                await self._keep(chat)
                return
            refusal = await self._submit(EndContact(contact=chat.contact, by="customer", reason=reason))
        if refusal is not None:
            self._context.log.info("webchat_contact_was_over", contact=chat.contact, code=refusal.code)
        view = self._switchboard.contact(chat.contact, messages=False)
        await self.ended(session, chat, reason=view.outcome if view is not None else "")

    def _needs_open(self, session: Session) -> ChatRow:
        chat = session.open_chat
        if chat is None or not chat.contact:
            raise Turned("refused", "there is no conversation")
        return chat

    async def _files(self, session: Session, ids: Sequence[str]) -> list[Attachment]:
        most = self._settings.attachments_per_message_max
        if len(ids) > most or len(set(ids)) != len(ids):
            raise Turned("bad_attachment", f"attachments_per_message_max is {most}, each once")
        files = []
        for id in ids:
            row = await self._store.file(id)
            if row is None or row.session != session.row.id or row.author != "customer" or row.posted:
                raise Turned(
                    "bad_attachment", "a file that was not uploaded in this session, or was sent already"
                )
            files.append(row.as_attachment())
        return files

    async def _line(self, session: Session, message_id: str) -> Line | None:
        return await self._store.line_of_message(session.row.id, message_id) if session.kept else None

    async def _submit(self, command: AnyCommand) -> Refusal | None:
        return (await self._hand_in(command)).refusal

    async def _hand_in(self, command: AnyCommand) -> Submitted:
        try:
            return await self.inbox.submit(command)
        except EngineStopped as error:
            raise Turned("unavailable", "the engine is stopping; try again") from error
