"""Agents' telephones: rung, answered, refused, let go, and what they do besides.

Ringing a phone is the offer, and answering accepts; a phone that is off the hook between calls accepts after a tone.
Whether an offer still stands is the engine's to say: what this module tells may come too late, and is then undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import trio

from centralita.errors import CentralitaError
from centralita.messages import (
    AnswerOffer,
    EndConsultation,
    EndContact,
    LeaveContact,
    LoseAgent,
    SignOut,
    Target,
    TransferContact,
)
from centralita.views import ContactView
from centralita_asterisk.ari import AriError, AriRefused, Request, without
from centralita_asterisk.calls import Call, Leg, cause_words
from centralita_asterisk.devices import has_left
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.rooms import released
from centralita_asterisk.server import Server
from centralita_asterisk.speaking import speak_to_agent

RING_TRY_S = 6.0
"""How long a server that does not answer is asked to ring for an offer; then somebody else's turn has come."""
AWAY = "server away"
RING_EXTRA_S = 2
"""Asterisk gives up ringing so long after the engine would, in case the engine can't tell it to stop."""
TALKING = ("connected", "held")


class NotReached(CentralitaError):
    """A phone that did not answer; the words say why."""


class Phones:
    """What is done with agents' legs."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def offer(self, call: Call, view: ContactView, agent: str, offer: int, seconds: float) -> None:
        """Ring with an offer; one that rings already is left alone."""
        exchange = self._exchange
        if self._rings_with(view.id, agent, offer):
            return
        if await self._wait_for_line(agent, call.server, seconds) and not self._still_offered(
            view.id, agent, offer
        ):
            return
        kept = exchange.calls.kept_leg(agent, call.server)
        if kept is not None:
            await self._offer_kept(kept, view, offer)
            return
        leg = exchange.new_leg(call.server, agent, contact=view.id, offer=offer)
        try:
            with trio.move_on_after(min(RING_TRY_S, seconds)):
                await exchange.insist(
                    partial(self._ring, leg, view, seconds, headers={}),
                    lambda: leg.state == "ringing",
                    "ring",
                )
                return
        except AriRefused:
            # The server knows no way to the phone: it is not registered, or there is no such phone.
            await self._not_answered(leg, 20)
            return
        if leg.state == "ringing":
            # The leg stays known: what the server still does with the request is undone when it answers.
            await exchange.submit(
                AnswerOffer(contact=view.id, agent=agent, offer=offer, accept=False, reason=AWAY)
            )

    async def reach(self, call: Call, view: ContactView, agent: str, seconds: float) -> Leg:
        """The agent's leg, answered: the one that rings or talks already, or a new one. Raises NotReached."""
        exchange = self._exchange
        leg = exchange.calls.leg(view.id, agent)
        if leg is None and exchange.calls.put_down.get(view.id) == agent:
            raise NotReached("hung up")
        if leg is None:
            await self._wait_for_line(agent, call.server, seconds)
            leg = exchange.calls.leg(view.id, agent) or exchange.calls.kept_leg(agent, call.server)
        if leg is None:
            leg = exchange.new_leg(call.server, agent, contact=view.id)
            leg.taken = True
            name, _, value = exchange.settings.auto_answer_header.partition(":")
            headers = {f"PJSIP_HEADER(add,{name})": value.strip()} if exchange.settings.auto_answer else {}
            try:
                await self._ring(leg, view, seconds, headers=headers)
            except AriRefused:
                released(exchange, leg)
                raise NotReached("unreachable") from None
        elif leg.contact != view.id:
            exchange.calls.move_leg(leg, view.id)
        leg.taken = True
        await leg.settled.wait()
        if leg.state == "gone":
            raise NotReached(cause_words(leg.cause))
        return leg

    async def _wait_for_line(self, agent: str, server: Server, seconds: float) -> bool:
        """Wait while the agent's phone rings to be off the hook from now on, `seconds` at most: a call that came at that
        moment would ring it a second time. Returns whether there was anything to wait for."""
        sitting = self._exchange.switchboard.agent(agent)
        desk = self._exchange.desks.get(sitting.desk) if sitting is not None else None
        if desk is not None and desk.persistent and not self._exchange.calls.has_line(agent, server):
            await self.keep(agent)
        line = self._exchange.calls.ringing_line(agent, server)
        if line is None:
            return False
        with trio.move_on_after(seconds):
            await line.settled.wait()
        return True

    def _rings_with(self, contact: int, agent: str, offer: int) -> bool:
        leg = self._exchange.calls.leg(contact, agent)
        return leg is not None and leg.offer == offer

    def _still_offered(self, contact: int, agent: str, offer: int) -> bool:
        view = self._exchange.view(contact)
        works = view.works if view is not None else ()
        offered = any(
            work.agent == agent and work.offer == offer and work.state == "offered" for work in works
        )
        return offered and not self._rings_with(contact, agent, offer)

    def _works(self, agent: str, contact: int) -> str:
        """What an agent does in a contact; empty when nothing."""
        view = self._exchange.view(contact)
        works = view.works if view is not None else ()
        return next((work.state for work in works if work.agent == agent), "")

    async def keep(self, agent: str) -> None:
        """Ring a phone that is to stay off the hook from now on, on every server."""
        exchange = self._exchange
        for server in exchange.servers.values():
            if not server.ready or exchange.calls.has_line(agent, server):
                continue
            leg = exchange.new_leg(server, agent, contact=0, kind="line")
            try:
                await self._originate(leg, "", 60, {})
            except AriError as error:
                exchange.calls.forget_leg(leg)
                exchange.log.warning("phone_not_reached", agent=agent, error=str(error))

    async def _ring(self, leg: Leg, view: ContactView, seconds: float, *, headers: Mapping[str, str]) -> None:
        if not leg.server.looked:
            raise AriError(f"Asterisk {leg.server.name} has not been looked at yet")
        name = (view.customer.name if view.customer is not None else "") or view.customer_name
        number = view.callback_handle or view.handle
        caller = f"{_plain(name)} <{_plain(number)}>" if number else _plain(name)
        await self._originate(leg, caller, seconds + RING_EXTRA_S, headers)

    async def _originate(self, leg: Leg, caller: str, seconds: float, headers: Mapping[str, str]) -> None:
        query = without(
            {
                "endpoint": leg.server.phone(leg.agent),
                "app": leg.server.app,
                "appArgs": "leg",
                "channelId": leg.id,
                "otherChannelId": f"{leg.id}-far",
                "callerId": caller,
                "timeout": str(max(1, round(seconds))),
            }
        )
        body = {"variables": dict(headers)} if headers else None
        # Asked again after a silence: it may be ringing already.
        await leg.server.batch([Request("POST", "channels", query, body, known=(409,))])

    async def _offer_kept(self, leg: Leg, view: ContactView, offer: int) -> None:
        exchange = self._exchange
        exchange.calls.move_leg(leg, view.id)
        leg.offer = offer
        leg.taken = True
        desk = exchange.switchboard.agent(leg.agent)
        settings = exchange.desks.get(desk.desk) if desk is not None else None
        if settings is not None and settings.tone:
            # Heard while the engine decides, so it costs the customer nothing.
            exchange.start(speak_to_agent, exchange, leg, settings.tone)
        await exchange.submit(
            AnswerOffer(contact=view.id, agent=leg.agent, offer=offer, accept=True, reason="off the hook")
        )

    # What the server tells

    async def answered(self, leg: Leg) -> None:
        """The agent has picked up: that accepts."""
        exchange = self._exchange
        if leg.taken or not leg.offer:
            return
        leg.taken = True
        call = exchange.calls.by_contact.get(leg.contact)
        if call is not None and call.up and not call.answered and leg.contact == call.contact:
            # Who hears it ring is answered while the engine decides: somebody has picked up, and that is half a
            # millisecond less before they speak. Requests keep their order, so it is done before they are joined.
            call.answered = True
            exchange.start(self._pick_up, call)
        outcome = await exchange.submit(
            AnswerOffer(contact=leg.contact, agent=leg.agent, offer=leg.offer, accept=True)
        )
        if outcome is not None and outcome.refusal is not None:
            # Too late, or accepted at another desk a moment ago, in which case the leg is wanted.
            await self._let_go_unless_wanted(leg)

    async def _pick_up(self, call: Call) -> None:
        exchange = self._exchange
        await exchange.insist(
            lambda: call.server.ask("POST", f"channels/{call.channel}/answer", known=(404, 409, 412)),
            lambda: call.up and not call.gone.is_set(),
            "answer",
        )

    async def _let_go_unless_wanted(self, leg: Leg) -> None:
        if self._works(leg.agent, leg.contact) not in ("connecting", *TALKING):
            await self._exchange.end(leg.server, [Request("DELETE", f"channels/{leg.id}", known=(404,))])

    async def ended(self, leg: Leg, cause: int) -> None:
        """A leg is over: refused, or hung up."""
        exchange = self._exchange
        rang = leg.state == "ringing"
        contact = leg.contact
        leg.gone(cause)
        exchange.calls.forget_leg(leg)
        if leg.kept:
            await self._line_lost(leg)
        has_left(exchange, leg)
        if not contact:
            return
        if rang:
            await self._not_answered(leg, cause)
        else:
            if self._works(leg.agent, contact) in ("offered", "connecting"):
                exchange.calls.put_down[contact] = leg.agent
            await self.hung_up(leg.agent, contact)

    async def _not_answered(self, leg: Leg, cause: int) -> None:
        exchange = self._exchange
        exchange.calls.forget_leg(leg)
        leg.gone(cause)
        if not leg.offer or leg.taken:
            return  # whoever waits for it says so
        words = cause_words(cause)
        if words == "no answer":
            return  # the engine's own time for the offer decides that
        agent = exchange.switchboard.agent(leg.agent)
        if (
            words == "unreachable"
            and agent is not None
            and agent.desk in exchange.desks
            and not self._is_elsewhere(leg)
        ):
            await exchange.submit(LoseAgent(agent=leg.agent, desk=agent.desk))
            return
        await exchange.submit(
            AnswerOffer(contact=leg.contact, agent=leg.agent, offer=leg.offer, accept=False, reason=words)
        )

    def _is_elsewhere(self, leg: Leg) -> bool:
        """Whether another server can ring the agent, whom this one can't."""
        exchange = self._exchange
        return any(
            server.ready and exchange.devices.there(server.name, server.phone(leg.agent))
            for server in exchange.servers.values()
            if server is not leg.server
        )

    async def _line_lost(self, leg: Leg) -> None:
        agent = self._exchange.switchboard.agent(leg.agent)
        talking = self._works(leg.agent, leg.contact) in TALKING
        # In a conversation putting down ends that; at any other moment it is leaving.
        if agent is not None and agent.desk in self._exchange.desks and not talking:
            await self._exchange.submit(SignOut(agent=leg.agent, by="phone"))

    async def connected(self, contact: int, agent: str) -> None:
        """The engine takes them for together: unless the phone was put down before it did, which told it nothing."""
        if self._exchange.calls.leg(contact, agent) is None:
            await self.hung_up(agent, contact)

    async def hung_up(self, agent: str, contact: int) -> None:
        """An agent who talked has put down: they leave, or it is over; between two others, those are left to each other."""
        exchange = self._exchange
        view = exchange.view(contact)
        work = next((work for work in view.works if work.agent == agent), None) if view is not None else None
        if view is None or work is None or work.state not in TALKING:
            return
        if number := exchange.outside.number(contact):
            # As on any telephone: whoever puts down between two others leaves them to each other.
            handed = await exchange.submit(
                TransferContact(contact=contact, agent=agent, target=Target(number=number))
            )
            if handed is not None and handed.refusal is None:
                return
        others = [one for one in view.works if one.agent != agent and one.state in TALKING]
        call = exchange.calls.by_contact.get(contact)
        if call is not None and view.consultation and agent == call.asker and call.colleague and not others:
            # As on any telephone: whoever puts down between two others leaves them to each other.
            done = await exchange.submit(EndConsultation(contact=contact, agent=agent, then="transfer"))
            if done is not None and done.refusal is None:
                return
        if others:
            await exchange.submit(LeaveContact(contact=contact, agent=agent))
        else:
            await exchange.submit(EndContact(contact=contact, by=agent, reason="hung up"))


def _plain(text: str) -> str:
    """A caller's name or number as a header may hold it."""
    return "".join(letter for letter in text if letter.isprintable() and letter not in '"<>\\')[:80]
