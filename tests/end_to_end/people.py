"""The people of an exchange, at its real sockets: customers in the web chat, agents at the desk.

Customers speak the web chat's protocol (docs/webchat.md), agents the desk's (docs/http.md). Both are told
what to do by what they see, never by a clock: a customer says the next line when the last one was answered,
an agent does the next thing a contact needs. Both come back by themselves when the line or the daemon is gone,
and both keep what they were told is done, which is what a test holds against the books afterwards.

What is to happen to a contact stands in its first message, as signs: `#decline` (the first agent says no),
`#transfer`, `#consult`; `#bye` in the last line has the agent end it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, cast

import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionTimeout,
    DisconnectionTimeout,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from tests.end_to_end.exchange import PATIENCE_S, RETRY_S

PING_EVERY_S: Final = 20.0


class LineCut(Exception):
    """Somebody pulled the plug."""


GONE: Final = (
    ConnectionClosed,
    ConnectionTimeout,
    DisconnectionTimeout,
    HandshakeError,
    LineCut,
    OSError,
    trio.BrokenResourceError,
)


class _Line(trio.abc.Stream):
    """A stream that cancels what waits for the daemon's first word when it hangs up before that, which trio-websocket
    does not see."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.waiting: trio.CancelScope | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data: bytes | bytearray = b""
        try:
            data = await self._stream.receive_some(max_bytes)
        finally:
            if not data and self.waiting is not None:
                self.waiting.cancel()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def open_socket(
    port: int, path: str, headers: Iterable[tuple[bytes, bytes]] = ()
) -> AsyncIterator[WebSocketConnection]:
    """A WebSocket to the daemon. Leaving by an exception breaks the line without a word."""
    stream = _Line(await trio.open_tcp_stream("127.0.0.1", port))
    try:
        async with trio.open_nursery() as nursery:
            with trio.fail_after(PATIENCE_S) as stream.waiting:
                connection = await wrap_client_stream(
                    nursery,
                    cast(trio.SocketStream, stream),
                    f"127.0.0.1:{port}",
                    path,
                    extra_headers=list(headers),
                )
            stream.waiting = None
            yield connection
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(stream)


