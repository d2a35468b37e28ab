"""A small SIP telephone for the tests: it registers, calls, is called, speaks a tone and knows which tones it hears.

Written here because what the tests ask (count every audio frame, tell who is heard by whom, be busy or silent at a
chosen moment, hundreds in one process under trio) no packaged user agent offers to a trio program. RFC 3261 over
UDP on loopback, G.711 µ-law and RFC 4733 keys; nothing else.
"""

from __future__ import annotations

import math
import random
import re
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

import trio
from tools.audio import RATE, ulaw

FRAME: Final = 160
FRAME_S: Final = FRAME / RATE
KEYS: Final = "0123456789*#"
RETRANSMIT_S: Final = 0.5
WITHIN_S: Final = 60.0
"""How long what a test waits for may take. Every wait is for a condition, so this is only how late a failure is told:
long enough for a machine whose two cores carry the whole suite, where a call has taken several seconds to begin."""
HEARD_FRAMES: Final = 4
"""So many frames in a row with a tone are somebody speaking."""
SILENCE: Final = bytes([0xFF]) * FRAME
PHRASES: Final = {
    100: "Trying", 180: "Ringing", 200: "OK", 403: "Forbidden", 404: "Not Found", 480: "Temporarily Unavailable",
    486: "Busy Here", 487: "Request Terminated", 603: "Decline",
}  # fmt: skip


def tone(hz: int) -> bytes:
    """One frame of a tone; `hz` a multiple of 50, so that every frame is the same."""
    return bytes(ulaw(round(8000 * math.sin(2 * math.pi * hz * index / RATE))) for index in range(FRAME))


def chord(*hz: int) -> bytes:
    """One frame of several tones at once, as strong together as one."""
    return bytes(
        ulaw(round(8000 / len(hz) * sum(math.sin(2 * math.pi * one * index / RATE) for one in hz)))
        for index in range(FRAME)
    )


