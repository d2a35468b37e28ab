"""What an operator may say about a queue log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from centralita.config import Configuration
from centralita.structs import Frozen


class Settings(Frozen, forbid_unknown_fields=True):
    """`file` is relative to the configuration's folder; empty: `queue_log` in the component's own data directory.

    `media` limits the log to contacts of these media; empty: all. `call_id` is what stands for a call: the
    contact's number behind the second of its arrival, as Asterisk's unique ids look, or the provider's own id (of a
    call on Asterisk, its channel's). `agent_prefix` is written before an agent's name, as `Agent/`. `caller`
    writes the customer's address. `fractions` writes the time with microseconds instead of whole seconds.
    """

    file: str = ""
    media: tuple[str, ...] = ()
    call_id: Literal["contact", "provider"] = "contact"
    agent_prefix: str = ""
    caller: bool = True
    fractions: bool = False

    def problems(self, configuration: Configuration) -> Iterator[str]:
        """Media that are none."""
        media = configuration.engine.media
        for medium in self.media:
            if medium not in media:
                yield f"media: {medium!r} is no medium; known: {', '.join(sorted(media))}"
