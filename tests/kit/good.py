"""One good component of each kind, small enough to be read at a glance. `broken/` breaks each in one place."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import trio
from litestar import get

from centralita.errors import ConfigurationError, JournalLocked
from centralita.journal import Batch, MemoryJournal, Snapshot
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    ContactAdmitted,
    ContactEnded,
    Customer,
    LoseAgent,
    PostMessage,
    ReconcileChannel,
    Record,
    SignIn,
)
from centralita.protocols import (
    Announcement,
    BotTurn,
    Capabilities,
    Classification,
    Context,
    Inbox,
    Outgoing,
    PastContact,
    Person,
    Signal,
)
from centralita.testing import FollowerDriver
from centralita.views import AgentView, ContactView
from tests.kit.worlds import WORLDS, Hall, PostOffice


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table in the settings."""

    depth: int = 0


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all of them may be told; `mood` can be wrong in a way that types can't say."""

    world: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    mood: str = "fine"
    part: Part = Part()


class Good:
    """What all of them do."""

    def __init__(self, settings: Settings, context: Context) -> None:
        if not settings.mood.isascii():
            place = f"{context.kind}.{context.name}" if context.kind != "journal" else "journal"
            raise ConfigurationError([f"{place}.mood was {settings.mood!r}; allowed: plain letters"])
        self.settings = settings
        self.name = context.name
        self.data = context.data

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()


class GoodChannel(Good):
    """Letters: a contact outlives restarts, with the number of the last letter delivered."""

    capabilities = Capabilities(medium="chat", hold=True, attach=True, typing=True)

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        self.contacts: dict[str, int] = {}
        self.delivered: dict[str, int] = {}

    @property
    def office(self) -> PostOffice:
        office: PostOffice = WORLDS[self.settings.world]
        return office

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        if (self.data / "post.json").exists():
            self.contacts, self.delivered = json.loads((self.data / "post.json").read_text())
        await inbox.submit(ReconcileChannel(channel=self.name, alive=tuple(self.contacts)))
        task_status.started()
        while True:
            await self.deal(inbox, *await self.office.happenings.first())
            self.office.happenings.done()

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        if what == "arrive":
            await self.admit(inbox, customer, words)
        elif what == "say":
            await inbox.submit(
                PostMessage(
                    contact=self.contacts[customer], author="customer", text=words, message_id=message
                )
            )
        else:
            await inbox.submit(AbandonContact(contact=self.contacts[customer]))
            self.forget(customer)

    async def admit(self, inbox: Inbox, customer: str, words: str) -> None:
        outcome = await inbox.submit(AdmitContact(channel=self.name, provider_id=customer, text=words))
        self.contacts[customer] = outcome.contact
        self.save()

    def save(self) -> None:
        (self.data / "post.json").write_text(json.dumps([self.contacts, self.delivered]))

    def forget(self, customer: str) -> None:
        self.contacts.pop(customer, None)
        self.save()

    async def send(self, message: Outgoing) -> None:
        await trio.lowlevel.checkpoint()
        customer = self.office.customers[message.provider_id]
        if message.number > self.delivered.get(customer.id, 0):
            customer.heard.append(message.text)
            customer.files += [file.name for file in message.attachments]
            self.delivered[customer.id] = message.number
            self.save()

    async def announce(self, announcement: Announcement) -> None:
        await trio.lowlevel.checkpoint()

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        await trio.lowlevel.checkpoint()
        return contact.provider_id in self.contacts

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        if provider_id in self.contacts:
            self.office.customers[provider_id].over = True
            self.forget(provider_id)

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        await trio.lowlevel.checkpoint()

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        await trio.lowlevel.checkpoint()

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        await trio.lowlevel.checkpoint()

    async def signal(self, signal: Signal, provider_id: str) -> None:
        await trio.lowlevel.checkpoint()

    def routes(self) -> Sequence[Any]:
        @get(f"/post/{self.name}", opt={"role": "public"}, sync_to_thread=False)
        def count() -> int:
            return len(self.contacts)

        return [count]


