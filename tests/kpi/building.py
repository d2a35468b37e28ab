"""What the tests of the sinks and of the CRM build components with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog
import trio
from structlog.testing import CapturingLogger

from centralita.config import Configuration
from centralita.protocols import Component, Context, Inbox, Switchboard


class StillClock:
    """A clock that is moved by hand."""

    def __init__(self, now_ns: int) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        return self.time_ns


def context(
    data: Path,
    *,
    kind: str = "kpi_sinks",
    name: str = "figures",
    now_ns: int = 0,
    log: CapturingLogger | None = None,
) -> Context:
    """A component's context; the switchboard is not there, since sinks and CRMs never speak to it."""
    data.mkdir(parents=True, exist_ok=True)
    logger = structlog.wrap_logger(log or CapturingLogger(), processors=[])
    return Context(
        kind=kind,
        name=name,
        log=cast(structlog.stdlib.BoundLogger, logger),
        clock=StillClock(now_ns),
        data=data,
        configuration=Configuration(folder=data),
        switchboard=cast(Switchboard, cast(Any, None)),
    )


async def start(nursery: trio.Nursery, component: Component) -> None:
    """Run a component that gives no commands until the nursery is cancelled."""
    await nursery.start(partial(component.run, cast(Inbox, cast(Any, None))))
