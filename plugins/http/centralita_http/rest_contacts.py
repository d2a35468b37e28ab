"""REST about contacts: read, explain, admit, and what a supervisor may do to one."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from centralita.errors import ControlRefused
from centralita.messages import (
    AdmitContact,
    Attachment,
    Author,
    CancelContact,
    EndContact,
    MoveContact,
    PickContact,
    PostMessage,
)
from centralita.protocols import PastContact
from centralita.state import Phase
from centralita.structs import Frozen
from centralita.views import ContactExplanation, ContactView
from centralita_http.access import caller_of, check_channel
from centralita_http.answers import AnyRequest, Done, do, found, say, switchboard_of, tell
from centralita_http.errors import STATUS_OF_CODE, Rejected
from centralita_http.rest_house import ReasonBody
from centralita_http.wire import INTEGER_MAX, Short, Skills, Words

Priority = Annotated[int, Meta(ge=-1000, le=1000)]
Attributes = Annotated[dict[Short, Short], Meta(max_length=100)]
Limit = Annotated[int, QueryParameter(ge=1, le=1000)]

CONTACTS_MAX: Final = 1000
HISTORY_MAX: Final = 100


class Admission(Frozen, forbid_unknown_fields=True):
    """The fields of `AdmitContact`."""

    channel: Short
    provider_id: Annotated[str, Meta(min_length=1, max_length=1000)]
    handle: Short = ""
    to: Short = ""
    subject: Short = ""
    customer_name: Short = ""
    language: Short = ""
    queue: Short = ""
    skills: Skills | None = None
    priority: Priority = 0
    credit_s: Annotated[float, Meta(ge=-31_536_000, le=31_536_000)] | None = None
    preferred_agent: Short = ""
    attributes: Attributes | None = None
    conversation: Annotated[int, Meta(ge=0, le=INTEGER_MAX)] = 0
    text: Words = ""
    outbound: bool = False


class AttachmentBody(Frozen, forbid_unknown_fields=True):
    """The fields of `Attachment`: a file that the channel has already taken."""

    id: Short
    name: Short
    media_type: Short
    bytes_n: Annotated[int, Meta(ge=0, le=INTEGER_MAX)]


class MessageBody(Frozen, forbid_unknown_fields=True):
    """The fields of `PostMessage`, the contact apart."""

    author: Author
    text: Words = ""
    author_id: Short = ""
    message_id: Short = ""
    attachments: Annotated[tuple[AttachmentBody, ...], Meta(max_length=20)] = ()
    internal: bool = False


class MoveBody(Frozen, forbid_unknown_fields=True):
    """Where a waiting contact is to stand; what is left out stays as it is."""

    queue: Short = ""
    skills: Skills | None = None
    priority: Priority | None = None


class ControlBody(Frozen, forbid_unknown_fields=True):
    """Which control (`Capabilities`), and what it is to be done with: keys to press, whose phone is to ring."""

    word: Short
    value: Short = ""


class PickBody(Frozen, forbid_unknown_fields=True):
    """Who is to be offered the contact, whatever the order says."""

    agent: Short


@get("/api/contacts", opt={"role": "supervisor"})
async def contacts(
    request: AnyRequest,
    queue: FromQuery[str] = "",
    agent: FromQuery[str] = "",
    phase: FromQuery[Phase | None] = None,
    limit: Limit = CONTACTS_MAX,
) -> Response[list[ContactView]]:
    """Live contacts without their messages, the waiting ones in the order they will be served."""
    switchboard = switchboard_of(request)
    if queue:
        found(switchboard.queue(queue), "unknown_queue", f"queue {queue[:64]!r}")
    if agent:
        found(switchboard.agent(agent), "unknown_agent", f"agent {agent[:64]!r}")
    return await tell(switchboard.contacts(queue=queue, agent=agent, phase=phase or "", limit=limit))


@post("/api/contacts", opt={"role": "channel", "own": "channel"})
async def admit(request: AnyRequest, data: JSONBody[Admission]) -> Response[Done]:
    """Admit a contact. The same channel and provider_id again give the same contact."""
    check_channel(request, data.channel)
    return await do(request, AdmitContact(**_given(data)), status=201)


@get("/api/contacts/{contact:int}", opt={"role": "agent", "own": "contact"})
async def contact_view(request: AnyRequest, contact: FromPath[int]) -> Response[ContactView]:
    """One contact with its messages."""
    return say(_contact(request, contact))


@get("/api/contacts/{contact:int}/why", opt={"role": "supervisor"})
async def contact_why(request: AnyRequest, contact: FromPath[int]) -> Response[ContactExplanation]:
    """What the contact waits for, or why it was offered to whom."""
    explained = switchboard_of(request).explain_contact(contact)
    return say(found(explained, "unknown_contact", f"contact {contact}"))


@get("/api/contacts/{contact:int}/history", opt={"role": "agent", "own": "contact"})
async def contact_history(
    request: AnyRequest,
    contact: FromPath[int],
    limit: Annotated[int, QueryParameter(ge=1, le=HISTORY_MAX)] = 20,
) -> Response[list[PastContact]]:
    """Earlier contacts of the same customer, on all channels, newest first."""
    view = _contact(request, contact)
    past = await switchboard_of(request).history(view.customer, handle=view.handle, limit=limit)
    return await tell(past)


@post("/api/contacts/{contact:int}/messages", opt={"role": "channel", "own": "channel"}, status_code=201)
async def post_message(
    request: AnyRequest, contact: FromPath[int], data: JSONBody[MessageBody]
) -> Response[Done]:
    """Add words or files to a contact. The same message_id again changes nothing.

    A channel's token speaks for customers, bots and the system, never as an agent.
    """
    if caller_of(request).role == "channel" and (data.author == "agent" or data.internal):
        raise Rejected(403, "not_yours", "body.author: a channel's token can't write as an agent")
    fields = _given(data)
    fields["attachments"] = tuple(_attachment(item) for item in data.attachments)
    return await do(request, PostMessage(contact=contact, **fields), status=201)


@post("/api/contacts/{contact:int}/move", opt={"role": "supervisor"}, status_code=200)
async def move(request: AnyRequest, contact: FromPath[int], data: JSONBody[MoveBody]) -> Response[Done]:
    """Change where a waiting contact stands."""
    return await do(request, MoveContact(contact=contact, by=_by(request), **_given(data)))


@post("/api/contacts/{contact:int}/pick", opt={"role": "supervisor"}, status_code=200)
async def pick(request: AnyRequest, contact: FromPath[int], data: JSONBody[PickBody]) -> Response[Done]:
    """Offer a waiting contact to one agent."""
    return await do(request, PickContact(contact=contact, agent=data.agent, by=_by(request)))


@post("/api/contacts/{contact:int}/cancel", opt={"role": "supervisor"}, status_code=200)
async def cancel(request: AnyRequest, contact: FromPath[int], data: JSONBody[ReasonBody]) -> Response[Done]:
    """Take a contact out before it is served."""
    return await do(request, CancelContact(contact=contact, by=_by(request), reason=data.reason))


@post("/api/contacts/{contact:int}/end", opt={"role": "supervisor"}, status_code=200)
async def end(request: AnyRequest, contact: FromPath[int], data: JSONBody[ReasonBody]) -> Response[Done]:
    """End a conversation."""
    return await do(request, EndContact(contact=contact, by=_by(request), reason=data.reason))


@post("/api/contacts/{contact:int}/control", opt={"role": "agent", "own": "contact"}, status_code=200)
async def control(
    request: AnyRequest, contact: FromPath[int], data: JSONBody[ControlBody]
) -> Response[dict[str, Any]]:
    """Have the contact's channel do something about the connection: an agent what `controls` name, a
    supervisor also what `supervisor_controls` name."""
    view, caller, board = _contact(request, contact), caller_of(request), switchboard_of(request)
    can = board.capabilities().get(view.callback_channel or view.channel)
    known = () if can is None else can.controls
    if can is not None and caller.role != "agent":
        known += can.supervisor_controls
    if data.word not in known:
        words = f"word was {data.word[:50]!r}; known: {', '.join(known) or 'none'}"
        raise Rejected(409, "not_capable", words)
    try:
        by = caller.agent or caller.name
        return say(await board.control(contact, by=by, word=data.word, value=data.value))
    except ControlRefused as error:
        raise Rejected(STATUS_OF_CODE.get(error.code, 409), error.code, str(error)) from None


ROUTES: Final = (
    contacts,
    admit,
    contact_view,
    contact_why,
    contact_history,
    post_message,
    move,
    pick,
    cancel,
    end,
    control,
)


def _given(data: Frozen) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.__struct_fields__}


def _attachment(data: AttachmentBody) -> Attachment:
    return Attachment(id=data.id, name=data.name, media_type=data.media_type, bytes_n=data.bytes_n)


def _contact(request: AnyRequest, contact: int) -> ContactView:
    return found(switchboard_of(request).contact(contact), "unknown_contact", f"contact {contact}")


def _by(request: AnyRequest) -> str:
    return caller_of(request).name
