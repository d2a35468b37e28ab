"""One customer's sessions taken out whole: found by contact or address, handed out, forgotten.

A session belongs to the person whose contact one of its conversations is, or whose address was typed on its page. What
was typed there is not taken further: anybody can type anybody's address. It refuses to know what the engine and
CRMs keep.
"""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from typing import Any

from centralita.protocols import Person
from centralita_webchat.conversations import web_handle
from centralita_webchat.sessions import Sessions


class Persons:
    """Of one web chat."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._store = sessions.store

    async def find(self, person: Person) -> Person:
        """The contacts of the person's sessions, and the sessions' own handles."""
        ids = await self._ids(person)
        contacts: set[int] = set()
        for id in ids:
            contacts |= {chat.contact for chat in await self._store.chats(id) if chat.contact}
        return Person(handles=tuple(map(web_handle, ids)), contacts=tuple(sorted(contacts)))

    async def export(self, person: Person) -> dict[str, Any]:
        """Sessions with their conversations, transcripts and files, ready for JSON; no secret's hash."""
        sessions = []
        for id in await self._ids(person):
            row = await self._store.session(id)
            if row is None:
                continue
            sessions.append(
                {
                    "id": row.id,
                    "created_ns": row.created_ns,
                    "seen_ns": row.seen_ns,
                    "language": row.language,
                    "name": row.name,
                    "email": row.email,
                    "chats": [
                        {
                            "number": chat.number,
                            "contact": chat.contact,
                            "outcome": chat.outcome,
                            "score": chat.score,
                        }
                        for chat in await self._store.chats(id)
                    ],
                    "lines": await self._lines(id),
                    "files": await self._files(id),
                }
            )
        return {"sessions": sessions}

    async def erase(self, person: Person) -> int:
        """Forget the person's sessions; how many there were. Pages that are open begin anew."""
        ids = await self._ids(person)
        for id in ids:
            self._sessions.forget(id)
            await self._sessions.files.erase(await self._store.erase_session(id))
        if ids:
            await self._store.forget_erased()
        return len(ids)

    async def _ids(self, person: Person) -> list[str]:
        emails = {handle.strip().casefold() for handle in person.handles if "@" in handle}
        named = {handle for handle in person.handles if handle.startswith(web_handle(""))}
        contacts = set(person.contacts)

        def do(db: sqlite3.Connection) -> list[str]:
            found = {
                id
                for id, email in db.execute("SELECT id, email FROM sessions")
                if web_handle(id) in named or email.casefold() in emails
            }
            found |= {
                session
                for session, contact in db.execute("SELECT session, contact FROM chats WHERE contact != 0")
                if contact in contacts
            }
            return sorted(found)

        return await self._store.read(do)

    async def _lines(self, id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = 0
        while lines := await self._store.lines_after(id, after):
            after = lines[-1].sequence
            found += [
                {
                    "chat": line.chat,
                    "at_ns": line.at_ns,
                    "author": line.author,
                    "author_title": line.author_title,
                    "text": line.text,
                    "files": [file.id for file in line.attachments],
                }
                for line in lines
            ]
        return found

    async def _files(self, id: str) -> list[dict[str, Any]]:
        found = []
        for row in await self._store.files_of(id):
            content = await self._sessions.files.read(row.id)
            found.append(
                {
                    "id": row.id,
                    "name": row.name,
                    "media_type": row.media_type,
                    "author": row.author,
                    "created_ns": row.created_ns,
                    "base64": b64encode(content or b"").decode(),
                }
            )
        return found
