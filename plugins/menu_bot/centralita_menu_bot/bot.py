"""The component: takes a contact's messages apart and asks the flow. It keeps nothing."""

from __future__ import annotations

import trio

from centralita.protocols import BotTurn, Inbox
from centralita.views import ContactView
from centralita_menu_bot.flow import Flow, Who
from centralita_menu_bot.settings import Settings


class MenuBot:
    """A `Bot` that leads through menus and questions."""

    def __init__(self, settings: Settings) -> None:
        self._flow = Flow(settings)

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Nothing to hold open."""
        task_status.started()
        await trio.sleep_forever()

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        """The first words, or the answer to the customer's last message."""
        await trio.lowlevel.checkpoint()
        said = [one for one in contact.messages if one.author == "customer"]
        opening = [one.text for one in said if one.number <= contact.bot_after]
        heard = [one.text for one in said if one.number > contact.bot_after]
        who = Who(name=contact.customer_name, language=contact.language, medium=contact.medium)
        return self._flow.turn(who, opening, heard)
