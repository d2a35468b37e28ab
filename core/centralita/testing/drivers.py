"""The other side of a component, as its author describes it: customers, agents, what a sink has written.

The kit knows the protocol between engine and component, not the one between a component and the world. A
driver is that part, and the one place where a type says what a check needs: settings that disturb nobody,
other tables beside it (a front door), a server to be started, checks that are not for it and why. Without a
driver the checks that need one are skipped and say so.

A driver is named by an entry point of group `centralita.drivers`, whose name is `kind.type`:

    [project.entry-points."centralita.drivers"]
    "channels.line_chat" = "my_line_chat.driver:LineChatDriver"
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from centralita.errors import PluginError
from centralita.messages import Attachment

if TYPE_CHECKING:
    from centralita.testing.house import House

DRIVER_GROUP: Final = "centralita.drivers"


class Driver:
    """What every kind's driver may say. All of it has a default."""

    example: ClassVar[Mapping[str, Any]] = {}
    """Settings to check with when none of an operator's are given: those without a default, at least."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Settings for the check, over those of a configuration: any free port, a folder of its own."""
    tables: ClassVar[Mapping[str, Any]] = {}
    """Further tables of the configuration: `{"front_doors": {"http": {"type": "http", "port": 0}}}`."""
    exempt: ClassVar[Mapping[int, str]] = {}
    """Checks that are not for this type, each with the reason."""

    def unusable(self) -> str:
        """Why the driver can't work here (a server that is not installed); empty when it can."""
        return ""

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        """Start what the component needs outside, for one check: it goes on while the component is restarted.

        `folder` is empty and the check's own. Gives settings, over all others.
        """
        yield {}


class Customer(ABC):
    """One customer of a channel."""

    heard: list[str]
    """Every text of agents, bots or the system that has reached the customer, as often as it did."""
    over: bool = False
    """Whether the customer has been told that the conversation is over."""
    files: list[str]
    """The names of the files that have reached the customer."""

    def __init__(self) -> None:
        self.heard = []
        self.files = []

    @abstractmethod
    async def say(self, words: str) -> None:
        """Say something in the conversation."""

    @abstractmethod
    async def leave(self) -> None:
        """Go away for good, as such a customer does."""

    async def resume(self, house: House) -> None:  # noqa: B027 - most customers have nothing to do
        """Come back after the component was restarted, as such a customer does by itself."""


class ChannelDriver(Driver, ABC):
    """The customers of a channel."""

    words: bool = True
    """Whether customers write and read; false for calls."""
    text_chars_max: int = 4000
    """The longest text that a customer may write, and be written."""

    @abstractmethod
    async def arrive(self, house: House, words: str) -> Customer:
        """A customer nobody knows comes, with these first words where words are written.

        What must go on meanwhile (reading) is started in `house.world`, which outlives the house.
        """

    async def attach(self, house: House, customer: Customer) -> Attachment | None:
        """A file in the channel's keeping that an agent may send to the customer; None: can't be made."""
        return None


class Seat(ABC):
    """One agent at a desk."""

    offers: list[tuple[int, int]]
    """(contact, offer) of every offer that the agent sees now, each as often as it is shown."""
    seen: list[str]
    """The words of customers that the agent has been shown."""

    def __init__(self) -> None:
        self.offers = []
        self.seen = []

    @abstractmethod
    async def answer(self, contact: int, offer: int, *, accept: bool) -> None:
        """Take an offer or decline it."""

    @abstractmethod
    async def say(self, contact: int, words: str) -> None:
        """Write to the customer."""

    @abstractmethod
    async def leave(self) -> None:
        """Lose the connection, or go."""


class DeskDriver(Driver, ABC):
    """The agents at a desk."""

    words: bool = True
    """Whether agents write and read there; false for telephones."""

    @abstractmethod
    async def sit(self, house: House, agent: str) -> Seat:
        """The agent of this name opens the desk; returns when the desk knows."""

    async def bring(self, house: House, words: str) -> int:
        """A contact comes that is of a kind this desk can be offered; returns its number once it is admitted.

        0: any kind is, and the kit admits one itself. A desk of telephones can be offered calls alone.
        """
        return 0


class FollowerDriver(Driver, ABC):
    """What a KPI sink or a CRM has taken in."""

    @abstractmethod
    async def holds(self, component: Any, data: Path) -> object:
        """All that the component holds, in a form that equals the same records' wherever they were fed.

        Called while the component runs; `data` is its folder.
        """


def find_driver(kind: str, type_name: str) -> tuple[Driver | None, str]:
    """(The driver of a type, or None; why there is none)."""
    name = f"{kind}.{type_name}"
    points = [point for point in metadata.entry_points(group=DRIVER_GROUP) if point.name == name]
    if not points:
        return None, f"no driver: no entry point {name!r} of group {DRIVER_GROUP!r}"
    try:
        driver = points[0].load()()
    except Exception as error:  # noqa: BLE001 - a driver may lack what only tests need
        return None, f"no driver: {points[0].value} can't be made: {type(error).__name__}: {error}"
    return usable(driver, points[0].value)


def load_driver(place: str) -> Driver:
    """The driver that `module:name` says: a class without arguments, or an object. Raises PluginError."""
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name)
        driver = found() if isinstance(found, type) else found
    except Exception as error:
        raise PluginError(f"driver {place!r} can't be had: {type(error).__name__}: {error}") from error
    if not isinstance(driver, Driver):
        raise PluginError(f"driver {place!r} was {driver!r}; must be a centralita.testing.Driver")
    return driver


def usable(driver: object, place: str) -> tuple[Driver | None, str]:
    """The driver if it is one and can work here, or else why not."""
    if not isinstance(driver, Driver):
        return None, f"no driver: {place} is no centralita.testing.Driver"
    if reason := driver.unusable():
        return None, f"no driver: {reason}"
    return driver, ""
