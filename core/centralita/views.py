"""What people and plugins see of the engine: plain structs made from the state, never the state itself.

Everything the HTTP interface, the desks, the CLI and classifiers read is one of these; they encode as
JSON objects with the field names below. Ages and limits are absolute ns, so that a reader with its
own clock can count down. The functions that make them from the state are at the end.
"""

from __future__ import annotations

from centralita.messages import Attachment, Author, Customer
from centralita.structs import Frozen


class View(Frozen):
    """Something to be read."""


class MessageView(View):
    """One message of a contact; `number` orders them."""

    number: int
    at_ns: int
    author: Author
    author_id: str
    text: str
    attachments: tuple[Attachment, ...]
    internal: bool
    message_id: str = ""


class WorkView(View):
    """What one agent does in one contact. `state`: offered, connecting, connected, held, wrapping."""

    agent: str
    state: str
    since_ns: int
    deadline_ns: int
    offer: int = 0


class EstimateView(View):
    """Expected wait: `low_s` to `high_s` holds with probability `confidence`; -1 where unknown.

    `basis` says in words what it was made from.
    """

    low_s: float
    expected_s: float
    high_s: float
    confidence: float
    basis: str


class ContactView(View):
    """A live contact, or one that has just ended."""

    id: int
    phase: str
    outcome: str
    channel: str
    medium: str
    direction: str
    provider_id: str
    handle: str
    customer_name: str
    language: str
    subject: str
    customer: Customer | None
    conversation: int
    queue: str
    skills: dict[str, int]
    priority: int
    rung: int
    attributes: dict[str, str]
    arrived_ns: int
    queued_ns: int
    due_ns: int
    deadline_ns: int
    agent: str
    works: tuple[WorkView, ...]
    callback_handle: str
    callback_channel: str
    callback_attempts: int
    parent: int
    consultation: int
    summary: str
    notes: str
    disposition: str
    messages: tuple[MessageView, ...] = ()
    position: int = 0
    bot_after: int = 0
    """The number of the last message before a bot got the contact; each later one of the customer is a turn."""


class AgentView(View):
    """An agent: `status` is chosen, `state` is computed (offline, break, lost, idle, offered,
    connected, wrapping, full)."""

    name: str
    title: str
    team: str
    status: str
    state: str
    reason: str
    since_ns: int
    desk: str
    leaving: bool
    grace_until_ns: int
    skills: dict[str, int]
    capacity: int
    units_used: int
    works: dict[int, WorkView]
    no_answers: int


class QueueView(View):
    """A queue as it stands. `waiting` are those in line: a callback only from its agreed moment on. Of the agents
    signed in who have its skills (`agents_present`), `agents_available` could be asked right now."""

    name: str
    title: str
    open: bool
    waiting: int
    longest_wait_since_ns: int
    offered: int
    connected: int
    wrapping: int
    agents_present: int
    agents_available: int
    answer_target_s: float
    estimate: EstimateView


class BarredView(View):
    """Why an agent (or `agents` of one kind) does not get a contact, in numbers and in words."""

    agent: str
    agents: int
    skills: dict[str, int]
    rule: str
    subject: str
    needed: int
    had: int
    words: str


class AheadView(View):
    """One who stands before a waiting contact for the same people. `by` is the part of the rule that puts them there:
    priority, wait, head_start (credit, and time waited before in another queue or conversation) or rate."""

    contact: int
    queue: str
    by: str
    priority: int
    waited_s: float
    head_start_s: float
    rate: float
    words: str


class ContactExplanation(View):
    """`why CONTACT`: what it waits for, who stands before it, and for each agent what bars them."""

    contact: int
    phase: str
    words: str
    queue: str
    skills: dict[str, int]
    rung: int
    next_ring_ns: int
    position: int
    ahead: int
    capable: int
    available: int
    estimate: EstimateView
    agents: tuple[BarredView, ...]
    chosen_by: tuple[tuple[str, str], ...] = ()
    """For an offered contact: (order key, value) of the agent who got it, in the order compared."""
    before: tuple[AheadView, ...] = ()
    """Of a waiting contact's `ahead`, the first twenty in order."""


class AgentExplanation(View):
    """ "Why not me": for the first waiting contacts, what bars this agent from each."""

    agent: str
    words: str
    contacts: tuple[tuple[int, BarredView], ...]


class ComponentView(View):
    """A running plugin's component. `state`: starting, up, down, stopped."""

    kind: str
    name: str
    type: str
    state: str
    restarts: int
    error: str
    since_ns: int


class Problem(View):
    """What the linter found. `level`: error (can't work) or warning (probably not meant)."""

    level: str
    path: str
    message: str
