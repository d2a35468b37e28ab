"""The classifier: the first rule one of whose words the customer has written says where the contact belongs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import trio
from msgspec import Meta, Struct

from centralita.config import Configuration
from centralita.protocols import Classification, Context, Inbox
from centralita.views import ContactView


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any of these words, in small letters or large. An empty `queue` and no `priority` leave things as they are."""

    words: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]
    queue: str = ""
    priority: Annotated[int, Meta(ge=-1000, le=1000)] | None = None


class MyPluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[classifiers.NAME] type = "my_plugin"`. `rules` are tried in their order."""

    rules: tuple[Rule, ...] = ()

    def problems(self, configuration: Configuration) -> Iterator[str]:
        """Queues that don't exist: said at start, and by `centralita check`, with their place."""
        queues = configuration.engine.queues
        for index, rule in enumerate(self.rules):
            if rule.queue and rule.queue not in queues:
                known = ", ".join(sorted(queues)) or "none"
                yield f"rules[{index}].queue: {rule.queue!r} is no queue; known: {known}"


class MyPlugin:
    """The classifier."""

    def __init__(self, settings: MyPluginSettings, context: Context) -> None:
        self._rules = [
            (
                [word.casefold() for word in rule.words],
                Classification(queue=rule.queue, priority=rule.priority),
            )
            for rule in settings.rules
        ]

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Nothing comes in by itself."""
        task_status.started()
        await trio.sleep_forever()

    async def classify(self, contact: ContactView) -> Classification | None:
        """Where the contact belongs; None when no rule knows."""
        written = [message.text for message in contact.messages if message.author == "customer"]
        text = " ".join([contact.subject, *written]).casefold()
        for words, classification in self._rules:
            if any(word in text for word in words):
                return classification
        return None
