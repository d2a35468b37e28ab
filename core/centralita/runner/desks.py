"""What the engine asks of desks, carried out, and every change told to the agents it concerns.

One port for each desk, one lane for each agent: offers, withdrawals and updates reach an agent in order.
Updates are gathered: while one is on its way, further changes of the same agent wait as names, not as
copies, and the next update says what is true then. So a slow desk costs no memory and never shows the past.

An agent who signed in without a desk (from an embedding program, say) is not called; that program
follows the records itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Unpack, assert_never

from centralita.look import agent_view
from centralita.messages import (
    AnyCommand,
    AnyEvent,
    ConfigurationApplied,
    ConsultationEnded,
    ConsultationStarted,
    ContactTransferred,
    LoseAgent,
    Record,
    SendOffer,
    WithdrawOffer,
)
from centralita.protocols import Desk, Signal
from centralita.runner.ports import Port, Surroundings
from centralita.runner.recent import RecentEngine
from centralita.runner.supervise import CallFailed, Supervised

CALL_S: Final = 5.0
"""How long a desk may take to pass something on."""


class Update:
    """Tell the agent what has changed: which contacts, the port remembers."""


UPDATE: Final = Update()
DeskAsk = SendOffer | WithdrawOffer | Update


class DeskPort(Port[str, DeskAsk]):
    """One desk as the asks see it."""

    def __init__(self, supervised: Supervised, **around: Unpack[Surroundings]) -> None:
        super().__init__(supervised, **around)
        self._desk: Desk = supervised.component
        self._changed: dict[str, dict[int, None]] = {}

    def put(self, ask: SendOffer | WithdrawOffer) -> None:
        """Have an ask carried out; never waits."""
        self.lanes.put(ask.agent, ask)

    def changed(self, agent: str, contact: int) -> None:
        """The agent's own state (contact 0) or one of the agent's contacts has changed."""
        changed = self._changed.get(agent)
        if changed is None:
            changed = self._changed[agent] = {}
            self.lanes.put(agent, UPDATE)
        if contact:
            changed[contact] = None

    def _down(self) -> Sequence[AnyCommand]:
        """A desk that is down has lost all who sit at it."""
        self.lanes.pause()
        name = self.supervised.name
        return [
            LoseAgent(agent=agent.name, desk=name)
            for agent in self._engine.state.agents.values()
            if agent.present and agent.desk == name
        ]

    async def _perform(self, agent: str, ask: DeskAsk) -> None:
        try:
            match ask:
                case SendOffer():
                    await self._offer(ask)
                case WithdrawOffer():
                    await self.supervised.call(
                        self._desk.withdraw,
                        agent,
                        ask.contact,
                        offer=ask.offer,
                        reason=ask.reason,
                        limit_s=CALL_S,
                    )
                case Update():
                    await self._update(agent)
                case _:
                    assert_never(ask)
        except CallFailed as failure:
            self._log.warning("ask_failed", ask=type(ask).__name__, agent=agent, error=failure.reason)
            if isinstance(ask, SendOffer):
                # An agent who can't be offered anything isn't there. Declining in the agent's name
                # instead would let a broken desk swallow every contact of the queue, one by one.
                await self._inbox.submit(LoseAgent(agent=agent, desk=self.supervised.name))

    async def _offer(self, ask: SendOffer) -> None:
        contact = self._engine.state.contacts.get(ask.contact)
        work = contact.works.get(ask.agent) if contact is not None else None
        view = self._engine.view(ask.contact)
        if view is not None and work is not None and work.offer == ask.offer and work.state == "offered":
            await self.supervised.call(
                self._desk.offer, ask.agent, view, offer=ask.offer, expires_ns=ask.expires_ns, limit_s=CALL_S
            )

    async def _update(self, agent: str) -> None:
        changed = self._changed.pop(agent, {})
        view = agent_view(self._engine, agent)
        if view is not None:
            contacts = [one for contact in changed if (one := self._engine.view(contact)) is not None]
            await self.supervised.call(self._desk.update, view, contacts, limit_s=CALL_S)

    async def _signal(self, signal: Signal) -> None:
        contact = self._engine.state.contacts.get(signal.contact)
        for agent in tuple(contact.works) if contact is not None else ():
            known = self._engine.state.agents.get(agent)
            if agent != signal.by and known is not None and known.desk == self.supervised.name:
                await self.supervised.call(self._desk.signal, agent, signal, limit_s=CALL_S)


class Desks:
    """All desks: which agent sits at which, and who is concerned by what has happened."""

    def __init__(self, ports: Mapping[str, DeskPort], engine: RecentEngine) -> None:
        self._ports = ports
        self._engine = engine
        self._last_desk: dict[str, DeskPort] = {}

    def put(self, ask: SendOffer | WithdrawOffer) -> None:
        """Pass an ask to the agent's desk; an agent who has just left is found where the offer was sent."""
        port = self._port(ask.agent)
        if isinstance(ask, WithdrawOffer):
            port = self._last_desk.get(ask.agent, port)
        elif port is not None:
            self._last_desk[ask.agent] = port
        else:
            self._last_desk.pop(ask.agent, None)
        if port is not None:
            port.put(ask)

    def close(self) -> None:
        """Tell the desks nothing more."""
        for port in self._ports.values():
            port.lanes.pause()

    def show(self, records: Sequence[Record]) -> None:
        """Have every agent told who is concerned by these durable records."""
        if self._ports:
            for record in records:
                # Whoever gave the command is told, even when no event names them (a callback postponed).
                if record.events and (agent := getattr(record.command, "agent", "")):
                    self._changed(agent, getattr(record.command, "contact", 0))
                for event in record.events:
                    self._show(event)

    def signal(self, signal: Signal) -> None:
        """Show something fleeting at every desk with an agent in the contact."""
        contact = self._engine.state.contacts.get(signal.contact)
        if contact is not None:
            for port in {
                port.supervised.name: port for agent in contact.works if (port := self._port(agent))
            }.values():
                port.signal(signal)

    def _port(self, agent: str) -> DeskPort | None:
        known = self._engine.state.agents.get(agent)
        return self._ports.get(known.desk) if known is not None else None

    def _show(self, event: AnyEvent) -> None:
        contact: int = getattr(event, "contact", 0)
        agent: str = getattr(event, "agent", "")
        if agent:
            self._changed(agent, contact)
        if contact:
            self._everybody_in(contact, contact)
            self._around(contact)
        match event:
            case ContactTransferred():
                self._changed(event.from_agent, contact)
                self._changed(event.to_agent, contact)
            case ConsultationStarted() | ConsultationEnded():
                self._everybody_in(event.consultation, event.consultation)
                self._everybody_in(event.consultation, contact)
                self._everybody_in(contact, event.consultation)
            case ConfigurationApplied():
                for name in self._engine.state.agents:
                    self._changed(name, 0)
            case _:
                pass

    def _around(self, contact: int) -> None:
        """A consultation concerns whoever asked for it, who has no part in it; and whoever is asked reads
        along what is said in the contact that it is about."""
        live = self._engine.state.contacts.get(contact)
        if live is not None and live.parent:
            self._everybody_in(live.parent, contact)
        if live is not None and live.consultation:
            self._everybody_in(live.consultation, live.consultation)

    def _everybody_in(self, contact: int, changed: int) -> None:
        live = self._engine.state.contacts.get(contact)
        if live is not None:
            for agent in live.works:
                self._changed(agent, changed)

    def _changed(self, agent: str, contact: int) -> None:
        port = self._port(agent)
        if port is None:
            port = self._last_desk.get(agent)  # signed out just now: that is to be told, too
        if port is not None:
            self._last_desk[agent] = port
            port.changed(agent, contact)