def _linear(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 15) << 3) + 132 << ((code >> 4) & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


_LINEAR: Final = [_linear(code) for code in range(256)]


def strength(frame: bytes, hz: int) -> float:
    """The amplitude of a tone in a frame (Goertzel 1958)."""
    turn = 2 * math.cos(2 * math.pi * hz / RATE)
    before = last = 0.0
    for code in frame:
        before, last = last, _LINEAR[code] + turn * last - before
    power = before * before + last * last - turn * before * last
    return 2 * math.sqrt(max(power, 0.0)) / len(frame)


class Message:
    """A SIP message taken apart."""

    def __init__(self, text: str) -> None:
        head, _, self.body = text.partition("\r\n\r\n")
        self.first, *lines = head.split("\r\n")
        self.fields = [
            (name.strip().lower(), value.strip())
            for name, _, value in (line.partition(":") for line in lines)
        ]

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    @property
    def status(self) -> int:
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        return self["cseq"].split()[-1] if self.status else self.first.split()[0]


class Talk:
    """One call of one telephone, seen from the telephone."""

    def __init__(self, phone: Phone, call_id: str, *, outgoing: bool) -> None:
        self.phone = phone
        self.call_id = call_id
        self.outgoing = outgoing
        self.status = 0
        """The final answer to the INVITE, ours or theirs."""
        self.ringing = trio.Event()
        self.answered = trio.Event()
        self.ended = trio.Event()
        self.frames = 0
        """Audio frames heard."""
        self.sent = 0
        """Audio frames sent to where they are heard."""
        self.given_up = False
        self.keys = ""
        """Keys heard."""
        self.invite: Message | None = None
        self.local = self.remote = ""
        self.target = ""
        self.branch = f"z9hG4bK{_token()}"
        self.cseq = random.randint(1, 1000)
        self._rtp: trio.socket.SocketType | None = None
        self._sender: socket.socket | None = None
        self._far: tuple[str, int] | None = None
        self._recent: deque[bytes] = deque(maxlen=200)
        self._news = trio.lowlevel.ParkingLot()
        self._to_press = ""
        self._payload = tone(phone.hz) if phone.hz else SILENCE
        self._scope = trio.CancelScope()
        self._last_key = -1

    def header(self, name: str) -> str:
        """A field of the INVITE that came."""
        assert self.invite is not None
        return self.invite[name.lower()]

    async def answer(self) -> None:
        """Pick up."""
        assert self.invite is not None
        self.status = 200
        await self.phone.respond(self.invite, 200, self.local, body=await self.open_audio(self.invite.body))
        self.answered.set()

    async def refuse(self, status: int = 486) -> None:
        """Do not."""
        assert self.invite is not None
        self.status = status
        await self.phone.respond(self.invite, status, self.local)
        self.over()

    async def hang_up(self) -> None:
        """Put down, at whatever moment."""
        if self.ended.is_set():
            return
        if self.answered.is_set():
            await self.phone.request("BYE", self)
            self.over()
        elif self.outgoing:
            await self.phone.cancel(self)
        else:
            await self.refuse(603)

    async def press(self, keys: str) -> None:
        """Press keys, as RFC 4733 events, once it is known where they are heard."""
        while self._far is None and not self.ended.is_set():
            await trio.sleep(FRAME_S)
        self._to_press += keys
        while self._to_press and not self.ended.is_set():
            await trio.sleep(FRAME_S)

    async def say(self, *hz: int, s: float = 0.5) -> None:
        """Say a tone, or several at once, in so many seconds' frames, then what was said before.

        Frames, not time: who was held up for half of it would have said half of it.
        """
        before, self._payload = self._payload, chord(*hz)
        last = self.sent + round(s / FRAME_S)
        while self.sent < last and not self.ended.is_set():
            await trio.sleep(FRAME_S)
        self._payload = before

    async def hears(self, hz: int, *, within_s: float = WITHIN_S) -> None:
        """Return once the tone is heard from now on; fails when it is not."""
        await self._listen(lambda frame: strength(frame, hz) > 1000, f"{hz} Hz", within_s)

    async def hears_not(self, hz: int, *, within_s: float = WITHIN_S) -> None:
        """Return once the tone is not in what is heard from now on, or nothing is heard."""
        await self._listen(lambda frame: strength(frame, hz) < 300, f"no {hz} Hz", within_s, silence=True)

    def frames_with(self, hz: int) -> int:
        """In how many of the last 200 frames the tone was heard."""
        return sum(strength(frame, hz) > 1000 for frame in self._recent)

    async def _listen(
        self, wanted: Callable[[bytes], bool], what: str, within_s: float, *, silence: bool = False
    ) -> None:
        start, run = self.frames, 0
        with trio.move_on_after(within_s):
            while run < HEARD_FRAMES:
                seen = self.frames
                with trio.move_on_after(10 * FRAME_S) as quiet:
                    await self._news.park()
                if quiet.cancelled_caught and self.frames == seen:
                    if silence:
                        return
                    continue
                run = run + 1 if wanted(self._recent[-1]) else 0
            return
        heard = [hz for hz in range(400, 2000, 100) if self._recent and strength(self._recent[-1], hz) > 500]
        raise AssertionError(
            f"{self.phone.name} was to hear {what}; heard {self.frames - start} frames, of late {heard}"
        )

    def over(self) -> None:
        """The call has ended."""
        self.ended.set()
        self._scope.cancel()
        self.phone.talks.pop(self.call_id, None)

    async def open_audio(self, offer: str = "") -> str:
        """Open the audio and describe it; with the other side's description, begin to speak."""
        if self._rtp is None:
            self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sender.setblocking(False)
            self._sender.bind(("127.0.0.1", 0))
            self._rtp = trio.socket.from_stdlib_socket(self._sender)
            self.phone.nursery.start_soon(self._audio)
        if offer:
            self.aim(offer)
        port = self._rtp.getsockname()[1]
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
            "a=fmtp:101 0-16\r\na=sendrecv\r\n"
        )

    def aim(self, description: str) -> None:
        """Where the other side listens."""
        found = re.search(r"^m=audio (\d+)", description, re.MULTILINE)
        if found:
            self._far = ("127.0.0.1", int(found[1]))

    async def _audio(self) -> None:
        assert self._rtp is not None
        with self._scope, self._rtp:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear)
                await self._speak()
                nursery.cancel_scope.cancel()

    async def _hear(self) -> None:
        assert self._rtp is not None
        while True:
            packet = await self._rtp.recv(2048)
            kind = packet[1] & 0x7F
            if kind == 101:
                (stamp,) = struct.unpack_from(">I", packet, 4)
                if packet[13] & 0x80 and stamp != self._last_key:
                    self._last_key = stamp
                    self.keys += KEYS[packet[12]]
            elif kind == 0:
                self.frames += 1
                self._recent.append(packet[12:])
                self._news.unpark_all()

    async def _speak(self) -> None:
        sequence, stamp, source = 0, 0, random.getrandbits(32)
        due = trio.current_time()
        while True:
            if self._to_press:
                key = KEYS.index(self._to_press[0])
                for step in range(1, 8):
                    end = 0x80 if step > 4 else 0
                    event = struct.pack(">BBH", key, end | 10, min(step, 5) * FRAME)
                    self._send(
                        struct.pack(">BBHII", 0x80, 101 | (0x80 if step == 1 else 0), sequence, stamp, source)
                        + event
                    )
                    sequence += 1
                    due += FRAME_S
                    await trio.sleep_until(due)
                stamp += 12 * FRAME
                due += 3 * FRAME_S
                self._to_press = self._to_press[1:]
            elif not self.phone.quiet:
                self._send(
                    struct.pack(">BBHII", 0x80, 0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, source)
                    + self._payload
                )
                self.sent += self._far is not None
                sequence += 1
                stamp += FRAME
                due += (self.phone.every - 1) * FRAME_S
            due = max(due + FRAME_S, trio.current_time() - 0.2)
            await trio.sleep_until(due)

    def _send(self, packet: bytes) -> None:
        if self._sender is not None and self._far is not None:
            try:
                # Without a wait: a packet that the system can't take now is one that got lost.
                self._sender.sendto(packet, self._far)
            except OSError:
                pass


