"""What the engine asks of channels, carried out: one port for each channel, one lane for each contact.

It refuses to know why something is asked. Asks of one contact are carried out in their order, those of
different contacts side by side, and no channel waits for another. An ask that time has overtaken (the
offer was withdrawn, the contact has gone) is left out: the state says what is still wanted.
"""

from __future__ import annotations

from typing import Any, Final, Unpack, assert_never

import trio

from centralita.asks import undelivered_from
from centralita.errors import ControlRefused, EngineStopped
from centralita.messages import (
    AnnounceWait,
    ConnectContact,
    DeliverMessage,
    DisconnectContact,
    ForwardContact,
    JoinAgent,
    PartAgent,
    ReportConnection,
    ReportDelivery,
    SetHold,
)
from centralita.protocols import Announcement, CanForward, Channel, HasControls, Outgoing, Signal
from centralita.runner.ports import Port, Surroundings
from centralita.runner.supervise import CallFailed, Supervised

ChannelAsk = (
    ConnectContact
    | DisconnectContact
    | SetHold
    | ForwardContact
    | JoinAgent
    | PartAgent
    | DeliverMessage
    | AnnounceWait
)

CALL_S: Final = 10.0
"""How long a channel may take over anything but connecting, which has its queue's `connect_s`."""

CONNECT_S: Final = 30.0
"""The same for connecting a contact that stands in no queue."""

RETRY_FIRST_S: Final = 0.5
RETRY_LONGEST_S: Final = 30.0
TRIES_AFTER_END_MAX: Final = 4
"""How often a message, a handing on or a goodbye is tried once the contact is over; a message is tried again at
the next start."""
REPORTS_AT_ONCE_MAX: Final = 1_000
"""So many contacts at most are reported together as not reached when a channel goes down."""


