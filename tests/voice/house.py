"""A contact centre with telephones: an engine, a real Asterisk, agents' phones and customers' phones."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from tools.asterisk_server import PASSWORD, USER, Asterisk

import centralita_asterisk
from centralita import MemoryJournal, open_engine
from centralita.config import loads
from centralita.journal import Batch, Journal
from centralita.messages import AnyCommand, ContactEnded, Record, SetStatus, SignIn
from centralita.runner.switchboard import LiveSwitchboard
from centralita.views import ContactView
from tests.voice.phone import WITHIN_S, Phone, Talk

CUSTOMER_HZ = 700
HZ = {"ana": 900, "bea": 1100, "carl": 1300, "dora": 1700}

CONFIG = """
default_queue = "sales"
[limits]
grace_s = 20
[queues.sales]
offer_s = 20
wrap_up_s = 0
no_answer = "stay"
ask_again_s = 1
[queues.support]
wrap_up_s = 0
[agents.ana]
title = "Ana"
[agents.bea]
[agents.carl]
[agents.dora]
[channels.phone]
type = "asterisk"
queue = "sales"
reconnect_longest_s = 0.5
[channels.phone.servers.main]
url = "{url}"
user = "{user}"
password = "{password}"
[desks.phones]
type = "asterisk"
channel = "phone"
"""


def config(asterisk: Asterisk, changed: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The configuration as a mapping; `changed` are tables merged into it, `phone` the channel's."""
    raw = tomllib.loads(
        CONFIG.replace("{url}", asterisk.url).replace("{user}", USER).replace("{password}", PASSWORD)
    )
    for path, table in changed.items():
        place = raw
        for part in {"phone": "channels.phone", "phones": "desks.phones", "sales": "queues.sales"}.get(
            path, path
        ).split("."):
            place = place.setdefault(part, {})
        place.update(table)
    return raw


class HeldJournal(MemoryJournal):
    """A journal whose disk a test holds up: with a `gate`, what is appended waits until it is set."""

    blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.gate: trio.Event | None = None
        self.token: trio.lowlevel.TrioToken | None = None

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        if self.gate is not None:
            trio.from_thread.run(self.gate.wait, trio_token=self.token)
        super().append(batch, expected_seq=expected_seq)


