"""Who hears whom: what the engine says of a contact, made true on its server.

`arrange` is the only place that moves channels between bridges, and it starts from the engine's view each time, not
from what has just happened. So it can be called after anything, in any order and twice, and after a restart
it brings about what should be. Only what differs is asked for, all in one round trip.

A contact has one room (a bridge) for customer and agents. With a consultation open the one who asked and the colleague
are in a second one, and the customer hears music, unless other agents stay with them.
"""

from __future__ import annotations

from centralita.views import ContactView
from centralita_asterisk.ari import Request
from centralita_asterisk.calls import Call, Leg
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.server import Server

GONE = (404,)
"""What is to end has ended."""
THERE = (409,)
"""What is to exist exists."""
_TALKING = frozenset({"connected", "held"})
_ENGAGED = frozenset({"offered", "connecting", "connected", "held"})
_LISTENING = frozenset({"waiting", "offered", "connecting", "connected", "on_hold", "transferring"})


def room_of(exchange: Exchange, contact: int) -> str:
    """The id of a contact's bridge."""
    return f"{exchange.settings.app}-room-{contact}"


async def arrange(exchange: Exchange, call: Call, *, joining: Leg | None = None) -> None:
    """Bring about what the engine says of the call; `joining` is about to be connected. Raises AriError."""
    async with call.lock:
        view = exchange.view(call.contact)
        if view is None or call.gone.is_set() or call.in_mailbox:
            return
        plan = _Plan(exchange, call, view, joining)
        await call.server.batch(plan.requests())
        plan.done()


