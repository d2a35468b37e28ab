"""Everything that goes in and out of the engine: commands, events and asks.

A *command* is what someone wants, an *event* what became true, an *ask* what the edge must now do.
All are frozen and carry ids, never references. Commands and events are journalled as msgpack arrays,
so their fields may only be added at the end, with a default (`array_like`): that is the upgrade rule
of the journal, held by `tests/journal`.

Each class names `frozen` and `kw_only` itself: `structs.Frozen` would save the words, but a metaclass in
Python costs the fast call of msgspec, half a microsecond an object, twenty times in a contact's life.

This module knows no rule: what may follow what is in `state.py`, who decides it in `stages/`.
Times are int nanoseconds since the Unix epoch; a field ends in its unit.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NewType

import msgspec
from msgspec import Meta

from centralita.config import EngineConfig

ContactId = NewType("ContactId", int)
ConversationId = NewType("ConversationId", int)
OfferId = NewType("OfferId", int)
AgentName = NewType("AgentName", str)
QueueName = NewType("QueueName", str)

Skills = dict[str, int]
"""What is required: the least level, 1 to 10, of each skill by name."""

CreditS = Annotated[float, Meta(ge=-31_536_000, le=31_536_000)]
MomentNs = Annotated[int, Meta(ge=0, le=(1 << 61) - 1)]
"""What outsiders may say of time: within a year, and before the matching queue's integers end (2043)."""

Author = Literal["customer", "agent", "bot", "system"]
Status = Literal["available", "break", "offline"]
Direction = Literal["inbound", "outbound", "consultation"]

Outcome = Literal[
    "served",  # an agent spoke with the customer
    "abandoned",  # the customer left while waiting for an agent, the first or a further one
    "refused",  # the rules turned it away: closed, full, waited too long, nobody signed in
    "overflowed",  # handed on to a place that is not ours
    "resolved_by_bot",  # self-service was enough
    "cancelled",  # taken out by a supervisor, or by whoever placed it
    "lost",  # its channel no longer knows it
    "unreachable",  # a callback or placed contact that nobody answered
    "consulted",  # a consultation between agents that came to its end
]


