"""A real engine around the component that is checked: it admits, offers and asks as in production.

In the engine's place for the component stands a relay, which passes every ask on to it. So the kit, and not
the supervisor, decides when the component lives: a crash is seen instead of mended. Everything that became
true is in `records`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from centralita.config import Component as ComponentTable
from centralita.config import Configuration, decode
from centralita.messages import (
    AnswerOffer,
    AnyCommand,
    AnyEvent,
    ContactAdmitted,
    ContactConnected,
    PostMessage,
    Record,
    SignIn,
)
from centralita.plugins import Prepared, build
from centralita.protocols import BotTurn, Capabilities, Component, Context, HasRoutes, Inbox, Outcome
from centralita.runner.service import Service
from centralita.runner.supervise import must_await
from centralita.runner.switchboard import LiveSwitchboard
from centralita.testing.checks import fail, said
from centralita.views import ContactView

if TYPE_CHECKING:
    from centralita.testing.bench import Bench

Result = TypeVar("Result")
Event = TypeVar("Event", bound=AnyEvent)

QUEUE: Final = "kit_queue"
ANA: Final = "kit_ana"
LUIS: Final = "kit_luis"
IN: Final = "kit_in"
"""A channel whose contacts the kit admits itself."""

POLL_S: Final = 0.005


class Call:
    """One call of the component by the engine, with what became of it."""

    def __init__(self, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.method = method
        self.arguments = arguments
        self.named = named
        self.done = False
        self.answer: Any = None
        self.error: Exception | None = None


class OnlyInbox:
    """What `run` is given: no more than the protocol."""

    def __init__(self, switchboard: LiveSwitchboard, refusals: list[str]) -> None:
        self._switchboard = switchboard
        self._refusals = refusals

    async def submit(self, command: AnyCommand) -> Outcome:
        """See protocols.Inbox.submit."""
        outcome = await self._switchboard.submit(command)
        if outcome.refusal is not None:
            self._refusals.append(f"the engine refused {type(command).__name__}: {outcome.refusal.message}")
        return outcome


class House:
    """A running engine, and the component beside it. `world` outlives it: for whatever the driver runs."""

    def __init__(self, bench: Bench, configuration: Configuration) -> None:
        self.bench = bench
        self.configuration = configuration
        self.name = bench.subject.name
        self.world: trio.Nursery = bench.world
        self.switchboard: LiveSwitchboard
        self.component: Any = None
        self.data = Path()
        """The component's own folder."""
        self.records: list[Record] = []
        self.calls: list[Call] = []
        self.refusals: list[str] = []
        """What the engine has refused of the component's commands, in words."""
        self._up = trio.Event()
        self._ending = False

    @property
    def is_up(self) -> bool:
        """Whether the component runs."""
        return self._up.is_set()

    # The component's life -------------------------------------------------------------------------

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Any]:
        """Run the component from here to the end of the block. A crash fails the check."""
        async with trio.open_nursery() as nursery:
            await self.start(nursery)
            try:
                yield self.component
            finally:
                self.end(nursery)

    def end(self, nursery: trio.Nursery) -> None:
        """End the component's life in the nursery where it began. How it goes is check 203's business."""
        self._ending = True
        self.stopped()
        nursery.cancel_scope.cancel()

    async def start(self, nursery: trio.Nursery) -> None:
        """Run the component in a nursery; returns when it has said that it is ready."""
        self._ending = False
        limit_s = self.bench.limits.start_s
        with trio.move_on_after(limit_s) as limit:
            await nursery.start(self._run)
        if limit.cancelled_caught:
            fail(f"run did not call task_status.started() within {limit_s:g} s")
        self._up.set()

    def stopped(self) -> None:
        """From now on the engine's asks wait for the next life."""
        self._up = trio.Event()

    async def _run(self, *, task_status: trio.TaskStatus[None]) -> None:
        if not isinstance(self.component, Component):
            task_status.started()
            await trio.sleep_forever()
        inbox: Inbox = OnlyInbox(self.switchboard, self.refusals)
        self.bench.watch.watch(trio.lowlevel.current_task(), "run")
        try:
            await must_await("run", self.component.run(inbox, task_status=task_status))
        except Exception as error:  # noqa: BLE001 - a plugin's life, watched
            if not self._ending:
                fail(f"run raised {said(error)}")
        if not self._ending:
            fail("run returned; it must go on until it is cancelled")

    async def call(self, method: str, *arguments: Any, limit_s: float, **named: Any) -> Any:
        """Call a method of the component as the engine does. What it raises comes out as it is;
        too long a time fails the check."""
        call = Call(method, arguments, named)
        with trio.move_on_after(limit_s) as limit:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._perform, call)
        if limit.cancelled_caught and not call.done:
            fail(f"{method} took longer than {limit_s:g} s")
        if call.error is not None:
            raise call.error
        return call.answer

    async def relay(self, method: str, *arguments: Any, **named: Any) -> Any:
        """The engine asks: pass it on, when there is a life, and note it."""
        while not self._up.is_set():
            await self._up.wait()
        call = Call(method, arguments, named)
        self.calls.append(call)
        await self._perform(call)
        if call.error is not None:
            raise call.error
        return call.answer

    async def _perform(self, call: Call) -> None:
        task = trio.lowlevel.current_task()
        self.bench.watch.watch(task, call.method)
        try:
            made = getattr(self.component, call.method)(*call.arguments, **call.named)
            call.answer = await must_await(call.method, made)
        except Exception as error:  # noqa: BLE001 - for whoever asked
            call.error = error
        finally:
            self.bench.watch.forget(task)
        call.done = True

    def calls_of(self, method: str) -> list[Call]:
        """What the engine has asked of one method."""
        return [call for call in self.calls if call.method == method]

    # The engine -----------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], Result], otherwise: str | Callable[[], str]) -> Result:
        """Wait until `condition()` is true of what has happened, and return it; else the check fails with
        the words of `otherwise` (called when the wait is over), and with what the engine refused last."""
        limit_s = self.bench.limits.patience_s
        with trio.move_on_after(limit_s):
            while not (found := condition()):
                await trio.sleep(POLL_S)
            return found
        words = otherwise if isinstance(otherwise, str) else otherwise()
        refused = f"; {self.refusals[-1]}" if self.refusals else ""
        fail(f"{words}; waited for {limit_s:g} s{refused}")

    async def quiet(self) -> None:
        """Let pass the time in which what must not come would come."""
        await trio.sleep(self.bench.limits.quiet_s)

    async def submit(self, command: AnyCommand) -> Outcome:
        """Hand in a command of the kit's own, which must be taken."""
        outcome = await self.switchboard.submit(command)
        if outcome.refusal is not None:
            fail(f"the engine refused {type(command).__name__}: {outcome.refusal.message}")
        return outcome

    def events(self, kind: type[Event], *, contact: int = 0) -> list[Event]:
        """Every event of a type so far, in order; of one contact when given."""
        return [
            event
            for record in self.records
            for event in record.events
            if isinstance(event, kind) and (not contact or getattr(event, "contact", 0) == contact)
        ]

    def admitted(self) -> list[ContactAdmitted]:
        """The contacts that the channel has brought."""
        return [event for event in self.events(ContactAdmitted) if event.channel == self.name]

    def contact(self, contact: int) -> ContactView | None:
        """A contact as it is, or as it ended."""
        return self.switchboard.contact(contact)

    def phase(self, contact: int) -> str:
        """The phase of a contact; empty when it is over."""
        view = self.switchboard.contact(contact, messages=False)
        return "" if view is None or view.phase == "ended" else view.phase

    async def sign_in(self, agent: str = ANA) -> None:
        """An agent without a desk is there."""
        await self.submit(SignIn(agent=agent))

    async def serve(self, contact: int, agent: str = ANA) -> None:
        """Have the agent take the contact and speak with the customer."""
        await self.sign_in(agent)

        def offered() -> int:
            view = self.contact(contact)
            works = view.works if view is not None else ()
            return next((work.offer for work in works if work.agent == agent and work.state == "offered"), 0)

        offer = await self.until(
            offered, lambda: f"contact {contact} was not offered: it is {self.phase(contact)!r}"
        )
        await self.submit(AnswerOffer(contact=contact, agent=agent, offer=offer, accept=True))
        await self.until(
            lambda: self.events(ContactConnected, contact=contact),
            lambda: f"connect brought nobody together: {self._last('connect')}",
        )

    async def agent_says(self, contact: int, words: str, agent: str = ANA, **more: Any) -> None:
        """An agent writes to the customer."""
        await self.submit(PostMessage(contact=contact, author="agent", author_id=agent, text=words, **more))

    def _last(self, method: str) -> str:
        calls = self.calls_of(method)
        if not calls:
            return f"{method} was not called"
        if calls[-1].error is not None:
            return f"{method} raised {said(calls[-1].error)}"
        return f"{method} returned {calls[-1].answer!r}" if calls[-1].done else f"{method} has not returned"

    async def follow(self) -> None:
        """Take down every record until the engine ends."""
        async with self.switchboard.follow(after_seq=0) as batches:
            async for batch in batches:
                self.records += batch


