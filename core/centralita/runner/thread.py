"""The engine in a thread of its own, for programs that live by asyncio, by threads or by no loop at all.

    with EngineThread("centralita.toml") as engine:
        outcome = engine.submit(AdmitContact(channel="shop", provider_id="1"))      # any thread
        outcome = await asyncio.wrap_future(engine.submit_soon(command))            # asyncio

It refuses to know what the program is. Trio runs in one thread, everybody else talks to it through
futures; views are made in trio's thread and are frozen, so they may be read anywhere. Asyncio's and
trio's loops could share a thread (trio's guest mode), but then a slow callback of the program would hold
up the timers of every contact; a thread costs one hand-over a command and keeps the two apart.
"""

from __future__ import annotations

import inspect
import math
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

import structlog
import trio

from centralita.errors import EngineBusy, EngineStopped
from centralita.messages import AnyCommand
from centralita.protocols import Outcome
from centralita.runner.parts import sole_fault
from centralita.runner.service import open_engine
from centralita.runner.settings import Config, EngineSettings
from centralita.runner.switchboard import LiveSwitchboard

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

CALLS_MAX: Final = 10_000
"""Calls from outside that may be on their way at once; beyond that they raise EngineBusy."""

STOP_CALLS_S: Final = 5.0
"""How long functions given to `run_soon` may take to end once cancelled, at stop; then the engine stops without them."""


