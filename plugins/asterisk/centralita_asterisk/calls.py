"""What is known of calls: the customer's side of each, and every leg to an agent.

Plain records and how to find them; nothing in here talks to anybody. The ids of channels that we begin say
what they are for, so that another life of the daemon can tell: `APP-agent-CONTACT-OFFER-NUMBER-AGENT`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

import trio

from centralita.structs import Frozen

if TYPE_CHECKING:
    from centralita_asterisk.server import Server

BUSY, NO_USER, NO_ANSWER, ABSENT, REJECTED = 17, 18, 19, 20, 21
CAUSES: Final = {
    1: "unknown number",
    3: "unreachable",
    BUSY: "busy",
    NO_USER: "unreachable",
    NO_ANSWER: "no answer",
    ABSENT: "unreachable",
    REJECTED: "rejected",
    27: "unreachable",
    28: "unknown number",
    31: "hung up",
    34: "no line",
}
"""ITU-T Q.850 causes in our words; the rest is `failed`."""


def cause_words(cause: int) -> str:
    """Why a leg that rang did not come about."""
    return CAUSES.get(cause, "failed")


class LegId(Frozen):
    """What a channel that we began is for."""

    kind: Literal["agent", "customer", "line", "ear", "outside"]
    contact: int
    offer: int
    number: int
    agent: str

    def text(self, app: str) -> str:
        """As Asterisk is given it."""
        return f"{app}-{self.kind}-{self.contact}-{self.offer}-{self.number}-{self.agent}"


def read_leg_id(app: str, text: str) -> LegId | None:
    """What a channel's id says, None when it is not one of ours."""
    if not text.startswith(f"{app}-"):
        return None
    parts = text[len(app) + 1 :].split("-", 4)
    if len(parts) != 5 or parts[0] not in {"agent", "customer", "line", "ear", "outside"}:
        return None
    kind, contact, offer, number, agent = parts
    if not (contact.isdigit() and offer.isdigit() and number.isdigit()):
        return None
    return LegId(
        kind=kind,  # type: ignore[arg-type]  # checked above
        contact=int(contact),
        offer=int(offer),
        number=int(number),
        agent=agent,
    )


class Leg:
    """A phone of an agent, or of whoever listens. `state`: ringing, up, gone."""

    __slots__ = (
        "agent", "cause", "contact", "ended", "id", "kept", "muted", "offer", "room", "server", "settled", "snoop",
        "state", "taken",
    )  # fmt: skip

    def __init__(self, id: str, agent: str, server: Server, *, contact: int, offer: int = 0) -> None:
        self.id = id
        self.agent = agent
        self.server = server
        self.contact = contact
        self.offer = offer
        self.state: Literal["ringing", "up", "gone"] = "ringing"
        self.settled = trio.Event()
        """Set once it is up or gone."""
        self.ended = trio.Event()
        self.cause = 0
        self.room = ""
        """The bridge it is in."""
        self.kept = False
        """It stays off the hook between calls."""
        self.taken = False
        """Its answering has been told, or somebody waits for it who will."""
        self.muted = False
        self.snoop = ""
        """For a listener: the channel that is heard through."""

    def up(self) -> None:
        """It has been answered."""
        if self.state == "ringing":
            self.state = "up"
            self.settled.set()

    def gone(self, cause: int) -> None:
        """It is over."""
        if self.state != "gone":
            self.state = "gone"
            self.cause = cause
            self.settled.set()
            self.ended.set()


class Call:
    """The customer's side of one contact. Without a `channel` the customer is not (yet) on the line."""

    __slots__ = (
        "answered", "arrange_n", "arranging", "asker", "channel", "colleague", "contact", "dialling", "digits", "gone",
        "hushed_n", "in_mailbox", "lock", "music", "number", "playing", "prompt", "provider_id", "room", "said", "server", "unsure", "up", "voice",
    )  # fmt: skip

    def __init__(self, provider_id: str, server: Server, *, channel: str, number: str = "") -> None:
        self.provider_id = provider_id
        self.server = server
        self.channel = channel
        self.number = number
        self.contact = 0
        self.up = bool(channel)
        """The customer's channel is in our hands."""
        self.answered = False
        self.gone = trio.Event()
        """The customer has left, or was let go."""
        self.in_mailbox = False
        """The caller is leaving a message, whatever becomes of the contact."""
        self.room = ""
        self.music = False
        self.unsure = False
        """Something was asked for and not answered or refused: the music, and whether the customer is in the room."""
        self.playing = ""
        self.hushed_n = 0
        """How often what was to be said has been cut off."""
        self.prompt: tuple[str, ...] = ()
        """The sounds a bot said last."""
        self.said = 0
        """The number of the last message spoken."""
        self.digits = ""
        self.arrange_n = 0
        """How often it was to be arranged."""
        self.arranging = False
        """Somebody sees to it."""
        self.lock = trio.Lock()
        self.voice = trio.Lock()
        self.dialling: trio.CancelScope | None = None
        self.asker = ""
        """Which agent has a consultation open."""
        self.colleague = ""
        """Who has answered it."""


