"""What the edge must do about an event, and what it must still do about a state.

`ASKS[type(event)](state, event, asks)` is called with the state *before* the event is applied, so that a
contact which ends can still be told so. `open_asks` gives, after a recovery, the asks that follow from
the state alone: every one may have been carried out before the crash, so edges perform them
idempotently (by offer, by message number, by connection).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from centralita.messages import (
    AgentJoined,
    AgentLeft,
    AnnounceWait,
    AnyAsk,
    ClassificationStarted,
    ConnectContact,
    ContactEnded,
    ContactForwarded,
    ContactHeld,
    ContactOffered,
    ContactPlaced,
    ContactResumed,
    ContactTransferred,
    DeliverMessage,
    DisconnectContact,
    FindClassification,
    FindCustomer,
    ForwardContact,
    IdentificationStarted,
    JoinAgent,
    MessagePosted,
    OfferAccepted,
    OfferExpired,
    OfferWithdrawn,
    PartAgent,
    ReportDelivery,
    SelfServiceStarted,
    SendOffer,
    ServiceEnded,
    SetHold,
    TakeBotTurn,
    TransferStarted,
    WaitAnnounced,
    WithdrawOffer,
)
from centralita.state import LONG_STOP_NS, OWED_NS, RECENT_NS, Contact, Ended, Message, State, provider_key

Asks = list[AnyAsk]


def _identify(state: State, event: IdentificationStarted, asks: Asks) -> None:
    asks.append(FindCustomer(contact=event.contact))


def _classify(state: State, event: ClassificationStarted, asks: Asks) -> None:
    asks.append(FindClassification(contact=event.contact))


def _self_serve(state: State, event: SelfServiceStarted, asks: Asks) -> None:
    asks.append(TakeBotTurn(contact=event.contact, bot=event.bot, message=0))


def _message(state: State, event: MessagePosted, asks: Asks) -> None:
    contact = state.contacts[event.contact]
    if event.author == "customer":
        if contact.phase == "self_service":
            asks.append(TakeBotTurn(contact=contact.id, bot=contact.bot, message=event.number))
    elif not event.internal and not contact.parent:
        asks.append(
            DeliverMessage(
                contact=contact.id,
                channel=contact.channel,
                provider_id=contact.provider_id,
                number=event.number,
                author=event.author,
                author_id=event.author_id,
                text=event.text,
                attachments=event.attachments,
            )
        )


def _offer(state: State, event: ContactOffered, asks: Asks) -> None:
    asks.append(
        SendOffer(contact=event.contact, agent=event.agent, offer=event.offer, expires_ns=event.expires_ns)
    )


def _withdraw(state: State, event: OfferWithdrawn, asks: Asks) -> None:
    asks.append(
        WithdrawOffer(contact=event.contact, agent=event.agent, offer=event.offer, reason=event.reason)
    )


def _expired(state: State, event: OfferExpired, asks: Asks) -> None:
    asks.append(WithdrawOffer(contact=event.contact, agent=event.agent, offer=event.offer, reason="expired"))


def _connect(state: State, event: Any, asks: Asks) -> None:
    asks.append(_connection(state.contacts[event.contact], event.agent))


def _connection(contact: Contact, agent: str) -> ConnectContact:
    """A callback or a placed contact is reached on its own handle, anybody else where they are."""
    dialled = contact.callback_handle or (contact.handle if contact.direction == "outbound" else "")
    return ConnectContact(
        contact=contact.id,
        channel=contact.reached_on,
        provider_id=contact.provider_id,
        agent=agent,
        callback_handle=dialled,
    )


def _hold(state: State, event: ContactHeld | ContactResumed, asks: Asks) -> None:
    contact = state.contacts[event.contact]
    asks.append(
        SetHold(
            contact=contact.id,
            channel=contact.reached_on,
            provider_id=contact.provider_id,
            on=isinstance(event, ContactHeld),
        )
    )


def _part(state: State, event: AgentLeft | TransferStarted, asks: Asks) -> None:
    contact = state.contacts[event.contact]
    if not contact.parent and contact.phase != "wrapping":
        asks.append(
            PartAgent(
                contact=contact.id,
                channel=contact.reached_on,
                provider_id=contact.provider_id,
                agent=event.agent,
            )
        )


def _forward(state: State, event: ContactForwarded, asks: Asks) -> None:
    asks.append(_forwarding(state.contacts[event.contact], event.number))


def _forwarding(contact: Contact, number: str) -> ForwardContact:
    return ForwardContact(
        contact=contact.id,
        channel=contact.reached_on,
        provider_id=contact.provider_id,
        number=number,
    )


def _join(state: State, event: AgentJoined, asks: Asks) -> None:
    contact = state.contacts[event.contact]
    asks.append(
        JoinAgent(
            contact=contact.id, channel=contact.reached_on, provider_id=contact.provider_id, agent=event.agent
        )
    )


def _transfer(state: State, event: ContactTransferred, asks: Asks) -> None:
    contact = state.contacts[event.contact]
    number, channel, provider_id = contact.id, contact.reached_on, contact.provider_id
    asks.append(JoinAgent(contact=number, channel=channel, provider_id=provider_id, agent=event.to_agent))
    asks.append(PartAgent(contact=number, channel=channel, provider_id=provider_id, agent=event.from_agent))


def _service_ended(state: State, event: ServiceEnded, asks: Asks) -> None:
    _disconnect(state.contacts[event.contact], event.reason or event.by, asks)


def _ended(state: State, event: ContactEnded, asks: Asks) -> None:
    contact = state.contacts[event.contact]
    if contact.phase != "wrapping":
        _disconnect(contact, event.outcome, asks)


def _disconnect(contact: Contact, reason: str, asks: Asks) -> None:
    asks.append(
        DisconnectContact(
            contact=contact.id,
            channel=contact.reached_on,
            provider_id=contact.provider_id,
            reason=reason,
        )
    )


def _announce(state: State, event: WaitAnnounced, asks: Asks) -> None:
    contact = state.contacts[event.contact]
    asks.append(
        AnnounceWait(
            contact=contact.id,
            channel=contact.reached_on,
            provider_id=contact.provider_id,
            position=event.position,
            low_s=event.low_s,
            high_s=event.high_s,
        )
    )


ASKS: Final[dict[type, Callable[[State, Any, Asks], None]]] = {
    IdentificationStarted: _identify,
    ClassificationStarted: _classify,
    SelfServiceStarted: _self_serve,
    MessagePosted: _message,
    ContactOffered: _offer,
    OfferWithdrawn: _withdraw,
    OfferExpired: _expired,
    OfferAccepted: _connect,
    ContactPlaced: _connect,
    ContactHeld: _hold,
    ContactResumed: _hold,
    TransferStarted: _part,
    AgentLeft: _part,
    AgentJoined: _join,
    ContactTransferred: _transfer,
    ContactForwarded: _forward,
    ServiceEnded: _service_ended,
    ContactEnded: _ended,
    WaitAnnounced: _announce,
}


def open_asks(state: State, now_ns: int) -> Asks:
    """The asks that a state still waits for an answer to, in the order of the contacts; then the goodbyes
    of those that ended shortly before `now_ns`, the time of the last record, or are owed words still."""
    asks: Asks = []
    since_ns = now_ns - RECENT_NS
    for contact in state.contacts.values():
        if contact.phase == "identifying":
            asks.append(FindCustomer(contact=contact.id))
        elif contact.phase == "classifying":
            asks.append(FindClassification(contact=contact.id))
        elif contact.phase == "self_service":
            asks.extend(_open_turns(contact))
        asks.extend(_undelivered(contact, since_ns))
        if contact.phase == "wrapping":
            _let_go(contact, asks)
        for agent, work in contact.works.items():
            if work.state == "offered":
                asks.append(
                    SendOffer(contact=contact.id, agent=agent, offer=work.offer, expires_ns=work.deadline_ns)
                )
            elif work.state == "connecting":
                asks.append(_connection(contact, agent))
    for number, ended in reversed(state.ended.items()):
        if ended.ended_ns >= (now_ns - OWED_NS if ended.undelivered else since_ns):
            asks.extend(_goodbye(number, ended))
    return asks


def open_reports(state: State, last_ns: int, now_ns: int) -> list[ReportDelivery]:
    """After a long stop, from the last record to now: that what a start says again has not arrived yet, for each
    contact of which nothing says so. To be decided before time goes on, which may end a contact and forget
    what was said to it long before."""
    if now_ns - last_ns <= LONG_STOP_NS:
        return []
    first: dict[int, ReportDelivery] = {}
    for ask in open_asks(state, last_ns):
        if type(ask) is DeliverMessage and ask.contact not in first:
            first[ask.contact] = ReportDelivery(contact=ask.contact, number=ask.number, made=False)
    return [report for report in first.values() if not undelivered_from(state, report.contact)]


def undelivered_from(state: State, contact: int) -> int:
    """The first message that a contact's customer is known not to have got; 0 when there is none."""
    found = state.contacts.get(contact) or state.ended.get(contact)
    return found.undelivered if found is not None else 0