class Person:
    """Somebody at a socket, who comes back when the line is gone."""

    path: str

    def __init__(self, port: int) -> None:
        self._port = port
        self.headers: tuple[tuple[bytes, bytes], ...] = ()
        self.visits = 0
        self.closed_with: list[int] = []
        self.put_off_n = 0
        """How often a frame said that the daemon is not there now, which comes before any closing."""
        self.done = False
        self._socket: WebSocketConnection | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a line, as far as is known here."""
        return self._socket is not None

    async def run(self) -> None:
        """Be there until done, or cancelled."""
        while not self.done:
            try:
                async with open_socket(self._port, self.path, self.headers) as connection:
                    self._socket = connection
                    self.visits += 1
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._ping)
                        await self._visit(connection)
                        nursery.cancel_scope.cancel()
            except* GONE as group:
                for error in _leaves(group):
                    if isinstance(error, ConnectionClosed) and error.reason is not None:
                        self.closed_with.append(error.reason.code)
            except* trio.TooSlowError:
                pass  # the daemon took the connection and died before it answered
            self._socket = None
            if not self.done:
                await trio.sleep(RETRY_S)

    async def put(self, **frame: Any) -> None:
        assert self._socket is not None
        await self._socket.send_message(json.dumps(frame, ensure_ascii=False))

    async def _visit(self, connection: WebSocketConnection) -> None:
        raise NotImplementedError

    async def _ping(self) -> None:
        """Some people keep the line alive."""


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


class Customer(Person):
    """A page of the web chat, with lines to say.

    `bursts` are the lines after which the next one is said without waiting for an answer; `cuts` those after
    which the line breaks, before anything about them is heard. Without `#bye` in the last line the customer
    ends the conversation.
    """

    path = "/chat/shop/ws"

    def __init__(
        self, port: int, email: str, lines: list[str], *, bursts: Iterable[int] = (), cuts: Iterable[int] = (), score: int = 0
    ) -> None:  # fmt: skip
        super().__init__(port)
        self.email = email
        self.lines = lines
        self.bursts, self.cuts = set(bursts), set(cuts)
        self.score = score
        self.received: list[str] = []
        self.answers: list[str] = []
        self.shown: list[tuple[str, str]] = []
        self.rated = 0
        self.outcome = ""
        self._session = self._secret = ""
        self._last = self._chat = self._said_n = 0
        self._outbox: list[dict[str, Any]] = []
        self._may_rate = False
        self._oriented = self._asked_end = self._asked_rate = False
        """In this visit: where the conversation stands was heard; its end, or the rating, was asked for."""

    def __repr__(self) -> str:
        return (
            f"{self.email}: said {self._said_n} of {len(self.lines)}, {len(self.received)} taken in, "
            f"{len(self.answers)} answered, {self.visits} visits, outcome {self.outcome!r}"
        )

    async def _ping(self) -> None:
        while True:
            await trio.sleep(PING_EVERY_S)
            await self.put(type="ping")

    async def _visit(self, connection: WebSocketConnection) -> None:
        self._oriented = self._asked_end = self._asked_rate = False
        await self.put(type="hello", session=self._session, secret=self._secret, last=self._last)
        self._take(json.loads(await connection.get_message()))
        for frame in self._outbox:
            await self.put(**frame)
        while not self.done:
            self._take(json.loads(await connection.get_message()))
            if self._oriented:
                await self._speak()

    async def _speak(self) -> None:
        """Say what there is to say now."""
        if self.outcome:
            if not (self.score and self._may_rate):
                self.done = not self._outbox  # a receipt may come after the end
            elif not self._asked_rate:
                self._asked_rate = True
                await self.put(type="rate", score=self.score, chat=self._chat)
            return
        while self._said_n < len(self.lines) and self._is_time():
            index = self._said_n
            self._said_n += 1
            who = {"name": self.email.partition("@")[0], "email": self.email} if index == 0 else {}
            frame = {
                "type": "message",
                "message_id": f"m{index}",
                "text": self.lines[index],
                "chat": 0,
                **who,
            }
            self._outbox.append(frame)
            await self.put(**frame)
            if index in self.cuts:
                self.cuts.discard(index)
                raise LineCut
        if len(self.answers) == len(self.lines) and "#bye" not in self.lines[-1] and not self._asked_end:
            self._asked_end = True
            await self.put(type="end")

    def _is_time(self) -> bool:
        return self._said_n == 0 or self._said_n - 1 in self.bursts or len(self.answers) >= self._said_n

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "session":
                # A session is kept from its first message on (docs/webchat.md): before, nothing was promised.
                assert frame["resumed"] or not self.received, "the session was forgotten"
                assert self._session or not frame["resumed"], "somebody else's session"
                self._session = frame["session"]
                self._secret = frame["secret"] or self._secret
            case "message":
                assert frame["sequence"] == self._last + 1, "a gap or a repetition"
                self._last = frame["sequence"]
                self.shown.append((frame["author"], frame["text"]))
                if frame["author"] == "agent":
                    self.answers.append(frame["text"])
            case "received":
                for taken in [one for one in self._outbox if one["message_id"] == frame["message_id"]]:
                    self._outbox.remove(taken)
                    self.received.append(taken["text"])
            case "state":
                self._oriented = True
            case "ended":
                self._oriented = True
                self.outcome, self._chat, self._may_rate = frame["outcome"], frame["chat"], frame["may_rate"]
                self.rated = frame["score"]
            case "rated":
                self.rated, self._may_rate = frame["score"], False
            case "error":
                assert frame["code"] == "unavailable", frame
                self.put_off_n += 1
                raise LineCut  # and once more, from the first line that is not known to be taken in
            case _:
                pass


Effect = Callable[[dict[str, Any]], bool]
"""Whether a view of a contact shows what a command has done."""


@dataclass
class Sent:
    """A command without a reply yet, and the view it was given on."""

    contact: int
    command: str
    fields: dict[str, Any]
    view: dict[str, Any]
    effect: Effect


class Floor:
    """What the agents of one floor have in common."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.declined: set[int] = set()
        self.handed_on: set[int] = set()
        self.consulting: dict[int, Agent] = {}
        """Who waits for a colleague, by the customer's contact."""
        self.colleague_there: set[int] = set()
        self.counts: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()