class Playing:
    """Something being played, until the server says that it is over."""

    __slots__ = ("failed", "over")

    def __init__(self) -> None:
        self.over = trio.Event()
        self.failed = False
        """There is no such sound, or whoever heard it has put down."""

    def end(self, *, failed: bool) -> None:
        """It is over."""
        self.failed = failed
        self.over.set()


class Calls:
    """All calls and legs, by whatever somebody asks for them."""

    def __init__(self) -> None:
        self.by_provider: dict[str, Call] = {}
        self.by_contact: dict[int, Call] = {}
        self._by_channel: dict[tuple[str, str], Call] = {}
        self.dialled: dict[str, Leg] = {}
        """Customers being called, by channel."""
        self.put_down: dict[int, str] = {}
        """By contact, the agent who accepted its last offer by picking up, and put down before anybody asked for them."""
        self._legs: dict[tuple[str, str], Leg] = {}
        self._of_contact: dict[int, dict[str, Leg]] = {}

    def add(self, call: Call) -> None:
        """Take in a call."""
        self.by_provider[call.provider_id] = call
        if call.channel:
            self._by_channel[call.server.name, call.channel] = call

    def has_channel(self, call: Call, channel: str) -> None:
        """The customer is on this channel now, or on none (empty)."""
        if call.channel:
            self._by_channel.pop((call.server.name, call.channel), None)
        call.channel = channel
        if channel:
            self._by_channel[call.server.name, channel] = call

    def is_contact(self, call: Call, contact: int) -> None:
        """The call has become this contact."""
        call.contact = contact
        self.by_contact[contact] = call

    def forget(self, call: Call) -> None:
        """The call is over."""
        if self.by_provider.get(call.provider_id) is call:
            del self.by_provider[call.provider_id]
        if self.by_contact.get(call.contact) is call:
            del self.by_contact[call.contact]
        if self._by_channel.get((call.server.name, call.channel)) is call:
            del self._by_channel[call.server.name, call.channel]

    def add_leg(self, leg: Leg) -> None:
        """Take in an agent's leg."""
        self._legs[leg.server.name, leg.id] = leg
        self._of_contact.setdefault(leg.contact, {})[leg.id] = leg

    def move_leg(self, leg: Leg, contact: int) -> None:
        """The leg belongs to another contact now; 0: to none."""
        self._unlist(leg)
        leg.contact = contact
        self._of_contact.setdefault(contact, {})[leg.id] = leg

    def forget_leg(self, leg: Leg) -> None:
        """The leg is over."""
        self._legs.pop((leg.server.name, leg.id), None)
        self._unlist(leg)

    def call_on(self, server: Server, channel: str) -> Call | None:
        """The call whose customer is on this channel. Two servers may give the same id to two channels."""
        return self._by_channel.get((server.name, channel))

    def leg_on(self, server: Server, channel: str) -> Leg | None:
        """The agent's leg that this channel is."""
        return self._legs.get((server.name, channel))

    @property
    def legs(self) -> list[Leg]:
        """Every leg of an agent."""
        return list(self._legs.values())

    def legs_of(self, contact: int) -> list[Leg]:
        """The legs of a contact, oldest first."""
        return list(self._of_contact.get(contact, {}).values())

    def leg(self, contact: int, agent: str) -> Leg | None:
        """The agent's newest living leg in a contact."""
        found = [leg for leg in self.legs_of(contact) if leg.agent == agent and leg.state != "gone"]
        return found[-1] if found else None

    def kept_leg(self, agent: str, server: Server) -> Leg | None:
        """The agent's phone that is off the hook between calls, at this server."""
        for leg in self._of_contact.get(0, {}).values():
            if leg.agent == agent and leg.kept and leg.state == "up" and leg.server is server:
                return leg
        return None

    def ringing_line(self, agent: str, server: Server) -> Leg | None:
        """The agent's phone that rings at this server to stay off the hook."""
        for leg in self._of_contact.get(0, {}).values():
            if leg.agent == agent and leg.kept and leg.state == "ringing" and leg.server is server:
                return leg
        return None

    def has_line(self, agent: str, server: Server) -> bool:
        """Whether the agent's phone is off the hook at this server, in a call or not, or rings to be."""
        return any(
            leg.kept and leg.agent == agent and leg.server is server and leg.state != "gone"
            for leg in self._legs.values()
        )

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self.by_provider.values()))

    def _unlist(self, leg: Leg) -> None:
        listed = self._of_contact.get(leg.contact)
        if listed is not None:
            listed.pop(leg.id, None)
            if not listed:
                del self._of_contact[leg.contact]
