"""Commands: what someone wants of the engine, imperative. Who decides one is in `stages/`."""

from __future__ import annotations

from typing import Literal

import msgspec

from centralita.config import EngineConfig
from centralita.messages.words import Attachment, Author, CreditS, Customer, MomentNs, Skills, Status, Target


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