def goodbyes(state: State, channel: str, alive: Iterable[str]) -> Asks:
    """The end once more for those whom a channel has on its lines and whose contacts are over."""
    asks: Asks = []
    for provider_id in alive:
        number = state.by_provider.get(provider_key(channel, provider_id), 0)
        contact = state.contacts.get(number)
        if contact is not None and contact.phase == "wrapping":
            _let_go(contact, asks)
        elif number in state.ended:
            asks.extend(_farewell(number, state.ended[number]))
    return asks


def _let_go(contact: Contact, asks: Asks) -> None:
    """What became of the customer of a contact that is being wrapped up, once more."""
    if contact.forwarded_to:
        asks.append(_forwarding(contact, contact.forwarded_to))
    _disconnect(contact, contact.ended_reason or contact.ended_by, asks)


def _goodbye(number: int, ended: Ended) -> Asks:
    """What may not have reached the customer of a contact that is over."""
    if ended.consultation:
        return []
    channel, provider_id = ended.channel, ended.provider_id
    asks: Asks = [_delivery(number, channel, provider_id, message) for message in ended.last_words]
    asks.extend(_farewell(number, ended))
    return asks


def _farewell(number: int, ended: Ended) -> Asks:
    channel, provider_id = ended.reached_on or ended.channel, ended.provider_id
    asks: Asks = []
    if ended.forwarded_to:
        asks.append(
            ForwardContact(
                contact=number, channel=channel, provider_id=provider_id, number=ended.forwarded_to
            )
        )
    asks.append(DisconnectContact(contact=number, channel=channel, provider_id=provider_id, reason="over"))
    return asks