class ChannelPort(Port[int, ChannelAsk]):
    """One channel as the asks see it."""

    def __init__(self, supervised: Supervised, **around: Unpack[Surroundings]) -> None:
        super().__init__(supervised, **around)
        self._channel: Channel = supervised.component
        self._connecting: dict[int, trio.CancelScope] = {}
        self._failures: dict[int, tuple[int, int]] = {}
        self._is_down = False

    def put(self, ask: ChannelAsk) -> None:
        """Have an ask carried out; never waits."""
        if isinstance(ask, DisconnectContact) and (connecting := self._connecting.get(ask.contact)):
            # Nobody is to be connected any more: what rings stops ringing now.
            connecting.cancel()
        if isinstance(ask, AnnounceWait) and isinstance(self.lanes.last(ask.contact), AnnounceWait):
            self.lanes.replace_last(ask.contact, ask)
        else:
            self.lanes.put(ask.contact, ask)
            if self._is_down and isinstance(ask, DeliverMessage):
                self._tasks.start_soon(self._report_undelivered, [ask])

    async def control(self, contact: int, *, by: str, word: str, value: str) -> dict[str, Any]:
        """Have one of the channel's controls done. Raises ControlRefused."""
        view = self._engine.view(contact)
        channel = self._channel
        if view is None or not isinstance(channel, HasControls):
            raise ControlRefused("unknown_contact", f"contact {contact} is not live")
        refused: list[ControlRefused] = []

        async def attempt() -> dict[str, Any]:
            try:
                return await channel.control(view, by=by, word=word, value=value)
            except ControlRefused as error:
                refused.append(error)  # no fault of the channel's
                return {}

        try:
            result: dict[str, Any] = await self.supervised.call(attempt, limit_s=CALL_S)
        except CallFailed as failure:
            raise ControlRefused("failed", f"{word} failed: {failure.reason}") from None
        if refused:
            raise refused[0]
        return result

    def _up(self) -> None:
        self._is_down = False
        super()._up()

    def _down(self) -> tuple[()]:
        self._is_down = True
        self.lanes.pause()
        first: dict[int, DeliverMessage] = {}
        for ask in self.lanes.waiting():
            if isinstance(ask, DeliverMessage):
                first.setdefault(ask.contact, ask)
        if first:
            self._tasks.start_soon(self._report_undelivered, list(first.values()))
        return ()

    async def _perform(self, contact: int, ask: ChannelAsk) -> float | None:
        try:
            await self._carry_out(ask)
        except CallFailed as failure:
            if isinstance(ask, DeliverMessage):
                await self._report_delivery(ask, made=False)
            return self._after_failure(ask, failure)
        self._failures.pop(contact, None)
        if isinstance(ask, DeliverMessage):
            await self._report_delivery(ask, made=True)
        return None

    async def _report_delivery(self, ask: DeliverMessage, *, made: bool) -> None:
        """Have a failure known beyond a crash, and its end; what succeeds at once is worth no record."""
        if made == (0 < undelivered_from(self._engine.state, ask.contact) <= ask.number):
            await self._inbox.submit(_delivery(ask, made=made))

    async def _report_undelivered(self, waiting: list[DeliverMessage]) -> None:
        """The same for what is not even tried, because the channel is down."""
        state = self._engine.state
        reports = [_delivery(ask, made=False) for ask in waiting if not undelivered_from(state, ask.contact)]
        try:
            for place in range(0, len(reports), REPORTS_AT_ONCE_MAX):
                await self._inbox.submit_all(reports[place : place + REPORTS_AT_ONCE_MAX])
        except EngineStopped:
            pass  # the next start asks again what is recent

    async def _carry_out(self, ask: ChannelAsk) -> None:
        channel, call = self._channel, self.supervised.call
        where = (ask.contact, ask.provider_id)
        if not channel.capabilities.consult and self._engine.parent_of(ask.contact):
            # Two agents at their desks are together as soon as the second has accepted.
            if isinstance(ask, ConnectContact):
                await self._inbox.submit(ReportConnection(contact=ask.contact, agent=ask.agent, made=True))
            return
        match ask:
            case DeliverMessage():
                await call(channel.send, self._outgoing(ask), limit_s=CALL_S)
            case ConnectContact():
                await self._connect(ask)
            case DisconnectContact():
                await call(channel.disconnect, *where, reason=ask.reason, limit_s=CALL_S)
            case SetHold():
                if channel.capabilities.hold:
                    await call(channel.hold, *where, on=ask.on, limit_s=CALL_S)
            case ForwardContact():
                assert isinstance(channel, CanForward)
                await call(channel.forward, *where, number=ask.number, limit_s=CALL_S)
            case JoinAgent():
                await call(channel.join, *where, agent=ask.agent, limit_s=CALL_S)
            case PartAgent():
                await call(channel.part, *where, agent=ask.agent, limit_s=CALL_S)
            case AnnounceWait():
                if channel.capabilities.announce and self._phase(ask.contact) == "waiting":
                    await call(channel.announce, _announcement(ask), limit_s=CALL_S)
            case _:
                assert_never(ask)

    def _after_failure(self, ask: ChannelAsk, failure: CallFailed) -> float | None:
        """Seconds until the same is tried again, or None: it is given up."""
        tries, tries_after_end = self._failures.get(ask.contact, (0, 0))
        tries += 1
        lives = isinstance(ask, DeliverMessage) and self._phase(ask.contact) != ""
        tries_after_end += not lives
        again = lives or (
            isinstance(ask, DeliverMessage | DisconnectContact | ForwardContact)
            and tries_after_end < TRIES_AFTER_END_MAX
        )
        wait_s = min(RETRY_FIRST_S * 2.0 ** min(tries - 1, 16), RETRY_LONGEST_S) if again else None
        self._log.warning(
            "ask_failed",
            ask=type(ask).__name__,
            contact=ask.contact,
            error=failure.reason,
            tries=tries,
            again_in_s=wait_s,
        )
        if again:
            self._failures[ask.contact] = (tries, tries_after_end)
        else:
            self._failures.pop(ask.contact, None)
        return wait_s

    async def _connect(self, ask: ConnectContact) -> None:
        """Connect, and report how it went; whatever goes wrong is reported too."""
        contact = self._engine.state.contacts.get(ask.contact)
        work = contact.works.get(ask.agent) if contact is not None else None
        view = self._engine.view(ask.contact)
        if contact is None or view is None or work is None or work.state != "connecting":
            return
        rules = self._engine.state.config.queues.get(contact.queue)
        limit_s = rules.connect_s if rules is not None else CONNECT_S
        scope = self._connecting[ask.contact] = trio.CancelScope()
        try:
            made = await self.supervised.call(
                self._channel.connect,
                view,
                agent=ask.agent,
                callback_handle=ask.callback_handle,
                limit_s=limit_s,
                scope=scope,
            )
            if made is None:
                return  # the agent reaches them by hand, and says how it went
            report = self._report(ask, made)
        except CallFailed as failure:
            # Interrupted by the goodbye it is of no interest any more, and the engine says so.
            self._log.warning("connection_failed", contact=ask.contact, error=failure.reason)
            report = ReportConnection(contact=ask.contact, agent=ask.agent, made=False, reason=failure.reason)
        finally:
            del self._connecting[ask.contact]
        await self._inbox.submit(report)

    def _report(self, ask: ConnectContact, made: object) -> ReportConnection:
        if not isinstance(made, bool):
            raise CallFailed(f"connect returned a {type(made).__name__}; must be True, False or None")
        return ReportConnection(contact=ask.contact, agent=ask.agent, made=made, customer_gone=not made)

    def _outgoing(self, ask: DeliverMessage) -> Outgoing:
        agent = self._engine.state.config.agents.get(ask.author_id) if ask.author == "agent" else None
        return Outgoing(
            contact=ask.contact,
            provider_id=ask.provider_id,
            number=ask.number,
            author=ask.author,
            author_id=ask.author_id,
            author_title=(agent.title if agent is not None else "") or ask.author_id,
            text=ask.text,
            attachments=ask.attachments,
        )

    def _phase(self, contact: int) -> str:
        """The phase of a live contact; empty when it is over."""
        live = self._engine.state.contacts.get(contact)
        return live.phase if live is not None else ""

    async def _signal(self, signal: Signal) -> None:
        contact = self._engine.state.contacts.get(signal.contact)
        if contact is not None:
            await self.supervised.call(self._channel.signal, signal, contact.provider_id, limit_s=CALL_S)


def _delivery(ask: DeliverMessage, *, made: bool) -> ReportDelivery:
    return ReportDelivery(contact=ask.contact, number=ask.number, made=made)


def _announcement(ask: AnnounceWait) -> Announcement:
    return Announcement(
        contact=ask.contact,
        provider_id=ask.provider_id,
        position=ask.position,
        low_s=ask.low_s,
        high_s=ask.high_s,
    )
