"""What comes of a command: a refusal, which leaves nothing behind, or a record of its events."""

from __future__ import annotations

from typing import Final

import msgspec

from centralita.messages.commands import AnyCommand
from centralita.messages.events import AnyEvent


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a command changed nothing: an expected failure, returned and never journalled.

    `code` is one of REFUSAL_CODES, for programs; `message` is for people.
    """

    code: str
    message: str


REFUSAL_CODES: Final = (
    "unknown_contact",
    "unknown_agent",
    "unknown_queue",
    "unknown_channel",
    "unknown_skill",
    "wrong_phase",  # the contact is not where this can be done
    "not_yours",  # the agent does not have this contact
    "offer_over",  # expired, withdrawn, answered
    "not_signed_in",
    "already",  # it is so already
    "not_capable",  # the channel cannot do this
    "bad_value",
    "bad_configuration",
    "stopping",  # the engine no longer admits
)


class Record(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One step as journalled: what was wanted, when, and what became of it."""

    seq: int
    at_ns: int
    command: AnyCommand
    events: list[AnyEvent]
