"""What the pure engine decides by: queues, agents, media, channels and limits, as frozen structs.

All of it is journalled with `ApplyConfiguration`, so a replay needs no file. Durations are in seconds (`_s`), as
people write them; `ns` turns them into the engine's integers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from centralita.structs import Frozen

Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Level = Annotated[int, Meta(ge=1, le=10)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
Priority = Annotated[int, Meta(ge=-1000, le=1000)]

COUNT_MAX: Final = 1_000_000
"""No count of contacts, offers or units is larger: the matching queue's and the journal's integers end."""
Units = Annotated[int, Meta(ge=0, le=COUNT_MAX)]

AgentOrderKey = Literal[
    "longest_idle",
    "least_loaded",
    "most_skilled",
    "least_flexible",
    "rank",
    "fewest_contacts",
    "round_robin",
    "random",
]

NS_PER_S: Final = 1_000_000_000
CALLBACK_MEDIUM: Final = "callback"
"""What a contact is from then on whose customer asks to be called back."""
OWN_MEDIUM: Final = ""
"""In a channel's rule: the medium that the channel's own capabilities name."""


@lru_cache(maxsize=4096)
def ns(seconds: float) -> int:
    """Seconds as integer nanoseconds; settings are asked for again and again, so they are remembered."""
    return round(seconds * NS_PER_S)


class Part(Frozen, forbid_unknown_fields=True, omit_defaults=True):
    """A piece of the engine's configuration."""


class Medium(Part):
    """What one kind of contact takes of an agent. `may_interrupt` names media whose units it ignores."""

    units: Units = 100
    max_per_agent: Annotated[int, Meta(ge=1, le=COUNT_MAX)] | None = None
    may_interrupt: tuple[str, ...] = ()
    live: bool = True


_JOURNALLED_MEDIA: Final[dict[str, Medium]] = {
    "voice": Medium(units=100, max_per_agent=1, may_interrupt=("email",)),
    "video": Medium(units=100, max_per_agent=1, may_interrupt=("email",)),
    "chat": Medium(units=33, max_per_agent=3),
    "social": Medium(units=25, max_per_agent=4, live=False),
    "sms": Medium(units=20, max_per_agent=5, live=False),
    "email": Medium(units=10, max_per_agent=5, live=False),
    "callback": Medium(units=100, max_per_agent=1, may_interrupt=("email",)),
}
"""What a configuration without media means in a journal, which can't change after the fact."""
DEFAULT_MEDIA: Final[dict[str, Medium]] = {
    **_JOURNALLED_MEDIA,
    "voicemail": Medium(units=10, max_per_agent=5, live=False),
}
"""The media that every file has, whatever it says of others."""


class Ring(Part):
    """After so long a wait, relax what is required: drop skills, lower levels, raise priority.

    Rings of a queue are cumulative and in order of `after_s`.
    """

    after_s: Seconds
    drop: tuple[str, ...] = ()
    lower: dict[str, Level] = {}
    raise_priority: Annotated[int, Meta(ge=0, le=1000)] = 0


class Overflow(Part):
    """What to do with a contact that can't or shouldn't wait (any longer).

    `queue`: hand on to `queue`. `callback`: turn it into a callback that keeps its place. `message`:
    say `text` and let it wait on. `refuse`: say `text`, if any, and end it. `wait`: nothing.
    """

    do: Literal["wait", "queue", "callback", "message", "refuse"]
    queue: str = ""
    text: str = ""


WAIT: Final = Overflow(do="wait")


