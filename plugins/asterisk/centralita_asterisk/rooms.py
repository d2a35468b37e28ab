"""Who hears whom: what the engine says of a contact, made true on its server.

`arrange` is the only place that moves channels between bridges, and it starts from the engine's view each time, not
from what has just happened. So it can be called after anything, in any order and twice, and after a restart
it brings about what should be. Only what differs is asked for, all in one round trip.

A contact has one room (a bridge) for customer and agents. With a consultation open the one who asked and the colleague
are in a second one, and the customer hears music, unless other agents stay with them.
"""

from __future__ import annotations

from typing import Final

import trio

from centralita.views import ContactView
from centralita_asterisk.ari import AriError, AriRefused, Request
from centralita_asterisk.calls import Call, Leg
from centralita_asterisk.exchange import AGAIN_FIRST_S, AGAIN_LONGEST_S, Exchange
from centralita_asterisk.server import Server

REFUSED_MAX: Final = 3
"""After so many refusals whoever can't be brought in is hung up on: an agent's phone, never a customer."""
GONE = (404,)
"""What is to end has ended."""
OUTSIDE = (400, 404, 409, 422)
"""Who is to leave a room is in none, or there is no such room, or nobody of that name."""
MUTED = "CENTRALITA_MUTED"
"""The channel's variable that says whether its agent is muted."""
THERE = (409,)
"""What is to exist exists."""
OVER = frozenset({"", "wrapping", "ended"})
"""Phases of a contact whose room is closed, or is about to be."""
_TALKING = frozenset({"connected", "held"})
_ENGAGED = frozenset({"offered", "connecting", "connected", "held"})
_LISTENING = frozenset({"waiting", "offered", "connecting", "connected", "on_hold", "transferring"})


def room_of(exchange: Exchange, server: Server, contact: int) -> str:
    """The id of a contact's bridge, which may be yet to be made.

    No two bridges ever have the same: Asterisk may say for minutes that there is one which is gone.
    """
    if contact not in server.room_names:
        server.room_names[contact] = f"{server.app}-room-{contact}-{exchange.next_number()}"
    return server.room_names[contact]


def contact_of_room(app: str, room: str) -> int:
    """Whose bridge it is by its id; 0 for a bridge that is no contact's."""
    prefix = f"{app}-room-"
    contact, _, number = room.removeprefix(prefix).partition("-")
    return int(contact) if room.startswith(prefix) and contact.isdigit() and number.isdigit() else 0


async def arrange(exchange: Exchange, call: Call, *, joining: Leg | None = None) -> None:
    """Bring about what the engine says of the call; `joining` is about to be connected. Raises AriError."""
    async with call.lock:
        plan = _plan_for(exchange, call, joining)
        if plan is None:
            return
        try:
            await plan.carry_out()
        except AriRefused:
            # All are there and a room is not: another one, before anybody is told that it has failed. The contact may
            # have ended since, and its room been closed: then none is made that nobody would close.
            again = await plan.look_for_missing() and exchange.phase(call) not in OVER
            plan = _plan_for(exchange, call, joining) if again else None
            if plan is None:
                raise
            await plan.carry_out()
        plan.done()
        if plan.with_customer and not plan.aside:  # who asked may be on the way back
            exchange.start(exchange.recordings.go_on, call, plan.with_customer)


def _plan_for(exchange: Exchange, call: Call, joining: Leg | None) -> _Plan | None:
    """What is to be done as the engine has it now; None when that is no longer ours."""
    view = exchange.view(call.contact)
    if view is None or call.gone.is_set() or call.in_mailbox:
        return None
    return _Plan(exchange, call, view, joining)


async def arrange_or_later(exchange: Exchange, call: Call) -> None:
    """Arrange, and when the server does not answer see to it beside."""
    try:
        await arrange(exchange, call)
    except AriError:
        arrange_soon(exchange, call)


