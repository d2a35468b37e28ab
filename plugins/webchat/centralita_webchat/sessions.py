"""Who is on the page: sessions, the sockets that speak for them, and how many of each there may be.

A session is whoever holds its secret; only the secret's hash is kept. It goes to the disk with its
first message or file, so that looking at a page costs nothing and leaves nothing. A socket reads
messages from the session's transcript, from the number its page has on: what is slow or was away
catches up from the same log as everybody, and no message waits in memory for anybody. Only fleeting
frames have a queue, and a socket that lets it fill is dropped.

This module knows no engine and no HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from centralita.errors import CentralitaError
from centralita.protocols import Clock
from centralita_webchat import frames
from centralita_webchat.attachments import Files
from centralita_webchat.group_commit import StoreError
from centralita_webchat.pace import Pace
from centralita_webchat.settings import SEND_S_MAX, SOCKETS_WAITING_MAX, WebchatSettings
from centralita_webchat.store import ChatRow, Line, SessionRow, Store

MINUTE_NS: Final = 60 * 1_000_000_000
DAY_NS: Final = 24 * 60 * MINUTE_NS
ERASE_BATCH: Final = 200
"""Sessions or files erased in one go."""


class Turned(CentralitaError):
    """A page that is not let in, or a frame that is not done; `code` is one of frames.ERROR_CODES."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Socket:
    """One open page of a session. `cursor` is the sequence of the last message it was sent."""

    def __init__(self, address: str, cursor: int) -> None:
        self.address = address
        self.cursor = cursor
        self.over = False
        """Too slow, or sent away: it is closed, and its page connects again."""
        self.first: frames.SessionFrame | None = None
        """The answer to hello, sent before anything else."""
        self._waiting: deque[frames.AnyServerFrame] = deque()
        self._wake = trio.Event()

    def post(self, frame: frames.AnyServerFrame) -> None:
        """Let a frame go out after the messages there are now."""
        if len(self._waiting) >= SOCKETS_WAITING_MAX:
            self.over = True
        else:
            self._waiting.append(frame)
        self._wake.set()

    def send_away(self) -> None:
        """Let the page connect again."""
        self.over = True
        self._wake.set()

    def wake(self) -> None:
        """There is more in the transcript."""
        self._wake.set()

    async def write(self, session: Session, send: Callable[[str], Awaitable[None]], book: Sessions) -> None:
        """Send whatever there is to send, until the socket is over.

        Cancelled in between, the page resumes from the last message it has.
        """
        while not self.over:
            await self._wake.wait()
            self._wake = trio.Event()
            fleeting, self._waiting = self._waiting, deque()
            with trio.move_on_after(SEND_S_MAX) as limit:
                if self.first is not None:
                    await send(frames.encode(self.first))
                    self.first = None
                while self.cursor < session.row.sequence:
                    lines = await book.store.lines_after(session.row.id, self.cursor)
                    if lines:
                        # The disk may be ahead of memory; a page must never have more than we say there is.
                        session.advance(lines[-1].sequence)
                    for line in lines:
                        await send(frames.encode(book.frame_of(line)))
                        self.cursor = line.sequence
                        limit.deadline = trio.current_time() + SEND_S_MAX
                    if not lines:
                        break
                for frame in fleeting:
                    await send(frames.encode(frame))
            if limit.cancelled_caught:
                self.over = True


class Session:
    """A session in memory: while a page is open or a conversation is."""

    def __init__(self, row: SessionRow, *, kept: bool, now_s: float) -> None:
        self.row = row
        self.kept = kept
        self.chat: ChatRow | None = None
        self.sockets: set[Socket] = set()
        self.lock = trio.Lock()
        """Held while what the customer wants is done, one thing after the other."""
        self.away_since_s: float | None = now_s
        self.missed = 0
        """How many looks in a row the engine did not know the open conversation's contact."""
        self.state: frames.StateFrame | None = None
        """What the pages were told last."""
        self.page = ""

    @property
    def open_chat(self) -> ChatRow | None:
        """The conversation that goes on, if one does."""
        return self.chat if self.chat is not None and not self.chat.ended else None

    def tell(self, frame: frames.AnyServerFrame) -> None:
        """Say something to every page of the session."""
        for socket in self.sockets:
            socket.post(frame)

    def advance(self, sequence: int) -> None:
        """The transcript has grown to `sequence`."""
        self.row.sequence = max(self.row.sequence, sequence)
        for socket in self.sockets:
            socket.wake()


