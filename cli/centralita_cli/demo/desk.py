"""A simulated agent: a client of the desk's WebSocket (docs/http.md) who works as people do.

The agent reads, thinks, types, makes mistakes of omission: now and then an offer is declined or not
answered. All delays are drawn from the agent's own seeded chance. Nothing here reaches around the
interface: what a simulated agent knows is what the desk was sent.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Final

import structlog
import trio

from centralita_cli.demo import words
from centralita_cli.demo.sockets import GONE, JsonSocket, connected
from centralita_cli.demo.temper import Temper

RECONNECT_S: Final = 2.0
DECLINE_SHARE: Final = 0.03
OVERLOOK_SHARE: Final = 0.02
BREAK_EVERY_S: Final = 420.0
AT_WORK_MIN: Final = 3
"""Nobody takes a break while fewer colleagues than this are at work."""
BREAK_S: Final = (30.0, 80.0)
SILENT_CUSTOMER_S: Final = 240.0
"""After so long without a word from the customer the agent closes the conversation."""
CHARACTERS_PER_S: Final = 18.0
STATUS_LOOK_S: Final = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("centralita.demo")


class SimulatedAgent:
    """One agent at one desk; comes back when the connection is lost."""

    def __init__(self, name: str, *, url: str, token: str, temper: Temper) -> None:
        self.name = name
        self._url = url
        self._token = token
        self._temper = temper

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                async with connected(self._url) as socket:
                    await _Shift(self.name, socket, self._temper).run(self._token)
            except* GONE as group:
                log.info(
                    "simulated_agent_disconnected", agent=self.name, error=type(group.exceptions[0]).__name__
                )
            await self._temper.wait(RECONNECT_S)


class _Case:
    """A contact in the agent's hands, as last seen."""

    def __init__(self, view: dict[str, Any]) -> None:
        self.view = view
        self.changed = trio.Event()
        self.answered = 0
        self.greeted = False

    def see(self, view: dict[str, Any]) -> None:
        self.view = view
        self.changed.set()


