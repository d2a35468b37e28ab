"""What is recorded, kept and found again: conversations, and messages of callers (`mailbox.py`).

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

from centralita.messages import AdmitContact, Attachment, PostMessage
from centralita_asterisk.ari import AriError, AriRefused, Recording, Request
from centralita_asterisk.calls import Call
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.rooms import room_of
from centralita_asterisk.server import Server

SWEEP_S: Final = 3600.0
BEGINS_S: Final = 5.0
"""How long a server may take from its word that it records to doing so."""
UNTOLD_S: Final = 2.0
"""A server tells of a recording's end at once, unless the room it was made in went first."""
NAME: Final = re.compile(r"[A-Za-z0-9_]+-(call|voicemail)-(\d+)-(\d+)")
BYTES_A_SECOND: Final = {"wav": 16_000, "gsm": 1_650, "ulaw": 8_000}
WAV_HEADER: Final = 44
_RECORDED: Final = ("connected", "on_hold")
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
        self._resting: dict[int, tuple[str, bool]] = {}
        """Contacts whose room everybody has left to ask a colleague: which agent had it recorded, and whether paused."""
        self._keeping = trio.Lock()
        self._durations: dict[str, int] = {}

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
        room = room_of(exchange, call.server, call.contact)
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
        begun_at = trio.current_time() + BEGINS_S
        while True:
            try:
                await call.server.ask("POST" if on else "DELETE", f"recordings/live/{name}/pause")
                break
            except AriRefused as refused:
                # What was asked for a moment ago has not begun yet, and can't be paused so long.
                if refused.status != 409 or trio.current_time() >= begun_at:
                    raise
            await trio.sleep(BEGINS_S / 100)
        (self._paused.add if on else self._paused.discard)(call.contact)

    def rest(self, contact: int, agent: str) -> list[Request]:
        """Everybody leaves the room to ask a colleague: what to ask of the server, so that nothing is recorded meanwhile."""
        name = self._live.pop(contact, None)
        if name is None and self._exchange.settings.record != "always":
            return []
        self._resting.setdefault(contact, (agent, contact in self._paused))
        self._paused.discard(contact)
        return [] if name is None else [Request("POST", f"recordings/live/{name}/stop", known=(404,))]

    async def go_on(self, call: Call, agents: Collection[str]) -> None:
        """The customer is back in the room with these agents: what rested is recorded anew, and is paused again. For
        another agent only where every call is recorded."""
        if call.contact not in self._resting:
            return
        agent, paused = self._resting.pop(call.contact)
        if agent not in agents:
            if self._exchange.settings.record != "always":
                return
            paused = False
        await self.insist(call)
        if paused:
            await self.pause(call, on=True)

    async def insist(self, call: Call) -> None:
        """Record from now on, however long the server takes to answer, while the conversation lasts."""
        await self._exchange.insist(
            lambda: self.begin(call), lambda: self._exchange.phase(call) in _RECORDED, "record"
        )

    async def finish(self, call: Call) -> None:
        """Record no more; the file follows. Raises AriError."""
        name = self._live.get(call.contact)
        if name is not None:
            await call.server.ask("POST", f"recordings/live/{name}/stop", known=(404,))

    async def over(self, server: Server, contact: int) -> None:
        """The contact is over, and so is what is recorded of it: it is fetched although the server does not say so."""
        self._resting.pop(contact, None)
        if (name := self._live.get(contact)) is not None:
            await self._end(server, contact, name)

    async def _end(self, server: Server, contact: int, name: str) -> None:
        """Until the server tells of its end, or this connection is over, after which what is left is fetched."""
        live, life = f"recordings/live/{name}", server.life
        while True:
            await trio.sleep(UNTOLD_S)
            if self._live.get(contact) != name or server.life != life:
                return
            try:
                await server.ask("POST", f"{live}/stop", known=(404,))
                if not await server.has(live):
                    self._is_over(name)
                    await self.keep(server, name, self._exchange.settings.recording_format)
                    return
            except AriError as error:
                self._exchange.log.warning("recording_not_fetched", name=name, error=str(error))

    # What the server tells

    async def ended(self, server: Server, recording: Recording) -> None:
        """A recording is over: fetch it and tell the engine."""
        name = recording.name
        found = NAME.fullmatch(name)
        if found is None or not name.startswith(f"{server.app}-"):
            return
        if (waiting := self._exchange.messages.get(name)) is not None:
            waiting.set()
        self._is_over(name)
        if found[1] == "voicemail":
            self._durations[name] = recording.duration
        await self.keep(server, name, recording.format or self._exchange.settings.recording_format)

    async def fetch_left(self, server: Server) -> None:
        """Fetch what was recorded while nobody was looking; what is being recorded still is known again."""
        stored = msgspec.json.decode(await server.ask("GET", "recordings/stored"), type=list[_Stored])
        ours = [one for one in stored if NAME.fullmatch(one.name) and one.name.startswith(f"{server.app}-")]
        paths = {f"recordings/live/{one.name}": one for one in ours}
        live = await server.those_there(list(paths))
        for path, one in paths.items():
            if path in live:
                self._know_live(server, msgspec.json.decode(live[path], type=Recording))
                continue
            self._is_over(one.name)
            if one.name not in self._exchange.messages:
                await self.keep(server, one.name, one.format)
        here = {one.name for one in ours} | set(self._exchange.messages)
        for note in self._exchange.mailbox.notes(server.name).values():
            if note.name not in here:
                # Whoever was about to leave a message has left without.
                self._exchange.mailbox.forget(note.name)

    def _know_live(self, server: Server, recording: Recording) -> None:
        """A conversation that another life of ours began to record, and may have paused. When the contact is over
        already, so is this."""
        name = recording.name
        found = NAME.fullmatch(name)
        if found is None or found[1] != "call":
            return
        contact = int(found[2])
        self._live.setdefault(contact, name)
        if recording.state == "paused":
            self._paused.add(contact)
        view = self._exchange.view(contact)
        if view is None or view.phase == "wrapping":
            self._exchange.start(self._end, server, contact, name)

    def _is_over(self, name: str) -> None:
        found = NAME.fullmatch(name)
        if found is not None and self._live.get(int(found[2])) == name:
            del self._live[int(found[2])]
            self._paused.discard(int(found[2]))

    async def keep(self, server: Server, name: str, form: str) -> None:
        """Fetch one that is over, have the engine know of it, and erase it over there. Raises AriError."""
        async with self._keeping:
            if await self._fetch(server, name, form):
                # Only now: until the engine knows of it, it is there to be fetched again.
                await server.ask("DELETE", f"recordings/stored/{name}", known=(404,))

    async def _fetch(self, server: Server, name: str, form: str) -> bool:
        """Whether it may be erased over there."""
        found = NAME.fullmatch(name)
        assert found is not None
        data = await server.file(f"recordings/stored/{name}/file")
        if data is None:
            self._exchange.mailbox.forget(name)
            return True
        path = self.folder / f"{name}.{form}"
        partial = path.with_suffix(".partial")
        await trio.Path(partial).write_bytes(data)
        await trio.Path(partial).rename(path)
        attachment = Attachment(
            id=path.name, name=path.name, media_type=MEDIA_TYPES.get(form, "audio/wav"), bytes_n=len(data)
        )
        if found[1] == "call":
            return await self._tell(int(found[2]), name, attachment)
        return await self._admit(path, name, attachment, int(found[2]))

    async def _tell(self, contact: int, name: str, attachment: Attachment) -> bool:
        """Among the contact's messages, for agents only. A contact that is over has it in the folder."""
        outcome = await self._exchange.submit(
            PostMessage(
                contact=contact,
                author="system",
                text="Recording",
                message_id=name,
                attachments=(attachment,),
                internal=True,
            )
        )
        return outcome is not None

    async def _admit(self, path: Path, name: str, attachment: Attachment, contact: int) -> bool:
        """Make a contact of a message, unless it is too short to be one; False when the engine takes none any more."""
        exchange, settings = self._exchange, self._exchange.settings
        seconds = self._durations.pop(name, None)
        if seconds is None:
            seconds = seconds_of(attachment.id.rpartition(".")[2], attachment.bytes_n)
        if seconds < settings.voicemail_min_s or not settings.voicemail:
            exchange.mailbox.forget(name)
            await trio.Path(path).unlink(missing_ok=True)
            return True
        left = exchange.mailbox.note(name) or exchange.view(contact)
        mailbox = exchange.switchboard.configuration().engine.channels[settings.voicemail]
        # Into the line that the caller was in, whose rule may just have turned them away, only for want of another.
        queue = left.queue if left is not None and not mailbox.queue else ""
        outcome = await exchange.submit(
            AdmitContact(
                channel=settings.voicemail,
                provider_id=name,
                handle=left.handle if left is not None else "",
                customer_name=left.customer_name if left is not None else "",
                language=left.language if left is not None else "",
                queue=queue,
                conversation=left.conversation if left is not None else 0,
                subject=f"Voice message, {seconds} s",
            )
        )
        if outcome is None:
            return False
        if outcome.refusal is not None:
            exchange.log.error("voice_message_refused", name=name, reason=outcome.refusal.message)
            return True
        posted = await exchange.submit(
            PostMessage(
                contact=outcome.contact,
                author="customer",
                text=f"Voice message, {seconds} s",
                message_id=name,
                attachments=(attachment,),
            )
        )
        if posted is not None:
            exchange.mailbox.forget(name)
        return posted is not None

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


def seconds_of(form: str, bytes_n: int) -> int:
    """How long a recording of so many bytes is, in whole seconds: 8 kHz, one voice."""
    return max(0, bytes_n - (WAV_HEADER if form == "wav" else 0)) // BYTES_A_SECOND[form]