class Sessions:
    """All sessions of one web chat."""

    def __init__(self, settings: WebchatSettings, store: Store, files: Files, clock: Clock) -> None:
        self.settings = settings
        self.store = store
        self.files = files
        self._clock = clock
        self._live: dict[str, Session] = {}
        self._by_address: dict[str, int] = {}
        self._sockets_n = 0
        self._new_sessions = Pace(settings.sessions_per_minute_max, window_ns=MINUTE_NS)
        self.messages = Pace(settings.messages_per_minute_max, window_ns=MINUTE_NS)

    def live(self) -> list[Session]:
        """The sessions in memory."""
        return list(self._live.values())

    def get(self, id: str) -> Session | None:
        """A session in memory."""
        return self._live.get(id)

    async def load_open(self) -> None:
        """Bring the sessions with an open conversation into memory; done once, before anybody enters."""
        for row, chat in await self.store.open_sessions():
            session = Session(row, kept=True, now_s=trio.current_time())
            session.chat = chat
            self._live[row.id] = session

    def forget_all(self) -> None:
        """Leave nothing in memory; what matters is on the disk. Pages that are open are sent away."""
        for session in self._live.values():
            for socket in session.sockets:
                socket.send_away()
        self._live.clear()

    def forget(self, id: str) -> None:
        """Leave nothing of one session in memory; its pages are sent away, and come again as somebody new."""
        session = self._live.pop(id, None)
        if session is not None:
            session.kept = False
            for socket in session.sockets:
                socket.send_away()

    async def enter(self, hello: frames.Hello, address: str) -> tuple[Session, Socket]:
        """Let a page in, to its own session or a new one. Raises Turned when there are too many.

        The caller tells it where its conversation stands and calls `leave` in the end.
        """
        if self._sockets_n >= self.settings.sockets_max:
            raise Turned("too_many", f"sockets_max is {self.settings.sockets_max}")
        here = self._by_address.get(address, 0)
        if here >= self.settings.sockets_per_address_max:
            raise Turned("too_many", f"sockets_per_address_max is {self.settings.sockets_per_address_max}")
        self._by_address[address] = here + 1
        self._sockets_n += 1
        try:
            session = await self.authenticate(hello.session, hello.secret)
            secret = None
            if session is None:
                session, secret = self._begin(hello, address)
            if len(session.sockets) >= self.settings.sockets_per_session_max:
                most = self.settings.sockets_per_session_max
                raise Turned("too_many_windows", f"sockets_per_session_max is {most}")
        except BaseException:
            self._let_go(address)
            raise
        row = session.row
        # A page that has more than there is knows another past of this session (a backup was restored).
        resumed = secret is None and hello.last <= row.sequence
        socket = Socket(address, hello.last if resumed else 0)
        session.sockets.add(socket)
        session.away_since_s = None
        row.language = _language(hello.language, row.language or self.settings.language)
        session.page = hello.page.partition("?")[0].partition("#")[0][:300]
        # Before any line of the transcript: it says whether they continue what the page has.
        socket.first = frames.SessionFrame(
            session=row.id, secret=secret, resumed=resumed, name=row.name, email=row.email
        )
        return session, socket

    def _begin(self, hello: frames.Hello, address: str) -> tuple[Session, str]:
        now_ns = self._clock.now_ns()
        if not self._new_sessions.allows(address, now_ns=now_ns):
            raise Turned("too_many", f"sessions_per_minute_max is {self.settings.sessions_per_minute_max}")
        secret = secrets.token_urlsafe(32)
        row = SessionRow(
            id=secrets.token_urlsafe(12), secret_hash=_hash(secret), created_ns=now_ns, seen_ns=now_ns
        )
        session = self._live[row.id] = Session(row, kept=False, now_s=trio.current_time())
        return session, secret

    async def authenticate(self, id: str, secret: str) -> Session | None:
        """The session of that id for whoever has its secret, else None."""
        if not id or not secret:
            return None
        session = self._live.get(id)
        if session is None:
            row = await self.store.session(id)
            if row is None or not hmac.compare_digest(row.secret_hash, _hash(secret)):
                return None
            chat = await self.store.last_chat(id)
            # Another page of the same session may have come in while the disk was read.
            session = self._live.get(id)
            if session is None:
                session = self._live[id] = Session(row, kept=True, now_s=trio.current_time())
                session.chat = chat
            return session
        return session if hmac.compare_digest(session.row.secret_hash, _hash(secret)) else None

    async def leave(self, session: Session, socket: Socket) -> None:
        """A page has gone."""
        self._let_go(socket.address)
        session.sockets.discard(socket)
        if not session.sockets:
            session.away_since_s = trio.current_time()
            self.release(session)
        if not session.kept:
            return
        session.row.seen_ns = self._clock.now_ns()
        try:
            await self.store.touch_session(session.row)
        except StoreError:
            if self.store.is_open:
                raise
            # At a stop the page is the last to notice, and when it was last seen is known well enough.

    def _let_go(self, address: str) -> None:
        self._sockets_n -= 1
        left = self._by_address.get(address, 1) - 1
        if left > 0:
            self._by_address[address] = left
        else:
            self._by_address.pop(address, None)

    def release(self, session: Session) -> None:
        """Let a session go from memory when nothing holds it there."""
        if not session.sockets and session.open_chat is None and not session.lock.locked():
            self._live.pop(session.row.id, None)

    async def keep(self, session: Session) -> None:
        """Write a session to the disk before something depends on it. Raises Turned when there are too many."""
        if session.kept:
            return
        with trio.CancelScope(shield=True):  # the page may be cut off; memory and disk go together
            session.kept = await self.store.begin_session(
                session.row, sessions_max=self.settings.sessions_max
            )
        if not session.kept:
            raise Turned("too_many", f"sessions_max is {self.settings.sessions_max}")

    async def erase_old(self) -> int:
        """Erase what has had its time: unused sessions and files that were never sent; returns how many files."""
        now_ns = self._clock.now_ns()
        oldest_ns = now_ns - round(self.settings.session_days * DAY_NS)
        gone = await self.store.erase_sessions(seen_before_ns=oldest_ns, limit=ERASE_BATCH)
        gone += await self.store.erase_unposted_files(created_before_ns=now_ns - DAY_NS, limit=ERASE_BATCH)
        await self.files.erase(gone)
        return len(gone)

    def frame_of(self, line: Line) -> frames.MessageFrame:
        """A line of the transcript as pages get it."""
        return frames.MessageFrame(
            sequence=line.sequence,
            chat=line.chat,
            author=line.author,
            author_title=line.author_title,
            text=line.text,
            attachments=[
                frames.FileFrame(
                    id=file.id,
                    name=file.name,
                    media_type=file.media_type,
                    bytes_n=file.bytes_n,
                    url=f"attachments/{file.id}?signature={self.files.sign(file.id)}",
                )
                for file in line.attachments
            ],
            at_ms=line.at_ns // 1_000_000,
            message_id=line.message_id,
        )


def _hash(secret: str) -> bytes:
    # The secret has 256 random bits, so a fast hash is as good as a slow one.
    return hashlib.sha256(secret.encode()).digest()


def _language(said: str, known: str) -> str:
    code = said[:2].lower()
    return code if code in ("en", "es") else known
