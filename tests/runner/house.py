"""Components for the runner's tests: small, whole, and told by the test how to behave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import trio
import trio.testing

from centralita import MemoryJournal, hookimpl, open_engine
from centralita.config import loads
from centralita.journal import Journal
from centralita.messages import AnswerOffer, Customer, Record, SignIn
from centralita.protocols import (
    Announcement,
    BotTurn,
    Capabilities,
    Classification,
    Context,
    Inbox,
    Outgoing,
    PastContact,
    Register,
    Signal,
)
from centralita.runner.clock import TrioClock
from centralita.runner.switchboard import LiveSwitchboard
from centralita.views import AgentView, ContactView

START_NS = 1_772_000_000_000_000_000

CONFIG = """
skills = ["es"]
default_queue = "help"
[limits]
identify_s = 2
grace_s = 20
[queues.help]
offer_s = 20
wrap_up_s = 0
no_answer = "stay"
connect_s = 10
[agents.ana]
[agents.bea]
[channels.shop]
type = "scripted"
[desks.floor]
type = "scripted"
"""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a scripted component can be told in a file."""

    note: str = ""


async def nothing(*_: Any, **__: Any) -> None:
    """Do what is asked, at once."""


class Scripted:
    """A component that notes what it is asked; `script` says how each method behaves."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.calls: list[tuple[Any, ...]] = []
        self.lives = 0
        self.inbox: Inbox | None = None
        self.script: dict[str, Callable[..., Awaitable[Any]]] = {}
        self.changed = trio.lowlevel.ParkingLot()

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        self.lives += 1
        self.inbox = inbox
        if "start" in self.script:
            await self.script["start"]()
        task_status.started()
        if "run" in self.script:
            await self.script["run"](inbox)
        else:
            await trio.sleep_forever()

    async def note(self, method: str, *arguments: Any, answer: Any = None) -> Any:
        self.calls.append((method, *arguments))
        self.changed.unpark_all()
        if method in self.script:
            return await self.script[method](*arguments)
        return answer

    def of(self, method: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == method]

    async def wait_for(self, method: str, count: int = 1) -> tuple[Any, ...]:
        with trio.fail_after(10_000):
            while len(self.of(method)) < count:
                await self.changed.park()
        return self.of(method)[count - 1]


class ScriptedChannel(Scripted):
    capabilities = Capabilities(medium="chat", hold=True, typing=True, dial=True, forward=True)

    async def send(self, message: Outgoing) -> None:
        await self.note("send", message)

    async def announce(self, announcement: Announcement) -> None:
        await self.note("announce", announcement)

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool:
        answer = await self.note("connect", contact, agent, callback_handle, answer=True)
        return answer  # type: ignore[no-any-return]

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        await self.note("disconnect", contact, provider_id, reason)

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        await self.note("hold", contact, on)

    async def forward(self, contact: int, provider_id: str, *, number: str) -> None:
        await self.note("forward", contact, number)

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        await self.note("join", contact, agent)

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        await self.note("part", contact, agent)

    async def signal(self, signal: Signal, provider_id: str) -> None:
        await self.note("signal", signal, provider_id)


class ScriptedDesk(Scripted):
    """A desk whose agents accept at once when `accepts`."""

    accepts = False

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await self.note("offer", agent, contact.id, offer)
        if self.accepts:
            assert self.inbox is not None
            await self.inbox.submit(AnswerOffer(contact=contact.id, agent=agent, offer=offer, accept=True))

    async def withdraw(self, agent: str, contact: int, *, offer: int, reason: str) -> None:
        await self.note("withdraw", agent, contact, offer, reason)

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        await self.note("update", agent, list(contacts))

    async def signal(self, agent: str, signal: Signal) -> None:
        await self.note("signal", agent, signal)


class Following(Scripted):
    """What sinks and CRMs share: records taken in, and the position with them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.records: list[Record] = []

    async def position(self) -> int:
        return await self.note("position", answer=len(self.records))  # type: ignore[no-any-return]

    async def write(self, batch: Sequence[Record]) -> None:
        await self.note("write", len(batch))
        seen = len(self.records)
        self.records += [record for record in batch if record.seq > seen]


class ScriptedSink(Following):
    pass


class ScriptedCrm(Following):
    async def find_customer(self, contact: ContactView) -> Customer | None:
        return await self.note("find_customer", contact.id)  # type: ignore[no-any-return]

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        return await self.note("history", handle, answer=[])  # type: ignore[no-any-return]


class ScriptedClassifier(Scripted):
    async def classify(self, contact: ContactView) -> Classification | None:
        return await self.note("classify", contact.id)  # type: ignore[no-any-return]


class ScriptedBot(Scripted):
    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        return await self.note("turn", contact.id, message, answer=BotTurn(then="hand_over"))  # type: ignore[no-any-return]


class House:
    """A plugin with one type of each kind, and every component it has built, by path."""

    def __init__(self, prepare: dict[str, Callable[[Any], None]] | None = None) -> None:
        self.built: dict[str, Any] = {}
        self.prepare = prepare or {}

    def __getitem__(self, path: str) -> Any:
        return self.built[path]

    def _builder(self, kind: type[Scripted]) -> Callable[[Settings, Context], Scripted]:
        def build(settings: Settings, context: Context) -> Scripted:
            path = f"{context.kind}.{context.name}"
            component = self.built[path] = kind(context)
            if path in self.prepare:
                self.prepare[path](component)
            return component

        return build

    @hookimpl
    def register_channels(self, register: Register) -> None:
        register("scripted", Settings, self._builder(ScriptedChannel))

    @hookimpl
    def register_desks(self, register: Register) -> None:
        register("scripted", Settings, self._builder(ScriptedDesk))

    @hookimpl
    def register_crms(self, register: Register) -> None:
        register("scripted", Settings, self._builder(ScriptedCrm))

    @hookimpl
    def register_classifiers(self, register: Register) -> None:
        register("scripted", Settings, self._builder(ScriptedClassifier))

    @hookimpl
    def register_bots(self, register: Register) -> None:
        register("scripted", Settings, self._builder(ScriptedBot))

    @hookimpl
    def register_kpi_sinks(self, register: Register) -> None:
        register("scripted", Settings, self._builder(ScriptedSink))

    def open(
        self,
        folder: Path,
        extra: str = "",
        *,
        base: str = CONFIG,
        journal: Journal | None = None,
        start_ns: int = START_NS,
        **settings: Any,
    ) -> AbstractAsyncContextManager[LiveSwitchboard]:
        """A running engine in virtual time."""
        return open_engine(
            loads(base + extra, folder=folder),
            plugins=[self],
            entry_points=False,
            journal=journal if journal is not None else MemoryJournal(),
            clock=TrioClock(start_ns),
            **settings,
        )


async def sign_in(switchboard: LiveSwitchboard, *agents: str) -> None:
    for agent in agents:
        outcome = await switchboard.submit(SignIn(agent=agent, desk="floor"))
        assert outcome.refusal is None
