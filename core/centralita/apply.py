"""Events change the state here and nowhere else; recovery does nothing but this.

`APPLY[type(event)](state, event, at_ns)` performs one event. The phase it leads to comes from the
table in `state.py`; an event that can't come now raises InvalidTransition, which is a bug in a stage or
a journal that isn't ours, never something a customer did.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from msgspec.structs import replace

from centralita.config import ns
from centralita.errors import InvalidTransition
from centralita.messages import (
    AgentConnectionLost,
    AgentJoined,
    AgentLeaving,
    AgentLeft,
    AgentOccupied,
    AgentReleased,
    AgentReturned,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    AnyEvent,
    CallbackDue,
    CallbackPostponed,
    CallbackRequested,
    ClassificationStarted,
    ComponentDown,
    ComponentUp,
    ConfigurationApplied,
    ConnectionFailed,
    ConsultationEnded,
    ConsultationStarted,
    ContactAdmitted,
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
    ContactRated,
    ContactResumed,
    ContactReturned,
    ContactsErased,
    ContactTransferred,
    DeliveryFailed,
    DeliveryMade,
    Event,
    ExclusionsEnded,
    IdentificationStarted,
    MaxWaitPassed,
    MessagePosted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    QueueClosed,
    QueueOpened,
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
from centralita.personal import bare_ended
from centralita.state import (
    CONTACT_TRANSITIONS,
    ENDED_KEPT_MAX,
    OWED_KEPT_MAX,
    RECENT_NS,
    STATUS_TRANSITIONS,
    WORDS_SWEPT_EVERY_NS,
    Agent,
    Contact,
    Ended,
    Message,
    Queue,
    State,
    Work,
    customer_key,
    provider_key,
)

GAP_WEIGHT: Final = 0.02
"""Weight of the newest sample in the moving means that estimates are made from: about the last hundred.
A shorter memory moves with the line's own luck: it promises most just when the line is short."""
LINE_WEIGHT: Final = 0.005
"""The same for who gives up, which is rarer, and for how uneven gaps are: about the last four hundred."""
UNEVENNESS_MAX: Final = 100.0
"""As much may one gap say of it: ten means more than the mean."""


def apply(state: State, event: AnyEvent, at_ns: int) -> None:
    """Perform one event. Raises InvalidTransition and KeyError for what can't be."""
    APPLY[type(event)](state, event, at_ns)


def _moved(state: State, event: Any, at_ns: int) -> Contact:
    """The event's contact, brought to the phase that follows."""
    contact = state.contacts[event.contact]
    _move(state, contact, type(event), at_ns)
    return contact


def _move(state: State, contact: Contact, kind: type[Event], at_ns: int) -> None:
    """Bring a contact to the phase that follows an event of a kind. What every contact goes through calls
    this one: it asks the event for nothing, and an attribute asked of many types is slow."""
    phase = contact.phase
    try:
        following = CONTACT_TRANSITIONS[kind][phase]
    except KeyError:
        raise InvalidTransition(
            f"contact {contact.id} was {phase}; {kind.__name__} can't come then"
        ) from None
    if following != phase:
        if phase == "connected":
            contact.talk_ns += at_ns - contact.phase_since_ns
        elif phase == "on_hold":
            contact.hold_ns += at_ns - contact.phase_since_ns
        elif phase == "waiting":
            state.queues[contact.queue].waiting.pop(contact.id, None)
        if following == "waiting":
            state.queues[contact.queue].waiting[contact.id] = None
        contact.phase = following
        contact.phase_since_ns = at_ns


def _drop_work(state: State, contact: Contact, agent: str) -> None:
    del contact.works[agent]
    del state.agents[agent].contacts[contact.id]
    if contact.agent == agent:
        contact.agent = next((name for name, work in contact.works.items() if work.state != "wrapping"), "")


def _add_work(state: State, contact: Contact, agent: str, work: Work) -> None:
    contact.works[agent] = work
    state.agents[agent].contacts[contact.id] = None


def _admitted(state: State, event: ContactAdmitted, at_ns: int) -> None:
    state.last_id = event.contact
    state.admitted_n += 1
    state.by_provider[provider_key(event.channel, event.provider_id)] = event.contact
    # Python calls with more than fifteen keywords through a dictionary, three times as slowly.
    state.contacts[event.contact] = contact = Contact(
        id=event.contact,
        conversation=event.conversation,
        channel=event.channel,
        medium=event.medium,
        provider_id=event.provider_id,
        direction=event.direction,
        arrived_ns=at_ns,
        handle=event.handle,
        phase_since_ns=at_ns,
        queue=event.queue,
        own_skills=event.skills,
        own_priority=event.priority,
        own_credit_ns=event.credit_ns,
        parent=event.parent,
        active_ns=at_ns,
    )
    contact.to = event.to
    contact.subject = event.subject
    contact.customer_name = event.customer_name
    contact.language = event.language
    contact.preferred_agent = event.preferred_agent
    contact.attributes = event.attributes


