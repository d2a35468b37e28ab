"""What a web chat must remember over a restart: sessions, conversations, transcripts, names of files.

SQLite in the component's own directory. The engine's journal is the truth about contacts; this is the
customer's side of it: who may resume, and what a page has not seen yet. The transcript is an ordered log
per session, so that a page resumes from one number over any number of conversations and tabs. It
knows no sockets and no engine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

import msgspec
from msgspec import Struct

from centralita.messages import AdmitContact, Attachment
from centralita_webchat.group_commit import GroupCommit

T = TypeVar("T")

PAGE: Final = 100
"""Lines of a transcript read at once."""
SCHEMA_NUMBER: Final = 1

_SCHEMA: Final = """
CREATE TABLE sessions (
  id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, created_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL,
  language TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL,
  chats INTEGER NOT NULL, sequence INTEGER NOT NULL, delivered INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_seen ON sessions (seen_ns);
CREATE TABLE chats (
  provider_id TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  number INTEGER NOT NULL, contact INTEGER NOT NULL, first_message_id TEXT NOT NULL, opening BLOB,
  connected INTEGER NOT NULL, callback INTEGER NOT NULL, ended INTEGER NOT NULL, outcome TEXT NOT NULL,
  score INTEGER NOT NULL, since_seq INTEGER NOT NULL, UNIQUE (session, number)
) STRICT;
CREATE INDEX chats_open ON chats (ended) WHERE ended = 0;
CREATE TABLE lines (
  session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, sequence INTEGER NOT NULL,
  chat INTEGER NOT NULL, number INTEGER NOT NULL, author TEXT NOT NULL, author_title TEXT NOT NULL,
  text TEXT NOT NULL, attachments BLOB NOT NULL, at_ns INTEGER NOT NULL, message_id TEXT NOT NULL,
  PRIMARY KEY (session, sequence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX lines_number ON lines (session, chat, number) WHERE number > 0;
CREATE UNIQUE INDEX lines_message ON lines (session, message_id) WHERE message_id != '';
CREATE TABLE files (
  id TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, name TEXT NOT NULL,
  media_type TEXT NOT NULL, bytes_n INTEGER NOT NULL, created_ns INTEGER NOT NULL, author TEXT NOT NULL,
  posted INTEGER NOT NULL
) STRICT;
CREATE INDEX files_session ON files (session);
"""


class SessionRow(Struct, kw_only=True):
    """A customer's page, over reloads and lost connections. `chats` is how many conversations it had."""

    id: str
    secret_hash: bytes
    created_ns: int
    seen_ns: int
    language: str = ""
    name: str = ""
    email: str = ""
    chats: int = 0
    sequence: int = 0
    delivered: int = 0


class Opening(Struct, frozen=True, kw_only=True):
    """What the engine is to be told of a new conversation; both are idempotent by their ids."""

    admission: AdmitContact
    files: tuple[Attachment, ...] = ()
    files_message_id: str = ""


class ChatRow(Struct, kw_only=True):
    """One conversation of a session. `opening` is kept until the engine has taken all of it."""

    provider_id: str
    session: str
    number: int
    contact: int = 0
    first_message_id: str = ""
    opening: Opening | None = None
    connected: bool = False
    callback: bool = False
    ended: bool = False
    outcome: str = ""
    score: int = 0
    since_seq: int = 0
    """A record of the journal before the contact's first."""


class Line(Struct, frozen=True, kw_only=True):
    """One message as the customer sees it. `sequence` is 0 until it is written.

    What we are told to send has a `number` in its contact, what the page sent a `message_id` of its own:
    each keeps its kind single. The other is 0 and empty.
    """

    sequence: int = 0
    chat: int
    number: int
    author: str
    author_title: str
    text: str
    attachments: tuple[Attachment, ...]
    at_ns: int
    message_id: str = ""


class FileRow(Struct, frozen=True, kw_only=True):
    """A file that was uploaded; `posted` once it goes with a message."""

    id: str
    session: str
    name: str
    media_type: str
    bytes_n: int
    created_ns: int
    author: str
    posted: bool = False

    def as_attachment(self) -> Attachment:
        """As the engine knows it."""
        return Attachment(id=self.id, name=self.name, media_type=self.media_type, bytes_n=self.bytes_n)


class Store:
    """The file. Every method may be called from many tasks at once; each is one atomic step."""

    def __init__(self, path: Path) -> None:
        self._file = GroupCommit(path, schema=_SCHEMA, schema_number=SCHEMA_NUMBER)
        self._do = self._file.do

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._file.is_open

    async def open(self) -> None:
        """Open or create the file. Raises StoreError when it is not ours."""
        await self._file.open()

    async def close(self) -> None:
        """Close it; what was written is on the disk already."""
        await self._file.close()

    # Sessions

    async def begin_session(self, row: SessionRow, *, sessions_max: int) -> bool:
        """Keep a new session; False when there are `sessions_max` already."""

        def do(db: sqlite3.Connection) -> bool:
            (kept,) = db.execute("SELECT count(*) FROM sessions").fetchone()
            if kept >= sessions_max:
                return False
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)",
                (row.id, row.secret_hash, row.created_ns, row.seen_ns, row.language, row.name, row.email),
            )
            return True

        return await self._do(do)

    async def session(self, id: str) -> SessionRow | None:
        """The session of this id."""

        def do(db: sqlite3.Connection) -> SessionRow | None:
            row = db.execute("SELECT * FROM sessions WHERE id = ?", (id,)).fetchone()
            return None if row is None else _session(row)

        return await self._do(do)

    async def read(self, do: Callable[[sqlite3.Connection], T]) -> T:
        """Ask what no other method does."""
        return await self._do(do)

    async def touch_session(self, row: SessionRow) -> None:
        """Write what may change in a session besides its counters."""

        def do(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE sessions SET seen_ns = ?, language = ?, name = ?, email = ?, delivered = max(delivered, ?)"
                " WHERE id = ?",
                (row.seen_ns, row.language, row.name, row.email, row.delivered, row.id),
            )

        await self._do(do)

    async def erase_sessions(self, *, seen_before_ns: int, limit: int) -> list[str]:
        """Erase sessions not seen since, unless a conversation is open; returns the ids of their files."""

        def do(db: sqlite3.Connection) -> list[str]:
            ids = db.execute(
                "SELECT id FROM sessions WHERE seen_ns < ? AND NOT EXISTS"
                " (SELECT 1 FROM chats WHERE session = sessions.id AND ended = 0) LIMIT ?",
                (seen_before_ns, limit),
            ).fetchall()
            files: list[str] = []
            for (id,) in ids:
                files += [file for (file,) in db.execute("SELECT id FROM files WHERE session = ?", (id,))]
                db.execute("DELETE FROM sessions WHERE id = ?", (id,))
            return files

        return await self._do(do)

    async def erase_session(self, id: str) -> list[str]:
        """Erase one session and all of it; returns the ids of its files."""

        def do(db: sqlite3.Connection) -> list[str]:
            files = [file for (file,) in db.execute("SELECT id FROM files WHERE session = ?", (id,))]
            db.execute("DELETE FROM sessions WHERE id = ?", (id,))
            return files

        return await self._do(do)

    async def forget_erased(self) -> None:
        """Bring what was erased out of the write-ahead log too, so that no copy is left in the files."""
        await self._file.checkpoint()

    # Conversations

    async def begin_chat(self, row: ChatRow) -> None:
        """Keep a new conversation with what the engine is to be told of it."""
        values = _columns(row)

        def do(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO chats VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            db.execute("UPDATE sessions SET chats = ? WHERE id = ?", (row.number, row.session))

        await self._do(do)

    async def change_chat(self, row: ChatRow) -> None:
        """Write a conversation as it is now."""
        values = _columns(row)

        def do(db: sqlite3.Connection) -> None:
            db.execute("REPLACE INTO chats VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

        await self._do(do)

    async def open_chats(self) -> list[ChatRow]:
        """Every conversation that has not ended."""
        return await self._do(
            lambda db: [_chat(row) for row in db.execute("SELECT * FROM chats WHERE ended = 0")]
        )

    async def open_sessions(self) -> list[tuple[SessionRow, ChatRow]]:
        """Every conversation that has not ended, with its session, at one go."""

        def do(db: sqlite3.Connection) -> list[tuple[SessionRow, ChatRow]]:
            chats = [_chat(row) for row in db.execute("SELECT * FROM chats WHERE ended = 0")]
            found = []
            for chat in chats:
                row = db.execute("SELECT * FROM sessions WHERE id = ?", (chat.session,)).fetchone()
                found.append((_session(row), chat))
            return found

        return await self._do(do)

    async def chat(self, provider_id: str) -> ChatRow | None:
        """The conversation the engine knows by this id."""

        def do(db: sqlite3.Connection) -> ChatRow | None:
            row = db.execute("SELECT * FROM chats WHERE provider_id = ?", (provider_id,)).fetchone()
            return None if row is None else _chat(row)

        return await self._do(do)

    async def chats(self, session: str) -> list[ChatRow]:
        """Every conversation of a session."""

        def do(db: sqlite3.Connection) -> list[ChatRow]:
            rows = db.execute("SELECT * FROM chats WHERE session = ? ORDER BY number", (session,))
            return [_chat(row) for row in rows]

        return await self._do(do)

    async def has_contact(self, session: str, contact: int) -> bool:
        """Whether a contact is one of the session's conversations."""

        def do(db: sqlite3.Connection) -> bool:
            query = "SELECT 1 FROM chats WHERE session = ? AND contact = ?"
            return db.execute(query, (session, contact)).fetchone() is not None

        return await self._do(do)

    async def chat_of_contact(self, contact: int) -> ChatRow | None:
        """The conversation the engine knows by this contact, while it is open."""
        return next((chat for chat in await self.open_chats() if chat.contact == contact), None)

    async def last_chat(self, session: str) -> ChatRow | None:
        """The session's latest conversation."""

        def do(db: sqlite3.Connection) -> ChatRow | None:
            row = db.execute(
                "SELECT * FROM chats WHERE session = ? ORDER BY number DESC LIMIT 1", (session,)
            ).fetchone()
            return None if row is None else _chat(row)

        return await self._do(do)

    # Transcripts

    async def add_lines(self, session: str, lines: Sequence[Line]) -> int:
        """Append those not there yet, in the order given; returns the session's last sequence."""

        def do(db: sqlite3.Connection) -> int:
            found = db.execute("SELECT sequence FROM sessions WHERE id = ?", (session,)).fetchone()
            if found is None:
                return 0
            (sequence,) = found
            before = sequence
            for line in lines:
                there = db.execute(
                    "SELECT 1 FROM lines WHERE session = ? AND (chat = ? AND number = ? AND number > 0"
                    " OR message_id = ? AND message_id != '')",
                    (session, line.chat, line.number, line.message_id),
                ).fetchone()
                if there is not None:
                    continue
                sequence += 1
                db.execute(
                    "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(
                            session,
                            sequence,
                            line.chat,
                            line.number,
                            line.author,
                            line.author_title,
                            line.text,
                        ),
                        *(msgspec.json.encode(line.attachments), line.at_ns, line.message_id),
                    ),
                )
                db.executemany(
                    "UPDATE files SET posted = 1 WHERE id = ?", [(file.id,) for file in line.attachments]
                )
            if sequence != before:  # else nothing is written, and no disk waited for
                db.execute("UPDATE sessions SET sequence = ? WHERE id = ?", (sequence, session))
            return cast(int, sequence)

        return await self._do(do)

    async def lines_after(self, session: str, sequence: int) -> list[Line]:
        """The next lines, PAGE at most, in order."""

        def do(db: sqlite3.Connection) -> list[Line]:
            rows = db.execute(
                "SELECT sequence, chat, number, author, author_title, text, attachments, at_ns, message_id"
                " FROM lines WHERE session = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                (session, sequence, PAGE),
            )
            return [_line(row) for row in rows]

        return await self._do(do)

    async def line_of_message(self, session: str, message_id: str) -> Line | None:
        """The line a page's message became, if it was taken in."""

        def do(db: sqlite3.Connection) -> Line | None:
            row = db.execute(
                "SELECT sequence, chat, number, author, author_title, text, attachments, at_ns, message_id"
                " FROM lines WHERE session = ? AND message_id = ? ORDER BY sequence DESC LIMIT 1",
                (session, message_id),
            ).fetchone()
            return None if row is None else _line(row)

        return await self._do(do)

    # Files

    async def add_file(self, row: FileRow, *, files_max: int) -> bool:
        """Keep a file's name; False when the session has `files_max` already."""

        def do(db: sqlite3.Connection) -> bool:
            (kept,) = db.execute(
                "SELECT count(*) FROM files WHERE session = ? AND author = ?", (row.session, row.author)
            ).fetchone()
            if kept >= files_max:
                return False
            db.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.id,
                    row.session,
                    row.name,
                    row.media_type,
                    row.bytes_n,
                    row.created_ns,
                    row.author,
                    row.posted,
                ),
            )
            return True

        return await self._do(do)

    async def file(self, id: str) -> FileRow | None:
        """The file of this id."""

        def do(db: sqlite3.Connection) -> FileRow | None:
            row = db.execute("SELECT * FROM files WHERE id = ?", (id,)).fetchone()
            return None if row is None else _file(row)

        return await self._do(do)

    async def files_of(self, session: str) -> list[FileRow]:
        """Every file of a session, sent or not."""

        def do(db: sqlite3.Connection) -> list[FileRow]:
            rows = db.execute("SELECT * FROM files WHERE session = ? ORDER BY created_ns, id", (session,))
            return [_file(row) for row in rows]

        return await self._do(do)

    async def erase_unposted_files(self, *, created_before_ns: int, limit: int) -> list[str]:
        """Forget files that never went with a message; returns their ids."""

        def do(db: sqlite3.Connection) -> list[str]:
            ids = db.execute(
                "SELECT id FROM files WHERE posted = 0 AND created_ns < ? LIMIT ?", (created_before_ns, limit)
            ).fetchall()
            db.executemany("DELETE FROM files WHERE id = ?", ids)
            return [id for (id,) in ids]

        return await self._do(do)


