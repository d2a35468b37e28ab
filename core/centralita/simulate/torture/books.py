"""Books of a day, kept from the events alone: who is there, who has whom, what was said, how much of each.

They know nothing of the engine's state, and so can be held against it: two clerks who read the same records
and never speak. What an event may not do is said here at once (a contact given to two agents, an offer
made twice, an admission repeated, a message's number left out); whether the engine's state agrees is
`checks.py`'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from centralita.messages import (
    AgentConnectionLost,
    AgentJoined,
    AgentLeft,
    AgentReturned,
    AgentSignedIn,
    AgentSignedOut,
    AnyEvent,
    CallbackDue,
    CallbackPostponed,
    CallbackRequested,
    ConnectionFailed,
    ConsultationEnded,
    ConsultationStarted,
    ContactAdmitted,
    ContactConnected,
    ContactEnded,
    ContactOffered,
    ContactPicked,
    ContactPlaced,
    ContactQueued,
    ContactRated,
    ContactReturned,
    ContactsErased,
    ContactTransferred,
    DeliveryFailed,
    DeliveryMade,
    ExclusionsEnded,
    MessagePosted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    ServiceEnded,
    TransferStarted,
    WrapUpEnded,
    WrapUpStarted,
)
from centralita.simulate.torture.violation import Violation


class Page:
    """What is written of one live contact."""

    __slots__ = ("answered", "arrived_ns", "asked", "attempts", "consultation", "due_ns", "excluded", "having", "key", "messages", "parent", "picked", "place", "said", "wait_from_ns", "wrapping")  # fmt: skip

    def __init__(self, parent: int, key: str, at_ns: int) -> None:
        self.parent = parent
        self.key = key
        self.arrived_ns = at_ns
        self.asked: dict[str, int] = {}
        """Open offers: agent and number."""
        self.having: set[str] = set()
        """Who has accepted it, joined it or was handed it, and has not let go."""
        self.wrapping: set[str] = set()
        self.consultation = 0
        self.excluded: set[str] = set()
        """Who has declined, failed or let go, and may not be asked again yet."""
        self.picked = ""
        self.place = (0, 0, 0)
        """When it was queued, its credit and its rate: it keeps them until it is queued anew."""
        self.messages = 0
        self.said: dict[str, int] | None = None
        """Messages by the id their author gave, newest last."""
        self.wait_from_ns = 0
        self.answered = False
        self.due_ns = 0
        """A callback's agreed moment, until it has come."""
        self.attempts = 0
        """How often a callback was tried in vain, and is to be tried again."""

    def copy(self) -> Page:
        """A page that may be written on apart."""
        page = Page(self.parent, self.key, self.arrived_ns)
        page.asked, page.having, page.wrapping = self.asked.copy(), self.having.copy(), self.wrapping.copy()
        page.excluded, page.picked, page.place = self.excluded.copy(), self.picked, self.place
        page.consultation, page.messages = self.consultation, self.messages
        page.said = None if self.said is None else self.said.copy()
        page.wait_from_ns, page.answered = self.wait_from_ns, self.answered
        page.due_ns, page.attempts = self.due_ns, self.attempts
        return page


