"""Self-service by menus and questions: `[bots.NAME] type = "menu"`."""

from __future__ import annotations

from centralita.hookspecs import hookimpl
from centralita.protocols import Context, Register
from centralita_menu_bot.bot import MenuBot
from centralita_menu_bot.settings import Settings

__all__ = ["MenuBot", "Settings", "register_bots"]

centralita_api = 1
"""The plugin API this was built for."""


def build(settings: Settings, context: Context) -> MenuBot:
    """Make the bot of one `[bots.NAME]` table."""
    return MenuBot(settings)


@hookimpl
def register_bots(register: Register) -> None:
    """Bring the type `menu`."""
    register("menu", Settings, build)
