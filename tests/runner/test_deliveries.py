"""What a channel can't deliver is known beyond a crash, and what it delivers at once costs no record."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio
import trio.testing

from centralita import MemoryJournal
from centralita.messages import AnyEvent, DeliveryFailed, DeliveryMade, EndContact, PostMessage
from centralita.protocols import Outgoing
from centralita.runner.switchboard import LiveSwitchboard
from tests.runner.house import START_NS, House
from tests.runner.test_asks import accepting, connected
from tests.runner.test_recovery import as_of_now

LONG_S = 1800
"""Longer than anything is called recent (`state.RECENT_NS`)."""


async def refuse(*_: Any) -> None:
    raise ConnectionRefusedError


def deliveries(journal: MemoryJournal) -> list[AnyEvent]:
    events = [event for batch in journal.read() for record in batch for event in record.events]
    return [event for event in events if isinstance(event, DeliveryFailed | DeliveryMade)]


async def say(switchboard: LiveSwitchboard, contact: int, *texts: str, author: str = "agent") -> None:
    who = "ana" if author == "agent" else ""
    for text in texts:
        message = PostMessage(contact=contact, author=author, author_id=who, text=text)  # type: ignore[arg-type]
        assert (await switchboard.submit(message)).refusal is None


async def told_after_a_crash(folder: Path, journal: MemoryJournal, start_s: float = LONG_S + 60) -> list[str]:
    """What a start says to customers, on a channel that works."""
    house = House()
    left = as_of_now(journal)
    async with house.open(folder, journal=left, start_ns=START_NS + int(start_s * 10**9)):
        await trio.sleep(1)
        return [call[0].text for call in house["channels.shop"].of("send")]


def failing(folder: Path, journal: MemoryJournal, house: House) -> Any:
    house.prepare["desks.floor"] = accepting
    return house.open(folder, journal=journal)


async def test_what_is_delivered_at_once_is_not_journalled(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal, house = MemoryJournal(), House()
    async with failing(tmp_path, journal, house) as switchboard:
        contact = await connected(house, switchboard)
        await say(switchboard, contact, "one", "two")
        await house["channels.shop"].wait_for("send", 2)
        await trio.sleep(LONG_S)
        await say(switchboard, contact, "and?", author="customer")
        assert deliveries(journal) == []
        assert await told_after_a_crash(tmp_path / "again", journal) == []


async def test_words_that_could_not_be_delivered_for_long_are_said_after_a_crash(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal, house = MemoryJournal(), House()
    async with failing(tmp_path, journal, house) as switchboard:
        contact = await connected(house, switchboard)
        channel = house["channels.shop"]
        channel.script["send"] = refuse
        await say(switchboard, contact, "one", "two")
        await trio.sleep(LONG_S)
        await say(switchboard, contact, "and?", author="customer")
        assert deliveries(journal) == [DeliveryFailed(contact=contact, number=2)]
        assert await told_after_a_crash(tmp_path / "again", journal) == ["one", "two"]
        del channel.script["send"]
        await trio.sleep(60)
        assert deliveries(journal)[1:] == [
            DeliveryMade(contact=contact, number=2),
            DeliveryMade(contact=contact, number=3),
        ]
        assert await told_after_a_crash(tmp_path / "later", journal) == []


async def test_words_that_were_given_up_after_the_end_are_said_after_a_crash(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal, house = MemoryJournal(), House()
    async with failing(tmp_path, journal, house) as switchboard:
        contact = await connected(house, switchboard)
        house["channels.shop"].script["send"] = refuse
        await say(switchboard, contact, "goodbye, then")
        assert (await switchboard.submit(EndContact(contact=contact, by="ana"))).refusal is None
        await trio.sleep(LONG_S)
        assert await told_after_a_crash(tmp_path / "again", journal) == ["goodbye, then"]


async def test_words_for_a_channel_that_is_down_are_said_after_a_crash(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal, house = MemoryJournal(), House()
    fall = trio.Event()

    async def falls(inbox: Any) -> None:
        await fall.wait()
        raise ConnectionResetError

    hold: dict[str, Callable[..., Awaitable[Any]]] = {}

    async def held(message: Outgoing) -> None:
        if "send" in hold:
            await hold["send"]()

    house.prepare["channels.shop"] = lambda channel: channel.script.update(run=falls, send=held)
    async with failing(tmp_path, journal, house) as switchboard:
        contact = await connected(house, switchboard)
        channel = house["channels.shop"]
        channel.script["start"] = refuse
        hold["send"] = trio.sleep_forever
        await say(switchboard, contact, "on its way", "behind it")
        fall.set()
        with trio.fail_after(60):
            while not deliveries(journal):
                await trio.sleep(0.1)
        await say(switchboard, contact, "while it is down")
        await trio.sleep(LONG_S)
        assert deliveries(journal) == [DeliveryFailed(contact=contact, number=2)]
        said = ["on its way", "behind it", "while it is down"]
        assert await told_after_a_crash(tmp_path / "again", journal) == said


async def test_words_that_a_start_after_a_long_stop_did_not_bring_across_are_said_by_the_next(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal, house = MemoryJournal(), House()
    house.prepare["channels.shop"] = lambda channel: channel.script.update(
        send=lambda *_: trio.sleep_forever()
    )
    async with failing(tmp_path / "1", journal, house) as switchboard:
        contact = await connected(house, switchboard)
        await say(switchboard, contact, "one", "two")
        stopped = as_of_now(journal)
    second = House()
    second.prepare["channels.shop"] = house.prepare["channels.shop"]
    async with second.open(tmp_path / "2", journal=stopped, start_ns=START_NS + LONG_S * 10**9):
        await second["channels.shop"].wait_for("send", 1)
        stopped_again = as_of_now(stopped)
    assert deliveries(stopped_again) == [DeliveryFailed(contact=contact, number=2)]
    assert await told_after_a_crash(tmp_path / "3", stopped_again) == ["one", "two"]
