"""Components built from their tables: each with a context of its own, and the channels' word on what they can do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog

from centralita.config import Component, Configuration
from centralita.errors import CentralitaError, JournalError, PluginError, reason
from centralita.plugins import Prepared, build, data_folder, resolve_channels
from centralita.protocols import Clock, Context, HasRoutes, Switchboard
from centralita.runner.followers import feed_follower
from centralita.runner.inbox import ComponentInbox
from centralita.runner.supervise import FOLLOWING_KINDS, Supervised
from centralita.runner.switchboard import House


def make_folder(folder: Path, fault: type[CentralitaError], *, mode: int = 0o777) -> None:
    """Make a folder of the data folder; raises `fault` when it can't be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
    except OSError as error:
        raise fault(f"{folder}: can't be made: {reason(error)}") from error


class Builder:
    """Builds for one configuration."""

    def __init__(
        self, configuration: Configuration, switchboard: Switchboard, log: structlog.stdlib.BoundLogger
    ) -> None:
        self._configuration = configuration
        self._switchboard = switchboard
        self._log = log

    def context(self, component: Component, clock: Clock) -> Context:
        """What a component is given when built; its folder is made, for its owner's eyes only.

        Raises JournalError or PluginError when it can't be.
        """
        folder = data_folder(self._configuration, component)
        make_folder(folder, JournalError if component.kind == "journal" else PluginError, mode=0o700)
        return Context(
            kind=component.kind,
            name=component.name,
            log=self._log.bind(component=component.path),
            clock=clock,
            data=folder,
            configuration=self._configuration,
            switchboard=self._switchboard,
        )

    def build(self, house: House, prepared: Sequence[Prepared]) -> None:
        """Build all and settle the configuration: channels first, since the others are to see their media.

        Raises ConfigurationError or PluginError, which name the table.
        """
        channels = [one for one in prepared if one.component.kind == "channels"]
        others = [one for one in prepared if one.component.kind != "channels"]
        made = {one.component.path: self._supervised(one, house) for one in channels}
        house.capabilities = {one.name: one.component.capabilities for one in made.values()}
        engine = resolve_channels(self._configuration.engine, house.capabilities)
        self._configuration = msgspec.structs.replace(self._configuration, engine=engine)
        house.configuration = self._configuration
        made |= {one.component.path: self._supervised(one, house) for one in others}
        house.supervised = [made[component.path] for component in self._configuration.components]
        _mount_routes(house.supervised)

    def _supervised(self, prepared: Prepared, house: House) -> Supervised:
        component = prepared.component
        made = build(prepared, self.context(component, house.clock))
        return Supervised(
            kind=component.kind,
            name=component.name,
            type_name=component.type,
            component=made,
            inbox=ComponentInbox(house.inbox),
            clock=house.clock,
            log=self._log.bind(component=component.path),
            tasks=[partial(feed_follower, made, house.feed)] if component.kind in FOLLOWING_KINDS else [],
        )


def _mount_routes(supervised: Sequence[Supervised]) -> None:
    """Give the front door what everybody brings."""
    for door in supervised:
        if door.kind == "front_doors":
            bringing = [one for one in supervised if one is not door and isinstance(one.component, HasRoutes)]
            try:
                door.component.mount([route for one in bringing for route in one.component.routes()])
            except Exception as error:
                raise PluginError(
                    f"{door.path}: routes can't be mounted: {type(error).__name__}: {error}"
                ) from error
