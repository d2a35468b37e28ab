"""A contact crosses the running engine, from a channel's inbox to an agent's desk and back."""

import sys
from pathlib import Path

import trio
import trio.testing

import centralita
from centralita.messages import AdmitContact, EndContact, PostMessage, SignIn
from tests.runner.house import House, sign_in


async def test_contact_is_offered_connected_spoken_with_and_ended(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    async with house.open(tmp_path) as switchboard:
        await sign_in(switchboard, "ana")
        channel, desk = house["channels.shop"], house["desks.floor"]
        outcome = await channel.inbox.submit(AdmitContact(channel="shop", provider_id="p1", text="hola"))
        assert outcome.refusal is None
        contact = outcome.contact
        await channel.wait_for("connect")
        await trio.testing.wait_all_tasks_blocked()
        view = switchboard.contact(contact)
        assert view is not None
        assert view.phase == "connected"
        assert view.medium == "chat"
        await switchboard.submit(PostMessage(contact=contact, author="agent", author_id="ana", text="buenas"))
        (message,) = await channel.wait_for("send")
        assert (message.text, message.provider_id) == ("buenas", "p1")
        await switchboard.submit(EndContact(contact=contact, by="ana"))
        await channel.wait_for("disconnect")
        await trio.testing.wait_all_tasks_blocked()
        ended = switchboard.contact(contact)
        assert ended is not None
        assert (ended.phase, ended.outcome) == ("ended", "served")
        assert switchboard.status()["live"] == 0
        figures = switchboard.figures()
        assert figures["total"]["admitted"] == 1
        agents = [agent.state for agent, _ in desk.of("update")]
        assert {"connected", "idle"} <= set(agents)


async def test_queue_is_seen_as_it_stands_after_every_command(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House()
    async with house.open(tmp_path) as switchboard:
        channel = house["channels.shop"]
        for number in range(1, 4):
            await channel.inbox.submit(AdmitContact(channel="shop", provider_id=f"p{number}"))
            view = switchboard.queue("help")
            assert view is not None
            assert view.waiting == number
            assert switchboard.queues() == [view]
        assert switchboard.queue("nowhere") is None


async def test_what_agents_have_in_hand_is_counted_once_for_all_queues() -> None:
    queues = [f"q{index}" for index in range(30)]
    agents = [f"a{index}" for index in range(100)]
    config = {
        "queues": {name: {} for name in queues},
        "agents": {name: {} for name in agents},
        "channels": {"app": {"type": "program", "medium": "voice", "queue": "q0"}},
    }
    async with centralita.open_engine(
        config, entry_points=False, journal=centralita.MemoryJournal()
    ) as switchboard:
        await switchboard.submit_all([SignIn(agent=name) for name in agents])
        await switchboard.submit_all([AdmitContact(channel="app", provider_id=name) for name in agents])
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        views = switchboard.queues()
        sys.setprofile(None)
        assert {view.agents_available for view in views} == {0}
        assert (views[0].offered, views[1].offered) == (100, 0)
        assert calls < len(queues) * len(agents)
