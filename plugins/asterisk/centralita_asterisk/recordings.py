"""What is recorded: conversations on demand, and messages of callers whom nobody could serve.

Asterisk records into its own spool. When a recording is over it is fetched into the channel's folder and erased over
there, so that one place holds them all and one rule erases them: after `recordings_days`. The names say what
they are, so that one whose end nobody saw is fetched at the next connection: `APP-call-CONTACT-NUMBER`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec
import trio

from centralita.messages import AdmitContact, Attachment, CancelContact, PostMessage
from centralita.views import ContactView
from centralita_asterisk.ari import AriError, Recording, Request
from centralita_asterisk.calls import Call
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.rooms import room_of
from centralita_asterisk.server import Server
from centralita_asterisk.speaking import speak

SWEEP_S: Final = 3600.0
BEGIN_S: Final = 10.0
NAME: Final = re.compile(r"[A-Za-z0-9_]+-(call|voicemail)-(\d+)-(\d+)")
MEDIA_TYPES: Final = {"wav": "audio/wav", "gsm": "audio/gsm", "ulaw": "audio/basic"}


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    format: str = "wav"


class Recordings:
    """The recordings of one channel; `folder` is where they are kept."""

    def __init__(self, exchange: Exchange, folder: Path) -> None:
        self._exchange = exchange
        self.folder = folder
        self._live: dict[int, str] = {}
        """What is being recorded, by contact."""
        self._paused: set[int] = set()
        self._durations: dict[str, int] = {}
        self._callers: dict[str, ContactView] = {}

    # Conversations

    def state(self, contact: int) -> str:
        """`on`, `paused`, or empty."""
        if contact not in self._live:
            return ""
        return "paused" if contact in self._paused else "on"

    async def begin(self, call: Call) -> None:
        """Record customer and agents from now on. Raises AriError."""
        exchange = self._exchange
        if call.contact in self._live:
            await self.pause(call, on=False)
            return
        name = f"{exchange.settings.app}-call-{call.contact}-{exchange.next_number()}"
        self._live[call.contact] = name
        room = room_of(exchange, call.contact)
        asked = [
            Request(
                "POST",
                f"bridges/{room}/record",
                {"name": name, "format": exchange.settings.recording_format, "ifExists": "overwrite"},
            )
        ]
        if exchange.settings.phrases.recording:
            sounds = ",".join(exchange.settings.phrases.recording)
            asked.insert(0, Request("POST", f"bridges/{room}/play", {"media": sounds}, known=(404, 409)))
        try:
            await call.server.batch(asked)
        except AriError:
            self._live.pop(call.contact, None)
            raise

    async def pause(self, call: Call, *, on: bool) -> None:
        """Leave out what is said from now on (a card's number), or go on recording. Raises AriError."""
        name = self._live.get(call.contact)
        if name is None or (call.contact in self._paused) == on:
            return
        await call.server.ask("POST" if on else "DELETE", f"recordings/live/{name}/pause")
        (self._paused.add if on else self._paused.discard)(call.contact)

    async def finish(self, call: Call) -> None:
        """Record no more; the file follows. Raises AriError."""
        name = self._live.get(call.contact)
        if name is not None:
            await call.server.ask("POST", f"recordings/live/{name}/stop", known=(404,))

    # Messages

    async def take_message(self, call: Call, *, cancel: bool) -> None:
        """Have the caller leave a message, then hang up; `cancel` takes the contact out of the line first."""
        exchange, settings = self._exchange, self._exchange.settings
        view = exchange.view(call.contact)
        if call.in_mailbox or view is None or not settings.voicemail:
            return
        call.in_mailbox = True
        if cancel:
            await exchange.submit(CancelContact(contact=view.id, by="customer", reason="voicemail"))
        name = f"{settings.app}-voicemail-{view.id}-{exchange.next_number()}"
        self._callers[name] = view
        over = exchange.messages[name] = trio.Event()
        try:
            await self._leave_message(call, name, over)
        except AriError as error:
            exchange.log.warning("voice_message_failed", contact=view.id, error=str(error))
        finally:
            exchange.messages.pop(name, None)
        call.up = False
        call.gone.set()
        exchange.calls.forget(call)
        await exchange.end(call.server, [Request("DELETE", f"channels/{call.channel}", known=(404,))])

    async def _leave_message(self, call: Call, name: str, over: trio.Event) -> None:
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
            "maxSilenceSeconds": "10",
            "terminateOn": "#",
            "beep": "true",
            "ifExists": "overwrite",
        }
        await call.server.ask("POST", f"channels/{call.channel}/record", query)
        with trio.move_on_after(settings.voicemail_s + BEGIN_S):
            await over.wait()
        if not call.gone.is_set():
            await speak(exchange, call, settings.phrases.voicemail_taken)

    # What the server tells

    async def ended(self, server: Server, recording: Recording) -> None:
        """A recording is over: fetch it and tell the engine."""
        name = recording.name
        found = NAME.fullmatch(name)
        if found is None or not name.startswith(f"{server.app}-"):
            return
        if (waiting := self._exchange.messages.get(name)) is not None:
            waiting.set()
        contact = int(found[2])
        if self._live.get(contact) == name:
            del self._live[contact]
            self._paused.discard(contact)
        self._durations[name] = recording.duration
        await self._keep(server, name, recording.format or self._exchange.settings.recording_format)

    async def fetch_left(self, server: Server) -> None:
        """Fetch what was recorded while nobody was looking."""
        stored = msgspec.json.decode(await server.ask("GET", "recordings/stored"), type=list[_Stored])
        live = set(self._live.values()) | set(self._exchange.messages)
        for one in stored:
            if NAME.fullmatch(one.name) and one.name.startswith(f"{server.app}-") and one.name not in live:
                await self._keep(server, one.name, one.format)

    async def _keep(self, server: Server, name: str, form: str) -> None:
        found = NAME.fullmatch(name)
        assert found is not None
        data = await server.file(f"recordings/stored/{name}/file")
        if data is not None:
            path = self.folder / f"{name}.{form}"
            partial = path.with_suffix(".partial")
            await trio.Path(partial).write_bytes(data)
            await trio.Path(partial).rename(path)
            attachment = Attachment(
                id=path.name, name=path.name, media_type=MEDIA_TYPES.get(form, "audio/wav"), bytes_n=len(data)
            )
            if found[1] == "call":
                await self._tell(int(found[2]), name, attachment)
            elif not await self._admit(name, attachment, int(found[2])):
                await trio.Path(path).unlink(missing_ok=True)
        # Only now: until the engine knows of it, it is there to be fetched again.
        await server.ask("DELETE", f"recordings/stored/{name}", known=(404,))

    async def _tell(self, contact: int, name: str, attachment: Attachment) -> None:
        """Among the contact's messages, for agents only. A contact that is over has it in the folder."""
        await self._exchange.submit(
            PostMessage(
                contact=contact,
                author="system",
                text="Recording",
                message_id=name,
                attachments=(attachment,),
                internal=True,
            )
        )

    async def _admit(self, name: str, attachment: Attachment, contact: int) -> bool:
        """Make a contact of a message; False when it is too short to be one."""
        exchange, settings = self._exchange, self._exchange.settings
        seconds = self._durations.pop(name, settings.voicemail_min_s)
        if seconds < settings.voicemail_min_s or not settings.voicemail:
            return False
        view = self._callers.pop(name, None) or exchange.view(contact)
        mailbox = exchange.switchboard.configuration().engine.channels[settings.voicemail]
        # Into the line that the caller was in, whose rule may just have turned them away, only for want of another.
        queue = view.queue if view is not None and not mailbox.queue else ""
        outcome = await exchange.submit(
            AdmitContact(
                channel=settings.voicemail,
                provider_id=name,
                handle=view.handle if view is not None else "",
                customer_name=view.customer_name if view is not None else "",
                language=view.language if view is not None else "",
                queue=queue,
                conversation=view.conversation if view is not None else 0,
                subject=f"Voice message, {seconds} s",
            )
        )
        if outcome is not None and outcome.contact:
            await exchange.submit(
                PostMessage(
                    contact=outcome.contact,
                    author="customer",
                    text=f"Voice message, {seconds} s",
                    message_id=name,
                    attachments=(attachment,),
                )
            )
        return True

    # Keeping

    async def sweep(self) -> None:
        """Erase what is older than the rule says, now and every hour."""
        while True:
            await trio.to_thread.run_sync(self.erase_old)
            await trio.sleep(SWEEP_S)

    def erase_old(self) -> None:
        """Erase recordings of more than `recordings_days`."""
        now_s = self._exchange.clock.now_ns() / 1e9
        oldest_s = now_s - self._exchange.settings.recordings_days * 86_400
        for path in self.folder.iterdir():
            if path.is_file() and path.stat().st_mtime < oldest_s:
                path.unlink(missing_ok=True)

    def of_contacts(self, contacts: Collection[int]) -> list[Path]:
        """The files with these contacts' voices."""
        return sorted(
            path
            for path in self.folder.iterdir()
            if (match := NAME.fullmatch(path.stem)) and int(match[2]) in contacts
        )

    def find(self, id: str) -> Path | None:
        """The file of an attachment."""
        name, _, form = id.rpartition(".")
        if not NAME.fullmatch(name) or form not in MEDIA_TYPES:
            return None
        path = self.folder / id
        return path if path.is_file() else None