class Queue(Part):
    """The rules of one queue."""

    title: str = ""
    skills: dict[str, Level] = {}
    priority: Priority = 0
    credit_s: Annotated[float, Meta(ge=-31_536_000, le=31_536_000)] = 0
    rate: Annotated[float, Meta(ge=0.001, le=1000)] = 1
    agent_order: tuple[AgentOrderKey, ...] = ("longest_idle",)
    seed: Annotated[int, Meta(ge=0, le=(1 << 62) - 1)] = 0
    offer_to: Annotated[int, Meta(ge=1, le=100)] = 1
    offer_s: Annotated[float, Meta(gt=0, le=86_400)] = 20
    no_answer: Literal["stay", "unavailable"] = "unavailable"
    no_answer_limit: Annotated[int, Meta(ge=1, le=COUNT_MAX)] = 1
    connect_s: Annotated[float, Meta(gt=0, le=86_400)] = 30
    rings: tuple[Ring, ...] = ()
    prefer_for_s: Seconds = 0
    wrap_up_s: Seconds = 30
    wrap_up_max_s: Seconds = 600
    answer_target_s: Seconds = 20
    short_abandon_s: Seconds = 5
    hours: str = ""
    max_waiting: Annotated[int, Meta(ge=0, le=COUNT_MAX)] | None = None
    max_wait_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    when_full: Overflow = Overflow(do="refuse")
    when_waited: Overflow = Overflow(do="refuse")
    when_unstaffed: Overflow = WAIT
    when_closed: Overflow = Overflow(do="refuse")
    announce_every_s: Seconds = 0
    announce_position: bool = True
    announce_wait: bool = True
    callback_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    callback_s: Annotated[float, Meta(gt=0, le=86_400)] = 300
    callback_retry_s: Annotated[float, Meta(gt=0, le=31_536_000)] = 900
    reserve_after_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    keep_deferred: bool = True
    ask_again_s: Annotated[float, Meta(gt=0, le=31_536_000)] = 60


class Agent(Part):
    """Somebody who serves. `ranks` are tiers by queue: 1, the default, is asked first."""

    title: str = ""
    skills: dict[str, Level] = {}
    capacity: Annotated[int, Meta(ge=1, le=COUNT_MAX)] = 100
    limits: dict[str, Annotated[int, Meta(ge=0, le=COUNT_MAX)]] = {}
    ranks: dict[str, Annotated[int, Meta(ge=1, le=COUNT_MAX)]] = {}
    team: str = ""


class ChannelRule(Part):
    """What the engine must know of a channel: its medium, where its contacts go, who greets them.

    In a file, `medium`, `can_dial` and `can_forward` may be left out: they are then what the channel itself says
    (`Capabilities`), filled in by `plugins.resolve_channels` before the engine sees them.
    """

    medium: str = OWN_MEDIUM
    queue: str = ""
    bot: str = ""
    can_dial: bool | None = None
    can_forward: bool | None = None


class Limits(Part):
    """How long each stage waits for an answer from outside, and how much it keeps."""

    identify_s: Annotated[float, Meta(gt=0, le=600)] = 2
    classify_s: Annotated[float, Meta(gt=0, le=600)] = 2
    bot_turn_s: Annotated[float, Meta(gt=0, le=86_400)] = 300
    grace_s: Annotated[float, Meta(ge=0, le=86_400)] = 20
    hold_s: Annotated[float, Meta(gt=0, le=604_800)] = 3600
    silence_s: Annotated[float, Meta(gt=0, le=31_536_000)] = 604_800
    rating_s: Annotated[float, Meta(ge=0, le=31_536_000)] = 86_400
    messages_kept: Annotated[int, Meta(ge=10, le=100_000)] = 1000
    hops: Annotated[int, Meta(ge=1, le=100)] = 10


class EngineConfig(Part):
    """Everything the pure engine decides by."""

    media: dict[str, Medium] = msgspec.field(default_factory=_JOURNALLED_MEDIA.copy)
    skills: tuple[str, ...] = ()
    queues: dict[str, Queue] = {}
    agents: dict[str, Agent] = {}
    channels: dict[str, ChannelRule] = {}
    crms: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    dispositions: tuple[str, ...] = ()
    break_reasons: tuple[str, ...] = ("coffee", "lunch", "training", "meeting")
    default_queue: str = ""
    limits: Limits = Limits()
