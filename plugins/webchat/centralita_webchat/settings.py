"""What an operator may say about a web chat: the settings of `[channels.NAME] type = "webchat"`.

Every limit of the channel has its name here, so that each refusal can say which one it was.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Language = Literal["en", "es"]
FileKind = Literal["png", "jpeg", "gif", "webp", "pdf", "txt"]

SOCKETS_WAITING_MAX: Final = 64
"""Frames that wait for one socket besides messages, which are read from the transcript as it drains."""
SEND_S_MAX: Final = 20
"""A socket that takes longer than this over one frame is too slow and is dropped; it can resume."""
SILENCE_S_MAX: Final = 75
"""A socket that says nothing for so long, not even `ping`, is dead. The widget pings every 25 s."""
HELLO_S_MAX: Final = 10
"""How long a new socket may take to say who it is."""
FAULTS_MAX: Final = 20
"""Frames that can't be read, or were refused for their rate, before a socket is closed."""
FRAME_CHARS_MAX: Final = 65_536
"""The longest frame a page may send, before it is decoded."""


class WebchatSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one web chat, with their defaults."""

    title: Annotated[str, Meta(min_length=1, max_length=80)] = "Chat"
    language: Language = "en"
    """What a page speaks that says neither English nor Spanish itself."""
    greeting: dict[Language, Annotated[str, Meta(max_length=500)]] = {}
    """The first words in the panel, by language; the widget has its own when a language is missing."""
    origins: tuple[str, ...] = ()
    """Pages that may embed the chat, as `https://shop.example`; our own address always may, `*` is anyone."""
    ask_who: bool = True
    """Offer fields for a name and an e-mail address before the first message; both stay voluntary."""
    rating: bool = True
    callback: bool = True

    grace_s: Annotated[float, Meta(ge=0, le=86_400)] = 60
    """How long a customer's page may be gone before the contact counts as abandoned."""
    session_days: Annotated[float, Meta(gt=0, le=3650)] = 30
    """An unused session, its transcript and its files are erased after so many days."""

    attachments: bool = True
    attachment_types: tuple[FileKind, ...] = ("png", "jpeg", "gif", "webp", "pdf", "txt")
    attachment_bytes_max: Annotated[int, Meta(ge=1, le=104_857_600)] = 5_242_880
    attachments_per_message_max: Annotated[int, Meta(ge=1, le=20)] = 5
    attachments_per_session_max: Annotated[int, Meta(ge=1, le=10_000)] = 50

    uploads_max: Annotated[int, Meta(ge=1, le=10_000)] = 64
    """Uploads on their way at once: what their files may take together before anybody is known to be a customer."""
    uploads_per_address_max: Annotated[int, Meta(ge=1, le=10_000)] = 8

    message_chars_max: Annotated[int, Meta(ge=1, le=20_000)] = 4000
    messages_per_minute_max: Annotated[int, Meta(ge=1, le=10_000)] = 30
    sessions_max: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    """Sessions kept, whether their page is open or not."""
    sessions_per_minute_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 600
    """New sessions from one address. Behind a proxy every address may be the proxy's."""
    sockets_max: Annotated[int, Meta(ge=1, le=100_000)] = 3000
    """Below what the front door has room for, so that a page hears `too_many` and not just a closed door."""
    sockets_per_session_max: Annotated[int, Meta(ge=1, le=100)] = 5
    sockets_per_address_max: Annotated[int, Meta(ge=1, le=100_000)] = 1000
