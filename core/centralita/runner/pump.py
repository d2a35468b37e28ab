"""The pump: commands from the inbox through the engine, records to the journal, and what follows once durable.

    inbox ─▶ batch ─▶ engine.handle ─▶ writer.put ─▶ (durable) ─▶ outcomes · records · asks

It refuses to know any component. It is the only place that calls `Engine.handle`, so the engine has one
owner and no lock. Deciding and committing are pipelined: while one batch is on its way to the disk the
next is decided. Outcomes, refusals included, are told in the order decided and after everything
before them is durable: a repeated admission must not be acknowledged before the first one is safe.

Time costs one trio deadline, whatever the number of offers, timers and limits inside the engine. The
pump is not supervised: a fault in here is a bug in the engine, whose state can't be trusted after it.
It ends the run with an error, and the journal brings everything back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
import trio

from centralita.engine import Engine
from centralita.errors import CentralitaError
from centralita.messages import AnyAsk, AnyCommand, Record, Tick
from centralita.protocols import Clock, Outcome
from centralita.runner.clock import trio_deadline
from centralita.runner.inbox import CommandInbox, Entry
from centralita.runner.keeper import StateKeeper
from centralita.runner.writer import JournalWriter

BATCH_COMMANDS_MAX: Final = 512
"""Commands decided at one go: then others get the thread, and the disk something to do."""

IDLE_TICKS_MAX: Final = 100
"""Ticks in a row that change nothing while the next is due already: more means that it never passes."""

TICK: Final = Tick()


class DeadlineStuck(CentralitaError, AssertionError):
    """The engine asks for a Tick at a moment that has come, and the Tick changes nothing."""


class Pump:
    """Drives one engine. `deliver(records, asks)` is called for each durable batch, in order.

    `first` is decided before time goes on from the last record, in the first batch.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        inbox: CommandInbox,
        writer: JournalWriter,
        clock: Clock,
        deliver: Callable[[Sequence[Record], Sequence[AnyAsk]], None],
        log: structlog.stdlib.BoundLogger,
        first: Sequence[AnyCommand] = (),
        snapshot_every: int = 0,
        state_hash_every: int = 0,
    ) -> None:
        self._engine = engine
        self._inbox = inbox
        self._writer = writer
        self._clock = clock
        self._deliver = deliver
        self._first = first
        self._keeper = StateKeeper(
            engine, writer, log=log, snapshot_every=snapshot_every, state_hash_every=state_hash_every
        )
        self._idle_ticks = 0
        self._stopping = False
        self._over = False
        self.stopped = trio.Event()
        self._in_flight: deque[Sequence[Entry]] = deque()

    async def run(self) -> None:
        """Pump until `stop` has been called and the inbox is empty. Raises what the engine raises."""
        async with trio.open_nursery() as nursery:
            while not (self._stopping and not self._inbox.depth and not self._due()):
                await self._pump_once(nursery)
        # Not before a snapshot that was being written has been kept.
        self.stopped.set()

    @property
    def snapshot_seq(self) -> int:
        """After which record the last snapshot is that this run has kept; where it began before the first."""
        return self._keeper.snapshot_seq

    async def _pump_once(self, nursery: trio.Nursery) -> None:
        """Decide a batch, or wait until there is one."""
        await self._writer.wait_for_room()
        entries = self._inbox.drain(BATCH_COMMANDS_MAX)
        due = self._due()
        if entries or due or self._first:
            self._decide(entries, tick=due)
        if self._keeper.step(nursery):
            return
        if not (entries or due or self._stopping):
            await self._inbox.wait_for_work(trio_deadline(self._clock, self._engine.next_deadline_ns()))

    def _due(self) -> bool:
        """Whether a Tick has something to do."""
        return self._engine.next_deadline_ns() <= self._clock.now_ns()

    def stop(self) -> None:
        """Have `run` return once nothing waits in the inbox."""
        self._stopping = True
        self._inbox.wake_pump()

    def fail_in_flight(self, error: BaseException) -> None:
        """Wake whoever waits for a batch that will never be known to be durable: the run is over."""
        self._over = True
        while self._in_flight:
            for entry in self._in_flight.popleft():
                entry.fail(error)

    def _decide(self, entries: Sequence[Entry], *, tick: bool) -> None:
        """Decide a batch at one moment and hand its records to the writer."""
        engine, now_ns = self._engine, self._clock.now_ns()
        records: list[Record] = []
        asks: list[AnyAsk] = []

        def step(command: AnyCommand, now_ns: int = now_ns) -> Outcome:
            done = engine.handle(command, now_ns=now_ns)
            if done.events:
                records.append(Record(seq=done.seq, at_ns=engine.now_ns, command=command, events=done.events))
            asks.extend(done.asks)
            return Outcome(seq=done.seq, contact=done.contact, refusal=done.refusal)

        self._in_flight.append(entries)
        for command in self._first:
            step(command, engine.now_ns)
        self._first = ()
        if tick:
            step(TICK)
            self._note_tick(changed=bool(records))
        for entry in entries:
            entry.outcomes = [step(command) for command in entry.commands]
        state_hash = self._keeper.take_hash() if records else b""
        self._writer.put(records, partial(self._durable, records, asks), state_hash=state_hash)

    def _durable(self, records: Sequence[Record], asks: Sequence[AnyAsk]) -> None:
        """Called by the writer, in order, when everything up to here is on the disk."""
        if self._over:
            # The run has failed, and whoever waited knows. The records are safe; the next start asks again.
            return
        if records or asks:
            self._deliver(records, asks)
        for entry in self._in_flight.popleft():
            entry.settle()

    def _note_tick(self, *, changed: bool) -> None:
        due_ns = self._engine.next_deadline_ns()
        self._idle_ticks = self._idle_ticks + 1 if not changed and due_ns <= self._engine.now_ns else 0
        if self._idle_ticks > IDLE_TICKS_MAX:
            raise DeadlineStuck(
                f"a Tick is due at {due_ns} ns, and {self._idle_ticks} in a row changed nothing"
            )
