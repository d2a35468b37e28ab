"""A component that crashes, hangs, floods or returns nonsense: neighbours unaffected, restarted, visible."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from centralita.errors import PluginError
from centralita.messages import AdmitContact, MarkComponentDown, MarkComponentUp, PostMessage, Tick
from centralita.protocols import Inbox
from centralita.runner import supervise
from centralita.runner.inbox import COMPONENT_COMMANDS_MAX
from centralita.runner.switchboard import LiveSwitchboard
from tests.runner.house import House, Scripted, sign_in

OTHER = '[channels.mail]\ntype = "scripted"\n'
SINK = '[kpi_sinks.board]\ntype = "scripted"\n'


def state(switchboard: LiveSwitchboard, path: str) -> tuple[str, int, str]:
    (view,) = [one for one in switchboard.components() if f"{one.kind}.{one.name}" == path]
    return view.state, view.restarts, view.error


async def crash(_: Inbox) -> None:
    raise ValueError("hola, soy Ana y mi tarjeta es 4000")


async def give_up(_: Inbox) -> None:
    return


async def test_crashing_component_is_restarted_with_a_doubling_delay_and_told_to_the_engine(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    starts: list[float] = []

    async def start() -> None:
        starts.append(trio.current_time())

    def prepare(channel: Scripted) -> None:
        channel.script.update(start=start, run=crash)

    house = House({"channels.mail": prepare})
    async with house.open(tmp_path, OTHER) as switchboard:
        told: list[str] = []
        async with switchboard.follow() as batches:
            async for batch in batches:
                told += [
                    type(record.command).__name__
                    for record in batch
                    if isinstance(record.command, MarkComponentDown | MarkComponentUp)
                ]
                if len(told) >= 12:
                    break
        assert state(switchboard, "channels.shop")[0] == "up"
        assert state(switchboard, "channels.mail")[1] >= 6
    waits = [later - earlier for earlier, later in pairwise(starts)]
    for number, wait_s in enumerate(waits):
        expected_s = min(supervise.FIRST_DELAY_S * 2**number, supervise.LONGEST_DELAY_S)
        assert expected_s * 0.5 <= wait_s <= expected_s * 1.5, (number, waits)


async def test_crash_is_visible_with_its_place_and_without_a_customers_words(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    house = House({"channels.mail": lambda channel: channel.script.update(run=crash)})
    async with house.open(tmp_path, OTHER) as switchboard:
        await trio.testing.wait_all_tasks_blocked()
        now, _, error = state(switchboard, "channels.mail")
        assert now == "down"
        assert error.startswith("ValueError at runner/test_supervise.py:")
        assert switchboard.status()["components_down"] == ["channels.mail"]
        assert switchboard.figures()["components_down"] == ["channels.mail"]
    assert "tarjeta" not in capsys.readouterr().out


async def test_method_that_does_not_take_what_it_is_given_is_told_which(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(inbox: Inbox) -> None:
        raise AssertionError("entered")

    async def connect(contact: object, *, agent: str) -> bool:
        raise AssertionError("entered")

    def prepare(channel: Any) -> None:
        channel.connect = connect

    def prepare_other(channel: Any) -> None:
        channel.run = run

    def accepting(desk: Any) -> None:
        desk.accepts = True

    house = House({"channels.shop": prepare, "channels.mail": prepare_other, "desks.floor": accepting})
    async with house.open(tmp_path, OTHER) as switchboard:
        await sign_in(switchboard, "ana")
        await switchboard.submit(AdmitContact(channel="shop", provider_id="p1"))
        await trio.testing.wait_all_tasks_blocked()
        error = state(switchboard, "channels.mail")[2]
    assert "run() got an unexpected keyword argument 'task_status'" in error
    assert "connect() got an unexpected keyword argument 'callback_handle'" in capsys.readouterr().out


async def test_component_whose_run_returns_has_crashed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"channels.mail": lambda channel: channel.script.update(run=give_up)})
    async with house.open(tmp_path, OTHER) as switchboard:
        await trio.testing.wait_all_tasks_blocked()
        now, _, error = state(switchboard, "channels.mail")
        assert (now, error) == ("down", "Returned: run returned; it must go on until it is cancelled")


async def test_component_that_never_says_it_has_started_is_restarted(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"channels.mail": lambda channel: channel.script.update(start=trio.sleep_forever)})
    async with house.open(tmp_path, OTHER) as switchboard:
        await trio.sleep(supervise.START_S)
        await trio.testing.wait_all_tasks_blocked()
        assert state(switchboard, "channels.mail")[2] == "did not start within 30 s"
        await trio.sleep(2)
        assert house["channels.mail"].lives == 2


async def hang(*_: Any) -> None:
    await trio.sleep_forever()


async def test_component_whose_calls_hang_is_restarted_and_works_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    async with house.open(tmp_path) as switchboard:
        channel = house["channels.shop"]
        channel.script["send"] = hang
        await sign_in(switchboard, "ana")
        contact = (await channel.inbox.submit(AdmitContact(channel="shop", provider_id="p1"))).contact
        await channel.wait_for("connect")
        await trio.sleep(1)
        await switchboard.submit(PostMessage(contact=contact, author="agent", author_id="ana", text="hola"))
        with trio.fail_after(3600):
            while channel.lives < 2:
                await trio.sleep(1)
        assert len(channel.of("send")) == supervise.HANGS_MAX
        del channel.script["send"]
        await channel.wait_for("send", supervise.HANGS_MAX + 1)
        assert state(switchboard, "channels.shop")[:2] == ("up", 1)


async def test_slowness_of_a_starved_machine_is_no_components_hang(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """When the time limit itself is noticed late, restarting whoever was called makes it worse for everybody."""
    house = House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    async with house.open(tmp_path) as switchboard:
        channel = house["channels.shop"]

        async def starve(*_: Any) -> None:
            autojump_clock.jump(30)  # meanwhile nothing of ours had the processor
            await trio.sleep_forever()

        channel.script["send"] = starve
        await sign_in(switchboard, "ana")
        contact = (await channel.inbox.submit(AdmitContact(channel="shop", provider_id="p1"))).contact
        await channel.wait_for("connect")
        await trio.sleep(1)
        await switchboard.submit(PostMessage(contact=contact, author="agent", author_id="ana", text="hola"))
        await channel.wait_for("send", 3 * supervise.HANGS_MAX)
        assert state(switchboard, "channels.shop")[:2] == ("up", 0)
        del channel.script["send"]
        await channel.wait_for("send", 3 * supervise.HANGS_MAX + 1)


async def test_telephone_that_nobody_answers_is_no_hang(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    async with house.open(tmp_path) as switchboard:
        channel = house["channels.shop"]
        channel.script["connect"] = hang
        await sign_in(switchboard, "ana", "bea")
        await channel.inbox.submit(AdmitContact(channel="shop", provider_id="p1"))
        await channel.wait_for("connect", 2 * supervise.HANGS_MAX)
        assert state(switchboard, "channels.shop")[:2] == ("up", 0)


async def test_desk_that_crashes_loses_its_agents_who_come_back_by_signing_in(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    fail = trio.Event()

    async def run(_: Inbox) -> None:
        await fail.wait()
        raise OSError(32, "Broken pipe")

    house = House({"desks.floor": lambda desk: desk.script.update(run=run)})
    async with house.open(tmp_path) as switchboard:
        await sign_in(switchboard, "ana", "bea")
        fail.set()
        house["desks.floor"].script.clear()
        await trio.testing.wait_all_tasks_blocked()
        assert [agent.state for agent in switchboard.agents()] == ["lost", "lost"]
        await trio.sleep(5)
        await sign_in(switchboard, "ana")
        await trio.sleep(60)
        assert [agent.state for agent in switchboard.agents()] == ["idle", "offline"]


async def test_flooding_component_leaves_room_for_its_neighbours(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    sent = 0

    async def flood(inbox: Inbox) -> None:
        async def one() -> None:
            nonlocal sent
            await inbox.submit(AdmitContact(channel="mail", provider_id=f"m{sent}"))
            sent += 1

        async with trio.open_nursery() as nursery:
            for _ in range(3 * COMPONENT_COMMANDS_MAX):
                nursery.start_soon(one)
        await trio.sleep_forever()

    begin = trio.Event()

    async def run(inbox: Inbox) -> None:
        await begin.wait()
        await flood(inbox)

    house = House({"channels.mail": lambda channel: channel.script.update(run=run)})
    async with house.open(tmp_path, OTHER) as switchboard:
        begin.set()
        await trio.lowlevel.checkpoint()
        outcome = await house["channels.shop"].inbox.submit(AdmitContact(channel="shop", provider_id="p1"))
        assert outcome.refusal is None
        assert sent < 3 * COMPONENT_COMMANDS_MAX
        assert switchboard.status()["inbox_depth"] <= COMPONENT_COMMANDS_MAX


async def test_component_that_submits_nonsense_is_refused_or_crashes_alone(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with (house := House()).open(tmp_path) as switchboard:
        inbox = house["channels.shop"].inbox
        outcome = await inbox.submit(AdmitContact(channel="shop", provider_id=7))  # type: ignore[arg-type]
        assert outcome.refusal.code == "bad_value"
        assert outcome.refusal.message == "AdmitContact: provider_id: Expected `str`, got `int`"
        outcome = await inbox.submit(AdmitContact(channel="shop", provider_id="p", text="\ud800"))
        assert outcome.refusal.code == "bad_value"
        outcome = await inbox.submit(AdmitContact(channel="shop", provider_id="p", text="x" * 2_000_000))
        assert outcome.refusal.code == "bad_value"
        with pytest.raises(TypeError, match="an inbox takes commands"):
            await inbox.submit("AdmitContact")
        assert (await switchboard.submit(Tick())).refusal is None
        assert switchboard.status()["admitted"] == 0


async def taken(_: Inbox) -> None:
    raise OSError(98, "Address already in use")


async def take_long(_: Inbox) -> None:
    await trio.sleep(supervise.START_S - 1)


@pytest.mark.parametrize(
    ("begin", "told"),
    [(taken, "OSError: Address already in use"), (hang, "did not start within 30 s"), (take_long, "")],
)
async def test_front_door_that_cannot_start_ends_the_start(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    begin: Callable[[Inbox], Awaitable[None]],
    told: str,
) -> None:
    from centralita import hookimpl
    from centralita.protocols import Register
    from tests.runner.house import Settings

    class Door(Scripted):
        async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
            await begin(inbox)
            task_status.started()
            await trio.sleep_forever()

        def mount(self, routes: Any) -> None: ...

    class House2(House):
        @hookimpl
        def register_front_doors(self, register: Register) -> None:
            register("scripted", Settings, lambda settings, context: Door(context))

    says = (
        pytest.raises(PluginError, match=f"front_doors.http did not start: .*{told}")
        if told
        else nullcontext()
    )
    with says:
        async with House2().open(tmp_path, '[front_doors.http]\ntype = "scripted"\n') as switchboard:
            assert state(switchboard, "front_doors.http") == ("up", 0, "")