class EngineThread:
    """An engine running in a thread. Settings are those of `open_engine`.

    Entering raises what `open_engine` raises; leaving stops in order and raises what ended the engine. One
    object is one life: for another, make another. An engine that nobody stops is stopped, in order, when the
    main thread has ended.
    """

    def __init__(self, config: Config, **settings: Unpack[EngineSettings]) -> None:
        unknown = sorted(settings.keys() - EngineSettings.__annotations__.keys())
        if unknown:
            raise TypeError(
                f"EngineThread has no setting {unknown[0]!r}; known: {', '.join(EngineSettings.__annotations__)}"
            )
        self._config = config
        self._settings = settings
        self._started: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="centralita-engine")
        self._given_up = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._switchboard: LiveSwitchboard | None = None
        self._stop = trio.Event()
        self._calls: set[Future[Any]] = set()
        self._performing: dict[Future[Any], tuple[str, trio.CancelScope]] = {}
        self._none_performs = trio.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> EngineThread:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread and wait until the engine runs. Raises what `open_engine` raises; then no thread is left.

        Interrupted (Ctrl-C), it has what has begun stopped in order, and waits for that.
        """
        if self._thread.ident is not None:
            raise RuntimeError("an EngineThread starts once; make another for another life")
        try:
            self._thread.start()
            self._started.result()
        except BaseException:
            self._begin_to_stop()
            if self._thread.is_alive():
                self._thread.join()
            raise

    def stop(self) -> None:
        """Stop in order and wait for the end. Raises what ended the engine, if something did.

        One that was never started has nothing to stop, and a second call only waits and raises as the first.
        """
        if self._thread.ident is None:
            return
        if self._thread is threading.current_thread():
            raise RuntimeError("the engine's own thread can't wait for its end; call stop in another thread")
        self._begin_to_stop()
        self._thread.join()
        self._ended.result()

    def submit(self, command: AnyCommand, *, timeout_s: float | None = None) -> Outcome:
        """Hand a command in and wait until what became of it is durable.

        Raises EngineStopped, or TimeoutError after `timeout_s` (None: never): the command may then still be
        applied. RuntimeError where an event loop runs, which would stand still: `submit_soon` is for that.
        """
        _check_may_wait(timeout_s)
        return _wait(self.submit_soon(command), timeout_s)

    def submit_soon(self, command: AnyCommand) -> Future[Outcome]:
        """Hand a command in; the future is done when what became of it is durable. Raises as `run_soon`."""
        return self.run_soon(LiveSwitchboard.submit, command)

    def look(
        self, question: Callable[[LiveSwitchboard], Result], *, timeout_s: float | None = None
    ) -> Result:
        """Ask the switchboard something in the engine's thread: `engine.look(lambda s: s.queues())`.

        The question is a plain function; what awaits goes to `run_soon`. Raises what the question raises,
        TimeoutError after `timeout_s` (None: never), else as `submit` and `run_soon`.
        """
        _check_may_wait(timeout_s)

        async def ask(switchboard: LiveSwitchboard) -> Result:
            answer = question(switchboard)
            if inspect.iscoroutine(answer):
                answer.close()
                raise TypeError(
                    f"look takes a plain function; {_name_of(question)} awaits something: give it to run_soon"
                )
            return answer

        return _wait(self.run_soon(ask), timeout_s)

    def run_soon(
        self,
        function: Callable[[LiveSwitchboard, Unpack[Arguments]], Awaitable[Result]],
        *arguments: *Arguments,
    ) -> Future[Result]:
        """Run `await function(switchboard, *arguments)` in the engine's thread, beside it.

        Cancelling the future cancels the function. A function still running when the engine stops is
        cancelled, and its future fails with EngineStopped, as it does after the end. Raises EngineBusy when CALLS_MAX
        calls are on their way, EngineStopped before the start.
        """
        if not callable(function):
            raise TypeError(
                f"run_soon takes a function that is `async def`, and its arguments; got {function!r}"
            )
        if self._token is None:
            raise EngineStopped("the engine does not run yet")
        future: Future[Result] = Future()
        with self._lock:
            if len(self._calls) >= CALLS_MAX:
                raise EngineBusy(f"{CALLS_MAX} calls are on their way; at most {CALLS_MAX} are allowed")
            self._calls.add(future)
        future.add_done_callback(self._forget)
        try:
            self._token.run_sync_soon(self._spawn, future, function, arguments)
        except trio.RunFinishedError:
            _fail(future, EngineStopped("the engine has stopped"))
        return future

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._calls.discard(future)

    # In the engine's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001 - carried to whoever waits in the other thread
            if self._started.done():
                self._ended.set_exception(error)
            else:
                self._started.set_exception(error)
                self._ended.set_result(None)
        else:
            self._ended.set_result(None)
        _running.discard(self)
        with self._lock:
            left = tuple(self._calls)
        for future in left:
            _fail(future, EngineStopped("the engine has stopped"))

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        if self._given_up:
            raise EngineStopped("it was stopped before it had started")
        fault: BaseException | None = None
        try:
            # Around the engine, so that a function which won't end can't keep the engine from ending in order.
            async with trio.open_nursery() as calls:
                await self._run_engine(calls)
        except BaseExceptionGroup as group:
            fault = sole_fault(group)
        if fault is not None:
            raise fault

    async def _run_engine(self, calls: trio.Nursery) -> None:
        async with open_engine(self._config, **self._settings) as self._switchboard:
            self._nursery = calls
            self._started.set_result(None)
            _stop_at_exit(self)
            try:
                await self._stop.wait()
            finally:
                self._nursery = None
                for _, scope in self._performing.values():
                    scope.cancel()
                with trio.CancelScope(shield=True):
                    await self._see_calls_end()

    def _begin_to_stop(self) -> None:
        """In any thread, at any time."""
        self._given_up = True
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._stop.set)
            except trio.RunFinishedError:
                pass  # it has ended by itself; whoever waits for it is told why

    def _spawn(
        self, future: Future[Any], function: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]
    ) -> None:
        if self._nursery is None:
            _fail(future, EngineStopped("the engine has stopped"))
        else:
            scope = trio.CancelScope()
            self._performing[future] = (_name_of(function), scope)
            future.add_done_callback(partial(self._cancel, scope))
            self._nursery.start_soon(
                self._perform, future, scope, partial(function, self._switchboard, *arguments)
            )

    async def _perform(
        self, future: Future[Any], scope: trio.CancelScope, function: Callable[[], Awaitable[Any]]
    ) -> None:
        try:
            with scope:
                made = function()
                if not inspect.isawaitable(made):
                    raise TypeError(
                        f"run_soon takes a function that is `async def`; {self._performing[future][0]} gave "
                        f"{type(made).__name__}: give it to look"
                    )
                _succeed(future, await made)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and reaches the caller
            cancelled, fault = _apart(error)
            _fail(future, fault or EngineStopped("the engine has stopped"))
            if cancelled is not None:
                raise cancelled from None
        else:
            if scope.cancelled_caught:
                _fail(future, EngineStopped("the engine has stopped"))
        finally:
            del self._performing[future]
            if not self._performing:
                self._none_performs.set()

    async def _see_calls_end(self) -> None:
        if self._performing:
            self._none_performs = trio.Event()
            with trio.move_on_after(STOP_CALLS_S):
                await self._none_performs.wait()
        if self._performing:
            structlog.stdlib.get_logger("centralita").warning(
                "calls_do_not_end", functions=sorted(name for name, _ in self._performing.values())
            )

    def _cancel(self, scope: trio.CancelScope, future: Future[Any]) -> None:
        """Called in whichever thread the future is done."""
        if future.cancelled() and self._token is not None:
            try:
                self._token.run_sync_soon(scope.cancel)
            except trio.RunFinishedError:
                pass  # it has ended already


def _fail(future: Future[Any], error: BaseException) -> None:
    try:
        future.set_exception(error)
    except InvalidStateError:
        pass  # cancelled or settled: nobody wants it any more


def _succeed(future: Future[Any], result: object) -> None:
    try:
        future.set_result(result)
    except InvalidStateError:
        pass  # cancelled in this moment: nobody wants it any more


def _apart(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """(The cancellation in what a function raised, what else it raised)."""
    if isinstance(error, trio.Cancelled):
        return error, None
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)
    return None, error


def _check_may_wait(timeout_s: object) -> None:
    """Raise for a wait that can't be: its own thread would have to go on meanwhile, or it has no such end."""
    if timeout_s is not None:
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
            raise TypeError(f"timeout_s was {timeout_s!r}; must be a number of seconds, or None")
        if not 0 <= timeout_s < math.inf:
            raise ValueError(f"timeout_s was {timeout_s!r}; must be 0 or more seconds, or None")
    if trio.lowlevel.in_trio_run():
        raise RuntimeError(
            "this would hold up the trio loop of this thread; inside the engine's own await switchboard.submit(…), "
            "in another give it to trio.to_thread.run_sync"
        )
    if _in_task():
        raise RuntimeError(
            "this would hold up the event loop of this thread: await asyncio.wrap_future(engine.submit_soon(…)), "
            "or give it to asyncio.to_thread"
        )


