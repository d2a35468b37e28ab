"""Flows for the tests: the one that docs/menu-bot.md shows, and small ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from centralita.config import Configuration, loads
from centralita.plugins import load_plugins
from centralita.protocols import BotTurn
from centralita_menu_bot.flow import Flow, Who
from centralita_menu_bot.settings import Settings

DOCS = (Path(__file__).parents[2] / "docs" / "menu-bot.md").read_text(encoding="utf-8")
SHOWN: str = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)[0]


def settings_of(text: str) -> Settings:
    """The settings of the one bot of a file, checked as `centralita serve` does."""
    configuration: Configuration = loads(text)
    prepared = load_plugins().prepare(configuration.components, configuration=configuration)
    (settings,) = (one.settings for one in prepared if one.component.kind == "bots")
    assert isinstance(settings, Settings)
    return settings


class Talk:
    """A conversation with a flow: `say` is one message of the customer."""

    def __init__(self, settings: Settings, *opening: str, **who: Any) -> None:
        self.flow = Flow(settings)
        self.who = Who(**who)
        self.opening = opening
        self.heard: list[str] = []

    @property
    def turn(self) -> BotTurn:
        return self.flow.turn(self.who, self.opening, self.heard)

    def say(self, text: str) -> BotTurn:
        self.heard.append(text)
        return self.turn
