"""The front door of Centralita: REST, WebSocket, server-sent events and what plugins mount."""

from __future__ import annotations

from typing import Final

from centralita.hookspecs import hookimpl
from centralita.protocols import Register
from centralita_http.desk import WebSocketDesk
from centralita_http.door import HttpFrontDoor
from centralita_http.settings import DeskSettings, HttpSettings

centralita_api: Final = 1
"""The plugin API this was built for."""


@hookimpl
def register_front_doors(register: Register) -> None:
    """`[front_doors.NAME] type = "http"`."""
    register("http", HttpSettings, HttpFrontDoor)


@hookimpl
def register_desks(register: Register) -> None:
    """`[desks.NAME] type = "websocket"`."""
    register("websocket", DeskSettings, WebSocketDesk)
