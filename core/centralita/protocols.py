"""What a plugin's component is and what it is given. Small, async on trio, and typed.

A component never sees the engine. It gets a `Context` when built, an `Inbox` when run, and views when
asked something. What it learns it says with commands; what it must do it is told by the methods
below, each of which is called apart from every other component, under a time limit, and may raise:
the supervisor logs it and, where the ask has a failing answer, gives that answer for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec
import structlog
import trio
from msgspec import Struct

from centralita.config import Configuration
from centralita.messages import AnyCommand, Attachment, Author, Customer, Record, Refusal
from centralita.structs import Frozen
from centralita.views import (
    AgentExplanation,
    AgentView,
    ComponentView,
    ContactExplanation,
    ContactView,
    QueueView,
)


class Clock(Protocol):
    """The time the engine lives by; virtual in tests."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        ...


class Context(Frozen):
    """What `build` gets besides its settings."""

    kind: str
    name: str
    """The component's name in the configuration (`shop_chat` of `[channels.shop_chat]`)."""
    log: structlog.stdlib.BoundLogger
    clock: Clock
    data: Path
    """A directory for this component alone; it exists."""
    configuration: Configuration
    """The whole configuration, for components that need to know their neighbours by name."""
    switchboard: Switchboard


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of a submitted command, once it is durable (or refused, which changes nothing)."""

    seq: int
    """The journal record's number; 0 when refused or when nothing changed."""
    contact: int
    """The contact admitted (or found, when the admission was a repetition); else 0."""
    refusal: Refusal | None = None


class Inbox(Protocol):
    """Where commands go. Bounded: `submit` waits when the engine is behind."""

    async def submit(self, command: AnyCommand) -> Outcome:
        """Hand a command in and wait until what became of it is durable.

        Raises EngineStopped when the engine no longer takes commands. Cancelled while waiting, the
        command may or may not have been applied; admissions and messages are idempotent by their ids.
        """
        ...


class Switchboard(Inbox, Protocol):
    """A running engine as seen from inside the process: what `open_engine` gives and routes use."""

    def now_ns(self) -> int: ...
    def contact(self, contact: int, *, messages: bool = True) -> ContactView | None:
        """A live contact or one that ended a short while ago; None when unknown."""
        ...

    def contacts(
        self, *, queue: str = "", agent: str = "", phase: str = "", limit: int = 1000
    ) -> list[ContactView]:
        """Live contacts without their messages; waiting ones in the order they will be served."""
        ...

    def agent(self, name: str) -> AgentView | None: ...
    def agents(self) -> list[AgentView]: ...
    def queue(self, name: str) -> QueueView | None: ...
    def queues(self) -> list[QueueView]: ...
    def explain_contact(self, contact: int, *, limit: int = 100) -> ContactExplanation | None: ...
    def explain_agent(self, name: str, *, limit: int = 20) -> AgentExplanation | None: ...
    def figures(self) -> Mapping[str, Any]:
        """The figures of `kpi.Figures.as_dict()`: totals, by queue, by agent, trends."""
        ...

    def components(self) -> list[ComponentView]: ...
    def capabilities(self) -> Mapping[str, Capabilities]:
        """What each running channel can do, by the channel's name."""
        ...

    def configuration(self) -> Configuration: ...
    def status(self) -> Mapping[str, Any]:
        """Version, uptime, journal position, counts, inbox depth, clock.

        `admitted`, `ended` and `live` are the engine's own, of all its contacts at this moment: consultations are
        among them, where `figures()` counts customers' contacts and consultations apart.
        """
        ...

    async def history(
        self, customer: Customer | None, *, handle: str = "", limit: int = 20
    ) -> list[PastContact]:
        """What the CRMs know of earlier contacts, newest first."""
        ...

    async def export_customer(self, person: Person) -> Mapping[str, Any]:
        """All that is kept about one customer, by component, with the journal's records; ready for JSON."""
        ...

    async def erase_customer(self, person: Person, *, by: str) -> Mapping[str, Any]:
        """Forget one customer everywhere. Raises CustomerKept when it can't be: a contact is live, a
        component failed, or the journal has no keys to delete."""
        ...

    async def control(self, contact: int, *, by: str, word: str, value: str = "") -> dict[str, Any]:
        """Have a contact's channel do one of its controls (`Capabilities`); what is so now. Raises ControlRefused."""
        ...

    def signal(self, signal: Signal) -> None:
        """Pass on something fleeting (typing) between a channel and the desks; never journalled."""
        ...

    def follow(
        self, *, after_seq: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[Record]]]:
        """Durable records as they come, in batches; with `after_seq`, first those since then.

        A follower that is too slow is fed from the journal, so nothing is missed and nothing piles up.
        """
        ...


