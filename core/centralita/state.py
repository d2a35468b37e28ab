"""What the engine knows: contacts, agents and queues as they stand, and which event may follow what.

Only `apply/` changes these, and only because of an event. What it refuses to know: why something
was decided (stages/), in what order contacts will be served (matching/), what must be done
about it outside (asks.py). The structs encode as they are: a snapshot is this state, whole.

The phase of a contact is the customer's view; an agent's part in it is a `Work` of its own, so that
an agent can wrap up a contact which has long gone on to somebody else.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from centralita.config import EngineConfig
from centralita.config import Queue as QueueRules
from centralita.messages import (
    AgentJoined,
    AgentLeft,
    Attachment,
    Author,
    CallbackDue,
    CallbackPostponed,
    CallbackRequested,
    ClassificationStarted,
    ConnectionFailed,
    ConsultationEnded,
    ConsultationStarted,
    ContactClassified,
    ContactConnected,
    ContactEnded,
    ContactForwarded,
    ContactHeld,
    ContactIdentified,
    ContactMoved,
    ContactNoted,
    ContactOffered,
    ContactPicked,
    ContactPlaced,
    ContactQueued,
    ContactResumed,
    ContactReturned,
    ContactTransferred,
    Customer,
    Direction,
    Event,
    ExclusionsEnded,
    IdentificationStarted,
    MaxWaitPassed,
    MessagePosted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    Outcome,
    RingPassed,
    SelfServiceEnded,
    SelfServiceStarted,
    SelfServiceTurn,
    ServiceEnded,
    Status,
    TransferStarted,
    WaitAnnounced,
    WrapUpEnded,
    WrapUpExtended,
    WrapUpStarted,
)
from centralita.structs import often_set

Phase = Literal[
    "arrived",
    "identifying",
    "classifying",
    "self_service",
    "waiting",
    "offered",
    "connecting",
    "connected",
    "on_hold",
    "transferring",
    "wrapping",
    "ended",
]
WorkState = Literal["offered", "connecting", "connected", "wrapping"]
AgentState = Literal["offline", "break", "lost", "idle", "offered", "connected", "wrapping", "full"]

ENDED_KEPT_MAX: Final = 20_000
"""The most ended contacts remembered, by their provider's id and for a rating (at least half as many
are); the rest is history's."""

DESK_LOST: Final = "connection_lost"
"""The reason of the break of an agent whose desk has not come back within the grace."""
RECENT_NS: Final = 600_000_000_000
"""What was said, or ended, so long before a crash may not have reached the customer, and is asked again. A
channel that fails says so at once (`DeliveryFailed`): then what it owes is asked again whenever it was said."""
LONG_STOP_NS: Final = RECENT_NS // 2
"""After a stop of so long, what a start says again is journalled as undelivered: another stop before it has
arrived would find it said too long ago."""
OWED_NS: Final = 7 * 24 * 3600 * 1_000_000_000
"""So long after a contact's end are words asked again that its channel could not deliver."""
OWED_KEPT_MAX: Final = 5_000
"""The most ended contacts that are remembered beyond ENDED_KEPT_MAX because words are owed to them."""
WORDS_SWEPT_EVERY_NS: Final = 60_000_000_000
"""So often are the words of contacts let go of that ended more than RECENT_NS before."""

_PHASES: Final[tuple[Phase, ...]] = tuple(phase for phase in get_args(Phase) if phase != "ended")


def _stays(*phases: Phase) -> dict[Phase, Phase]:
    return {phase: phase for phase in phases}


def _to(target: Phase, *phases: Phase) -> dict[Phase, Phase]:
    return dict.fromkeys(phases, target)


_BEFORE_WAITING: Final[tuple[Phase, ...]] = ("arrived", "identifying", "classifying", "self_service")
_WITH_AGENT: Final[tuple[Phase, ...]] = ("connected", "on_hold")