class GoodDesk(Good):
    """Counters in a hall."""

    @property
    def hall(self) -> Hall:
        hall: Hall = WORLDS[self.settings.world]
        return hall

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        while True:
            await self.deal(inbox, *await self.hall.happenings.first())
            self.hall.happenings.done()

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "sit":
            await inbox.submit(SignIn(agent=agent, desk=self.name))
        elif what == "leave":
            await inbox.submit(LoseAgent(agent=agent, desk=self.name))
        elif what == "answer":
            contact, offer, accept = rest
            await inbox.submit(AnswerOffer(contact=contact, agent=agent, offer=offer, accept=accept))
        else:
            contact, words = rest
            await inbox.submit(PostMessage(contact=contact, author="agent", author_id=agent, text=words))

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await trio.lowlevel.checkpoint()
        seat = self.hall.seats[agent]
        if (contact.id, offer) not in seat.offers:
            seat.offers.append((contact.id, offer))

    async def withdraw(self, agent: str, contact: int, *, offer: int, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        if agent in self.hall.seats and (contact, offer) in self.hall.seats[agent].offers:
            self.hall.seats[agent].offers.remove((contact, offer))

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        await trio.lowlevel.checkpoint()
        if agent.name in self.hall.seats:
            seen = self.hall.seats[agent.name].seen
            seen += [one.text for contact in contacts for one in contact.messages if one.author == "customer"]

    async def signal(self, agent: str, signal: Signal) -> None:
        await trio.lowlevel.checkpoint()


class GoodLedger(Good):
    """A KPI sink: how many contacts ended, and where it stands, in one file."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        self.seq, self.ended_n = 0, 0

    @property
    def file(self) -> Path:
        return self.data / "ledger.json"

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        self.load()
        task_status.started()
        await trio.sleep_forever()

    def load(self) -> None:
        self.seq, self.ended_n = json.loads(self.file.read_text()) if self.file.exists() else (0, 0)

    async def position(self) -> int:
        await trio.lowlevel.checkpoint()
        return self.seq

    async def write(self, batch: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint()
        self.take_in([record for record in batch if record.seq > self.seq])

    def take_in(self, records: Sequence[Record]) -> None:
        for record in records:
            self.ended_n += sum(isinstance(event, ContactEnded) for event in record.events)
            self.seq = record.seq
        self.save()

    def save(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps([self.seq, self.ended_n]))
        new.replace(self.file)


class LedgerDriver(FollowerDriver):
    """What a ledger holds is its count."""

    async def holds(self, component: Any, data: Path) -> object:
        return component.ended_n


class GoodCrm(Good):
    """A CRM that remembers who came, by address."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        self.seq = 0
        self.past: list[tuple[str, str, int, int]] = []

    @property
    def file(self) -> Path:
        return self.data / "book.json"

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        self.seq, past = json.loads(self.file.read_text()) if self.file.exists() else (0, [])
        self.past = [tuple(one) for one in past]
        task_status.started()
        await trio.sleep_forever()

    async def position(self) -> int:
        await trio.lowlevel.checkpoint()
        return self.seq

    async def write(self, batch: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint()
        for record in batch:
            if record.seq > self.seq:
                self.past += [
                    (event.handle, event.customer_name, event.contact, record.at_ns)
                    for event in record.events
                    if isinstance(event, ContactAdmitted)
                ]
                self.seq = record.seq
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps([self.seq, self.past]))
        new.replace(self.file)

    async def find_customer(self, contact: ContactView) -> Customer | None:
        await trio.lowlevel.checkpoint()
        found = [name for handle, name, _, _ in self.past if handle and handle == contact.handle]
        return Customer(id=contact.handle, name=found[-1]) if found else None

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        await trio.lowlevel.checkpoint()
        empty: dict[str, Any] = dict.fromkeys(
            ("channel", "medium", "subject", "queue", "agent", "outcome", "disposition", "notes", "summary"),
            "",
        )
        found = [
            PastContact(contact=contact, conversation=0, arrived_ns=at_ns, ended_ns=at_ns, **empty)
            for address, _, contact, at_ns in self.past
            if handle and address == handle
        ]
        return found[::-1][:limit]

    async def find_person(self, person: Person) -> Person:
        await trio.lowlevel.checkpoint()
        return Person(
            contacts=tuple(contact for handle, _, contact, _ in self.past if handle in person.handles)
        )

    async def export_person(self, person: Person) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return {"contacts": [one for one in self.past if one[0] in person.handles]}

    async def erase_person(self, person: Person) -> int:
        await trio.lowlevel.checkpoint()
        kept = [one for one in self.past if one[0] not in person.handles]
        erased_n, self.past = len(self.past) - len(kept), kept
        return erased_n


class GoodClassifier(Good):
    """Urgent words go first."""

    async def classify(self, contact: ContactView) -> Classification | None:
        await trio.lowlevel.checkpoint()
        urgent = any("HELP" in message.text for message in contact.messages)
        return Classification(priority=5) if urgent else None


class GoodBot(Good):
    """Greets, answers twice, hands over."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        await trio.lowlevel.checkpoint()
        if message is None:
            return BotTurn(texts=("Hello! 1: opening hours, anything else: a person.",))
        if message == "1":
            return BotTurn(texts=("Nine to two.",), then="resolved")
        return BotTurn(then="hand_over", summary=message[:50])


class GoodDoor(Good):
    """A front door that only remembers what it would serve."""

    mounted: Sequence[Any] = ()

    def mount(self, routes: Sequence[Any]) -> None:
        self.mounted = list(routes)


class GoodJournal(MemoryJournal):
    """A journal in one file of batches, with a lock beside it."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__()
        Good(settings, context)
        self.folder = context.data
        self._lock_file = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock_file)
            raise JournalLocked(f"{self.folder} is in use") from error
        for batch in self._stored("batches", Batch):
            super().append(batch, expected_seq=batch.first_seq - 1)
        self.kept = list(self._stored("snapshots", Snapshot))

    def _stored(self, name: str, kind: type[Any]) -> Iterator[Any]:
        path = self.folder / name
        for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else ():
            yield msgspec.json.decode(line, type=kind)

    def _store(self, name: str, value: Any) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(msgspec.json.encode(value) + b"\n")

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        super().append(batch, expected_seq=expected_seq)
        self._store("batches", batch)

    def save_snapshot(self, seq: int, state: bytes) -> None:
        super().save_snapshot(seq, state)
        self.kept.append(Snapshot(seq=seq, state=state))
        self._store("snapshots", self.kept[-1])

    def snapshots(self) -> Iterator[Snapshot]:
        return iter(self.kept[::-1])

    def close(self) -> None:
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1
