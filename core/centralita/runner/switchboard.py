"""The running engine as the rest of the process sees it: commands in, views out.

It refuses to know how the engine was started. Views are made on the spot from the state as decided, which
may be some milliseconds ahead of the disk; what must not be told before it is safe is told by `submit`,
whose outcome is durable, and by `follow`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import chain
from threading import get_ident
from typing import Any, Final, get_args

import msgspec
import trio

import centralita
from centralita.config import Configuration
from centralita.engine import Engine
from centralita.errors import ControlRefused, CustomerKept, EngineStopped
from centralita.explain import explain_agent, explain_contact
from centralita.journal.protocol import Journal
from centralita.look import InHand, agent_view, contact_view, queue_view
from centralita.messages import AnyCommand, Customer, EraseContacts, Record
from centralita.protocols import Capabilities, Clock, Outcome, PastContact, Person, Signal
from centralita.runner.channels import ChannelPort
from centralita.runner.customers import Customers
from centralita.runner.desks import Desks
from centralita.runner.figures import FiguresKeeper
from centralita.runner.followers import Feed
from centralita.runner.inbox import CommandInbox
from centralita.runner.recent import RecentEngine
from centralita.runner.supervise import CallFailed, Supervised
from centralita.state import Phase
from centralita.views import (
    AgentExplanation,
    AgentView,
    ComponentView,
    ContactExplanation,
    ContactView,
    QueueView,
)

HISTORY_S: Final = 5.0
"""How long a CRM may take to look up earlier contacts."""

CONTACTS_MAX: Final = 100_000
"""The most contacts one look may give."""


class House:
    """What a running switchboard stands on; made by the service once the engine is recovered."""

    def __init__(
        self,
        *,
        engine: RecentEngine,
        inbox: CommandInbox,
        clock: Clock,
        configuration: Configuration,
        feed: Feed,
        figures: FiguresKeeper,
        journal: Journal,
    ) -> None:
        self.engine = engine
        self.inbox = inbox
        self.clock = clock
        self.configuration = configuration
        self.feed = feed
        self.figures = figures
        self.began_ns = clock.now_ns()
        self.capabilities: dict[str, Capabilities] = {}
        self.supervised: list[Supervised] = []
        self.customers = Customers(journal, lambda: self.supervised, live=lambda: engine.state.contacts)
        self.channels: dict[str, ChannelPort] = {}
        self.desks: Desks | None = None
        self.asks_open: Callable[[], int] = lambda: 0
        self.stopping = False


class LiveSwitchboard:
    """See `protocols.Switchboard`. Components are given it when built, before the engine runs: until
    then, and for a submission after the end, everything raises EngineStopped. It is for the engine's own thread:
    in another everything raises RuntimeError."""

    def __init__(self) -> None:
        self._house: House | None = None
        self._thread = 0
        self._queues: dict[str, QueueView] = {}
        self._queues_seq = -1
        self._in_hand: InHand | None = None

    def open(self, house: House) -> None:
        """Begin to answer."""
        self._house = house
        self._thread = get_ident()

    @property
    def _open(self) -> House:
        if self._house is None:
            raise EngineStopped("the engine does not run yet")
        if get_ident() != self._thread:
            raise RuntimeError(
                "a switchboard is for the thread that its engine runs in; in another use trio.from_thread.run("
                "switchboard.submit, command), or an EngineThread (docs/embedding.md)"
            )
        return self._house

    async def submit(self, command: AnyCommand) -> Outcome:
        """Hand a command in and wait until what became of it is durable."""
        return (await self.submit_all((command,)))[0]

    async def submit_all(self, commands: Sequence[AnyCommand]) -> list[Outcome]:
        """Hand several in at once, to be decided one after the other with nobody else's in between."""
        return await self._open.inbox.submit_all(commands)

    def now_ns(self) -> int:
        """The time the engine lives by."""
        return self._open.clock.now_ns()

    def contact(self, contact: int, *, messages: bool = True) -> ContactView | None:
        """A live contact, or one that ended a short while ago; None when unknown."""
        _check_int("contact", contact)
        return self._open.engine.view(contact, messages=messages)

    def contacts(
        self, *, queue: str = "", agent: str = "", phase: str = "", limit: int = 1000
    ) -> list[ContactView]:
        """Live contacts without their messages: first who waits, in the order of service, then the others."""
        house, found = self._open, list[ContactView]()
        _check_str(queue=queue, agent=agent, phase=phase)
        _check_int("limit", limit, least=0)
        if phase and phase not in get_args(Phase):
            raise ValueError(f"phase was {phase!r}; known: {', '.join(get_args(Phase))}")
        state = house.engine.state
        limit = min(limit, CONTACTS_MAX)
        if agent:
            known = state.agents.get(agent)
            numbers: Iterable[int] = tuple(known.contacts) if known is not None else ()
        else:
            engine = house.engine
            in_line = engine.lines.in_order(now_ns=engine.now_ns, at_first=limit)
            numbers = chain(in_line, _not_in_line(engine))
        for number in numbers:
            if len(found) >= limit:
                break
            contact = state.contacts.get(number)
            if contact is None or (queue and contact.queue != queue) or (phase and contact.phase != phase):
                continue
            if (view := contact_view(house.engine, number, messages=False)) is not None:
                found.append(view)
        return found

    def agent(self, name: str) -> AgentView | None:
        """An agent of the configuration, signed in or not."""
        _check_str(name=name)
        return agent_view(self._open.engine, name)

    def agents(self) -> list[AgentView]:
        """All agents, in the configuration's order."""
        engine = self._open.engine
        return [view for name in engine.state.config.agents if (view := agent_view(engine, name)) is not None]

    def queue(self, name: str) -> QueueView | None:
        """A queue as it stands. Its view is made once a record: a page of every waiting customer asks for it."""
        engine = self._open.engine
        _check_str(name=name)
        if self._in_hand is None or self._queues_seq != engine.seq:
            self._queues, self._queues_seq, self._in_hand = {}, engine.seq, InHand(engine)
        if name not in self._queues and (view := queue_view(engine, name, self._in_hand)) is not None:
            self._queues[name] = view
        return self._queues.get(name)

    def queues(self) -> list[QueueView]:
        """All queues, in the configuration's order."""
        engine = self._open.engine
        return [view for name in engine.state.config.queues if (view := self.queue(name)) is not None]

    def explain_contact(self, contact: int, *, limit: int = 100) -> ContactExplanation | None:
        """Why a contact waits, or why it is where it is."""
        _check_int("contact", contact)
        _check_int("limit", limit, least=0)
        return explain_contact(self._open.engine, contact, limit=limit)

    def explain_agent(self, name: str, *, limit: int = 20) -> AgentExplanation | None:
        """Why an agent gets none of the first waiting contacts."""
        _check_str(name=name)
        _check_int("limit", limit, least=0)
        return explain_agent(self._open.engine, name, limit=limit)

    def figures(self) -> Mapping[str, Any]:
        """The figures of every durable record, as of now."""
        house = self._open
        return house.figures.as_of(house.clock.now_ns())

    def components(self) -> list[ComponentView]:
        """Every component, in the order of the file."""
        return [supervised.view() for supervised in self._open.supervised]

    def capabilities(self) -> Mapping[str, Capabilities]:
        """What each channel can do, by the channel's name."""
        return self._open.capabilities

    def configuration(self) -> Configuration:
        """The configuration in force: the file's, with what has been applied since and the channels' own."""
        house = self._open
        return msgspec.structs.replace(house.configuration, engine=house.engine.state.config)

    def status(self) -> Mapping[str, Any]:
        """How the engine is: version, uptime, journal, counts, inbox, clock."""
        house = self._open
        state = house.engine.state
        now_ns = house.clock.now_ns()
        drift = getattr(house.clock, "drift_ns", None)
        return {
            "name": house.configuration.domain.name,
            "version": centralita.__version__,
            "stopping": house.stopping,
            "now_ns": now_ns,
            "uptime_s": (now_ns - house.began_ns) / 1e9,
            "clock_drift_s": drift() / 1e9 if callable(drift) else 0.0,
            "journal_seq": house.engine.seq,
            "durable_seq": house.feed.last_seq,
            "figures_seq": house.figures.seq,
            "admitted": state.admitted_n,
            "ended": state.ended_n,
            "live": len(state.contacts),
            "waiting": house.engine.lines.queue.waiting_n(),
            "agents_present": sum(agent.present for agent in state.agents.values()),
            "inbox_depth": house.inbox.depth,
            "asks_open": house.asks_open(),
            "components_down": sorted(one.path for one in house.supervised if not one.is_up),
        }

    async def history(
        self, customer: Customer | None, *, handle: str = "", limit: int = 20
    ) -> list[PastContact]:
        """What the CRMs know of earlier contacts, newest first. A CRM that fails or is down adds nothing."""
        found: list[PastContact] = []
        if customer is not None and not isinstance(customer, Customer):
            raise TypeError(f"customer was {customer!r}; must be a Customer (messages.Customer), or None")
        _check_str(handle=handle)
        _check_int("limit", limit, least=0)

        async def ask(crm: Supervised) -> None:
            try:
                answer = await crm.call(
                    crm.component.history, customer, handle=handle, limit=limit, limit_s=HISTORY_S
                )
                found.extend(_past(answer))
            except CallFailed as failure:
                crm.log.warning("ask_failed", ask="history", error=failure.reason)

        async with trio.open_nursery() as nursery:
            for crm in self._open.supervised:
                if crm.kind == "crms" and crm.is_up:
                    nursery.start_soon(ask, crm)
        return sorted(found, key=lambda past: (-past.arrived_ns, past.contact))[:limit]

    async def export_customer(self, person: Person) -> Mapping[str, Any]:
        """All that is kept about one customer; ready for JSON. Raises CustomerKept when somebody can't be asked."""
        _check_person(person)
        return await self._open.customers.export(person)

    async def erase_customer(self, person: Person, *, by: str) -> Mapping[str, Any]:
        """Forget one customer everywhere. Raises CustomerKept.

        Cancelled in between, some of it is forgotten: ask again, it finds the rest.
        """
        _check_person(person)
        _check_str(by=by)
        house = self._open

        async def decide(command: EraseContacts) -> None:
            outcome = await self.submit(command)
            if outcome.refusal is not None:
                raise CustomerKept("live", outcome.refusal.message)

        return await house.customers.erase(person, decide=decide, by=by)

    async def control(self, contact: int, *, by: str, word: str, value: str = "") -> dict[str, Any]:
        """Have a contact's channel do one of its controls; what is so now. Raises ControlRefused."""
        house = self._open
        _check_int("contact", contact)
        _check_str(by=by, word=word, value=value)
        live = house.engine.state.contacts.get(contact)
        channel = live.reached_on if live is not None else ""
        port = house.channels.get(channel)
        if port is None:
            raise ControlRefused("unknown_contact", f"contact {contact} is not live")
        can = house.capabilities.get(channel)
        known = (*can.controls, *can.supervisor_controls) if can is not None else ()
        if word not in known:
            raise ControlRefused(
                "not_capable",
                f"control was {word[:50]!r}; channel {channel!r} knows: {', '.join(known) or 'none'}",
            )
        return await port.control(contact, by=by, word=word, value=value)

    def signal(self, signal: Signal) -> None:
        """Pass on something fleeting: a customer's to the desks, an agent's to the channel and the other desks."""
        house = self._open
        if not isinstance(signal, Signal):
            raise TypeError(f"signal was {signal!r}; must be a Signal (protocols.Signal)")
        contact = house.engine.state.contacts.get(signal.contact)
        if contact is None:
            return
        if signal.by != "customer" and (port := house.channels.get(contact.channel)) is not None:
            port.signal(signal)
        if house.desks is not None:
            house.desks.signal(signal)

    @asynccontextmanager
    async def follow(self, *, after_seq: int | None = None) -> AsyncIterator[AsyncIterator[Sequence[Record]]]:
        """Durable records in batches, as they come; with `after_seq` those since then first.

        The iterator ends when the engine does. Raises FollowerLost for a position beyond the
        journal's, JournalError for one the journal no longer keeps.
        """
        feed = self._open.feed
        if after_seq is not None:
            _check_int("after_seq", after_seq)
        async with aclosing(_batches(feed, feed.last_seq if after_seq is None else after_seq)) as batches:
            yield batches


