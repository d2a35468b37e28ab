"""What commands, events and asks share: the small vocabularies, who somebody is, where to."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Skills = dict[str, int]
"""What is required: the least level, 1 to 10, of each skill by name."""

CreditS = Annotated[float, Meta(ge=-31_536_000, le=31_536_000)]
MomentNs = Annotated[int, Meta(ge=0, le=(1 << 61) - 1)]
"""What outsiders may say of time: within a year, and before the matching queue's integers end (2043)."""

Author = Literal["customer", "agent", "bot", "system"]
Status = Literal["available", "break", "offline"]
Direction = Literal["inbound", "outbound", "consultation"]

Outcome = Literal[
    "served",  # an agent spoke with the customer
    "abandoned",  # the customer left while waiting for an agent, the first or a further one
    "refused",  # the rules turned it away: closed, full, waited too long, nobody signed in
    "overflowed",  # handed on to a place that is not ours
    "resolved_by_bot",  # self-service was enough
    "cancelled",  # taken out by a supervisor, or by whoever placed it
    "lost",  # its channel no longer knows it
    "unreachable",  # a callback or placed contact that nobody answered
    "consulted",  # a consultation between agents that came to its end
]


class Attachment(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A file that goes with a message; its bytes stay with the channel that took them."""

    id: str
    name: str
    media_type: str
    bytes_n: int


class Customer(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Who a CRM says the contact is. `id` is the CRM's own."""

    id: str
    name: str = ""
    language: str = ""
    vip: bool = False
    preferred_agent: str = ""
    crm: str = ""
    url: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Where a contact is to go: an agent, or a queue, or (within its queue) other skills, or a number outside."""

    agent: str = ""
    queue: str = ""
    skills: Skills | None = None
    number: str = ""
