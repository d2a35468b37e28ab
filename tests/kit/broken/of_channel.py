"""Channels: 301 to 319."""

from __future__ import annotations

from typing import Any

import msgspec
import trio

from centralita.messages import ReconcileChannel
from centralita.protocols import Capabilities, Inbox, Outgoing, Signal
from centralita.views import ContactView
from tests.kit.broken.registry import breaks
from tests.kit.good import GoodChannel


@breaks(301, "channels")
class Fax(GoodChannel):
    """By a medium that nobody has set up."""

    capabilities = Capabilities(medium="fax")


@breaks(302, "channels")
class Forgetful(GoodChannel):
    """Says nothing at its start of who is still there."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        await super().run(Deaf(inbox), task_status=task_status)


class Deaf:
    """An inbox that loses every word about who is alive."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def submit(self, command: Any) -> Any:
        if isinstance(command, ReconcileChannel):
            return None
        return await self._inbox.submit(command)


@breaks(303, "channels")
class Rude(GoodChannel):
    """Says goodbye to those only whom it knows."""

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        self.office.customers[provider_id].over = True
        self.forget(provider_id)


@breaks(304, "channels")
class Sanguine(GoodChannel):
    """Everybody is there."""

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        await trio.lowlevel.checkpoint()
        return True


@breaks(305, "channels")
class Stubborn(GoodChannel):
    """Finishes a signal, come what may."""

    async def signal(self, signal: Signal, provider_id: str) -> None:
        with trio.CancelScope(shield=provider_id not in self.office.customers):
            await trio.sleep(8)


@breaks(306, "channels")
class Curt(GoodChannel):
    """Does not listen to the first words."""

    async def admit(self, inbox: Inbox, customer: str, words: str) -> None:
        await super().admit(inbox, customer, "Hm?")


@breaks(307, "channels")
class OneContact(GoodChannel):
    """All customers are one."""

    async def admit(self, inbox: Inbox, customer: str, words: str) -> None:
        self.contacts[customer] = next(iter(self.contacts.values()), 0)
        if not self.contacts[customer]:
            await super().admit(inbox, customer, words)


@breaks(308, "channels")
class Tidy(GoodChannel):
    """Believes that everybody writes Latin letters."""

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        if what == "say":
            words = words.encode("latin-1", errors="replace").decode("latin-1")
        await super().deal(inbox, what, customer, message, words)


@breaks(309, "channels")
class Nameless(GoodChannel):
    """Takes the same words for the same message."""

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        await super().deal(inbox, what, customer, words[:100], words)


@breaks(310, "channels")
class Absent(GoodChannel):
    """Nobody is ever there."""

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        await trio.lowlevel.checkpoint()
        return False


@breaks(311, "channels")
class Shortening(GoodChannel):
    """Delivers what fits on a card."""

    async def send(self, message: Outgoing) -> None:
        await super().send(msgspec.structs.replace(message, text=message.text[:100]))


@breaks(312, "channels")
class Repeating(GoodChannel):
    """Delivers whatever it is given."""

    async def send(self, message: Outgoing) -> None:
        if self.delivered.get(message.provider_id, 0) >= message.number and not self.restarted:
            self.delivered[message.provider_id] = message.number - 1
        await super().send(message)

    restarted = False

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        self.restarted = (self.data / "post.json").exists()
        await super().run(inbox, task_status=task_status)


@breaks(313, "channels")
class Announcing(GoodChannel):
    """Tells everybody."""

    async def send(self, message: Outgoing) -> None:
        await super().send(message)
        for customer in self.office.customers.values():
            if customer.id != message.provider_id:
                customer.heard.append(message.text)


@breaks(314, "channels")
class Boasting(GoodChannel):
    """Can't hold, and says that it can."""

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        raise NotImplementedError


@breaks(315, "channels")
class Loyal(GoodChannel):
    """Never believes that somebody has left."""

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        if what != "leave":
            await super().deal(inbox, what, customer, message, words)


@breaks(316, "channels")
class Vanishing(GoodChannel):
    """Ends a conversation without a word."""

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        self.forget(provider_id)


@breaks(317, "channels")
class Haunted(GoodChannel):
    """After a restart all are alive, and none is heard."""

    stale: frozenset[str] = frozenset()

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        if (self.data / "post.json").exists():
            self.stale = frozenset(self.office.customers)
        await super().run(inbox, task_status=task_status)

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        if customer not in self.stale:
            await super().deal(inbox, what, customer, message, words)


@breaks(318, "channels")
class Senile(GoodChannel):
    """Remembers who is there, but not what they were told."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        self.delivered = {}
        await super().run(inbox, task_status=task_status)

    def save(self) -> None:
        told, self.delivered = self.delivered, {}
        super().save()
        self.delivered = told


@breaks(319, "channels")
class Wordy(GoodChannel):
    """Carries words only."""

    async def send(self, message: Outgoing) -> None:
        await super().send(msgspec.structs.replace(message, attachments=()))