CONTACT_TRANSITIONS: Final[dict[type[Event], dict[Phase, Phase]]] = {
    IdentificationStarted: _to("identifying", "arrived"),
    ContactIdentified: _stays(*_PHASES),
    ClassificationStarted: _to("classifying", "arrived", "identifying"),
    ContactClassified: _stays(*_PHASES),
    SelfServiceStarted: _to("self_service", "arrived", "identifying", "classifying"),
    SelfServiceTurn: _stays("self_service"),
    SelfServiceEnded: _stays("self_service"),
    ContactQueued: _to("waiting", *_BEFORE_WAITING, "waiting", "transferring"),
    MaxWaitPassed: _stays("waiting"),
    RingPassed: _stays("waiting", "offered", "connecting"),
    ContactMoved: _stays("waiting"),
    ContactPicked: _stays("waiting"),
    ContactOffered: _to("offered", "waiting", "offered"),
    OfferAccepted: _to("connecting", "offered"),
    OfferDeclined: _stays("offered"),
    OfferExpired: _stays("offered"),
    OfferWithdrawn: _stays("offered", "connecting"),
    ContactPlaced: _to("connecting", "arrived"),
    ContactConnected: _to("connected", "connecting"),
    ConnectionFailed: _stays("connecting"),
    ContactReturned: _to("waiting", "offered", "connecting", "connected", "on_hold"),
    ExclusionsEnded: _stays("waiting"),
    ContactHeld: _to("on_hold", "connected"),
    ContactResumed: _to("connected", "on_hold"),
    TransferStarted: _to("transferring", *_WITH_AGENT),
    ConsultationStarted: _stays(*_WITH_AGENT),
    ConsultationEnded: _stays(*_PHASES),
    ContactTransferred: _to("connected", *_WITH_AGENT),
    ContactForwarded: _stays(*_WITH_AGENT),
    AgentJoined: _to("connected", *_WITH_AGENT),
    AgentLeft: _stays("connecting", "wrapping", *_WITH_AGENT),
    ServiceEnded: _to("wrapping", "waiting", "offered", "connecting", "transferring", *_WITH_AGENT),
    WrapUpStarted: _stays("transferring", "wrapping", *_WITH_AGENT),
    WrapUpExtended: _stays(*_PHASES),
    WrapUpEnded: _stays(*_PHASES),
    ContactNoted: _stays(*_PHASES),
    ContactEnded: _to("ended", *_PHASES),
    MessagePosted: _stays(*_PHASES),
    WaitAnnounced: _stays("waiting"),
    CallbackRequested: _stays("waiting"),
    CallbackDue: _stays("waiting"),
    CallbackPostponed: _to("waiting", "connecting"),
}
"""For each event about a contact, the phases it may come in and the phase that follows.

ContactAdmitted begins in `arrived`. An event in a phase that has no entry is InvalidTransition.
"""

STATUS_TRANSITIONS: Final[dict[Status, tuple[Status, ...]]] = {
    "offline": ("available", "break"),
    "available": ("available", "break", "offline"),
    "break": ("available", "break", "offline"),
}
"""An agent's chosen status: from offline only a sign-in leads on."""


