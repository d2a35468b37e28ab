"""Somebody outside who is asked into a conversation: rung for an agent, then with the customer, or in the agent's place.

The engine knows nothing of them. To it the customer is on hold while the agent asks, talks again when all three do, and is
handed on to a number at the end, as without asking first. Here they are a leg in the contact's room and of no contact.

Two who were handed on to each other are in a bridge that no contact has, `APP-handed-…`. The bridge is all there is to know
of them: whoever is left in one alone is hung up on, at once or by the next life.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import trio

from centralita.errors import ControlRefused
from centralita.messages import HoldContact, ResumeContact
from centralita.views import ContactView
from centralita_asterisk.ari import AriError, AriRefused, Request, without
from centralita_asterisk.calls import Call, Leg, LegId, cause_words
from centralita_asterisk.exchange import END_S, Exchange
from centralita_asterisk.rooms import room_of
from centralita_asterisk.server import Server

NUMBERS: Final = str.maketrans("+*#", "PSH")
"""A number as part of a channel's id, which stands in addresses."""
BACK: Final = str.maketrans("PSH", "+*#")


class Guest:
    """One of them."""

    def __init__(self, call: Call, agent: str, number: str, leg: Leg) -> None:
        self.call = call
        self.contact = call.contact
        self.agent = agent
        """Who asked."""
        self.number = number
        self.leg = leg
        self.over = trio.Event()
        """They have left, and the agent has been given the customer back."""