def arrange_soon(exchange: Exchange, call: Call) -> None:
    """Have it arranged beside, however long the server takes to answer; never waits."""
    call.arrange_n += 1
    if not call.arranging:
        exchange.start(_arrange_until_done, exchange, call)


async def _arrange_until_done(exchange: Exchange, call: Call) -> None:
    """Arrange until it has been done since it was asked for last, while the call is one of ours."""
    if call.arranging:
        return
    call.arranging = True
    wait_s, refused = AGAIN_FIRST_S, 0
    try:
        while exchange.calls.by_contact.get(call.contact) is call and not call.gone.is_set():
            asked = call.arrange_n
            try:
                await arrange(exchange, call)
                if call.arrange_n == asked:
                    return
                wait_s, refused = AGAIN_FIRST_S, 0
                continue
            except AriError as error:
                refused += isinstance(error, AriRefused)
                exchange.log.warning(
                    "asterisk_asked_again", doing="arrange", error=str(error), again_in_s=wait_s
                )
            if refused >= REFUSED_MAX:
                await _hang_up_whom_it_concerns(exchange, call)
                return
            await trio.sleep(wait_s)
            wait_s = min(wait_s * 2, AGAIN_LONGEST_S)
    finally:
        call.arranging = False


async def _hang_up_whom_it_concerns(exchange: Exchange, call: Call) -> None:
    """Nobody talks over a phone that is there and can't be brought in: end it, and let the engine know by that."""
    legs = [leg for leg in exchange.calls.legs_of(call.contact) if leg.state == "up" and not leg.room]
    await exchange.end(call.server, [Request("DELETE", f"channels/{leg.id}", known=GONE) for leg in legs])


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
        self.with_customer: set[str] = set()
        """Agents who talk with the customer, or would but for hold."""
        self.aside = False
        """Somebody asks a colleague."""
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
        self.with_customer, self.aside = talking - consulting, bool(consulting)
        self._claim(talking)
        for leg in exchange.calls.legs_of(call.contact):
            if leg.agent not in engaged:
                self._release.append(leg)
            elif leg.state == "up" and leg.agent in talking:
                self._legs.append(
                    (leg, self._room(view.consultation if leg.agent in consulting else view.id))
                )
        if view.consultation:
            for leg in exchange.calls.legs_of(view.consultation):
                if leg.state == "up" and leg.agent in consulting:
                    self._legs.append((leg, self._room(view.consultation)))
        if call.up and call.channel:
            with_agents = bool(self.with_customer) and view.phase != "on_hold"
            self._customer_room = self._room(view.id) if with_agents else ""
            # Who hears it ring until an agent is there hears no music meanwhile; afterwards, on hold, yes.
            listens = call.answered or exchange.settings.answer != "with_agent"
            self._music = listens and not with_agents and view.phase in _LISTENING and not call.playing

    def _room(self, contact: int) -> str:
        return room_of(self._exchange, self._call.server, contact)

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
                for leg in calls.legs:
                    if (
                        leg.agent == agent
                        and leg.state == "up"
                        and leg.server is self._call.server
                        and _is_child(self._exchange, leg.contact, self._call.contact)
                    ):
                        calls.move_leg(leg, self._call.contact)

    async def carry_out(self) -> None:
        """Ask all of it of the server. Raises AriError."""
        call = self._call
        asked, call.unsure = self._requests(), True
        if self.aside and not self.with_customer:
            asked = [*self._exchange.recordings.rest(call.contact, self._view.agent), *asked]
        await call.server.batch(asked)

    def _requests(self) -> list[Request]:
        """What must be asked, in order."""
        call, asked = self._call, list[Request]()
        channel = call.channel
        if channel and call.up and self._customer_room and not call.answered:
            asked.append(Request("POST", f"channels/{channel}/answer"))
        if channel and call.up and self._customer_room and call.playing:
            asked.append(Request("DELETE", f"playbacks/{call.playing}", known=GONE))
        if (call.music or (call.unsure and channel and call.up)) and not self._music:
            asked.append(Request("DELETE", f"channels/{channel}/moh", known=GONE))
        comers: dict[str, list[str]] = {}
        if channel and call.up and self._customer_room and self._customer_room != call.room:
            comers.setdefault(self._customer_room, []).append(channel)
        for leg, room in self._legs:
            if leg.room != room:
                comers.setdefault(room, []).append(leg.id)
        # Unsure: they may be in the room though nobody has said so.
        left = call.room or (call.server.room_names.get(call.contact, "") if call.unsure else "")
        if channel and call.up and left and not self._customer_room:
            asked.append(
                Request("POST", f"bridges/{left}/removeChannel", {"channel": channel}, known=OUTSIDE)
            )
        for leg in self._release:
            asked += release_requests(leg)
        for room, members in comers.items():
            if room not in call.server.rooms:
                asked.append(Request("POST", "bridges", {"type": "mixing", "bridgeId": room}, known=THERE))
            asked.append(Request("POST", f"bridges/{room}/addChannel", {"channel": ",".join(members)}))
        if self._music and (call.unsure or not call.music):
            music = {"mohClass": self._exchange.settings.music}
            asked.append(Request("POST", f"channels/{channel}/moh", music, known=GONE))
        return asked

    async def look_for_missing(self) -> bool:
        """Something was refused: whoever is no longer there, though no event has said so, is known to be gone from here
        on, and a room that is not there is made anew. Returns whether it was only for a room. Raises AriError."""
        exchange, call = self._exchange, self._call
        server = call.server
        wanted = [leg.id for leg, _ in self._legs]
        if call.channel and call.up and self._customer_room:
            wanted.append(call.channel)
        rooms = {room for _, room in self._legs} | {self._customer_room} - {""}
        there = await server.those_there(
            [*(f"channels/{id}" for id in wanted), *(f"bridges/{room}" for room in rooms)]
        )
        gone = [id for id in wanted if f"channels/{id}" not in there]
        for id in gone:
            exchange.vanished(server, id)
        lost = [room for room in rooms if f"bridges/{room}" not in there]
        for room in lost:
            server.rooms.discard(room)
            server.room_names.pop(contact_of_room(server.app, room), None)
        return bool(lost) and not gone

    def done(self) -> None:
        """All of it has been carried out."""
        call = self._call
        call.unsure = False
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
    if leg.contact:
        # It may be in the room though nobody has said so: the answer may have been lost.
        room = leg.room or leg.server.room_names.get(leg.contact)
        away = Request("POST", f"bridges/{room}/removeChannel", {"channel": leg.id}, known=OUTSIDE)
        return [*((away,) if room else ()), *(mute_requests(leg, on=False) if leg.muted else ())]
    return []


def mute_requests(leg: Leg, *, on: bool) -> list[Request]:
    """Have an agent not be heard, or be heard again. The channel itself remembers which, for after our restart."""
    return [
        Request("POST" if on else "DELETE", f"channels/{leg.id}/mute", {"direction": "in"}, known=GONE),
        Request(
            "POST",
            f"channels/{leg.id}/variable",
            {"variable": MUTED, "value": "1" if on else ""},
            known=GONE,
        ),
    ]


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
    """The contact is over: its bridge goes, and whoever is left of it, and what is recorded of it is kept."""
    legs = exchange.calls.legs_of(contact)
    asked = [request for leg in legs for request in release_requests(leg)]
    if room := server.room_names.pop(contact, ""):
        asked.append(Request("DELETE", f"bridges/{room}", known=GONE))
        server.rooms.discard(room)
    for leg in legs:
        released(exchange, leg)
    await exchange.end(server, asked)
    exchange.start(exchange.recordings.over, server, contact)


def _is_child(exchange: Exchange, contact: int, parent: int) -> bool:
    view = exchange.view(contact) if contact else None
    return view is not None and view.parent == parent
