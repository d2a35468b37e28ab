"""Which words are a customer's: the one place that says so, and how a message is taken apart by it.

`PERSONAL` names, for each message and each part of the state, the fields that hold who a customer is or what
was said by or about them; `NOT_PERSONAL` names every other field that could hold words, and why it doesn't. A test
fails when a field is in neither: whoever adds one decides. What an export leaves out and what a sealed
journal keeps under a customer's own key follow from here.

`part` takes the personal fields out of a message and leaves what is shown once they are erased; `join` puts
them back. It refuses to know keys, bytes and files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Union, get_args

import msgspec
from msgspec.structs import force_setattr

from centralita import messages
from centralita.messages import AnyCommand, AnyEvent, Attachment, ContactAdmitted, Customer, Record
from centralita.state import Contact, Ended, Message

ERASED: Final = "[erased]"
"""What is shown in the place of words whose key is gone."""

_ADMITTED: Final = ("provider_id", "handle", "to", "subject", "customer_name", "attributes")

PERSONAL: Final[Mapping[type[msgspec.Struct], tuple[str, ...]]] = {
    messages.AdmitContact: (*_ADMITTED, "text"),
    messages.IdentifyContact: ("customer",),
    messages.ClassifyContact: ("attributes",),
    messages.FinishSelfService: ("attributes", "summary"),
    messages.PostMessage: ("text", "message_id", "attachments"),
    messages.AbandonContact: ("reason",),
    messages.AnswerOffer: ("reason",),
    messages.ReportConnection: ("reason",),
    messages.TransferContact: ("note",),
    messages.StartConsultation: ("note",),
    messages.EndContact: ("reason",),
    messages.CancelContact: ("reason",),
    messages.NoteContact: ("notes",),
    messages.FinishWrapUp: ("notes",),
    messages.RequestCallback: ("handle",),
    messages.RateContact: ("comment",),
    messages.PlaceContact: ("provider_id", "handle", "subject", "customer_name"),
    messages.ReconcileChannel: ("alive",),
    messages.ContactAdmitted: _ADMITTED,
    messages.ContactIdentified: ("customer",),
    messages.ContactClassified: ("attributes",),
    messages.SelfServiceEnded: ("summary",),
    messages.OfferDeclined: ("reason",),
    messages.ConnectionFailed: ("reason",),
    messages.TransferStarted: ("note",),
    messages.ConsultationStarted: ("note",),
    messages.ContactForwarded: ("note",),
    messages.ServiceEnded: ("reason",),
    messages.WrapUpEnded: ("notes",),
    messages.ContactNoted: ("notes",),
    messages.ContactEnded: ("reason",),
    messages.MessagePosted: ("text", "message_id", "attachments"),
    messages.CallbackRequested: ("handle",),
    messages.ContactRated: ("comment",),
    Contact: (
        *_ADMITTED, "customer", "messages", "notes", "summary", "callback_handle", "ended_reason",
    ),
    Message: ("text", "message_id", "attachments"),
    Ended: ("provider_id", "last_words"),
}  # fmt: skip
"""The fields that say who a customer is, or what was said by them or about them."""

NOT_PERSONAL: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("channel", "queue", "medium", "bot", "component", "callback_channel", "reached_on", "desk"),
        "a name of the configuration",
    ),
    **dict.fromkeys(
        (
            "agent", "by", "author_id", "agents", "excluded", "from_agent", "to_agent", "preferred_agent",
            "prefer_agent", "last_agent", "picked", "ended_by",
        ),
        "an agent's or a token's name, or a word of ours: those who work here, not whom they serve",
    ),
    **dict.fromkeys(
        ("skills", "own_skills", "target", "works"), "names of the configuration and agents' names"
    ),
    **dict.fromkeys(
        (
            "SignIn.reason", "SetStatus.reason", "AgentSignedIn.reason", "AgentStatusChanged.reason",
            "AgentSignedOut.reason", "OccupyAgent.reason", "AgentOccupied.reason", "OpenQueue.reason", "CloseQueue.reason", "QueueOpened.reason",
            "QueueClosed.reason",
        ),
        "why an agent or a queue is so, not a customer",
    ),
    **dict.fromkeys(
        ("ContactQueued.reason", "ContactReturned.reason", "OfferWithdrawn.reason", "AgentLeft.reason"),
        "the engine's own words (stages/), or an agent's status",
    ),
    "language": "a language's code: what is needed, like a skill",
    **dict.fromkeys(
        ("ContactForwarded.number", "Contact.forwarded_to", "Ended.forwarded_to"),
        "a number outside, to which an agent hands on: a colleague's elsewhere",
    ),
    "disposition": "chosen from the configuration's list",
    "config": "the configuration",
    "error": "an exception's kind and place; what it said is left out (runner/supervise.py)",
}  # fmt: skip
"""The other fields that can hold words, and why those are nobody's."""

Parts = dict[int, list[tuple[int, msgspec.Struct]]]
"""By contact: (place in the record, the personal fields). Place 0 is the command, 1 the first event."""


