"""What is wrong with a plugin or its table is said at start, with its place."""

import types
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from centralita import MemoryJournal, hookimpl, open_engine
from centralita.config import loads
from centralita.errors import ConfigurationError, PluginError
from centralita.plugins import HOOKS, load_plugins, resolve_channels
from centralita.protocols import Capabilities, Context, Register
from tests.runner.house import CONFIG, House, Settings


class Loose(msgspec.Struct, frozen=True):
    """Settings that let unknown fields through."""


class Thawed(msgspec.Struct, forbid_unknown_fields=True):
    """Settings that can be changed."""


class Clashing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings with a key that the engine reads itself."""

    queue: str = ""


def build(settings: Any, context: Context) -> Any:
    return object()


async def build_later(settings: Any, context: Context) -> Any:
    return object()


def test_misspelt_hook_is_an_error_that_names_the_right_one() -> None:
    class Plugin:
        @hookimpl
        def register_chanels(self, register: Register) -> None: ...

    with pytest.raises(PluginError, match="register_chanels is not a hook; did you mean register_channels"):
        load_plugins([Plugin()], entry_points=False)


def test_misspelt_hook_without_its_mark_is_an_error_too() -> None:
    class Plugin:
        def register_chanels(self, register: Register) -> None: ...

    with pytest.raises(PluginError, match="register_chanels is not a hook"):
        load_plugins([Plugin()], entry_points=False)


def test_hook_without_its_mark_is_an_error() -> None:
    class Plugin:
        def register_channels(self, register: Register) -> None: ...

    with pytest.raises(PluginError, match=r"register_channels is not marked with @centralita\.hookimpl"):
        load_plugins([Plugin()], entry_points=False)


def test_async_hook_is_an_error() -> None:
    class Plugin:
        @hookimpl
        async def register_channels(self, register: Register) -> None: ...

    with pytest.raises(PluginError, match="register_channels is async"):
        load_plugins([Plugin()], entry_points=False)


def test_hook_with_other_parameters_is_an_error() -> None:
    class Plugin:
        @hookimpl
        def register_channels(self, registry: Register) -> None: ...

    with pytest.raises(PluginError, match="registry"):
        load_plugins([Plugin()], entry_points=False)


def test_hook_that_raises_is_named_with_its_plugin() -> None:
    class Broken:
        @hookimpl
        def register_desks(self, register: Register) -> None:
            raise LookupError("no display")

    with pytest.raises(PluginError, match="plugin 'Broken': register_desks failed: LookupError: no display"):
        load_plugins([Broken()], entry_points=False)


def test_type_registered_twice_names_both_plugins() -> None:
    first, second = types.ModuleType("first"), types.ModuleType("second")
    for plugin in (first, second):

        @hookimpl
        def register_bots(register: Register) -> None:
            register("menu", Settings, build)

        plugin.register_bots = register_bots  # type: ignore[attr-defined]
    with pytest.raises(
        PluginError,
        match="plugin 'second': register_bots: type 'menu' is already registered by plugin 'first'",
    ):
        load_plugins([first, second], entry_points=False)


def test_same_plugin_twice_is_an_error() -> None:
    house = House()
    with pytest.raises(PluginError, match="given twice"):
        load_plugins([house, house], entry_points=False)


@pytest.mark.parametrize(
    ("type_name", "config_type", "make", "words"),
    [
        ("Web Chat", Settings, build, "type name was 'Web Chat'"),
        ("chat", dict, build, "must be a msgspec Struct"),
        ("chat", Loose, build, "Loose, must be frozen=True, forbid_unknown_fields=True"),
        ("chat", Thawed, build, "Thawed, must be frozen=True"),
        ("chat", Clashing, build, "Clashing.queue is a key that the engine reads itself"),
        ("chat", Settings, build_later, "must be a plain callable"),
        ("chat", Settings, None, "build of 'chat' was None"),
    ],
)
def test_unusable_registration_says_what_is_allowed(
    type_name: str, config_type: Any, make: Any, words: str
) -> None:
    class Plugin:
        @hookimpl
        def register_channels(self, register: Register) -> None:
            register(type_name, config_type, make)

    with pytest.raises(PluginError) as raised:
        load_plugins([Plugin()], entry_points=False)
    assert words in str(raised.value)


def test_unknown_type_is_told_with_those_known() -> None:
    configuration = loads(
        CONFIG.replace('[channels.shop]\ntype = "scripted"', '[channels.shop]\ntype = "wbchat"')
    )
    with pytest.raises(ConfigurationError) as raised:
        load_plugins([House()], entry_points=False).prepare(configuration.components)
    assert raised.value.problems == ["channels.shop.type was 'wbchat'; known: program, scripted"]


def test_settings_faults_are_told_all_with_their_paths() -> None:
    configuration = loads(CONFIG + 'note = 5\n[bots.menu]\ntype = "scripted"\nnotes = "x"\n')
    with pytest.raises(ConfigurationError) as raised:
        load_plugins([House()], entry_points=False).prepare(configuration.components)
    assert raised.value.problems == [
        "desks.floor.note: Expected `str`, got `int`",
        "bots.menu: Object contains unknown field `notes`; did you mean note? known: note",
    ]


def test_every_hook_of_the_specification_is_called() -> None:
    called: list[str] = []

    def implement(name: str, parameter: str) -> Any:
        space: dict[str, Any] = {"called": called}
        exec(f"def {name}({parameter}): called.append({name!r})", space)
        return hookimpl(space[name])

    plugin = types.ModuleType("everything")
    for hook in HOOKS.values():
        setattr(plugin, hook, implement(hook, "register"))
    plugin.register_commands = implement("register_commands", "add")  # type: ignore[attr-defined]
    plugins = load_plugins([plugin], entry_points=False)
    assert sorted(called) == sorted([*HOOKS.values(), "register_commands"])
    assert plugins.names == ["built_in", "everything"]


def test_channel_says_its_medium_unless_the_file_does() -> None:
    engine = loads(CONFIG).engine
    resolved = resolve_channels(engine, {"shop": Capabilities(medium="sms", dial=True)}).channels["shop"]
    assert (resolved.medium, resolved.can_dial) == ("sms", True)
    told = loads(
        CONFIG.replace("[channels.shop]", '[channels.shop]\nmedium = "voice"\ncan_dial = false')
    ).engine
    resolved = resolve_channels(told, {"shop": Capabilities(medium="sms", dial=True)}).channels["shop"]
    assert (resolved.medium, resolved.can_dial) == ("voice", False)


def test_channel_with_an_unknown_medium_or_that_cannot_dial_is_refused() -> None:
    told = loads(CONFIG.replace("[channels.shop]", "[channels.shop]\ncan_dial = true")).engine
    with pytest.raises(ConfigurationError) as raised:
        resolve_channels(told, {"shop": Capabilities(medium="fax")})
    assert raised.value.problems[0] == "channels.shop.can_dial was true; this channel can't begin a contact"
    assert raised.value.problems[1].startswith("channels.shop.medium was 'fax'; known: callback, chat")


class Half:
    """A desk that can't withdraw and never says what changed."""

    async def run(self, inbox: Any, *, task_status: Any) -> None: ...
    async def offer(self, agent: str, contact: Any, *, offer: int, expires_ns: int) -> None: ...

    signal = 5


