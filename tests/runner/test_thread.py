"""The engine in a thread: futures in, outcomes out, faults to whoever waits, nobody left waiting."""

import asyncio
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import trio

from centralita import EngineStopped, EngineThread, MemoryJournal
from centralita.errors import ConfigurationError, EngineBusy, JournalError
from centralita.journal import Batch
from centralita.messages import AdmitContact
from centralita.protocols import Switchboard
from centralita.runner import thread as engine_thread

LIMIT_S = 60
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
