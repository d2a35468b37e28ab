"""The embedded CRM of Centralita: customers, conversations and notes in SQLite; `[crms.NAME] type = "crm_sqlite"`."""

from __future__ import annotations

from typing import Final

from centralita.hookspecs import hookimpl
from centralita.protocols import Context, Register
from centralita_crm_sqlite.crm import Settings, SqliteCrm

__all__ = ["Settings", "SqliteCrm", "centralita_api", "register_crms"]

centralita_api: Final = 1
"""The plugin API this was built for."""


def build(settings: Settings, context: Context) -> SqliteCrm:
    """Make the CRM of one `[crms.NAME]` table."""
    return SqliteCrm(settings, context)


@hookimpl
def register_crms(register: Register) -> None:
    """Bring the type `crm_sqlite`."""
    register("crm_sqlite", Settings, build)
