"""The inbox is bounded, keeps order, wakes every sender and shares nothing with them."""

from typing import Any

import pytest
import trio
import trio.testing

from centralita.config import EngineConfig, Queue, loads
from centralita.errors import EngineStopped
from centralita.messages import (
    AdmitContact,
    AnyCommand,
    ApplyConfiguration,
    EndContact,
    Refusal,
    SignIn,
    Tick,
)
from centralita.protocols import Outcome
from centralita.runner.inbox import CommandInbox, ComponentInbox, Entry, check_command


def settle(entries: list[Entry]) -> None:
    for entry in entries:
        entry.outcomes = [Outcome(seq=1, contact=0) for _ in entry.commands]
        entry.settle()


async def test_submission_waits_for_room_and_then_goes_on(autojump_clock: trio.testing.MockClock) -> None:
    inbox = CommandInbox(commands_max=3)
    done = 0

    async def one() -> None:
        nonlocal done
        await inbox.submit(Tick())
        done += 1

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(one)
        for expected in (3, 6, 9, 10):
            await trio.testing.wait_all_tasks_blocked()
            assert inbox.depth <= 3
            settle(inbox.drain(100))
            await trio.testing.wait_all_tasks_blocked()
            assert done == expected


async def test_commands_handed_in_together_keep_their_order_and_outcomes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    inbox = CommandInbox()
    inbox.stop_admitting()
    outcomes: list[Outcome] = []

    async def send() -> None:
        commands: list[AnyCommand] = [
            Tick(),
            AdmitContact(channel="a", provider_id="b"),
            EndContact(contact=7),
        ]
        outcomes.extend(await inbox.submit_all(commands))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        (entry,) = inbox.drain(10)
        assert list(entry.commands) == [Tick(), EndContact(contact=7)]
        settle([entry])
    assert [outcome.refusal.code if outcome.refusal else "" for outcome in outcomes] == ["", "stopping", ""]


def test_word_that_is_none_is_refused_with_those_that_are() -> None:
    wrong: Any = "here"
    refused = check_command(SignIn(agent="ana", status=wrong))
    assert isinstance(refused, Refusal)
    assert refused.message == ("SignIn: status: Invalid enum value 'here'; known: available, break, offline")
    queues = {"help": Queue(agent_order=(wrong,))}
    refused = check_command(ApplyConfiguration(config=EngineConfig(queues=queues)))
    assert isinstance(refused, Refusal)
    assert refused.message.startswith(
        "ApplyConfiguration: config.queues[...].agent_order[0]: Invalid enum value 'here'; known: longest_idle"
    )


@pytest.mark.parametrize("config", [loads("[queues.help]"), {}])
def test_configuration_that_is_no_engines_is_refused_with_what_is(config: Any) -> None:
    refused = check_command(ApplyConfiguration(config=config))
    assert isinstance(refused, Refusal)
    got = type(config).__name__
    assert refused.message == (
        f"ApplyConfiguration: config was a {got}; must be an EngineConfig (a Configuration's `engine`)"
    )


async def test_command_shares_nothing_with_its_sender(autojump_clock: trio.testing.MockClock) -> None:
    inbox = CommandInbox()
    attributes = {"order": "7"}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.submit, AdmitContact(channel="a", provider_id="b", attributes=attributes))
        await trio.testing.wait_all_tasks_blocked()
        attributes["order"] = "8"
        (entry,) = inbox.drain(1)
        assert entry.commands[0].attributes == {"order": "7"}  # type: ignore[union-attr]
        settle([entry])


async def test_sender_that_gives_up_leaves_the_command_where_it_is(
    autojump_clock: trio.testing.MockClock,
) -> None:
    inbox = CommandInbox()
    with trio.move_on_after(1):
        await inbox.submit(Tick())
    (entry,) = inbox.drain(1)
    settle([entry])


async def test_closing_wakes_everybody_who_waits(autojump_clock: trio.testing.MockClock) -> None:
    inbox = CommandInbox(commands_max=1)
    stopped = 0

    async def one() -> None:
        nonlocal stopped
        with pytest.raises(EngineStopped):
            await inbox.submit(Tick())
        stopped += 1

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked()
        inbox.close()
    assert stopped == 5


async def test_component_never_has_more_than_its_share_waiting(
    autojump_clock: trio.testing.MockClock,
) -> None:
    inbox = CommandInbox()
    component = ComponentInbox(inbox, commands_max=2)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(component.submit, Tick())
        for expected in (2, 2, 1):
            await trio.testing.wait_all_tasks_blocked()
            entries = inbox.drain(10)
            assert len(entries) == expected
            settle(entries)