class Agent(Person):
    """An agent at a desk. `posted` is what the daemon said it has taken in: contact and text."""

    path = "/ws/desk"

    def __init__(self, port: int, name: str, token: str, floor: Floor, *, colleague: str = "") -> None:
        super().__init__(port)
        self.name = name
        self.posted: list[tuple[int, str]] = []
        self.seen: dict[int, list[dict[str, Any]]] = {}
        self.greeted = trio.Event()
        self.headers = ((b"authorization", f"Bearer {token}".encode()),)
        self._colleague = colleague
        self._floor = floor
        floor.agents[name] = self
        self._numbers = count(1)
        self._views: dict[int, dict[str, Any]] = {}
        self._expected: dict[int, Effect] = {}
        """By contact what the next view to act on must show: one that is on its way may be older."""
        self._waiting: dict[int, Sent] = {}

    async def _visit(self, connection: WebSocketConnection) -> None:
        self._views.clear()
        self._expected.clear()
        self._waiting.clear()
        while True:
            await self._take(json.loads(await connection.get_message()))

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "hello" | "update":
                for view in frame["contacts"]:
                    self._look(view)
                    await self.act(view["id"])
                self.greeted.set()
            case "offer":
                await self._consider(frame["contact"], frame["offer"])
            case "reply":
                await self._replied(frame)
            case _:
                pass

    def _look(self, view: dict[str, Any]) -> None:
        contact = view["id"]
        before, now = self.seen.get(contact, []), view["messages"]
        if [one["number"] for one in now] != list(range(1, len(now) + 1)):
            raise AssertionError(f"{self.name} saw contact {contact} with gaps or out of order")
        if not view["parent"]:  # a consultation's own lines come after the customer's, which go on
            assert now[: len(before)] == before, f"what was said in contact {contact} has changed"
            self.seen[contact] = now
        self._views[contact] = view

    async def _consider(self, view: dict[str, Any], offer: int) -> None:
        contact = view["id"]
        self._look(view)
        decline = "#decline" in view["messages"][0]["text"] and contact not in self._floor.declined
        if decline and not view["parent"]:
            self._floor.declined.add(contact)
            await self._do("AnswerOffer", contact, offer=offer, accept=False, reason="busy")
        else:
            await self._do("AnswerOffer", contact, offer=offer, accept=True)

    async def act(self, contact: int) -> None:
        """Do the next thing a contact needs, unless something is being done."""
        view = self._views.get(contact)
        if (
            view is None
            or self._socket is None
            or any(sent.contact == contact for sent in self._waiting.values())
        ):
            return
        if contact in self._expected and not self._expected[contact](view):
            return
        self._expected.pop(contact, None)
        state = self._state_in(view)
        if state == "connected" and view["parent"]:
            self._floor.colleague_there.add(view["parent"])
            if asking := self._floor.consulting.get(view["parent"]):
                await asking.act(view["parent"])
        elif state == "connected":
            await self._serve(contact, view)
        elif state == "wrapping":
            await self._do("FinishWrapUp", contact, disposition="resolved", notes=f"by {self.name}")

    def _state_in(self, view: dict[str, Any]) -> str:
        return next((str(work["state"]) for work in view["works"] if work["agent"] == self.name), "")

    async def _serve(self, contact: int, view: dict[str, Any]) -> None:
        aloud = [one for one in view["messages"] if not one["internal"]]
        answered = {one["text"] for one in aloud if one["author"] == "agent"}
        lines = [one["text"] for one in aloud if one["author"] == "customer"]
        first, fresh = lines[0], contact not in self._floor.handed_on
        # Handed on while there is more to answer: a customer who has every answer may hang up in the second queue.
        if "#transfer" in first and fresh and f"re: {first}" in answered:
            agent = self._floor.agents.get(self._colleague)
            target = {"agent": agent.name} if agent and contact % 2 else {"queue": "second"}
            await self._do("TransferContact", contact, target=target, note="please go on")
            return
        for number, line in enumerate(lines):
            if (answer := f"re: {line}") not in answered:
                await self._do("PostMessage", contact, text=answer, message_id=f"re{contact}/{number}")
                return
        if "#consult" in first and fresh:
            if not view["consultation"]:
                self._floor.consulting[contact] = self
                await self._do("StartConsultation", contact, target={"queue": "second"}, note="a question")
            elif contact in self._floor.colleague_there:
                await self._do("EndConsultation", contact, then="transfer")
        elif "#bye" in lines[-1]:
            await self._do("EndContact", contact)

    async def _do(self, command: str, contact: int, **fields: Any) -> None:
        number = next(self._numbers)
        view = self._views[contact]
        self._waiting[number] = Sent(contact, command, fields, view, self._effect_of(command, fields, view))
        if command in ("TransferContact", "EndConsultation"):
            self._floor.handed_on.add(contact)  # the colleague may have it before we hear that it is done
            self._floor.colleague_there.discard(contact)
        try:
            await self.put(id=number, command=command, contact=contact, **fields)
        except GONE:
            pass  # the reader hears of it, too

    def _effect_of(self, command: str, fields: dict[str, Any], view: dict[str, Any]) -> Effect:
        match command:
            case "PostMessage":
                return lambda now: any(one["text"] == fields["text"] for one in now["messages"])
            case "StartConsultation":
                return lambda now: bool(now["consultation"])
            case _:
                return lambda now: self._state_in(now) != self._state_in(view)

    async def _replied(self, frame: dict[str, Any]) -> None:
        sent = self._waiting.pop(frame["id"])
        if frame["ok"]:
            self._floor.counts[sent.command if sent.fields.get("accept", True) else "decline"] += 1
            self._expected[sent.contact] = sent.effect
            if sent.command == "PostMessage":
                self.posted.append((sent.contact, sent.fields["text"]))
        else:
            self._floor.refusals[f"{sent.command}: {frame['code']}"] += 1
            if self._views.get(sent.contact) is sent.view:
                del self._views[sent.contact]  # it was out of date; the next one is on its way
        await self.act(sent.contact)
