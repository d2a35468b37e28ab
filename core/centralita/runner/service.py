"""Everything put together: a configuration, its plugins, a journal and an engine, started and stopped in order.

Starting: read and check the configuration, load plugins, open the journal, recover the engine, build the
components, then run them: those that only listen or answer first, the ways in last, so that the first
contact finds a CRM that is up. Stopping is the same backwards: admit no more, let what was asked finish,
close the ways in, decide what still waits, let followers read to the end, keep a snapshot. Each step has
a limit; what is still live when it is over stays in the journal, and the next start goes on with it.

It refuses to know any rule and any plugin.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Unpack

import msgspec
import structlog
import trio

from centralita.calendars import Calendar, calendars, zone_named
from centralita.config import Component, Configuration
from centralita.errors import ConfigurationError, EngineStopped, JournalError, PluginError
from centralita.journal import Journal
from centralita.matching import Core
from centralita.messages import (
    AnyAsk,
    AnyCommand,
    ApplyConfiguration,
    EraseContacts,
    LoseAgent,
    MarkComponentUp,
    Record,
    Refusal,
)
from centralita.plugins import Plugins, build, load_plugins, resolve_channels
from centralita.protocols import Clock
from centralita.recovery import restore
from centralita.runner.asks import AskRunner
from centralita.runner.building import Builder, make_folder
from centralita.runner.channels import ChannelPort
from centralita.runner.clock import RealClock
from centralita.runner.desks import DeskPort, Desks
from centralita.runner.figures import FiguresKeeper
from centralita.runner.followers import Feed
from centralita.runner.hours import HoursKeeper
from centralita.runner.inbox import CommandInbox
from centralita.runner.parts import Part, Parts, sole_fault
from centralita.runner.pump import Pump
from centralita.runner.recent import RecentEngine
from centralita.runner.settings import (
    Config,
    EngineSettings,
    check_in_trio,
    check_settings,
    check_time,
    read_configuration,
)
from centralita.runner.supervise import Supervised
from centralita.runner.switchboard import House, LiveSwitchboard
from centralita.runner.writer import JournalWriter

START_WAIT_S: Final = 10.0
"""How long the ways in wait for CRMs, classifiers, bots and desks to be up, at start."""

STOP_ASKS_S: Final = 5.0
"""How long what was asked of components may take to finish, at stop."""

STOP_FOLLOW_S: Final = 10.0
"""How long followers may take to read to the end, at stop; later they go on where they were."""

STOP_PART_S: Final = 5.0
"""How long components may take to end once cancelled, before the log names them."""

SETTLE_COMMANDS_MAX: Final = 1_000
"""Commands handed in together while the recovered state is brought up to the present."""

DEFAULT_JOURNAL: Final = Component(kind="journal", name="journal", type="sqlite", settings={})

_ANSWERING: Final = ("kpi_sinks", "crms", "classifiers", "bots", "routes")
_WAYS_IN: Final = ("desks", "channels", "front_doors")


@asynccontextmanager
async def open_engine(
    config: Config,
    *,
    plugins: Sequence[object] = (),
    entry_points: bool = True,
    journal: Journal | None = None,
    clock: Clock | None = None,
    core: Core = "native",
    drain_s: float = 0.0,
) -> AsyncIterator[LiveSwitchboard]:
    """Run an engine with its plugins inside this trio program, for as long as the block lasts.

    `config` is a Configuration, the path of a TOML file, or the dictionaries that such a file would decode to.
    `plugins` are modules or objects with hooks, beside those found by entry points (`entry_points`).
    `journal` None: what `[journal]` says, SQLite in the data folder when it says nothing; one that is
    given stays open. `clock` None: the real one. `core`: which matching queue decides, see docs/embedding.md.
    `drain_s`: how long at the end live contacts may go on to finish; those still live then stay in the journal
    for the next start.

    Raises ConfigurationError, PluginError or JournalError before the block is entered, and out of the
    block what ended the engine, if something did. Leaving the block, cancelled or not, stops in order.
    """
    check_in_trio("open_engine")
    service = Service(
        read_configuration(config),
        load_plugins(plugins, entry_points=entry_points),
        journal=journal,
        clock=clock,
        core=core,
        drain_s=drain_s,
    )
    own: BaseException | None = None
    fault: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            switchboard = await nursery.start(service.run)
            try:
                yield switchboard
            except BaseException as error:
                own = error
                raise
            finally:
                service.stop()
    except BaseExceptionGroup as group:
        fault = sole_fault(group, own)
    if fault is not None:
        # Not in the handler above: what caused the fault, and what it says of its context, stays as it was.
        raise fault


async def serve(
    config: Config,
    *,
    ready: Callable[[LiveSwitchboard], Awaitable[None]] | None = None,
    **settings: Unpack[EngineSettings],
) -> None:
    """Run an engine until SIGTERM, SIGINT or SIGHUP, then stop in order and return; a second signal hurries.
    SIGHUP that was ignored before, as by nohup, stays so.

    `ready` is awaited once everything has been started. `settings` are those of `open_engine`, and so is what
    is raised.
    """
    check_in_trio("serve")
    fault: BaseException | None = None
    stopping = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        # Left alone it kills the process, which systemd takes for an end in good order.
        stopping.append(signal.SIGHUP)
    with trio.open_signal_receiver(*stopping) as signals:
        service = Service(
            read_configuration(config),
            load_plugins(settings.get("plugins", ()), entry_points=settings.get("entry_points", True)),
            journal=settings.get("journal"),
            clock=settings.get("clock"),
            core=settings.get("core", "native"),
            drain_s=settings.get("drain_s", 0.0),
        )
        try:
            async with trio.open_nursery() as nursery:
                # A signal during a long recovery is kept, and stops the engine once it has started.
                nursery.start_soon(_watch, signals, service)
                switchboard = await nursery.start(service.run)
                if ready is not None:
                    await ready(switchboard)
                await service.stopped.wait()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            fault = sole_fault(group)
    if fault is not None:
        raise fault


class Service:
    """One engine from start to stop. `run` once; `stop` any time after it has started."""

    def __init__(
        self,
        configuration: Configuration,
        plugins: Plugins,
        *,
        journal: Journal | None = None,
        clock: Clock | None = None,
        core: Core = "native",
        drain_s: float = 0.0,
    ) -> None:
        check_settings(journal=journal, clock=clock, core=core, drain_s=drain_s)
        self.stopped = trio.Event()
        self._configuration = configuration
        self._calendars: dict[str, Calendar] = calendars(configuration.hours)
        self._zone = zone_named(configuration.domain.time_zone, "domain.time_zone")
        self._prepared = plugins.prepare(configuration.components, configuration=configuration)
        (self._journal_prepared,) = plugins.prepare([configuration.journal or DEFAULT_JOURNAL])
        self._given_journal = journal
        self._clock = clock
        self._core: Core = core
        self._drain_s = drain_s
        self._log = structlog.stdlib.get_logger("centralita")
        self._switchboard = LiveSwitchboard()
        self._plugins = plugins
        self._builder = Builder(configuration, self._switchboard, self._log)
        self._stop = trio.Event()
        self._quiet = trio.Event()
        self._patience = trio.CancelScope()

    def stop(self, *, hurry: bool = False) -> None:
        """Begin to stop in order; with `hurry` nothing is waited for any more."""
        self._stop.set()
        if hurry:
            self._patience.cancel()

    async def run(self, *, task_status: trio.TaskStatus[LiveSwitchboard]) -> None:
        """Start, run until `stop`, and stop in order."""
        opened = None if self._given_journal is not None else self._open_journal()
        try:
            journal = self._given_journal or opened
            assert journal is not None
            await self._run(journal, task_status)
        finally:
            if opened is not None:
                opened.close()
            self.stopped.set()

    def _open_journal(self) -> Journal:
        component = self._journal_prepared.component
        # Opening may check a whole file, but nothing else runs yet, and SQLite wants one thread.
        context = self._builder.context(component, self._clock or RealClock())
        journal: Journal = build(self._journal_prepared, context)
        return journal

    async def _run(self, journal: Journal, task_status: trio.TaskStatus[LiveSwitchboard]) -> None:
        engine = restore(journal, kind=RecentEngine, core=self._core)
        clock = self._clock or self._real_clock(engine)
        check_time(clock)
        inbox = CommandInbox()
        feed = Feed(journal)
        figures = FiguresKeeper(feed, path=self._figures_path(journal), zone=self._zone, log=self._log)
        house = House(
            engine=engine,
            inbox=inbox,
            clock=clock,
            configuration=self._configuration,
            feed=feed,
            figures=figures,
            journal=journal,
        )
        # A crash may have come between a decision to erase and the keys' deletion.
        house.customers.erase_keys(engine.erased)
        self._switchboard.open(house)
        self._builder.build(house, self._prepared)
        for plugin, words in self._plugins.deprecations():
            self._log.warning("plugin_deprecated", plugin=plugin, words=words)
        self._configuration = house.configuration
        inbox.resolve = partial(_resolve, house, self._plugins)
        # The shield is outside the nursery, so that a failure inside still reaches everybody.
        with trio.CancelScope() as shield:
            async with trio.open_nursery() as nursery:
                writer = JournalWriter(journal)
                await nursery.start(writer.run)
                parts = Parts(
                    edge=await nursery.start(Part().run),
                    sinks=await nursery.start(Part().run),
                    ports=await nursery.start(Part().run),
                )
                pump = self._start_pump(house, journal, writer, parts, nursery)
                await self._settle_state(house)
                await parts.edge.start(self._hours.run)
                await self._start_components(house, parts)
                self._log.info("started", seq=engine.seq, live=len(engine.state.contacts))
                # From here on whoever cancels the program still gets an orderly stop.
                await trio.lowlevel.checkpoint_if_cancelled()
                shield.shield = True
                task_status.started(self._switchboard)
                await self._stop.wait()
                await self._wind_down(house, parts, pump)
                await self._finish(house, parts, pump, writer)
                nursery.cancel_scope.cancel()

    def _start_pump(
        self, house: House, journal: Journal, writer: JournalWriter, parts: Parts, nursery: trio.Nursery
    ) -> Pump:
        self._hours = HoursKeeper(house.clock, house.inbox)
        self._hours.apply(house.configuration.engine, self._calendars)
        self._asks = self._open_ports(house, parts.ports)
        # Before anything new is decided, so that what was said before the stop goes out first.
        self._asks.dispatch(house.engine.open_asks())
        pump = Pump(
            engine=house.engine,
            inbox=house.inbox,
            writer=writer,
            clock=house.clock,
            deliver=partial(self._deliver, house),
            log=self._log,
            first=house.engine.open_reports(now_ns=house.clock.now_ns()),
            snapshot_every=journal.snapshot_every,
            state_hash_every=journal.state_hash_every,
        )
        nursery.start_soon(pump.run)
        nursery.start_soon(_release_waiting, house, pump)
        return pump

    # Starting ------------------------------------------------------------------------------------

    def _real_clock(self, engine: RecentEngine) -> RealClock:
        clock = RealClock(not_before_ns=engine.now_ns)
        if clock.set_back_ns:
            self._log.warning("clock_set_back", seconds=clock.set_back_ns / 1e9)
        return clock

    def _figures_path(self, journal: Journal) -> Path | None:
        if not journal.blocking:
            return None
        folder = self._configuration.folder / self._configuration.domain.data
        make_folder(folder, JournalError)
        return folder / "figures.msgpack"

    def _open_ports(self, house: House, tasks: Part) -> AskRunner:
        def of_kind(kind: str) -> dict[str, Supervised]:
            return {one.name: one for one in house.supervised if one.kind == kind}

        settings: dict[str, Any] = {"tasks": tasks, "engine": house.engine, "inbox": house.inbox}
        log = self._log
        house.channels = {
            name: ChannelPort(one, log=log.bind(component=one.path), **settings)
            for name, one in of_kind("channels").items()
        }
        desks = {
            name: DeskPort(one, log=log.bind(component=one.path), **settings)
            for name, one in of_kind("desks").items()
        }
        house.desks = Desks(desks, house.engine)
        asks = AskRunner(
            **settings,
            channels=house.channels,
            desks=house.desks,
            crms=list(of_kind("crms").values()),
            classifiers=list(of_kind("classifiers").values()),
            bots=of_kind("bots"),
            log=log,
        )
        house.asks_open = lambda: asks.open_n
        return asks

    async def _settle_state(self, house: House) -> None:
        """Bring the recovered state up to the present: configuration, agents' desks, components gone."""
        state = house.engine.state
        first: list[AnyCommand] = []
        if state.config != house.configuration.engine:
            first.append(ApplyConfiguration(config=house.configuration.engine))
        # Whoever was signed in has lost the connection with the process, and has the grace to come back.
        first += [
            LoseAgent(agent=agent.name, desk=agent.desk) for agent in state.agents.values() if agent.present
        ]
        running = {one.path for one in house.supervised}
        first += [MarkComponentUp(component=gone) for gone in state.components_down if gone not in running]
        for start in range(0, len(first), SETTLE_COMMANDS_MAX):
            outcomes = await house.inbox.submit_all(first[start : start + SETTLE_COMMANDS_MAX])
            for command, outcome in zip(first[start:], outcomes, strict=False):
                if outcome.refusal is not None and isinstance(command, ApplyConfiguration):
                    raise ConfigurationError(outcome.refusal.message.splitlines())

    async def _start_components(self, house: House, parts: Parts) -> None:
        """Start what answers, wait a while for it, then open the ways in."""
        down = set(house.engine.state.components_down)

        def start(kinds: Iterable[str]) -> list[Supervised]:
            started = [one for kind in kinds for one in house.supervised if one.kind == kind]
            for one in started:
                part = parts.sinks if one.follows else parts.edge
                part.start_soon(partial(one.supervise, house.inbox, known_down=one.path in down))
            return started

        parts.sinks.start_soon(house.figures.run)
        for kinds in (_ANSWERING, _WAYS_IN):
            started = start(kinds)
            with trio.move_on_after(START_WAIT_S):
                for one in started:
                    await one.wait_first_life()
            self._asks.open()
        for door in house.supervised:
            if door.kind == "front_doors":
                await door.wait_first_life()
                if not door.is_up:
                    # Without its front door a daemon would run unseen.
                    raise PluginError(f"{door.path} did not start: {door.error}")

    # Running -------------------------------------------------------------------------------------

    def _deliver(self, house: House, records: Sequence[Record], asks: Sequence[AnyAsk]) -> None:
        """What follows once records are durable; called in their order."""
        for record in records:
            if isinstance(record.command, EraseContacts):
                # Before anybody is told, and before a snapshot could come between the decision and its effect.
                house.customers.erase_keys(record.command.contacts)
                house.feed.forget_recent()
        house.feed.publish(records)
        if asks:
            self._asks.dispatch(asks)
        if house.desks is not None:
            house.desks.show(records)
        for record in records:
            if isinstance(record.command, ApplyConfiguration):
                self._hours.apply(record.command.config, self._calendars)
        if not house.engine.state.contacts:
            self._quiet.set()

    # Stopping ------------------------------------------------------------------------------------

    async def _wind_down(self, house: House, parts: Parts, pump: Pump) -> None:
        """Admit no more, let what goes on finish, close the ways in, decide what still waits."""
        self._log.info("stopping", live=len(house.engine.state.contacts))
        house.stopping = True
        house.inbox.stop_admitting()
        with self._patience:
            if self._drain_s and house.engine.state.contacts:
                self._quiet = trio.Event()
                with trio.move_on_after(self._drain_s):
                    await self._quiet.wait()
            with trio.move_on_after(STOP_ASKS_S):
                await self._asks.wait_idle()
        ways_in = [one for one in house.supervised if not one.follows]
        await self._end(parts.edge, ways_in)
        # Records still on their way to the disk bring asks when nobody is left to carry them out.
        self._asks.close()
        await self._end(parts.ports, ())
        pump.stop()
        await pump.stopped.wait()

    async def _finish(self, house: House, parts: Parts, pump: Pump, writer: JournalWriter) -> None:
        """Everything onto the disk, followers to the end, a snapshot, and goodbye."""
        await writer.flush()
        house.feed.close()
        following = [one for one in house.supervised if one.follows]
        hurry = self._patience.cancel_called
        with trio.move_on_after(0 if hurry else STOP_FOLLOW_S):
            await house.figures.wait_done()
            for one in following:
                if one.is_up:
                    await one.wait_tasks_done()
        await self._end(parts.sinks, following)
        await house.figures.save()
        if house.engine.seq > pump.snapshot_seq:
            await self._last_snapshot(house, writer)
        await writer.close()
        self._log.info("stopped", seq=house.engine.seq, live=len(house.engine.state.contacts))

    async def _last_snapshot(self, house: House, writer: JournalWriter) -> None:
        """Spare the next start its reading. Without it that start takes longer, and nothing else."""
        try:
            await writer.save_snapshot(house.engine.seq, [house.engine.snapshot()])
        except JournalError as error:
            if writer.failed:
                raise
            self._log.error("journal_snapshot_failed", seq=house.engine.seq, error=str(error))

    async def _end(self, part: Part, supervised: Sequence[Supervised]) -> None:
        """End a part. What does not end when cancelled is named, and holds up the end of the process only:
        the records are made safe without it."""
        with trio.move_on_after(STOP_PART_S) as limit:
            await part.end()
        if limit.cancelled_caught:
            self._log.warning("components_do_not_end", components=[one.path for one in supervised])
        for one in supervised:
            one.stopped()


