"""A web chat for any page, as a channel of Centralita: `[channels.NAME] type = "webchat"`.

The widget's pages speak with `routes.py` over one WebSocket each; docs/webchat.md has the protocol.
"""

from __future__ import annotations

from typing import Final

from centralita.hookspecs import hookimpl
from centralita.protocols import Register
from centralita_webchat.channel import WebChat
from centralita_webchat.settings import WebchatSettings

__all__ = ["WebChat", "WebchatSettings", "centralita_api", "register_channels"]


centralita_api: Final = 1
"""The plugin API this was built for."""


@hookimpl
def register_channels(register: Register) -> None:
    """Bring the type `webchat`."""
    register("webchat", WebchatSettings, WebChat)
