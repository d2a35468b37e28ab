"""Contacts a second through their whole life in one process: `make bench-engine`.

Each contact is admitted, identified, classified, waits, is matched, offered, accepted, connected, ended and wrapped
up by the real engine with the compiled queue; every record is encoded and journalled, in memory and
in SQLite (WAL, synchronous FULL, group commit in the writer's thread, plain and with customers' words sealed), and folded into the figures. The agents are
always enough, so a contact waits only as long as its turn takes. Best of REPEATS, since the machine may be busy.

One core decides; SQLite's writer thread has another where there is one. Beside contacts a second stand contacts a
second of the deciding thread's own clock, which other work on the machine does not slow but through its caches; stages are
measured by the wall clock, and `driver` is what remains of it: making commands and records, and letting go of what is over.

The floor is the same loop around an engine that decides nothing, without figures or journal: it gives back the steps of a
contact that lived before. It says what is left for whatever decides. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import trio

from centralita.config import EngineConfig, loads
from centralita.engine import Engine, Step
from centralita.journal import Journal, MemoryJournal, SqliteJournal
from centralita.kpi import Figures
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    ClassifyContact,
    ContactOffered,
    Customer,
    EndContact,
    FinishWrapUp,
    IdentifyContact,
    Record,
    ReportConnection,
    SignIn,
)
from centralita.runner.writer import JournalWriter
from centralita_journal_sealed import SealedJournal

AGENTS: Final = 100
AT_ONCE: Final = 60
BATCH_RECORDS: Final = 500
REPEATS: Final = 3
STAGE_OF: Final = {
    AdmitContact: "arrive",
    IdentifyContact: "identify",
    ClassifyContact: "classify_wait_match",
    AnswerOffer: "offer",
    ReportConnection: "serve",
    EndContact: "end",
    FinishWrapUp: "wrap_up",
}


def company() -> EngineConfig:
    """A hundred agents of seven levels, one queue, a CRM and a classifier."""
    agents = "".join(f"[agents.a{number}]\nskills = {{en = {3 + number % 7}}}\n" for number in range(AGENTS))
    return loads(
        'skills = ["en", "es"]\n[queues.sales]\nskills = {en = 3}\n'
        '[channels.line]\ntype = "line"\nmedium = "voice"\nqueue = "sales"\n'
        f'[crms.local]\ntype = "local"\n[classifiers.words]\ntype = "words"\n{agents}'
    ).engine


class Life:
    """Drives contacts through an engine and hands the records on in batches."""

    def __init__(self, writer: JournalWriter | Nowhere, *, timed: bool) -> None:
        self.engine = Engine()
        self.figures = Figures()
        self.writer = writer
        self.records: list[Record] = []
        self.spent_ns: dict[str, int] = defaultdict(int)
        self.handle = self._timed if timed else self.engine.handle
        self.now_ns = 1_700_000_000_000_000_000
        self.do(ApplyConfiguration(config=company()))
        for number in range(AGENTS):
            self.do(SignIn(agent=f"a{number}", desk="bench"))

    def do(self, command: AnyCommand) -> Step:
        """One command, its record kept for the next batch."""
        step = self.handle(command, now_ns=self.now_ns)
        self.records.append(Record(seq=step.seq, at_ns=self.now_ns, command=command, events=step.events))
        return step

    def _timed(self, command: AnyCommand, *, now_ns: int) -> Step:
        before = time.perf_counter_ns()
        step = self.engine.handle(command, now_ns=now_ns)
        self.spent_ns[STAGE_OF.get(type(command), "set_up")] += time.perf_counter_ns() - before
        return step

    async def live(self, contacts: int) -> None:
        """So many contacts from arrival to end."""
        do, serving = self.do, deque[tuple[int, str]]()
        for number in range(contacts):
            self.now_ns += 1_000_000
            contact = do(AdmitContact(channel="line", provider_id=str(number), handle="+34600111222")).contact
            do(IdentifyContact(contact=contact, customer=Customer(id=str(number), crm="local")))
            offered = do(ClassifyContact(contact=contact, priority=0, by="words")).events[-1]
            assert isinstance(offered, ContactOffered)
            agent = offered.agent
            do(AnswerOffer(contact=contact, agent=agent, offer=offered.offer, accept=True))
            do(ReportConnection(contact=contact, agent=agent, made=True))
            serving.append((contact, agent))
            if len(serving) == AT_ONCE:
                self._end(*serving.popleft())
            if len(self.records) >= BATCH_RECORDS:
                await self._hand_on()
        while serving:
            self._end(*serving.popleft())
        await self._hand_on()

    def _end(self, contact: int, agent: str) -> None:
        self.do(EndContact(contact=contact, by=agent))
        self.do(FinishWrapUp(contact=contact, agent=agent, disposition="sold"))

    async def _hand_on(self) -> None:
        records, self.records = self.records, []
        before = time.perf_counter_ns()
        self.writer.put(records, lambda: self._fold(records))
        self.spent_ns["encode"] += time.perf_counter_ns() - before
        await self.writer.wait_for_room()

    def _fold(self, records: list[Record]) -> None:
        before = time.perf_counter_ns()
        for record in records:
            self.figures.fold(record)
        self.spent_ns["figures"] += time.perf_counter_ns() - before


class Measured(NamedTuple):
    """What one run gave."""

    a_second: float
    a_second_of_its_own: float
    """By the clock of the thread that decides, encodes and folds."""
    us_by_stage: dict[str, float]


class Nowhere:
    """Where records go that nobody keeps: encoded first, or not."""

    def __init__(self, *, encoded: bool) -> None:
        self._encode = msgspec.msgpack.Encoder().encode if encoded else None

    def put(self, records: list[Record], on_durable: Callable[[], None]) -> None:
        if self._encode is not None:
            self._encode(records)

    async def wait_for_room(self) -> None:
        await trio.lowlevel.checkpoint()


async def floor(contacts: int, *, encoded: bool) -> float:
    """Contacts a second around an engine that answers with the steps of one contact, again and again."""
    life, steps = Life(Nowhere(encoded=encoded), timed=False), dict[type[AnyCommand], Step]()

    def remember(command: AnyCommand, *, now_ns: int) -> Step:
        step = steps[type(command)] = life.engine.handle(command, now_ns=now_ns)
        return step

    life.handle = remember
    await life.live(AT_ONCE)
    life.handle = lambda command, *, now_ns: steps[type(command)]
    gc.collect()
    gc.freeze()
    before = time.perf_counter()
    await life.live(contacts)
    return contacts / (time.perf_counter() - before)


async def run(journal: Journal, contacts: int, *, timed: bool = False) -> Measured:
    """So many contacts, everything durable at the end."""
    writer = JournalWriter(journal)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        life = Life(writer, timed=timed)
        gc.collect()
        gc.freeze()
        before, before_own = time.perf_counter(), time.thread_time()
        await life.live(contacts)
        await writer.flush()
        spent_s, own_s = time.perf_counter() - before, time.thread_time() - before_own
        await writer.close()
    state = life.engine.state
    assert state.admitted_n == state.ended_n == contacts
    assert life.figures.contacts()["ended"] == contacts
    by_stage = {name: spent / 1000 / contacts for name, spent in life.spent_ns.items() if name != "set_up"}
    by_stage["driver"] = spent_s * 1e6 / contacts - sum(by_stage.values())
    return Measured(contacts / spent_s, contacts / own_s, by_stage)


def main() -> None:
    """Run both journals and print what they gave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=30_000, help="in each run (default 30,000)")
    parser.add_argument(
        "--once", action="store_true", help="one run in memory and no more, to be counted by callgrind"
    )
    asked = parser.parse_args()
    contacts = asked.contacts
    if asked.once:
        print(f"{trio.run(run, MemoryJournal(), contacts).a_second:,.0f} contacts a second, once, in memory")
        return
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {AGENTS} agents, {contacts:,} contacts a run"
    )
    rates: dict[str, list[Measured]] = {"memory": [], "sqlite": [], "sealed": []}
    for _ in range(REPEATS):
        rates["memory"].append(trio.run(run, MemoryJournal(), contacts))
        for name, kind in (("sqlite", SqliteJournal), ("sealed", SealedJournal)):
            with tempfile.TemporaryDirectory() as folder:
                journal = kind(Path(folder))
                rates[name].append(trio.run(run, journal, contacts))
                journal.close()
    for name, found in rates.items():
        wall, own = [one.a_second for one in found], [one.a_second_of_its_own for one in found]
        print(
            f"  {name:7} best {max(wall):9,.0f}   median {statistics.median(wall):9,.0f} contacts a second;"
            f" of its own clock {max(own):9,.0f}"
        )
    timed = trio.run(lambda: run(MemoryJournal(), contacts, timed=True))
    for name, spent_us in timed.us_by_stage.items():
        print(f"  {name:22} {spent_us:6.2f} us a contact")
    floors = {
        "made": trio.run(lambda: floor(contacts, encoded=False)),
        "encoded": trio.run(lambda: floor(contacts, encoded=True)),
    }
    print(
        f"  around an engine that decides nothing: {floors['made']:,.0f} contacts a second;"
        f" with the records encoded {floors['encoded']:,.0f}"
    )
    print(
        json.dumps(
            {
                **{
                    f"contacts_per_s_{name}": round(max(one.a_second for one in found))
                    for name, found in rates.items()
                },
                **{
                    f"contacts_per_own_s_{name}": round(max(one.a_second_of_its_own for one in found))
                    for name, found in rates.items()
                },
                "contacts_per_s_floor": {name: round(rate) for name, rate in floors.items()},
                "us_by_stage": {name: round(spent, 2) for name, spent in timed.us_by_stage.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
