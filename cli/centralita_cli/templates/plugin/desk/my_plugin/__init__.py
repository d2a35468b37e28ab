"""A desk in a terminal, by lines of text over TCP, for Centralita: `[desks.NAME] type = "my_plugin"`."""

from __future__ import annotations

from typing import Final

import centralita
from centralita.protocols import Register
from my_plugin.desk import MyPlugin, MyPluginSettings

__all__ = ["MyPlugin", "MyPluginSettings", "centralita_api", "register_desks"]

centralita_api: Final = 1
"""The version of the plugin API that this was built for."""


@centralita.hookimpl
def register_desks(register: Register) -> None:
    """Say that there is such a type; nothing runs yet."""
    register("my_plugin", MyPluginSettings, MyPlugin)
