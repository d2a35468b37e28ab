"""Outbound lists: `[routes.NAME] type = "dialler"`, and the command `centralita campaign`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from centralita.hookspecs import hookimpl
from centralita.protocols import Context, Register
from centralita_dialler.dialler import Dialler
from centralita_dialler.settings import Settings

__all__ = ["Dialler", "Settings", "centralita_api", "register_commands", "register_routes"]

centralita_api: Final = 1
"""The plugin API this was built for."""


def build(settings: Settings, context: Context) -> Dialler:
    """Make the dialler of one `[routes.NAME]` table."""
    return Dialler(settings, context)


@hookimpl
def register_routes(register: Register) -> None:
    """Bring the type `dialler`."""
    register("dialler", Settings, build)


@hookimpl
def register_commands(add: Callable[[Any], None]) -> None:
    """Bring `centralita campaign`."""
    from centralita_dialler.command import campaign

    add(campaign)