class House:
    """Everything a test wants to get at."""

    ended = ContactEnded

    def __init__(
        self,
        switchboard: LiveSwitchboard,
        asterisk: Asterisk,
        nursery: trio.Nursery,
        folder: Path,
        *,
        after_seq: int,
    ) -> None:
        self.folder = folder
        self.switchboard = switchboard
        self.asterisk = asterisk
        self.nursery = nursery
        self.records: list[Record] = []
        self._seen_seq = after_seq
        self._news = trio.lowlevel.ParkingLot()

    async def phone(
        self, name: str, *, hz: int | None = None, sign_in: bool = True, **settings: Any
    ) -> Phone:
        """An agent's telephone, registered, and the agent signed in."""
        phone = Phone(self.nursery, name, hz=HZ.get(name, 0) if hz is None else hz, **settings)
        await phone.open(self.asterisk.sip)
        await phone.register()
        if sign_in:
            await self.do(SignIn(agent=name, desk="phones"))
        return phone

    async def customer(self, number: str = "600111222", *, hz: int = CUSTOMER_HZ) -> Phone:
        """A telephone outside."""
        phone = Phone(self.nursery, number, hz=hz)
        await phone.open(self.asterisk.sip)
        return phone

    async def carrier(self, *, hz: int = CUSTOMER_HZ) -> Phone:
        """Whoever is called outside, whatever the number."""
        phone = Phone(self.nursery, "carrier", hz=hz)
        await phone.open(self.asterisk.sip, port=self.asterisk.carrier)
        return phone

    async def back(self, agent: str) -> None:
        """Have an agent be available, whatever has become of them."""
        await self.do(SignIn(agent=agent, desk="phones"))
        await self.do(SetStatus(agent=agent, status="available"))

    async def do(self, command: AnyCommand) -> int:
        """Hand in a command that must not be refused; returns the contact it is about."""
        outcome = await self.switchboard.submit(command)
        assert outcome.refusal is None, outcome.refusal
        return outcome.contact

    async def until(self, what: Callable[[], Any], *, within_s: float = WITHIN_S) -> Any:
        """Wait until something is true; returns it."""
        with trio.move_on_after(within_s):
            while not (found := what()):
                with trio.move_on_after(0.02):
                    await self._news.park()
            return found
        raise AssertionError(f"not in {within_s:g} s: {self.story()}")

    async def event(self, kind: type, *, within_s: float = WITHIN_S, **fields: Any) -> Any:
        """The first event of a kind with these fields, past or to come."""
        return await self.until(lambda: next(iter(self.events(kind, **fields)), None), within_s=within_s)

    def events(self, kind: type, **fields: Any) -> list[Any]:
        """Events so far."""
        return [
            event
            for record in self.records
            for event in record.events
            if isinstance(event, kind)
            and all(getattr(event, name) == value for name, value in fields.items())
        ]

    def only(self) -> ContactView:
        """The one live contact that is no consultation."""
        (contact,) = [view for view in self.switchboard.contacts() if not view.parent]
        return contact

    async def phase(self, phase: str, *, within_s: float = WITHIN_S) -> ContactView:
        """Wait until the one live contact is in a phase."""

        def found() -> ContactView | None:
            views = [view for view in self.switchboard.contacts() if not view.parent]
            return views[0] if len(views) == 1 and views[0].phase == phase else None

        view: ContactView = await self.until(found, within_s=within_s)
        return view

    async def quiet(self, *, within_s: float = WITHIN_S, phones: Sequence[Phone] = ()) -> None:
        """Wait until no contact lives and the server has no channel; what is left fails."""
        await self.quiet_contacts(within_s=within_s)
        left: list[str] = []
        with trio.move_on_after(within_s):
            while left := await trio.to_thread.run_sync(self.asterisk.channels):
                await trio.sleep(0.05)
        assert not left, left

    async def quiet_contacts(self, *, within_s: float = WITHIN_S) -> None:
        """Wait until no contact lives, and `records` say how each has ended."""
        await self.until(lambda: not self.switchboard.contacts() and self._has_seen_all(), within_s=within_s)

    def _has_seen_all(self) -> bool:
        """Whether everything decided so far is among the records: they follow what the switchboard shows."""
        return bool(self._seen_seq >= self.switchboard.status()["journal_seq"])

    def story(self) -> str:
        """What has happened, for a failure's message."""
        contacts = [
            (view.id, view.phase, [(work.agent, work.state) for work in view.works])
            for view in self.switchboard.contacts()
        ]
        events = [type(event).__name__ for record in self.records[-30:] for event in record.events]
        return f"contacts {contacts}; {events}; asterisk: {self.asterisk.log()[-500:]}"

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        # From before it was opened: a call that was there has its events while we are not here yet.
        async with self.switchboard.follow(after_seq=self._seen_seq) as batches:
            task_status.started()
            async for batch in batches:
                self.records += batch
                self._seen_seq = batch[-1].seq
                self._news.unpark_all()

    def outcomes(self) -> list[str]:
        """How contacts have ended, consultations apart."""
        return [event.outcome for event in self.events(ContactEnded) if event.outcome != "consulted"]


@asynccontextmanager
async def open_house(
    asterisk: Asterisk,
    *,
    journal: Journal | None = None,
    plugins: Sequence[object] = (),
    tidy: bool = True,
    folder: Path | None = None,
    also: Mapping[str, dict[str, Any]] | None = None,
    **changed: dict[str, Any],
) -> AsyncIterator[House]:
    """Open it; at the end nothing may be left on the server unless `tidy` is False."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        raw = config(asterisk, {**changed, **(also or {})})
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        raw.setdefault("domain", {})["data"] = str(folder)
        journal = journal or MemoryJournal()
        after_seq = journal.last_seq
        switchboard = await stack.enter_async_context(
            open_engine(raw, plugins=[centralita_asterisk, *plugins], entry_points=False, journal=journal)
        )
        house = House(switchboard, asterisk, nursery, folder, after_seq=after_seq)
        await nursery.start(house._follow)
        try:
            yield house
        except Exception as error:
            error.add_note(house.story())
            raise
        if tidy:
            await house.quiet()
        nursery.cancel_scope.cancel()


async def talk(house: House, customer: Phone, agent: Phone, *, to: str = "sales") -> tuple[Talk, Talk]:
    """A customer calls, an agent's phone rings and is answered, both hear each other."""
    calling = await customer.call(to)
    ringing = await agent.rings()
    await ringing.answer()
    await house.phase("connected")
    await calling.hears(agent.hz)
    await ringing.hears(customer.hz)
    return calling, ringing


__all__ = ["CONFIG", "CUSTOMER_HZ", "HZ", "WITHIN_S", "House", "config", "loads", "open_house", "talk"]
