"""A bot's turns: each message of the customer is one, in order, whatever came before the bot was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from msgspec import Struct

from centralita import MemoryJournal, hookimpl
from centralita.config import Configuration, loads
from centralita.errors import ConfigurationError, PluginError
from centralita.messages import AdmitContact, PostMessage
from centralita.plugins import load_plugins
from centralita.protocols import BotTurn, Register
from centralita.runner.switchboard import LiveSwitchboard
from centralita.views import ContactView
from tests.runner.house import CONFIG, START_NS, House
from tests.runner.test_recovery import as_of_now

WITH_BOT = CONFIG.replace("[channels.shop]", '[channels.shop]\nbot = "menu"') + (
    '[bots.menu]\ntype = "scripted"\n'
)


class Talk:
    """A bot that notes what it sees, and goes on when it is let."""

    def __init__(self, *, slow: bool = False) -> None:
        self.seen: list[tuple[str | None, list[str]]] = []
        self.go_on = trio.Event()
        if not slow:
            self.go_on.set()

    async def see(self, view: ContactView, message: str | None) -> BotTurn:
        self.seen.append((message, [one.text for one in view.messages if one.author == "customer"]))
        await self.go_on.wait()
        return BotTurn(texts=(f"answer to {message}",))

    def house(self) -> House:
        def prepare(bot: Any) -> None:
            bot.turn = self.see

        return House({"bots.menu": prepare})


async def say(switchboard: LiveSwitchboard, contact: int, *texts: str) -> None:
    for text in texts:
        outcome = await switchboard.submit(PostMessage(contact=contact, author="customer", text=text))
        assert outcome.refusal is None


async def test_customer_who_writes_twice_before_the_bot_answers_gets_two_turns_in_order(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    talk = Talk(slow=True)
    async with talk.house().open(tmp_path, base=WITH_BOT) as switchboard:
        contact = (
            await switchboard.submit(AdmitContact(channel="shop", provider_id="1", text="hola"))
        ).contact
        await say(switchboard, contact, "one", "two")
        talk.go_on.set()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert talk.seen == [
            (None, ["hola"]),
            ("one", ["hola", "one"]),
            ("two", ["hola", "one", "two"]),
        ]
        view = switchboard.contact(contact)
        assert view is not None
        assert [one.text for one in view.messages if one.author == "bot"] == [
            "answer to None",
            "answer to one",
            "answer to two",
        ]
        assert view.bot_after == 1


@pytest.mark.parametrize("answered", [0, 1, 2, 3])
async def test_after_a_crash_every_turn_that_was_not_answered_is_taken(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, answered: int
) -> None:
    journal = MemoryJournal()
    before = Talk(slow=True)
    turns = 0

    async def some(view: ContactView, message: str | None) -> BotTurn:
        nonlocal turns
        turns += 1
        if turns > answered:
            await trio.sleep_forever()
        return BotTurn(texts=(f"answer to {message}",))

    before.see = some  # type: ignore[method-assign]
    async with before.house().open(tmp_path, base=WITH_BOT, journal=journal) as switchboard:
        contact = (
            await switchboard.submit(AdmitContact(channel="shop", provider_id="1", text="hola"))
        ).contact
        await say(switchboard, contact, "one", "two")
        await trio.testing.wait_all_tasks_blocked(0.01)
        left = as_of_now(journal)
    after = Talk()
    async with after.house().open(
        tmp_path, base=WITH_BOT, journal=left, start_ns=START_NS + 10**9
    ) as switchboard:
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert [message for message, _ in after.seen] == [None, "one", "two"][answered:]
        view = switchboard.contact(contact)
        assert view is not None
        assert [one.text for one in view.messages if one.author == "bot"] == [
            "answer to None",
            "answer to one",
            "answer to two",
        ]


class Judged(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    queue: str = ""

    def problems(self, configuration: Configuration) -> list[str]:
        if self.queue == "boom":
            raise RuntimeError("a slip")
        return [] if self.queue in configuration.engine.queues else [f"queue was {self.queue!r}"]


class Judging:
    @hookimpl
    def register_bots(self, register: Register) -> None:
        register("judged", Judged, lambda settings, context: object())


def test_settings_say_what_of_the_configuration_they_do_not_fit() -> None:
    plugins = load_plugins([Judging(), House()], entry_points=False)
    text = CONFIG + '[bots.menu]\ntype = "judged"\nqueue = "{}"\n'
    wrong = loads(text.format("nowhere"))
    with pytest.raises(ConfigurationError) as raised:
        plugins.prepare(wrong.components, configuration=wrong)
    assert raised.value.problems == ["bots.menu.queue was 'nowhere'"]
    right = loads(text.format("help"))
    assert len(plugins.prepare(right.components, configuration=right)) == 3
    assert len(plugins.prepare(wrong.components)) == 3
    slip = loads(text.format("boom"))
    with pytest.raises(PluginError, match=r"bots\.menu.*can't judge its settings: RuntimeError: a slip"):
        plugins.prepare(slip.components, configuration=slip)
