"""The engine in a thread: futures in, outcomes out, faults to whoever waits, nobody left waiting."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from centralita import EngineStopped, EngineThread, MemoryJournal
from centralita.errors import ConfigurationError, EngineBusy, JournalError
from centralita.journal import Batch
from centralita.messages import AdmitContact
from centralita.protocols import Switchboard
from centralita.runner import thread as engine_thread

LIMIT_S = 180
"""Only what would otherwise hang comes so far."""
CONFIG = {
    "queues": {"help": {}},
    "channels": {"app": {"type": "program", "queue": "help"}},
}


def opened(journal: MemoryJournal | None = None) -> EngineThread:
    return EngineThread(CONFIG, entry_points=False, journal=journal or MemoryJournal())


def admit(number: int) -> AdmitContact:
    return AdmitContact(channel="app", provider_id=f"p{number}")


async def hang(switchboard: Switchboard) -> None:
    await trio.sleep_forever()


def test_commands_from_many_threads_are_all_decided() -> None:
    journal = MemoryJournal()
    found: list[int] = []
    with opened(journal) as engine:

        def run(start: int) -> None:
            for number in range(start, start + 50):
                found.append(engine.submit(admit(number)).contact)

        threads = [threading.Thread(target=run, args=(start,)) for start in range(0, 200, 50)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert engine.look(lambda switchboard: switchboard.status()["admitted"]) == 200
    assert len(set(found)) == 200
    assert journal.last_seq >= 201


def test_configuration_error_is_raised_where_the_engine_is_started() -> None:
    with pytest.raises(ConfigurationError, match="unknown table"):
        EngineThread({"quees": {}}, entry_points=False).start()


def test_after_the_end_a_submission_raises_and_nobody_is_left_waiting() -> None:
    engine = opened()
    with pytest.raises(EngineStopped):
        engine.submit(admit(1))
    engine.start()
    waiting = engine.run_soon(hang)
    engine.stop()
    with pytest.raises(EngineStopped):
        waiting.result(LIMIT_S)
    with pytest.raises(EngineStopped):
        engine.submit(admit(1), timeout_s=LIMIT_S)


def test_cancelled_future_cancels_what_runs_in_the_engine() -> None:
    ended = threading.Event()

    async def wait(switchboard: Switchboard) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    with opened() as engine:
        future = engine.run_soon(wait)
        engine.look(lambda switchboard: None)
        assert future.cancel()
        assert ended.wait(LIMIT_S)
        with pytest.raises(CancelledError):
            future.result(LIMIT_S)


def test_what_a_function_raises_reaches_its_caller_and_nobody_else() -> None:
    async def fail(switchboard: Switchboard) -> None:
        raise ZeroDivisionError

    with opened() as engine:
        with pytest.raises(ZeroDivisionError):
            engine.run_soon(fail).result(LIMIT_S)
        assert engine.submit(admit(1)).refusal is None


def test_what_ends_the_engine_is_raised_at_its_end() -> None:
    class Full(MemoryJournal):
        def append(self, batch: Batch, *, expected_seq: int) -> None:
            if batch.first_seq > 1:
                raise JournalError("No space left on device")
            super().append(batch, expected_seq=expected_seq)

    engine = opened(Full())
    engine.start()
    with pytest.raises((EngineStopped, JournalError)):
        engine.submit(admit(1), timeout_s=LIMIT_S)
    with pytest.raises(JournalError, match="No space left"):
        engine.stop()


def test_calls_on_their_way_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_thread, "CALLS_MAX", 3)
    with opened() as engine:
        waiting = [engine.run_soon(hang) for _ in range(3)]
        with pytest.raises(EngineBusy):
            engine.submit(admit(1))
        waiting[0].cancel()
        deadline_s = time.monotonic() + LIMIT_S
        while len(engine._calls) == 3 and time.monotonic() < deadline_s:
            threading.Event().wait(0.01)
        assert engine.submit(admit(1)).contact == 1


def test_asyncio_awaits_outcomes_and_cancels(tmp_path: Path) -> None:
    async def main() -> None:
        engine = opened()
        await asyncio.to_thread(engine.start)
        try:
            outcomes = await asyncio.gather(
                *(asyncio.wrap_future(engine.submit_soon(admit(number))) for number in range(100))
            )
            assert len({outcome.contact for outcome in outcomes}) == 100
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(engine.run_soon(hang)), 0.05)
        finally:
            await asyncio.to_thread(engine.stop)

    asyncio.run(main())


def test_engine_thread_starts_once_and_stops_as_often_as_one_likes() -> None:
    engine = opened()
    engine.stop()  # nothing has been started
    engine.start()
    with pytest.raises(RuntimeError, match="starts once"):
        engine.start()
    engine.stop()
    engine.stop()
    with pytest.raises(RuntimeError, match="starts once"):
        engine.start()
    with pytest.raises(TypeError, match=r"no setting 'jornal'; known: plugins, .*journal"):
        EngineThread(CONFIG, jornal=MemoryJournal())  # type: ignore[call-arg]


def test_wait_that_would_hold_up_a_loop_is_refused() -> None:
    with opened() as engine:
        with pytest.raises(RuntimeError, match=r"hold up the trio loop .* await switchboard.submit"):
            engine.look(lambda switchboard: engine.submit(admit(1)))
        with pytest.raises(RuntimeError, match=r"engine's own thread can't wait for its end"):
            engine.look(lambda switchboard: engine.stop())

        async def main() -> None:
            engine.submit(admit(1))

        with pytest.raises(RuntimeError, match=r"asyncio.wrap_future\(engine.submit_soon"):
            asyncio.run(main())
        assert engine.submit(admit(2)).contact == 1


def test_program_may_wait_while_its_librarys_loop_stands_still() -> None:
    """As with Playwright's blocking interface: its loop waits in a callback while the program is at work."""
    contacts: list[int] = []

    def work() -> None:
        contacts.append(engine.submit(admit(1)).contact)
        loop.stop()

    loop = asyncio.new_event_loop()
    with opened() as engine:
        loop.call_soon(work)
        loop.run_forever()
    loop.close()
    assert contacts == [1]


