"""Plugins broken on purpose, one for each check and in one place only; `BROKEN` has them by the check's number."""

from __future__ import annotations

import fcntl
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from threading import get_ident
from typing import Any, NamedTuple

import msgspec
import trio
from litestar import get

from centralita import hookimpl
from centralita.errors import Fenced, JournalError
from centralita.journal import Batch, Snapshot
from centralita.messages import (
    AnswerOffer,
    Customer,
    PostMessage,
    ReconcileChannel,
    Record,
    SignIn,
)
from centralita.plugins import HOOKS
from centralita.protocols import (
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
from centralita.testing import Driver
from centralita.views import AgentView, ContactView
from tests.kit import good
from tests.kit.good import (
    GoodBot,
    GoodChannel,
    GoodClassifier,
    GoodCrm,
    GoodDesk,
    GoodDoor,
    GoodJournal,
    GoodLedger,
    LedgerDriver,
    Settings,
)
from tests.kit.worlds import HallDriver, PostDriver

DRIVERS: dict[str, type[Driver]] = {
    "channels": PostDriver,
    "desks": HallDriver,
    "kpi_sinks": LedgerDriver,
}
GOOD: dict[str, type[Any]] = {
    "channels": GoodChannel,
    "desks": GoodDesk,
    "crms": GoodCrm,
    "classifiers": GoodClassifier,
    "bots": GoodBot,
    "kpi_sinks": GoodLedger,
    "journal": GoodJournal,
    "front_doors": GoodDoor,
    "routes": type("GoodRoutes", (good.Good,), {"routes": lambda self: []}),
}
TYPE = "subject"


def plugin(
    kind: str, build: Callable[..., Any], settings: type[msgspec.Struct] = Settings, *, api: int | None = 1
) -> object:
    """A plugin that registers one type."""

    def hook(self: object, register: Any) -> None:
        register(TYPE, settings, build)

    hook.__name__ = HOOKS[kind]
    space: dict[str, Any] = {HOOKS[kind]: hookimpl(hook)}
    if api is not None:
        space["centralita_api"] = api
    return type("Plugin", (), space)()


class Broken(NamedTuple):
    """A plugin, and the kind of its one type."""

    kind: str
    plugin: object


BROKEN: dict[int, Broken] = {}


def breaks(number: int, kind: str) -> Callable[[type[Any]], type[Any]]:
    """The component is broken for this check."""

    def take(component: type[Any]) -> type[Any]:
        BROKEN[number] = Broken(kind, plugin(kind, component))
        return component

    return take


# 101 to 106: the plugin and its settings --------------------------------------------------------------

BROKEN[101] = Broken("classifiers", plugin("classifiers", GoodClassifier, api=None))


class LoosePart(msgspec.Struct, frozen=True):
    """Lets unknown fields through, one level down."""

    depth: int = 0


class LooseSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strict itself."""

    parts: dict[str, tuple[LoosePart, ...]] = {}


class ThawedPart(msgspec.Struct, forbid_unknown_fields=True):
    """Can be changed, one level down."""

    depth: int = 0


class ThawedSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frozen itself."""

    other: ThawedPart | None = None


BROKEN[102] = Broken("classifiers", plugin("classifiers", GoodClassifier, LooseSettings))
BROKEN[103] = Broken("classifiers", plugin("classifiers", GoodClassifier, ThawedSettings))


@breaks(104, "classifiers")
class Moody(GoodClassifier):
    """Says what is wrong, but not where."""

    def __init__(self, settings: Settings, context: Context) -> None:
        if not settings.mood.isascii():
            raise ValueError("what a mood")
        super().__init__(settings, context)


class OneForAll:
    """Builds once."""

    def __init__(self) -> None:
        self.made: dict[str, GoodClassifier] = {}

    def __call__(self, settings: Settings, context: Context) -> GoodClassifier:
        return self.made.setdefault(context.name, GoodClassifier(settings, context))


BROKEN[105] = Broken("classifiers", plugin("classifiers", OneForAll()))


@breaks(106, "classifiers")
class Early(GoodClassifier):
    """Writes before it runs."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        (context.data / "early").touch()


# 201 to 206: whatever runs ----------------------------------------------------------------------------


@breaks(201, "classifiers")
class Silent(GoodClassifier):
    """Never says that it has started."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()


@breaks(202, "classifiers")
class Brief(GoodClassifier):
    """Has better things to do."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(0.01)


@breaks(203, "classifiers")
class Swallowing(GoodClassifier):
    """Takes a cancellation for an error of its own."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            pass


@breaks(204, "classifiers")
class OnlyOnce(GoodClassifier):
    """Lives once."""

    lived = False

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        if self.lived:
            raise RuntimeError("has lived")
        self.lived = True
        await super().run(inbox, task_status=task_status)


LEAKED: list[socket.socket] = []
"""For whoever has to close what the next one leaves open."""


@breaks(205, "classifiers")
class Leaking(GoodClassifier):
    """Opens a socket for each life."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        LEAKED.append(socket.socket())
        await super().run(inbox, task_status=task_status)


@breaks(206, "classifiers")
class Blocking(GoodClassifier):
    """Thinks the whole thread to a halt, the first time it is asked."""

    asked = False

    async def classify(self, contact: ContactView) -> Classification | None:
        if not self.asked:
            self.asked = True
            time.sleep(0.4)
        return await super().classify(contact)


# 301 to 319: channels ---------------------------------------------------------------------------------


@breaks(301, "channels")
class Fax(GoodChannel):
    """By a medium that nobody has set up."""

    capabilities = Capabilities(medium="fax")


@breaks(302, "channels")
class Forgetful(GoodChannel):
    """Says nothing at its start of who is still there."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        await super().run(Deaf(inbox), task_status=task_status)


class Deaf:
    """An inbox that loses every word about who is alive."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def submit(self, command: Any) -> Any:
        if isinstance(command, ReconcileChannel):
            return None
        return await self._inbox.submit(command)


@breaks(303, "channels")
class Rude(GoodChannel):
    """Says goodbye to those only whom it knows."""

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        self.office.customers[provider_id].over = True
        self.forget(provider_id)


@breaks(304, "channels")
class Sanguine(GoodChannel):
    """Everybody is there."""

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        await trio.lowlevel.checkpoint()
        return True


@breaks(305, "channels")
class Stubborn(GoodChannel):
    """Finishes a signal, come what may."""

    async def signal(self, signal: Signal, provider_id: str) -> None:
        with trio.CancelScope(shield=provider_id not in self.office.customers):
            await trio.sleep(8)


@breaks(306, "channels")
class Curt(GoodChannel):
    """Does not listen to the first words."""

    async def admit(self, inbox: Inbox, customer: str, words: str) -> None:
        await super().admit(inbox, customer, "Hm?")


@breaks(307, "channels")
class OneContact(GoodChannel):
    """All customers are one."""

    async def admit(self, inbox: Inbox, customer: str, words: str) -> None:
        self.contacts[customer] = next(iter(self.contacts.values()), 0)
        if not self.contacts[customer]:
            await super().admit(inbox, customer, words)


@breaks(308, "channels")
class Tidy(GoodChannel):
    """Believes that everybody writes Latin letters."""

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        if what == "say":
            words = words.encode("latin-1", errors="replace").decode("latin-1")
        await super().deal(inbox, what, customer, message, words)


@breaks(309, "channels")
class Nameless(GoodChannel):
    """Takes the same words for the same message."""

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        await super().deal(inbox, what, customer, words[:100], words)


@breaks(310, "channels")
class Absent(GoodChannel):
    """Nobody is ever there."""

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool | None:
        await trio.lowlevel.checkpoint()
        return False


@breaks(311, "channels")
class Shortening(GoodChannel):
    """Delivers what fits on a card."""

    async def send(self, message: Outgoing) -> None:
        await super().send(msgspec.structs.replace(message, text=message.text[:100]))


@breaks(312, "channels")
class Repeating(GoodChannel):
    """Delivers whatever it is given."""

    async def send(self, message: Outgoing) -> None:
        if self.delivered.get(message.provider_id, 0) >= message.number and not self.restarted:
            self.delivered[message.provider_id] = message.number - 1
        await super().send(message)

    restarted = False

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        self.restarted = (self.data / "post.json").exists()
        await super().run(inbox, task_status=task_status)


@breaks(313, "channels")
class Announcing(GoodChannel):
    """Tells everybody."""

    async def send(self, message: Outgoing) -> None:
        await super().send(message)
        for customer in self.office.customers.values():
            if customer.id != message.provider_id:
                customer.heard.append(message.text)


@breaks(314, "channels")
class Boasting(GoodChannel):
    """Can't hold, and says that it can."""

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        raise NotImplementedError


@breaks(315, "channels")
class Loyal(GoodChannel):
    """Never believes that somebody has left."""

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        if what != "leave":
            await super().deal(inbox, what, customer, message, words)


@breaks(316, "channels")
class Vanishing(GoodChannel):
    """Ends a conversation without a word."""

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        await trio.lowlevel.checkpoint()
        self.forget(provider_id)


@breaks(317, "channels")
class Haunted(GoodChannel):
    """After a restart all are alive, and none is heard."""

    stale: frozenset[str] = frozenset()

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        if (self.data / "post.json").exists():
            self.stale = frozenset(self.office.customers)
        await super().run(inbox, task_status=task_status)

    async def deal(self, inbox: Inbox, what: str, customer: str, message: str, words: str) -> None:
        if customer not in self.stale:
            await super().deal(inbox, what, customer, message, words)


@breaks(318, "channels")
class Senile(GoodChannel):
    """Remembers who is there, but not what they were told."""

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        self.delivered = {}
        await super().run(inbox, task_status=task_status)

    def save(self) -> None:
        told, self.delivered = self.delivered, {}
        super().save()
        self.delivered = told


@breaks(319, "channels")
class Wordy(GoodChannel):
    """Carries words only."""

    async def send(self, message: Outgoing) -> None:
        await super().send(msgspec.structs.replace(message, attachments=()))


@breaks(1001, "channels")
class Shifting(GoodChannel):
    """Has other routes each time."""

    asked_n = 0

    def routes(self) -> Sequence[Any]:
        self.asked_n += 1
        return [*super().routes(), *([] if self.asked_n % 2 else super().routes())]


@breaks(1002, "channels")
class Open(GoodChannel):
    """Does not say who may."""

    def routes(self) -> Sequence[Any]:
        @get("/open", sync_to_thread=False)
        def count() -> int:
            return 1

        return [count]


# 401 to 413: desks ------------------------------------------------------------------------------------


@breaks(401, "desks")
class Patient(GoodDesk):
    """Waits for whoever is not there."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        if agent in self.hall.seats:
            await super().offer(agent, contact, offer=offer, expires_ns=expires_ns)


@breaks(402, "desks")
class StubbornDesk(GoodDesk):
    """Finishes an update, come what may."""

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        if agent.name not in self.hall.seats:
            with trio.CancelScope(shield=True):
                await trio.sleep(6)
        await super().update(agent, contacts)


@breaks(403, "desks")
class Anonymous(GoodDesk):
    """Does not say where the agent sits."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "sit":
            await inbox.submit(SignIn(agent=agent))
        else:
            await super().deal(inbox, what, agent, rest)


@breaks(404, "desks")
class Trusting(GoodDesk):
    """Keeps the seat warm for ever."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what != "leave":
            await super().deal(inbox, what, agent, rest)


@breaks(405, "desks")
class Muddled(GoodDesk):
    """Shows every offer under the number before it."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await super().offer(agent, contact, offer=offer - 1, expires_ns=expires_ns)


@breaks(406, "desks")
class Waiting(GoodDesk):
    """Returns when the agent has answered."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await super().offer(agent, contact, offer=offer, expires_ns=expires_ns)
        await trio.sleep(60)


@breaks(407, "desks")
class Modest(GoodDesk):
    """Takes a yes for a no."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "answer":
            rest = (*rest[:2], False)
        await super().deal(inbox, what, agent, rest)


@breaks(408, "desks")
class Eager(GoodDesk):
    """Takes a no for a yes."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "answer":
            contact, offer, _ = rest
            await inbox.submit(AnswerOffer(contact=contact, agent=agent, offer=offer, accept=True))
        else:
            await super().deal(inbox, what, agent, rest)


@breaks(409, "desks")
class Stacking(GoodDesk):
    """Shows whatever it is given."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await trio.lowlevel.checkpoint()
        self.hall.seats[agent].offers.append((contact.id, offer))


@breaks(410, "desks")
class Sticky(GoodDesk):
    """Leaves on the screen what was there."""

    async def withdraw(self, agent: str, contact: int, *, offer: int, reason: str) -> None:
        await trio.lowlevel.checkpoint()


@breaks(411, "desks")
class Blank(GoodDesk):
    """Shows states, not words."""

    async def update(self, agent: AgentView, contacts: Sequence[ContactView]) -> None:
        await trio.lowlevel.checkpoint()


@breaks(412, "desks")
class Ventriloquist(GoodDesk):
    """Speaks for the house."""

    async def deal(self, inbox: Inbox, what: str, agent: str, rest: tuple[Any, ...]) -> None:
        if what == "say":
            await inbox.submit(PostMessage(contact=rest[0], author="system", text=rest[1]))
        else:
            await super().deal(inbox, what, agent, rest)


@breaks(413, "desks")
class Loud(GoodDesk):
    """Calls every offer out across the hall."""

    async def offer(self, agent: str, contact: ContactView, *, offer: int, expires_ns: int) -> None:
        await super().offer(agent, contact, offer=offer, expires_ns=expires_ns)
        for other in self.hall.seats:
            await super().offer(other, contact, offer=offer, expires_ns=expires_ns)


# 501 to 507: sinks ------------------------------------------------------------------------------------


@breaks(501, "kpi_sinks")
class FromOne(GoodLedger):
    """Counts from one before it has seen anything."""

    async def position(self) -> int:
        return await super().position() or 1


@breaks(502, "kpi_sinks")
class Behind(GoodLedger):
    """Says one record less than it has."""

    async def position(self) -> int:
        return max(0, await super().position() - 1)


@breaks(503, "kpi_sinks")
class Choking(GoodLedger):
    """Can't swallow everything."""

    def take_in(self, records: Sequence[Record]) -> None:
        for record in records:
            repr(record).encode("latin-1")
        super().take_in(records)


@breaks(504, "kpi_sinks")
class Doubling(GoodLedger):
    """Counts what comes, as often as it comes."""

    async def write(self, batch: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint()
        self.take_in(batch)


@breaks(505, "kpi_sinks")
class Amnesiac(GoodLedger):
    """Ends in order, and begins the next time with an empty page."""

    fresh = True

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await super().run(inbox, task_status=task_status)
        finally:
            (self.data / "closed").touch()

    def load(self) -> None:
        super().load()
        if self.fresh and (self.data / "closed").exists():
            self.ended_n = 0
        self.fresh = False


@breaks(506, "kpi_sinks")
class Careless(GoodLedger):
    """Writes the position at once and the count at the end."""

    def save(self) -> None:
        self.file.write_text(json_of(self.seq, 0))

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await super().run(inbox, task_status=task_status)
        finally:
            self.file.write_text(json_of(self.seq, self.ended_n))


def json_of(seq: int, ended_n: int) -> str:
    return f"[{seq}, {ended_n}]"


@breaks(507, "kpi_sinks")
class Piecemeal(GoodLedger):
    """Counts first and notes the position later."""

    async def write(self, batch: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint()
        seq = self.seq
        self.take_in([record for record in batch if record.seq > seq])
        done, self.seq = self.seq, seq
        self.save()
        await trio.lowlevel.checkpoint()
        self.seq = done
        self.save()


@breaks(508, "crms")
class Unforgetting(GoodCrm):
    """Says that it has forgotten."""

    said = False

    async def erase_person(self, person: Person) -> int:
        erased_n, self.said = (0 if self.said else 1), True
        return erased_n


# 601 to 605: CRMs -------------------------------------------------------------------------------------


@breaks(601, "crms")
class Proud(GoodCrm):
    """Has no word for nobody."""

    async def find_customer(self, contact: ContactView) -> Customer | None:
        found = await super().find_customer(contact)
        if found is None:
            raise LookupError("never heard of them")
        return found


@breaks(602, "crms")
class Loosely(GoodCrm):
    """Answers with what it has in the drawer."""

    async def find_customer(self, contact: ContactView) -> Any:
        found = await super().find_customer(contact)
        return found and {"id": found.id}


@breaks(603, "crms")
class Chronicle(GoodCrm):
    """Begins at the beginning."""

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        return (await super().history(customer, handle=handle, limit=limit))[::-1]


@breaks(604, "crms")
class Speechless(GoodCrm):
    """Has nothing to say of strangers."""

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        return await super().history(customer, handle=handle, limit=limit) or None  # type: ignore[return-value]


@breaks(605, "crms")
class StubbornCrm(GoodCrm):
    """Looks to the end of the drawer."""

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        if handle == "x":
            with trio.CancelScope(shield=True):
                await trio.sleep(6)
        return await super().history(customer, handle=handle, limit=limit)


# 701 to 704: classifiers ------------------------------------------------------------------------------


@breaks(701, "classifiers")
class Vague(GoodClassifier):
    """Says it in a word."""

    async def classify(self, contact: ContactView) -> Any:
        found = await super().classify(contact)
        return "urgent" if found else None


@breaks(702, "classifiers")
class Fanciful(GoodClassifier):
    """Sends people to a queue that nobody has."""

    async def classify(self, contact: ContactView) -> Classification | None:
        found = await super().classify(contact)
        return Classification(queue="vip") if found else None


@breaks(703, "classifiers")
class Pondering(GoodClassifier):
    """Sleeps on it."""

    async def classify(self, contact: ContactView) -> Classification | None:
        await trio.sleep(3)
        return await super().classify(contact)


@breaks(704, "classifiers")
class StubbornClassifier(GoodClassifier):
    """Thinks a thought to its end, when it has begun."""

    async def classify(self, contact: ContactView) -> Classification | None:
        try:
            return await super().classify(contact)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(6)
            raise


# 801 to 807: bots -------------------------------------------------------------------------------------


@breaks(801, "bots")
class Shy(GoodBot):
    """Does not speak first."""

    async def turn(self, contact: ContactView, message: str | None) -> Any:
        return None if message is None else await super().turn(contact, message)


@breaks(802, "bots")
class Literal(GoodBot):
    """Needs a word to go on."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        if message is not None and not message.split()[0]:
            raise AssertionError
        return await super().turn(contact, message)


@breaks(803, "bots")
class Misspelt(GoodBot):
    """Hands over under a name of its own."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        found = await super().turn(contact, message)
        return BotTurn(then="handover") if found.then == "hand_over" else found  # type: ignore[arg-type]


@breaks(804, "bots")
class Talkative(GoodBot):
    """Has a lot to say."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        found = await super().turn(contact, message)
        return msgspec.structs.replace(found, texts=("and",) * 21)


@breaks(805, "bots")
class Lofty(GoodBot):
    """Hands over to a skill that nobody has."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        found = await super().turn(contact, message)
        return msgspec.structs.replace(found, skills={"sorcery": 10}) if found.then == "hand_over" else found


@breaks(806, "bots")
class Counting(GoodBot):
    """Counts the questions of its life."""

    asked_n = 0

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        self.asked_n += 1
        found = await super().turn(contact, message)
        return msgspec.structs.replace(found, summary=f"question {self.asked_n}")


@breaks(807, "bots")
class StubbornBot(GoodBot):
    """Says what it was about to say."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        try:
            return await super().turn(contact, message)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(6)
            raise


# 901 to 914: journals ---------------------------------------------------------------------------------


@breaks(901, "journal")
class Nonempty(GoodJournal):
    """Begins in 1970."""

    @property
    def last_at_ns(self) -> int:
        return super().last_at_ns or 1


@breaks(902, "journal")
class Losing(GoodJournal):
    """Reads back all but what has files."""

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        for records in super().read(after_seq):
            yield [record for record in records if not getattr(record.command, "internal", False)]


@breaks(903, "journal")
class WholeBatches(GoodJournal):
    """Gives whole batches."""

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        first = max((b.first_seq for b in self._batches if b.first_seq <= after_seq + 1), default=1)
        return super().read(first - 1 if after_seq < self.last_seq else after_seq)


@breaks(904, "journal")
class Timeless(GoodJournal):
    """Forgets when it was."""

    @property
    def last_at_ns(self) -> int:
        return super().last_at_ns // 1_000_000_000_000 * 1_000_000_000_000


@breaks(905, "journal")
class Indifferent(GoodJournal):
    """Says that something is wrong, but not what."""

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        try:
            super().append(batch, expected_seq=expected_seq)
        except Fenced as error:
            raise JournalError(str(error)) from error


@breaks(906, "journal")
class Hashless(GoodJournal):
    """Has no room for hashes."""

    def state_hashes(self, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
        return iter(())


@breaks(907, "journal")
class OldestFirst(GoodJournal):
    """Gives snapshots as they came."""

    def snapshots(self) -> Iterator[Snapshot]:
        return iter(self.kept)


@breaks(908, "journal")
class Prophetic(GoodJournal):
    """Keeps the state after records that are still to come."""

    def save_snapshot(self, seq: int, state: bytes) -> None:
        super().save_snapshot(min(seq, self.last_seq), state)


@breaks(909, "journal")
class Fading(GoodJournal):
    """Keeps nothing over its end."""

    def close(self) -> None:
        (self.folder / "batches").unlink(missing_ok=True)
        super().close()


@breaks(910, "journal")
class Buffering(GoodJournal):
    """Writes when it is closed."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self.buffered: list[Batch] = []
        super().__init__(settings, context)

    def _store(self, name: str, value: Any) -> None:
        if name == "batches":
            self.buffered.append(value)
        else:
            super()._store(name, value)

    def close(self) -> None:
        for batch in self.buffered:
            super()._store("batches", batch)
        self.buffered.clear()
        super().close()


@breaks(911, "journal")
class OneThread(GoodJournal):
    """Is read where it was made."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        self.home = get_ident()

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        if get_ident() != self.home:
            raise RuntimeError("another thread")
        return super().read(after_seq)


@breaks(912, "journal")
class ClosedOnce(GoodJournal):
    """Is closed once, or else."""

    def close(self) -> None:
        if self._lock_file < 0:
            raise RuntimeError("closed")
        super().close()


@breaks(913, "journal")
class Shared(GoodJournal):
    """Lets anybody in."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        fcntl.flock(self._lock_file, fcntl.LOCK_UN)


@breaks(914, "journal")
class Restless(GoodJournal):
    """Is never done."""

    def tidy(self) -> bool:
        super().tidy()
        return True


@breaks(1003, "front_doors")
class Demanding(GoodDoor):
    """Adds a page of its own to what it is given, in place."""

    def mount(self, routes: Any) -> None:
        routes.append("index")
        super().mount(routes)
