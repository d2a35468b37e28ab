"""Components kept alive: each in a nursery of its own, restarted when it crashes, watched when it hangs.

It refuses to know what a component is for. A crash is whatever ends `run`: an exception, or returning
when nobody asked for it. It is logged, told to the engine as a command, and answered by a restart after
a delay that doubles and jitters (so that components broken by the same fault don't come back in step).
A call that does not return is cut off at its time limit; several in a row are a hang, and a hang is a
crash. What an exception says may be a customer's words, so logs and the journal get its type and place.

A component that blocks the thread can't be stopped from within the process; that is what the time limit
of whoever watches the process is for.
"""

from __future__ import annotations

import inspect
import random
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import structlog
import trio

from centralita.errors import CentralitaError, EngineStopped
from centralita.messages import AnyCommand, MarkComponentDown, MarkComponentUp
from centralita.protocols import Clock, Component, Inbox
from centralita.runner.inbox import CommandInbox
from centralita.views import ComponentView

Result = TypeVar("Result")

START_S: Final = 30.0
"""How long a component may take to say that it has started."""

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 60.0
STABLE_S: Final = 60.0
"""Up for so long, a component has its delay forgotten."""

HANGS_MAX: Final = 3
"""Calls in a row that pass their time limit before the component counts as hanging."""

STARVED_S: Final = 1.0
"""A time limit that is noticed so much later says that the machine is too busy, not that the component hangs."""

LEAST_LIMIT_S: Final = 0.05
"""A call that would have less time than this is not made: it could only fail."""

ERROR_LENGTH_MAX: Final = 300

FOLLOWING_KINDS: Final = ("kpi_sinks", "crms")
"""The kinds that also read the journal along."""


