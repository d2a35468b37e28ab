"""Events: what became true, in the past tense. Which may follow in a phase is in `state.py`."""

from __future__ import annotations

from typing import Literal

import msgspec

from centralita.config import EngineConfig
from centralita.messages.words import Attachment, Author, Customer, Direction, Outcome, Skills, Status, Target


class Event(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What became true."""


class ContactAdmitted(Event, frozen=True, kw_only=True, tag="ContactAdmitted"):
    """A contact is ours. `parent` is the contact a consultation belongs to."""

    contact: int
    conversation: int
    channel: str
    medium: str
    provider_id: str
    direction: Direction
    handle: str = ""
    to: str = ""
    subject: str = ""
    customer_name: str = ""
    language: str = ""
    queue: str = ""
    skills: Skills | None = None
    priority: int = 0
    credit_ns: int | None = None
    preferred_agent: str = ""
    attributes: dict[str, str] | None = None
    parent: int = 0


class IdentificationStarted(Event, frozen=True, kw_only=True, tag="IdentificationStarted"):
    """The CRMs are being asked, until the deadline."""

    contact: int
    deadline_ns: int


class ContactIdentified(Event, frozen=True, kw_only=True, tag="ContactIdentified"):
    """`customer` None: nobody known, or nobody answered in time."""

    contact: int
    customer: Customer | None = None
    conversation: int = 0
    timed_out: bool = False


class ClassificationStarted(Event, frozen=True, kw_only=True, tag="ClassificationStarted"):
    """The classifiers are being asked, until the deadline."""

    contact: int
    deadline_ns: int


class ContactClassified(Event, frozen=True, kw_only=True, tag="ContactClassified"):
    """What the contact needs is settled; `skills` are its own, beside its queue's."""

    contact: int
    queue: str
    skills: Skills | None = None
    priority: int = 0
    preferred_agent: str = ""
    attributes: dict[str, str] | None = None
    by: str = ""


class SelfServiceStarted(Event, frozen=True, kw_only=True, tag="SelfServiceStarted"):
    """A bot has the customer; each of its turns has a deadline."""

    contact: int
    bot: str
    deadline_ns: int


class SelfServiceTurn(Event, frozen=True, kw_only=True, tag="SelfServiceTurn"):
    """The bot has a new time limit for its next turn."""

    contact: int
    deadline_ns: int


class SelfServiceEnded(Event, frozen=True, kw_only=True, tag="SelfServiceEnded"):
    """The bot is done, by resolving the matter or by handing over."""

    contact: int
    resolved: bool
    summary: str = ""


class ContactQueued(Event, frozen=True, kw_only=True, tag="ContactQueued"):
    """The contact waits in a queue. `queued_ns` is where its waiting time counts from."""

    contact: int
    queue: str
    skills: Skills
    priority: int
    rate_thousandths: int
    credit_ns: int
    queued_ns: int
    preferred_agent: str = ""
    preferred_until_ns: int = 0
    max_wait_until_ns: int = 0
    announce_at_ns: int = 0
    due_ns: int = 0
    reason: str = ""
    hops: int = 0
    excluded: tuple[str, ...] = ()


class MaxWaitPassed(Event, frozen=True, kw_only=True, tag="MaxWaitPassed"):
    """The queue's maximum wait is over; what the queue does then follows, if anything."""

    contact: int


class RingPassed(Event, frozen=True, kw_only=True, tag="RingPassed"):
    """A ring relaxed what a contact requires (or raised its priority)."""

    contact: int
    rung: int


class ContactMoved(Event, frozen=True, kw_only=True, tag="ContactMoved"):
    """A supervisor changed what a waiting contact requires or weighs; queue changes requeue it."""

    contact: int
    by: str
    skills: Skills | None = None
    priority: int | None = None


class ContactPicked(Event, frozen=True, kw_only=True, tag="ContactPicked"):
    """The next offer of this contact was chosen by somebody, not by the order."""

    contact: int
    agent: str
    by: str


class ContactReturned(Event, frozen=True, kw_only=True, tag="ContactReturned"):
    """Nobody has the contact any more: it waits again, at its own place."""

    contact: int
    reason: str = ""


class ExclusionsEnded(Event, frozen=True, kw_only=True, tag="ExclusionsEnded"):
    """Agents who declined may be asked again."""

    contact: int
    agents: tuple[str, ...]


class ContactPlaced(Event, frozen=True, kw_only=True, tag="ContactPlaced"):
    """An agent begins the contact; the channel connects it."""

    contact: int
    agent: str
    connect_by_ns: int


class ContactOffered(Event, frozen=True, kw_only=True, tag="ContactOffered"):
    """An agent is asked; what the offer reserves of the agent's capacity is taken."""

    contact: int
    agent: str
    offer: int
    expires_ns: int
    waited_ns: int = 0


class OfferAccepted(Event, frozen=True, kw_only=True, tag="OfferAccepted"):
    """`connect_by_ns` is when the channel must have said whether the connection was made."""

    contact: int
    agent: str
    offer: int
    connect_by_ns: int


class OfferDeclined(Event, frozen=True, kw_only=True, tag="OfferDeclined"):
    """The agent said no; the contact keeps its place and won't be offered to them again."""

    contact: int
    agent: str
    offer: int
    reason: str = ""
    again_at_ns: int = 0


class OfferExpired(Event, frozen=True, kw_only=True, tag="OfferExpired"):
    """The agent did not answer in time."""

    contact: int
    agent: str
    offer: int


class OfferWithdrawn(Event, frozen=True, kw_only=True, tag="OfferWithdrawn"):
    """Somebody else won, the customer left, the agent vanished. Never the agent's fault."""

    contact: int
    agent: str
    offer: int
    reason: str = ""


class ContactConnected(Event, frozen=True, kw_only=True, tag="ContactConnected"):
    """`first` tells the answer of a customer's wait from a later connection of the same contact."""

    contact: int
    agent: str
    queue: str
    waited_ns: int
    first: bool = True


class ConnectionFailed(Event, frozen=True, kw_only=True, tag="ConnectionFailed"):
    """Customer and agent could not be connected; the contact keeps its place."""

    contact: int
    agent: str
    reason: str = ""
    again_at_ns: int = 0


class ContactHeld(Event, frozen=True, kw_only=True, tag="ContactHeld"):
    """The customer is on hold, until the deadline at most."""

    contact: int
    agent: str
    deadline_ns: int = 0


class ContactResumed(Event, frozen=True, kw_only=True, tag="ContactResumed"):
    """The customer is no longer on hold."""

    contact: int
    agent: str


class TransferStarted(Event, frozen=True, kw_only=True, tag="TransferStarted"):
    """The agent has let go; ContactQueued follows."""

    contact: int
    agent: str
    target: Target
    note: str = ""
    again_at_ns: int = 0


class ConsultationStarted(Event, frozen=True, kw_only=True, tag="ConsultationStarted"):
    """An agent is asking a colleague; `consultation` is the contact that carries it."""

    contact: int
    agent: str
    consultation: int
    target: Target
    note: str = ""


class ConsultationEnded(Event, frozen=True, kw_only=True, tag="ConsultationEnded"):
    """The consultation is over, and how."""

    contact: int
    consultation: int
    how: Literal["transfer", "join", "cancel", "failed"]


class ContactTransferred(Event, frozen=True, kw_only=True, tag="ContactTransferred"):
    """A consultation ended in a hand-over: the customer is with `to_agent` now."""

    contact: int
    from_agent: str
    to_agent: str


class ContactForwarded(Event, frozen=True, kw_only=True, tag="ContactForwarded"):
    """The agent has handed the customer on to a number outside; the end of the service follows."""

    contact: int
    agent: str
    number: str
    note: str = ""


class AgentJoined(Event, frozen=True, kw_only=True, tag="AgentJoined"):
    """One more agent is in the conversation."""

    contact: int
    agent: str


class AgentLeft(Event, frozen=True, kw_only=True, tag="AgentLeft"):
    """An agent is no longer in the conversation, which goes on or goes back to its queue."""

    contact: int
    agent: str
    reason: str = ""


class ServiceEnded(Event, frozen=True, kw_only=True, tag="ServiceEnded"):
    """The conversation with the customer is over; what is left is after-work."""

    contact: int
    by: str
    reason: str = ""
    outcome: Outcome = "served"


class WrapUpStarted(Event, frozen=True, kw_only=True, tag="WrapUpStarted"):
    """The agent's after-work of this contact begins.

    `hold` is the id under which the agent's capacity stays taken when the contact itself goes on
    elsewhere; 0 when it is the contact's own.
    """

    contact: int
    agent: str
    deadline_ns: int
    hold: int = 0


class WrapUpExtended(Event, frozen=True, kw_only=True, tag="WrapUpExtended"):
    """The agent has more time for the after-work."""

    contact: int
    agent: str
    deadline_ns: int


class WrapUpEnded(Event, frozen=True, kw_only=True, tag="WrapUpEnded"):
    """The agent's part in the contact is over; its capacity is free."""

    contact: int
    agent: str
    by: Literal["agent", "timer", "status", "none"]
    disposition: str = ""
    notes: str = ""
    wrap_up_ns: int = 0
    hold: int = 0


class DeliveryFailed(Event, frozen=True, kw_only=True, tag="DeliveryFailed"):
    """A message has not reached the customer; neither have those after it, until DeliveryMade says so."""

    contact: int
    number: int


class DeliveryMade(Event, frozen=True, kw_only=True, tag="DeliveryMade"):
    """A message has reached the customer after all, and those before it."""

    contact: int
    number: int


class ContactNoted(Event, frozen=True, kw_only=True, tag="ContactNoted"):
    """Notes or a disposition were written; None: as it was."""

    contact: int
    agent: str
    notes: str | None = None
    disposition: str | None = None


class ContactEnded(Event, frozen=True, kw_only=True, tag="ContactEnded"):
    """The last word about a contact, with its figures, so that a sink needs no earlier event."""

    contact: int
    outcome: Outcome
    channel: str
    queue: str
    agent: str = ""
    by: str = ""
    reason: str = ""
    direction: Direction = "inbound"
    arrived_ns: int = 0
    waited_ns: int = 0
    talk_ns: int = 0
    hold_ns: int = 0
    wrap_up_ns: int = 0


class MessagePosted(Event, frozen=True, kw_only=True, tag="MessagePosted"):
    """`number` counts the messages of the contact from 1, in the order everybody sees."""

    contact: int
    number: int
    author: Author
    text: str
    author_id: str = ""
    message_id: str = ""
    attachments: tuple[Attachment, ...] = ()
    internal: bool = False


class WaitAnnounced(Event, frozen=True, kw_only=True, tag="WaitAnnounced"):
    """The customer is told the position (1 is next) and the expected wait, where known.

    `low_s` and `high_s` bound the estimate, -1 when there is none. `next_at_ns` 0: no further one.
    """

    contact: int
    position: int
    low_s: float
    high_s: float
    next_at_ns: int


class CallbackRequested(Event, frozen=True, kw_only=True, tag="CallbackRequested"):
    """The contact is a callback from now on; its place is kept."""

    contact: int
    handle: str
    channel: str
    due_ns: int = 0


class CallbackDue(Event, frozen=True, kw_only=True, tag="CallbackDue"):
    """The agreed moment has come; from now on it can be offered."""

    contact: int


class CallbackPostponed(Event, frozen=True, kw_only=True, tag="CallbackPostponed"):
    """The customer was not reached; it is tried again then."""

    contact: int
    due_ns: int


class ContactRated(Event, frozen=True, kw_only=True, tag="ContactRated"):
    """The customer's satisfaction, 1 to 5."""

    contact: int
    score: int
    queue: str
    agent: str
    comment: str = ""


class AgentSignedIn(Event, frozen=True, kw_only=True, tag="AgentSignedIn"):
    """An agent is here."""

    agent: str
    desk: str
    status: Status
    reason: str = ""


class AgentStatusChanged(Event, frozen=True, kw_only=True, tag="AgentStatusChanged"):
    """The agent's status was chosen anew."""

    agent: str
    status: Status
    reason: str = ""
    by: str = ""


class AgentOccupied(Event, frozen=True, kw_only=True, tag="AgentOccupied"):
    """Something outside keeps the agent busy: nothing new is offered meanwhile."""

    agent: str
    reason: str = ""
    by: str = ""


class AgentReleased(Event, frozen=True, kw_only=True, tag="AgentReleased"):
    """What kept the agent busy outside is over."""

    agent: str
    by: str = ""


class AgentLeaving(Event, frozen=True, kw_only=True, tag="AgentLeaving"):
    """The agent gets nothing more and is signed out when free."""

    agent: str


class AgentSignedOut(Event, frozen=True, kw_only=True, tag="AgentSignedOut"):
    """The agent has gone."""

    agent: str
    reason: str = ""


class AgentConnectionLost(Event, frozen=True, kw_only=True, tag="AgentConnectionLost"):
    """The agent's desk is gone; back until then, or the work goes elsewhere."""

    agent: str
    grace_until_ns: int


class AgentReturned(Event, frozen=True, kw_only=True, tag="AgentReturned"):
    """The desk is back within the grace time."""

    agent: str
    desk: str


class QueueOpened(Event, frozen=True, kw_only=True, tag="QueueOpened"):
    """The queue takes contacts."""

    queue: str
    reason: str = ""


class QueueClosed(Event, frozen=True, kw_only=True, tag="QueueClosed"):
    """The queue takes no new contacts."""

    queue: str
    reason: str = ""


class ConfigurationApplied(Event, frozen=True, kw_only=True, tag="ConfigurationApplied"):
    """The rules are these from now on."""

    config: EngineConfig


class ComponentDown(Event, frozen=True, kw_only=True, tag="ComponentDown"):
    """A plugin's component does not work."""

    component: str
    error: str = ""


class ComponentUp(Event, frozen=True, kw_only=True, tag="ComponentUp"):
    """A plugin's component works (again)."""

    component: str


class ContactsErased(Event, frozen=True, kw_only=True, tag="ContactsErased"):
    """These contacts' words are to be forgotten by whoever keeps some."""

    contacts: tuple[int, ...]
    by: str = ""


AnyEvent = (
    ContactAdmitted
    | IdentificationStarted
    | ContactIdentified
    | ClassificationStarted
    | ContactClassified
    | SelfServiceStarted
    | SelfServiceTurn
    | SelfServiceEnded
    | ContactQueued
    | MaxWaitPassed
    | RingPassed
    | ContactMoved
    | ContactPicked
    | ContactReturned
    | ExclusionsEnded
    | ContactPlaced
    | ContactOffered
    | OfferAccepted
    | OfferDeclined
    | OfferExpired
    | OfferWithdrawn
    | ContactConnected
    | ConnectionFailed
    | ContactHeld
    | ContactResumed
    | TransferStarted
    | ConsultationStarted
    | ConsultationEnded
    | ContactTransferred
    | ContactForwarded
    | AgentJoined
    | AgentLeft
    | ServiceEnded
    | WrapUpStarted
    | WrapUpExtended
    | WrapUpEnded
    | DeliveryFailed
    | DeliveryMade
    | ContactNoted
    | ContactEnded
    | MessagePosted
    | WaitAnnounced
    | CallbackRequested
    | CallbackDue
    | CallbackPostponed
    | ContactRated
    | AgentSignedIn
    | AgentStatusChanged
    | AgentOccupied
    | AgentReleased
    | AgentLeaving
    | AgentSignedOut
    | AgentConnectionLost
    | AgentReturned
    | QueueOpened
    | QueueClosed
    | ConfigurationApplied
    | ComponentDown
    | ComponentUp
    | ContactsErased
)
