"""The bot: offers its topics, answers those it knows, and hands over to a person.

It keeps nothing: what it needs is in the contact's messages, so a restart loses no conversation.
"""

from __future__ import annotations

from typing import Annotated

import trio
from msgspec import Meta, Struct, field

from centralita.protocols import BotTurn, Context, Inbox
from centralita.views import ContactView

Text = Annotated[str, Meta(min_length=1, max_length=4000)]


class MyPluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[bots.NAME] type = "my_plugin"`. `answers` are texts by topic; `patience`: after so many questions without an
    answer a person takes over."""

    greeting: Text = "Hello! Ask me about: {topics}. Or write: person."
    answers: dict[Text, Text] = field(default_factory=lambda: {"hours": "We are open from nine to two."})
    person: Text = "person"
    sorry: Text = "I don't know that. I know: {topics}. Or write: person."
    patience: Annotated[int, Meta(ge=0, le=100)] = 2


class MyPlugin:
    """The bot."""

    def __init__(self, settings: MyPluginSettings, context: Context) -> None:
        self._settings = settings
        self._answers = {topic.casefold(): text for topic, text in settings.answers.items()}
        topics = ", ".join(settings.answers)
        self._greeting = settings.greeting.replace("{topics}", topics)
        self._sorry = settings.sorry.replace("{topics}", topics)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Nothing comes in by itself."""
        task_status.started()
        await trio.sleep_forever()

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        """The first words, an answer, or a person."""
        if message is None:
            return BotTurn(texts=(self._greeting,))
        asked = message.casefold()
        if self._settings.person.casefold() in asked:
            return BotTurn(then="hand_over", summary="asked for a person")
        for topic, text in self._answers.items():
            if topic in asked:
                return BotTurn(texts=(text,))
        sorry_n = sum(one.author == "bot" and one.text == self._sorry for one in contact.messages)
        if sorry_n >= self._settings.patience:
            return BotTurn(
                then="hand_over", summary=f"asked {sorry_n + 1} times for what the bot does not know"
            )
        return BotTurn(texts=(self._sorry,))
