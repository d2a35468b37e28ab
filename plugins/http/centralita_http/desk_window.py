"""One open window of an agent's desk: frames in, frames out, and when it has to close.

A window knows its socket and the words; presence and offers are the desk's (`desk.py`). Commands are
taken one after the other, so they become true in the order they were given; questions to a CRM may
take long and go beside them. What goes out waits in a bounded queue: a window that doesn't keep up is
dropped, and says hello again when it comes back.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import structlog
import trio
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from centralita.errors import ControlRefused, EngineStopped
from centralita.protocols import Inbox, Signal, Switchboard
from centralita_http.access import Caller, Gate
from centralita_http.answers import SUBMIT_S
from centralita_http.desk_words import Misspoken, Said, understand
from centralita_http.errors import Rejected
from centralita_http.limits import Buckets
from centralita_http.settings import DoorLimits
from centralita_http.streams import RECHECK_S
from centralita_http.wire import encode

HISTORY_AT_ONCE: Final = 4
HISTORY_LIMIT: Final = 20
HISTORY_S: Final = 10.0
GOING_AWAY: Final = 1012
REVOKED: Final = 4401
TOO_SLOW: Final = 4408

Socket = WebSocket[Any, Any, Any]
Colleagues = dict[str, dict[str, str]]
"""Each agent's name, title and state as a window shows them, by name."""


class Window:
    """An accepted socket of a known agent."""

    def __init__(
        self,
        socket: Socket,
        caller: Caller,
        *,
        desk: str,
        inbox: Inbox,
        switchboard: Switchboard,
        gate: Gate,
        limits: DoorLimits,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self.agent = caller.agent
        self.greeted = False
        self.colleagues: Colleagues = {}
        """As the window was shown them last."""
        self._socket = socket
        self._caller = caller
        self._desk = desk
        self._inbox = inbox
        self._switchboard = switchboard
        self._gate = gate
        self._log = log
        self._rate = Buckets(
            rate_per_s=limits.messages_per_s, burst=2 * limits.messages_per_s, now_s=trio.current_time
        )
        self._outgoing, self._to_send = trio.open_memory_channel[str](limits.send_queue)
        self._questions = trio.CapacityLimiter(HISTORY_AT_ONCE)
        self._scope = trio.CancelScope()
        self._close_code = 1000
        self._close_reason = ""

    def push(self, frame: bytes) -> None:
        """Put a frame before the agent. Never waits: a window that is too far behind is closed."""
        try:
            self._outgoing.send_nowait(frame.decode())
        except trio.WouldBlock:
            self.close(TOO_SLOW, "too many messages are waiting")
        except trio.BrokenResourceError:
            pass  # it is closing already

    def close(self, code: int, reason: str) -> None:
        """Let the window go, with a code that says why."""
        if not self._scope.cancel_called:
            self._close_code, self._close_reason = code, reason
            self._scope.cancel()

    async def serve(self) -> None:
        """Read and write until either side is done with it."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                nursery.start_soon(self._watch_token)
                await self._read(nursery)
                nursery.cancel_scope.cancel()
        self._to_send.close()
        if self._close_code != 1000:
            with suppress(WebSocketDisconnect):
                await self._socket.close(code=self._close_code, reason=self._close_reason)

    async def _write(self) -> None:
        try:
            async for frame in self._to_send:
                await self._socket.send_text(frame)
        except WebSocketDisconnect:
            self._scope.cancel()  # the page went while we wrote; its last word does not matter

    async def _watch_token(self) -> None:
        while await self._gate.still_live(self._caller):
            await trio.sleep(RECHECK_S)
        self.close(REVOKED, "the token is revoked or expired")

    async def _read(self, nursery: trio.Nursery) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text") or message.get("bytes") or ""
            try:
                await self._take(text, nursery)
            except Misspoken as error:
                self._reply(error.id, code=error.code, message=str(error))

    async def _take(self, text: str | bytes, nursery: trio.Nursery) -> None:
        said = understand(text, agent=self.agent, desk=self._desk)
        if not self._rate.take(""):
            self._reply(said.id, code="too_many_requests", message="too many messages a second; slow down")
            return
        try:
            self._gate.permit_message(self._socket, said.kind, contact=said.contact)
        except Rejected as error:
            self._reply(said.id, code=error.body.code, message=error.body.message)
            return
        if said.command is not None:
            await self._submit(said)
        elif said.signal:
            kind: Any = said.signal
            self._switchboard.signal(Signal(kind=kind, contact=said.contact, by=self.agent, on=said.on))
            if said.id:
                self._reply(said.id, contact=said.contact)
        elif said.control:
            await self._control(said)
        elif said.ask == "why":
            self._reply(said.id, result=self._switchboard.explain_agent(self.agent))
        else:
            nursery.start_soon(self._history, said)

    async def _submit(self, said: Said) -> None:
        assert said.command is not None
        try:
            with trio.move_on_after(SUBMIT_S) as patience:
                outcome = await self._inbox.submit(said.command)
        except EngineStopped:
            self._reply(said.id, code="stopping", message="the engine is stopping")
            return
        if patience.cancelled_caught:
            self._reply(
                said.id, code="too_slow", message=f"no answer in {SUBMIT_S:g} s; it may still be done"
            )
        elif outcome.refusal is not None:
            self._reply(said.id, code=outcome.refusal.code, message=outcome.refusal.message)
        else:
            self._reply(said.id, contact=outcome.contact or said.contact)

    async def _control(self, said: Said) -> None:
        view = self._switchboard.contact(said.contact, messages=False)
        can = self._switchboard.capabilities().get(view.callback_channel or view.channel) if view else None
        if can is None or said.control not in can.controls:
            known = ", ".join(can.controls) if can is not None else ""
            words = f"control was {said.control[:50]!r}; known: {known or 'none'}"
            self._reply(said.id, code="not_capable", message=words)
            return
        try:
            result = await self._switchboard.control(
                said.contact, by=self.agent, word=said.control, value=said.value
            )
        except ControlRefused as error:
            self._reply(said.id, code=error.code, message=str(error))
        else:
            self._reply(said.id, contact=said.contact, result=result)

    async def _history(self, said: Said) -> None:
        async with self._questions:
            view = self._switchboard.contact(said.contact, messages=False)
            if view is None:
                self._reply(said.id, code="unknown_contact", message=f"there is no contact {said.contact}")
                return
            past = None
            with trio.move_on_after(HISTORY_S):
                past = await self._switchboard.history(view.customer, handle=view.handle, limit=HISTORY_LIMIT)
        if past is None:
            self._reply(said.id, code="too_slow", message=f"no answer in {HISTORY_S:g} s")
        else:
            self._reply(said.id, contact=said.contact, result=past)

    def _reply(
        self, id: int, *, code: str = "", message: str = "", contact: int = 0, result: Any = None
    ) -> None:
        if code:
            self.push(encode({"type": "reply", "id": id, "ok": False, "code": code, "message": message}))
            return
        reply = {"type": "reply", "id": id, "ok": True, "contact": contact}
        self.push(encode(reply if result is None else {**reply, "result": result}))
