"""The desk of type `websocket`: agents in browser windows, several windows an agent if they like.

The desk says to the engine who is here: the first window signs the agent in (or brings back one whose
connection was lost), the last one that closes is a lost connection, from which the engine counts the
grace time. What is told is settled against the windows that are open, one agent at a time, so a page
that reloads can't be told in the wrong order; and after a crash the agents who sat here and have no
window are told lost at once, so nobody is offered a contact on a screen that is gone.

The protocol is in docs/http.md. One window is `desk_window.py`, its words are `desk_words.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import trio
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect

from centralita.errors import CentralitaError, EngineStopped
from centralita.messages import LoseAgent, SignIn
from centralita.protocols import Context, Inbox, Signal
from centralita.views import AgentView, ContactView
from centralita_http.access import Caller, Gate, known_caller
from centralita_http.desk_window import GOING_AWAY, Colleagues, Window
from centralita_http.desk_words import MESSAGES, Misspoken, first_token
from centralita_http.errors import Rejected
from centralita_http.settings import DeskSettings, DoorLimits
from centralita_http.wire import encode

FIRST_FRAME_S: Final = 10.0
"""How long a socket may be open without having said who it is."""
COLLEAGUES_INTERVAL_S: Final = 1.0
_GONE: Final = frozenset({"offline", "lost"})


class NobodyHere(CentralitaError):
    """An offer to an agent whose last window has just closed."""


class WebSocketDesk:
    """`[desks.NAME] type = "websocket"`."""

    def __init__(self, settings: DeskSettings, context: Context) -> None:
        self._settings = settings
        self._name = context.name
        self._log = context.log
        self._switchboard = context.switchboard
        self._windows: defaultdict[str, set[Window]] = defaultdict(set)
        self._present: set[str] = set()
        """Agents the engine has been told are here."""
        self._settling: defaultdict[str, trio.Lock] = defaultdict(trio.Lock)
        self._changed = trio.Event()
        self._running: tuple[Inbox, trio.Nursery] | None = None

    # A component of the daemon.

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Keep presence told and colleagues shown, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._running = (inbox, nursery)
                for view in self._switchboard.agents():
                    if view.desk == self._name and view.state not in _GONE:
                        self._present.add(view.name)
                        nursery.start_soon(self._settle, view.name)
                nursery.start_soon(self._watch)
                nursery.start_soon(self._show_colleagues)
                task_status.started()
                try:
                    await trio.sleep_forever()
                finally:
                    self._running = None  # before the nursery closes: a window may go at this moment
        finally:
            self._present.clear()
            for window in self._open_windows():
                window.close(GOING_AWAY, "the desk restarts")

    def routes(self) -> Sequence[Any]:
        """The WebSocket, for the front door."""
        desk = self

        @websocket(self._settings.path, opt={"role": "agent", "first_frame": True, "messages": MESSAGES})
        async def desk_window(socket: WebSocket[Any, Any, Any]) -> None:
            await desk.open(socket)

        return [desk_window]

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        """Put an offer before the agent. Raises NobodyHere, by which the runner knows the agent lost."""
        if not self._windows.get(agent):
            raise NobodyHere(f"agent {agent} has no window open")
        self._push(agent, _offer(contact, offer=offer, expires_ns=expires_ns))

    async def withdraw(self, agent: str, contact: int, *, offer: int, reason: str) -> None:
        """Take an offer away."""
        self._push(agent, {"type": "withdraw", "contact": contact, "offer": offer, "reason": reason})

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        """Show the agent's own state and what changed of the agent's contacts."""
        self._push(agent.name, {"type": "update", "agent": agent, "contacts": list(contacts)})

    async def signal(self, agent: str, signal: Signal) -> None:
        """Show something fleeting."""
        self._push(
            agent,
            {
                "type": "signal",
                "kind": signal.kind,
                "contact": signal.contact,
                "by": signal.by,
                "on": signal.on,
            },
        )

    # A window's life.

    async def open(self, socket: WebSocket[Any, Any, Any]) -> None:
        """Serve one socket from its opening to its end."""
        gate: Gate = socket.app.state.gate
        limits: DoorLimits = socket.app.state.limits
        caller = known_caller(socket)
        if caller is not None and not caller.agent:
            raise Rejected(403, "forbidden", "a desk is for the token of an agent")
        await socket.accept()
        try:
            if caller is None:
                caller = await self._introduced(socket, gate)
            window = self._admit(socket, caller, gate, limits)
        except Rejected as error:
            with suppress(WebSocketDisconnect):  # who never said a word may be gone as well
                await socket.close(code=4000 + error.status, reason=error.body.message)
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._greet, window)
                await window.serve()
                nursery.cancel_scope.cancel()
        finally:
            self._windows[window.agent].discard(window)
            if not self._windows[window.agent]:
                del self._windows[window.agent]
            if self._running is not None:
                self._running[1].start_soon(self._settle, window.agent)

    async def _introduced(self, socket: WebSocket[Any, Any, Any], gate: Gate) -> Caller:
        message: Any = None
        with trio.move_on_after(FIRST_FRAME_S):
            message = await socket.receive()
        if message is None:
            raise Rejected(408, "too_slow", f"no first frame in {FIRST_FRAME_S:g} s")
        if message["type"] != "websocket.receive":
            raise Rejected(401, "no_token", "closed without a word")
        try:
            token = first_token(message.get("text") or message.get("bytes") or "")
        except Misspoken as error:
            raise Rejected(401, error.code, str(error)) from None
        caller = await gate.sign_in(socket, token, access="agent")
        if not caller.agent:
            raise Rejected(403, "forbidden", "a desk is for the token of an agent")
        return caller

    def _admit(
        self, socket: WebSocket[Any, Any, Any], caller: Caller, gate: Gate, limits: DoorLimits
    ) -> Window:
        if self._running is None:
            raise Rejected(503, "stopping", "the desk is not running")
        if self._switchboard.agent(caller.agent) is None:
            raise Rejected(404, "unknown_agent", f"there is no agent {caller.agent!r} in the configuration")
        if len(self._windows[caller.agent]) >= self._settings.windows_per_agent:
            raise Rejected(429, "too_many_windows", f"{self._settings.windows_per_agent} windows are open")
        window = Window(
            socket,
            caller,
            desk=self._name,
            inbox=self._running[0],
            switchboard=self._switchboard,
            gate=gate,
            limits=limits,
            log=self._log,
        )
        self._windows[caller.agent].add(window)
        return window

    async def _greet(self, window: Window) -> None:
        # In the desk's nursery, not the window's: a window that closes meanwhile must not leave the
        # engine told one thing and us believing another.
        settled = trio.Event()
        if self._running is not None:
            self._running[1].start_soon(self._settle, window.agent, settled)
            await settled.wait()
        # From here on without a wait: the hello holds all that is true, and what follows is pushed.
        window.colleagues = self._colleagues()
        window.push(encode(self._hello(window.agent, window.colleagues)))
        window.greeted = True
        for view in self._switchboard.contacts(agent=window.agent):
            for work in view.works:
                if work.agent == window.agent and work.state == "offered":
                    full = self._switchboard.contact(view.id) or view
                    window.push(encode(_offer(full, offer=work.offer, expires_ns=work.deadline_ns)))

    # Presence.

    async def _settle(self, agent: str, settled: trio.Event | None = None) -> None:
        """Tell the engine whether the agent is here, when it was told otherwise last."""
        try:
            await self._tell_presence(agent)
        finally:
            if settled is not None:
                settled.set()

    async def _tell_presence(self, agent: str) -> None:
        async with self._settling[agent]:
            here = bool(self._windows.get(agent))
            if self._running is None or here == (agent in self._present):
                return
            status = self._settings.sign_in_as
            command = (
                SignIn(agent=agent, desk=self._name, status=status)
                if here
                else LoseAgent(agent=agent, desk=self._name)
            )
            try:
                outcome = await self._running[0].submit(command)
            except EngineStopped:
                return
            if here:
                self._present.add(agent)
            else:
                self._present.discard(agent)
            refusal = outcome.refusal
            if refusal is not None and refusal.code not in {"already", "not_signed_in"}:
                self._log.warning("presence_refused", agent=agent, code=refusal.code)

    # What is shown.

    def _hello(self, agent: str, colleagues: Colleagues) -> dict[str, Any]:
        board = self._switchboard
        engine = board.configuration().engine
        mine = board.contacts(agent=agent)
        asked = [view.consultation for view in mine if view.consultation]
        found = (board.contact(number) for number in [view.id for view in mine] + asked)
        full = list({view.id: view for view in found if view is not None}.values())
        return {
            "type": "hello",
            "now_ns": board.now_ns(),
            "agent": board.agent(agent),
            "contacts": full,
            "queues": [{"name": name, "title": queue.title or name} for name, queue in engine.queues.items()],
            "agents": list(colleagues.values()),
            "dispositions": list(engine.dispositions),
            "break_reasons": list(engine.break_reasons),
            "channels": dict(board.capabilities()),
        }

    def _colleagues(self) -> Colleagues:
        return {
            view.name: {"name": view.name, "title": view.title, "state": view.state}
            for view in self._switchboard.agents()
        }

    async def _watch(self) -> None:
        async with self._switchboard.follow() as batches:
            async for _ in batches:
                self._changed.set()

    async def _show_colleagues(self) -> None:
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            if windows := [window for window in self._open_windows() if window.greeted]:
                now = self._colleagues()
                for window, frame in _news(windows, now):
                    window.push(frame)
                    window.colleagues = now
            await trio.sleep(COLLEAGUES_INTERVAL_S)

    def _push(self, agent: str, frame: dict[str, Any]) -> None:
        windows = [window for window in self._windows.get(agent, ()) if window.greeted]
        if windows:
            text = encode(frame)
            for window in windows:
                window.push(text)

    def _open_windows(self) -> list[Window]:
        return [window for windows in self._windows.values() for window in windows]


def _news(windows: Sequence[Window], now: Colleagues) -> list[tuple[Window, bytes]]:
    """What each window has not been shown yet, for those that lack something.

    What a window was shown last is the same object for most of them, so it is compared once for all. It is kept for each
    window because a hello may have shown what the others have not seen: a state that has changed back by now.
    """
    found: list[tuple[Window, bytes]] = []
    frames: dict[int, bytes] = {}
    for window in windows:
        shown = window.colleagues
        frame = frames.get(id(shown))
        if frame is None:
            changed = [one for name, one in now.items() if shown.get(name) != one]
            gone = [name for name in shown if name not in now]
            news = {"type": "agents", "agents": changed, "gone": gone}
            frame = frames[id(shown)] = encode(news) if changed or gone else b""
        if frame:
            found.append((window, frame))
    return found


def _offer(contact: ContactView, *, offer: int, expires_ns: int) -> dict[str, Any]:
    return {"type": "offer", "contact": contact, "offer": offer, "expires_ns": expires_ns}