@asynccontextmanager
async def open_house(bench: Bench, configuration: Configuration) -> AsyncIterator[House]:
    """Start an engine on the bench's journal around a component built anew."""
    subject = bench.subject
    house = House(bench, configuration)

    def build_relay(settings: Any, context: Context) -> object:
        table = ComponentTable(kind=context.kind, name=context.name, type=subject.type_name, settings={})
        prepared = Prepared(component=table, registration=subject.registration, settings=settings)
        made: Any = build(prepared, context)
        if context.name == subject.name:
            house.component, house.data = made, context.data
            return Relay(house)
        return made

    service = Service(
        configuration,
        subject.plugins.with_build(subject.registration, build_relay),
        journal=bench.journal,
        clock=bench.clock,
    )
    async with trio.open_nursery() as nursery:
        house.switchboard = await nursery.start(service.run)
        nursery.start_soon(house.follow)
        try:
            yield house
        finally:
            house.stopped()
            service.stop(hurry=True)


def configure(
    *,
    kind: str,
    name: str,
    type_name: str,
    settings: dict[str, Any],
    base: dict[str, Any],
    tables: dict[str, Any],
    data: Path,
    folder: Path,
) -> Configuration:
    """The configuration of a house: the operator's rules, and beside them what the kit needs."""
    raw: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in base.items()
    }
    raw["domain"] = {**raw.get("domain", {}), "data": str(data)}
    raw.setdefault("queues", {})[QUEUE] = {"wrap_up_s": 0, "offer_s": 600, "connect_s": 60}
    agent = {"capacity": 1_000_000, "limits": {}}
    raw.setdefault("agents", {}).update({ANA: {"title": "Ana", **agent}, LUIS: {"title": "Luis", **agent}})
    for other, more in tables.items():
        raw[other] = {**raw.get(other, {}), **more}
    raw.setdefault("channels", {})[IN] = {"type": "program", "queue": QUEUE}
    table = {"type": type_name, **settings}
    if kind == "channels":
        # Whether the engine knows its own medium is check 301's business.
        table |= {"queue": QUEUE, "medium": "chat"}
    if kind != "journal":
        raw.setdefault(kind, {})[name] = table
    return decode(raw, folder=folder)


