"""What every telephone does, as the servers say it, and waking whoever waits for that to change.

It knows no agent and no rule. A change is an event that is replaced once it is set: whoever takes `changed` before
looking can wait for anything else in between and misses nothing. (A parking lot wakes only who is parked: what
changed while somebody was being told was lost.)
"""

from __future__ import annotations

from typing import Final

import trio

GONE: Final = frozenset({"UNAVAILABLE", "INVALID", "UNKNOWN"})
"""What a device is that can't be rung."""


class Devices:
    """The state of each device at each server: NOT_INUSE, INUSE, UNAVAILABLE …"""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], str] = {}
        self._heard: dict[tuple[str, str], int] = {}
        self.changed = trio.Event()
        """Set with the next change. Take it before looking."""

    def state(self, server: str, device: str) -> str | None:
        """What the server said last; None when it has said nothing."""
        return self._states.get((server, device))

    def there(self, server: str, device: str) -> bool:
        """Whether the device can be rung, as far as the server has said."""
        return self._states.get((server, device), "UNKNOWN") not in GONE

    def heard(self, server: str, device: str) -> int:
        """How often the server has told of it by itself: to know whether an answer is older than the news."""
        return self._heard.get((server, device), 0)

    def tell(self, server: str, device: str, state: str) -> None:
        """The server says by itself that the device does something else now."""
        self._heard[server, device] = self.heard(server, device) + 1
        self._put(server, device, state)

    def found(self, server: str, device: str, state: str, *, heard: int) -> None:
        """The server was asked when it had told `heard` times; what it has told since is newer."""
        if self.heard(server, device) == heard:
            self._put(server, device, state)

    def forget(self, server: str) -> None:
        """What this server said counts no more."""
        for place in [place for place in self._states if place[0] == server]:
            del self._states[place]
        self.wake()

    def wake(self) -> None:
        """Have everybody look again."""
        before, self.changed = self.changed, trio.Event()
        before.set()

    def _put(self, server: str, device: str, state: str) -> None:
        if self._states.get((server, device)) != state:
            self._states[server, device] = state
            self.wake()
