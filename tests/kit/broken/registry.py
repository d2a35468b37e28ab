"""The broken plugins by the number of the check that each is broken for, and how one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from centralita import hookimpl
from centralita.plugins import HOOKS
from centralita.testing import Driver
from tests.kit import good
from tests.kit.good import (
    GoodBot,
    GoodChannel,
    GoodClassifier,
    GoodCrm,
    GoodDesk,
    GoodDoor,
    GoodJournal,
    GoodLedger,
    LedgerDriver,
    Settings,
)
from tests.kit.worlds import HallDriver, PostDriver

DRIVERS: dict[str, type[Driver]] = {
    "channels": PostDriver,
    "desks": HallDriver,
    "kpi_sinks": LedgerDriver,
}
GOOD: dict[str, type[Any]] = {
    "channels": GoodChannel,
    "desks": GoodDesk,
    "crms": GoodCrm,
    "classifiers": GoodClassifier,
    "bots": GoodBot,
    "kpi_sinks": GoodLedger,
    "journal": GoodJournal,
    "front_doors": GoodDoor,
    "routes": type("GoodRoutes", (good.Good,), {"routes": lambda self: []}),
}
TYPE = "subject"


def plugin(
    kind: str, build: Callable[..., Any], settings: type[msgspec.Struct] = Settings, *, api: int | None = 1
) -> object:
    """A plugin that registers one type."""

    def hook(self: object, register: Any) -> None:
        register(TYPE, settings, build)

    hook.__name__ = HOOKS[kind]
    space: dict[str, Any] = {HOOKS[kind]: hookimpl(hook)}
    if api is not None:
        space["centralita_api"] = api
    return type("Plugin", (), space)()


class Broken(NamedTuple):
    """A plugin, and the kind of its one type."""

    kind: str
    plugin: object


BROKEN: dict[int, Broken] = {}


def breaks(number: int, kind: str) -> Callable[[type[Any]], type[Any]]:
    """The component is broken for this check."""

    def take(component: type[Any]) -> type[Any]:
        BROKEN[number] = Broken(kind, plugin(kind, component))
        return component

    return take
