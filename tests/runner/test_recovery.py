"""Stopping in order, starting again, and what is left when something ends the engine."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from centralita import MemoryJournal, SqliteJournal, open_engine, serve
from centralita.config import loads
from centralita.errors import EngineStopped, JournalError
from centralita.journal import Batch, Encoder
from centralita.messages import (
    AdmitContact,
    AnnounceWait,
    EndContact,
    PostMessage,
    QueueClosed,
    Record,
    SendOffer,
    Tick,
)
from centralita.runner.switchboard import LiveSwitchboard
from tests.runner.house import CONFIG, START_NS, House, sign_in

LATER_NS = START_NS + 10**10
LIMIT_S = 60
"""Of real time; only what would otherwise hang comes so far."""


async def admit(switchboard: LiveSwitchboard, *provider_ids: str) -> list[int]:
    outcomes = [
        await switchboard.submit(AdmitContact(channel="shop", provider_id=one)) for one in provider_ids
    ]
    return [outcome.contact for outcome in outcomes]


def as_of_now(journal: MemoryJournal) -> MemoryJournal:
    """What a process that dies in this moment leaves behind."""
    left = MemoryJournal()
    records = [record for batch in journal.read() for record in batch]
    left.append(Encoder().encode(records, after_seq=0, after_ns=0), expected_seq=0)
    return left


async def test_place_and_waiting_time_are_kept_over_a_restart(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    async with House().open(tmp_path, journal=journal) as switchboard:
        numbers = await admit(switchboard, "a", "b", "c")
        before = [view.queued_ns for view in switchboard.contacts()]
    async with House().open(tmp_path, journal=journal, start_ns=LATER_NS) as switchboard:
        assert [view.id for view in switchboard.contacts(phase="waiting")] == numbers
        assert [view.queued_ns for view in switchboard.contacts()] == before
        assert await admit(switchboard, "b", "d") == [numbers[1], numbers[2] + 1]


async def test_agents_signed_in_before_have_the_grace_to_come_back(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    async with House().open(tmp_path, journal=journal) as switchboard:
        await sign_in(switchboard, "ana", "bea")
    async with House().open(tmp_path, journal=journal, start_ns=LATER_NS) as switchboard:
        assert [agent.state for agent in switchboard.agents()] == ["lost", "lost"]
        await sign_in(switchboard, "ana")
        await trio.sleep(30)
        assert [agent.state for agent in switchboard.agents()] == ["idle", "offline"]


async def test_what_was_asked_when_the_process_died_is_asked_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    crm = '[crms.book]\ntype = "scripted"\n'
    journal, house = MemoryJournal(), House()

    async def never(*_: Any) -> None:
        await trio.sleep_forever()

    house.prepare["crms.book"] = lambda component: component.script.update(find_customer=never)
    async with house.open(tmp_path, crm, journal=journal) as switchboard:
        (contact,) = await admit(switchboard, "a")
        await house["crms.book"].wait_for("find_customer")
        died = as_of_now(journal)
    again = House()
    async with again.open(tmp_path, crm, journal=died, start_ns=START_NS + 10**8):
        assert await again["crms.book"].wait_for("find_customer") == (contact,)


async def test_conversation_goes_on_after_a_restart(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal, house = MemoryJournal(), House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    async with house.open(tmp_path, journal=journal) as switchboard:
        await sign_in(switchboard, "ana")
        (contact,) = await admit(switchboard, "a")
        await house["channels.shop"].wait_for("connect")
        await trio.testing.wait_all_tasks_blocked()
        await switchboard.submit(PostMessage(contact=contact, author="agent", author_id="ana", text="one"))
    again = House()
    async with again.open(tmp_path, journal=journal, start_ns=LATER_NS) as switchboard:
        await sign_in(switchboard, "ana")
        view = switchboard.contact(contact)
        assert view is not None
        assert view.phase == "connected"
        assert [message.text for message in view.messages] == ["one"]
        await switchboard.submit(PostMessage(contact=contact, author="agent", author_id="ana", text="two"))
        channel = again["channels.shop"]
        # Whether "one" had arrived before nobody knows: it is sent again, under its number.
        await channel.wait_for("send", 2)
        sent = [call[0] for call in channel.of("send")]
        assert [(message.number, message.text) for message in sent] == [(1, "one"), (2, "two")]


async def test_stopping_engine_admits_nobody_and_lets_the_rest_finish(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    refused: list[str] = []

    async def customer(switchboard: LiveSwitchboard, contact: int) -> None:
        await trio.sleep(5)
        outcome = await switchboard.submit(AdmitContact(channel="shop", provider_id="late"))
        refused.append(outcome.refusal.code if outcome.refusal else "")
        assert switchboard.status()["stopping"]
        await switchboard.submit(EndContact(contact=contact, by="ana"))

    async with trio.open_nursery() as nursery:
        async with house.open(tmp_path, drain_s=60.0) as switchboard:
            await sign_in(switchboard, "ana")
            (contact,) = await admit(switchboard, "a")
            await house["channels.shop"].wait_for("connect")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(customer, switchboard, contact)
        assert 5 <= trio.current_time() < 10
    assert refused == ["stopping"]
    assert len(house["channels.shop"].of("disconnect")) == 1
    with pytest.raises(EngineStopped):
        await admit(switchboard, "after the end")


async def test_draining_has_a_limit_and_the_rest_stays_for_the_next_start(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    async with House().open(tmp_path, journal=journal, drain_s=60.0) as switchboard:
        (contact,) = await admit(switchboard, "a")
    assert 60 <= trio.current_time() < 62
    async with House().open(tmp_path, journal=journal, start_ns=START_NS + 10**11) as switchboard:
        assert [view.id for view in switchboard.contacts()] == [contact]


async def test_record_that_is_durable_only_after_the_ports_have_ended_stops_in_order_too(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House()
    async with house.open(tmp_path) as switchboard:
        await sign_in(switchboard, "ana")
        (contact,) = await admit(switchboard, "a")
        inside = switchboard._open
    ask = AnnounceWait(contact=contact, channel="shop", provider_id="a", position=1, low_s=-1, high_s=-1)
    inside.channels["shop"].put(ask)
    assert inside.desks is not None
    record = Record(seq=9, at_ns=0, command=Tick(), events=[QueueClosed(queue="help", reason="")])
    inside.desks.show([record])
    inside.desks.put(SendOffer(contact=contact, agent="ana", offer=9, expires_ns=0))
    assert not house["channels.shop"].of("announce")


async def test_stop_keeps_a_snapshot_so_that_the_next_start_reads_no_record(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    async with House().open(tmp_path, journal=journal) as switchboard:
        await admit(switchboard, "a", "b")
    (snapshot,) = journal.snapshots()
    assert snapshot.seq == journal.last_seq


async def test_clock_set_back_while_down_does_not_stop_time(tmp_path: Path) -> None:
    journal = MemoryJournal()
    config = loads(CONFIG, folder=tmp_path)
    house = House()
    future_ns = 2_200_000_000_000_000_000
    async with house.open(tmp_path, journal=journal, start_ns=future_ns) as switchboard:
        await admit(switchboard, "a")
    async with open_engine(config, plugins=[House()], entry_points=False, journal=journal) as switchboard:
        first = switchboard.now_ns()
        assert first >= future_ns
        await trio.sleep(0.001)
        assert switchboard.now_ns() > first


class Failing(MemoryJournal):
    """A journal whose disk is full from some record on."""

    full_after = 10**9

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        if batch.last_seq > self.full_after:
            raise JournalError("journal.sqlite: can't be written: No space left on device")
        super().append(batch, expected_seq=expected_seq)


class FailingLater(Failing):
    blocking = True


async def test_sink_that_fails_on_its_way_out_does_not_hide_why_the_engine_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def save_at_the_end(_: Any) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError(28, "No space left on device")

    house = House({"kpi_sinks.board": lambda sink: sink.script.update(run=save_at_the_end)})
    journal = Failing()
    sink = '[kpi_sinks.board]\ntype = "scripted"\n'
    with trio.fail_after(LIMIT_S), pytest.raises(JournalError, match="can't be written"):  # noqa: PT012 - out of the block
        async with house.open(tmp_path, sink, journal=journal) as switchboard:
            journal.full_after = journal.last_seq
            with suppress(EngineStopped, JournalError):
                await admit(switchboard, "a")
            await trio.sleep_forever()
    assert "component_failed_at_its_end" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [Failing, FailingLater])
async def test_journal_that_fails_ends_the_engine_with_its_error_and_wakes_everybody(
    tmp_path: Path, kind: type[Failing]
) -> None:
    journal = kind()
    ended: list[str] = []

    async def wait(switchboard: LiveSwitchboard, provider_id: str) -> None:
        try:
            await admit(switchboard, provider_id)
        except (EngineStopped, JournalError) as error:
            ended.append(type(error).__name__)

    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            with pytest.raises(JournalError, match="No space left"):  # noqa: PT012 - out of the block
                async with House().open(tmp_path, journal=journal) as switchboard:
                    await admit(switchboard, "a")
                    journal.full_after = journal.last_seq
                    for provider_id in "bcd":
                        nursery.start_soon(wait, switchboard, provider_id)
                    await trio.sleep_forever()
    assert len(ended) == 3
    journal.full_after = 10**9
    async with House().open(tmp_path, journal=journal, start_ns=LATER_NS) as switchboard:
        assert len(switchboard.contacts()) == 1


async def test_bodys_own_error_comes_out_as_it_is(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - out of the block
        async with House().open(tmp_path, journal=journal) as switchboard:
            await admit(switchboard, "a")
            raise ZeroDivisionError
    assert [snapshot.seq for snapshot in journal.snapshots()] == [journal.last_seq]


async def test_cancelled_program_still_stops_in_order(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    with trio.move_on_after(1) as scope:
        async with House().open(tmp_path, journal=journal) as switchboard:
            await admit(switchboard, "a")
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert [snapshot.seq for snapshot in journal.snapshots()] == [journal.last_seq]


async def test_sqlite_journal_is_the_default_and_recovers(tmp_path: Path) -> None:
    config = loads(CONFIG, folder=tmp_path)
    async with open_engine(config, plugins=[House()], entry_points=False) as switchboard:
        numbers = await admit(switchboard, "a", "b")
    assert (tmp_path / "data" / "journal" / "journal.sqlite").exists()
    async with open_engine(config, plugins=[House()], entry_points=False) as switchboard:
        assert [view.id for view in switchboard.contacts()] == numbers


async def test_snapshots_are_taken_while_running(tmp_path: Path) -> None:
    config = loads(CONFIG + "[journal]\nsnapshot_every = 10\n", folder=tmp_path)
    async with open_engine(config, plugins=[House()], entry_points=False) as switchboard:
        for number in range(100):
            await admit(switchboard, f"p{number}")
        folder = tmp_path / "data" / "journal"
        with trio.fail_after(LIMIT_S):
            while len([one for one in folder.rglob("*") if "snap" in one.name]) == 0:
                await trio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_stops_in_order_on_a_signal(tmp_path: Path, number: int) -> None:
    journal = SqliteJournal(tmp_path)
    seen: list[LiveSwitchboard] = []

    async def ready(switchboard: LiveSwitchboard) -> None:
        await admit(switchboard, "a")
        seen.append(switchboard)
        os.kill(os.getpid(), number)

    with trio.fail_after(LIMIT_S):
        await serve(
            loads(CONFIG, folder=tmp_path),
            ready=ready,
            plugins=[House()],
            entry_points=False,
            journal=journal,
        )
    assert journal.last_seq == seen[0].status()["durable_seq"]
    assert [snapshot.seq for snapshot in journal.snapshots()] == [journal.last_seq]
    journal.close()


async def test_second_signal_does_not_wait_for_contacts_to_end(tmp_path: Path) -> None:
    async def ready(switchboard: LiveSwitchboard) -> None:
        await admit(switchboard, "a")
        os.kill(os.getpid(), signal.SIGTERM)
        nursery.start_soon(again, switchboard)

    async def again(switchboard: LiveSwitchboard) -> None:
        # Two signals before anybody has looked are one.
        while not switchboard.status()["stopping"]:
            await trio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            await serve(
                loads(CONFIG, folder=tmp_path),
                ready=ready,
                plugins=[House()],
                entry_points=False,
                journal=MemoryJournal(),
                drain_s=3600.0,
            )


async def test_component_that_does_not_end_holds_up_no_record(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async def stubborn(_: Any) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(600)

    journal = MemoryJournal()
    house = House({"channels.shop": lambda channel: channel.script.update(run=stubborn)})

    async def look() -> None:
        await trio.sleep(60)
        assert [snapshot.seq for snapshot in journal.snapshots()] == [journal.last_seq]

    async with trio.open_nursery() as nursery, house.open(tmp_path, journal=journal) as switchboard:
        await admit(switchboard, "a")
        nursery.start_soon(look)
    assert trio.current_time() >= 600
    assert "components_do_not_end" in capsys.readouterr().out
