"""Followers read every record once, from a position of their own, whatever happens to them or to us."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from centralita import MemoryJournal, SqliteJournal
from centralita.errors import FollowerLost, JournalError
from centralita.journal import Journal
from centralita.kpi import Figures
from centralita.messages import AbandonContact, AdmitContact, Record
from centralita.runner.followers import Feed
from centralita.runner.switchboard import LiveSwitchboard
from tests.journal.samples import batch
from tests.runner.house import START_NS, House, Scripted, ScriptedSink

SINK = '[kpi_sinks.board]\ntype = "scripted"\n'


async def admit(switchboard: LiveSwitchboard, count: int, first: int = 0) -> None:
    commands = [AdmitContact(channel="shop", provider_id=f"p{first + number}") for number in range(count)]
    await switchboard.submit_all(commands)


def seqs(sink: ScriptedSink) -> list[int]:
    return [record.seq for record in sink.records]


async def test_sink_is_fed_to_the_last_record_before_the_engine_has_stopped(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house, journal = House(), MemoryJournal()
    async with house.open(tmp_path, SINK, journal=journal) as switchboard:
        await admit(switchboard, 500)
    assert seqs(house["kpi_sinks.board"]) == list(range(1, journal.last_seq + 1))


async def test_sink_that_fails_is_fed_again_from_its_own_position(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house, failures = House(), iter([True, False, True, True, False])

    async def unsteady(count: int) -> None:
        if next(failures, False):
            raise OSError(28, "No space left on device")

    house.prepare["kpi_sinks.board"] = lambda sink: sink.script.update(write=unsteady)
    async with house.open(tmp_path, SINK) as switchboard:
        sink = house["kpi_sinks.board"]
        for number in range(20):
            await admit(switchboard, 1, number)
            await trio.sleep(1)
        await trio.sleep(60)
        assert seqs(sink) == list(range(1, switchboard.status()["durable_seq"] + 1))
        assert sink.lives == 4


async def test_sink_that_is_slow_costs_nobody_anything_and_misses_nothing(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House()

    async def slow(count: int) -> None:
        await trio.sleep(30)

    house.prepare["kpi_sinks.board"] = lambda sink: sink.script.update(write=slow)
    async with house.open(tmp_path, SINK) as switchboard:
        began = trio.current_time()
        for start in range(0, 30_000, 1000):
            await admit(switchboard, 1000, start)
        assert trio.current_time() - began < 1
        await trio.sleep(3600)
        assert seqs(house["kpi_sinks.board"]) == list(range(1, switchboard.status()["durable_seq"] + 1))


async def test_sink_that_was_away_for_a_run_is_fed_from_the_journal(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    async with House().open(tmp_path, journal=journal) as switchboard:
        await admit(switchboard, 100)
    house = House()
    async with house.open(tmp_path, SINK, journal=journal, start_ns=START_NS + 10**9):
        await house["kpi_sinks.board"].wait_for("write")
    assert seqs(house["kpi_sinks.board"]) == list(range(1, journal.last_seq + 1))


@pytest.mark.parametrize("position", [999, -1, "12", None, True])
async def test_sink_with_an_impossible_position_is_down_and_says_why(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, position: Any
) -> None:
    async def answer() -> Any:
        return position

    def prepare(sink: Scripted) -> None:
        sink.script["position"] = answer

    async with House({"kpi_sinks.board": prepare}).open(tmp_path, SINK) as switchboard:
        await trio.testing.wait_all_tasks_blocked()
        (view,) = [one for one in switchboard.components() if one.kind == "kpi_sinks"]
        assert view.state == "down"
        assert view.error.startswith(f"FollowerLost: position was {position!r}")


def records_of(journal: Journal) -> list[Record]:
    return [record for batch in journal.read() for record in batch]


async def test_follower_reads_memory_and_journal_as_one(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    source = MemoryJournal()
    async with House().open(tmp_path, journal=source) as switchboard:
        for number in range(300):
            await admit(switchboard, 1, number)
    records = records_of(source)
    # The journal has all of them, memory only the newest.
    feed = Feed(MemoryJournal(), records_max=50)
    feed._journal = source
    for start in range(0, len(records), 7):
        feed.publish(records[start : start + 7])
    for after in (0, 1, 100, len(records) - 60, len(records) - 50, len(records) - 1):
        read: list[Record] = []
        while after + len(read) < len(records):
            read += await feed.after(after + len(read))
        assert read == records[after:]
    assert sum(map(len, feed._recent)) <= 57
    feed.close()
    assert await feed.after(len(records)) == ()
    with pytest.raises(FollowerLost):
        await feed.after(len(records) + 1)


async def test_follow_gives_the_past_first_and_then_what_comes(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with House().open(tmp_path) as switchboard:
        await admit(switchboard, 3)
        read: list[int] = []
        async with switchboard.follow(after_seq=1) as batches:
            async for batch in batches:
                read += [record.seq for record in batch]
                if len(read) == 3:
                    await admit(switchboard, 1, 100)
                if len(read) == 4:
                    break
        assert read == [2, 3, 4, 5]


async def test_follow_ends_with_the_engine(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    read: list[int] = []

    async def follow(switchboard: LiveSwitchboard) -> None:
        async with switchboard.follow(after_seq=0) as batches:
            async for batch in batches:
                read.extend(record.seq for record in batch)

    journal = MemoryJournal()
    async with trio.open_nursery() as nursery, House().open(tmp_path, journal=journal) as switchboard:
        nursery.start_soon(follow, switchboard)
        await admit(switchboard, 10)
    assert read == list(range(1, journal.last_seq + 1))


async def test_figures_are_those_of_the_whole_journal_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    journal = SqliteJournal(folder)
    async with House().open(tmp_path, journal=journal) as switchboard:
        await admit(switchboard, 50)
    assert (tmp_path / "data" / "figures.msgpack").exists()
    async with House().open(tmp_path, journal=journal, start_ns=START_NS + 10**12) as switchboard:
        await admit(switchboard, 7, 50)
        while switchboard.status()["figures_seq"] < switchboard.status()["durable_seq"]:
            await trio.sleep(0.01)
        now_ns = switchboard.now_ns()
        found = switchboard.figures()
        counted = Figures()
        for record in records_of(journal):
            counted.fold(record)
        assert found["total"]["admitted"] == 57
        found_then = {key: value for key, value in found.items() if key != "now_ns"}
        expected = counted.as_dict(now_ns)
        assert found_then["total"]["admitted"] == expected["total"]["admitted"]
        assert found_then["seq"] == expected["seq"]
    journal.close()


async def test_figures_file_that_is_of_no_use_is_counted_again(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    async with House().open(tmp_path, journal=journal) as switchboard:
        await admit(switchboard, 5)
    (tmp_path / "data" / "figures.msgpack").write_bytes(b"\x00torn")
    async with House().open(tmp_path, journal=journal, start_ns=START_NS + 10**12) as switchboard:
        while switchboard.status()["figures_seq"] < switchboard.status()["durable_seq"]:
            await trio.sleep(0.01)
        assert switchboard.figures()["total"]["admitted"] == 5
    journal.close()


DAY_S = 86_400
UNTIL_MIDNIGHT_S = DAY_S - START_NS // 10**9 % DAY_S


async def counted(switchboard: LiveSwitchboard) -> dict[str, Any]:
    """The figures, once they have caught up."""
    while switchboard.status()["figures_seq"] < switchboard.status()["durable_seq"]:
        await trio.sleep(0.01)
    return dict(switchboard.figures())


async def test_figures_of_today_begin_at_midnight_whether_anything_happens_or_not(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    async with House().open(tmp_path, journal=journal) as switchboard:
        await admit(switchboard, 5)
        found = await counted(switchboard)
        midnight_ns = START_NS // 10**9 // DAY_S * DAY_S * 10**9
        assert (found["today"]["since_ns"], found["today"]["total"]["offered"]) == (midnight_ns, 5)
        await trio.sleep(UNTIL_MIDNIGHT_S + 1)
        found = await counted(switchboard)
        assert found["today"]["since_ns"] == midnight_ns + DAY_S * 10**9
        waiting = found["total"]["waiting"]
        assert found["today"]["total"]["offered"] == waiting, "who waits over midnight is today's"
        await admit(switchboard, 3, 5)
        found = await counted(switchboard)
        assert found["today"]["total"]["offered"] == waiting + 3
        assert found["total"]["offered"] == 8
    # Counted again from the journal, the days are the same.
    async with House().open(
        tmp_path, journal=journal, start_ns=START_NS + (UNTIL_MIDNIGHT_S + 3600) * 10**9
    ) as switchboard:
        again = await counted(switchboard)
        assert again["today"]["since_ns"] == midnight_ns + DAY_S * 10**9
        assert again["today"]["total"]["offered"] == waiting + 3


async def test_figures_of_today_go_on_after_a_restart_and_an_older_file_begins_them_now(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    journal = SqliteJournal(folder)
    async with House().open(tmp_path, journal=journal) as switchboard:
        await admit(switchboard, 5)
        today = (await counted(switchboard))["today"]
        assert today["total"]["offered"] == 5
    async with House().open(tmp_path, journal=journal, start_ns=START_NS + 10**12) as switchboard:
        await admit(switchboard, 2, 5)
        found = (await counted(switchboard))["today"]
        assert (found["since_ns"], found["total"]["offered"]) == (today["since_ns"], 7)
        for view in switchboard.contacts():
            await switchboard.submit(AbandonContact(contact=view.id))
    kept = tmp_path / "data" / "figures.msgpack"
    memory = msgspec.msgpack.decode(kept.read_bytes())
    del memory["day"]
    kept.write_bytes(msgspec.msgpack.encode(memory))
    later_ns = START_NS + 2 * 10**12
    async with House().open(tmp_path, journal=journal, start_ns=later_ns) as switchboard:
        await admit(switchboard, 1, 7)
        found = await counted(switchboard)
        assert found["today"]["since_ns"] >= later_ns, "not midnight: what was counted since is not known"
        assert (found["today"]["total"]["offered"], found["today"]["total"]["abandoned"]) == (1, 0)
        assert found["total"]["offered"] == 8
    journal.close()


async def test_feed_says_when_the_journal_no_longer_keeps_what_is_asked_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Cut(MemoryJournal):
        last_seq = 10

        def read(self, after_seq: int = 0) -> Any:
            raise JournalError("records 1 to 5 are no longer kept")

    with pytest.raises(JournalError, match="no longer kept"):
        await Feed(Cut()).after(0)


async def test_nobody_reads_ahead_of_what_the_feed_has_been_told() -> None:
    journal = MemoryJournal()
    journal.append(batch(1, 3), expected_seq=0)
    feed = Feed(journal)
    journal.append(batch(4, 5), expected_seq=3)  # committed; the news is on its way
    assert [record.seq for record in await feed.after(1)] == [2, 3]