class Message(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """One message kept with a live contact."""

    number: int
    at_ns: int
    author: Author
    text: str
    author_id: str = ""
    message_id: str = ""
    attachments: tuple[Attachment, ...] = ()
    internal: bool = False


class Work(msgspec.Struct, array_like=True, gc=False):
    """One agent's part in one contact. `hold` is the queue's id when it isn't the contact's own; `medium`
    is whose capacity it takes when the contact has gone over to another medium since (a callback)."""

    state: WorkState
    since_ns: int
    deadline_ns: int = 0
    offer: int = 0
    hold: int = 0
    medium: str = ""


@often_set
class Contact(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """A live contact."""

    id: int
    conversation: int
    channel: str
    medium: str
    provider_id: str
    direction: Direction
    arrived_ns: int
    handle: str = ""
    to: str = ""
    subject: str = ""
    customer_name: str = ""
    language: str = ""
    customer: Customer | None = None
    phase: Phase = "arrived"
    phase_since_ns: int = 0
    deadline_ns: int = 0
    # what it needs
    queue: str = ""
    own_skills: dict[str, int] | None = None
    own_priority: int = 0
    own_credit_ns: int | None = None
    preferred_agent: str = ""
    attributes: dict[str, str] | None = None
    # its place in line
    skills: dict[str, int] = {}
    priority: int = 0
    rate_thousandths: int = 1000
    credit_ns: int = 0
    queued_ns: int = 0
    wait_from_ns: int = 0
    prefer_agent: str = ""
    prefer_until_ns: int = 0
    excluded: dict[str, int] | None = None
    rung: int = 0
    announce_at_ns: int = 0
    due_ns: int = 0
    hops: int = 0
    picked: str = ""
    # who has it
    agent: str = ""
    last_agent: str = ""
    works: dict[str, Work] = {}
    consultation: int = 0
    parent: int = 0
    bot: str = ""
    callback_handle: str = ""
    callback_channel: str = ""
    callback_attempts: int = 0
    outcome: Outcome | None = None
    ended_by: str = ""
    ended_reason: str = ""
    # what was said and done
    messages: list[Message] | None = None
    messages_n: int = 0
    active_ns: int = 0
    notes: str = ""
    disposition: str = ""
    summary: str = ""
    waited_ns: int = 0
    talk_ns: int = 0
    hold_ns: int = 0
    wrap_up_ns: int = 0
    answered: bool = False
    rated: bool = False
    bot_after: int = 0
    forwarded_to: str = ""
    undelivered: int = 0
    """The first message that its channel could not deliver to the customer, 0 when there is none."""
    reached: bool = False
    """Was answered, and has not asked since to be called back."""

    @property
    def to_dial(self) -> bool:
        """We call, or call back, and have not reached anybody yet: nobody is on the line who could hear, wait or
        leave."""
        return not self.reached and (self.direction == "outbound" or self.callback_handle != "")

    @property
    def reached_on(self) -> str:
        """The channel that has the customer, or is to call them back; their words stay on the contact's own."""
        return self.callback_channel or self.channel


@often_set
class Agent(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """An agent, signed in or not; `number` is the id the matching queue knows. `busy` is what keeps the agent
    from contacts though available: a private call."""

    name: str
    number: int
    status: Status = "offline"
    reason: str = ""
    since_ns: int = 0
    desk: str = ""
    leaving: bool = False
    grace_until_ns: int = 0
    no_answers: int = 0
    contacts: dict[int, None] = {}
    queue_since_ns: int = 0
    queue_given: int = 0
    queue_turn: int = 0
    busy: str = ""

    @property
    def present(self) -> bool:
        """Signed in, whether the desk's connection holds or not."""
        return self.status != "offline"

    @property
    def desk_lost(self) -> bool:
        """The desk's connection broke and is not back: within the grace, or after it with deferred contacts
        kept. Who signed in without a desk, in a program of their own, has lost none."""
        return self.grace_until_ns != 0 or (not self.desk and self.reason == DESK_LOST)

    @property
    def receiving(self) -> bool:
        """Whether new contacts may be offered."""
        return self.status == "available" and not self.leaving and self.grace_until_ns == 0 and not self.busy


@often_set
class Queue(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """A queue as it stands, and what its expected wait is estimated from: moving means of the gap between
    starts of service while others waited and of its squared deviation in units of itself (`gap_unevenness`,
    1 when gaps are exponential), of handling, and, of those who waited at all, of their time in line
    and of the share who gave up."""

    name: str
    open: bool = True
    waiting: dict[int, None] = {}
    last_start_ns: int = 0
    backlog_at_last_start: bool = False
    gap_ns: float = 0.0
    gaps_n: int = 0
    handling_ns: float = 0.0
    handled_n: int = 0
    line_n: int = 0
    line_ns: float = 0.0
    gave_up: float = 0.0
    gap_unevenness: float = 1.0


class Ended(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of a contact that has ended."""

    channel: str
    provider_id: str
    queue: str
    agent: str
    ended_ns: int
    rated: bool = False
    reached_on: str = ""
    """The channel that had the customer at the end, when it was not the contact's own."""
    last_words: tuple[Message, ...] = ()
    """What the customer was told, and may not have arrived: within RECENT_NS of the end, and what is owed."""
    consultation: bool = False
    forwarded_to: str = ""
    """The number outside that the customer was handed on to."""
    undelivered: int = 0
    """The first of these that its channel could not deliver, 0 when there is none."""


@often_set
class State(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """Everything. `last_id` is the last id given out, for contacts, offers and holds alike."""

    config: EngineConfig = EngineConfig()
    last_id: int = 0
    last_agent_number: int = 0
    queue_turns: int = 0
    admitted_n: int = 0
    ended_n: int = 0
    contacts: dict[int, Contact] = {}
    agents: dict[str, Agent] = {}
    queues: dict[str, Queue] = {}
    ended: dict[int, Ended] = {}
    by_provider: dict[str, int] = {}
    by_customer: dict[str, dict[int, None]] = {}
    components_down: dict[str, str] = {}
    words_swept_ns: int = 0

    def rules(self, queue: str) -> QueueRules:
        """The rules of a queue that exists."""
        return self.config.queues[queue]


def provider_key(channel: str, provider_id: str) -> str:
    """The key of a contact in `State.by_provider`; a channel's name holds no line break."""
    return f"{channel}\n{provider_id}"


def customer_key(customer: Customer) -> str:
    """The key of a customer in `State.by_customer`."""
    return f"{customer.crm}\n{customer.id}"


def agent_state(state: State, agent: Agent) -> AgentState:
    """Compute what an agent is doing from the works in hand.

    The liveliest work names it (connected before offered before wrapping); `full` means that every
    unit of capacity is taken by several contacts.
    """
    if agent.status == "offline":
        return "offline"
    if agent.grace_until_ns:
        return "lost"
    states = {state.contacts[contact].works[agent.name].state for contact in agent.contacts}
    if states & {"connected", "connecting"}:
        full = (
            len(agent.contacts) > 1 and units_used(state, agent) >= state.config.agents[agent.name].capacity
        )
        return "full" if full else "connected"
    if "offered" in states:
        return "offered"
    if "wrapping" in states:
        return "wrapping"
    return "break" if agent.status == "break" or agent.busy else "idle"


def units_used(state: State, agent: Agent) -> int:
    """The units of capacity that an agent's works take, over all media."""
    media = state.config.media
    return sum(media[medium].units for medium in media_held(state, agent))


def media_held(state: State, agent: Agent) -> list[str]:
    """The medium that each of an agent's works takes capacity on."""
    contacts = (state.contacts[number] for number in agent.contacts)
    return [contact.works[agent.name].medium or contact.medium for contact in contacts]


def has_room(state: State, agent: Agent, medium: str) -> bool:
    """Whether an agent's limit and capacity leave room for one more contact on a medium: the rule that the
    matching queue holds offers to, for those who only look."""
    config = state.config
    rules, wanted = config.agents[agent.name], config.media[medium]
    held = media_held(state, agent)
    limit = rules.limits.get(medium, wanted.max_per_agent)
    if limit is not None and held.count(medium) >= limit:
        return False
    in_the_way = sum(config.media[other].units for other in held if other not in wanted.may_interrupt)
    return rules.capacity - in_the_way >= wanted.units
