"""Who came in and is not known yet: a room of its own, where who comes last pushes out who came first.

A connection waits in the lobby until somebody is known by it: a token was accepted, or a customer's WebSocket was let in.
Answered, it waits there again for its next head. So connections that come faster than their heads, or with bodies that
never end, only push out each other: an agent's or an operator's head is there a moment after the connection, long before
a whole lobby has come behind it. Turning away the newcomer instead would keep staff out for as long as the flood lasts.

The address with most seats in the lobby loses its oldest, so one address can't push out the others. Silent connections
from more addresses than there are seats, quicker than a head takes to come, would still push out everybody: so half of
the lobby is for addresses from which a token was accepted before, a few seats each. Staff sign in from where they
signed in yesterday, and whoever has no token can't make an address familiar. A customer's page doesn't make it either:
anybody may open one.

What is said on the connections is not this module's business.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final

import trio

from centralita_http.settings import DoorLimits

SEAT: Final = "centralita_seat"
"""Where an ASGI scope's state keeps the seat of its connection."""
LEAVING_MAX: Final = 64
"""Connections beyond the limits that are still being told so; those beyond that are cut off with a word at most."""
FAMILIAR_SEATS_MAX: Final = 8
"""What is kept for one familiar address: a browser opens six connections at once."""
FAMILIAR_KEPT: Final = 10_000
"""Familiar addresses remembered; the one by which nobody was known for longest is forgotten."""


class Lobby:
    """Counts all connections of the front door, and knows which of them may be pushed out."""

    def __init__(self, limits: DoorLimits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._waiting: dict[str, dict[Seat, None]] = {}
        self._familiar: OrderedDict[str, None] = OrderedDict()
        self._taken_n = 0
        self.waiting_n = 0
        """In the lobby."""
        self.leaving_n = 0
        """Turned away and not gone yet; in no other count."""

    @property
    def open_n(self) -> int:
        """Every connection there is."""
        return self._taken_n + self.leaving_n

    @property
    def known_n(self) -> int:
        """Those whose caller is known."""
        return self._taken_n - self.waiting_n

    def come(self, address: str) -> Seat:
        """A seat for a new connection, at the cost of another's where there is none; or one that is turned away."""
        limits = self._limits
        seat = Seat(self, address)
        if self._by_address[address] >= limits.connections_per_address:
            room = self._push_out(address)
        elif self._taken_n >= limits.connections or self.waiting_n >= limits.lobby_seats:
            room = self._push_out(self._fullest())
        else:
            room = True
        if room:
            self._by_address[address] += 1
            self._taken_n += 1
            self._wait(seat)
        else:
            self._forget_if_none(address)
            self._turn_away(seat)
        return seat

    def remember(self, address: str) -> None:
        """Somebody who has a token was known by a connection from there."""
        self._familiar[address] = None
        self._familiar.move_to_end(address)
        if len(self._familiar) > FAMILIAR_KEPT:
            self._familiar.popitem(last=False)

    def _wait(self, seat: Seat) -> None:
        self._waiting.setdefault(seat.address, {})[seat] = None
        self.waiting_n += 1
        seat.waiting = True

    def _call(self, seat: Seat) -> None:
        """Take it out of the lobby."""
        if seat.waiting:
            of_address = self._waiting[seat.address]
            del of_address[seat]
            if not of_address:
                del self._waiting[seat.address]
            self.waiting_n -= 1
            seat.waiting = False

    def _wait_again(self, seat: Seat) -> None:
        if not seat.turned_away:
            self._call(seat)
            if self.waiting_n >= self._limits.lobby_seats:
                self._push_out(self._fullest())
            self._wait(seat)

    def _leave(self, seat: Seat) -> None:
        if seat.turned_away:
            self.leaving_n -= 1
            return
        self._call(seat)
        self._give_back(seat)

    def _give_back(self, seat: Seat) -> None:
        self._taken_n -= 1
        self._by_address[seat.address] -= 1
        self._forget_if_none(seat.address)

    def _forget_if_none(self, address: str) -> None:
        if not self._by_address[address]:
            del self._by_address[address]

    def _fullest(self) -> str:
        """The address with most seats in the lobby beyond what is kept for it; of several, the one that has waited
        longest."""
        familiar = self._familiar.keys() & self._waiting.keys()
        kept = min(FAMILIAR_SEATS_MAX, self._limits.lobby_seats // 2 // len(familiar)) if familiar else 0
        return max(
            self._waiting,
            key=lambda address: len(self._waiting[address]) - kept * (address in familiar),
            default="",
        )

    def _push_out(self, address: str) -> bool:
        """Turn away the oldest of an address in the lobby; False when it has none there."""
        seat = next(iter(self._waiting.get(address, ())), None)
        if seat is None:
            return False
        self._call(seat)
        self._give_back(seat)
        self._turn_away(seat)
        return True

    def _turn_away(self, seat: Seat) -> None:
        self.leaving_n += 1
        seat.turned_away = True
        seat.scope.cancel()


class Seat:
    """One connection's place. `scope` is where it is served, and is cancelled when it is turned away."""

    def __init__(self, lobby: Lobby, address: str) -> None:
        self._lobby = lobby
        self.address = address
        self.scope = trio.CancelScope()
        self.waiting = False
        self.turned_away = False
        self.heads_n = 0
        """Request heads that came; before the first, the connection can be told that there is no room."""
        self._left = False

    @property
    def hurried(self) -> bool:
        """Whether so many are leaving that this one gets no time for it."""
        return self._lobby.leaving_n > LEAVING_MAX

    def ask(self) -> None:
        """A request's head came: its connection is the newest again."""
        self.heads_n += 1
        self.rest()

    def rest(self) -> None:
        """Wait, again, for somebody to be known by it."""
        self._lobby._wait_again(self)

    def enter(self, *, by_token: bool) -> None:
        """Its caller is known now: it can't be pushed out."""
        self._lobby._call(self)
        if by_token:
            self._lobby.remember(self.address)

    def leave(self) -> None:
        """The connection is closed."""
        if not self._left:
            self._left = True
            self._lobby._leave(self)
