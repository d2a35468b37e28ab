"""The dialler: puts numbers before the engine as fast as agents are free, and writes down how each ended.

A record that is tried becomes a contact of direction `outbound`: it waits in the campaign's queue, the engine says whom it
is for, and the channel dials when that agent has accepted. What the dialler knows of its contacts it reads in the
journal, from a position of its own; it asks the engine for nothing that it has not written down before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import trio

from centralita.calendars import calendars
from centralita.config import NS_PER_S, ns
from centralita.errors import CentralitaError, EngineStopped
from centralita.matching.protocol import NEVER_NS
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    CancelContact,
    ContactAdmitted,
    ContactConnected,
    ContactEnded,
    ContactNoted,
    ContactOffered,
    OfferAccepted,
    Record,
    WrapUpEnded,
)
from centralita.protocols import Context, Inbox, Person
from centralita_dialler import persons
from centralita_dialler.calling_hours import CallingHours
from centralita_dialler.numbers import zones_of
from centralita_dialler.pacing import PACINGS, Situation
from centralita_dialler.results import verdict
from centralita_dialler.routes import make_routes
from centralita_dialler.settings import Campaign, Settings
from centralita_dialler.store import Added, Ended, Entry, Row, Standing, Store

T = TypeVar("T")

WAITING_COUNTED_MAX: Final = 2000
"""Who waits is counted so far; more than this wait for no free agent anyway."""
LOOK_S: Final = 5.0
"""How often the dialler looks, when nothing has happened that wakes it."""
LOOK_GAP_S: Final = 0.05
"""It does not look more often, however much happens in a busy centre."""
BEGUN_AT_ONCE_MAX: Final = 50
"""Numbers of one campaign that are begun at one look."""
DUE_LOOKED_AT_MAX: Final = 500
"""Records that are looked at for those that may be called now; the others of them wait for their hours."""
SEQ_BEHIND_MAX: Final = 5000
"""So many records of the journal that say nothing to us are passed before the position is put away."""
_MINUTE_NS: Final = 60 * NS_PER_S
_WAKING: Final = ("waiting", "offered")


class Live:
    """A record that is with the engine."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.contact = row.contact
        self.agent = row.agent
        self.disposition = row.disposition
        self.reached = row.result == "answered"

    def standing(self) -> Standing:
        """What of it a later life must know."""
        result = "answered" if self.reached else ""
        return Standing(
            record=self.row.id,
            contact=self.contact,
            result=result,
            agent=self.agent,
            disposition=self.disposition,
        )


