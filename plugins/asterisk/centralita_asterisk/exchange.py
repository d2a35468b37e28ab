"""What the parts of the channel share: its calls, its servers, the engine's ear, and tasks of their own.

The channel and the desk are built apart and meet here: `exchange_of(switchboard, name)` gives both the same one.
It decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import structlog
import trio

from centralita.errors import EngineStopped
from centralita.messages import AnyCommand
from centralita.protocols import Clock, Inbox, Outcome, Switchboard
from centralita.views import ContactView
from centralita_asterisk.ari import AriError, AriRefused, Request
from centralita_asterisk.calls import Call, Calls, Leg, LegId, Playing
from centralita_asterisk.presence import Devices
from centralita_asterisk.server import Server
from centralita_asterisk.settings import DeskSettings, VoiceSettings

if TYPE_CHECKING:
    from centralita_asterisk.hearing import Hearing
    from centralita_asterisk.mailbox import Mailbox
    from centralita_asterisk.outside import Outside
    from centralita_asterisk.recordings import Recordings


AGAIN_FIRST_S: Final = 0.25
AGAIN_LONGEST_S: Final = 5.0
"""What a server has not answered is asked again after a wait that doubles between these."""
END_S: Final = 1.0
"""How long whoever ends something waits to see it done; after that it is done beside."""


class Exchange:
    """One channel's inside. `run` of the channel fills in what only a running one has."""

    settings: VoiceSettings
    log: structlog.stdlib.BoundLogger
    clock: Clock
    recordings: Recordings
    mailbox: Mailbox
    outside: Outside
    hearing: Hearing
    vanished: Callable[[Server, str], None]
    """Called for a channel that is no longer there though no event has said so."""

    def __init__(self, switchboard: Switchboard, name: str) -> None:
        self.name = name
        self.switchboard = switchboard
        self.calls = Calls()
        self.servers: dict[str, Server] = {}
        self.desks: dict[str, DeskSettings] = {}
        """The desks of telephones at this channel."""
        self.playbacks: dict[str, Playing] = {}
        self.messages: dict[str, trio.Event] = {}
        self.snoops: dict[str, trio.Event] = {}
        self.goodbyes: dict[int, trio.Event] = {}
        """Contacts that will be called back, and whose caller is on the line still to be told so; set when the line is free."""
        self.devices = Devices()
        self.leaving: Counter[str] = Counter()
        """Calls of ours that have just ended, by agent, on phones that may be said to be in use still."""
        self.given_up: set[str] = set()
        """Calls that ended as lost with a server that was away for too long: they may still be there."""
        self._inbox: Inbox | None = None
        self._nursery: trio.Nursery | None = None
        self._number = 0

    def open(self, inbox: Inbox, nursery: trio.Nursery) -> None:
        """The channel runs."""
        self._inbox, self._nursery = inbox, nursery

    def rest(self) -> None:
        """Nothing is begun any more, and the engine is told nothing."""
        self._inbox = self._nursery = None

    def close(self) -> None:
        """The channel runs no more. What was known is the servers' to tell again."""
        self.rest()
        self.calls = Calls()
        for server in self.servers:
            self.devices.forget(server)
        self.leaving.clear()
        self.playbacks.clear()
        self.messages.clear()

    @property
    def running(self) -> bool:
        """Whether the channel runs."""
        return self._inbox is not None

    def next_number(self) -> int:
        """A number that no channel, playback or recording of any life of ours has had."""
        self._number = max(self._number + 1, self.clock.now_ns() // 1000)
        return self._number

    async def submit(self, command: AnyCommand) -> Outcome | None:
        """Hand in a command; None when the engine takes none any more."""
        if self._inbox is None:
            return None
        try:
            return await self._inbox.submit(command)
        except EngineStopped:
            return None

    def start(self, work: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """Have something done beside. What Asterisk refuses or fails to answer is logged; what should then be
        true is brought about by the next look at the call."""
        if self._nursery is not None:
            self._nursery.start_soon(self._guarded, work, arguments)

    async def _guarded(self, work: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> None:
        try:
            await work(*arguments)
        except AriError as error:
            self.log.warning("asterisk_request_failed", doing=work.__name__, error=str(error))

    async def insist(
        self, work: Callable[[], Awaitable[Any]], wanted: Callable[[], bool], doing: str
    ) -> None:
        """Do something until the server has answered, after waits that double, while it is wanted. Raises AriRefused."""
        wait_s = AGAIN_FIRST_S
        while wanted():
            try:
                await work()
                return
            except AriRefused:
                raise
            except AriError as error:
                self.log.warning(
                    "asterisk_asked_again", doing=doing, error=str(error), again_in_s=round(wait_s, 2)
                )
            await trio.sleep(wait_s)
            wait_s = min(wait_s * 2, AGAIN_LONGEST_S)

    async def end(self, server: Server, requests: Sequence[Request]) -> None:
        """Ask for endings. Raises nothing: what is not answered is asked again for as long as this connection lasts,
        and what the server still has after the next one is ended by the look that is then taken."""
        if not requests:
            return
        done, life = trio.Event(), server.life

        async def until_done() -> None:
            try:
                await self.insist(
                    lambda: server.batch(requests), lambda: server.life == life, requests[0].path
                )
            finally:
                done.set()

        if self._nursery is not None:
            # Beside, so that whoever loses patience with this task does not leave a channel behind.
            self.start(until_done)
            with trio.move_on_after(END_S):
                await done.wait()

    def view(self, contact: int, *, messages: bool = False) -> ContactView | None:
        """The contact as the engine has it."""
        return self.switchboard.contact(contact, messages=messages)

    def phase(self, call: Call) -> str:
        """The phase of the call's contact; empty when there is none or it is over."""
        view = self.view(call.contact) if call.contact else None
        return "" if view is None or (view.outcome and view.phase == "ended") else view.phase

    def new_leg(
        self, server: Server, agent: str, *, contact: int, offer: int = 0, kind: Any = "agent"
    ) -> Leg:
        """A leg that is about to be begun, already known."""
        id = LegId(kind=kind, contact=contact, offer=offer, number=self.next_number(), agent=agent)
        leg = Leg(id.text(self.settings.app), agent, server, contact=contact, offer=offer)
        leg.kept = kind == "line"
        self.calls.add_leg(leg)
        return leg

    def agent_of_phone(self, server: Server, channel_name: str) -> str:
        """Whose phone a channel is (`PJSIP/ana-0000001f`); empty when nobody's."""
        phone = channel_name.rpartition("-")[0]
        for agent in self.switchboard.configuration().engine.agents:
            if server.phone(agent) == phone:
                return agent
        return ""


_EXCHANGES: Final[WeakKeyDictionary[Switchboard, dict[str, Exchange]]] = WeakKeyDictionary()


def exchange_of(switchboard: Switchboard, channel: str) -> Exchange:
    """The inside of the channel of that name in this engine, made by whoever asks first."""
    exchanges = _EXCHANGES.setdefault(switchboard, {})
    if channel not in exchanges:
        exchanges[channel] = Exchange(switchboard, channel)
    return exchanges[channel]