def _deadline_set(state: State, event: Any, at_ns: int) -> None:
    _moved(state, event, at_ns).deadline_ns = event.deadline_ns


def _identified(state: State, event: ContactIdentified, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    if contact.phase == "identifying":  # a later answer ends no other wait
        contact.deadline_ns = 0
    if event.customer is not None:
        if contact.customer is not None:
            _forget_customer(state, contact)
        contact.customer = event.customer
        state.by_customer.setdefault(customer_key(event.customer), {})[contact.id] = None
    if event.conversation:
        contact.conversation = event.conversation


def _forget_customer(state: State, contact: Contact) -> None:
    assert contact.customer is not None
    key = customer_key(contact.customer)
    theirs = state.by_customer[key]
    del theirs[contact.id]
    if not theirs:
        del state.by_customer[key]


def _classified(state: State, event: ContactClassified, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.deadline_ns = 0
    contact.queue = event.queue
    contact.own_skills = event.skills
    contact.own_priority = event.priority
    contact.preferred_agent = event.preferred_agent
    contact.attributes = event.attributes


def _self_service_started(state: State, event: SelfServiceStarted, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.bot = event.bot
    contact.bot_after = contact.messages_n
    contact.deadline_ns = event.deadline_ns


def _self_service_ended(state: State, event: SelfServiceEnded, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.deadline_ns = 0
    contact.summary = event.summary


def _queued(state: State, event: ContactQueued, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    if contact.phase == "waiting":  # it stays so, and its line changes
        state.queues[contact.queue].waiting.pop(contact.id, None)
        state.queues[event.queue].waiting[contact.id] = None
    contact.queue = event.queue
    _move(state, contact, ContactQueued, at_ns)
    if not contact.wait_from_ns:
        contact.wait_from_ns = at_ns
    contact.skills = event.skills
    contact.priority = event.priority
    contact.rate_thousandths = event.rate_thousandths
    contact.credit_ns = event.credit_ns
    contact.queued_ns = event.queued_ns
    contact.prefer_agent = event.preferred_agent
    contact.prefer_until_ns = event.preferred_until_ns
    contact.deadline_ns = event.max_wait_until_ns
    contact.announce_at_ns = event.announce_at_ns
    contact.due_ns = event.due_ns
    contact.hops = event.hops
    contact.rung = 0
    for agent in event.excluded:
        _exclude(contact, agent, 0)


def _max_wait_passed(state: State, event: MaxWaitPassed, at_ns: int) -> None:
    _moved(state, event, at_ns).deadline_ns = 0


def _ring_passed(state: State, event: RingPassed, at_ns: int) -> None:
    _moved(state, event, at_ns).rung = event.rung


def _contact_moved(state: State, event: ContactMoved, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    if event.skills is not None:
        contact.skills = event.skills
    if event.priority is not None:
        contact.priority = event.priority


def _picked(state: State, event: ContactPicked, at_ns: int) -> None:
    _moved(state, event, at_ns).picked = event.agent


def _offered(state: State, event: ContactOffered, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    _move(state, contact, ContactOffered, at_ns)
    state.last_id = event.offer
    agent = event.agent
    contact.works[agent] = Work("offered", at_ns, event.expires_ns, event.offer)
    state.agents[agent].contacts[contact.id] = None


def _accepted(state: State, event: OfferAccepted, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    _move(state, contact, OfferAccepted, at_ns)
    agent = event.agent
    contact.works[agent] = Work("connecting", at_ns, event.connect_by_ns)
    contact.agent = agent
    contact.picked = ""
    state.agents[agent].no_answers = 0


def _offer_over(state: State, event: OfferWithdrawn, at_ns: int) -> None:
    _drop_work(state, _moved(state, event, at_ns), event.agent)


def _declined(state: State, event: OfferDeclined, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    _exclude(contact, event.agent, event.again_at_ns)
    contact.picked = ""
    _drop_work(state, contact, event.agent)


def _expired(state: State, event: OfferExpired, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.picked = ""
    _drop_work(state, contact, event.agent)
    state.agents[event.agent].no_answers += 1


def _exclude(contact: Contact, agent: str, until_ns: int) -> None:
    if contact.excluded is None:
        contact.excluded = {}
    contact.excluded[agent] = until_ns


def _exclusions_ended(state: State, event: ExclusionsEnded, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    left = {name: until for name, until in (contact.excluded or {}).items() if name not in event.agents}
    contact.excluded = left or None


def _placed(state: State, event: ContactPlaced, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.agent = event.agent
    contact.wait_from_ns = contact.queued_ns = at_ns
    _add_work(state, contact, event.agent, Work("connecting", at_ns, event.connect_by_ns))


def _connected(state: State, event: ContactConnected, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    _move(state, contact, ContactConnected, at_ns)
    contact.works[event.agent] = Work("connected", at_ns)
    contact.last_agent = event.agent
    contact.active_ns = at_ns
    contact.waited_ns += event.waited_ns
    contact.answered = True
    contact.deadline_ns = at_ns + ns(state.config.limits.silence_s)
    queue = state.queues.get(event.queue)
    if queue is not None and contact.direction == "inbound":
        if queue.backlog_at_last_start:
            gap_ns = at_ns - queue.last_start_ns
            weight = max(GAP_WEIGHT, 1 / (queue.gaps_n + 1))
            if queue.gap_ns > 0:
                off = (gap_ns / queue.gap_ns - 1) ** 2
                queue.gap_unevenness += (min(off, UNEVENNESS_MAX) - queue.gap_unevenness) * LINE_WEIGHT
            queue.gap_ns += (gap_ns - queue.gap_ns) * weight
            queue.gaps_n += 1
        queue.last_start_ns = at_ns
        queue.backlog_at_last_start = bool(queue.waiting)
        if event.waited_ns:
            _left_line(queue, event.waited_ns, gave_up=False)


def _left_line(queue: Queue, waited_ns: int, *, gave_up: bool) -> None:
    queue.line_n += 1
    weight = max(LINE_WEIGHT, 1 / queue.line_n)
    queue.line_ns += (waited_ns - queue.line_ns) * weight
    queue.gave_up += (gave_up - queue.gave_up) * weight


def _connection_failed(state: State, event: ConnectionFailed, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    _exclude(contact, event.agent, event.again_at_ns)
    _drop_work(state, contact, event.agent)


def _only_phase(state: State, event: Any, at_ns: int) -> None:
    _moved(state, event, at_ns)


def _forwarded(state: State, event: ContactForwarded, at_ns: int) -> None:
    _moved(state, event, at_ns).forwarded_to = event.number


def _returned(state: State, event: ContactReturned, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.agent = ""
    contact.picked = ""
    if contact.answered:
        contact.wait_from_ns = at_ns
        contact.deadline_ns = 0


def _resumed(state: State, event: ContactResumed, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.deadline_ns = at_ns + ns(state.config.limits.silence_s)
    contact.active_ns = at_ns


def _transfer_started(state: State, event: TransferStarted, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.wait_from_ns = 0
    contact.deadline_ns = 0
    _exclude(contact, event.agent, event.again_at_ns)
    if event.agent in contact.works and contact.works[event.agent].state != "wrapping":
        _drop_work(state, contact, event.agent)
    contact.agent = ""


def _consultation_started(state: State, event: ConsultationStarted, at_ns: int) -> None:
    _moved(state, event, at_ns).consultation = event.consultation


def _consultation_ended(state: State, event: ConsultationEnded, at_ns: int) -> None:
    _moved(state, event, at_ns).consultation = 0


def _transferred(state: State, event: ContactTransferred, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    if event.from_agent in contact.works and contact.works[event.from_agent].state != "wrapping":
        _drop_work(state, contact, event.from_agent)
    _add_work(state, contact, event.to_agent, Work("connected", at_ns))
    contact.agent = contact.last_agent = event.to_agent
    contact.deadline_ns = at_ns + ns(state.config.limits.silence_s)
    contact.active_ns = at_ns


def _joined(state: State, event: AgentJoined, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.deadline_ns = at_ns + ns(state.config.limits.silence_s)
    _add_work(state, contact, event.agent, Work("connected", at_ns))


def _left(state: State, event: AgentLeft, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    if event.agent in contact.works and contact.works[event.agent].state != "wrapping":
        _drop_work(state, contact, event.agent)


def _service_ended(state: State, event: ServiceEnded, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    _move(state, contact, ServiceEnded, at_ns)
    contact.deadline_ns = 0
    contact.announce_at_ns = 0
    contact.outcome = event.outcome
    contact.ended_by = event.by
    contact.ended_reason = event.reason


def _wrap_up_started(state: State, event: WrapUpStarted, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    if event.hold:
        state.last_id = event.hold
        _exclude(contact, event.agent, event.deadline_ns)
    contact.works[event.agent] = Work("wrapping", at_ns, event.deadline_ns, 0, event.hold)
    if contact.agent == event.agent and event.hold:
        contact.agent = ""


def _wrap_up_extended(state: State, event: WrapUpExtended, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.works[event.agent].deadline_ns = event.deadline_ns


def _wrap_up_ended(state: State, event: WrapUpEnded, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.wrap_up_ns += event.wrap_up_ns
    if event.disposition:
        contact.disposition = event.disposition
    if event.notes:
        contact.notes = event.notes
    _drop_work(state, contact, event.agent)


def _noted(state: State, event: ContactNoted, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    if event.notes is not None:
        contact.notes = event.notes
    if event.disposition is not None:
        contact.disposition = event.disposition


def _ended(state: State, event: ContactEnded, at_ns: int) -> None:
    contact = state.contacts[event.contact]
    _move(state, contact, ContactEnded, at_ns)
    if contact.works:
        for agent in contact.works:
            del state.agents[agent].contacts[contact.id]
        contact.works.clear()
        contact.agent = ""
    if contact.answered and contact.direction == "inbound" and contact.queue in state.queues:
        queue = state.queues[contact.queue]
        handling_ns = contact.talk_ns + contact.hold_ns + contact.wrap_up_ns
        queue.handled_n += 1
        queue.handling_ns += (handling_ns - queue.handling_ns) * max(GAP_WEIGHT, 1 / queue.handled_n)
    elif event.outcome == "abandoned" and event.waited_ns and contact.queue in state.queues:
        _left_line(state.queues[contact.queue], event.waited_ns, gave_up=True)
    state.ended_n += 1
    if contact.customer is not None:
        _forget_customer(state, contact)
    del state.contacts[contact.id]
    ended = state.ended
    ended[contact.id] = Ended(
        contact.channel,
        contact.provider_id,
        contact.queue,
        contact.last_agent,
        at_ns,
        contact.rated,
        contact.callback_channel,
        _last_words(contact, at_ns) if contact.messages else (),
        contact.parent != 0,
        contact.forwarded_to,
        contact.undelivered,
    )
    if at_ns >= state.words_swept_ns + WORDS_SWEPT_EVERY_NS:
        _let_go_of_words(state, at_ns)
    if len(ended) > ENDED_KEPT_MAX:
        _forget_oldest(state)


def _last_words(contact: Contact, at_ns: int) -> tuple[Message, ...]:
    """What was said to the customer within RECENT_NS of the end, and what is owed, in order."""
    words: list[Message] = []
    owed = contact.undelivered
    for message in reversed(contact.messages or ()):
        if contact.parent or (message.at_ns < at_ns - RECENT_NS and not 0 < owed <= message.number):
            break
        if message.author != "customer" and not message.internal:
            words.append(message)
    words.reverse()
    return tuple(words)


def _let_go_of_words(state: State, at_ns: int) -> None:
    """Keep no words of those who ended more than RECENT_NS ago and are owed nothing. All at once and seldom:
    a look at each end would cost every contact, and who ended long before has been looked at."""
    looked_at_ns = state.words_swept_ns - RECENT_NS
    state.words_swept_ns = at_ns
    old: list[int] = []
    for number, ended in reversed(state.ended.items()):
        if ended.ended_ns < looked_at_ns:
            break
        if ended.ended_ns < at_ns - RECENT_NS and ended.last_words and not ended.undelivered:
            old.append(number)
    for number in old:  # replaced, not changed: a capture may hold the one there was
        state.ended[number] = replace(state.ended[number], last_words=())


def _forget_oldest(state: State) -> None:
    """Forget the older half at once: a dictionary that loses its first key each time gets slow. Those who are
    owed words are remembered longer, the newest OWED_KEPT_MAX of them."""
    oldest = list(islice(state.ended, len(state.ended) // 2))
    owed = [number for number in oldest if state.ended[number].undelivered]
    for number in set(oldest).difference(owed[-OWED_KEPT_MAX:]):
        forgotten = state.ended.pop(number)
        del state.by_provider[provider_key(forgotten.channel, forgotten.provider_id)]


def _message_posted(state: State, event: MessagePosted, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.messages_n = event.number
    contact.active_ns = at_ns
    if contact.messages is None:
        contact.messages = []
    elif len(contact.messages) >= state.config.limits.messages_kept:
        del contact.messages[0]
    contact.messages.append(
        Message(
            number=event.number,
            at_ns=at_ns,
            author=event.author,
            text=event.text,
            author_id=event.author_id,
            message_id=event.message_id,
            attachments=event.attachments,
            internal=event.internal,
        )
    )


def _delivery_failed(state: State, event: DeliveryFailed, at_ns: int) -> None:
    _owe(state, event.contact, event.number)


def _delivery_made(state: State, event: DeliveryMade, at_ns: int) -> None:
    contact = state.contacts.get(event.contact)
    said = contact.messages or () if contact is not None else state.ended[event.contact].last_words
    left = (one.number for one in said if one.author != "customer" and not one.internal)
    _owe(state, event.contact, next((number for number in left if number > event.number), 0))


def _owe(state: State, number: int, first: int) -> None:
    """Owe a customer all words from a message on; 0: nothing."""
    contact = state.contacts.get(number)
    if contact is not None:
        contact.undelivered = first
    else:  # replaced, not changed: a capture may hold the one there was
        ended = state.ended[number]
        words = tuple(one for one in ended.last_words if 0 < first <= one.number)
        state.ended[number] = replace(ended, last_words=words, undelivered=first)


def _announced(state: State, event: WaitAnnounced, at_ns: int) -> None:
    _moved(state, event, at_ns).announce_at_ns = event.next_at_ns


def _callback_requested(state: State, event: CallbackRequested, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    contact.callback_handle = event.handle
    contact.callback_channel = event.channel
    for work in contact.works.values():  # who wraps up an earlier part of it keeps that part's capacity
        work.medium = work.medium or contact.medium
    contact.medium = "callback"
    contact.due_ns = event.due_ns
    contact.announce_at_ns = 0
    contact.deadline_ns = 0


def _callback_due(state: State, event: CallbackDue, at_ns: int) -> None:
    _moved(state, event, at_ns).due_ns = 0


def _callback_postponed(state: State, event: CallbackPostponed, at_ns: int) -> None:
    contact = _moved(state, event, at_ns)
    for agent in [name for name, work in contact.works.items() if work.state == "connecting"]:
        _drop_work(state, contact, agent)
    contact.agent = ""
    contact.callback_attempts += 1
    contact.due_ns = event.due_ns
    contact.announce_at_ns = 0
    contact.deadline_ns = 0


def _rated(state: State, event: ContactRated, at_ns: int) -> None:
    contact = state.contacts.get(event.contact)
    if contact is not None:
        contact.rated = True
    else:  # replaced, not changed: a capture may hold the one there was
        state.ended[event.contact] = replace(state.ended[event.contact], rated=True)


def _choose(agent: Agent, status: Status) -> None:
    if status not in STATUS_TRANSITIONS[agent.status]:
        raise InvalidTransition(f"agent {agent.name} was {agent.status}; {status} can't come then")
    agent.status = status


def _signed_in(state: State, event: AgentSignedIn, at_ns: int) -> None:
    agent = state.agents[event.agent]
    _choose(agent, event.status)
    agent.reason = event.reason
    agent.desk = event.desk
    agent.since_ns = at_ns
    agent.leaving = False
    agent.grace_until_ns = 0
    agent.no_answers = 0


def _status_changed(state: State, event: AgentStatusChanged, at_ns: int) -> None:
    agent = state.agents[event.agent]
    _choose(agent, event.status)
    agent.reason = event.reason
    agent.since_ns = at_ns
    agent.leaving = False
    if event.status == "available":
        agent.no_answers = 0


def _occupied(state: State, event: AgentOccupied, at_ns: int) -> None:
    agent = state.agents[event.agent]
    agent.busy = event.reason
    agent.since_ns = at_ns


def _released(state: State, event: AgentReleased, at_ns: int) -> None:
    agent = state.agents[event.agent]
    agent.busy = ""
    agent.since_ns = at_ns


def _leaving(state: State, event: AgentLeaving, at_ns: int) -> None:
    state.agents[event.agent].leaving = True


def _signed_out(state: State, event: AgentSignedOut, at_ns: int) -> None:
    agent = state.agents[event.agent]
    _choose(agent, "offline")
    agent.reason = event.reason
    agent.since_ns = at_ns
    agent.desk = ""
    agent.leaving = False
    agent.grace_until_ns = 0
    agent.busy = ""
    agent.queue_since_ns = agent.queue_given = agent.queue_turn = 0


def _connection_lost(state: State, event: AgentConnectionLost, at_ns: int) -> None:
    agent = state.agents[event.agent]
    agent.grace_until_ns = event.grace_until_ns
    agent.desk = ""


def _agent_returned(state: State, event: AgentReturned, at_ns: int) -> None:
    agent = state.agents[event.agent]
    agent.grace_until_ns = 0
    agent.desk = event.desk


def _queue_opened(state: State, event: QueueOpened, at_ns: int) -> None:
    state.queues[event.queue].open = True


def _queue_closed(state: State, event: QueueClosed, at_ns: int) -> None:
    state.queues[event.queue].open = False


def _configuration_applied(state: State, event: ConfigurationApplied, at_ns: int) -> None:
    state.config = event.config
    for name in event.config.queues:
        if name not in state.queues:
            state.queues[name] = Queue(name=name)
    for name in [name for name in state.queues if name not in event.config.queues]:
        del state.queues[name]
    for name in event.config.agents:
        if name not in state.agents:
            state.last_agent_number += 1
            state.agents[name] = Agent(name=name, number=state.last_agent_number, since_ns=at_ns)
    for name in [name for name in state.agents if name not in event.config.agents]:
        del state.agents[name]


def _component_down(state: State, event: ComponentDown, at_ns: int) -> None:
    state.components_down[event.component] = event.error


def _erased(state: State, event: ContactsErased, at_ns: int) -> None:
    for number in event.contacts:
        ended = state.ended.get(number)
        if ended is not None:
            bare = state.ended[number] = bare_ended(number, ended)
            bare.undelivered = 0
            del state.by_provider[provider_key(ended.channel, ended.provider_id)]
            state.by_provider[provider_key(bare.channel, bare.provider_id)] = number


def _component_up(state: State, event: ComponentUp, at_ns: int) -> None:
    state.components_down.pop(event.component, None)


APPLY: Final[dict[type, Callable[[State, Any, int], None]]] = {
    ContactAdmitted: _admitted,
    IdentificationStarted: _deadline_set,
    ContactIdentified: _identified,
    ClassificationStarted: _deadline_set,
    ContactClassified: _classified,
    SelfServiceStarted: _self_service_started,
    SelfServiceTurn: _deadline_set,
    SelfServiceEnded: _self_service_ended,
    ContactQueued: _queued,
    MaxWaitPassed: _max_wait_passed,
    RingPassed: _ring_passed,
    ContactMoved: _contact_moved,
    ContactPicked: _picked,
    ContactReturned: _returned,
    ExclusionsEnded: _exclusions_ended,
    ContactPlaced: _placed,
    ContactOffered: _offered,
    OfferAccepted: _accepted,
    OfferDeclined: _declined,
    OfferExpired: _expired,
    OfferWithdrawn: _offer_over,
    ContactConnected: _connected,
    ConnectionFailed: _connection_failed,
    ContactForwarded: _forwarded,
    ContactHeld: _deadline_set,
    ContactResumed: _resumed,
    TransferStarted: _transfer_started,
    ConsultationStarted: _consultation_started,
    ConsultationEnded: _consultation_ended,
    ContactTransferred: _transferred,
    AgentJoined: _joined,
    AgentLeft: _left,
    ServiceEnded: _service_ended,
    WrapUpStarted: _wrap_up_started,
    WrapUpExtended: _wrap_up_extended,
    WrapUpEnded: _wrap_up_ended,
    ContactNoted: _noted,
    ContactEnded: _ended,
    MessagePosted: _message_posted,
    DeliveryFailed: _delivery_failed,
    DeliveryMade: _delivery_made,
    WaitAnnounced: _announced,
    CallbackRequested: _callback_requested,
    CallbackDue: _callback_due,
    CallbackPostponed: _callback_postponed,
    ContactRated: _rated,
    AgentSignedIn: _signed_in,
    AgentStatusChanged: _status_changed,
    AgentOccupied: _occupied,
    AgentReleased: _released,
    AgentLeaving: _leaving,
    AgentSignedOut: _signed_out,
    AgentConnectionLost: _connection_lost,
    AgentReturned: _agent_returned,
    QueueOpened: _queue_opened,
    QueueClosed: _queue_closed,
    ConfigurationApplied: _configuration_applied,
    ComponentDown: _component_down,
    ComponentUp: _component_up,
    ContactsErased: _erased,
}
