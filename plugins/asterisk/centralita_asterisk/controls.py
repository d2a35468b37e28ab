"""What can be done about a connection besides what the engine knows: mute, keys, recording, listening in.

None of it is a rule of the engine's and none of it is journalled, except that a recording appears among the contact's
messages. A listener hears through a snoop channel on the agent's phone, in a room of its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from centralita.errors import ControlRefused
from centralita.views import ContactView
from centralita_asterisk.ari import AriError, AriRefused, Request, without
from centralita_asterisk.calls import Call, Leg, cause_words
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.recordings import Recordings
from centralita_asterisk.rooms import mute_requests, room_of

KEYS: Final = re.compile(r"[0-9*#A-D]{1,40}")
NUMBER: Final = re.compile(r"\+?[0-9*#]{1,40}")
EAR_S: Final = 30
SNOOP_S: Final = 5.0
AGENT_WORDS: Final = (
    "mute", "unmute", "keys", "record", "record_pause", "record_resume", "record_stop", "call_number", "drop_number",
)  # fmt: skip
SUPERVISOR_WORDS: Final = ("listen", "whisper", "barge", "leave")


class Controls:
    """The words of `Capabilities.controls` and `supervisor_controls`, done."""

    def __init__(self, exchange: Exchange, recordings: Recordings) -> None:
        self._exchange = exchange
        self._recordings = recordings
        self._ears: dict[int, dict[str, Leg]] = {}
        """Who listens to which contact."""
        self._agent_words: dict[str, Callable[[Call, Leg, str], Awaitable[None]]] = {
            "mute": self._mute,
            "unmute": self._unmute,
            "keys": self._keys,
            "record": self._record,
            "record_pause": self._record_pause,
            "record_resume": self._record_resume,
            "record_stop": self._record_stop,
            "call_number": self._call_number,
            "drop_number": self._drop_number,
        }

    async def do(self, view: ContactView, *, by: str, word: str, value: str) -> dict[str, Any]:
        """Do it. Raises ControlRefused."""
        call = self._exchange.calls.by_contact.get(view.id)
        if call is None:
            raise ControlRefused("wrong_phase", f"contact {view.id} has no line now")
        try:
            if word in SUPERVISOR_WORDS:
                await self._supervise(call, view, by, word, value)
            else:
                leg = self._exchange.calls.leg(view.id, by) or self._any_leg(view)
                if leg is None or not leg.room:
                    raise ControlRefused("wrong_phase", f"nobody talks in contact {view.id} now")
                await self._agent_words[word](call, leg, value)
        except AriRefused as error:
            raise ControlRefused("failed", f"Asterisk refused: {error}") from None
        except AriError as error:
            raise ControlRefused("failed", str(error)) from None
        return self._standing(view.id, by)

    def _any_leg(self, view: ContactView) -> Leg | None:
        """For a supervisor, who has no phone in it: that of the agent."""
        return self._exchange.calls.leg(view.id, view.agent)

    def _standing(self, contact: int, by: str) -> dict[str, Any]:
        leg = self._exchange.calls.leg(contact, by)
        return {
            "muted": leg.muted if leg is not None else False,
            "recording": self._recordings.state(contact),
            "listening": sorted(self._ears.get(contact, ())),
            "outside": self._exchange.outside.standing(contact),
        }

    async def _mute(self, call: Call, leg: Leg, value: str) -> None:
        await leg.server.batch(mute_requests(leg, on=True))
        leg.muted = True

    async def _unmute(self, call: Call, leg: Leg, value: str) -> None:
        await leg.server.batch(mute_requests(leg, on=False))
        leg.muted = False

    async def _keys(self, call: Call, leg: Leg, value: str) -> None:
        if not KEYS.fullmatch(value):
            raise ControlRefused("bad_value", f"value must be keys to press; allowed: {KEYS.pattern}")
        await call.server.ask("POST", f"channels/{call.channel}/dtmf", {"dtmf": value})

    async def _record(self, call: Call, leg: Leg, value: str) -> None:
        if self._exchange.settings.record == "never":
            raise ControlRefused("not_capable", "recording is switched off (record = 'never')")
        await self._recordings.begin(call)

    async def _record_pause(self, call: Call, leg: Leg, value: str) -> None:
        await self._recordings.pause(call, on=True)

    async def _record_resume(self, call: Call, leg: Leg, value: str) -> None:
        await self._recordings.pause(call, on=False)

    async def _record_stop(self, call: Call, leg: Leg, value: str) -> None:
        if self._exchange.settings.record == "always":
            raise ControlRefused("not_capable", "every call is recorded here (record = 'always'); pause it")
        await self._recordings.finish(call)

    async def _call_number(self, call: Call, leg: Leg, value: str) -> None:
        if not NUMBER.fullmatch(value):
            raise ControlRefused("bad_value", f"value must be a number to call; allowed: {NUMBER.pattern}")
        view = self._exchange.view(call.contact)
        if view is None or view.consultation:
            raise ControlRefused("wrong_phase", "a colleague is being asked already")
        await self._exchange.outside.call(call, view, leg.agent, value)

    async def _drop_number(self, call: Call, leg: Leg, value: str) -> None:
        await self._exchange.outside.drop(call.contact)

    # Listening in

    async def _supervise(self, call: Call, view: ContactView, by: str, word: str, value: str) -> None:
        """`value` is whose phone is to ring, the asking agent's own when empty."""
        who = value or by
        ears = self._ears.setdefault(view.id, {})
        if word == "leave":
            leg = ears.get(who)
            if leg is not None:
                await self._let_go(leg)
            return
        agent = self._exchange.calls.leg(view.id, view.agent)
        if agent is None or not agent.room:
            raise ControlRefused("wrong_phase", f"nobody talks in contact {view.id} now")
        leg = ears.get(who) or await self._ring(call, view, who, ears)
        await self._place(call, view, agent, leg, word)

    async def _ring(self, call: Call, view: ContactView, who: str, ears: dict[str, Leg]) -> Leg:
        exchange = self._exchange
        known = (*exchange.switchboard.configuration().engine.agents, *exchange.settings.phones)
        if who not in known:
            names = ", ".join(known)
            raise ControlRefused(
                "bad_value", f"value was {who[:50]!r}; whose phone is to ring? known: {names}"
            )
        leg = exchange.new_leg(call.server, who, contact=0, kind="ear")
        leg.taken = True
        ears[who] = leg
        query = without(
            {
                "endpoint": call.server.phone(who),
                "app": call.server.app,
                "appArgs": "leg",
                "channelId": leg.id,
                "callerId": f"{view.customer_name} <{view.handle}>" if view.handle else "",
                "timeout": str(EAR_S),
            }
        )
        exchange.start(self._forget_when_gone, view.id, who, leg)
        try:
            await call.server.batch([Request("POST", "channels", query)])
        except AriRefused:
            leg.gone(3)
        except AriError:
            # Told as failed: no phone rings for it when the server hears of it later.
            leg.gone(0)
            await self._let_go(leg)
            raise
        return leg

    async def _forget_when_gone(self, contact: int, who: str, leg: Leg) -> None:
        await leg.ended.wait()
        self._exchange.calls.forget_leg(leg)
        ears = self._ears.get(contact, {})
        if ears.get(who) is leg:
            del ears[who]
        if not ears:
            self._ears.pop(contact, None)

    async def _place(self, call: Call, view: ContactView, agent: Leg, leg: Leg, manner: str) -> None:
        """Put a listener where the manner says; one who rings still is put there on answering."""
        exchange = self._exchange
        if leg.state == "ringing":
            exchange.start(self._place_later, call, view, agent, leg, manner)
            return
        if leg.state == "gone":
            raise ControlRefused(
                "failed", f"the phone of {leg.agent} did not answer: {cause_words(leg.cause)}"
            )
        asked: list[Request] = []
        if leg.snoop:
            asked.append(Request("DELETE", f"channels/{leg.snoop}", known=(404,)))
            leg.snoop = ""
        if manner == "barge":
            leg.room = room_of(exchange, call.server, view.id)
            asked.append(Request("POST", f"bridges/{leg.room}/addChannel", {"channel": leg.id}))
            await call.server.batch(asked)
            return
        leg.room = room = f"{exchange.settings.app}-ear-{view.id}-{exchange.next_number()}"
        leg.snoop = f"{exchange.settings.app}-snoop-{exchange.next_number()}"
        snoop = {
            "spy": "both",
            "whisper": "out" if manner == "whisper" else "none",
            "app": call.server.app,
            "appArgs": "snoop",
            "snoopId": leg.snoop,
        }
        there = exchange.snoops[leg.snoop] = trio.Event()
        asked += [
            Request("POST", f"channels/{agent.id}/snoop", snoop),
            Request("POST", "bridges", {"type": "mixing", "bridgeId": room}),
        ]
        await call.server.batch(asked)
        with trio.move_on_after(SNOOP_S):
            await there.wait()
        exchange.snoops.pop(leg.snoop, None)
        both = {"channel": f"{leg.id},{leg.snoop}"}
        await call.server.batch([Request("POST", f"bridges/{room}/addChannel", both)])
        exchange.start(self._tidy_room, call, leg, room)

    async def _place_later(self, call: Call, view: ContactView, agent: Leg, leg: Leg, manner: str) -> None:
        await leg.settled.wait()
        if leg.state == "up":
            if not agent.room:
                await self._let_go(leg)
                return
            await self._place(call, view, agent, leg, manner)

    async def _tidy_room(self, call: Call, leg: Leg, room: str) -> None:
        await leg.ended.wait()
        asked = [Request("DELETE", f"bridges/{room}", known=(404,))]
        if leg.snoop:
            asked.insert(0, Request("DELETE", f"channels/{leg.snoop}", known=(404,)))
        await self._exchange.end(call.server, asked)

    async def _let_go(self, leg: Leg) -> None:
        await self._exchange.end(leg.server, [Request("DELETE", f"channels/{leg.id}", known=(404,))])

    async def deaf(self, snoop: str) -> None:
        """What a listener heard through is over: the agent has left."""
        for ears in list(self._ears.values()):
            for leg in list(ears.values()):
                if leg.snoop == snoop:
                    await self._let_go(leg)

    async def over(self, contact: int) -> None:
        """The contact is over: nobody listens any more, and nobody outside stays."""
        await self._exchange.outside.over(contact)
        for leg in list(self._ears.get(contact, {}).values()):
            await self._let_go(leg)