class CallFailed(Exception):
    """A component's method raised or took too long. `reason` is fit for logs and the journal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Crashed(Exception):
    """How a component's life ended."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Supervised:
    """One component, its state and its lives.

    `tasks` run beside `component.run` and share its fate (a follower's feed). `on_up` and `on_down`
    are called at each change; `on_down` may give commands that follow from it.
    """

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        type_name: str,
        component: Any,
        inbox: Inbox,
        clock: Clock,
        log: structlog.stdlib.BoundLogger,
        tasks: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self.kind = kind
        self.name = name
        self.type = type_name
        self.component = component
        self.path = f"{kind}.{name}"
        self.state = "starting"
        self.restarts = 0
        self.error = ""
        self.on_up: Callable[[], None] = lambda: None
        self.on_down: Callable[[], Sequence[AnyCommand]] = lambda: ()
        self._inbox = inbox
        self._clock = clock
        self.log = log
        self._tasks = tasks
        self._since_ns = clock.now_ns()
        self._hangs = 0
        self._life: trio.CancelScope | None = None
        self._hung = ""
        self._first_life = trio.Event()
        self._tasks_done = trio.Event()

    @property
    def follows(self) -> bool:
        """Whether it reads the journal along, and so ends after the last record."""
        return self.kind in FOLLOWING_KINDS

    @property
    def is_up(self) -> bool:
        """Whether it runs and has said so."""
        return self.state == "up"

    def view(self) -> ComponentView:
        """What people see of it."""
        return ComponentView(
            kind=self.kind,
            name=self.name,
            type=self.type,
            state=self.state,
            restarts=self.restarts,
            error=self.error,
            since_ns=self._since_ns,
        )

    async def wait_first_life(self) -> None:
        """Return when it is up for the first time, or has failed to come up."""
        await self._first_life.wait()

    async def wait_tasks_done(self) -> None:
        """Return when all its tasks have returned of themselves, in one life."""
        await self._tasks_done.wait()

    async def call(
        self,
        method: Callable[..., Awaitable[Result]],
        *arguments: Any,
        limit_s: float,
        scope: trio.CancelScope | None = None,
        **named: Any,
    ) -> Result:
        """Await one of the component's methods under a time limit. Raises CallFailed.

        With `scope`, a fresh one, the caller can interrupt the call, and passing the limit is no sign of a
        hang: that is for calls which wait for a person. The result's type is what the protocol
        promises; who uses it checks it.
        """
        name = getattr(method, "__name__", "call")
        if limit_s < LEAST_LIMIT_S:
            raise CallFailed(f"no time is left for {name}")
        results: list[Result] = []
        limit = trio.CancelScope() if scope is None else scope
        limit.deadline = trio.current_time() + limit_s
        try:
            with limit:
                results.append(await must_await(name, method(*arguments, **named)))
        except Exception as error:
            self._hangs = 0
            raise CallFailed(describe(error)) from error
        if results:
            self._hangs = 0
            return results[0]
        if scope is not None:
            late = trio.current_time() >= limit.deadline
            raise CallFailed(f"{name} took longer than {limit_s:g} s" if late else f"{name} was interrupted")
        # Told late itself, this process has no time for anybody: then nobody's slowness is a hang.
        starved = trio.current_time() - limit.deadline > STARVED_S
        self._hangs += not starved
        if self._hangs >= HANGS_MAX and self._life is not None:
            self._hung = f"hangs: {self._hangs} calls in a row took too long, the last was {name}"
            self._life.cancel()
        raise CallFailed(f"{name} took longer than {limit_s:g} s")

    async def supervise(self, inbox: CommandInbox, *, known_down: bool = False) -> None:
        """Run the component, life after life, until cancelled. `known_down`: the engine believes it down."""
        chance = random.Random(self.path)
        delay_s = FIRST_DELAY_S
        while True:
            began_s = trio.current_time()
            crash = await self._live(inbox, tell=known_down)
            if trio.current_time() - began_s >= STABLE_S:
                delay_s = FIRST_DELAY_S
            wait_s = delay_s * chance.uniform(0.5, 1.5)
            self.log.warning("component_down", error=crash.reason, restart_in_s=round(wait_s, 3))
            self._became("down", crash.reason)
            self._first_life.set()
            await self._tell(
                inbox, MarkComponentDown(component=self.path, error=crash.reason), *self.on_down()
            )
            known_down = True
            await trio.sleep(wait_s)
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)
            self.restarts += 1
            self._became("starting", crash.reason)

    def stopped(self) -> None:
        """Say that it has been ended on purpose."""
        self._became("stopped", "")

    async def _live(self, inbox: CommandInbox, *, tell: bool) -> Crashed:
        """One life: returns why it ended."""
        self._hung = ""
        self._hangs = 0
        try:
            with trio.CancelScope() as self._life:
                async with trio.open_nursery() as nursery:
                    with trio.move_on_after(START_S) as starting:
                        await nursery.start(self._run_once)
                    if starting.cancelled_caught:
                        return Crashed(f"did not start within {START_S:g} s")
                    self._became("up", "")
                    self._first_life.set()
                    self.on_up()
                    if tell:
                        nursery.start_soon(self._tell, inbox, MarkComponentUp(component=self.path))
                    nursery.start_soon(self._run_tasks)
            return Crashed(self._hung)
        except Exception as error:  # noqa: BLE001 - a plugin's life, supervised
            return Crashed(describe(error))
        except BaseExceptionGroup as group:
            # It was cancelled and failed on its way out. That is told, and holds up nobody's orderly end.
            faults, others = group.split(Exception)
            if faults is None or others is None:
                raise
            self.log.warning("component_failed_at_its_end", error=describe(faults))
            raise others from None
        finally:
            self._life = None

    async def _run_once(self, *, task_status: trio.TaskStatus[None]) -> None:
        if not isinstance(self.component, Component):
            # What only brings routes has nothing to run.
            task_status.started()
            await trio.sleep_forever()
        await must_await("run", self.component.run(self._inbox, task_status=task_status))
        raise Returned

    async def _run_tasks(self) -> None:
        async with trio.open_nursery() as nursery:
            for task in self._tasks:
                nursery.start_soon(task)
        self._tasks_done.set()

    async def _tell(self, inbox: CommandInbox, *commands: AnyCommand) -> None:
        try:
            await inbox.submit_all(commands)
        except EngineStopped:
            pass  # nobody is left to be told

    def _became(self, state: str, error: str) -> None:
        self.state, self.error, self._since_ns = state, error, self._clock.now_ns()


class Returned(CentralitaError):
    """A component's `run` returned, which nobody had asked for."""

    def __init__(self) -> None:
        super().__init__("run returned; it must go on until it is cancelled")


class NotAwaitable(CentralitaError, TypeError):
    """A method that is to be awaited is a plain function."""


def must_await(name: str, made: Awaitable[Result]) -> Awaitable[Result]:
    """What a component's method gave, when it can be awaited. Raises NotAwaitable: Python's own words for it, far from
    the method, say nothing to whoever wrote `def` for `async def`."""
    if not inspect.isawaitable(made):
        raise NotAwaitable(
            f"{name} gave {type(made).__name__} at once: it must be written as async def {name}"
        )
    return made


def describe(error: BaseException) -> str:
    """An exception's type and place. Its message only when it is ours or the system's, or Python's about a
    method that can't be called as it is: others may quote a customer. What is raised as the root of ours says itself where and what, and that is all."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if type(error) is CentralitaError:
        return str(error)[:ERROR_LENGTH_MAX]
    text = type(error).__name__
    if isinstance(error, CentralitaError):
        text += f": {error}"
    elif isinstance(error, OSError) and error.strerror:
        text += f": {error.strerror}"
    frames = traceback.extract_tb(error.__traceback__)
    if frames and not isinstance(error, Returned):
        frame = frames[-1]
        if type(error) is TypeError and frame.filename == __file__:
            # The method was never entered, so Python speaks of its parameters.
            text += f": {error}"
        text += f" at {'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} in {frame.name}"
    return text[:ERROR_LENGTH_MAX]
