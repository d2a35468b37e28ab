"""The figures of Centralita for Prometheus: `[kpi_sinks.NAME] type = "prometheus"`, read at GET /metrics."""

from __future__ import annotations

from typing import Final

from centralita.hookspecs import hookimpl
from centralita.protocols import Context, Register
from centralita_kpi_prometheus.sink import PrometheusSink, Settings

__all__ = ["PrometheusSink", "Settings", "centralita_api", "register_kpi_sinks"]

centralita_api: Final = 1
"""The plugin API this was built for."""


def build(settings: Settings, context: Context) -> PrometheusSink:
    """Make the sink of one `[kpi_sinks.NAME]` table."""
    return PrometheusSink(settings, context)


@hookimpl
def register_kpi_sinks(register: Register) -> None:
    """Bring the type `prometheus`."""
    register("prometheus", Settings, build)
