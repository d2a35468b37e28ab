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

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeVar

import trio

from centralita.errors import EngineBusy, EngineStopped
from centralita.messages import AnyCommand
from centralita.protocols import Outcome
from centralita.runner.service import Config, open_engine
from centralita.runner.switchboard import LiveSwitchboard

Result = TypeVar("Result")

CALLS_MAX: Final = 10_000
"""Calls from outside that may be on their way at once; beyond that they raise EngineBusy."""


class EngineThread:
    """An engine running in a thread. Settings are those of `open_engine`.

    Entering raises what `open_engine` raises; leaving stops in order and raises what ended the engine.
    """

    def __init__(self, config: Config, **settings: Any) -> None:
        self._config = config
        self._settings = settings
        self._started: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="centralita-engine")
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._switchboard: LiveSwitchboard | None = None
        self._stop = trio.Event()
        self._calls: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> EngineThread:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread and wait until the engine runs. Raises what `open_engine` raises; then no thread is left."""
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Stop in order and wait for the end. Raises what ended the engine, if something did."""
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._stop.set)
            except trio.RunFinishedError:
                pass  # it has ended by itself; why is raised below
        self._thread.join()
        self._ended.result()

    def submit(self, command: AnyCommand, *, timeout_s: float | None = None) -> Outcome:
        """Hand a command in and wait until what became of it is durable. Not from an event loop's thread.

        Raises EngineStopped, or TimeoutError after `timeout_s`: the command may then still be applied.
        """
        return self.submit_soon(command).result(timeout_s)

    def submit_soon(self, command: AnyCommand) -> Future[Outcome]:
        """Hand a command in; the future is done when what became of it is durable. Raises as `run_soon`."""
        return self.run_soon(LiveSwitchboard.submit, command)

    def look(
        self, question: Callable[[LiveSwitchboard], Result], *, timeout_s: float | None = None
    ) -> Result:
        """Ask the switchboard something in the engine's thread: `engine.look(lambda s: s.queues())`.

        Raises what the question raises, TimeoutError after `timeout_s` (None: never), else as `run_soon`.
        """

        async def ask(switchboard: LiveSwitchboard) -> Result:
            return question(switchboard)

        return self.run_soon(ask).result(timeout_s)

    def run_soon(self, function: Callable[..., Awaitable[Result]], *arguments: Any) -> Future[Result]:
        """Run `await function(switchboard, *arguments)` in the engine's thread, beside it.

        Cancelling the future cancels the function. A function still running when the engine stops is
        cancelled, and its future fails with EngineStopped, as it does after the end. Raises EngineBusy when CALLS_MAX
        calls are on their way, EngineStopped before the start.
        """
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
        with self._lock:
            left = tuple(self._calls)
        for future in left:
            _fail(future, EngineStopped("the engine has stopped"))

    async def _main(self) -> None:
        async with open_engine(self._config, **self._settings) as self._switchboard:
            try:
                async with trio.open_nursery() as self._nursery:
                    self._token = trio.lowlevel.current_trio_token()
                    self._started.set_result(None)
                    await self._stop.wait()
                    self._nursery.cancel_scope.cancel()
            finally:
                self._nursery = None

    def _spawn(
        self, future: Future[Any], function: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]
    ) -> None:
        if self._nursery is None:
            _fail(future, EngineStopped("the engine has stopped"))
        else:
            self._nursery.start_soon(self._perform, future, function, arguments)

    async def _perform(
        self, future: Future[Any], function: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]
    ) -> None:
        with trio.CancelScope() as scope:
            future.add_done_callback(partial(self._cancel, scope))
            try:
                result = await function(self._switchboard, *arguments)
            except trio.Cancelled:
                _fail(future, EngineStopped("the engine has stopped"))
                raise
            except Exception as error:  # noqa: BLE001 - it is the caller's, and reaches the caller
                _fail(future, error)
            else:
                try:
                    future.set_result(result)
                except InvalidStateError:
                    pass  # cancelled in this moment: nobody wants it any more

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
