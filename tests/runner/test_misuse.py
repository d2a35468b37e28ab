"""What whoever embeds the engine may get wrong: each is said at once, with what is allowed, and nothing is lost."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio

import centralita
from centralita.errors import EngineStopped, Fenced, FollowerLost, JournalError, PluginError
from centralita.journal import Batch
from centralita.messages import AdmitContact, ContactEnded, SignIn
from centralita.runner.switchboard import LiveSwitchboard

CONFIG: dict[str, Any] = {
    "queues": {"help": {}},
    "agents": {"ana": {}},
    "channels": {"app": {"type": "program", "queue": "help"}},
}


def opened(config: Any = CONFIG, **settings: Any) -> Any:
    return centralita.open_engine(
        config, **{"entry_points": False, "journal": centralita.MemoryJournal(), **settings}
    )


def admit(number: int) -> AdmitContact:
    return AdmitContact(channel="app", provider_id=f"p{number}")


# Settings.


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (5, TypeError, "config was int; must be the path of a TOML file"),
        (None, TypeError, "config was NoneType"),
        ([], TypeError, "config was list"),
        (b"centralita.toml", TypeError, "config was bytes"),
        ("nope.toml", centralita.ConfigurationError, "nope.toml: can't be read"),
        ("a\0b", centralita.ConfigurationError, "'a\\\\x00b': can't be read: embedded null byte"),
        ("\ud800.toml", centralita.ConfigurationError, "'\\\\ud800.toml': can't be read"),
        ({"queues": {5: {}}}, centralita.ConfigurationError, "queues.5: the name was 5; allowed"),
        ({"queues": {"\ud800": {}}}, centralita.ConfigurationError, "queues.'\\\\ud800': the name was"),
        (
            {"journal": {"type": "mongo"}},
            centralita.ConfigurationError,
            "^journal.type was 'mongo'; known: mem",
        ),
        (
            {"journal": {"file": "x"}},
            centralita.ConfigurationError,
            "^journal: Object contains unknown field",
        ),
    ],
)
async def test_configuration_that_is_none_is_told(config: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as told:
        async with opened(config):
            raise AssertionError("entered")
    str(told.value).encode()


class Forgetful(centralita.MemoryJournal):
    """A journal that would take nothing in: nobody awaits it."""

    async def append(self, batch: Batch, *, expected_seq: int) -> None:  # type: ignore[override]
        raise AssertionError("awaited")


class HalfJournal:
    def append(self, batch: Batch, *, expected_seq: int) -> None: ...

    def read(self, after_seq: int = 0) -> Any: ...


class Seconds:
    def now_ns(self) -> float:
        return 1_796_070_227.5


def unhooked() -> ModuleType:
    module = ModuleType("unhooked")
    module.registr_bots = lambda register: None  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"core": "fast"}, ValueError, "core was 'fast'; known: native, naive, both"),
        ({"drain_s": -1}, ValueError, "drain_s was -1; must be 0 or more"),
        ({"drain_s": math.nan}, ValueError, "drain_s was nan"),
        ({"drain_s": "5"}, TypeError, "drain_s was '5'; must be a number"),
        ({"drain_s": True}, TypeError, "drain_s was True"),
        ({"journal": "x.sqlite"}, TypeError, "journal was 'x.sqlite'; must be an open journal"),
        ({"journal": centralita.MemoryJournal}, TypeError, "journal was <class"),
        (
            {"journal": HalfJournal()},
            TypeError,
            "HalfJournal is no Journal: lacks blocking, close, last_at_ns",
        ),
        ({"journal": Forgetful()}, TypeError, "Forgetful.append is async def; must be a plain function"),
        ({"clock": 5}, TypeError, r"clock was 5; must have a method now_ns\(\)"),
        (
            {"clock": Seconds()},
            TypeError,
            r"clock.now_ns\(\) gave 1796070227.5; must be an int of nanoseconds",
        ),
        ({"plugins": "mine"}, TypeError, "plugins was 'mine'; must be a list"),
        ({"plugins": object()}, TypeError, "must be a list of modules or objects with hooks"),
        ({"plugins": ["mine"]}, TypeError, r"plugins had 'mine'; must be the module itself \(import it\)"),
        ({"plugins": [object()]}, PluginError, "plugin 'object' has no hook"),
        ({"plugins": [unhooked()]}, PluginError, "'unhooked' has no hook, so it registers nothing"),
    ],
)
async def test_setting_that_can_not_be_meant_is_told(
    settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        async with opened(**settings):
            raise AssertionError("entered")


@pytest.mark.parametrize(
    ("journal", "error", "folder"),
    [(None, JournalError, "journal"), (centralita.MemoryJournal(), PluginError, "channels/app")],
)
async def test_data_folder_that_can_not_be_made_is_told(
    tmp_path: Path, journal: Any, error: type[Exception], folder: str
) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(error, match=f"{tmp_path}/data/{folder}: can't be made: Not a directory"):
        async with opened({**CONFIG, "domain": {"data": str(tmp_path / "data")}}, journal=journal):
            raise AssertionError("entered")


def test_outside_of_trio_the_way_in_is_named() -> None:
    async def main() -> None:
        async with opened():
            raise AssertionError("entered")

    with pytest.raises(RuntimeError, match=r"open_engine runs inside trio.run.*EngineThread"):
        asyncio.run(main())
    with pytest.raises(RuntimeError, match=r"serve runs inside trio.run"):
        asyncio.run(centralita.serve(CONFIG))


def test_what_is_no_text_and_no_path_is_refused_with_what_is() -> None:
    tables: Any = {"domain": {"name": "shop"}}
    with pytest.raises(TypeError, match=r"^text was dict; must be the text of a TOML file, a str$"):
        centralita.loads(tables)
    with pytest.raises(TypeError, match=r"^path was dict; must be the path of a TOML file, a str or a Path$"):
        centralita.load(tables)
    data: Any = b"[domain]"
    with pytest.raises(TypeError, match=r"^text was bytes; "):
        centralita.loads(data)
    with pytest.raises(TypeError, match=r"^path was bytes; "):
        centralita.load(data)


def test_whole_configuration_is_loaded_from_a_path_in_words(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[queues.help]\n")
    assert "help" in centralita.load(f"{tmp_path}/c.toml").engine.queues


# Questions.


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda s: s.contact("1"), TypeError, "contact was '1'; must be an int"),
        (lambda s: s.contact(True), TypeError, "contact was True; must be an int"),
        (lambda s: s.contacts(phase="wating"), ValueError, "phase was 'wating'; known: arrived, .*waiting"),
        (lambda s: s.contacts(limit=-1), ValueError, "limit was -1; must be 0 or more"),
        (lambda s: s.contacts(limit=None), TypeError, "limit was None; must be an int"),
        (lambda s: s.contacts(agent=["ana"]), TypeError, r"agent was \['ana'\]; must be a str"),
        (lambda s: s.agent(None), TypeError, "name was None; must be a str"),
        (lambda s: s.queue(5), TypeError, "name was 5; must be a str"),
        (lambda s: s.explain_contact("1"), TypeError, "contact was '1'"),
        (lambda s: s.explain_contact(1, limit=-1), ValueError, "limit was -1"),
        (lambda s: s.explain_agent(1), TypeError, "name was 1"),
        (lambda s: s.explain_agent("ana", limit="x"), TypeError, "limit was 'x'"),
        (lambda s: s.signal("typing"), TypeError, "signal was 'typing'; must be a Signal"),
        (lambda s: s.history("eva"), TypeError, "customer was 'eva'; must be a Customer"),
        (lambda s: s.history(None, limit=-1), ValueError, "limit was -1"),
        (lambda s: s.export_customer("eva"), TypeError, "person was 'eva'; must be a Person"),
        (lambda s: s.erase_customer(None, by="me"), TypeError, "person was None"),
        (lambda s: s.control("1", by="ana", word="mute"), TypeError, "contact was '1'"),
        (lambda s: s.control(1, by="ana", word=5), TypeError, "word was 5"),
        (lambda s: s.submit(None), TypeError, "takes commands .* got NoneType"),
        (lambda s: s.submit(AdmitContact), TypeError, "got the class AdmitContact"),
        (lambda s: s.submit(ContactEnded), TypeError, "got the class ContactEnded"),
        (lambda s: s.submit_all(admit(1)), TypeError, "takes a list of commands, got AdmitContact"),
        (lambda s: s.submit_all(None), TypeError, "takes a list of commands, got NoneType"),
        (lambda s: s.submit_all(admit(n) for n in range(2)), TypeError, "got generator"),
        (lambda s: s.submit_all([admit(1), "x"]), TypeError, "got str"),
    ],
)
async def test_question_that_makes_no_sense_is_told(
    ask: Callable[[LiveSwitchboard], Any], error: type[Exception], words: str
) -> None:
    async with opened() as switchboard:
        with pytest.raises(error, match=words):
            await answer(ask, switchboard)
        # Nothing of it has been taken, and the engine goes on.
        assert switchboard.status()["admitted"] == 0
        assert (await switchboard.submit(admit(1))).contact == 1


async def answer(ask: Callable[[LiveSwitchboard], Any], switchboard: LiveSwitchboard) -> None:
    made = ask(switchboard)
    if isinstance(made, Awaitable):
        await made


@pytest.mark.parametrize("position", ["x", 1.5, True])
async def test_position_that_is_no_number_is_told(position: Any) -> None:
    async with opened() as switchboard:
        with pytest.raises(TypeError, match="after_seq was"):
            async with switchboard.follow(after_seq=position):
                raise AssertionError("followed")
        with pytest.raises(FollowerLost, match="position was 1000000"):
            async with switchboard.follow(after_seq=1_000_000) as batches:
                await anext(aiter(batches))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"provider_id": "\ud800"}, r"AdmitContact: provider_id: 'utf-8' codec can't encode"),
        ({"priority": 10**30}, r"AdmitContact: priority: can't serialize ints"),
        ({"attributes": {"a": object()}}, r"AdmitContact: attributes: Encoding objects of type object"),
        ({"attributes": {5: "a"}}, r"AdmitContact: attributes: Expected `str`, got `int`, for a key"),
        ({"priority": True}, r"AdmitContact: priority: Expected `int`, got `bool`"),
    ],
)
async def test_refusal_names_the_field(fields: dict[str, Any], words: str) -> None:
    async with opened() as switchboard:
        command = AdmitContact(**{"channel": "app", "provider_id": "1", **fields})
        refusal = (await switchboard.submit(command)).refusal
        assert refusal is not None
        assert (refusal.code, refusal.message[: len(words)]) == ("bad_value", words)


async def test_switchboard_is_for_its_own_thread() -> None:
    async with opened() as switchboard:
        told: list[str] = []

        def elsewhere() -> None:
            for use in (switchboard.queues, lambda: trio.run(switchboard.submit, admit(1))):
                try:
                    use()
                except RuntimeError as error:
                    told.append(str(error))

        await trio.to_thread.run_sync(elsewhere)
        assert len(told) == 2
        assert all("a switchboard is for the thread that its engine runs in" in one for one in told)
        # As the message says:
        outcome = await trio.to_thread.run_sync(lambda: trio.from_thread.run(switchboard.submit, admit(2)))
        assert outcome.contact == 1


# What comes out of the block.


async def test_what_the_program_raises_comes_out_as_it_was() -> None:
    cause, mine = ValueError("the cause"), ExceptionGroup("mine", [KeyError("a")])
    with pytest.raises(KeyError) as single:
        async with opened():
            raise KeyError("b") from cause
    assert single.value.__cause__ is cause
    with pytest.raises(ExceptionGroup) as group:
        async with opened():
            raise mine
    assert group.value is mine


async def test_two_engines_on_one_journal_are_told_apart_by_the_fence() -> None:
    journal = centralita.MemoryJournal()

    async def both() -> None:
        async with opened(journal=journal) as first, opened(journal=journal) as second:
            await second.submit(admit(1))
            await first.submit(admit(2))

    with pytest.raises(Fenced, match="was to follow"):
        await both()


class Full(centralita.MemoryJournal):
    """Takes some records, then none."""

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        if batch.last_seq > 3:
            raise JournalError("the disk is full")
        super().append(batch, expected_seq=expected_seq)


async def test_what_ends_the_engine_comes_out_whatever_the_program_waits_for() -> None:
    told: list[BaseException] = []

    async def submit(switchboard: LiveSwitchboard) -> None:
        try:
            for number in range(10):
                await switchboard.submit(admit(number))
        except EngineStopped as error:
            told.append(error)
            raise

    async def live() -> None:
        async with opened(journal=Full()) as switchboard, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(submit, switchboard)

    with pytest.raises(JournalError, match="the disk is full"):
        await live()
    assert told


async def test_cancelled_at_any_moment_it_ends_in_order_and_keeps_what_was_promised() -> None:
    admitted_n = set()
    for moment in range(90):
        journal = centralita.MemoryJournal()
        promised: list[int] = []

        async def live(journal: centralita.MemoryJournal, promised: list[int]) -> None:
            async with opened(journal=journal) as switchboard:
                for number in range(5):
                    promised.append((await switchboard.submit(admit(number))).contact)
                await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(live, journal, promised)
            for _ in range(moment):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        admitted_n.add(len(promised))
        async with opened(journal=journal) as switchboard:
            assert all(switchboard.contact(contact) for contact in promised)
    assert admitted_n >= {0, 5}


async def test_nothing_can_be_handed_in_after_the_block() -> None:
    async with opened() as switchboard:
        pass
    with pytest.raises(EngineStopped, match="takes no more commands"):
        await switchboard.submit(SignIn(agent="ana"))
    # Views may still be looked at: what was true at the end.
    assert [queue.name for queue in switchboard.queues()] == ["help"]
