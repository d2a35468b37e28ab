"""The desk: agents connect over TCP, say who they are, and work by lines, as with `nc 127.0.0.1 8490`.

    ana 4711                the first line: the agent's name and PIN
    accept 12               take offer 12; `decline 12` leaves it
    say 3 From nine to two. write to the customer of contact 3
    end 3                   end contact 3

A second connection of the same agent takes the first one's place.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

import trio
from msgspec import Meta, Struct

from centralita.errors import CentralitaError
from centralita.messages import AnswerOffer, AnyCommand, EndContact, LoseAgent, PostMessage, SignIn
from centralita.protocols import Context, Inbox, Signal
from centralita.views import AgentView, ContactView

LINE_BYTES_MAX: Final = 65_536
PORT_FILE: Final = "port"


class MyPluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[desks.NAME] type = "my_plugin"`. `pins` says who may sit here, and with which PIN."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 8490
    pins: dict[str, Annotated[str, Meta(min_length=4, max_length=64)]] = {}


class NobodyThere(CentralitaError):
    """The agent has no connection: the engine offers the contact to somebody else."""


class Seat:
    """One agent's connection, and what it shows."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.offers: dict[int, int] = {}
        self.shown: dict[int, int] = {}

    async def write(self, line: str) -> None:
        """Show a line. A broken connection is noticed by whoever reads it."""
        try:
            await self.stream.send_all(line.replace("\n", " ").encode() + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


class MyPlugin:
    """The desk. It keeps who sits where, and nothing that a restart would lose."""

    def __init__(self, settings: MyPluginSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._seats: dict[str, Seat] = {}

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen until cancelled. The engine counts all agents of a desk that restarts as lost by itself."""
        async with trio.open_nursery() as nursery:
            serve = partial(
                trio.serve_tcp, partial(self._serve, inbox), self._settings.port, host="127.0.0.1"
            )
            listeners: list[trio.SocketListener] = await nursery.start(serve)
            port = listeners[0].socket.getsockname()[1]
            await trio.Path(self._context.data, PORT_FILE).write_text(f"{port}\n")
            task_status.started()

    async def _serve(self, inbox: Inbox, stream: trio.SocketStream) -> None:
        lines = Lines(stream)
        name, _, pin = (await lines.next() or "").partition(" ")
        if not hmac.compare_digest(self._settings.pins.get(name, "").encode(), pin.encode()) or not pin:
            await Seat(stream).write("error: no such agent, or another PIN")
            return
        seat = Seat(stream)
        if (former := self._seats.get(name)) is not None:
            await former.stream.aclose()
        self._seats[name] = seat
        try:
            outcome = await inbox.submit(SignIn(agent=name, desk=self._context.name))
            if outcome.refusal is not None and outcome.refusal.code != "already":
                await seat.write(f"error: {outcome.refusal.message}")
                return
            await seat.write(f"hello {name}")
            while (line := await lines.next()) is not None:
                await self._obey(inbox, name, seat, line)
            if self._seats.get(name) is seat:
                await inbox.submit(LoseAgent(agent=name, desk=self._context.name))
        finally:
            if self._seats.get(name) is seat:
                del self._seats[name]

    async def _obey(self, inbox: Inbox, name: str, seat: Seat, line: str) -> None:
        command = _understand(line, name, seat.offers)
        if command is None:
            await seat.write("error: known: accept OFFER, decline OFFER, say CONTACT WORDS, end CONTACT")
            return
        outcome = await inbox.submit(command)
        if outcome.refusal is not None:
            await seat.write(f"error: {outcome.refusal.message}")

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        """Show an offer; one that comes again has the number it had."""
        seat = self._seats.get(agent)
        if seat is None:
            raise NobodyThere(f"agent {agent} is not at the desk")
        if offer not in seat.offers:
            seat.offers[offer] = contact.id
            await seat.write(f"offer {offer} contact {contact.id} {contact.customer_name}".rstrip())

    async def withdraw(self, agent: str, contact: int, *, offer: int, reason: str) -> None:
        """Take an offer away."""
        seat = self._seats.get(agent)
        if seat is not None and seat.offers.pop(offer, None) is not None:
            await seat.write(f"withdrawn {offer} {reason}")

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        """Show what customers have written since the last time."""
        seat = self._seats.get(agent.name)
        if seat is None:
            return
        for contact in contacts:
            for message in contact.messages:
                if message.author == "customer" and message.number > seat.shown.get(contact.id, 0):
                    await seat.write(f"message {contact.id} {message.text}")
                seat.shown[contact.id] = max(message.number, seat.shown.get(contact.id, 0))
            if contact.id not in agent.works:
                seat.shown.pop(contact.id, None)

    async def signal(self, agent: str, signal: Signal) -> None:
        """Lines can't show that somebody types."""


class Lines:
    """The lines that come over a connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._rest = b""

    async def next(self) -> str | None:
        """The next line without blanks at its ends; None when the connection has ended, or one is too long."""
        while b"\n" not in self._rest:
            try:
                data = await self._stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return None
            if not data or len(self._rest) > LINE_BYTES_MAX:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", errors="replace").strip()


def _understand(line: str, agent: str, offers: dict[int, int]) -> AnyCommand | None:
    """The command that a line means; None when it means none."""
    word, _, rest = line.partition(" ")
    first, _, words = rest.partition(" ")
    if not first.isdecimal():
        return None
    number = int(first)
    match word:
        case "accept" | "decline":
            contact = offers.pop(number, 0)
            return AnswerOffer(contact=contact, agent=agent, offer=number, accept=word == "accept")
        case "say":
            return PostMessage(contact=number, author="agent", author_id=agent, text=words)
        case "end":
            return EndContact(contact=number, by=agent)
        case _:
            return None
