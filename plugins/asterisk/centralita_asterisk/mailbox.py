"""Messages of callers whom nobody could serve: asked for, recorded, and taken up again after a restart of ours.

Asterisk goes on recording while we are away, and the engine knows nothing of it: the contact that the caller was is over.
So what is needed to go on stands in a note in the channel's folder, from before the contact ends until the message is a contact of
its own: which line it is, and who left it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import trio

from centralita.messages import CancelContact
from centralita.structs import Frozen
from centralita.views import ContactView
from centralita_asterisk.ari import AriError, Request
from centralita_asterisk.calls import Call
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.rooms import arrange_soon
from centralita_asterisk.server import Server
from centralita_asterisk.speaking import speak

BEGIN_S: Final = 10.0
SILENCE_S: Final = 10
"""Who says nothing for so long has said it all."""


class Note(Frozen):
    """A message that is being left, or that is no contact yet."""

    name: str
    """Of the recording."""
    server: str
    channel: str
    handle: str
    customer_name: str
    language: str
    queue: str
    conversation: int


class Mailbox:
    """The messages of one channel; `folder` is where the notes are, beside the recordings."""

    def __init__(self, exchange: Exchange, folder: Path) -> None:
        self._exchange = exchange
        self._folder = folder

    async def take(self, call: Call, *, cancel: bool) -> None:
        """Have the caller leave a message, then hang up; `cancel` takes the contact out of the line first."""
        exchange, settings = self._exchange, self._exchange.settings
        view = exchange.view(call.contact)
        if call.in_mailbox or view is None or not settings.voicemail:
            return
        call.in_mailbox = True
        note = self._note(call, view)
        await trio.to_thread.run_sync(self._write, note)
        if cancel:
            left = await exchange.submit(CancelContact(contact=view.id, by="customer", reason="voicemail"))
            if left is not None and left.refusal is not None:
                # An agent was quicker: they talk.
                call.in_mailbox = False
                self.forget(note.name)
                arrange_soon(exchange, call)
                return
        await self._guard(call, note, begun=False)

    async def go_on(self, call: Call, note: Note) -> None:
        """Take up a message that was being left when we were last here; `in_mailbox` is set already."""
        self._exchange.messages[note.name] = trio.Event()
        if (view := self._exchange.view(call.contact)) is not None:
            # We were gone before the engine knew that the caller is out of the line.
            await self._exchange.submit(CancelContact(contact=view.id, by="customer", reason="voicemail"))
        await self._guard(call, note, begun=True)

    def notes(self, server: str) -> dict[str, Note]:
        """What is being left at a server, or was, by channel."""
        found = (self.note(path.stem) for path in sorted(self._folder.glob("*.json")))
        return {note.channel: note for note in found if note is not None and note.server == server}

    def note(self, name: str) -> Note | None:
        """Who has left a message of this name, if that is known."""
        try:
            return msgspec.json.decode((self._folder / f"{name}.json").read_bytes(), type=Note)
        except (OSError, msgspec.DecodeError):
            return None

    def forget(self, name: str) -> None:
        """The message is a contact, or there is none."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def _note(self, call: Call, view: ContactView) -> Note:
        exchange = self._exchange
        return Note(
            name=f"{exchange.settings.app}-voicemail-{view.id}-{exchange.next_number()}",
            server=call.server.name,
            channel=call.channel,
            handle=view.handle,
            customer_name=view.customer_name,
            language=view.language,
            queue=view.queue,
            conversation=view.conversation,
        )

    def _write(self, note: Note) -> None:
        partial = self._folder / f"{note.name}.partial"
        partial.write_bytes(msgspec.json.encode(note))
        partial.rename(self._folder / f"{note.name}.json")

    async def _guard(self, call: Call, note: Note, *, begun: bool) -> None:
        exchange = self._exchange
        over = exchange.messages.setdefault(note.name, trio.Event())
        try:
            if not (begun and await self._await_rest(call, note.name, over)):
                await self._leave(call, note.name, over)
        except AriError as error:
            exchange.log.warning("voice_message_failed", name=note.name, error=str(error))
        finally:
            exchange.messages.pop(note.name, None)
        call.up = False
        call.gone.set()
        exchange.calls.forget(call)
        await exchange.end(call.server, [Request("DELETE", f"channels/{call.channel}", known=(404,))])
        if not over.is_set() and not await self._is_stored(call.server, note.name):
            self.forget(note.name)

    async def _await_rest(self, call: Call, name: str, over: trio.Event) -> bool:
        """Whether the recording goes on, or is over already; waits until it is."""
        if not await self._is_live(call.server, name) and not over.is_set():
            if not await self._is_stored(call.server, name):
                return False
            over.set()
            form = self._exchange.settings.recording_format
            await self._exchange.recordings.keep(call.server, name, form)
        await self._end(call, over)
        return True

    async def _leave(self, call: Call, name: str, over: trio.Event) -> None:
        exchange, settings = self._exchange, self._exchange.settings
        if call.music:
            await call.server.ask("DELETE", f"channels/{call.channel}/moh", known=(404,))
            call.music = False
        if not call.answered:
            call.answered = True
            await call.server.ask("POST", f"channels/{call.channel}/answer", known=(404,))
        await speak(exchange, call, settings.phrases.voicemail)
        if call.gone.is_set():
            return
        query = {
            "name": name,
            "format": settings.recording_format,
            "maxDurationSeconds": str(settings.voicemail_s),
            "maxSilenceSeconds": str(SILENCE_S),
            "terminateOn": "#",
            "beep": "true",
            "ifExists": "overwrite",
        }
        await call.server.ask("POST", f"channels/{call.channel}/record", query)
        await self._end(call, over)

    async def _end(self, call: Call, over: trio.Event) -> None:
        exchange, settings = self._exchange, self._exchange.settings
        with trio.move_on_after(settings.voicemail_s + BEGIN_S):
            await over.wait()
        if not call.gone.is_set():
            await speak(exchange, call, settings.phrases.voicemail_taken)

    async def _is_live(self, server: Server, name: str) -> bool:
        return await server.has(f"recordings/live/{name}")

    async def _is_stored(self, server: Server, name: str) -> bool:
        return await server.has(f"recordings/stored/{name}")