class Books:
    """The pages of all live contacts, and counts."""

    def __init__(self) -> None:
        self.pages: dict[int, Page] = {}
        self.live: list[int] = []
        """The live contacts, in any order: somebody picks one of them at random."""
        self.admitted_n = 0
        self.ended_n = 0
        self.events_n = 0
        self.counts: dict[type, int] = {}
        """Events about customers' contacts (no consultations), by their type."""
        self.outcomes: dict[str, int] = {}
        self.keys: dict[str, int] = {}
        """Every contact admitted, by channel and provider's id."""
        self.sent: dict[int, list[int]] = {}
        """The numbers of the messages to each contact's customer."""
        self.owed: dict[int, list[int]] = {}
        """Those of them that the customer is to get, whatever happens."""
        self.undelivered: dict[int, int] = {}
        """From which message on a customer has not got what was said, as the channels report it."""
        self.unkept: set[int] = set()
        """Whose first undelivered message may be kept no longer: then it is one after it, or none."""
        self.lost: dict[str, int] = {}
        """Agents who have lost their desk, and until when they may come back; 0: for as long as they like."""
        self.over: dict[int, int] = {}
        """How many messages each contact had that is over and to whose customer something was said."""
        self.erased: set[int] = set()
        self.last_id = 0
        self._place: dict[int, int] = {}
        self._kept = 0

    def copy(self) -> Books:
        """Books that may be written on apart."""
        books = Books()
        books.pages = {number: page.copy() for number, page in self.pages.items()}
        books.live = self.live.copy()
        books.admitted_n, books.ended_n, books.events_n = self.admitted_n, self.ended_n, self.events_n
        books.counts, books.outcomes = self.counts.copy(), self.outcomes.copy()
        books.keys = self.keys.copy()
        books.sent = {number: sent.copy() for number, sent in self.sent.items()}
        books.owed = {number: owed.copy() for number, owed in self.owed.items()}
        books.undelivered, books.unkept = self.undelivered.copy(), self.unkept.copy()
        books.lost = self.lost.copy()
        books.over = self.over.copy()
        books.last_id, books.erased = self.last_id, self.erased.copy()
        books._place = self._place.copy()
        return books

    def fold(self, events: list[AnyEvent], at_ns: int, kept: int) -> None:
        """Write down what has happened; `kept` is how many messages of a contact are remembered.

        Raises Violation for what may not happen.
        """
        self.events_n += len(events)
        self._kept = kept
        for event in events:
            write = _WRITE.get(type(event))
            if write is not None:
                write(self, event, at_ns)
                if type(event) is MessagePosted:
                    self._check_said(event, kept)

    def _page(self, event: Any) -> Page:
        page = self.pages.get(event.contact)
        if page is None:
            raise Violation("conservation", f"{event} is about a contact that is not there")
        if not page.parent:
            kind = type(event)
            self.counts[kind] = self.counts.get(kind, 0) + 1
        return page

    def _new_id(self, number: int, event: AnyEvent) -> None:
        if number <= self.last_id:
            raise Violation("ids", f"{event} takes an id that was given out; the last was {self.last_id}")
        self.last_id = number

    # Coming and going ----------------------------------------------------------------------------

    def _admitted(self, event: ContactAdmitted, at_ns: int) -> None:
        number = event.contact
        self._new_id(number, event)
        key = f"{event.channel}\n{event.provider_id}"
        # Who was erased is forgotten by the provider's id too: what comes with it again is somebody new.
        if key in self.keys and self.keys[key] not in self.erased:
            raise Violation("idempotency", f"{event} was admitted before, as {self.keys[key]}")
        self.keys[key] = number
        self.pages[number] = Page(event.parent, key, at_ns)
        self._place[number] = len(self.live)
        self.live.append(number)
        self.admitted_n += 1
        if not event.parent:
            self.counts[ContactAdmitted] = self.counts.get(ContactAdmitted, 0) + 1

    def _ended(self, event: ContactEnded, at_ns: int) -> None:
        number = event.contact
        page = self._page(event)
        if page.asked:
            raise Violation("one owner", f"{event}, and {page.asked} are asked still")
        if not page.parent and event.outcome == "consulted":
            raise Violation("conservation", f"{event} is no consultation")
        if event.waited_ns > at_ns - page.arrived_ns:
            raise Violation("figures", f"{event} waited longer than it was there")
        if not page.parent:
            self.outcomes[event.outcome] = self.outcomes.get(event.outcome, 0) + 1
        if number in self.owed:
            self.over[number] = page.messages
        del self.pages[number]
        place, last = self._place.pop(number), self.live.pop()
        if last != number:
            self.live[place] = last
            self._place[last] = place
        self.ended_n += 1

    # Who has whom --------------------------------------------------------------------------------

    def _offered(self, event: ContactOffered, at_ns: int) -> None:
        page = self._page(event)
        self._new_id(event.offer, event)
        agent = event.agent
        if page.having:
            raise Violation("one owner", f"{event}, and {sorted(page.having)} have it")
        if agent in page.asked:
            raise Violation("one owner", f"{event}, and the agent is asked already")
        if agent in page.excluded and page.picked != agent:
            raise Violation("order", f"{event}, and the agent may not be asked again yet")
        if page.due_ns > at_ns and page.picked != agent:
            raise Violation("order", f"{event}, and the callback is due at {page.due_ns}")
        if agent in self.lost:
            raise Violation("order", f"{event}, and the agent has lost the desk")
        page.asked[agent] = event.offer

    def _accepted(self, event: OfferAccepted, at_ns: int) -> None:
        page = self._page(event)
        if page.having:
            raise Violation("one owner", f"{event}, and {sorted(page.having)} have it")
        self._answered(page, event)
        page.having.add(event.agent)

    def _picked(self, event: ContactPicked, at_ns: int) -> None:
        self._page(event).picked = event.agent

    def _declined(self, event: OfferDeclined, at_ns: int) -> None:
        page = self._page(event)
        self._answered(page, event)
        page.excluded.add(event.agent)

    def _failed(self, event: ConnectionFailed, at_ns: int) -> None:
        page = self._page(event)
        page.having.discard(event.agent)
        page.excluded.add(event.agent)

    def _ask_again(self, event: ExclusionsEnded, at_ns: int) -> None:
        self._page(event).excluded.difference_update(event.agents)

    def _offer_over(self, event: Any, at_ns: int) -> None:
        self._answered(self._page(event), event)

    def _answered(self, page: Page, event: Any) -> None:
        if page.asked.pop(event.agent, 0) != event.offer:
            raise Violation("one owner", f"{event} is about an offer that was not open")

    def _placed(self, event: ContactPlaced, at_ns: int) -> None:
        page = self._page(event)
        page.having.add(event.agent)
        page.wait_from_ns = at_ns
        page.place = (at_ns, 0, 1000)

    def _connected(self, event: ContactConnected, at_ns: int) -> None:
        page = self._page(event)
        if page.having != {event.agent}:
            raise Violation("one owner", f"{event}, and {sorted(page.having)} have it")
        if event.waited_ns != at_ns - page.wait_from_ns:
            raise Violation("figures", f"{event} waited {at_ns - page.wait_from_ns} ns by the books")
        page.answered = True

    def _let_go(self, event: Any, at_ns: int) -> None:
        self._page(event).having.discard(event.agent)

    def _transfer_started(self, event: TransferStarted, at_ns: int) -> None:
        page = self._page(event)
        page.having.discard(event.agent)
        page.excluded.add(event.agent)
        page.wait_from_ns = 0
        if page.having:
            raise Violation("one owner", f"{event}, and {sorted(page.having)} have it")

    def _requested(self, event: CallbackRequested, at_ns: int) -> None:
        self._page(event).due_ns = event.due_ns

    def _due(self, event: CallbackDue, at_ns: int) -> None:
        page = self._page(event)
        if at_ns < page.due_ns:
            raise Violation("deadlines", f"{event} at {at_ns}, and it was to come at {page.due_ns}")
        page.due_ns = 0

    def _postponed(self, event: CallbackPostponed, at_ns: int) -> None:
        page = self._page(event)
        page.having.clear()
        page.due_ns = event.due_ns
        page.attempts += 1

    def _joined(self, event: AgentJoined, at_ns: int) -> None:
        self._page(event).having.add(event.agent)

    def _handed_over(self, event: ContactTransferred, at_ns: int) -> None:
        page = self._page(event)
        page.having.discard(event.from_agent)
        page.having.add(event.to_agent)

    def _queued(self, event: ContactQueued, at_ns: int) -> None:
        page = self._page(event)
        if page.having or page.asked:
            raise Violation("one owner", f"{event}, and {sorted(page.having)} {page.asked} have it")
        page.wait_from_ns = page.wait_from_ns or at_ns
        page.excluded.update(event.excluded)
        page.place = (event.queued_ns, event.credit_ns, event.rate_thousandths)
        page.due_ns = event.due_ns

    def _returned(self, event: ContactReturned, at_ns: int) -> None:
        page = self._page(event)
        if page.having or page.asked:
            raise Violation("one owner", f"{event}, and {sorted(page.having)} {page.asked} have it")
        page.picked = ""
        if page.answered:
            page.wait_from_ns = at_ns

    def _service_ended(self, event: ServiceEnded, at_ns: int) -> None:
        self._page(event).having.clear()

    def _wrap_up_started(self, event: WrapUpStarted, at_ns: int) -> None:
        page = self._page(event)
        page.having.discard(event.agent)
        if event.agent in page.wrapping:
            raise Violation("one owner", f"{event}, and the agent wraps it up already")
        page.wrapping.add(event.agent)
        if event.hold:
            page.excluded.add(event.agent)
            self._new_id(event.hold, event)

    def _wrap_up_ended(self, event: WrapUpEnded, at_ns: int) -> None:
        page = self._page(event)
        if event.agent not in page.wrapping:
            raise Violation("one owner", f"{event}, and the agent does not wrap it up")
        page.wrapping.discard(event.agent)

    def _consulting(self, event: ConsultationStarted, at_ns: int) -> None:
        self._page(event).consultation = event.consultation

    def _consulted(self, event: ConsultationEnded, at_ns: int) -> None:
        self._page(event).consultation = 0

    def _rated(self, event: ContactRated, at_ns: int) -> None:
        self.counts[ContactRated] = self.counts.get(ContactRated, 0) + 1

    def _erased(self, event: ContactsErased, at_ns: int) -> None:
        if live := self.pages.keys() & set(event.contacts):
            raise Violation("conservation", f"{event}, and {sorted(live)} live")
        self.erased.update(event.contacts)
        for number in event.contacts:
            self.undelivered.pop(number, None)

    # Agents' desks -------------------------------------------------------------------------------

    def _desk_lost(self, event: AgentConnectionLost, at_ns: int) -> None:
        if self.lost.get(event.agent) and event.grace_until_ns:
            raise Violation("deadlines", f"{event}, and it was lost already, until {self.lost[event.agent]}")
        self.lost[event.agent] = event.grace_until_ns

    def _desk_back(self, event: AgentReturned, at_ns: int) -> None:
        if 0 < self.lost.get(event.agent, 0) < at_ns:
            raise Violation("deadlines", f"{event} at {at_ns}, after {self.lost[event.agent]}")
        self.lost.pop(event.agent, None)

    def _desk_anew(self, event: AgentSignedIn | AgentSignedOut, at_ns: int) -> None:
        self.lost.pop(event.agent, None)

    # What was said -------------------------------------------------------------------------------

    def _message(self, event: MessagePosted, at_ns: int) -> None:
        page = self._page(event)
        if event.number != page.messages + 1:
            raise Violation("messages", f"{event} should be number {page.messages + 1}")
        page.messages += 1
        if event.author != "customer" and not event.internal and not page.parent:
            if event.contact in self.sent:
                self.sent[event.contact].append(event.number)
                self.owed[event.contact].append(event.number)
            else:
                self.sent[event.contact], self.owed[event.contact] = [event.number], [event.number]

    def _delivery_failed(self, event: DeliveryFailed, at_ns: int) -> None:
        known = 0 if event.contact in self.unkept else self.undelivered.get(event.contact, 0)
        if 0 < known <= event.number:
            raise Violation("messages", f"{event}, and all from an earlier one on was undelivered already")
        self._not_delivered_from(event.contact, event.number)

    def _delivery_made(self, event: DeliveryMade, at_ns: int) -> None:
        if not 0 < self.undelivered.get(event.contact, 0) <= event.number:
            raise Violation("messages", f"{event}, and it was not undelivered")
        sent = self.sent.get(event.contact, ())
        self._not_delivered_from(event.contact, next((one for one in sent if one > event.number), 0))

    def _not_delivered_from(self, contact: int, first: int) -> None:
        self.unkept.discard(contact)
        if not first:
            self.undelivered.pop(contact, None)
            return
        self.undelivered[contact] = first
        page = self.pages.get(contact)
        if first <= (self.over[contact] if page is None else page.messages) - self._kept:
            self.unkept.add(contact)

    def lose_what_is_not_kept(self, kept: int) -> None:
        """A crash: of what was said, the last `kept` messages of a contact can be asked again
        (`limits.messages_kept`), and no others."""
        for number, owed in self.owed.items():
            page = self.pages.get(number)
            first = (self.over[number] if page is None else page.messages) - kept + 1
            if owed and owed[0] < first:
                self.owed[number] = [sent for sent in owed if sent >= first]

    def _check_said(self, event: MessagePosted, kept: int) -> None:
        """The same words of the same author with the same id are posted once, as long as they are kept."""
        if not event.message_id:
            return
        page = self.pages[event.contact]
        if page.said is None:
            page.said = {}
        key = f"{event.author}\n{event.author_id}\n{event.message_id}"
        before = page.said.get(key, -kept)
        if before > event.number - kept:
            raise Violation("idempotency", f"{event} was posted before, as number {before}")
        page.said[key] = event.number