def test_function_of_the_wrong_kind_is_told() -> None:
    async def awaits(switchboard: Switchboard) -> int:
        return 1

    with opened() as engine:
        with pytest.raises(TypeError, match=r"look takes a plain function; .*awaits awaits something"):
            engine.look(awaits)  # type: ignore[unused-coroutine]
        with pytest.raises(TypeError, match="gave int: give it to look"):
            engine.run_soon(lambda switchboard: 5).result(LIMIT_S)  # type: ignore[arg-type,return-value]
        with pytest.raises(TypeError, match=r"run_soon takes a function .* got 5"):
            engine.run_soon(5)  # type: ignore[arg-type]
        for wrong, error in (
            ("x", TypeError),
            (True, TypeError),
            (-1, ValueError),
            (float("nan"), ValueError),
        ):
            with pytest.raises(error, match="timeout_s was"):
                engine.submit(admit(1), timeout_s=wrong)  # type: ignore[arg-type]
        with pytest.raises(TimeoutError, match="no answer after 0 s; what was asked may still be done"):
            engine.submit(admit(1), timeout_s=0)


def test_what_a_function_raises_is_the_callers_and_never_the_engines() -> None:
    async def gives_up(switchboard: Switchboard) -> None:
        raise SystemExit(3)

    async def fails_at_its_end(switchboard: Switchboard, ready: threading.Event) -> None:
        async def one() -> None:
            try:
                ready.set()
                await trio.sleep_forever()
            finally:
                raise ValueError("on the way out")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            await trio.sleep_forever()

    ready = threading.Event()
    with opened() as engine:
        with pytest.raises(SystemExit):
            engine.run_soon(gives_up).result(LIMIT_S)
        late = engine.run_soon(fails_at_its_end, ready)
        assert ready.wait(LIMIT_S)
        assert engine.submit(admit(1)).contact == 1
    with pytest.raises(ExceptionGroup) as told:
        late.result(LIMIT_S)
    assert told.group_contains(ValueError, match="on the way out")


def test_function_that_will_not_end_is_named_and_the_engine_stops_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_thread, "STOP_CALLS_S", 0.01)
    journal, over = MemoryJournal(), threading.Event()

    async def stubborn(switchboard: Switchboard, ready: threading.Event) -> None:
        with trio.CancelScope(shield=True):
            ready.set()
            await trio.to_thread.run_sync(over.wait)

    with capture_logs() as logs:
        ready = threading.Event()
        engine = opened(journal)
        engine.start()
        engine.run_soon(stubborn, ready)
        assert ready.wait(LIMIT_S)
        ending = threading.Thread(target=engine.stop)
        ending.start()
        # The engine ends in order, with its last snapshot, while the function still goes on.
        wait_until(lambda: any(one["event"] == "stopped" for one in logs))
        assert next(journal.snapshots()).seq == journal.last_seq
        over.set()
        ending.join(LIMIT_S)
    assert not ending.is_alive()
    (named,) = [one["functions"] for one in logs if one["event"] == "calls_do_not_end"]
    assert "stubborn" in named[0]


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


PROGRAM = """
import centralita
engine = centralita.EngineThread({"channels": {}}, entry_points=False, journal=centralita.MemoryJournal())
engine.start()
print("the end", flush=True)
"""

INTERRUPTED = """
import _thread, threading, time, centralita
class Slow(centralita.MemoryJournal):
    def snapshots(self):
        _thread.interrupt_main()
        time.sleep(0.2)
        return super().snapshots()
engine = centralita.EngineThread({"channels": {}}, entry_points=False, journal=Slow())
try:
    engine.start()
except KeyboardInterrupt:
    print("interrupted", [one.name for one in threading.enumerate() if one.name == "centralita-engine"])
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [(PROGRAM, ["the end", "engine_not_stopped", "stopped"]), (INTERRUPTED, ["stopped", "interrupted []"])],
)
def test_program_that_ends_or_is_interrupted_takes_its_engine_along(program: str, said: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    places = [done.stdout.index(words) for words in said]
    assert places == sorted(places)
