"""A third party's channel in one file: a chat by lines of text over TCP, as with `nc 127.0.0.1 8480`.

Each connection is a contact; each line a customer's message. Installed, the plugin is found by an entry
point of group `centralita` that names its module; here it is handed to `open_engine`, and the file then
plays one customer and one agent.

Run it: python examples/third_party_channel.py
"""

from __future__ import annotations

import sys
from contextlib import aclosing
from functools import partial
from tempfile import TemporaryDirectory
from typing import Final

import trio
from msgspec import Struct

import centralita
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    ContactConnected,
    ContactOffered,
    EndContact,
    MessagePosted,
    PostMessage,
    ReconcileChannel,
    SignIn,
)
from centralita.protocols import (
    Announcement,
    Capabilities,
    Context,
    Inbox,
    Outgoing,
    Register,
    Signal,
    Switchboard,
)
from centralita.views import ContactView

LINE_BYTES_MAX: Final = 4_096
CUSTOMERS_MAX: Final = 1_000

centralita_api: Final = 1
"""The version of the plugin API that this was written for."""


class LineChatConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME] type = "line_chat"`. `port` 0 takes any free one."""

    port: int = 8480


@centralita.hookimpl
def register_channels(register: Register) -> None:
    """Say that there is such a channel; nothing runs yet."""
    register("line_chat", LineChatConfig, LineChat)


class LineChat:
    """The channel. It keeps the open connections, and nothing that a restart would lose."""

    capabilities = Capabilities(medium="chat")

    def __init__(self, config: LineChatConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._customers: dict[str, trio.SocketStream] = {}
        self._delivered: dict[str, int] = {}
        self._connections_n = 0

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen. Connections end with us, so contacts of an earlier life are gone: say so first."""
        await inbox.submit(ReconcileChannel(channel=self._context.name, alive=()))
        async with trio.open_nursery() as nursery:
            listeners: list[trio.SocketListener] = await nursery.start(
                partial(trio.serve_tcp, partial(self._serve, inbox), self._config.port, host="127.0.0.1")
            )
            # For whoever starts us on any free port. The folder is ours alone.
            port = listeners[0].socket.getsockname()[1]
            await trio.Path(self._context.data, "port").write_text(str(port))
            task_status.started()

    async def _serve(self, inbox: Inbox, stream: trio.SocketStream) -> None:
        """One customer, from the first line to the end of the connection."""
        if len(self._customers) >= CUSTOMERS_MAX:
            await _say(stream, "* We are full; please try again later.")
            return
        self._connections_n += 1
        # Unique over restarts: the clock never goes back.
        provider_id = f"{self._context.clock.now_ns()}-{self._connections_n}"
        self._customers[provider_id] = stream
        try:
            outcome = await inbox.submit(AdmitContact(channel=self._context.name, provider_id=provider_id))
            if outcome.refusal is not None:
                await _say(stream, f"* {outcome.refusal.message}")
                return
            await self._listen(inbox, stream, outcome.contact)
            await inbox.submit(AbandonContact(contact=outcome.contact, reason="connection closed"))
        finally:
            del self._customers[provider_id]
            self._delivered.pop(provider_id, None)

    async def _listen(self, inbox: Inbox, stream: trio.SocketStream, contact: int) -> None:
        """Every line is a message, until the customer closes or sends too long a one."""
        rest, number = b"", 0
        try:
            async for data in stream:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    number += 1
                    text = line[:LINE_BYTES_MAX].decode("utf-8", errors="replace").strip()
                    await inbox.submit(
                        PostMessage(contact=contact, author="customer", text=text, message_id=str(number))
                    )
                if len(rest) > LINE_BYTES_MAX:
                    await _say(stream, f"* A line has at most {LINE_BYTES_MAX} bytes.")
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # gone without a goodbye, or ended by us: the caller says so

    async def send(self, message: Outgoing) -> None:
        """Deliver; a message that comes again has the number it had, and is not said twice."""
        if message.number > self._delivered.get(message.provider_id, 0):
            # A customer who has left is a KeyError: it is tried again while the contact lives.
            await _say(self._customers[message.provider_id], f"{message.author_title}: {message.text}")
            self._delivered[message.provider_id] = message.number

    async def announce(self, announcement: Announcement) -> None:
        """Tell the place in line."""
        if announcement.position > 0:
            await _say(
                self._customers[announcement.provider_id], f"* You are number {announcement.position}."
            )

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool:
        """False when the customer has left: there is nobody to bring together."""
        stream = self._customers.get(contact.provider_id)
        if stream is None or callback_handle:
            return False
        await _say(stream, f"* You are talking to {agent}.")
        return True

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        """Say goodbye and close; a second time there is nothing left to close."""
        stream = self._customers.get(provider_id)
        if stream is not None:
            await _say(stream, "* Goodbye.")
            await stream.aclose()

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        """Not among our capabilities, so never called."""

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        """Another agent is in the conversation."""
        await _say(self._customers[provider_id], f"* {agent} is here.")

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        """An agent has left the conversation."""
        await _say(self._customers[provider_id], f"* {agent} has left.")

    async def signal(self, signal: Signal, provider_id: str) -> None:
        """Lines can't show that somebody types."""


async def _say(stream: trio.SocketStream, line: str) -> None:
    try:
        await stream.send_all(line.replace("\n", " ").encode() + b"\n")
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the reader of this connection notices, and tells the engine


# The rest shows it at work. ---------------------------------------------------------------------------


async def main() -> None:
    with TemporaryDirectory() as folder:
        config = {
            "domain": {"data": folder},
            "queues": {"help": {"wrap_up_s": 0}},
            "agents": {"ana": {"title": "Ana"}},
            "channels": {"lines": {"type": "line_chat", "port": 0, "queue": "help"}},
        }
        this_file = sys.modules[__name__]
        async with centralita.open_engine(
            config, plugins=[this_file], entry_points=False, journal=centralita.MemoryJournal()
        ) as switchboard:
            await switchboard.submit(SignIn(agent="ana"))
            async with trio.open_nursery() as nursery:
                await nursery.start(be_ana, switchboard)
                port = await trio.Path(folder, "channels", "lines", "port").read_text()
                await be_a_customer(int(port))


async def be_ana(switchboard: Switchboard, *, task_status: trio.TaskStatus[None]) -> None:
    """Take the offer, greet, answer one question, end."""
    async with switchboard.follow() as batches:
        task_status.started()
        async for batch in batches:
            for event in (event for record in batch for event in record.events):
                if isinstance(event, ContactOffered):
                    await switchboard.submit(
                        AnswerOffer(contact=event.contact, agent="ana", offer=event.offer, accept=True)
                    )
                elif isinstance(event, ContactConnected):
                    await _write(switchboard, event.contact, "Hello! What can I do for you?")
                elif isinstance(event, MessagePosted) and event.author == "customer":
                    await _write(switchboard, event.contact, "From nine to two.")
                    await switchboard.submit(EndContact(contact=event.contact, by="ana"))
                    return


async def _write(switchboard: Switchboard, contact: int, text: str) -> None:
    await switchboard.submit(PostMessage(contact=contact, author="agent", author_id="ana", text=text))


async def be_a_customer(port: int) -> None:
    """Connect, ask when greeted, print everything that comes until the goodbye."""
    received = b""
    async with aclosing(await trio.open_tcp_stream("127.0.0.1", port)) as stream:
        asked = False
        async for data in stream:
            received += data
            if b"What can I do" in received and not asked:
                asked = True
                await stream.send_all(b"When are you open?\n")
    print(received.decode(), end="")


if __name__ == "__main__":
    trio.run(main)