def _columns(row: ChatRow) -> tuple[object, ...]:
    opening = None if row.opening is None else msgspec.json.encode(row.opening)
    return tuple(opening if name == "opening" else getattr(row, name) for name in ChatRow.__struct_fields__)


def _session(row: Sequence[object]) -> SessionRow:
    return SessionRow(**dict(zip(SessionRow.__struct_fields__, row, strict=True)))  # type: ignore[arg-type]  # the table's types


def _chat(row: Sequence[object]) -> ChatRow:
    values = dict(zip(ChatRow.__struct_fields__, row, strict=True))
    opening = values["opening"]
    values["opening"] = None if opening is None else msgspec.json.decode(cast(bytes, opening), type=Opening)
    for flag in ("connected", "callback", "ended"):
        values[flag] = bool(values[flag])
    return ChatRow(**values)  # type: ignore[arg-type]  # the columns stand in the fields' order


def _file(row: Sequence[object]) -> FileRow:
    values = dict(zip(FileRow.__struct_fields__, row, strict=True))
    values["posted"] = bool(values["posted"])
    return FileRow(**values)  # type: ignore[arg-type]  # the columns stand in the fields' order


def _line(row: Sequence[object]) -> Line:
    values = dict(zip(Line.__struct_fields__, row, strict=True))
    values["attachments"] = msgspec.json.decode(
        cast(bytes, values["attachments"]), type=tuple[Attachment, ...]
    )
    return Line(**values)  # type: ignore[arg-type]  # the columns stand in the fields' order
