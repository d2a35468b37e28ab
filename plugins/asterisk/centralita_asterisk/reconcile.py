"""After a connection: what the server has and what the engine knows are brought together.

A restart, ours or the server's, may have come between any two steps. Calls that are there go on where they were; customers
whom the engine does not know are admitted, with the time they have waited as credit; what the engine has and the
server has not is over. Nothing is left behind, and nobody is hung up on because of a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from centralita.messages import AbandonContact, EndContact, ReconcileChannel
from centralita.views import ContactView
from centralita_asterisk.ari import Channel, Request
from centralita_asterisk.calls import Call, Leg, LegId, read_leg_id
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.hearing import WORD as SPEECH
from centralita_asterisk.incoming import Incoming
from centralita_asterisk.phones import TALKING, Phones
from centralita_asterisk.rooms import (
    MUTED,
    OVER,
    arrange_soon,
    contact_of_room,
    mute_requests,
    release_requests,
    released,
)
from centralita_asterisk.server import Server

CONTACTS_MAX: Final = 100_000


class _Bridge(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    channels: tuple[str, ...] = ()


class _Variable(msgspec.Struct, frozen=True, kw_only=True):
    value: str = ""


class _Status(msgspec.Struct, frozen=True, kw_only=True):
    startup_time: str


class _Info(msgspec.Struct, frozen=True, kw_only=True):
    status: _Status


class Reconciliation:
    """One look at one server."""

    def __init__(self, exchange: Exchange, incoming: Incoming, phones: Phones, server: Server) -> None:
        self._exchange = exchange
        self._incoming = incoming
        self._phones = phones
        self._server = server

    async def run(self) -> None:
        """Bring everything together. Raises AriError when the server can't be asked."""
        exchange, server = self._exchange, self._server
        # Before the server is asked: whoever comes meanwhile is not thought to have vanished.
        expected = self._live()
        info = msgspec.json.decode(await server.ask("GET", "asterisk/info", {"only": "status"}), type=_Info)
        bridges = msgspec.json.decode(await server.ask("GET", "bridges"), type=list[_Bridge])
        channels = await server.channels()
        self._forget_all()
        await exchange.outside.look(server, [(bridge.id, bridge.channels) for bridge in bridges])
        rooms = {member: bridge.id for bridge in bridges for member in bridge.channels}
        # Of several rooms of one contact the fullest stays.
        for bridge in sorted(bridges, key=lambda bridge: len(bridge.channels)):
            if contact := contact_of_room(server.app, bridge.id):
                server.rooms.add(bridge.id)
                server.room_names[contact] = bridge.id
        ears = [
            bridge.id
            for bridge in bridges
            if bridge.id.startswith((f"{server.app}-ear-", f"{server.app}-{SPEECH}-"))
        ]
        await server.batch([Request("DELETE", f"bridges/{ear}", known=(404,)) for ear in ears])
        handed = exchange.outside.handed(server)
        ours = [channel for channel in channels if channel.id not in handed and self._is_ours(channel)]
        strangers = self._adopt(ours, rooms, expected)
        await self._ask_who_is_muted()
        await self._end_vanished(
            expected, _ns(info.status.startup_time), [call.provider_id for call, _, _ in strangers]
        )
        for call, channel, words in strangers:
            age_s = max(0.0, (exchange.clock.now_ns() - _ns(channel.creationtime)) / 1e9)
            exchange.start(self._admit, call, channel, words, age_s)
        await self._clear(ours)
        for call in exchange.calls:
            if call.server is server and call.contact:
                arrange_soon(exchange, call)

    async def lost(self) -> None:
        """The server has been away for too long: its calls are over."""
        self._forget_all()
        live = self._live()
        here = f"{self._server.name}/"
        self._exchange.given_up |= {
            view.provider_id for view in live.values() if view.provider_id.startswith(here)
        }
        await self._end_vanished(live, self._exchange.clock.now_ns(), ())

    def _live(self) -> dict[int, ContactView]:
        exchange = self._exchange
        return {
            view.id: view
            for view in exchange.switchboard.contacts(limit=CONTACTS_MAX)
            if (view.callback_channel or view.channel) == exchange.name and not view.parent
        }

    def _is_ours(self, channel: Channel) -> bool:
        app = self._server.app
        in_app = channel.dialplan.app_name == "Stasis" and channel.dialplan.app_data.split(",")[0] == app
        ear = channel.id.startswith(f"{app}-{SPEECH}-")
        return in_app or ear or read_leg_id(app, channel.id) is not None

    def _forget_all(self) -> None:
        calls, server = self._exchange.calls, self._server
        for call in calls:
            if call.server is server:
                calls.forget(call)
        for leg in calls.legs:
            if leg.server is server:
                leg.gone(0)
                calls.forget_leg(leg)
        for id, leg in list(calls.dialled.items()):
            if leg.server is server:
                leg.gone(0)
                del calls.dialled[id]
        server.rooms.clear()
        server.room_names.clear()

    def _adopt(
        self, ours: list[Channel], rooms: dict[str, str], expected: dict[int, ContactView]
    ) -> list[tuple[Call, Channel, list[str]]]:
        """Know again what we began and whom the engine knows; returns customers whom it does not, or not as live."""
        exchange, server = self._exchange, self._server
        left = exchange.mailbox.notes(server.name)
        # A channel that came back to us stands under its id and a number.
        by_provider = {view.provider_id.partition("#")[0]: view for view in expected.values()}
        strangers: list[tuple[Call, Channel, list[str]]] = []
        guests: list[tuple[Channel, LegId]] = []
        for channel in ours:
            id = read_leg_id(server.app, channel.id)
            if id is not None and id.kind == "outside":
                guests.append((channel, id))
                continue
            if id is not None:
                self._adopt_leg(channel, id, rooms, expected)
                continue
            words = channel.dialplan.app_data.split(",")[1:]
            if words[:1] == ["agent"]:
                self._adopt_line(channel, rooms)
                continue
            if channel.name.startswith(("Snoop/", "Recorder/", "Announcer/", "UnicastRTP/")):
                continue
            provider_id = f"{server.name}/{channel.id}"
            view = by_provider.get(provider_id)
            note = left.get(channel.id)
            if view is not None:
                call = Call(view.provider_id, server, channel=channel.id, number=channel.caller.number)
                call.answered = channel.state == "Up"
                self._know(call, view, rooms.get(channel.id, ""))
            else:
                call = self._incoming.known(server, channel)
                if note is None:
                    strangers.append((call, channel, words))
            if note is not None:
                call.in_mailbox = True
                exchange.start(exchange.mailbox.go_on, call, note)
        for channel, id in guests:
            if (view := expected.get(id.contact)) is not None:
                room = rooms.get(channel.id, "")
                exchange.outside.adopt(server, id, channel.id, view, up=channel.state == "Up", room=room)
        return strangers

    def _adopt_leg(
        self, channel: Channel, id: LegId, rooms: dict[str, str], expected: dict[int, ContactView]
    ) -> None:
        exchange, server = self._exchange, self._server
        if channel.id.endswith("-far"):
            return  # the other half of a local channel
        if id.kind == "customer":
            view = expected.get(id.contact)
            if view is not None:
                call = Call(
                    view.provider_id, server, channel=channel.id, number=view.callback_handle or view.handle
                )
                call.up = call.answered = channel.state == "Up"
                self._know(call, view, rooms.get(channel.id, ""))
                if not call.up:
                    exchange.calls.dialled[channel.id] = Leg(channel.id, "", server, contact=view.id)
            return
        if id.kind in ("agent", "line"):
            room = rooms.get(channel.id, "")
            contact = self._contact_of(id.agent, id.contact, room)
            leg = Leg(channel.id, id.agent, server, contact=contact, offer=id.offer)
            leg.kept = id.kind == "line"
            leg.room = room
            exchange.calls.add_leg(leg)
            if channel.state == "Up":
                leg.up()

    def _adopt_line(self, channel: Channel, rooms: dict[str, str]) -> None:
        """A phone that has dialled its code and stays off the hook."""
        exchange, server = self._exchange, self._server
        agent = exchange.agent_of_phone(server, channel.name)
        if not agent or not any(desk.persistent for desk in exchange.desks.values()):
            return
        room = rooms.get(channel.id, "")
        leg = Leg(channel.id, agent, server, contact=self._contact_of(agent, 0, room))
        leg.kept = True
        leg.room = room
        exchange.calls.add_leg(leg)
        leg.up()

    def _contact_of(self, agent: str, named: int, room: str) -> int:
        """Whom a leg is for: the contact it was begun for, that of the room it is in, or that of the customer about whom is
        asked there, whichever the agent is in now."""
        in_room = contact_of_room(self._server.app, room)
        asked = self._exchange.view(in_room)
        for contact in (named, in_room, asked.parent if asked is not None else 0):
            view = self._exchange.view(contact)
            if view is not None and any(work.agent == agent for work in view.works):
                return contact
        return named or in_room

    async def _ask_who_is_muted(self) -> None:
        legs = [leg for leg in self._exchange.calls.legs if leg.server is self._server]
        asked = [
            Request("GET", f"channels/{leg.id}/variable", {"variable": MUTED}, known=(404,)) for leg in legs
        ]
        for leg, answer in zip(legs, await self._server.batch(asked), strict=True):
            if answer.status_code != 404:
                leg.muted = bool(msgspec.json.decode(answer.message_body, type=_Variable).value)
        # Our end may have come between a line's leaving its room and its being heard again.
        resting = [leg for leg in legs if leg.muted and not leg.contact]
        await self._server.batch([one for leg in resting for one in mute_requests(leg, on=False)])
        for leg in resting:
            leg.muted = False

    def _know(self, call: Call, view: ContactView, room: str) -> None:
        # Whether music is played to them is nothing that a server tells.
        call.room, call.unsure = room, True
        call.said = max((message.number for message in view.messages), default=0)
        if (child := self._exchange.view(view.consultation)) is not None:
            call.asker = view.agent
            call.colleague = next((work.agent for work in child.works if work.state in TALKING), "")
        self._exchange.calls.add(call)
        self._exchange.calls.is_contact(call, view.id)

    async def _admit(self, call: Call, channel: Channel, words: list[str], age_s: float) -> None:
        await self._incoming.take_in(call, channel, words, found_after_s=age_s)
        self._exchange.given_up.discard(f"{self._server.name}/{channel.id}")

    async def _end_vanished(
        self, expected: dict[int, ContactView], started_ns: int, strangers: Sequence[str]
    ) -> None:
        """Tell the engine of customers who are gone, and of agents who are. Strangers are named as alive, so that those
        whose contact is over are ended or handed on; but for whom we gave up: they begin anew."""
        exchange, server = self._exchange, self._server
        alive = [provider_id for provider_id in strangers if provider_id not in exchange.given_up]
        for view in expected.values():
            call = exchange.calls.by_contact.get(view.id)
            placed = view.direction == "outbound" or bool(view.callback_handle)
            here = call is not None
            at = view.provider_id.partition("/")[0]
            if not placed and at != server.name and at in exchange.servers:
                alive.append(view.provider_id)
            elif here:
                alive.append(view.provider_id)
                await self._agents_gone(view)
            elif placed:
                alive.append(view.provider_id)
                if view.phase in ("connected", "on_hold") and self._all_there():
                    await exchange.submit(EndContact(contact=view.id, by="channel", reason="lost"))
            elif at == server.name and started_ns <= view.arrived_ns:
                # The server has been up all the time, so it was the customer who hung up.
                await exchange.submit(AbandonContact(contact=view.id, reason="hung up unseen"))
        # Whoever has come meanwhile, at another server or to be called, is alive as well.
        alive += [view.provider_id for view in self._live().values() if view.id not in expected]
        alive += [call.provider_id for call in exchange.calls if call.server is not server]
        await exchange.submit(ReconcileChannel(channel=exchange.name, alive=tuple(alive)))

    def _all_there(self) -> bool:
        return all(server.ready or server is self._server for server in self._exchange.servers.values())

    async def _agents_gone(self, view: ContactView) -> None:
        """Agents who hung up while nobody was looking: the same follows as when it is seen."""
        for contact in (view.consultation, view.id):
            its = self._exchange.view(contact)
            for work in its.works if its is not None else ():
                if work.state in TALKING and self._exchange.calls.leg(contact, work.agent) is None:
                    await self._phones.hung_up(work.agent, contact)

    async def _clear(self, ours: list[Channel]) -> None:
        """Hang up what is for a contact that is over; a line that stays off the hook is let go."""
        exchange, server = self._exchange, self._server
        asked: list[Request] = []
        for leg in list(exchange.calls.legs):
            if leg.server is server and leg.kept and leg.contact and self._is_over(leg.contact):
                asked += release_requests(leg)
                released(exchange, leg)
        for channel in ours:
            if channel.id.startswith((f"{server.app}-snoop-", f"{server.app}-{SPEECH}-")):
                asked.append(Request("DELETE", f"channels/{channel.id}", known=(404,)))
            id = read_leg_id(server.app, channel.id)
            if id is None or id.kind == "line" or channel.id.endswith("-far"):
                continue
            known = exchange.calls.leg_on(server, channel.id)
            contact = known.contact if known is not None and known.agent else id.contact
            if id.kind == "ear" or self._is_over(contact):
                asked.append(Request("DELETE", f"channels/{channel.id}", known=(404,)))
        for room in list(server.rooms):
            contact = contact_of_room(server.app, room)
            if self._is_over(contact) or server.room_names.get(contact) != room:
                asked.append(Request("DELETE", f"bridges/{room}", known=(404,)))
                server.rooms.discard(room)
            if self._is_over(contact):
                server.room_names.pop(contact, None)
        await server.batch(asked)

    def _is_over(self, contact: int) -> bool:
        view = self._exchange.view(contact)
        return view is None or view.phase in OVER


def _ns(moment: str) -> int:
    """Asterisk's `2026-11-29T15:54:10.704+0000` as nanoseconds since the epoch."""
    for form in ("%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"):
        try:
            return int(datetime.strptime(moment, form).timestamp() * 1e9)
        except ValueError:
            continue
    return 0