class Later(MemoryJournal):
    async def append(self, batch: Any, *, expected_seq: int) -> None:  # type: ignore[override]
        raise AssertionError("awaited")


class HalfPlugin:
    @hookimpl
    def register_desks(self, register: Register) -> None:
        register("half", Settings, lambda settings, context: Half())

    @hookimpl
    def register_journals(self, register: Register) -> None:
        register("later", Settings, lambda settings, context: Later())

    @hookimpl
    def register_bots(self, register: Register) -> None:
        def fail(settings: Any, context: Context) -> Any:
            raise ZeroDivisionError("no words")

        register("failing", Settings, fail)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            '[desks.odd]\ntype = "half"',
            "desks.odd (type 'half' of plugin 'HalfPlugin'): Half is no Desk: lacks signal, update, withdraw",
        ),
        (
            '[bots.odd]\ntype = "failing"',
            "bots.odd (type 'failing' of plugin 'HalfPlugin') could not be built: ZeroDivisionError: no words",
        ),
    ],
)
async def test_component_that_cannot_be_is_refused_at_start(tmp_path: Path, table: str, words: str) -> None:
    opened = open_engine(
        loads(CONFIG + table, folder=tmp_path),
        plugins=[House(), HalfPlugin()],
        entry_points=False,
        journal=MemoryJournal(),
    )
    with pytest.raises(PluginError) as raised:
        async with opened:
            await trio.lowlevel.checkpoint()
    assert str(raised.value) == words


async def test_journal_whose_append_nobody_would_await_is_refused_at_start(tmp_path: Path) -> None:
    configuration = loads(CONFIG + '[journal]\ntype = "later"', folder=tmp_path)
    with pytest.raises(PluginError) as raised:
        async with open_engine(configuration, plugins=[House(), HalfPlugin()], entry_points=False):
            await trio.lowlevel.checkpoint()
    assert str(raised.value) == (
        "journal (type 'later' of plugin 'HalfPlugin'): Later.append is async def; must be a plain function, "
        "since nobody awaits it"
    )
