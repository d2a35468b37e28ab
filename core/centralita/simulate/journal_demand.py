"""Reads yesterday's demand off our own journal: who came, what they needed, how long they could wait.

A contact's own needs (queue, skills, priority, preferred agent) are those it had when it first waited, with what
CRMs and classifiers had answered by then. How long an agent was busy is what ContactEnded says; the after-work is
known when the agent ended it, not when a timer did. Whoever gave up tells their patience; everybody else only
that it was longer. Agents were there while they had chosen to be available.

Contacts refused because their queue was closed are ignored. Left out, and counted: contacts that agents placed, consultations (they are no demand), and what had not ended when the
journal did. A contact that became a callback is one that was turned away when it asked for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from centralita.config import EngineConfig
from centralita.errors import JournalError
from centralita.journal import Decoder, tables
from centralita.messages import (
    AgentLeaving,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    CallbackRequested,
    ConfigurationApplied,
    ContactAdmitted,
    ContactClassified,
    ContactConnected,
    ContactEnded,
    ContactIdentified,
    ContactOffered,
    ContactQueued,
    OfferDeclined,
    QueueClosed,
    QueueOpened,
    Record,
    WrapUpEnded,
)
from centralita.simulate.recorded import Presence, Recorded, RecordedOutcome, Recording, RecordingError

READ_RECORDS_N: Final = 1000
_NS: Final = 1_000_000_000
_OUTCOMES: Final[dict[str, RecordedOutcome]] = {"served": "served", "abandoned": "abandoned"}


@dataclass(slots=True)
class _Life:
    """What the records have said of a live contact."""

    admitted: ContactAdmitted
    arrived_ns: int
    skills: dict[str, int] | None
    priority: int
    preferred_agent: str
    queue: str = ""
    queued_ns: int | None = None
    joined_seq: int = 0
    waited_ns: int = -1
    offered_ns: dict[str, int] = field(default_factory=dict)
    answer_ns: int = 0
    agent: str = ""
    wrap_up_ns: int | None = None
    turned_away: bool = False
    declined_by: list[str] = field(default_factory=list)


class Demand:
    """The demand in records folded one by one; `recording` is what they hold so far."""

    def __init__(self) -> None:
        self.config: EngineConfig | None = None
        self._lives: dict[int, _Life] = {}
        self._contacts: list[Recorded] = []
        self._here: dict[str, int] = {}
        self._on_break: dict[str, Presence] = {}
        self._presences: list[Presence] = []
        self._unread: Counter[str] = Counter()
        self._closed: set[str] = set()
        self._seq = 0
        self._at_ns = 0
        self._handlers: dict[type, Callable[[Any], None]] = {
            ConfigurationApplied: self._configured,
            ContactAdmitted: self._admitted,
            ContactIdentified: self._identified,
            ContactClassified: self._classified,
            ContactQueued: self._queued,
            ContactOffered: self._offered,
            OfferDeclined: self._declined,
            ContactConnected: self._connected,
            CallbackRequested: self._callback,
            WrapUpEnded: self._wrapped,
            ContactEnded: self._ended,
            AgentSignedIn: self._status,
            AgentStatusChanged: self._status,
            AgentSignedOut: self._gone,
            AgentLeaving: self._gone,
            QueueClosed: self._shut,
            QueueOpened: self._shut,
        }

    def fold(self, record: Record) -> None:
        """Take in the next record."""
        self._seq, self._at_ns = record.seq, record.at_ns
        for event in record.events:
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(event)

    def recording(self, source: str) -> Recording:
        """All that has ended, by the time it came."""
        unread = self._unread + Counter({"live when the journal ended": len(self._lives)})
        target_s = 20.0
        if self.config is not None and self.config.queues:
            target_s = next(iter(self.config.queues.values())).answer_target_s
        presences = [
            *self._presences,
            *(replace(presence, gone_ns=self._at_ns) for presence in self._on_break.values()),
            *(
                Presence(agent=agent, from_ns=since_ns, until_ns=self._at_ns)
                for agent, since_ns in self._here.items()
            ),
        ]
        return Recording(
            contacts=tuple(sorted(self._contacts, key=lambda contact: (contact.arrived_ns, contact.id))),
            source=source,
            target_s=target_s,
            presences=tuple(sorted(presences, key=lambda one: (one.from_ns, one.agent))),
            unread=tuple(sorted((+unread).items())),
        )

    def _configured(self, event: ConfigurationApplied) -> None:
        self.config = event.config

    def _admitted(self, event: ContactAdmitted) -> None:
        if event.direction != "inbound":
            self._unread["placed by an agent" if event.direction == "outbound" else "consultation"] += 1
            return
        self._lives[event.contact] = _Life(
            event, self._at_ns, event.skills, event.priority, event.preferred_agent
        )

    def _identified(self, event: ContactIdentified) -> None:
        life = self._lives.get(event.contact)
        if life is not None and event.customer is not None and not life.preferred_agent:
            life.preferred_agent = event.customer.preferred_agent

    def _classified(self, event: ContactClassified) -> None:
        life = self._lives.get(event.contact)
        if life is not None and life.queued_ns is None:
            life.skills, life.priority = event.skills, event.priority
            life.preferred_agent = event.preferred_agent or life.preferred_agent

    def _queued(self, event: ContactQueued) -> None:
        life = self._lives.get(event.contact)
        if life is None:
            return
        life.joined_seq = self._seq
        if life.queued_ns is None:
            life.queue, life.queued_ns = event.queue, self._at_ns

    def _offered(self, event: ContactOffered) -> None:
        life = self._lives.get(event.contact)
        if life is not None:
            life.offered_ns[event.agent] = self._at_ns

    def _declined(self, event: OfferDeclined) -> None:
        life = self._lives.get(event.contact)
        if life is not None:
            life.declined_by.append(event.agent)

    def _connected(self, event: ContactConnected) -> None:
        life = self._lives.get(event.contact)
        if life is not None and life.waited_ns < 0:
            life.waited_ns, life.agent = event.waited_ns, event.agent
            life.answer_ns = self._at_ns - life.offered_ns.get(event.agent, self._at_ns)

    def _callback(self, event: CallbackRequested) -> None:
        life = self._lives.get(event.contact)
        if life is not None and life.waited_ns < 0 and life.queued_ns is not None:
            life.turned_away, life.waited_ns = True, self._at_ns - life.queued_ns

    def _wrapped(self, event: WrapUpEnded) -> None:
        life = self._lives.get(event.contact)
        if life is not None and event.by in ("agent", "status"):
            life.wrap_up_ns = event.wrap_up_ns

    def _ended(self, event: ContactEnded) -> None:
        life = self._lives.pop(event.contact, None)
        if life is None:
            return
        outcome = _OUTCOMES.get(event.outcome, "turned_away")
        if self._found_closed(event, life):
            outcome = "ignored"  # it came when nobody was to be there, under any rule
        elif life.queued_ns is None:
            outcome = "left_in_self_service"
        elif life.turned_away or (outcome == "abandoned" and life.agent):
            # Who left after a first answer had the patience for that one; the wait for it is what counts.
            outcome = "served" if life.agent and not life.turned_away else "turned_away"
        waited_ns = event.waited_ns if life.waited_ns < 0 else life.waited_ns
        if outcome == "left_in_self_service":
            waited_ns = self._at_ns - life.arrived_ns
        credit_ns = life.admitted.credit_ns
        self._contacts.append(
            Recorded(
                id=str(event.contact),
                kind=life.queue or event.queue,
                customer=life.admitted.handle,
                credit_s=None if credit_ns is None else credit_ns / _NS,
                arrived_ns=life.arrived_ns,
                queued_ns=life.queued_ns,
                waited_ns=waited_ns,
                handling_ns=event.talk_ns + event.hold_ns if outcome == "served" else 0,
                agent=life.agent if outcome == "served" else "",
                outcome=outcome,
                wrap_up_ns=life.wrap_up_ns,
                answer_ns=life.answer_ns,
                channel=life.admitted.channel,
                skills=life.skills,
                priority=life.priority,
                preferred_agent=life.preferred_agent,
                declined_by=tuple(life.declined_by),
            )
        )

    def _found_closed(self, event: ContactEnded, life: _Life) -> bool:
        # A sealed journal read without its keys has no reasons, but says when queues were closed.
        if event.outcome != "refused" or event.by != "rules":
            return False
        return event.reason == "closed" or (life.joined_seq == self._seq and event.queue in self._closed)

    def _shut(self, event: QueueClosed | QueueOpened) -> None:
        if isinstance(event, QueueClosed):
            self._closed.add(event.queue)
        else:
            self._closed.discard(event.queue)

    def _status(self, event: AgentSignedIn | AgentStatusChanged) -> None:
        if event.status == "available":
            self._back(event.agent)
            self._here.setdefault(event.agent, self._at_ns)
        elif event.status == "break":
            presence = self._away(event.agent)
            if presence is not None:
                self._on_break[event.agent] = presence
        else:
            self._gone(event)

    def _gone(self, event: AgentSignedIn | AgentStatusChanged | AgentSignedOut | AgentLeaving) -> None:
        self._back(event.agent)
        presence = self._away(event.agent)
        if presence is not None:
            self._presences.append(presence)

    def _away(self, agent: str) -> Presence | None:
        """The presence that ends now, if there is one of any length."""
        since_ns = self._here.pop(agent, None)
        if since_ns is None or since_ns >= self._at_ns:
            return None
        return Presence(agent=agent, from_ns=since_ns, until_ns=self._at_ns)

    def _back(self, agent: str) -> None:
        """A break ends, by coming back or by going home."""
        presence = self._on_break.pop(agent, None)
        if presence is not None:
            self._presences.append(replace(presence, gone_ns=self._at_ns))


def read_journal(path: Path) -> Recording:
    """The demand of a whole journal's file. Raises RecordingError for what can't be read."""
    demand = Demand()
    for record in records_of(path):
        demand.fold(record)
    return demand.recording(path.name)


def records_of(path: Path) -> Iterator[Record]:
    """The records of a journal's file, or of one from its archive; a daemon may be writing it."""
    try:
        tables.check_there(path)
        with closing(tables.connect(path, write=False)) as connection:
            tables.check_identity(connection, path)
            decoder, after_seq = Decoder(), tables.bounds(connection)[0] - 1
            while True:
                batches, damage = tables.slice_after(connection, after_seq, records_n=READ_RECORDS_N)
                for batch in batches:
                    yield from _after(decoder.decode(batch), after_seq)
                    after_seq = batch.last_seq
                if damage is not None:
                    raise RecordingError(f"{path}: {damage}") from damage
                if not batches:
                    return
    except JournalError as error:
        raise RecordingError(str(error)) from error


def _after(records: Iterable[Record], seq: int) -> Iterator[Record]:
    return (record for record in records if record.seq > seq)