class Signal(Frozen):
    """Something fleeting that is worth showing now or never. `by`: customer or an agent's name."""

    kind: Literal["typing", "seen"]
    contact: int
    by: str
    on: bool = True


class Outgoing(Frozen):
    """A message for the customer. `number` is its place in the contact; repeat deliveries carry the
    same number, so a channel that keeps the last one delivers each exactly once."""

    contact: int
    provider_id: str
    number: int
    author: Author
    author_id: str
    author_title: str
    text: str
    attachments: tuple[Attachment, ...] = ()


class Announcement(Frozen):
    """What a waiting customer is told; -1 where unknown."""

    contact: int
    provider_id: str
    position: int
    low_s: float
    high_s: float


class Capabilities(Frozen):
    """What a channel can do, so that nobody guesses from its name."""

    medium: str
    """The medium its contacts are by default: voice, chat, email …"""
    live: bool = True
    """The customer is there now (chat, call), or reads later (e-mail, SMS)."""
    hold: bool = False
    attach: bool = False
    typing: bool = False
    dial: bool = False
    """Can begin a contact: place a call, write first."""
    announce: bool = True
    forward: bool = False
    """Can hand a customer on to a number outside (`CanForward`)."""
    controls: tuple[str, ...] = ()
    """What an agent in the contact can have it do besides (`HasControls`): `mute`, `record` …"""
    supervisor_controls: tuple[str, ...] = ()
    """The same for supervisors: `listen`, `whisper` …"""
    consult: bool = False
    """Brings two agents together beside the customer (calls). Without it a consultation stays among
    the desks, and the channel is asked nothing about it."""


@runtime_checkable
class Component(Protocol):
    """Whatever runs."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Live until cancelled. Call `task_status.started()` when ready; returning early is a crash."""
        ...


@runtime_checkable
class Channel(Component, Protocol):
    """A way in and out."""

    capabilities: Capabilities

    async def send(self, message: Outgoing) -> None:
        """Deliver; raise when it can't be (it is tried again while the contact lives)."""
        ...

    async def announce(self, announcement: Announcement) -> None: ...
    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        """Bring customer and agent together; False when the customer can't be reached. None when the
        agent reaches them by other means and will say how it went (within the queue's `callback_s`).

        For a callback or a placed contact `callback_handle` is whom to reach, after a transfer too, when
        they are on the line already. Raising means a fault on our side: the contact goes back to its place.
        """
        ...

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None: ...
    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None: ...
    async def join(self, contact: int, provider_id: str, *, agent: str) -> None: ...
    async def part(self, contact: int, provider_id: str, *, agent: str) -> None: ...
    async def signal(self, signal: Signal, provider_id: str) -> None: ...


@runtime_checkable
class CanForward(Protocol):
    """A channel with `capabilities.forward`."""

    async def forward(self, contact: int, provider_id: str, *, number: str) -> None:
        """Hand the customer on to a number outside; `disconnect` follows, and finds nobody. Asked again after a
        crash or an error: whoever is on no line of yours any more has been handed on."""
        ...


@runtime_checkable
class HasControls(Protocol):
    """A channel with `capabilities.controls`: what concerns the connection alone, and no rule of the engine's.

    Nothing of it is journalled: keys that are pressed may be a card's number.
    """

    async def control(self, contact: ContactView, *, by: str, word: str, value: str) -> dict[str, Any]:
        """Do one of the controls for `by`, an agent's name; returns what is so now, for a page to show.

        Raises ControlRefused for what can't be done now, with words for whoever asked.
        """
        ...