class _Plan:
    """What differs between what is and what should be."""

    def __init__(self, exchange: Exchange, call: Call, view: ContactView, joining: Leg | None) -> None:
        self._exchange = exchange
        self._call = call
        self._view = view
        self._joining = joining
        self._legs: list[tuple[Leg, str]] = []
        self._release: list[Leg] = []
        self._customer_room = ""
        self._music = False
        self._decide()

    def _decide(self) -> None:
        exchange, call, view = self._exchange, self._call, self._view
        talking = {work.agent for work in view.works if work.state in _TALKING}
        engaged = {work.agent for work in view.works if work.state in _ENGAGED}
        # Between being put together and the engine's hearing of it nobody is torn apart again.
        talking |= {
            leg.agent for leg in exchange.calls.legs_of(call.contact) if leg.room and leg.agent in engaged
        }
        joining = self._joining
        if joining is not None and joining.contact == call.contact:
            talking.add(joining.agent)
            engaged.add(joining.agent)
        consulting = self._consulting(talking)
        here = room_of(exchange, call.contact)
        aside = room_of(exchange, view.consultation)
        self._claim(talking)
        for leg in exchange.calls.legs_of(call.contact):
            if leg.agent not in engaged:
                self._release.append(leg)
            elif leg.state == "up" and leg.agent in talking:
                self._legs.append((leg, aside if leg.agent in consulting else here))
        if view.consultation:
            for leg in exchange.calls.legs_of(view.consultation):
                if leg.state == "up" and leg.agent in consulting:
                    self._legs.append((leg, aside))
        if call.up and call.channel:
            with_agents = bool(talking - consulting) and view.phase != "on_hold"
            self._customer_room = here if with_agents else ""
            # Who hears it ring until an agent is there hears no music meanwhile; afterwards, on hold, yes.
            listens = call.answered or exchange.settings.answer != "with_agent"
            self._music = listens and not with_agents and view.phase in _LISTENING and not call.playing

    def _consulting(self, talking: set[str]) -> set[str]:
        """Who asks and who is asked, once the colleague has answered."""
        view, joining = self._view, self._joining
        child = self._exchange.view(view.consultation) if view.consultation else None
        if child is None:
            return set()
        colleagues = {work.agent for work in child.works if work.state in _TALKING}
        colleagues |= {leg.agent for leg in self._exchange.calls.legs_of(child.id) if leg.room}
        if joining is not None and joining.contact == child.id:
            colleagues.add(joining.agent)
        asker = self._call.asker if self._call.asker in talking else view.agent
        return {asker, *colleagues} if colleagues else set()

    def _claim(self, talking: set[str]) -> None:
        """Whoever has come from a consultation brings the leg along."""
        calls = self._exchange.calls
        for agent in talking:
            if calls.leg(self._call.contact, agent) is None:
                for leg in list(calls.legs.values()):
                    if (
                        leg.agent == agent
                        and leg.state == "up"
                        and leg.server is self._call.server
                        and _is_child(self._exchange, leg.contact, self._call.contact)
                    ):
                        calls.move_leg(leg, self._call.contact)

    def requests(self) -> list[Request]:
        """What must be asked of the server, in order."""
        call, asked = self._call, list[Request]()
        channel = call.channel
        if channel and call.up and self._customer_room and not call.answered:
            asked.append(Request("POST", f"channels/{channel}/answer"))
        if channel and call.up and self._customer_room and call.playing:
            asked.append(Request("DELETE", f"playbacks/{call.playing}", known=GONE))
        if call.music and not self._music:
            asked.append(Request("DELETE", f"channels/{channel}/moh", known=GONE))
        comers: dict[str, list[str]] = {}
        if channel and call.up and self._customer_room and self._customer_room != call.room:
            comers.setdefault(self._customer_room, []).append(channel)
        for leg, room in self._legs:
            if leg.room != room:
                comers.setdefault(room, []).append(leg.id)
        if channel and call.up and call.room and not self._customer_room:
            asked.append(
                Request(
                    "POST", f"bridges/{call.room}/removeChannel", {"channel": channel}, known=(404, 409, 422)
                )
            )
        for leg in self._release:
            asked += release_requests(leg)
        for room, members in comers.items():
            if room not in call.server.rooms:
                asked.append(Request("POST", "bridges", {"type": "mixing", "bridgeId": room}, known=THERE))
            asked.append(Request("POST", f"bridges/{room}/addChannel", {"channel": ",".join(members)}))
        if self._music and not call.music:
            music = {"mohClass": self._exchange.settings.music}
            asked.append(Request("POST", f"channels/{channel}/moh", music, known=GONE))
        return asked

    def done(self) -> None:
        """All of it has been carried out."""
        call = self._call
        if call.channel and call.up:
            call.answered = call.answered or bool(self._customer_room)
            call.room = self._customer_room
            call.music = self._music
        for leg, room in self._legs:
            leg.room = room
            call.server.rooms.add(room)
        for leg in self._release:
            released(self._exchange, leg)


def release_requests(leg: Leg) -> list[Request]:
    """Let an agent's phone go: hung up, or back to waiting off the hook."""
    if not leg.kept:
        return [Request("DELETE", f"channels/{leg.id}", known=GONE)]
    if leg.room:
        return [
            Request("POST", f"bridges/{leg.room}/removeChannel", {"channel": leg.id}, known=(404, 409, 422))
        ]
    return []


def released(exchange: Exchange, leg: Leg) -> None:
    """Note that a leg has been let go."""
    leg.room = ""
    leg.offer = 0
    leg.taken = leg.muted = False
    if leg.kept:
        exchange.calls.move_leg(leg, 0)
    else:
        leg.gone(0)
        exchange.calls.forget_leg(leg)


async def close_room(exchange: Exchange, server: Server, contact: int) -> None:
    """The contact is over: its bridge goes, and whoever is left of it."""
    legs = exchange.calls.legs_of(contact)
    asked = [request for leg in legs for request in release_requests(leg)]
    room = room_of(exchange, contact)
    if room in server.rooms:
        asked.append(Request("DELETE", f"bridges/{room}", known=GONE))
    server.rooms.discard(room)
    for leg in legs:
        released(exchange, leg)
    await server.batch(asked)


def _is_child(exchange: Exchange, contact: int, parent: int) -> bool:
    view = exchange.view(contact) if contact else None
    return view is not None and view.parent == parent