def _open_turns(contact: Contact) -> Asks:
    """The bot's turns that it has not spoken in: its first, and one for each message of the customer since.

    A customer may write twice before the bot answers once, so the last message does not tell. A turn in
    which the bot said nothing is asked again.
    """
    messages = contact.messages or []
    taken = max((_turn_of(message, contact.bot) for message in messages), default=-1)
    turns = [0] if taken < 0 else []
    turns += [
        message.number
        for message in messages
        if message.author == "customer" and message.number > max(taken, contact.bot_after)
    ]
    return [TakeBotTurn(contact=contact.id, bot=contact.bot, message=number) for number in turns]


def turn_message_id(bot: str, message: int, index: int) -> str:
    """The id of the words that a bot says in one turn; said again, they are the same words."""
    return f"{bot}:{message}:{index}"


def _turn_of(message: Message, bot: str) -> int:
    """Which message of the customer a bot's words answer, 0 for its first words; -1: these are not its words."""
    if message.author != "bot" or message.author_id != bot:
        return -1
    number = message.message_id.removeprefix(f"{bot}:").partition(":")[0]
    return int(number) if number.isdigit() else -1


def _undelivered(contact: Contact, since_ns: int) -> Asks:
    """What was said to the customer since the customer last spoke, or since `since_ns`, or since the channel
    failed to deliver: it may not have arrived."""
    said: Asks = []
    owed = contact.undelivered
    spoken = contact.parent != 0
    for message in reversed(contact.messages or ()):
        if message.author == "customer":
            spoken = True
        elif spoken and message.at_ns < since_ns and not 0 < owed <= message.number:
            break
        elif not message.internal and not contact.parent:
            said.append(_delivery(contact.id, contact.channel, contact.provider_id, message))
    said.reverse()
    return said


def _delivery(number: int, channel: str, provider_id: str, message: Message) -> DeliverMessage:
    return DeliverMessage(
        contact=number,
        channel=channel,
        provider_id=provider_id,
        number=message.number,
        author=message.author,
        author_id=message.author_id,
        text=message.text,
        attachments=message.attachments,
    )
