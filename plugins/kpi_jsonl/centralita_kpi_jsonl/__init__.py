"""The events, or one line a contact, as JSON lines: `[kpi_sinks.NAME] type = "jsonl"`."""

from __future__ import annotations

from typing import Final

from centralita.hookspecs import hookimpl
from centralita.protocols import Context, Register
from centralita_kpi_jsonl.sink import JsonlSink, Settings

__all__ = ["JsonlSink", "Settings", "centralita_api", "register_kpi_sinks"]

centralita_api: Final = 1
"""The plugin API this was built for."""


def build(settings: Settings, context: Context) -> JsonlSink:
    """Make the sink of one `[kpi_sinks.NAME]` table."""
    return JsonlSink(settings, context)


@hookimpl
def register_kpi_sinks(register: Register) -> None:
    """Bring the type `jsonl`."""
    register("jsonl", Settings, build)
