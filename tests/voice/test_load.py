"""Many calls at once, and what happens to them when either side is killed meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit
import trio
from tools.asterisk_server import Asterisk

from centralita.journal import SqliteJournal, SqliteJournalConfig
from centralita.messages import ContactAdmitted, ContactConnected, ContactEnded, Event
from tests.voice.house import WITHIN_S, config, open_house
from tests.voice.load import AnsweringPhone, agents, answer_all, changed_for, check, measure, sipp

CALLS = 120
RATE = 20
NAMES = agents(12)


@pytest.fixture
def loaded(asterisk: Asterisk) -> Iterator[Asterisk]:
    """A server with telephones enough. (`asterisk` skips where there can't be one.)"""
    if shutil.which("sipp") is None and not os.environ.get("CI"):
        pytest.skip("sipp is not installed")
    with tempfile.TemporaryDirectory(prefix="ast-") as folder:
        server = Asterisk(Path(folder), agents=NAMES)
        server.start()
        yield server
        server.stop()


async def test_no_call_is_lost_stuck_or_answered_twice(loaded: Asterisk) -> None:
    check(await measure(loaded, CALLS, RATE, NAMES))


async def test_killed_server_leaves_nothing_behind_and_calls_come_again(loaded: Asterisk) -> None:
    async with open_house(loaded, also=changed_for(NAMES)) as house:
        phones = await answer_all(house, NAMES, talk_s=0.5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sipp, loaded, 60, RATE)
            await house.until(lambda: len(house.events(ContactConnected)) >= 15)
            loaded.kill()
            nursery.cancel_scope.cancel()  # callers who speak into a dead line
        await trio.to_thread.run_sync(loaded.start)
        for phone in phones:
            await phone.register()
        await house.quiet_contacts()
        before = len(house.events(ContactEnded))
        # Agents whose phones were away meanwhile come back as they would by their code.
        for name in NAMES:
            await house.back(name)
        made = await sipp(loaded, 20, RATE)
        assert made == {"good": 20, "failed": 0}
        await house.until(lambda: len(house.events(ContactEnded)) >= before + 20)
        admitted = Counter(event.contact for event in house.events(ContactAdmitted))
        ended = Counter(event.contact for event in house.events(ContactEnded))
        assert admitted == ended
        await house.quiet()


def start_daemon(folder: Path) -> subprocess.Popen[bytes]:
    command = "from centralita_cli.main import main; main()"
    log = open(folder / "log", "ab")  # noqa: SIM115  the child has it from here on
    with log:
        return subprocess.Popen(
            [sys.executable, "-c", command, "serve"],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def events(folder: Path) -> list[Event]:
    """Everything in the journal."""
    journal = SqliteJournal(folder / "data" / "journal", SqliteJournalConfig())
    try:
        return [event for batch in journal.read() for record in batch for event in record.events]
    finally:
        journal.close()


async def test_killed_daemon_loses_no_caller_and_serves_nobody_twice(
    loaded: Asterisk, tmp_path: Path
) -> None:
    raw = config(loaded, {**changed_for(NAMES), "phones": {"sign_in": "registered"}})
    (tmp_path / "centralita.toml").write_text(tomlkit.dumps(raw))
    calls = 80
    async with trio.open_nursery() as nursery:
        phones = [AnsweringPhone(nursery, name, talk_s=0.4) for name in NAMES]
        for phone in phones:
            await phone.open(loaded.sip)
            await phone.register()
        daemon = start_daemon(tmp_path)
        made: dict[str, int] = {}

        async def call() -> None:
            made.update(await sipp(loaded, calls, RATE))

        try:
            async with trio.open_nursery() as calling:
                calling.start_soon(call)
                with trio.fail_after(180):
                    for answered in (8, 30):
                        while sum(phone.answered for phone in phones) < answered:
                            await trio.sleep(0.01)
                        daemon.kill()
                        await trio.to_thread.run_sync(daemon.wait)
                        daemon = start_daemon(tmp_path)
            with trio.move_on_after(WITHIN_S):
                while await trio.to_thread.run_sync(loaded.channels):
                    await trio.sleep(0.05)
            left = loaded.channels()
            daemon.send_signal(signal.SIGTERM)
            assert await trio.to_thread.run_sync(daemon.wait) == 0
        finally:
            daemon.kill()
            daemon.wait()
        nursery.cancel_scope.cancel()
    log = (tmp_path / "log").read_text()
    assert made == {"good": calls, "failed": 0}, log[-3000:]
    assert left == []
    happened = await trio.to_thread.run_sync(events, tmp_path)
    ended = [event for event in happened if isinstance(event, ContactEnded)]
    connected = Counter(event.contact for event in happened if isinstance(event, ContactConnected))
    assert len(ended) == sum(isinstance(event, ContactAdmitted) for event in happened)
    assert len(ended) >= calls
    assert set(connected.values()) == {1}
    assert len(connected) >= calls
