"""The desk of type `asterisk`: agents who have a telephone and no screen.

The phone is the whole desk. Who is here is told by codes that it dials, or by whether it is registered; an offer
rings it, which the channel does for all its contacts. What can't be heard is declined.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec
import trio

from centralita.errors import ConfigurationError
from centralita.messages import (
    AgentConnectionLost,
    AgentReturned,
    AgentSignedIn,
    AgentSignedOut,
    AnswerOffer,
    ConfigurationApplied,
    LoseAgent,
    SignIn,
)
from centralita.protocols import Context, Inbox, Signal
from centralita.views import AgentView, ContactView
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.phones import Phones
from centralita_asterisk.presence import GONE
from centralita_asterisk.settings import DeskSettings

AGAIN_S: Final = 15.0
"""An agent who was lost because the phone could not be rung, though it is registered, is back after so long."""


class AsteriskDesk:
    """One `[desks.NAME] type = "asterisk"`. Implements protocols.Desk."""

    def __init__(self, settings: DeskSettings, context: Context) -> None:
        channels = {one.name: one.type for one in context.configuration.of_kind("channels")}
        if channels.get(settings.channel) != "asterisk":
            known = ", ".join(sorted(name for name, kind in channels.items() if kind == "asterisk")) or "none"
            raise ConfigurationError(
                [f"desks.{context.name}.channel was {settings.channel!r}; known of type asterisk: {known}"]
            )
        self._settings = settings
        self._name = context.name
        self._exchange = exchange_of(context.switchboard, settings.channel)
        self._exchange.desks[context.name] = settings
        self._phones = Phones(self._exchange)
        self._roll = context.data / "here.json"
        self._here: set[str] = set()
        self._told: dict[str, bool] = {}
        """What the engine was told last: whether the agent's phone is there."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Keep who is here told, until cancelled."""
        self._told.clear()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._follow)
            if self._settings.sign_in == "registered":
                nursery.start_soon(self._watch_phones, inbox)
            else:
                nursery.start_soon(self._bring_back, inbox)
            task_status.started()
            await trio.sleep_forever()

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Note who sits here, and have phones taken off the hook that are to stay so."""
        exchange = self._exchange
        async with exchange.switchboard.follow() as batches:
            task_status.started()
            async for batch in batches:
                before = set(self._here)
                for record in batch:
                    for event in record.events:
                        if isinstance(event, AgentSignedIn | AgentReturned):
                            if event.desk != self._name:
                                self._here.discard(event.agent)
                                continue
                            self._here.add(event.agent)
                            if self._settings.persistent:
                                exchange.start(self._phones.keep, event.agent)
                        elif isinstance(event, AgentSignedOut):
                            self._here.discard(event.agent)
                        elif isinstance(event, AgentConnectionLost) and self._told.get(event.agent):
                            exchange.start(self._tell_again, event.agent)
                        elif isinstance(event, ConfigurationApplied):
                            self._forget_all_but(event.config.agents)
                if self._here != before:
                    await trio.to_thread.run_sync(self._write_roll, sorted(self._here))

    def _forget_all_but(self, agents: Collection[str]) -> None:
        """Whoever has left the configuration begins anew when they come back, wherever the phone was meanwhile."""
        for agent in self._told.keys() - set(agents):
            del self._told[agent]
        self._exchange.devices.wake()

    async def _tell_again(self, agent: str) -> None:
        """The phone is there as far as its server says, and could not be rung: neither is true for ever."""
        await trio.sleep(AGAIN_S)
        self._told.pop(agent, None)
        self._exchange.devices.wake()

    async def _bring_back(self, inbox: Inbox) -> None:
        """A telephone has no connection that a restart of ours could break: who was here is here."""
        self._here |= set(await trio.to_thread.run_sync(self._read_roll))
        for agent in sorted(self._here):
            view = self._exchange.switchboard.agent(agent)
            if view is not None and view.state == "lost":
                await inbox.submit(SignIn(agent=agent, desk=self._name))

    def _read_roll(self) -> list[str]:
        try:
            return msgspec.json.decode(self._roll.read_bytes(), type=list[str])
        except (OSError, msgspec.DecodeError):
            return []

    def _write_roll(self, agents: list[str]) -> None:
        partial = self._roll.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(agents))
        partial.replace(self._roll)

    async def _watch_phones(self, inbox: Inbox) -> None:
        """Sign in whose phone is there, and lose whose phone is not."""
        told = self._told
        while True:
            # Taken before looking: a phone that changes while the engine is told of another is seen next time.
            changed = self._exchange.devices.changed
            for agent in self._agents():
                there = self._is_there(agent)
                if there is None or told.get(agent) == there:
                    continue
                told[agent] = there
                command = SignIn if there else LoseAgent
                outcome = await inbox.submit(command(agent=agent, desk=self._name))
                if outcome.refusal is not None and outcome.refusal.code == "unknown_agent":
                    # Taken out of the configuration a moment ago, and perhaps back in it at the next.
                    told.pop(agent, None)
            await changed.wait()

    def _agents(self) -> list[str]:
        known = self._exchange.switchboard.configuration().engine.agents
        return [agent for agent in self._settings.agents or known if agent in known]

    def _is_there(self, agent: str) -> bool | None:
        """Whether the agent's phone can be rung anywhere; None while no server has been asked. What a server said
        last counts while it is away, until it has been away for `lost_after_s`."""
        exchange = self._exchange
        servers = exchange.servers.values()
        states = [exchange.devices.state(server.name, server.phone(agent)) for server in servers]
        known = [state for state in states if state is not None]
        if known:
            return any(state not in GONE for state in known)
        return False if any(server.tried.is_set() for server in servers) else None

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        """A call rings the phone, which the channel sees to; nothing else can be done on a telephone.

        Raises LookupError for an agent who does not sit here: the engine then takes them for lost.
        """
        view = self._exchange.switchboard.agent(agent)
        if view is None or view.desk != self._name:
            raise LookupError(f"{agent} is not at {self._name}")
        if (contact.callback_channel or contact.channel) != self._exchange.name:
            await self._exchange.submit(
                AnswerOffer(contact=contact.id, agent=agent, offer=offer, accept=False, reason="not a call")
            )

    async def withdraw(self, agent: str, contact: int, *, offer: int, reason: str) -> None:
        """The channel stops the ringing."""

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        """There is nothing to show it on."""

    async def signal(self, agent: str, signal: Signal) -> None:
        """There is nothing to show it on."""