class Dialler:
    """The component of type `dialler`."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self.settings = settings
        self.name = context.name
        self._log = context.log
        self._clock = context.clock
        self._switchboard = context.switchboard
        self._store = Store(context.data / "lists.sqlite")
        known = calendars(context.configuration.hours)
        self._hours = {
            name: CallingHours(known.get(campaign.hours)) for name, campaign in settings.campaigns.items()
        }
        self._one = trio.CapacityLimiter(1)
        self._is_open = False
        self._running: set[str] = set()
        self._live: dict[str, Live] = {}
        self._by_contact: dict[int, Live] = {}
        self._taken = 0
        self._begun: dict[str, deque[int]] = {name: deque() for name in settings.campaigns}
        self._not_for_ns: dict[str, int] = {}
        """Agents whose phone nobody took, and until when nothing is accepted for them."""
        self._wake = trio.Event()
        self._inbox: Inbox | None = None
        self._nursery: trio.Nursery | None = None

    def routes(self) -> Sequence[Any]:
        """The HTTP under /api/campaigns and /api/do-not-call."""
        return make_routes(self)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Dial until cancelled. What is with the engine then goes on; the next life finds it."""
        self._inbox = inbox
        try:
            position = await self._open()
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await nursery.start(self._follow, position)
                task_status.started()
                await self._begin_again()
                while True:
                    self._wake = trio.Event()
                    due_ns = await self._look()
                    wait_s = min(LOOK_S, max(0.0, (due_ns - self._clock.now_ns()) / NS_PER_S))
                    with trio.move_on_after(wait_s):
                        await self._wake.wait()
                    await trio.sleep(LOOK_GAP_S)
        finally:
            self._inbox = self._nursery = None
            self._is_open = False
            with trio.CancelScope(shield=True):
                await self._blocking(self._store.close)

    # What people ask, through HTTP ----------------------------------------------------------------

    async def add(self, campaign: str, entries: Sequence[Entry]) -> Added:
        """Put entries on a list."""
        added = await self._in_store(
            lambda: self._store.add(
                campaign, entries, now_ns=self._clock.now_ns(), records_max=self.settings.records_max
            )
        )
        self._wake.set()
        return added

    async def set_running(self, campaign: str, *, running: bool) -> None:
        """Start or pause a campaign. Paused, what nobody has accepted yet is taken back."""
        await self._in_store(lambda: self._store.set_running(campaign, running=running))
        (self._running.add if running else self._running.discard)(campaign)
        self._wake.set()

    async def standing(self, campaign: str) -> dict[str, Any]:
        """How a campaign stands, ready for JSON."""
        rules = self.settings.campaigns[campaign]
        counts = await self._in_store(lambda: self._store.counts(campaign))
        results = await self._in_store(lambda: self._store.results(campaign))
        return {
            "name": campaign,
            "title": rules.title or campaign,
            "mode": rules.mode,
            "channel": rules.channel,
            "queue": rules.queue,
            "running": campaign in self._running,
            "records": counts,
            "results": results,
            "attempts": sum(results.values()),
        }

    async def records(self, campaign: str, *, state: str, after: int, limit: int) -> list[Row]:
        """Records of a list."""
        return await self._in_store(
            lambda: self._store.records(campaign, state=state, after=after, limit=limit)
        )

    async def block(self, numbers: Sequence[str], reason: str) -> int:
        """Put numbers on the do-not-call list; what waits for an agent with one of them is taken back."""
        blocked = await self._in_store(
            lambda: self._store.block(numbers, reason, now_ns=self._clock.now_ns())
        )
        self._wake.set()
        return blocked

    async def unblock(self, number: str) -> bool:
        """Take a number off the do-not-call list."""
        return await self._in_store(lambda: self._store.unblock(number))

    async def blocked(self, after: str, limit: int) -> list[tuple[str, str, int]]:
        """The do-not-call list."""
        return await self._in_store(lambda: self._store.blocked(after, limit))

    # One person -----------------------------------------------------------------------------------

    async def find_person(self, person: Person) -> Person:
        """The contacts by which the person's numbers were tried."""
        region = self.settings.region
        return await self._in_store(
            lambda: self._store.ask(partial(persons.find, person=person, region=region))
        )

    async def export_person(self, person: Person) -> dict[str, Any]:
        """The person's records, and whether their numbers are on the do-not-call list."""
        region = self.settings.region
        return await self._in_store(
            lambda: self._store.ask(partial(persons.export, person=person, region=region))
        )

    async def erase_person(self, person: Person) -> int:
        """Forget the person's records; how many there were. Who is not to be called stays so."""
        region = self.settings.region
        return await self._in_store(
            lambda: self._store.forget(partial(persons.erase, person=person, region=region))
        )

    # The journal ----------------------------------------------------------------------------------

    async def _open(self) -> int:
        await self._blocking(self._store.open)
        self._is_open = True
        position = await self._in_store(self._store.position)
        if position is None:
            # What was before this dialler's first day is not its business.
            position = int(self._switchboard.status()["durable_seq"])
            seq = position
            await self._in_store(lambda: self._store.take(seq, (), (), now_ns=self._clock.now_ns()))
        self._taken = position
        for name, campaign in self.settings.campaigns.items():
            retries_ns: dict[str, int] = {"": ns(campaign.retry_ours_s)}
            retries_ns |= {result: ns(seconds) for result, seconds in campaign.retry_s.items()}
            now_ns = self._clock.now_ns()
            await self._in_store(partial(self._store.forget_hours, name, retries_ns, now_ns=now_ns))
        self._running = await self._in_store(self._store.running)
        self._live = {row.provider_id: Live(row) for row in await self._in_store(self._store.live)}
        self._by_contact = {live.contact: live for live in self._live.values() if live.contact}
        return position

    async def _follow(self, position: int, *, task_status: trio.TaskStatus[None]) -> None:
        """Read the journal on; started when all that was durable at the start is read."""
        until = int(self._switchboard.status()["durable_seq"])
        async with self._switchboard.follow(after_seq=position) as batches:
            if position >= until:
                task_status.started()
            async for batch in batches:
                await self._take(batch)
                if position < until <= batch[-1].seq:
                    task_status.started()
                position = max(position, batch[-1].seq)
                self._wake.set()

    async def _take(self, batch: Sequence[Record]) -> None:
        changed: dict[int, Live] = {}
        ended: list[Ended] = []
        for record in batch:
            for event in record.events:
                self._happened(event, record.at_ns, changed, ended)
        seq = batch[-1].seq
        if not changed and seq < self._taken + SEQ_BEHIND_MAX:
            return  # the position may lag: what lies between says nothing to us
        standings = [live.standing() for live in changed.values()]
        now_ns = self._clock.now_ns()
        await self._in_store(lambda: self._store.take(seq, standings, ended, now_ns=now_ns))
        self._taken = seq

    def _happened(self, event: object, at_ns: int, changed: dict[int, Live], ended: list[Ended]) -> None:
        if isinstance(event, ContactAdmitted) and (begun := self._live.get(event.provider_id)) is not None:
            begun.contact = event.contact
            self._by_contact[event.contact] = begun
        live = self._by_contact.get(getattr(event, "contact", 0))
        if live is None:
            return
        match event:
            case ContactOffered():
                self._accept(live, event)
                return
            case ContactAdmitted():
                pass
            case OfferAccepted():
                live.agent = event.agent
            case ContactConnected():
                live.reached = True
            case ContactNoted() | WrapUpEnded():
                live.disposition = event.disposition or live.disposition
            case ContactEnded():
                ended.append(self._ended(live, event, at_ns))
            case _:
                return
        changed[live.row.id] = live

    def _ended(self, live: Live, event: ContactEnded, at_ns: int) -> Ended:
        row = live.row
        del self._by_contact[live.contact], self._live[row.provider_id]
        campaign = self.settings.campaigns.get(row.campaign)
        if campaign is None:  # it has left the configuration
            return Ended(
                record=row.id, result="", reason="no such campaign", agent=live.agent,
                disposition=live.disposition, next_ns=0, stopped=True,
            )  # fmt: skip
        ours = event.outcome == "cancelled" and event.by == self._signature
        found = verdict(event, live.disposition, campaign, row.attempts)
        if found.result is None and live.agent and not ours and event.by == "channel":
            self._not_for_ns[live.agent] = at_ns + ns(campaign.retry_ours_s)
        again_s = 0.0 if ours else found.again_s
        never = live.disposition if live.disposition in campaign.never_again else ""
        return Ended(
            record=row.id,
            result=found.result or "",
            reason=event.reason,
            agent=live.agent,
            disposition=live.disposition,
            next_ns=0 if again_s is None or never else at_ns + ns(again_s),
            stopped=found.stopped and not ours,
            never_again=never,
        )

    # Dialling -------------------------------------------------------------------------------------

    @property
    def _signature(self) -> str:
        return f"dialler {self.name}"

    def _accept(self, live: Live, event: ContactOffered) -> None:
        """Of a progressive campaign the agent is not asked; one whose phone nobody took just now is."""
        campaign = self.settings.campaigns.get(live.row.campaign)
        if campaign is None or campaign.mode != "progressive" or self._nursery is None:
            return
        now_ns = self._clock.now_ns()
        if self._not_for_ns.get(event.agent, 0) > now_ns or not self._may_call(live.row, now_ns):
            return
        answer = AnswerOffer(contact=event.contact, agent=event.agent, offer=event.offer, accept=True)
        self._nursery.start_soon(self._submit, answer)

    async def _submit(self, command: AnyCommand) -> str:
        """Hand a command in; the code of the refusal, if any."""
        assert self._inbox is not None
        try:
            outcome = await self._inbox.submit(command)
        except EngineStopped:
            return "stopping"
        return outcome.refusal.code if outcome.refusal is not None else ""

    async def _begin_again(self) -> None:
        """What was written down and never reached the engine is handed in: it knows what it has by its id."""
        for live in list(self._live.values()):
            if not live.contact:
                await self._admit(live)

    async def _look(self) -> int:
        """Do what can be done now; when to look again at the latest, in ns."""
        now_ns = self._clock.now_ns()
        await self._take_back(now_ns)
        next_ns = NEVER_NS
        for name, campaign in self.settings.campaigns.items():
            if name in self._running:
                await self._dial(name, campaign, now_ns)
                due_ns = await self._in_store(lambda name=name: self._store.next_due_ns(name, now_ns))  # type: ignore[misc]  # a default binds it
                next_ns = min(next_ns, due_ns or NEVER_NS)
        return next_ns

    async def _dial(self, name: str, campaign: Campaign, now_ns: int) -> None:
        situation = await self._situation(name, campaign)
        wanted = PACINGS[campaign.mode].to_begin(situation, campaign)
        wanted = min(wanted, BEGUN_AT_ONCE_MAX, self._left_this_minute(name, campaign, now_ns))
        if wanted <= 0:
            return
        rows = await self._in_store(lambda: self._store.due(name, now_ns, DUE_LOOKED_AT_MAX))
        right = [row for row in rows if self._may_call(row, now_ns)]
        hours = self._hours[name]
        later = [
            (row.id, hours.next_ns(_zones(row), now_ns)) for row in rows if not self._may_call(row, now_ns)
        ]
        if later:
            await self._in_store(lambda: self._store.postpone(later, now_ns=now_ns))
            self._wake.set()  # there may be others behind them
        chosen = right[:wanted]
        if not chosen:
            return
        begun = await self._in_store(lambda: self._store.begin(chosen, self.name, now_ns=now_ns))
        for row in begun:
            self._begun[name].append(now_ns)
            self._live[row.provider_id] = live = Live(row)
            await self._admit(live)

    async def _admit(self, live: Live) -> None:
        row, campaign = live.row, self.settings.campaigns.get(live.row.campaign)
        code = "unknown_campaign"
        if campaign is not None:
            code = await self._submit(
                AdmitContact(
                    channel=campaign.channel,
                    provider_id=row.provider_id,
                    handle=row.number,
                    subject=campaign.title or row.campaign,
                    customer_name=row.name,
                    language=row.language,
                    queue=campaign.queue,
                    priority=campaign.priority,
                    attributes={**row.attributes, "campaign": row.campaign, "attempt": str(row.attempts + 1)},
                    outbound=True,
                )
            )
        if code:
            # Refused, so that the engine has nothing of it: it is tried again as if it had not been.
            self._log.warning("record_refused", campaign=row.campaign, record=row.id, code=code)
            del self._live[row.provider_id]
            now_ns = self._clock.now_ns()
            again_ns = now_ns + ns(campaign.retry_ours_s if campaign is not None else 0)
            await self._in_store(lambda: self._store.postpone([(row.id, again_ns)], now_ns=now_ns))

    async def _take_back(self, now_ns: int) -> None:
        """What nobody has accepted yet is taken back when it may not be called any more."""
        waiting = []
        for live in self._by_contact.values():
            view = self._switchboard.contact(live.contact, messages=False)
            if view is not None and view.phase in _WAKING and not live.reached:
                waiting.append(live)
        if not waiting:
            return
        numbers = [live.row.number for live in waiting]
        blocked = await self._in_store(lambda: self._store.is_blocked(numbers))
        for live in waiting:
            stands = live.row.campaign in self._running and self._may_call(live.row, now_ns)
            if not stands or live.row.number in blocked:
                await self._submit(CancelContact(contact=live.contact, by=self._signature, reason="not now"))

    async def _situation(self, name: str, campaign: Campaign) -> Situation:
        queue = self._switchboard.queue(campaign.queue)
        # A call-back that is due tomorrow takes nobody's turn today.
        waiting = self._switchboard.contacts(queue=campaign.queue, phase="waiting", limit=WAITING_COUNTED_MAX)
        own = [live for live in self._live.values() if live.row.campaign == name]
        views = [self._switchboard.contact(live.contact, messages=False) for live in own if live.contact]
        results = await self._in_store(lambda: self._store.results(name))
        return Situation(
            free=queue.agents_available if queue is not None else 0,
            waiting=sum(not view.due_ns for view in waiting),
            live=len(own),
            dialling=sum(view is not None and view.phase == "connecting" for view in views),
            results=results,
        )

    def _may_call(self, row: Row, now_ns: int) -> bool:
        hours = self._hours.get(row.campaign)
        return hours is not None and hours.allow(_zones(row), now_ns)

    def _left_this_minute(self, name: str, campaign: Campaign, now_ns: int) -> int:
        begun = self._begun[name]
        while begun and begun[0] <= now_ns - _MINUTE_NS:
            begun.popleft()
        return campaign.per_minute_max - len(begun)

    async def _in_store(self, ask: Callable[[], T]) -> T:
        if not self._is_open:
            raise DiallerClosed("the dialler is not running")
        return await self._blocking(ask)

    async def _blocking(self, ask: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(ask, limiter=self._one)


class DiallerClosed(CentralitaError):
    """Asked while it is starting or has ended."""


def _zones(row: Row) -> tuple[str, ...]:
    return row.zones or zones_of(row.number)