class Outside:
    """Those of one channel."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._guests: dict[int, Guest] = {}
        self._reasons: dict[int, str] = {}
        self._handed: dict[tuple[str, str], str] = {}
        """The bridge of each channel that was handed on."""

    def standing(self, contact: int) -> str:
        """`ringing`, `talking`, why the last one did not come about, or empty."""
        guest = self._guests.get(contact)
        if guest is None:
            return self._reasons.get(contact, "")
        return "talking" if guest.leg.room else "ringing"

    def number(self, contact: int) -> str:
        """Who talks in the contact's room; empty when nobody does."""
        guest = self._guests.get(contact)
        return guest.number if guest is not None and guest.leg.room and guest.leg.state == "up" else ""

    async def call(self, call: Call, view: ContactView, agent: str, number: str) -> None:
        """Ring a number for an agent; the customer hears music meanwhile. Raises ControlRefused, AriError."""
        exchange = self._exchange
        if view.id in self._guests:
            raise ControlRefused("already", f"{self._guests[view.id].number} has been called already")
        if view.phase == "connected":
            held = await exchange.submit(HoldContact(contact=view.id, agent=agent))
            if held is not None and held.refusal is not None:
                raise ControlRefused(held.refusal.code, held.refusal.message)
        id = LegId(
            kind="outside",
            contact=view.id,
            offer=0,
            number=exchange.next_number(),
            agent=number.translate(NUMBERS),
        )
        leg = Leg(id.text(exchange.settings.app), "", call.server, contact=0)
        leg.taken = True
        exchange.calls.add_leg(leg)
        guest = self._guests[view.id] = Guest(call, agent, number, leg)
        query = without(
            {
                "endpoint": call.server.outside(number),
                "app": call.server.app,
                "appArgs": "leg",
                "channelId": leg.id,
                "callerId": exchange.settings.caller_id,
                "timeout": str(round(exchange.settings.dial_s)),
            }
        )
        exchange.start(self._follow, guest)
        try:
            await call.server.batch([Request("POST", "channels", query)])
        except AriRefused:
            leg.gone(3)
        except AriError:
            # Told as failed: nobody is rung for it when the server hears of it later.
            leg.gone(0)
            await exchange.end(call.server, [_hang_up(leg.id)])
            raise

    async def drop(self, contact: int) -> None:
        """Let them go; the customer is given back to the agent."""
        if (guest := self._guests.get(contact)) is not None:
            await self._exchange.end(guest.leg.server, [_hang_up(guest.leg.id)])
            with trio.move_on_after(END_S):
                await guest.over.wait()

    def adopt(
        self, server: Server, id: LegId, channel: str, view: ContactView, *, up: bool, room: str
    ) -> None:
        """Know again whom another life of ours has rung."""
        call = self._exchange.calls.by_contact.get(view.id)
        if call is None:
            return
        leg = Leg(channel, "", server, contact=0)
        leg.taken, leg.room = True, room
        self._exchange.calls.add_leg(leg)
        if up:
            leg.up()
        guest = self._guests[view.id] = Guest(call, view.agent, id.agent.translate(BACK), leg)
        self._exchange.start(self._follow, guest)

    async def _follow(self, guest: Guest) -> None:
        """From the ringing to their leaving."""
        exchange, leg, server = self._exchange, guest.leg, guest.call.server
        room = room_of(exchange, server, guest.contact)
        if leg.state == "ringing":
            ringback = f"{exchange.settings.app}-say-{exchange.next_number()}"
            tone = {"media": "tone:ring"}
            try:
                await server.batch(
                    [Request("POST", f"bridges/{room}/play/{ringback}", tone, known=(404, 409))]
                )
            except AriError as error:
                # Not asked again: it could then come after its end, which it does not have by itself.
                exchange.log.warning("asterisk_request_failed", doing="ring_back", error=str(error))
            await leg.settled.wait()
            await exchange.end(server, [Request("DELETE", f"playbacks/{ringback}", known=(404,))])
        self._reasons.pop(guest.contact, None)
        if leg.state == "up":
            try:
                if leg.room != room:
                    await server.batch([Request("POST", f"bridges/{room}/addChannel", {"channel": leg.id})])
                    leg.room = room
                await leg.ended.wait()
            except AriError as error:
                exchange.log.warning("asterisk_request_failed", doing="call_number", error=str(error))
                await exchange.end(server, [_hang_up(leg.id)])
        else:
            self._reasons[guest.contact] = cause_words(leg.cause)
        exchange.calls.forget_leg(leg)
        if self._guests.get(guest.contact) is guest:
            del self._guests[guest.contact]
            await self._give_back(guest)
        guest.over.set()

    async def _give_back(self, guest: Guest) -> None:
        view = self._exchange.view(guest.contact)
        if view is not None and view.phase == "on_hold":
            await self._exchange.submit(ResumeContact(contact=guest.contact, agent=guest.agent))

    async def over(self, contact: int) -> None:
        """The agent who asked is gone, or the contact is over."""
        self._reasons.pop(contact, None)
        if (guest := self._guests.pop(contact, None)) is not None:
            await self._exchange.end(guest.leg.server, [_hang_up(guest.leg.id)])

    # Handed on

    async def hand_on(self, call: Call, contact: int, number: str) -> bool:
        """Leave the customer to them, if they are the number; False when they are not, or not any more."""
        guest = self._guests.get(contact)
        if guest is None or self.number(contact) != number:
            return False
        del self._guests[contact]
        exchange, server, leg = self._exchange, call.server, guest.leg
        bridge = f"{exchange.settings.app}-handed-{contact}-{exchange.next_number()}"
        self._know(server, bridge, (call.channel, leg.id))
        exchange.calls.forget_leg(leg)
        try:
            await server.batch(
                [
                    Request("DELETE", f"channels/{call.channel}/moh", known=(404,)),
                    Request("POST", "bridges", {"type": "mixing", "bridgeId": bridge}),
                    Request("POST", f"bridges/{bridge}/addChannel", {"channel": f"{call.channel},{leg.id}"}),
                ]
            )
        except AriRefused:
            # One of them has just gone, and the other is ended for it.
            exchange.log.info("handed_on_too_late", contact=contact)
        return True

    async def left(self, server: Server, channel: str) -> None:
        """A channel is over: whoever it was handed on to goes too."""
        bridge = self._handed.pop((server.name, channel), "")
        if bridge:
            await self._close(server, bridge)

    def handed(self, server: Server) -> set[str]:
        """The channels that are left to each other."""
        return {channel for name, channel in self._handed if name == server.name}

    async def look(self, server: Server, bridges: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """After a connection: forget who was asked in, until they are found; know those again who are left to each other,
        and end who is left alone."""
        for contact, guest in list(self._guests.items()):
            if guest.leg.server is server:
                del self._guests[contact]
        for name, channel in [place for place in self._handed if place[0] == server.name]:
            del self._handed[name, channel]
        for bridge, channels in bridges:
            if bridge.startswith(f"{server.app}-handed-"):
                self._know(server, bridge, channels)
                if len(channels) < 2:
                    await self._close(server, bridge)

    def _know(self, server: Server, bridge: str, channels: Iterable[str]) -> None:
        self._handed.update({(server.name, channel): bridge for channel in channels})

    async def _close(self, server: Server, bridge: str) -> None:
        others = [place for place, its in self._handed.items() if its == bridge]
        for place in others:
            del self._handed[place]
        asked = [_hang_up(channel) for _, channel in others]
        await self._exchange.end(server, [*asked, Request("DELETE", f"bridges/{bridge}", known=(404,))])


def _hang_up(channel: str) -> Request:
    return Request("DELETE", f"channels/{channel}", known=(404,))
