"""What happens, in the format of Asterisk's queue log: `[kpi_sinks.NAME] type = "queue_log"`."""

from __future__ import annotations

from typing import Final

from centralita.hookspecs import hookimpl
from centralita.protocols import Context, Register
from centralita_kpi_queue_log.settings import Settings
from centralita_kpi_queue_log.sink import QueueLogSink

__all__ = ["QueueLogSink", "Settings", "centralita_api", "register_kpi_sinks"]

centralita_api: Final = 1
"""The plugin API this was built for."""


def build(settings: Settings, context: Context) -> QueueLogSink:
    """Make the sink of one `[kpi_sinks.NAME]` table."""
    return QueueLogSink(settings, context)


@hookimpl
def register_kpi_sinks(register: Register) -> None:
    """Bring the type `queue_log`."""
    register("queue_log", Settings, build)