_WRITE: Final[dict[type, Callable[[Books, Any, int], None]]] = {
    ContactAdmitted: Books._admitted,
    ContactEnded: Books._ended,
    ContactOffered: Books._offered,
    OfferAccepted: Books._accepted,
    OfferDeclined: Books._declined,
    ContactPicked: Books._picked,
    ExclusionsEnded: Books._ask_again,
    OfferExpired: Books._offer_over,
    OfferWithdrawn: Books._offer_over,
    ContactPlaced: Books._placed,
    ContactConnected: Books._connected,
    ConnectionFailed: Books._failed,
    AgentLeft: Books._let_go,
    TransferStarted: Books._transfer_started,
    CallbackRequested: Books._requested,
    CallbackDue: Books._due,
    CallbackPostponed: Books._postponed,
    AgentJoined: Books._joined,
    ContactTransferred: Books._handed_over,
    ContactQueued: Books._queued,
    ContactReturned: Books._returned,
    ServiceEnded: Books._service_ended,
    WrapUpStarted: Books._wrap_up_started,
    WrapUpEnded: Books._wrap_up_ended,
    ConsultationStarted: Books._consulting,
    ConsultationEnded: Books._consulted,
    MessagePosted: Books._message,
    ContactRated: Books._rated,
    ContactsErased: Books._erased,
    DeliveryFailed: Books._delivery_failed,
    DeliveryMade: Books._delivery_made,
    AgentConnectionLost: Books._desk_lost,
    AgentReturned: Books._desk_back,
    AgentSignedIn: Books._desk_anew,
    AgentSignedOut: Books._desk_anew,
}