def _in_task() -> bool:
    """Whether this is a task of asyncio's. That a loop runs in the thread is not enough: a library for programs
    without one (Playwright's, of greenlets) has it stand still just while the program is at work."""
    # Who has not imported it runs no loop of its; and we need not pay for it.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        return asyncio.current_task() is not None
    except RuntimeError:  # no loop runs
        return False


def _wait(future: Future[Result], timeout_s: float | None) -> Result:
    try:
        return future.result(timeout_s)
    except TimeoutError:
        if future.done():
            raise  # the function's own
        raise TimeoutError(f"no answer after {timeout_s} s; what was asked may still be done") from None


def _name_of(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


# A program that ends without `stop` would wait for the engine's thread for ever, so its end is the engine's.

_running: Final[set[EngineThread]] = set()
_watch: Final = threading.Lock()
_watching: list[threading.Thread] = []


def _stop_at_exit(engine: EngineThread) -> None:
    _running.add(engine)
    with _watch:
        if not _watching:
            # One for all: it waits as long as the program lives.
            _watching.append(threading.Thread(target=_stop_all_at_exit, name="centralita-exit", daemon=True))
            _watching[0].start()


def _stop_all_at_exit() -> None:
    threading.main_thread().join()
    for engine in tuple(_running):
        structlog.stdlib.get_logger("centralita").warning(
            "engine_not_stopped", stopping="the program has ended"
        )
        engine._begin_to_stop()
