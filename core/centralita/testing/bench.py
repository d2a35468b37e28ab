"""One type with one table of settings on the bench, and for each check a fresh place to try it in."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog
import trio

from centralita.config import Component as ComponentTable
from centralita.config import Configuration
from centralita.errors import ConfigurationError, PluginError
from centralita.journal import MemoryJournal
from centralita.plugins import HOOKS, Plugins, Prepared, Registration, build
from centralita.protocols import Clock
from centralita.runner.building import Builder
from centralita.runner.clock import RealClock
from centralita.runner.switchboard import LiveSwitchboard
from centralita.testing.checks import CheckSkipped, SettingsRefused, fail
from centralita.testing.drivers import Driver, find_driver, usable
from centralita.testing.house import House, configure, open_house
from centralita.testing.limits import Limits
from centralita.testing.watch import StepWatch

NAME: Final = "kit"


class Subject:
    """What is checked: a type that a plugin registers, settings for it, and its driver.

    With `base` the settings are an operator's, whole; `base` are the tables of the operator's configuration that the engine decides by, for settings which name
    a queue or a skill; `folder` is where that file stands.
    """

    def __init__(
        self,
        plugins: Plugins,
        kind: str,
        type_name: str,
        *,
        settings: Mapping[str, Any] | None = None,
        name: str = NAME,
        base: Mapping[str, Any] | None = None,
        folder: Path | None = None,
        driver: Driver | None = None,
        limits: Limits | None = None,
        clock: Callable[[], Clock] = RealClock,
    ) -> None:
        """Raises PluginError for a kind or a type that is not there."""
        if kind not in HOOKS:
            raise PluginError(f"kind was {kind!r}; known: {', '.join(HOOKS)}")
        registration = plugins.types(kind).get(type_name)
        if registration is None:
            known = ", ".join(sorted(plugins.types(kind))) or "none"
            raise PluginError(f"type was {type_name!r}; known of kind {kind}: {known}")
        self.plugins = plugins
        self.kind = kind
        self.type_name = type_name
        self.name = "journal" if kind == "journal" else name
        self.registration: Registration = registration
        self.settings = dict(settings or {})
        self.base = None if base is None else dict(base)
        self.folder = folder
        self.limits = limits or Limits()
        self.clock = clock
        self.driver, self.why_no_driver = (
            usable(driver, type(driver).__name__) if driver is not None else find_driver(kind, type_name)
        )

    @property
    def path(self) -> str:
        """Where the settings stand in a file."""
        return "journal" if self.kind == "journal" else f"{self.kind}.{self.name}"

    @property
    def exempt(self) -> Mapping[int, str]:
        """Checks that are not for this type, with the reason."""
        return self.driver.exempt if self.driver is not None else {}


class Bench:
    """A fresh folder, journal and world for one check; usable inside `async with`."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.limits = subject.limits
        self.registration = subject.registration
        self.watch = StepWatch(subject.limits.block_s)
        self.journal = MemoryJournal()
        self.folder = Path()
        self.world: trio.Nursery
        self.clock: Clock
        self._world_settings: Mapping[str, Any] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Bench:
        await self._stack.__aenter__()
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="centralita-kit-")))
        self.clock = self.subject.clock()
        self.watch.open()
        self._stack.callback(self.watch.close)
        if self.subject.driver is not None:
            folder = self.folder / "world"
            folder.mkdir()
            self._world_settings = await self._stack.enter_async_context(self.subject.driver.world(folder))
        try:
            self.prepared()
        except ConfigurationError as error:
            await self._stack.aclose()
            raise SettingsRefused(error.problems) from error
        self.world = await self._stack.enter_async_context(trio.open_nursery())
        self._stack.callback(self._end_world)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._stack.__aexit__(*exception)

    def _end_world(self) -> None:
        self.world.cancel_scope.cancel()

    @property
    def settings(self) -> dict[str, Any]:
        """The component's settings: the driver's example or the operator's, the given ones, the driver's, the world's."""
        driver = self.subject.driver
        return {
            **(driver.example if driver is not None and self.subject.base is None else {}),
            **self.subject.settings,
            **(driver.settings if driver is not None else {}),
            **self._world_settings,
        }

    @property
    def data(self) -> Path:
        """Where all components of the house keep their files."""
        return self.folder / "data"

    def driver(self, kind: type[Any]) -> Any:
        """The type's driver, of the class that this kind needs; without one the check is skipped."""
        driver = self.subject.driver
        if driver is None:
            raise CheckSkipped(self.subject.why_no_driver)
        if not isinstance(driver, kind):
            raise CheckSkipped(f"the driver {type(driver).__name__} is no centralita.testing.{kind.__name__}")
        return driver

    def configuration(
        self,
        *,
        data: Path | None = None,
        settings: dict[str, Any] | None = None,
        tables: dict[str, Any] | None = None,
    ) -> Configuration:
        """The configuration of a house around the component; `tables` in the place of the driver's."""
        subject = self.subject
        if tables is None:
            tables = dict(subject.driver.tables) if subject.driver is not None else {}
        return configure(
            kind=subject.kind,
            name=subject.name,
            type_name=subject.type_name,
            settings=self.settings if settings is None else settings,
            base=subject.base or {},
            tables=tables,
            data=data or self.data,
            folder=subject.folder or self.folder,
        )

    @asynccontextmanager
    async def house(
        self, *, data: Path | None = None, tables: dict[str, Any] | None = None
    ) -> AsyncIterator[House]:
        """An engine around a component built anew; the same journal, world and, unless told, files each time."""
        async with open_house(self, self.configuration(data=data, tables=tables)) as house:
            yield house

    def prepared(self, settings: dict[str, Any] | None = None) -> Prepared:
        """The component's table, decoded. Raises ConfigurationError with the place of each fault."""
        subject = self.subject
        table = ComponentTable(
            kind=subject.kind,
            name=subject.name,
            type=subject.type_name,
            settings=self.settings if settings is None else settings,
        )
        (prepared,) = subject.plugins.prepare(
            [table], configuration=self.configuration(settings=table.settings)
        )
        return prepared

    def make(self, settings: dict[str, Any] | None = None, *, data: Path | None = None) -> Any:
        """A component without an engine: its switchboard answers nothing. Raises what building one raises."""
        prepared = self.prepared(settings)
        builder = Builder(
            self.configuration(data=data, settings=settings),
            LiveSwitchboard(),
            structlog.stdlib.get_logger("centralita.testing"),
        )
        return build(prepared, builder.context(prepared.component, self.clock))

    def copy_data(self, name: str, data: Path | None = None) -> Path:
        """All files as they are now: what a process that is killed now would leave behind."""
        target = self.folder / name
        shutil.copytree(data or self.data, target, symlinks=True)
        return target


def refused(error: Exception, path: str) -> Sequence[str]:
    """The problems of a refusal that do not begin with their place; fails for what is no ConfigurationError."""
    if not isinstance(error, ConfigurationError):
        fail(
            f"settings that can't be used raised {type(error).__name__}: {error}; "
            "must be a ConfigurationError, whose problems begin with their place"
        )
    return [problem for problem in error.problems if not problem.startswith(path)]