def _resolve(house: House, plugins: Plugins, command: ApplyConfiguration) -> AnyCommand | Refusal:
    """A configuration handed in while running, completed by the channels; or why it can't be applied: what a
    start with it would name, too."""
    running = house.configuration
    hours = running.hours
    problems = [
        f"queues.{name}.hours was {queue.hours!r}; known: {', '.join(sorted(hours)) or 'none'}"
        for name, queue in command.config.queues.items()
        if queue.hours and queue.hours not in hours
    ]
    try:
        if problems:
            raise ConfigurationError(problems)
        plugins.prepare(
            running.components, configuration=msgspec.structs.replace(running, engine=command.config)
        )
        return ApplyConfiguration(config=resolve_channels(command.config, house.capabilities))
    except (ConfigurationError, PluginError) as error:
        return Refusal(code="bad_configuration", message=str(error))


async def _release_waiting(house: House, pump: Pump) -> None:
    """When the run ends, however it ends, nobody is left waiting for an outcome or a record."""
    try:
        await trio.sleep_forever()
    finally:
        error = EngineStopped("the engine has stopped")
        house.inbox.close(error)
        pump.fail_in_flight(error)
        house.feed.close()


async def _watch(signals: AsyncIterator[int], service: Service) -> None:
    hurry = False
    async for _ in signals:
        service.stop(hurry=hurry)
        hurry = True
