"""The hooks: each is called once, at start, and only registers. See docs/plugins.md.

pluggy calls hooks synchronously, the last registered first, and one exception aborts the rest; so
nothing runs in them. An `async def` hook and a misspelt one are errors at start (`plugins/loading.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pluggy

from centralita.protocols import Register

PROJECT: Final = "centralita"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_channels(register: Register) -> None:
    """A way in and out: `[channels.NAME] type = "…"`, built into a `Channel`."""


@hookspec
def register_desks(register: Register) -> None:
    """A way to the agents: `[desks.NAME]`, built into a `Desk`."""


@hookspec
def register_crms(register: Register) -> None:
    """Who the customer is, and history: `[crms.NAME]`, built into a `Crm`."""


@hookspec
def register_classifiers(register: Register) -> None:
    """Skills, queue and priority: `[classifiers.NAME]`, asked in the file's order."""


@hookspec
def register_bots(register: Register) -> None:
    """Self-service: `[bots.NAME]`, built into a `Bot`."""


@hookspec
def register_kpi_sinks(register: Register) -> None:
    """Where events and figures go: `[kpi_sinks.NAME]`, built into a `KpiSink`."""


@hookspec
def register_journals(register: Register) -> None:
    """Where the journal lives: `[journal] type = "…"`; `sqlite` and `memory` are built in."""


@hookspec
def register_front_doors(register: Register) -> None:
    """The HTTP server: `[front_doors.NAME]`, built into a `FrontDoor`; at most one is configured."""


@hookspec
def register_routes(register: Register) -> None:
    """HTTP without a component of another kind: `[routes.NAME]`, built into something with `routes()`."""


@hookspec
def register_commands(add: Callable[[Any], None]) -> None:
    """Sub-commands of the CLI: `add(click_command)`."""
