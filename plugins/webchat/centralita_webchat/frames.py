"""The words between a customer's page and the channel, one JSON object a frame; see docs/webchat.md.

Both directions are tagged by `type`. What a page sends is decoded strictly: an unknown field or type
is a fault of the page, said back with its place. No frame carries a contact's id: a page numbers its
conversations by `chat` (1, 2, 3 … in its session) and its messages by ids of its own.
"""

from __future__ import annotations

from typing import Annotated, Final, get_args

import msgspec
from msgspec import Meta

from centralita.structs import Frozen

MessageId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Short = Annotated[str, Meta(max_length=200)]


class ClientFrame(Frozen, forbid_unknown_fields=True, tag_field="type"):
    """What a page says."""


class Hello(ClientFrame, tag="hello"):
    """The first frame of every socket. Without a session a new one begins.

    `last` is the `sequence` of the last message the page has; what came after is sent again.
    """

    session: Short = ""
    secret: Short = ""
    last: Annotated[int, Meta(ge=0)] = 0
    language: Annotated[str, Meta(max_length=35)] = ""
    page: Annotated[str, Meta(max_length=2000)] = ""


class Message(ClientFrame, tag="message"):
    """Words and files. `chat` 0 begins a conversation unless one is open; else the one it belongs to.

    Sent again with the same `message_id` until `received` comes; taken in once.
    """

    message_id: MessageId
    text: str = ""
    attachments: Annotated[tuple[Short, ...], Meta(max_length=20)] = ()
    chat: Annotated[int, Meta(ge=0)] = 0
    name: Short = ""
    email: Annotated[str, Meta(max_length=254)] = ""


class Typing(ClientFrame, tag="typing"):
    """The customer is writing, or has stopped."""

    on: bool = True


class Callback(ClientFrame, tag="callback"):
    """Rather be called back: a telephone number or an e-mail address; empty means here, on this page."""

    handle: Annotated[str, Meta(max_length=254)] = ""


class End(ClientFrame, tag="end"):
    """The customer ends the conversation."""


class Rate(ClientFrame, tag="rate"):
    """How it was, 1 to 5, for the conversation `chat` (the last one when 0)."""

    score: Annotated[int, Meta(ge=1, le=5)]
    comment: Annotated[str, Meta(max_length=1000)] = ""
    chat: Annotated[int, Meta(ge=0)] = 0


class Ack(ClientFrame, tag="ack"):
    """The page has every message up to this `sequence`."""

    sequence: Annotated[int, Meta(ge=0)]


class Ping(ClientFrame, tag="ping"):
    """Still here; answered with `pong`."""


AnyClientFrame = Hello | Message | Typing | Callback | End | Rate | Ack | Ping


class ServerFrame(Frozen, tag_field="type"):
    """What the channel says."""


class SessionFrame(ServerFrame, tag="session"):
    """The answer to hello. `secret` is given once, with a new session; whoever has it is this customer.

    `resumed` false: everything there is follows, so a page forgets what it has shown.
    """

    session: str
    secret: str | None
    resumed: bool
    name: str
    email: str


class StateFrame(ServerFrame, tag="state"):
    """Where the conversation stands. `phase`: none, waiting, bot, connected, held, ended.

    `position` 1 is next; -1 where unknown, as are the bounds of the expected wait.
    """

    chat: int
    phase: str
    position: int = -1
    low_s: float = -1
    high_s: float = -1
    agent_title: str = ""
    callback: bool = False


class FileFrame(Frozen):
    """A file of a message. `url` is relative to the channel's address and good for whoever has it."""

    id: str
    name: str
    media_type: str
    bytes_n: int
    url: str


class MessageFrame(ServerFrame, tag="message"):
    """A message, either direction, a customer's own with its `message_id`. `sequence` counts in the session:
    it orders messages and says what to resume from."""

    sequence: int
    chat: int
    author: str
    author_title: str
    text: str
    attachments: list[FileFrame]
    at_ms: int
    message_id: str


class ReceivedFrame(ServerFrame, tag="received"):
    """The message is durable: it will not be lost, and need not be sent again."""

    message_id: str
    chat: int
    sequence: int


class TypingFrame(ServerFrame, tag="typing"):
    """Somebody is writing to the customer, or has stopped."""

    on: bool


class EndedFrame(ServerFrame, tag="ended"):
    """The conversation is over; `may_rate` when a rating would be taken, `score` when one was (else 0).

    A page whose `rated` was lost with its line learns from `score` that the rating is durable.
    """

    chat: int
    outcome: str
    may_rate: bool
    score: int


class RatedFrame(ServerFrame, tag="rated"):
    """The rating is durable."""

    chat: int
    score: int


class PongFrame(ServerFrame, tag="pong"):
    """The answer to `ping`."""


class ErrorFrame(ServerFrame, tag="error"):
    """Something was not done. `code` is for the page, `message` for people who read its console.

    With `message_id`: that message was not taken in, and sending it again will not help.
    """

    code: str
    message: str
    message_id: str = ""


AnyServerFrame = (
    SessionFrame
    | StateFrame
    | MessageFrame
    | ReceivedFrame
    | TypingFrame
    | EndedFrame
    | RatedFrame
    | PongFrame
    | ErrorFrame
)

ERROR_CODES: Final = (
    "bad_frame",  # not JSON, an unknown type or field, a value out of its range
    "too_fast",  # over a rate; wait and send again
    "too_long",  # the message has more characters than allowed
    "empty",  # neither words nor files
    "bad_attachment",  # a file this session did not upload, or one too many
    "chat_over",  # the conversation it belongs to has ended; chat 0 begins another
    "refused",  # the engine did not take it; the message says why
    "too_many",  # sockets or sessions are at their limit; try later
    "too_many_windows",  # of this session; try when one was closed
    "unavailable",  # the channel is starting or stopping; try later
)

CLIENT_KINDS: Final = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyClientFrame))
"""What a page may say, by the word in `type`."""

_decoder: Final[msgspec.json.Decoder[AnyClientFrame]] = msgspec.json.Decoder(AnyClientFrame)
_encoder: Final = msgspec.json.Encoder()


def decode(data: str) -> AnyClientFrame:
    """What a page said. Raises msgspec.DecodeError (ValidationError is one) with the field's place."""
    return _decoder.decode(data)


def kind_of_frame(frame: AnyClientFrame) -> str:
    """The word in the frame's `type`."""
    return str(frame.__struct_config__.tag)


def encode(frame: AnyServerFrame) -> str:
    """A frame as text."""
    return _encoder.encode(frame).decode()
