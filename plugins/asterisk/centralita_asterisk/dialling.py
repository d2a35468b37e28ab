"""Bringing people together: a customer who waits and an agent, an agent and a colleague, an agent and a number.

It refuses to know why. What did not come about is told apart: the agent did not answer (our side: the contact
keeps its place), or the customer did not (busy, no answer, rejected, failed).
"""

from __future__ import annotations

import trio

from centralita.messages import ReportConnection
from centralita.views import ContactView
from centralita_asterisk.ari import AriError, AriRefused, Request, without
from centralita_asterisk.calls import Call, Leg, LegId, cause_words
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.phones import NotReached, Phones
from centralita_asterisk.rooms import arrange
from centralita_asterisk.server import Server
from centralita_asterisk.speaking import speak_to_agent


class Dialling:
    """What `connect` is made of."""

    def __init__(self, exchange: Exchange, phones: Phones) -> None:
        self._exchange = exchange
        self._phones = phones

    def call_of(self, view: ContactView) -> Call | None:
        """The call of a contact; for one that is yet to be dialled, a call with nobody on the line. None when the
        customer's line has gone, or no server is there."""
        exchange = self._exchange
        if view.parent:
            return exchange.calls.by_contact.get(view.parent)
        call = exchange.calls.by_contact.get(view.id)
        if call is None and (view.callback_handle or view.direction == "outbound"):
            server = self._server_for(view)
            if server is not None:
                call = Call(view.provider_id, server, channel="", number=view.callback_handle or view.handle)
                exchange.calls.add(call)
                exchange.calls.is_contact(call, view.id)
        return call

    def _server_for(self, view: ContactView) -> Server | None:
        """Where the call came in, if it is there; else the one with the fewest calls."""
        servers = self._exchange.servers
        own = servers.get(view.provider_id.partition("/")[0])
        if own is not None and own.ready:
            return own
        ready = [server for server in servers.values() if server.ready]
        load = {server.name: 0 for server in ready}
        for call in self._exchange.calls:
            if call.server.name in load:
                load[call.server.name] += 1
        return min(ready, key=lambda server: load[server.name], default=None)

    async def join(self, view: ContactView, agent: str, seconds: float) -> bool:
        """Put the waiting customer (for a consultation: the colleague who asks) and the agent together."""
        exchange = self._exchange
        call = self.call_of(view)
        if call is None or call.gone.is_set():
            return False
        leg = await self._phones.reach(call, view, agent, seconds)
        if view.parent:
            call.colleague = agent
        else:
            whisper = exchange.settings.whisper
            await speak_to_agent(exchange, leg, whisper.get(view.queue) or whisper.get("*") or ())
        if leg.state == "gone":
            raise NotReached("hung up")
        await arrange(exchange, call, joining=leg)
        return not call.gone.is_set()

    async def dial(self, view: ContactView, agent: str, number: str, seconds: float) -> None:
        """Reach the agent, then the number; say how it went."""
        exchange = self._exchange
        call = self.call_of(view)
        report = ReportConnection(contact=view.id, agent=agent, made=False, reason="no server")
        if call is not None:
            with trio.CancelScope() as call.dialling:
                try:
                    report = await self._dial(call, view, agent, number, seconds)
                except NotReached as error:
                    report = ReportConnection(
                        contact=view.id, agent=agent, made=False, reason=f"agent: {error}"
                    )
                except AriError as error:
                    exchange.log.warning("dialling_failed", contact=view.id, error=str(error))
                    report = ReportConnection(contact=view.id, agent=agent, made=False, reason="failed")
                    await self._give_up(call)
        await exchange.submit(report)

    async def _give_up(self, call: Call) -> None:
        """A number that was to be called by a server which fell silent is not called after all, should the server hear
        of it later."""
        exchange = self._exchange
        leg = exchange.calls.dialled.get(call.channel)
        if leg is not None and leg.state == "ringing":
            del exchange.calls.dialled[leg.id]
            exchange.calls.has_channel(call, "")
            await exchange.end(call.server, [Request("DELETE", f"channels/{leg.id}", known=(404,))])

    async def _dial(
        self, call: Call, view: ContactView, agent: str, number: str, seconds: float
    ) -> ReportConnection:
        exchange = self._exchange
        leg = await self._phones.reach(call, view, agent, seconds)
        customer = exchange.calls.dialled.get(call.channel)
        if customer is None:
            if (line_is_free := exchange.goodbyes.get(view.id)) is not None:
                # Called now they would be busy, with being told that they will be called.
                await _first_of(line_is_free, leg.ended)
            if leg.state == "gone":
                raise NotReached("hung up")
            customer = await self._begin(call, view, number, seconds)
        ringback = f"{exchange.settings.app}-say-{exchange.next_number()}"
        await call.server.ask(
            "POST", f"channels/{leg.id}/play/{ringback}", {"media": "tone:ring"}, known=(404,)
        )
        await _first_of(customer.settled, leg.ended)
        await call.server.ask("DELETE", f"playbacks/{ringback}", known=(404,))
        if customer.state == "ringing":
            # Nobody is rung for an agent who has put down: they would answer to silence.
            await self._give_up(call)
            raise NotReached("hung up")
        exchange.calls.dialled.pop(customer.id, None)
        if customer.state == "gone":
            exchange.calls.has_channel(call, "")
            words = cause_words(customer.cause)
            return ReportConnection(
                contact=view.id, agent=agent, made=False, customer_gone=True, reason=words
            )
        if leg.state == "gone":
            raise NotReached("hung up")
        await arrange(exchange, call, joining=leg)
        return ReportConnection(contact=view.id, agent=agent, made=True)

    async def _begin(self, call: Call, view: ContactView, number: str, seconds: float) -> Leg:
        exchange = self._exchange
        id = LegId(kind="customer", contact=view.id, offer=0, number=exchange.next_number(), agent="")
        leg = Leg(id.text(exchange.settings.app), "", call.server, contact=view.id)
        exchange.calls.dialled[leg.id] = leg
        exchange.calls.has_channel(call, leg.id)
        query = without(
            {
                "endpoint": call.server.outside(number),
                "app": call.server.app,
                "appArgs": "customer",
                "channelId": leg.id,
                "otherChannelId": f"{leg.id}-far",
                "callerId": exchange.settings.caller_id,
                "timeout": str(max(1, round(min(seconds, exchange.settings.dial_s)))),
            }
        )
        try:
            await call.server.batch([Request("POST", "channels", query)])
        except AriRefused:
            leg.gone(3)
        return leg


async def _first_of(*events: trio.Event) -> None:
    """Wait for whichever comes first."""
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in events:
            nursery.start_soon(wait, event)
