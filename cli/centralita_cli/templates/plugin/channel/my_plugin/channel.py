"""The channel: every TCP connection is a contact, every line a message, as with `nc 127.0.0.1 8480`.

A conversation lives as long as its connection. So after a restart nobody is there any more, and `run` says so
first.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

import trio
from msgspec import Meta, Struct

from centralita.messages import AbandonContact, AdmitContact, PostMessage, ReconcileChannel
from centralita.protocols import Announcement, Capabilities, Context, Inbox, Outgoing, Signal
from centralita.views import ContactView

LINE_BYTES_MAX: Final = 65_536
PORT_FILE: Final = "port"


class MyPluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME] type = "my_plugin"`. `port` 0 takes any free one and writes it to the data folder."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 8480
    customers_max: Annotated[int, Meta(ge=1, le=10_000)] = 1_000


class MyPlugin:
    """The channel. It keeps the open connections, by the ids that it gave them."""

    capabilities = Capabilities(medium="chat")

    def __init__(self, settings: MyPluginSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._customers: dict[str, trio.SocketStream] = {}
        self._delivered: dict[str, int] = {}
        self._connections_n = 0

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen until cancelled."""
        await inbox.submit(ReconcileChannel(channel=self._context.name, alive=()))
        async with trio.open_nursery() as nursery:
            serve = partial(
                trio.serve_tcp, partial(self._serve, inbox), self._settings.port, host="127.0.0.1"
            )
            listeners: list[trio.SocketListener] = await nursery.start(serve)
            port = listeners[0].socket.getsockname()[1]
            await trio.Path(self._context.data, PORT_FILE).write_text(f"{port}\n")
            task_status.started()

    async def _serve(self, inbox: Inbox, stream: trio.SocketStream) -> None:
        """One customer, until either side closes the connection."""
        if len(self._customers) >= self._settings.customers_max:
            await _write(stream, "* We are full; please try again later.")
            return
        self._connections_n += 1
        # Unique over restarts: the engine's clock never goes back.
        provider_id = f"{self._context.clock.now_ns()}-{self._connections_n}"
        self._customers[provider_id] = stream
        try:
            outcome = await inbox.submit(AdmitContact(channel=self._context.name, provider_id=provider_id))
            if outcome.refusal is not None:
                await _write(stream, f"* {outcome.refusal.message}")
                return
            await self._listen(inbox, stream, outcome.contact)
            await inbox.submit(AbandonContact(contact=outcome.contact, reason="connection closed"))
        finally:
            del self._customers[provider_id]
            self._delivered.pop(provider_id, None)

    async def _listen(self, inbox: Inbox, stream: trio.SocketStream, contact: int) -> None:
        rest, number = b"", 0
        try:
            async for data in stream:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    number += 1
                    text = line.decode("utf-8", errors="replace").strip()
                    await inbox.submit(
                        PostMessage(contact=contact, author="customer", text=text, message_id=str(number))
                    )
                if len(rest) > LINE_BYTES_MAX:
                    await _write(stream, f"* A line has at most {LINE_BYTES_MAX} bytes.")
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # gone without a goodbye, or ended by us

    async def send(self, message: Outgoing) -> None:
        """Deliver; a message that comes again has the number it had, and is not said twice."""
        stream = self._customers[
            message.provider_id
        ]  # gone is a KeyError: it is tried while the contact lives
        if message.number > self._delivered.get(message.provider_id, 0):
            await _write(stream, f"{message.author_title or message.author}: {message.text}")
            self._delivered[message.provider_id] = message.number

    async def announce(self, announcement: Announcement) -> None:
        """Tell the place in line."""
        stream = self._customers.get(announcement.provider_id)
        if stream is not None and announcement.position > 0:
            await _write(stream, f"* You are number {announcement.position}.")

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool:
        """False when the customer has left; a callback reaches nobody here."""
        stream = self._customers.get(contact.provider_id)
        if stream is None or callback_handle:
            return False
        await _write(stream, f"* You are talking to {agent}.")
        return True

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        """Say goodbye and close; a second time there is nothing left to close."""
        stream = self._customers.get(provider_id)
        if stream is not None:
            await _write(stream, "* Goodbye.")
            await stream.aclose()

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        """Not among our capabilities, so never called."""

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        """Another agent is in the conversation."""
        await self._notice(provider_id, f"{agent} is here.")

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        """An agent has left the conversation."""
        await self._notice(provider_id, f"{agent} has left.")

    async def signal(self, signal: Signal, provider_id: str) -> None:
        """Lines can't show that somebody types."""

    async def _notice(self, provider_id: str, words: str) -> None:
        stream = self._customers.get(provider_id)
        if stream is not None:
            await _write(stream, f"* {words}")


async def _write(stream: trio.SocketStream, line: str) -> None:
    try:
        await stream.send_all(line.replace("\n", " ").encode() + b"\n")
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # whoever reads this connection notices, and tells the engine