def _past(answer: object) -> list[PastContact]:
    """A CRM's answer as whoever asked can read and send it on. Raises CallFailed for what is none."""
    for one in answer if isinstance(answer, list | tuple) else (answer,):
        if not isinstance(one, PastContact):
            raise CallFailed(f"answered with a {type(one).__name__}; allowed: a list of PastContact")
    try:
        return msgspec.json.decode(msgspec.json.encode(answer), type=list[PastContact])
    except (msgspec.ValidationError, TypeError, OverflowError, UnicodeEncodeError) as error:
        raise CallFailed(f"answered with a PastContact that can't be: {error}") from None


def _not_in_line(engine: Engine) -> Iterator[int]:
    contacts = engine.state.contacts.items()
    return (number for number, contact in contacts if contact.phase != "waiting" or contact.due_ns)


async def _batches(feed: Feed, seq: int) -> AsyncGenerator[Sequence[Record], None]:
    while batch := await feed.after(seq):
        yield batch
        seq = batch[-1].seq


# What a type checker would have said. A number out of a page's text, or a misspelt phase, finds nothing and
# would pass for an answer.


def _check_int(name: str, value: object, *, least: int | None = None) -> None:
    if type(value) is not int:
        raise TypeError(f"{name} was {value!r}; must be an int")
    if least is not None and value < least:
        raise ValueError(f"{name} was {value!r}; must be {least} or more")


def _check_str(**values: object) -> None:
    for name, value in values.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} was {value!r}; must be a str")


def _check_person(person: object) -> None:
    if not isinstance(person, Person):
        raise TypeError(f"person was {person!r}; must be a Person (protocols.Person)")
