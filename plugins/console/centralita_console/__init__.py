"""The web console of Centralita: the desk of an agent and the wall board.

    [routes.console]
    type = "console"

See docs/console.md.
"""

from __future__ import annotations

from typing import Final

from pluggy import HookimplMarker

from centralita.hookspecs import PROJECT
from centralita.protocols import Register
from centralita_console.routes import Console
from centralita_console.settings import ConsoleSettings

hookimpl = HookimplMarker(PROJECT)

__all__ = ["Console", "ConsoleSettings", "centralita_api", "register_routes"]


centralita_api: Final = 1
"""The plugin API this was built for."""


@hookimpl
def register_routes(register: Register) -> None:
    """Registers the type `console`."""
    register("console", ConsoleSettings, Console)
