"""A company that calls lists, in virtual time: the real engine, a channel that rings numbers as they are scripted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from centralita import MemoryJournal, hookimpl
from centralita.journal import Journal
from centralita.messages import EndContact, FinishWrapUp, ReportConnection
from centralita.plugins import load_plugins
from centralita.protocols import Context, Register
from centralita.runner.switchboard import LiveSwitchboard
from centralita.views import ContactView
from centralita_dialler import Settings
from centralita_dialler.dialler import Dialler
from centralita_dialler.store import Entry
from tests.runner.house import START_NS, House, sign_in

RING_S = 5.0
TALK_S = 30.0

COMPANY = """
dispositions = ["sold", "machine", "never again"]
[limits]
grace_s = 20
[queues.renewals]
offer_s = 20
wrap_up_s = 10
no_answer = "stay"
connect_s = 30
[agents.ana]
[agents.bea]
[channels.phone]
type = "scripted"
medium = "voice"
queue = "renewals"
[desks.floor]
type = "scripted"
[hours.calling]
time_zone = "Europe/Madrid"
week = {{ mon = ["09:00-20:00"], tue = ["09:00-20:00"], wed = ["09:00-20:00"], thu = ["09:00-20:00"], fri = ["09:00-20:00"] }}
[routes.lists]
type = "dialler"
region = "ES"
[routes.lists.campaigns.renewals]
channel = "phone"
queue = "renewals"
title = "Renewals"
{campaign}
"""


class Lists(House):
    """The scripted company, and the one dialler it has built."""

    def __init__(self, **prepare: Callable[[Any], None]) -> None:
        super().__init__(prepare={key.replace("__", "."): value for key, value in prepare.items()})
        self.dialler: Dialler | None = None

    @hookimpl
    def register_routes(self, register: Register) -> None:
        def build(settings: Settings, context: Context) -> Dialler:
            self.dialler = Dialler(settings, context)
            return self.dialler

        register("dialler", Settings, build)


class Company:
    """What a test sees: whom the channel has rung, and who speaks."""

    def __init__(self, house: Lists, switchboard: LiveSwitchboard) -> None:
        self.house = house
        self.switchboard = switchboard
        assert house.dialler is not None
        self.dialler = house.dialler
        self.rung: list[tuple[float, str, str]] = []
        """(when, number, agent) of every call that was begun."""

    def numbers(self) -> list[str]:
        return [number for _, number, _ in self.rung]

    async def add(self, *numbers: str, **fields: Any) -> None:
        await self.dialler.add("renewals", [Entry(number=number, **fields) for number in numbers])

    async def start(self) -> None:
        await self.dialler.set_running("renewals", running=True)

    async def until(self, holds: Callable[[], Any], *, within_s: float = 3600) -> None:
        with trio.fail_after(within_s):
            while not holds():
                await trio.sleep(0.25)

    async def counts(self) -> dict[str, int]:
        found: dict[str, int] = (await self.dialler.standing("renewals"))["records"]
        return found

    async def results(self) -> dict[str, int]:
        found: dict[str, int] = (await self.dialler.standing("renewals"))["results"]
        return found

    async def settled(self, *, within_s: float = 20 * 3600) -> dict[str, int]:
        """Wait until nothing is to be called and nothing is live; the records by state."""
        with trio.fail_after(within_s):
            while True:
                counts = await self.counts()
                if counts["pending"] == counts["live"] == 0:
                    return counts
                await trio.sleep(5)


class Script:
    """What becomes of each call to a number, in turn; who has no more of them answers."""

    def __init__(self, **plan: list[str]) -> None:
        self.plan = defaultdict[str, list[str]](list)
        self.plan |= {f"+{number.lstrip('n')}": list(ends) for number, ends in plan.items()}
        self.company: Company | None = None
        self.disposition: dict[str, str] = {}

    async def ring(self, view: ContactView, agent: str, number: str) -> bool | None:
        company = self.company
        assert company is not None
        company.rung.append((trio.current_time(), number, agent))
        await trio.sleep(RING_S)
        end = self.plan[number].pop(0) if self.plan[number] else "answered"
        if end == "answered":
            company.house["channels.phone"].nursery.start_soon(self.talk, view.id, number, agent)
            return True
        if end == "no answer":
            return False
        report = ReportConnection(contact=view.id, agent=agent, made=False, reason=end)
        if not end.startswith("agent"):
            report = ReportConnection(
                contact=view.id, agent=agent, made=False, customer_gone=True, reason=end
            )
        await company.switchboard.submit(report)
        return None

    async def talk(self, contact: int, number: str, agent: str) -> None:
        assert self.company is not None
        await trio.sleep(TALK_S)
        switchboard = self.company.switchboard
        await switchboard.submit(EndContact(contact=contact, by=agent))
        wanted = self.disposition.get(number, "")
        await switchboard.submit(FinishWrapUp(contact=contact, agent=agent, disposition=wanted))


@asynccontextmanager
async def calling(
    folder: Path,
    script: Script | None = None,
    *,
    campaign: str = "",
    journal: Journal | None = None,
    start_ns: int = START_NS,
    accepts: bool = False,
    extra: str = "",
    company: Company | None = None,
    agents: tuple[str, ...] = ("ana", "bea"),
) -> AsyncIterator[Company]:
    """The company, running; its database in `folder`, so that opening it again is a restart."""
    script = script or Script()
    house = Lists()
    async with trio.open_nursery() as nursery:

        def prepare_phone(channel: Any) -> None:
            channel.nursery = nursery
            channel.script["connect"] = script.ring

        house.prepare["channels.phone"] = prepare_phone
        house.prepare["desks.floor"] = lambda desk: setattr(desk, "accepts", accepts)
        async with house.open(
            folder,
            extra,
            base=COMPANY.format(campaign=campaign),
            journal=journal if journal is not None else MemoryJournal(),
            start_ns=start_ns,
        ) as switchboard:
            made = Company(house, switchboard)
            if company is not None:
                made.rung = company.rung
            script.company = made
            await sign_in(switchboard, *agents)
            for view in switchboard.contacts(phase="connected"):  # those of an earlier life, who speak on
                nursery.start_soon(script.talk, view.id, view.handle, view.agent)
            yield made
            nursery.cancel_scope.cancel()


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database in the test's own thread: virtual time would not wait for another."""

    async def at_once(self: Dialler, ask: Callable[[], Any]) -> Any:
        await trio.lowlevel.checkpoint()
        return ask()

    monkeypatch.setattr(Dialler, "_blocking", at_once)


__all__ = [
    "COMPANY",
    "RING_S",
    "TALK_S",
    "Company",
    "Lists",
    "Script",
    "calling",
    "load_plugins",
    "no_threads",
]
