"""Plugins broken on purpose, one for each check and in one place only; `BROKEN` has them by the check's number.

One module for each of `centralita.testing`'s, and of the same name.
"""

from tests.kit.broken import (  # each puts its own into BROKEN
    of_channel,
    of_component,
    of_desk,
    of_follower,
    of_journal,
    of_plugin,
    of_question,
    of_routes,
)
from tests.kit.broken.of_component import LEAKED
from tests.kit.broken.registry import BROKEN, DRIVERS, GOOD, TYPE, plugin

__all__ = [
    "BROKEN",
    "DRIVERS",
    "GOOD",
    "LEAKED",
    "TYPE",
    "of_channel",
    "of_component",
    "of_desk",
    "of_follower",
    "of_journal",
    "of_plugin",
    "of_question",
    "of_routes",
    "plugin",
]
