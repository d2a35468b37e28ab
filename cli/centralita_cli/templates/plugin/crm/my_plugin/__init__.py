"""An address book that fills itself, as a CRM for Centralita: `[crms.NAME] type = "my_plugin"`."""

from __future__ import annotations

from typing import Final

import centralita
from centralita.protocols import Register
from my_plugin.crm import MyPlugin, MyPluginSettings

__all__ = ["MyPlugin", "MyPluginSettings", "centralita_api", "register_crms"]

centralita_api: Final = 1
"""The version of the plugin API that this was built for."""


@centralita.hookimpl
def register_crms(register: Register) -> None:
    """Say that there is such a type; nothing runs yet."""
    register("my_plugin", MyPluginSettings, MyPlugin)