def part(record: Record) -> tuple[Record, Parts]:
    """The record as it is once erased, and what was taken out of it: nothing, then it is the record itself.

    What concerns no contact of ours goes for good: `ReconcileChannel` says only that it happened.
    """
    parts: Parts = {}
    admitted = 0
    events: list[AnyEvent] | None = None
    for place, event in enumerate(record.events):
        if type(event) is ContactAdmitted and not admitted:
            admitted = event.contact
        plan = _PLANS.get(type(event))
        if plan is not None:
            bare = _apart(plan, event, place + 1, admitted, parts)
            if bare is not event:
                if events is None:
                    events = list(record.events)
                events[place] = bare
    command = record.command
    plan = _PLANS.get(type(command))
    if plan is not None:
        command = _apart(plan, command, 0, admitted, parts)
    if events is None and command is record.command:
        return record, parts
    return Record(seq=record.seq, at_ns=record.at_ns, command=command, events=events or record.events), parts


def join(record: Record, parts: list[tuple[int, msgspec.Struct]]) -> None:
    """Put one contact's parts back into a freshly decoded record. Raises IndexError for a foreign place."""
    for place, form in parts:
        message = record.command if place == 0 else record.events[place - 1]
        for name in form.__struct_fields__:
            force_setattr(message, name, getattr(form, name))


def erased(name: str, value: Any, contact: int) -> Any:
    """What stands in the place of a personal field's value: as empty as it was, else nobody's.

    Ids stay different from each other, so that two erased contacts are never taken for one, and an
    address is empty, so that nobody is made known by it.
    """
    if not value:
        return value
    if name == "provider_id":
        return f"erased-{contact}"
    if name in _EMPTIED:
        return type(value)()
    if name == "attachments":
        return tuple(
            Attachment(id="", name=ERASED, media_type=one.media_type, bytes_n=one.bytes_n) for one in value
        )
    if name == "messages":
        return [_bare_message(one) for one in value]
    if name == "customer":
        return Customer(
            id=f"erased-{contact}",
            name=ERASED,
            vip=value.vip,
            preferred_agent=value.preferred_agent,
            crm=value.crm,
        )
    return ERASED


def bare_contact(contact: Contact) -> Contact:
    """A copy of a contact of the state, without what is the customer's."""
    bare: Contact = _copied(contact)
    number = contact.id
    for name in _OF_CONTACT:
        value = getattr(bare, name)
        if value:
            setattr(bare, name, erased(name, value, number))
    return bare


def bare_ended(number: int, ended: Ended) -> Ended:
    """A copy of what is remembered of an ended contact, without what is the customer's."""
    bare: Ended = _copied(ended)
    for name in _OF_ENDED:
        setattr(bare, name, erased(name, getattr(bare, name), number))
    return bare


def _copied(struct: Any) -> Any:
    # `copy.copy` takes four times as long to come to the same call.
    return struct.__copy__()


def _bare_message(message: Message) -> Message:
    bare: Message = _copied(message)
    for name in _OF_MESSAGE:
        value = getattr(bare, name)
        if value:
            setattr(bare, name, erased(name, value, 0))
    return bare


_OF_CONTACT: Final = PERSONAL[Contact]
_OF_MESSAGE: Final = PERSONAL[Message]
_OF_ENDED: Final = PERSONAL[Ended]
_EMPTIED: Final = frozenset(
    (
        *("handle", "to", "reason", "message_id", "attributes", "alive", "callback_handle", "ended_reason"),
        "last_words",
    )
)


class _Plan(msgspec.Struct, frozen=True):
    form: Any
    fields: tuple[str, ...]
    has_contact: bool


def _form(kind: type[msgspec.Struct]) -> Any:
    personal = PERSONAL[kind]
    fields: list[Any] = []
    for one in msgspec.structs.fields(kind):
        if one.name in personal:
            fields.append((one.name, one.type) if one.required else (one.name, one.type, one.default))
    return msgspec.defstruct(
        kind.__name__, fields, array_like=True, kw_only=True, frozen=True, gc=False, tag=kind.__name__
    )


_PLANS: Final = {
    kind: _Plan(_form(kind), PERSONAL[kind], "contact" in kind.__struct_fields__)
    for kind in (*get_args(AnyCommand), *get_args(AnyEvent))
    if kind in PERSONAL
}
AnyPart: Final[Any] = Union[tuple(plan.form for plan in _PLANS.values())]  # noqa: UP007  # made of values
"""The personal fields of any message, tagged with the message's name."""


def _apart(plan: _Plan, message: Any, place: int, admitted: int, parts: Parts) -> Any:
    values = {name: getattr(message, name) for name in plan.fields}
    if not any(values.values()):
        return message
    contact = message.contact if plan.has_contact else admitted
    if contact:
        parts.setdefault(contact, []).append((place, plan.form(**values)))
    bare = _copied(message)
    for name, value in values.items():
        if value:
            force_setattr(bare, name, erased(name, value, contact))
    return bare
