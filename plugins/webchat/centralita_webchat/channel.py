"""The web chat as the engine knows it: a channel whose customers are web pages.

It runs a housekeeper beside its routes and does what the engine asks. Which frames a page may send is
said in frames.py, what becomes of them in conversations.py, who may connect in sessions.py.

Callbacks: when their turn comes and the page is open, the customer is told there. When it is closed and
they left a telephone number or an e-mail address, the agent sees it on the desk and dials or writes by
hand; without one they can't be reached and the engine tries again by its queue's rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import trio

from centralita.protocols import Announcement, Capabilities, Context, Inbox, Outgoing, Person, Signal
from centralita.views import ContactView
from centralita_webchat import frames
from centralita_webchat.attachments import Files
from centralita_webchat.conversations import Conversations, web_handle
from centralita_webchat.group_commit import StoreError
from centralita_webchat.housekeeping import Housekeeping
from centralita_webchat.persons import Persons
from centralita_webchat.recovery import Recovery
from centralita_webchat.sessions import Session, Sessions, Turned
from centralita_webchat.settings import WebchatSettings
from centralita_webchat.standing import Standing
from centralita_webchat.store import ChatRow, Store

_RESTARTING: Final = frames.ErrorFrame(code="unavailable", message="the chat is restarting; try again")


class WebChat:
    """One `[channels.NAME] type = "webchat"`. Implements protocols.Channel and protocols.HasRoutes."""

    capabilities = Capabilities(medium="chat", hold=True, attach=True, typing=True, dial=True)

    def __init__(self, settings: WebchatSettings, context: Context) -> None:
        self.settings = settings
        self.name = context.name
        self.log = context.log
        self.clock = context.clock
        self.files = Files(context.data / "attachments")
        self.store = Store(context.data / "sessions.sqlite")
        self.sessions = Sessions(settings, self.store, self.files, context.clock)
        self.standing = Standing(context, settings)
        self.conversations = Conversations(context, settings, self.store, self.sessions, self.standing)
        self.persons = Persons(self.sessions)
        self._context = context
        self.up = False
        """Whether pages can be served; before and after, they are told to try again."""

    def routes(self) -> Sequence[Any]:
        """The handlers under `/chat/NAME`, for the front door."""
        from centralita_webchat.routes import make_routes  # Litestar is heavy and only a front door needs it

        return make_routes(self)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve until cancelled. What is in memory is forgotten in the end and read again by the next run."""
        await self.store.open()
        try:
            await self.files.open()
            await self.sessions.load_open()
            self.conversations.inbox = inbox
            await Recovery(
                self._context, inbox, self.store, self.sessions, self.conversations, self.standing
            ).run()
            self.up = True
            task_status.started()
            await Housekeeping(
                self._context, self.settings, self.sessions, self.conversations, self.standing
            ).run()
        finally:
            self.up = False
            self.conversations.forget_all()
            self.sessions.forget_all()
            with trio.CancelScope(shield=True):
                await self.store.close()

    # What a page's frames do

    async def handle(self, session: Session, frame: frames.AnyClientFrame) -> frames.AnyServerFrame | None:
        """Do what a frame says and return the answer, if it has one. Refusals come back as `error`."""
        if not self.up:
            return _RESTARTING
        message_id = frame.message_id if isinstance(frame, frames.Message) else ""
        try:
            return await self._do(session, frame)
        except Turned as turned:
            return frames.ErrorFrame(code=turned.code, message=str(turned), message_id=message_id)
        except StoreError:
            if self.store.is_open:
                raise
            return _RESTARTING

    async def _do(self, session: Session, frame: frames.AnyClientFrame) -> frames.AnyServerFrame | None:
        match frame:
            case frames.Message():
                return await self.conversations.take_message(session, frame)
            case frames.Typing():
                self.conversations.typing(session, on=frame.on)
            case frames.Callback():
                await self.conversations.ask_callback(session, frame)
            case frames.End():
                await self.conversations.end(session)
            case frames.Rate():
                return await self.conversations.rate(session, frame)
            case frames.Ack():
                session.row.delivered = max(session.row.delivered, min(frame.sequence, session.row.sequence))
            case frames.Ping():
                return frames.PongFrame()
            case frames.Hello():
                raise Turned("bad_frame", "hello is the first frame of a socket, and only that")
        return None

    # What is kept of one person

    async def find_person(self, person: Person) -> Person:
        """The contacts of the person's sessions."""
        return await self.persons.find(person)

    async def export_person(self, person: Person) -> dict[str, Any]:
        """The person's sessions, with transcripts and files."""
        return await self.persons.export(person)

    async def erase_person(self, person: Person) -> int:
        """Forget the person's sessions; how many there were."""
        return await self.persons.erase(person)

    # What the engine asks

    async def send(self, message: Outgoing) -> None:
        """Write a message into the customer's transcript; an open page gets it at once, others on resuming."""
        await self.conversations.deliver(message)

    async def announce(self, announcement: Announcement) -> None:
        """Show the place in line and the expected wait."""
        self.conversations.announce(announcement)

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        """Tell the customer that an agent is here; False when they can't be reached, None when the agent
        is to reach them on the number or address that they left, since their page is closed."""
        if not self.up:
            # Stopping, we have forgotten everybody: that is our fault, and must not end their conversation.
            raise Turned("unavailable", "the chat is restarting")
        session = self.conversations.find(contact.provider_id)
        if session is None and contact.direction == "outbound":
            session = await self.conversations.adopt(contact)
        chat = session.open_chat if session is not None else None
        if session is None or chat is None:
            return False
        if callback_handle and not session.sockets:
            return False if callback_handle == web_handle(session.row.id) else None
        await self.conversations.connected(session, chat, agent)
        return True

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        """Tell the customer that the conversation is over."""
        if (found := self._find(provider_id)) is not None:
            await self.conversations.ended(*found, reason=reason)

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        """Show that the agent is away for a while, or back."""
        self._show(provider_id)

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        """Show who is there now."""
        self._show(provider_id)

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        """Show who is there now."""
        self._show(provider_id)

    async def signal(self, signal: Signal, provider_id: str) -> None:
        """Show that an agent is writing."""
        session = self.conversations.find(provider_id)
        if session is not None and signal.kind == "typing" and signal.by != "customer":
            session.tell(frames.TypingFrame(on=signal.on))

    def _find(self, provider_id: str) -> tuple[Session, ChatRow] | None:
        session = self.conversations.find(provider_id)
        chat = session.open_chat if session is not None else None
        return None if session is None or chat is None else (session, chat)

    def _show(self, provider_id: str) -> None:
        if (found := self._find(provider_id)) is not None:
            self.standing.show(found[0])


def read_frame(data: str) -> frames.AnyClientFrame:
    """What a page said. Raises Turned with the place of the fault."""
    try:
        return frames.decode(data)
    except msgspec.DecodeError as error:
        raise Turned("bad_frame", str(error)) from error
