"""The channel of type `asterisk`, as the engine meets it.

It passes things on: customers to `incoming.py`, agents' phones to `phones.py`, bringing together to `dialling.py`, who hears
whom to `rooms.py`; what the servers tell is for `server_events.py`. It never waits for a person itself but where the
engine's limit says so.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

import trio

from centralita.errors import ConfigurationError, reason
from centralita.messages import (
    AgentOccupied,
    AgentReleased,
    AgentReturned,
    AgentSignedIn,
    AnyEvent,
    CallbackRequested,
    ConfigurationApplied,
    ConsultationEnded,
    ConsultationStarted,
    ContactAdmitted,
    ContactConnected,
    ContactOffered,
    ContactQueued,
    ContactReturned,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    ReportConnection,
    SelfServiceEnded,
    SelfServiceStarted,
    SelfServiceTurn,
    TransferStarted,
)
from centralita.protocols import Announcement, Capabilities, Context, Inbox, Outgoing, Person, Signal
from centralita.views import ContactView
from centralita_asterisk.ari import AriRefused, Request
from centralita_asterisk.calls import Call
from centralita_asterisk.controls import AGENT_WORDS, SUPERVISOR_WORDS, Controls
from centralita_asterisk.devices import check_private_call, watch_devices
from centralita_asterisk.dialling import Dialling
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.hearing import Hearing
from centralita_asterisk.incoming import Incoming
from centralita_asterisk.mailbox import Mailbox
from centralita_asterisk.outside import Outside
from centralita_asterisk.phones import NotReached, Phones
from centralita_asterisk.reconcile import Reconciliation
from centralita_asterisk.recordings import Recordings
from centralita_asterisk.rooms import arrange_or_later, arrange_soon, close_room, release_requests, released
from centralita_asterisk.server import Server
from centralita_asterisk.server_events import ServerEvents
from centralita_asterisk.settings import VoiceSettings
from centralita_asterisk.speaking import sounds_of, speak
from centralita_asterisk.waiting import Waiting

FIRST_TRY_S: Final = 6.0
LAST_WORDS_S: Final = 8.0
"""How long what is being said may go on when the contact ends."""
LEAVE_S: Final = 1.0
"""How long, when we go, what callers hear may take to be brought about."""


class AsteriskChannel:
    """One `[channels.NAME] type = "asterisk"`. Implements protocols.Channel."""

    def __init__(self, settings: VoiceSettings, context: Context) -> None:
        self._name = context.name
        self.capabilities = Capabilities(
            medium="voice",
            hold=True,
            dial=True,
            consult=True,
            forward=bool(settings.forward_context),
            controls=AGENT_WORDS,
            supervisor_controls=SUPERVISOR_WORDS,
        )
        exchange = self._exchange = exchange_of(context.switchboard, context.name)
        exchange.settings, exchange.log, exchange.clock = settings, context.log, context.clock
        self._phones = Phones(exchange)
        self._recordings = exchange.recordings = Recordings(exchange, context.data)
        self._mailbox = exchange.mailbox = Mailbox(exchange, context.data)
        self._outside = exchange.outside = Outside(exchange)
        self._controls = Controls(exchange, self._recordings)
        self._waiting = Waiting(exchange, self._mailbox)
        self._hearing = exchange.hearing = Hearing(exchange)
        self._incoming = Incoming(exchange)
        self._dialling = Dialling(exchange, self._phones)
        events = ServerEvents(
            exchange,
            phones=self._phones,
            incoming=self._incoming,
            waiting=self._waiting,
            controls=self._controls,
        )
        exchange.vanished = events.gone
        for name, its in settings.servers.items():
            try:
                secret = its.secret(context.configuration.folder)
            except OSError as error:
                where = f"channels.{context.name}.servers.{name}.password_file"
                raise ConfigurationError([f"{where}: can't be read: {reason(error)}"]) from error
            exchange.servers[name] = Server(
                name,
                its,
                settings,
                secret=secret,
                log=context.log,
                welcome=self._welcome,
                on_event=events.happened,
                on_lost=self._lost,
            )

    def routes(self) -> Sequence[Any]:
        """Recordings and what came of listening, for the front door."""
        # Litestar is heavy; only a front door needs it
        from centralita_asterisk.routes import file_routes, speech_route

        return [*file_routes(self._name, self._exchange), speech_route(self._name, self._exchange)]

    async def find_person(self, person: Person) -> Person:
        """Nothing that the journal doesn't know."""
        return person

    async def export_person(self, person: Person) -> dict[str, Any]:
        """The recordings of the person's calls."""
        files = self._recordings.of_contacts(person.contacts)
        return {
            "recordings": [
                {"name": path.name, "base64": b64encode(await trio.Path(path).read_bytes()).decode()}
                for path in files
            ]
        }

    async def erase_person(self, person: Person) -> int:
        """Erase the recordings of the person's calls; how many there were."""
        files = self._recordings.of_contacts(person.contacts)
        for path in files:
            await trio.Path(path).unlink(missing_ok=True)
        return len(files)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Be connected to every server until cancelled. The calls stay: the next life finds them."""
        exchange = self._exchange
        # Connections outlast what is done over them, so that whoever has come last is not left in silence.
        holds = {server: trio.CancelScope(shield=True) for server in exchange.servers.values()}
        try:
            async with trio.open_nursery() as connections:
                try:
                    async with trio.open_nursery() as nursery:
                        exchange.open(inbox, nursery)
                        await nursery.start(self._follow)
                        nursery.start_soon(self._recordings.sweep)
                        for server, hold in holds.items():
                            connections.start_soon(_held, server, hold)
                        with trio.move_on_after(FIRST_TRY_S):
                            for server in exchange.servers.values():
                                await server.tried.wait()
                        task_status.started()
                finally:
                    exchange.rest()
                    with trio.move_on_after(LEAVE_S, shield=True):
                        await self._incoming.leave()
                    for hold in holds.values():
                        hold.cancel()
                    connections.cancel_scope.cancel()
        finally:
            exchange.close()
            for server in exchange.servers.values():
                server.ready = False
                server.tried = trio.Event()

    # What the engine asks

    async def send(self, message: Outgoing) -> None:
        """Say it, if there is a sound for it; what agents write is nothing for a telephone."""
        call = self._exchange.calls.by_provider.get(message.provider_id)
        if call is None or message.author == "agent" or message.number <= call.said:
            return
        call.said = message.number
        sounds = sounds_of(message.text, self._exchange.settings.sounds)
        if sounds:
            if message.author == "bot":
                call.prompt = tuple(sounds)
            self._exchange.start(self._say, call, sounds)

    async def _say(self, call: Call, sounds: list[str]) -> None:
        await speak(self._exchange, call, sounds)
        arrange_soon(self._exchange, call)

    async def announce(self, announcement: Announcement) -> None:
        """Tell the place in line."""
        call = self._exchange.calls.by_provider.get(announcement.provider_id)
        if call is not None:
            self._exchange.start(self._waiting.announce, call, announcement)

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        """Bring both together; what must be dialled first is reported later."""
        rules = self._exchange.switchboard.configuration().engine.queues.get(contact.queue)
        seconds = rules.connect_s if rules is not None else 30.0
        if callback_handle and not contact.parent:
            call = self._exchange.calls.by_contact.get(contact.id)
            if call is None or not call.up:
                self._exchange.start(self._dialling.dial, contact, agent, callback_handle, seconds)
                return None
        try:
            return await self._dialling.join(contact, agent, seconds)
        except NotReached as error:
            report = ReportConnection(contact=contact.id, agent=agent, made=False, reason=f"agent: {error}")
            await self._exchange.submit(report)
            return None

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        """The contact is over: the agents' phones are let go, and the customer."""
        exchange = self._exchange
        exchange.calls.put_down.pop(contact, None)
        view = exchange.view(contact)
        if view is not None and view.parent:
            parent = exchange.calls.by_contact.get(view.parent)
            if parent is not None:
                parent.colleague = ""
                # First who stays takes their phone along: what is left in the consultation's room is let go.
                await arrange_or_later(exchange, parent)
                await close_room(exchange, parent.server, contact)
            return
        self._hearing.stop(contact)
        call = exchange.calls.by_provider.get(provider_id)
        if call is None:
            return
        if call.dialling is not None:
            call.dialling.cancel()
        await self._controls.over(contact)
        await close_room(exchange, call.server, contact)
        if call.in_mailbox:
            return
        if not call.gone.is_set():
            call.room = ""
            if reason == "refused" and exchange.settings.voicemail_when_refused:
                exchange.start(self._refused, call)
                return
            with trio.move_on_after(LAST_WORDS_S):
                async with call.voice:
                    pass
        exchange.calls.dialled.pop(call.channel, None)
        await self._incoming.let_go(call)

    async def _refused(self, call: Call) -> None:
        """Whoever was turned away may leave a message, after what they were told."""
        async with call.voice:
            pass
        await self._mailbox.take(call, cancel=False)

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        """Music for the customer, or the agent again."""
        self._arrange(contact)

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        """One more agent in the conversation."""
        self._arrange(contact)

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        """One agent fewer."""
        self._arrange(contact)

    async def forward(self, contact: int, provider_id: str, *, number: str) -> None:
        """Leave the customer to whom the agent has asked, or to the dialplan, which dials the number: no longer ours."""
        exchange = self._exchange
        call = exchange.calls.by_provider.get(provider_id)
        if call is None or not call.up:
            return
        # Known to be gone before it is: its leaving the application is no hanging up.
        exchange.calls.forget(call)
        call.up = False
        call.gone.set()
        if not await self._outside.hand_on(call, contact, number):
            exchange.start(self._forward, call, number)
        await self._outside.over(contact)
        await close_room(exchange, call.server, contact)

    async def _forward(self, call: Call, number: str) -> None:
        exchange, server, life = self._exchange, call.server, call.server.life
        place = {"context": exchange.settings.forward_context, "extension": number, "priority": "1"}
        request = Request("POST", f"channels/{call.channel}/continue", place, known=(404,))
        try:
            # After the next connection the engine asks again, for a customer who is there still.
            await exchange.insist(lambda: server.batch([request]), lambda: server.life == life, "forward")
        except AriRefused as error:
            exchange.log.warning("asterisk_request_failed", doing="forward", error=str(error))
            await exchange.end(server, [Request("DELETE", f"channels/{call.channel}", known=(404,))])

    async def control(self, contact: ContactView, *, by: str, word: str, value: str) -> dict[str, Any]:
        """Mute, keys, recording, listening in."""
        return await self._controls.do(contact, by=by, word=word, value=value)

    async def signal(self, signal: Signal, provider_id: str) -> None:
        """Nobody types on the telephone."""

    def _arrange(self, contact: int) -> None:
        call = self._exchange.calls.by_contact.get(contact)
        if call is not None:
            arrange_soon(self._exchange, call)

    # What the engine tells

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        exchange = self._exchange
        async with exchange.switchboard.follow() as batches:
            task_status.started()
            async for batch in batches:
                for record in batch:
                    for event in record.events:
                        self._happened(event)

    def _happened(self, event: AnyEvent) -> None:
        exchange = self._exchange
        calls = exchange.calls
        match event:
            case ContactAdmitted():
                call = calls.by_provider.get(event.provider_id) if event.channel == self._name else None
                if call is not None and not call.contact:
                    calls.is_contact(call, event.contact)
            case SelfServiceStarted() | SelfServiceTurn():
                if (call := calls.by_contact.get(event.contact)) is not None:
                    self._hearing.attend(call)
            case SelfServiceEnded():
                self._hearing.stop(event.contact)
            case ContactConnected():
                call = calls.by_contact.get(event.contact)
                if call is not None:
                    exchange.start(self._phones.connected, event.contact, event.agent)
                    if exchange.settings.record == "always":
                        exchange.start(self._recordings.insist, call)
            case AgentSignedIn() | AgentReturned() | AgentOccupied() | AgentReleased():
                exchange.start(check_private_call, exchange, event.agent)
            case ConfigurationApplied():
                for server in exchange.servers.values():
                    if server.connected:
                        exchange.start(watch_devices, exchange, server)
            case ContactOffered():
                calls.put_down.pop(event.contact, None)
                exchange.start(self._offered, event.contact, event.agent, event.offer, event.expires_ns)
            case CallbackRequested():
                if (call := calls.by_contact.get(event.contact)) is not None:
                    exchange.start(self._waiting.became_callback, call)
            case ConsultationStarted():
                if (call := calls.by_contact.get(event.contact)) is not None:
                    call.asker = event.agent
            case ConsultationEnded():
                if (call := calls.by_contact.get(event.contact)) is not None:
                    arrange_soon(exchange, call)
            case TransferStarted():
                exchange.start(self._outside.over, event.contact)
            case ContactQueued() | ContactReturned() | OfferDeclined() | OfferExpired() | OfferWithdrawn():
                if (call := calls.by_contact.get(event.contact)) is not None:
                    arrange_soon(exchange, call)
                elif calls.legs_of(event.contact):
                    exchange.start(self._let_legs_go, event.contact)
            case _:
                pass

    async def _offered(self, contact: int, agent: str, offer: int, expires_ns: int) -> None:
        """Ring the agent's phone, if the offer is for it and still stands."""
        exchange = self._exchange
        view = exchange.view(contact)
        if view is None or (view.callback_channel or view.channel) != self._name:
            return
        sitting = exchange.switchboard.agent(agent)
        if sitting is None or (exchange.settings.ring == "accept" and sitting.desk not in exchange.desks):
            return
        work = next((work for work in view.works if work.agent == agent and work.offer == offer), None)
        call = self._dialling.call_of(view)
        if work is None or work.state != "offered" or call is None:
            return
        seconds = max(1.0, (expires_ns - exchange.clock.now_ns()) / 1e9)
        await self._phones.offer(call, view, agent, offer, seconds)

    async def _let_legs_go(self, contact: int) -> None:
        """Stop phones that ring for a consultation, or for a callback, and should not any more."""
        exchange = self._exchange
        view = exchange.view(contact)
        wanted = (
            {work.agent for work in view.works if work.state != "wrapping"} if view is not None else set()
        )
        for leg in exchange.calls.legs_of(contact):
            if leg.agent not in wanted:
                asked = release_requests(leg)
                released(exchange, leg)
                await self._exchange.end(leg.server, asked)

    # Servers come and go

    async def _welcome(self, server: Server) -> None:
        await Reconciliation(self._exchange, self._incoming, self._phones, server).run()
        server.looked = True
        for call in self._exchange.calls:
            if call.server is server:
                self._hearing.attend(call)
        for view in self._exchange.switchboard.contacts(phase="offered"):
            for work in view.works:
                if work.state == "offered":
                    self._exchange.start(self._offered, view.id, work.agent, work.offer, work.deadline_ns)
        await watch_devices(self._exchange, server)
        self._exchange.start(self._recordings.fetch_left, server)

    async def _lost(self, server: Server) -> None:
        self._exchange.devices.forget(server.name)
        await Reconciliation(self._exchange, self._incoming, self._phones, server).lost()


async def _held(server: Server, hold: trio.CancelScope) -> None:
    with hold:
        await server.run()