def _forwarded(method: str) -> Callable[..., Awaitable[Any]]:
    async def forward(self: Relay, *arguments: Any, **named: Any) -> Any:
        return await self.house.relay(method, *arguments, **named)

    forward.__name__ = method
    return forward


class Relay:
    """Stands in the engine for the component. Channels' and desks' asks reach it; who is asked about records
    or contacts is asked by the kit alone, and the engine gets the answer that changes nothing."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.component = house.component
        self.capabilities: Capabilities | None = getattr(house.component, "capabilities", None)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """The kit runs the component."""
        task_status.started()
        await trio.sleep_forever()

    send = _forwarded("send")
    announce = _forwarded("announce")
    connect = _forwarded("connect")
    disconnect = _forwarded("disconnect")
    hold = _forwarded("hold")
    join = _forwarded("join")
    part = _forwarded("part")
    signal = _forwarded("signal")
    offer = _forwarded("offer")
    withdraw = _forwarded("withdraw")
    update = _forwarded("update")

    async def position(self) -> int:
        """The engine's own records are of no interest to the component."""
        return 0

    async def write(self, batch: Sequence[Record]) -> None:
        """See position."""

    async def find_customer(self, contact: ContactView) -> None:
        """Nobody known."""

    async def history(self, *_: Any, **__: Any) -> list[Any]:
        """Nothing known."""
        return []

    async def classify(self, contact: ContactView) -> None:
        """No opinion."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        """A person, please."""
        return BotTurn(then="hand_over")

    def routes(self) -> Sequence[Any]:
        """The component's own."""
        return self.component.routes() if isinstance(self.component, HasRoutes) else []

    def mount(self, routes: Sequence[Any]) -> None:
        """To the component."""
        self.component.mount(routes)
