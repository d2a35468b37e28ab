"""The channel of type `asterisk_voicemail`: messages that callers have left, each a contact that can wait.

It takes nothing in itself: the telephone channel admits the contacts, and whoever is asked listens to the file and calls
back. They count as e-mail unless the file gives them a medium of their own. So what is asked of this channel is always done already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from centralita.errors import ConfigurationError
from centralita.messages import ReconcileChannel
from centralita.protocols import Announcement, Capabilities, Context, Inbox, Outgoing, Signal
from centralita.views import ContactView
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.reconcile import CONTACTS_MAX
from centralita_asterisk.recordings import NAME
from centralita_asterisk.settings import VoicemailSettings


class VoicemailChannel:
    """One `[channels.NAME] type = "asterisk_voicemail"`. Implements protocols.Channel."""

    capabilities = Capabilities(medium="email", live=False, announce=False)

    def __init__(self, settings: VoicemailSettings, context: Context) -> None:
        channels = {one.name: one.type for one in context.configuration.of_kind("channels")}
        if channels.get(settings.channel) != "asterisk":
            known = ", ".join(sorted(name for name, kind in channels.items() if kind == "asterisk")) or "none"
            where = f"channels.{context.name}.channel"
            raise ConfigurationError([f"{where} was {settings.channel!r}; known of type asterisk: {known}"])
        self._name = context.name
        self._exchange = exchange_of(context.switchboard, settings.channel)

    def routes(self) -> Sequence[Any]:
        """The messages, for the front door."""
        from centralita_asterisk.routes import file_routes  # Litestar is heavy; only a front door needs it

        return file_routes(self._name, self._exchange)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Say which contacts are messages, then be there until cancelled.

        A message is alive as long as its contact, even when its file has been erased by age: whoever left it can
        still be called back.
        """
        contacts = self._exchange.switchboard.contacts(limit=CONTACTS_MAX)
        ours = [view.provider_id for view in contacts if view.channel == self._name and not view.parent]
        alive = tuple(provider_id for provider_id in ours if NAME.fullmatch(provider_id))
        await inbox.submit(ReconcileChannel(channel=self._name, alive=alive))
        task_status.started()
        await trio.sleep_forever()

    async def send(self, message: Outgoing) -> None:
        """Nobody is on the line to hear it; it stays with the contact."""

    async def announce(self, announcement: Announcement) -> None:
        """Nobody waits on the line."""

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        """The message is there for whoever has accepted it; False for a contact that is none."""
        return NAME.fullmatch(contact.provider_id) is not None

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        """The message stays as long as recordings are kept."""

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        """Not among our capabilities, so never called."""

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        """Nobody need be told."""

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        """Nobody need be told."""

    async def signal(self, signal: Signal, provider_id: str) -> None:
        """Nobody sees it."""
