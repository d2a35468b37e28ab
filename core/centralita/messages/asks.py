"""Asks: what the edge must do now, imperative and outward. Which follow from an event is in `centralita.asks`."""

from __future__ import annotations

import msgspec

from centralita.messages.words import Attachment, Author


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