class Phone:
    """A telephone, or a whole exchange's worth of them behind one socket. `then` says what it does when called:
    it is given the Talk, which rings already."""

    def __init__(self, nursery: trio.Nursery, name: str, *, hz: int = 0, quiet: bool = False) -> None:
        self.nursery = nursery
        self.name = name
        self.hz = hz
        self.quiet = quiet
        self.every = 1
        """Speak one frame of so many: for many telephones in one process."""
        self.talks: dict[str, Talk] = {}
        self.then: Callable[[Talk], object] | None = None
        self._calls, self._called_by = trio.open_memory_channel[Talk](1000)
        self._server = ("127.0.0.1", 0)
        self._replies: dict[str, trio.MemorySendChannel[Message]] = {}
        self._answers: dict[str, bytes] = {}

    async def open(self, server_port: int, *, port: int = 0) -> None:
        """Listen, and know where the server is."""
        self._socket = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        self._socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4_194_304)
        await self._socket.bind(("127.0.0.1", port))
        self._server = ("127.0.0.1", server_port)
        self.port: int = self._socket.getsockname()[1]
        self.nursery.start_soon(self._read)

    async def register(self, *, expires: int = 3600) -> None:
        """Tell the server where we are; `expires` 0: no longer."""
        branch = f"z9hG4bK{_token()}"
        contact = f"<sip:{self.name}@127.0.0.1:{self.port}>"
        request = registration(
            self.name, self.port, self._server[1], contact=contact, expires=expires, branch=branch
        )
        reply = await self._transact(branch, request)
        assert reply.status == 200, reply.first

    async def call(self, to: str, *, number: str = "", name: str = "") -> Talk:
        """Call somebody; returns at once, `answered` or `ended` follows. `number`: who we say we are."""
        talk = Talk(self, _token(), outgoing=True)
        talk.local = f'"{name}" <sip:{number or self.name}@127.0.0.1>;tag={_token()}'
        talk.remote = f"<sip:{to}@127.0.0.1:{self._server[1]}>"
        talk.target = f"sip:{to}@127.0.0.1:{self._server[1]}"
        self.talks[talk.call_id] = talk
        body = await talk.open_audio()
        self.nursery.start_soon(self._invite, talk, body)
        return talk

    async def rings(self, *, within_s: float = WITHIN_S) -> Talk:
        """The next call that comes in."""
        with trio.fail_after(within_s):
            return await self._called_by.receive()

    async def _invite(self, talk: Talk, body: str) -> None:
        def take(reply: Message) -> bool:
            if reply.body:
                talk.aim(reply.body)
            if reply.status in (180, 183):
                talk.ringing.set()
            return reply.status >= 200

        reply = await self._transact(
            talk.branch, self._text("INVITE", talk, talk.branch, body), take, s=2 * WITHIN_S
        )
        talk.status = reply.status
        talk.remote = reply["to"]
        if contact := re.search(r"<([^>]+)>", reply["contact"]):
            talk.target = contact[1]
        await self._send(self._text("ACK", talk, f"z9hG4bK{_token()}" if reply.status < 300 else talk.branch))
        if reply.status >= 300:
            talk.over()
            return
        talk.answered.set()
        if talk.given_up:  # the answer has crossed our giving up
            await self.request("BYE", talk)
            talk.over()

    async def cancel(self, talk: Talk) -> None:
        """Give up calling."""
        talk.given_up = True
        await self._send(self._text("CANCEL", talk, talk.branch))
        with trio.move_on_after(WITHIN_S):
            await talk.ended.wait()

    async def request(self, method: str, talk: Talk) -> None:
        """A request within a call, until it is answered."""
        talk.cseq += 1
        branch = f"z9hG4bK{_token()}"
        await self._transact(branch, self._text(method, talk, branch))

    async def respond(self, request: Message, status: int, local: str, *, body: str = "") -> None:
        """Answer a request; the same again when it comes again."""
        lines = [f"SIP/2.0 {status} {PHRASES.get(status, 'Other')}"]
        lines += [f"Via: {via}" for via in request.all("via")]
        lines += [
            f"From: {request['from']}",
            f"To: {local}",
            f"Call-ID: {request['call-id']}",
            f"CSeq: {request['cseq']}",
        ]
        lines += [f"Contact: <sip:{self.name}@127.0.0.1:{self.port}>"]
        if body:
            lines += ["Content-Type: application/sdp"]
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()
        self._answers[request["via"] + request["cseq"]] = text
        await self._send(text)

    async def _transact(
        self,
        branch: str,
        text: bytes,
        take: Callable[[Message], bool] = lambda reply: reply.status >= 200,
        *,
        s: float = WITHIN_S,
    ) -> Message:
        """Send, again and again until there is an answer; `take` is given each and says which is the last."""
        send, receive = trio.open_memory_channel[Message](100)
        self._replies[branch] = send
        heard = False
        try:
            with trio.move_on_after(s):
                while True:
                    if not heard:
                        await self._send(text)
                    with trio.move_on_after(RETRANSMIT_S):
                        while True:
                            reply = await receive.receive()
                            heard = True
                            if take(reply):
                                return reply
        finally:
            del self._replies[branch]
        raise AssertionError(f"{self.name}: no answer to {text[:60]!r}")

    def _text(self, method: str, talk: Talk, branch: str, body: str = "") -> bytes:
        lines = [
            f"{method} {talk.target} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}",
            f"From: {talk.local}",
            f"To: {talk.remote}",
            f"Call-ID: {talk.call_id}",
            f"CSeq: {talk.cseq} {method}",
            f"Contact: <sip:{self.name}@127.0.0.1:{self.port}>",
            "Max-Forwards: 70",
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()

    async def _send(self, text: bytes) -> None:
        await self._socket.sendto(text, self._server)

    async def _read(self) -> None:
        with self._socket:
            while True:
                data, _ = await self._socket.recvfrom(65_536)
                message = Message(data.decode(errors="replace"))
                if message.status:
                    found = re.search(r"branch=([^;,\s]+)", message["via"])
                    if found and (waiting := self._replies.get(found[1])) is not None:
                        try:
                            waiting.send_nowait(message)
                        except trio.WouldBlock:
                            pass
                elif (again := self._answers.get(message["via"] + message["cseq"])) is not None:
                    await self._send(again)
                else:
                    await self._take(message)

    async def _take(self, request: Message) -> None:
        talk = self.talks.get(request["call-id"])
        if request.method == "INVITE" and talk is None:
            await self._called(request)
        elif request.method == "INVITE" and talk is not None:
            await self.respond(request, 200, request["to"], body=await talk.open_audio(request.body))
        elif request.method == "BYE":
            await self.respond(request, 200, request["to"])
            if talk is not None:
                talk.over()
        elif request.method == "CANCEL":
            await self.respond(request, 200, request["to"])
            if talk is not None and talk.invite is not None and not talk.answered.is_set():
                await self.respond(talk.invite, 487, talk.local)
                talk.status = 487
                talk.over()
        elif request.method != "ACK":
            await self.respond(request, 200, request["to"])

    async def _called(self, invite: Message) -> None:
        talk = Talk(self, invite["call-id"], outgoing=False)
        talk.invite = invite
        talk.local = f"{invite['to']};tag={_token()}"
        talk.remote = invite["from"]
        contact = re.search(r"<([^>]+)>", invite["contact"])
        talk.target = contact[1] if contact else f"sip:127.0.0.1:{self._server[1]}"
        self.talks[talk.call_id] = talk
        # For requests of ours From and To change places.
        await self.respond(invite, 180, talk.local)
        talk.ringing.set()
        if self.then is None:
            self._calls.send_nowait(talk)
        else:
            result = self.then(talk)
            if hasattr(result, "__await__"):
                await result


def registration(
    name: str, port: int, server_port: int, *, contact: str, expires: int, branch: str = ""
) -> bytes:
    """A request to be registered there; of `contact` "*", to have nobody registered under the name."""
    address = f"<sip:{name}@127.0.0.1>"
    lines = [
        f"REGISTER sip:127.0.0.1:{server_port} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch={branch or f'z9hG4bK{_token()}'}",
        f"From: {address};tag={_token()}",
        f"To: {address}",
        f"Call-ID: {_token()}",
        f"CSeq: {random.randint(1, 1_000_000)} REGISTER",
        f"Contact: {contact}",
        "Max-Forwards: 70",
        f"Expires: {expires}",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _token() -> str:
    return f"{random.getrandbits(64):016x}"
