"""What callers say to a bot, made into text by a recogniser.

The call stays where prompts, keys, agents and restarts find it. Beside it a second channel hears the caller alone (a
snoop) and sends it, as external media, to a port of ours; from there it goes on to the recogniser. So nothing that befalls
the recogniser befalls the call: without an ear, keys still work. No dialplan and no module for speech is needed.

Who talks cuts a prompt off, and words that no answer comes to are noticed, whatever the recogniser does: that is heard here.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, suppress
from typing import Final, Literal

import msgspec
import trio
from msgspec import Struct

from centralita.messages import PostMessage
from centralita.structs import Frozen
from centralita_asterisk.ari import AriError, Request
from centralita_asterisk.calls import Call
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.recogniser import CODEC, Recogniser, RecogniserError, Result, open_recogniser
from centralita_asterisk.rooms import arrange_soon
from centralita_asterisk.settings import Speech
from centralita_asterisk.speaking import hush, speak
from centralita_asterisk.talking import Talking, payload

WORD: Final = "speech"
"""What ids of an ear's channels and its bridge begin with, after the application's name."""
OPEN_S: Final = 3.0
"""How long the recogniser, and then the server, may take before somebody is listened to."""
AGAIN_S: Final = 15.0
"""After a failure so long nobody is listened to at that server: its callers press keys."""
LIVED_S: Final = 2.0
"""An ear that has worked for so long is replaced at once when it is lost."""
TALK_S: Final = 30.0
"""Whoever talks for longer without a pause, and without an answer, is noise to the recogniser, or it takes no more in."""
LEAVING_S: Final = 0.5
"""How long after an ear's end the caller's is awaited."""
CHUNK: Final = 800
"""Bytes of audio that go to the recogniser at once: 0.1 s."""
PACKET_MAX: Final = 2048

Source = tuple[str, int]
"""An address and a port."""
What = Literal["heard", "unsure", "unanswered", "failed", "gone", "over"]


class Said(Frozen):
    """What came of listening: a text, one that is not certain, none though somebody spoke; no recogniser, an ear that was
    lost; `over` when nobody wants to know any more. `reason` is for the log."""

    what: What
    text: str = ""
    score: int = 0
    reason: str = ""


class _SaidSource(Struct, frozen=True):
    address: str = msgspec.field(name="UNICASTRTP_LOCAL_ADDRESS")
    port: str = msgspec.field(name="UNICASTRTP_LOCAL_PORT")


class _Sender(Struct, frozen=True):
    channelvars: _SaidSource


_SENDER: Final = msgspec.json.Decoder(_Sender)


class Ear:
    """One caller who is listened to."""

    def __init__(self, id: str, call: Call) -> None:
        self.id = id
        self.call = call
        self.contact = call.contact
        self.scope = trio.CancelScope()
        self.patience = trio.CancelScope()
        """Around the wait for a result; its deadline comes near once the caller has said something."""
        self.arrived = {f"{id}-in": trio.Event(), f"{id}-out": trio.Event()}
        """Its two channels, once they are there."""
        self.recogniser: Recogniser | None = None
        self.since = 0.0
        self.talks = False
        """The caller has said something that no result has come to."""
        self.lost = ""
        """Why it hears no more."""


class Hearing:
    """The ears of one channel's callers."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._ears: dict[str, Ear] = {}
        self._of_call: dict[Call, Ear] = {}
        self._misses: dict[int, int] = {}
        self._deaf_until: dict[str, float] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often what came of listening, by server."""

    def attend(self, call: Call) -> None:
        """Listen to a caller who talks with a bot, unless that is done already or can't be."""
        if call not in self._of_call and self._wanted(call):
            exchange = self._exchange
            ear = Ear(f"{exchange.settings.app}-{WORD}-{call.contact}-{exchange.next_number()}", call)
            self._of_call[call] = ear
            self._ears.update(dict.fromkeys(ear.arrived, ear))
            exchange.start(self._listen, ear)

    def stop(self, contact: int) -> None:
        """The bot is done with the contact."""
        self._misses.pop(contact, None)
        for ear in list(self._of_call.values()):
            if ear.contact == contact:
                ear.scope.cancel()

    def _wanted(self, call: Call) -> bool:
        exchange, speech = self._exchange, self._exchange.settings.speech
        return (
            speech is not None
            and call.up
            and not call.gone.is_set()
            and (call.answered or exchange.settings.answer != "with_agent")
            and exchange.calls.by_contact.get(call.contact) is call
            and exchange.phase(call) == "self_service"
            and self._misses.get(call.contact, 0) < speech.misses_max
            and trio.current_time() >= self._deaf_until.get(call.server.name, 0)
        )

    # What the server tells

    def came(self, channel: str) -> bool:
        """A channel of an ear is there; False when nobody knows it."""
        ear = self._ears.get(channel)
        if ear is not None:
            ear.arrived[channel].set()
        return ear is not None

    def ended(self, channel: str) -> None:
        """A channel is over; it may be one of an ear."""
        if (ear := self._ears.get(channel)) is not None:
            ear.lost = "the server has ended the listening"
            ear.patience.cancel()

    # One ear's life

    @property
    def _speech(self) -> Speech:
        speech = self._exchange.settings.speech
        assert speech is not None
        return speech

    async def _listen(self, ear: Ear) -> None:
        """Listen until the bot is done, or listening is no use."""
        call, said = ear.call, Said(what="over")
        try:
            try:
                async with trio.open_nursery() as nursery:
                    ear.scope = nursery.cancel_scope
                    said = await self._hear_all(ear, nursery)
            finally:
                await self._close(ear)
            if said.what != "over":
                with trio.move_on_after(LEAVING_S):
                    # An ear goes with its caller, and may be told of first.
                    await call.gone.wait()
        finally:
            for channel in ear.arrived:
                del self._ears[channel]
            del self._of_call[call]
        if said.what != "over" and self._wanted(call):
            self._fault(ear, said)

    async def _hear_all(self, ear: Ear, nursery: trio.Nursery) -> Said:
        """Open, and act upon what is heard; returns what put an end to it."""
        speech, view = self._speech, self._exchange.view(ear.contact)
        params = {**speech.params}
        if view is not None and view.language:
            params["language"] = view.language
        try:
            ear.recogniser = await open_recogniser(nursery, speech.url, params, seconds=OPEN_S)
            with ExitStack() as unread:
                audio = unread.enter_context(trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM))
                await audio.bind((await _address(speech.media_address), 0))
                source = await self._open(ear, audio.getsockname()[1])
                # Closed by who reads it: one that was just told of a packet would read a socket that is none.
                nursery.start_soon(self._pass_audio, ear, audio, source, ear.recogniser)
                unread.pop_all()
            try:
                return await self._hear_while_wanted(ear, ear.recogniser)
            finally:
                nursery.cancel_scope.cancel()
        except (RecogniserError, AriError, OSError) as error:
            nursery.cancel_scope.cancel()
            return Said(what="failed", reason=str(error))

    async def _hear_while_wanted(self, ear: Ear, recogniser: Recogniser) -> Said:
        ear.since = trio.current_time()
        while self._wanted(ear.call):
            said = await self._next(ear, recogniser)
            if said.what not in ("heard", "unsure"):
                return said
            if self._wanted(ear.call):
                self._act(ear, said)
        return Said(what="over")

    async def _open(self, ear: Ear, port: int) -> Source:
        """Have the server send the caller's voice to this port; from where it does. Raises AriError."""
        server, app = ear.call.server, ear.call.server.app
        inward, outward = ear.arrived
        snoop = {"spy": "in", "app": app, "appArgs": WORD, "snoopId": inward}
        media = {
            "app": app,
            "external_host": f"{self._speech.media_address}:{port}",
            "format": CODEC,
            "channelId": outward,
            "data": WORD,
        }
        _, sender, _ = await server.batch(
            [
                Request("POST", f"channels/{ear.call.channel}/snoop", snoop),
                Request("POST", "channels/externalMedia", media),
                Request("POST", "bridges", {"type": "mixing", "bridgeId": ear.id}),
            ]
        )
        with trio.move_on_after(OPEN_S):
            for there in ear.arrived.values():
                await there.wait()
        both = {"channel": f"{inward},{outward}"}
        await server.batch([Request("POST", f"bridges/{ear.id}/addChannel", both)])
        return _source(sender.message_body)

    async def _close(self, ear: Ear) -> None:
        asked = [Request("DELETE", f"channels/{channel}", known=(404,)) for channel in ear.arrived]
        asked.append(Request("DELETE", f"bridges/{ear.id}", known=(404,)))
        try:
            await self._exchange.end(ear.call.server, asked)
        finally:
            if ear.recogniser is not None:
                await ear.recogniser.close()

    async def _pass_audio(
        self, ear: Ear, audio: trio.socket.SocketType, source: Source, recogniser: Recogniser
    ) -> None:
        """Hand the caller's voice on, and listen whether somebody talks. What others send to the port is no voice."""
        talking, waiting, foreign = Talking(), bytearray(), False
        with audio, suppress(RecogniserError):  # whoever waits for the next result says so
            while True:
                packet, sender = await audio.recvfrom(PACKET_MAX)
                if sender != source:
                    if not foreign:
                        foreign = True
                        self._foreign(ear, sender, source)
                    continue
                frame = payload(packet)
                if talking.changed(frame):
                    self._talks(ear, on=talking.on)
                waiting += frame
                if len(waiting) >= CHUNK:
                    await recogniser.hear(bytes(waiting))
                    waiting.clear()

    def _foreign(self, ear: Ear, sender: Source, source: Source) -> None:
        """Say so once for each ear: it may also be that the server's packets come by way of another address."""
        self._exchange.log.warning(
            "speech_audio_refused",
            server=ear.call.server.name,
            contact=ear.contact,
            sender="{}:{}".format(*sender),
            expected="{}:{}".format(*source),
        )

    def _talks(self, ear: Ear, *, on: bool) -> None:
        if on:
            ear.talks = True
            ear.patience.deadline = trio.current_time() + TALK_S
            if self._speech.barge_in:
                self._exchange.start(hush, self._exchange, ear.call)
        elif ear.talks:
            ear.patience.deadline = trio.current_time() + self._speech.answer_s

    async def _next(self, ear: Ear, recogniser: Recogniser) -> Said:
        """What the recogniser says next, or why it says nothing."""
        if not ear.lost:
            try:
                with trio.CancelScope() as ear.patience:
                    return self._read(ear, await recogniser.result())
            except RecogniserError as error:
                return Said(what="gone", reason=str(error))
        if ear.lost:
            return Said(what="gone", reason=ear.lost)
        words = f"{self._speech.answer_s:g} s after the words, or {TALK_S:g} s of them"
        return Said(what="unanswered", reason=f"nothing in {words}")

    def _read(self, ear: Ear, result: Result) -> Said:
        text, score = result.text.strip(), round(result.score)
        ear.talks = False
        sure = bool(text) and score >= self._speech.score_min
        return Said(what="heard" if sure else "unsure", text=text, score=score)

    # What comes of it

    def _act(self, ear: Ear, said: Said) -> None:
        """Pass on what was said, or ask again for what was not understood."""
        self.counts[ear.call.server.name, said.what] += 1
        if said.what == "heard":
            self._misses.pop(ear.contact, None)
            self._exchange.start(self._pass_on, ear.call, said.text)
        else:
            self._exchange.log.info("speech_unsure", contact=ear.contact, score=said.score)
            self._missed(ear.call)

    async def _pass_on(self, call: Call, text: str) -> None:
        exchange = self._exchange
        call.digits = ""
        await hush(exchange, call)
        await exchange.submit(
            PostMessage(
                contact=call.contact,
                author="customer",
                text=text,
                message_id=f"speech-{exchange.next_number()}",
            )
        )

    def _fault(self, ear: Ear, said: Said) -> None:
        """Listening has failed. Unless it has just worked, keys it is: for this caller now, and for the others of this
        server in a while."""
        call, server = ear.call, ear.call.server
        self.counts[server.name, said.what] += 1
        self._exchange.log.warning(
            "speech_failed", server=server.name, contact=ear.contact, what=said.what, reason=said.reason
        )
        worked = ear.since and trio.current_time() >= ear.since + LIVED_S
        if said.what == "failed" or not (worked or said.what == "unanswered"):
            self._deaf_until[server.name] = trio.current_time() + AGAIN_S
        if ear.talks:
            self._missed(call)
        # Another ear shows whether the recogniser is there at all.
        self.attend(call)

    def _missed(self, call: Call) -> None:
        misses = self._misses[call.contact] = self._misses.get(call.contact, 0) + 1
        if misses == self._speech.misses_max:
            self._exchange.log.info("speech_given_up", contact=call.contact, misses=misses)
        self._exchange.start(self._ask_again, call)

    async def _ask_again(self, call: Call) -> None:
        """Say that it was not understood, and what was asked."""
        exchange = self._exchange
        if exchange.phase(call) != "self_service":
            return
        await hush(exchange, call)
        await speak(exchange, call, (*exchange.settings.phrases.not_understood, *call.prompt))
        arrange_soon(exchange, call)


def _source(channel: str) -> Source:
    """From where a channel that was made for it sends its audio, as the server says. Raises AriError."""
    try:
        said = _SENDER.decode(channel).channelvars
        return said.address, int(said.port)
    except (msgspec.DecodeError, ValueError):
        raise AriError("the server does not say from where it sends the audio") from None


async def _address(host: str) -> str:
    """An address of ours that packets can be sent to. Raises OSError."""
    found = await trio.socket.getaddrinfo(host, 0, trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    return str(found[0][4][0])