class _Shift:
    """One connection's worth of work."""

    def __init__(self, name: str, socket: JsonSocket, temper: Temper) -> None:
        self._name = name
        self._socket = socket
        self._temper = temper
        self._chance = temper.chance
        self._ids = count(1)
        self._cases: dict[int, _Case] = {}
        self._offers: dict[int, trio.CancelScope] = {}
        self._agent: dict[str, Any] = {}
        self._colleagues: dict[str, str] = {}
        self._agent_changed = trio.Event()
        self._nursery: trio.Nursery

    async def run(self, token: str) -> None:
        await self._socket.send(type="auth", token=token)
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._mind_the_status)
            while True:
                self._take(await self._socket.receive())

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "hello" | "update":
                self._agent = frame["agent"]
                self._agent_changed.set()
                for view in frame["contacts"]:
                    self._see(view)
                self._meet(frame.get("agents", []))
            case "agents":
                self._meet(frame["agents"])
            case "offer":
                self._nursery.start_soon(self._consider, frame["contact"], frame["offer"])
            case "withdraw":
                if scope := self._offers.get(frame["contact"]):
                    scope.cancel()
            case "reply" if not frame["ok"]:
                # A person too is sometimes too late: the customer has gone, the offer is over.
                log.info("simulated_agent_refused", agent=self._name, code=frame["code"])

    def _meet(self, colleagues: list[dict[str, Any]]) -> None:
        self._colleagues |= {one["name"]: one["state"] for one in colleagues if one["name"] != self._name}

    def _see(self, view: dict[str, Any]) -> None:
        contact = view["id"]
        state = self._state_in(view)
        if state in {"connected", "held", "wrapping"}:
            if contact in self._cases:
                self._cases[contact].see(view)
            else:
                self._cases[contact] = _Case(view)
                self._nursery.start_soon(self._handle, contact)
        elif contact in self._cases:
            self._cases[contact].see(view)

    def _state_in(self, view: dict[str, Any]) -> str:
        return next((str(work["state"]) for work in view["works"] if work["agent"] == self._name), "")

    async def _command(self, command: str, **fields: Any) -> None:
        await self._socket.send(id=next(self._ids), command=command, **fields)

    # Offers

    async def _consider(self, view: dict[str, Any], offer: int) -> None:
        contact, mood = view["id"], self._chance.random()
        with trio.CancelScope() as scope:
            self._offers[contact] = scope
            try:
                await self._temper.ponder(1.0, 5.0)
                if mood < OVERLOOK_SHARE:
                    return
                accept = mood >= OVERLOOK_SHARE + DECLINE_SHARE or view["direction"] == "consultation"
                reason = "" if accept else "busy with the last one"
                await self._command("AnswerOffer", contact=contact, offer=offer, accept=accept, reason=reason)
            finally:
                if self._offers.get(contact) is scope:
                    del self._offers[contact]

    # Conversations

    async def _handle(self, contact: int) -> None:
        """Serve one contact from its connection to the end of its after-work."""
        case = self._cases[contact]
        wrapped_up = False
        try:
            while state := self._state_in(case.view):
                # Made anew before acting, so that what comes meanwhile is seen in the next round.
                case.changed = trio.Event()
                if state == "connected":
                    await self._speak(case)
                elif state == "wrapping" and not wrapped_up:
                    wrapped_up = True
                    await self._wrap_up(case)
                with trio.move_on_at(self._temper.deadline(SILENT_CUSTOMER_S)) as patience:
                    await case.changed.wait()
                if patience.cancelled_caught and self._state_in(case.view) == "connected":
                    await self._command("EndContact", contact=contact, reason="no word from the customer")
        finally:
            del self._cases[contact]

    async def _speak(self, case: _Case) -> None:
        """Answer what the customer said last, if that is still to be done."""
        contact, view = case.view["id"], case.view
        language = words.language_of(view["channel"])
        own = [m["number"] for m in view["messages"] if m["author_id"] == self._name]
        spoken = [m["number"] for m in view["messages"] if self._is_answer(m, view)]
        case.answered = max([case.answered, *spoken])
        asked = [m for m in view["messages"] if self._is_for_me(m, view) and m["number"] > case.answered]
        if asked:
            case.answered = asked[-1]["number"]
            text = words.answer_to(asked[-1]["text"]) or self._chance.choice(
                words.ANSWERS_TO_ANYTHING[language]
            )
            if not (own or case.greeted):
                text = words.GREETING[language].format(agent=self._agent["title"]) + text
        elif own or case.greeted or view["direction"] == "consultation":
            return
        else:
            text = words.TAKEN_OVER[language].format(agent=self._agent["title"])
        case.greeted = True
        await self._temper.ponder(0.8, 3.0)
        await self._socket.send(id=next(self._ids), signal="typing", contact=contact, on=True)
        await self._temper.wait(min(8.0, len(text) / CHARACTERS_PER_S))
        await self._command("PostMessage", contact=contact, text=text)
        if asked and words.is_goodbye(asked[-1]["text"]):
            await self._temper.ponder(2.0, 6.0)
            await self._command("EndContact", contact=contact)

    def _is_answer(self, message: dict[str, Any], view: dict[str, Any]) -> bool:
        """Whether an agent has said it: what a colleague answered before handing over is answered."""
        if view["direction"] == "consultation":
            return bool(message["author_id"] == self._name)
        return bool(message["author"] == "agent" and not message["internal"])

    def _is_for_me(self, message: dict[str, Any], view: dict[str, Any]) -> bool:
        if view["direction"] == "consultation":
            return bool(message["author"] == "agent" and message["author_id"] != self._name)
        return bool(message["author"] == "customer")

    async def _wrap_up(self, case: _Case) -> None:
        await self._temper.ponder(3.0, 11.0)
        view = case.view
        await self._command(
            "FinishWrapUp",
            contact=view["id"],
            disposition=self._chance.choice(("solved", "solved", "informed", "to be continued")),
            notes=words.NOTES.get(view["channel"], ""),
        )

    # Status

    async def _mind_the_status(self) -> None:
        """Take breaks, and come back from them and from having overlooked an offer."""
        while not self._agent:
            await self._agent_changed.wait()
        until_break_s = self._temper.deadline(self._chance.expovariate(1 / BREAK_EVERY_S))
        while True:
            self._agent_changed = trio.Event()
            if self._agent["status"] != "available":
                await self._temper.ponder(*BREAK_S)
                await self._command("SetStatus", status="available")
                until_break_s = self._temper.deadline(self._chance.expovariate(1 / BREAK_EVERY_S))
            elif trio.current_time() >= until_break_s and not self._agent["works"] and self._may_leave():
                await self._command("SetStatus", status="break", reason="coffee")
            with trio.move_on_after(STATUS_LOOK_S):
                await self._agent_changed.wait()

    def _may_leave(self) -> bool:
        at_work = [state for state in self._colleagues.values() if state not in {"offline", "lost", "break"}]
        return len(at_work) >= AT_WORK_MIN