@runtime_checkable
class Desk(Component, Protocol):
    """A way to the agents. One desk serves many agents; an agent sits at one desk at a time."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None: ...
    async def withdraw(self, agent: str, contact: int, *, offer: int, reason: str) -> None: ...
    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        """The agent's own state or one of the agent's contacts changed; sent after every such batch.

        `contacts` are those changed, with their messages; one that is no longer among the agent's
        works has left the desk.
        """
        ...

    async def signal(self, agent: str, signal: Signal) -> None: ...


class PastContact(Frozen):
    """One earlier contact as a CRM keeps it."""

    contact: int
    conversation: int
    channel: str
    medium: str
    subject: str
    queue: str
    agent: str
    outcome: str
    arrived_ns: int
    ended_ns: int
    disposition: str
    notes: str
    summary: str
    messages: tuple[dict[str, Any], ...] = ()


@runtime_checkable
class Follower(Protocol):
    """Something fed with durable records from a position it keeps itself: a KPI sink, a CRM's record.

    The position must be stored together with what the batch did (one transaction, one file), so that
    after any crash no record is missing or counted twice.
    """

    async def position(self) -> int:
        """The seq of the last record it has taken in; 0 when none. May be asked while it writes."""
        ...

    async def write(self, batch: Sequence[Record]) -> None:
        """Take in records of consecutive seq, the first being `position() + 1` or a repetition."""
        ...


@runtime_checkable
class KpiSink(Component, Follower, Protocol):
    """Where events and figures go."""


@runtime_checkable
class Crm(Component, Follower, Protocol):
    """Who the customer is, and what has been."""

    async def find_customer(self, contact: ContactView) -> Customer | None: ...
    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]: ...


class Person(Frozen):
    """Whom an export or an erasure is about, as far as anybody knows: addresses, CRMs' customers, contacts."""

    handles: tuple[str, ...] = ()
    customers: tuple[Customer, ...] = ()
    """Of these `crm` and `id` count."""
    contacts: tuple[int, ...] = ()


@runtime_checkable
class KeepsPersonalData(Protocol):
    """A component that keeps what is a customer's, of whatever kind: it can hand it out and forget it."""

    async def find_person(self, person: Person) -> Person:
        """What else is known to be this person's; asked again when others have added something."""
        ...

    async def export_person(self, person: Person) -> dict[str, Any]:
        """All that is kept about the person, ready for JSON, with files as `{"name", "base64"}`."""
        ...

    async def erase_person(self, person: Person) -> int:
        """Forget it for good; how many things were erased. A second call finds nothing and returns 0."""
        ...


class Classification(Frozen):
    """What a classifier says; empty and None leave a thing as it is."""

    queue: str = ""
    skills: dict[str, int] | None = None
    priority: int | None = None
    preferred_agent: str = ""
    attributes: dict[str, str] | None = None


@runtime_checkable
class Classifier(Component, Protocol):
    """Skills, queue and priority of a contact."""

    async def classify(self, contact: ContactView) -> Classification | None:
        """None: no opinion, ask the next."""
        ...


class BotTurn(Frozen):
    """What a bot says, and whether it goes on (`continue`), hands over or is done (`resolved`)."""

    texts: tuple[str, ...] = ()
    then: Literal["continue", "hand_over", "resolved"] = "continue"
    queue: str = ""
    skills: dict[str, int] | None = None
    attributes: dict[str, str] | None = None
    summary: str = ""
    priority: int | None = None


@runtime_checkable
class Bot(Component, Protocol):
    """Self-service."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        """The bot's answer to the customer's message, or its first words when None.

        All it needs is in the contact's messages; it keeps nothing that a restart would lose. The customer's
        end with `message`; when None, with those up to `contact.bot_after`, from before the bot was asked.
        """
        ...


@runtime_checkable
class HasRoutes(Protocol):
    """A component that also brings HTTP: Litestar route handlers, mounted by the front door."""

    def routes(self) -> Sequence[Any]: ...


@runtime_checkable
class FrontDoor(Component, Protocol):
    """The one HTTP server; told before `run` what everybody brings."""

    def mount(self, routes: Sequence[Any]) -> None: ...


Build = Callable[[Any, Context], object]
"""`build(settings, context)` makes a component; `settings` is the decoded config struct."""


class Register(Protocol):
    """What a `register_…` hook is given."""

    def __call__(self, type_name: str, config_type: type[Struct], build: Build) -> None: ...
