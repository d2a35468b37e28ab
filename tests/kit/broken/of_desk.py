"""Desks: 401 to 413."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from centralita.messages import AnswerOffer, PostMessage, SignIn
from centralita.protocols import Inbox
from centralita.views import AgentView, ContactView
from tests.kit.broken.registry import breaks
from tests.kit.good import GoodDesk


@breaks(401, "desks")
class Patient(GoodDesk):
    """Waits for whoever is not there."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        if agent in self.hall.seats:
            await super().offer(agent, contact, offer=offer, expires_ns=expires_ns)


@breaks(402, "desks")
class StubbornDesk(GoodDesk):
    """Finishes an update, come what may."""

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        if agent.name not in self.hall.seats:
            with trio.CancelScope(shield=True):
                await trio.sleep(6)
        await super().update(agent, contacts)


@breaks(403, "desks")
class Anonymous(GoodDesk):
    """Does not say where the agent sits."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "sit":
            await inbox.submit(SignIn(agent=agent))
        else:
            await super().deal(inbox, what, agent, rest)


@breaks(404, "desks")
class Trusting(GoodDesk):
    """Keeps the seat warm for ever."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what != "leave":
            await super().deal(inbox, what, agent, rest)


@breaks(405, "desks")
class Muddled(GoodDesk):
    """Shows every offer under the number before it."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await super().offer(agent, contact, offer=offer - 1, expires_ns=expires_ns)


@breaks(406, "desks")
class Waiting(GoodDesk):
    """Returns when the agent has answered."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await super().offer(agent, contact, offer=offer, expires_ns=expires_ns)
        await trio.sleep(60)


@breaks(407, "desks")
class Modest(GoodDesk):
    """Takes a yes for a no."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "answer":
            rest = (*rest[:2], False)
        await super().deal(inbox, what, agent, rest)


@breaks(408, "desks")
class Eager(GoodDesk):
    """Takes a no for a yes."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "answer":
            contact, offer, _ = rest
            await inbox.submit(AnswerOffer(contact=contact, agent=agent, offer=offer, accept=True))
        else:
            await super().deal(inbox, what, agent, rest)


@breaks(409, "desks")
class Stacking(GoodDesk):
    """Shows whatever it is given."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await trio.lowlevel.checkpoint()
        self.hall.seats[agent].offers.append((contact.id, offer))


@breaks(410, "desks")
class Sticky(GoodDesk):
    """Leaves on the screen what was there."""

    async def withdraw(self, agent: str, contact: int, *, offer: int, reason: str) -> None:
        await trio.lowlevel.checkpoint()


@breaks(411, "desks")
class Blank(GoodDesk):
    """Shows states, not words."""

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        await trio.lowlevel.checkpoint()


@breaks(412, "desks")
class Ventriloquist(GoodDesk):
    """Speaks for the house."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "say":
            await inbox.submit(PostMessage(contact=rest[0], author="system", text=rest[1]))
        else:
            await super().deal(inbox, what, agent, rest)


@breaks(413, "desks")
class Loud(GoodDesk):
    """Calls every offer out across the hall."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await super().offer(agent, contact, offer=offer, expires_ns=expires_ns)
        for other in self.hall.seats:
            await super().offer(other, contact, offer=offer, expires_ns=expires_ns)