class Attachment(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A file that goes with a message; its bytes stay with the channel that took them."""

    id: str
    name: str
    media_type: str
    bytes_n: int


class Customer(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Who a CRM says the contact is. `id` is the CRM's own."""

    id: str
    name: str = ""
    language: str = ""
    vip: bool = False
    preferred_agent: str = ""
    crm: str = ""
    url: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Where a contact is to go: an agent, or a queue, or (within its queue) other skills, or a number outside."""

    agent: str = ""
    queue: str = ""
    skills: Skills | None = None
    number: str = ""


# Commands ---------------------------------------------------------------------------------------


class Command(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What someone wants of the engine."""


class AdmitContact(Command, frozen=True, kw_only=True, tag="AdmitContact"):
    """A contact has come in on a channel. Idempotent on (`channel`, `provider_id`).

    `queue`, `skills`, `priority` and `preferred_agent` are what the channel already knows; a
    classifier may change them. `handle` is the customer's address on the channel.

    `outbound`: nobody has come in. It waits for an agent as any other does, and is begun with `handle`, on a
    channel that can, when one has accepted it; meanwhile no bot, no overflow and no announcement is for it.
    """

    channel: str
    provider_id: str
    handle: str = ""
    to: str = ""
    subject: str = ""
    customer_name: str = ""
    language: str = ""
    queue: str = ""
    skills: Skills | None = None
    priority: int = 0
    credit_s: CreditS | None = None
    preferred_agent: str = ""
    attributes: dict[str, str] | None = None
    conversation: int = 0
    text: str = ""
    outbound: bool = False


class IdentifyContact(Command, frozen=True, kw_only=True, tag="IdentifyContact"):
    """A CRM's answer, or an agent's correction: who the customer is. None: nobody known."""

    contact: int
    customer: Customer | None = None
    conversation: int = 0


class ClassifyContact(Command, frozen=True, kw_only=True, tag="ClassifyContact"):
    """A classifier's answer. Empty and None mean: leave as it is."""

    contact: int
    queue: str = ""
    skills: Skills | None = None
    priority: int | None = None
    preferred_agent: str = ""
    attributes: dict[str, str] | None = None
    by: str = ""


class FinishSelfService(Command, frozen=True, kw_only=True, tag="FinishSelfService"):
    """A bot is done: the matter is resolved, or it hands over to a person with what it learnt."""

    contact: int
    resolved: bool
    queue: str = ""
    skills: Skills | None = None
    priority: int | None = None
    attributes: dict[str, str] | None = None
    summary: str = ""


class PostMessage(Command, frozen=True, kw_only=True, tag="PostMessage"):
    """Words or files in a contact, in either direction. Idempotent on `message_id` in the contact.

    `author_id` is the agent's or bot's name. `internal` messages stay among agents.
    """

    contact: int
    author: Author
    text: str = ""
    author_id: str = ""
    message_id: str = ""
    attachments: tuple[Attachment, ...] = ()
    internal: bool = False


class AbandonContact(Command, frozen=True, kw_only=True, tag="AbandonContact"):
    """The customer has gone, whatever stage the contact is in."""

    contact: int
    reason: str = ""


class AnswerOffer(Command, frozen=True, kw_only=True, tag="AnswerOffer"):
    """An agent takes an offer or declines it."""

    contact: int
    agent: str
    offer: int
    accept: bool
    reason: str = ""


class ReportConnection(Command, frozen=True, kw_only=True, tag="ReportConnection"):
    """A channel says whether customer and agent are connected.

    When not made, `customer_gone` tells a customer who could not be reached (a callback that rings
    out) from an agent or a line that failed, which returns the contact to its place.
    """

    contact: int
    agent: str
    made: bool
    customer_gone: bool = False
    reason: str = ""


class ReportDelivery(Command, frozen=True, kw_only=True, tag="ReportDelivery"):
    """A channel could not deliver a message, or has delivered after all what it could not before.

    What is delivered at the first try need not be reported.
    """

    contact: int
    number: int
    made: bool


class HoldContact(Command, frozen=True, kw_only=True, tag="HoldContact"):
    """An agent puts the customer on hold."""

    contact: int
    agent: str


class ResumeContact(Command, frozen=True, kw_only=True, tag="ResumeContact"):
    """An agent comes back to a customer on hold."""

    contact: int
    agent: str


class TransferContact(Command, frozen=True, kw_only=True, tag="TransferContact"):
    """An agent passes the contact on without waiting for who takes it (a blind transfer)."""

    contact: int
    agent: str
    target: Target
    note: str = ""


class StartConsultation(Command, frozen=True, kw_only=True, tag="StartConsultation"):
    """An agent asks for a colleague while the customer stays; a contact of its own carries it."""

    contact: int
    agent: str
    target: Target
    note: str = ""


class EndConsultation(Command, frozen=True, kw_only=True, tag="EndConsultation"):
    """How a consultation ends: the colleague takes over, joins, or goes."""

    contact: int
    agent: str
    then: Literal["transfer", "join", "cancel"]


class LeaveContact(Command, frozen=True, kw_only=True, tag="LeaveContact"):
    """One of several agents leaves a conference; the last one ends the contact."""

    contact: int
    agent: str


class EndContact(Command, frozen=True, kw_only=True, tag="EndContact"):
    """An agent, a supervisor or a channel ends the conversation; wrap-up follows if it was served."""

    contact: int
    by: str = ""
    reason: str = ""


class CancelContact(Command, frozen=True, kw_only=True, tag="CancelContact"):
    """Take a contact out before it is served."""

    contact: int
    by: str = ""
    reason: str = ""


class NoteContact(Command, frozen=True, kw_only=True, tag="NoteContact"):
    """An agent writes notes or a disposition while working; each replaces what was there."""

    contact: int
    agent: str
    notes: str | None = None
    disposition: str | None = None


class FinishWrapUp(Command, frozen=True, kw_only=True, tag="FinishWrapUp"):
    """An agent is done with a contact's after-work."""

    contact: int
    agent: str
    disposition: str = ""
    notes: str = ""


class ExtendWrapUp(Command, frozen=True, kw_only=True, tag="ExtendWrapUp"):
    """An agent asks for more time, up to the queue's `wrap_up_max_s`."""

    contact: int
    agent: str
    seconds: float


class RequestCallback(Command, frozen=True, kw_only=True, tag="RequestCallback"):
    """A waiting customer would rather be called back; the place in line is kept.

    `handle` and `channel` say where to reach them, the contact's own when empty. With `due_ns` the
    callback waits for that moment first, and its waiting time still counts from the start.
    """

    contact: int
    handle: str = ""
    channel: str = ""
    due_ns: MomentNs = 0


class RateContact(Command, frozen=True, kw_only=True, tag="RateContact"):
    """The customer's satisfaction, 1 to 5; also for a while after the contact has ended."""

    contact: int
    score: int
    comment: str = ""


class MoveContact(Command, frozen=True, kw_only=True, tag="MoveContact"):
    """A supervisor changes where a waiting contact stands. None and empty: as it is."""

    contact: int
    by: str
    queue: str = ""
    skills: Skills | None = None
    priority: int | None = None


class PickContact(Command, frozen=True, kw_only=True, tag="PickContact"):
    """A waiting contact is offered to one agent, whatever the order says."""

    contact: int
    agent: str
    by: str


class PlaceContact(Command, frozen=True, kw_only=True, tag="PlaceContact"):
    """An agent begins a contact: click to call, an e-mail out. Idempotent like AdmitContact."""

    agent: str
    channel: str
    provider_id: str
    handle: str
    queue: str = ""
    subject: str = ""
    customer_name: str = ""
    conversation: int = 0


class SignIn(Command, frozen=True, kw_only=True, tag="SignIn"):
    """An agent is here, at a desk; also how one whose connection was lost comes back."""

    agent: str
    desk: str = ""
    status: Status = "available"
    reason: str = ""


class SetStatus(Command, frozen=True, kw_only=True, tag="SetStatus"):
    """An agent (or a supervisor, named in `by`) chooses the agent's status."""

    agent: str
    status: Status
    reason: str = ""
    by: str = ""


class SignOut(Command, frozen=True, kw_only=True, tag="SignOut"):
    """An agent leaves: at once, live contacts going back to their place, or when free."""

    agent: str
    when_free: bool = False
    by: str = ""


class OccupyAgent(Command, frozen=True, kw_only=True, tag="OccupyAgent"):
    """Something that is no contact of ours keeps an agent busy (a private call), or (`on` False) no longer does."""

    agent: str
    on: bool
    reason: str = ""
    by: str = ""


class LoseAgent(Command, frozen=True, kw_only=True, tag="LoseAgent"):
    """A desk's connection broke: the agent has the grace time to come back."""

    agent: str
    desk: str = ""


class OpenQueue(Command, frozen=True, kw_only=True, tag="OpenQueue"):
    """The queue's hours begin, or somebody opens it by hand."""

    queue: str
    reason: str = ""


class CloseQueue(Command, frozen=True, kw_only=True, tag="CloseQueue"):
    """The queue's hours end; who waits goes on waiting, who comes is told what `when_closed` says."""

    queue: str
    reason: str = ""


class ApplyConfiguration(Command, frozen=True, kw_only=True, tag="ApplyConfiguration"):
    """Replace the whole configuration, or nothing of it."""

    config: EngineConfig


class MarkComponentDown(Command, frozen=True, kw_only=True, tag="MarkComponentDown"):
    """A plugin's component crashed or does not answer; the figures show it."""

    component: str
    error: str = ""


class MarkComponentUp(Command, frozen=True, kw_only=True, tag="MarkComponentUp"):
    """A component runs (again)."""

    component: str


class ReconcileChannel(Command, frozen=True, kw_only=True, tag="ReconcileChannel"):
    """A channel tells which of its contacts are alive; those that vanished are ended as lost."""

    channel: str
    alive: tuple[str, ...]


class EraseContacts(Command, frozen=True, kw_only=True, tag="EraseContacts"):
    """What was said in these contacts, and by whom, is to be forgotten; none of them may be live.

    The journal's keys go by what comes of this (docs/privacy.md). `by` says who asked for it.
    """

    contacts: tuple[int, ...]
    by: str = ""


class Tick(Command, frozen=True, kw_only=True, tag="Tick"):
    """Time has passed: whatever is due happens now."""


AnyCommand = (
    AdmitContact
    | IdentifyContact
    | ClassifyContact
    | FinishSelfService
    | PostMessage
    | AbandonContact
    | AnswerOffer
    | ReportConnection
    | ReportDelivery
    | HoldContact
    | ResumeContact
    | TransferContact
    | StartConsultation
    | EndConsultation
    | LeaveContact
    | EndContact
    | CancelContact
    | NoteContact
    | FinishWrapUp
    | ExtendWrapUp
    | RequestCallback
    | RateContact
    | MoveContact
    | PickContact
    | PlaceContact
    | SignIn
    | SetStatus
    | SignOut
    | OccupyAgent
    | LoseAgent
    | OpenQueue
    | CloseQueue
    | ApplyConfiguration
    | MarkComponentDown
    | MarkComponentUp
    | ReconcileChannel
    | EraseContacts
    | Tick
)


# Events -----------------------------------------------------------------------------------------


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


# Asks -------------------------------------------------------------------------------------------


class Ask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the edge must do now; never journalled, always derivable from events or state."""


class FindCustomer(Ask, frozen=True, kw_only=True):
    """Ask the CRMs, in their configured order; answer with IdentifyContact."""

    contact: int


class FindClassification(Ask, frozen=True, kw_only=True):
    """Ask the classifiers, in their configured order; answer with ClassifyContact."""

    contact: int


class TakeBotTurn(Ask, frozen=True, kw_only=True):
    """Give a bot its turn (`message` 0: the first); answer with PostMessage or FinishSelfService."""

    contact: int
    bot: str
    message: int


class SendOffer(Ask, frozen=True, kw_only=True):
    """Put an offer before an agent; answer with AnswerOffer."""

    contact: int
    agent: str
    offer: int
    expires_ns: int


class WithdrawOffer(Ask, frozen=True, kw_only=True):
    """Take an offer back from an agent's desk."""

    contact: int
    agent: str
    offer: int
    reason: str


class ConnectContact(Ask, frozen=True, kw_only=True):
    """Bring customer and agent together; answer with ReportConnection."""

    contact: int
    channel: str
    provider_id: str
    agent: str
    callback_handle: str = ""


class DisconnectContact(Ask, frozen=True, kw_only=True):
    """The contact is over for the customer."""

    contact: int
    channel: str
    provider_id: str
    reason: str


class SetHold(Ask, frozen=True, kw_only=True):
    """Put the customer on hold, or back."""

    contact: int
    channel: str
    provider_id: str
    on: bool


class ForwardContact(Ask, frozen=True, kw_only=True):
    """Hand the customer on to a number outside; the contact is over for us."""

    contact: int
    channel: str
    provider_id: str
    number: str


class JoinAgent(Ask, frozen=True, kw_only=True):
    """Another agent comes into the customer's conversation (transfer or conference)."""

    contact: int
    channel: str
    provider_id: str
    agent: str


class PartAgent(Ask, frozen=True, kw_only=True):
    """An agent is taken out of the customer's conversation, which goes on."""

    contact: int
    channel: str
    provider_id: str
    agent: str


class DeliverMessage(Ask, frozen=True, kw_only=True):
    """Carry words to the customer."""

    contact: int
    channel: str
    provider_id: str
    number: int
    author: Author
    author_id: str
    text: str
    attachments: tuple[Attachment, ...] = ()


class AnnounceWait(Ask, frozen=True, kw_only=True):
    """Tell a waiting customer position and expected wait."""

    contact: int
    channel: str
    provider_id: str
    position: int
    low_s: float
    high_s: float


AnyAsk = (
    FindCustomer
    | FindClassification
    | TakeBotTurn
    | SendOffer
    | WithdrawOffer
    | ConnectContact
    | DisconnectContact
    | SetHold
    | ForwardContact
    | JoinAgent
    | PartAgent
    | DeliverMessage
    | AnnounceWait
)


# Results ----------------------------------------------------------------------------------------


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a command changed nothing: an expected failure, returned and never journalled.

    `code` is one of REFUSAL_CODES, for programs; `message` is for people.
    """

    code: str
    message: str


REFUSAL_CODES: Final = (
    "unknown_contact",
    "unknown_agent",
    "unknown_queue",
    "unknown_channel",
    "unknown_skill",
    "wrong_phase",  # the contact is not where this can be done
    "not_yours",  # the agent does not have this contact
    "offer_over",  # expired, withdrawn, answered
    "not_signed_in",
    "already",  # it is so already
    "not_capable",  # the channel cannot do this
    "bad_value",
    "bad_configuration",
    "stopping",  # the engine no longer admits
)


class Record(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One step as journalled: what was wanted, when, and what became of it."""

    seq: int
    at_ns: int
    command: AnyCommand
    events: list[AnyEvent]


def named(value: object) -> Any:
    """A message as plain dictionaries with its type, for people and JSON: the arrays of the journal
    have no names. `{"type": "ContactOffered", "contact": 7, ...}`; defaults are kept."""
    if isinstance(value, msgspec.Struct):
        fields = {name: named(getattr(value, name)) for name in value.__struct_fields__}
        tag = value.__struct_config__.tag
        if tag is not None:
            return {"type": tag, **fields}
        if isinstance(value, Ask):
            return {"type": type(value).__name__, **fields}
        return fields
    if isinstance(value, dict):
        return {key: named(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [named(item) for item in value]
    return msgspec.to_builtins(value)
