"""The version of the plugin API that a plugin states, and what is said before something goes."""

import importlib
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import pytest
import structlog

from centralita import MemoryJournal, compatibility, hookimpl, open_engine
from centralita.compatibility import Deprecated, PluginDeprecationWarning
from centralita.config import Configuration, loads
from centralita.errors import PluginError
from centralita.plugins import load_plugins
from centralita.protocols import Context, Register
from tests.runner.house import CONFIG, House, Settings

SETTLED = Deprecated(what="hook register_bots", gone_in=3, instead="use register_assistants")


class Plugin:
    """A plugin that brings one bot."""

    @hookimpl
    def register_bots(self, register: Register) -> None:
        register("menu", Settings, build)


class Menu:
    """A bot that does what was done before."""

    def __init__(self, old_way: bool) -> None:
        if old_way:
            compatibility.warn(Deprecated(what="Context.folder", gone_in=3, instead="use Context.data"))

    async def run(self, inbox: Any, *, task_status: Any) -> None: ...
    async def turn(self, contact: Any, message: str | None) -> Any: ...
    async def take_turn(self, contact: Any) -> Any: ...


def build(settings: Settings, context: Context) -> Menu:
    return Menu(settings.note == "old")


def stating(version: object) -> object:
    return type("Stating", (Plugin,), {"centralita_api": version})()


HOOK = "from centralita import hookimpl\n@hookimpl\ndef register_commands(add): pass\n"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """A distribution `dice` 2.1 with one plugin, as pip would leave it."""
    (folder / "dice.py").write_text(source)
    about = folder / "dice-2.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: dice\nVersion: 2.1\n")
    (about / "entry_points.txt").write_text("[centralita]\ndice = dice\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "dice", raising=False)
    importlib.invalidate_caches()


def test_plugin_built_for_a_newer_api_is_a_start_up_error_that_says_what_to_do() -> None:
    with pytest.raises(PluginError) as raised:
        load_plugins([stating(compatibility.API_VERSION + 1)], entry_points=False)
    assert str(raised.value) == (
        "plugin 'Stating' was built for plugin API 2; this engine speaks 1: "
        "install a newer centralita, or an older release of the plugin"
    )


def test_plugin_built_for_an_api_no_longer_spoken_is_a_start_up_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compatibility, "API_VERSION", 4)
    monkeypatch.setattr(compatibility, "API_OLDEST", 3)
    with pytest.raises(PluginError) as raised:
        load_plugins([stating(2)], entry_points=False)
    assert str(raised.value) == (
        "plugin 'Stating' was built for plugin API 2; this engine speaks 3 to 4: "
        "install a newer release of the plugin, or an older centralita"
    )


@pytest.mark.parametrize("version", ["1", 0, -1, 1.0, True, (1,)])
def test_version_that_is_none_is_a_start_up_error(version: object) -> None:
    with pytest.raises(PluginError, match=r"centralita_api was .*; must be a whole number"):
        load_plugins([stating(version)], entry_points=False)


def test_older_version_that_is_still_spoken_works_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "API_VERSION", 2)
    plugins = load_plugins([stating(1)], entry_points=False)
    assert plugins.types("bots").keys() == {"menu"}
    ((name, words),) = plugins.deprecations()
    assert (name, words.partition(";")[0]) == (
        "Stating",
        "plugin API 1 is deprecated and gone in plugin API 3",
    )


def test_installed_plugin_names_its_distribution_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "centralita_api = 7\n")
    with pytest.raises(
        PluginError, match=r"plugin 'dice' of distribution 'dice' 2\.1 was built for plugin API 7"
    ):
        load_plugins()


def test_installed_plugin_that_states_nothing_works_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, HOOK)
    plugins = load_plugins()
    one = plugins.loaded["dice"]
    assert (one.distribution, one.version, one.api_version) == ("dice", "2.1", None)
    assert ("dice", str(compatibility.UNSTATED)) in plugins.deprecations()


def test_installed_plugin_without_a_hook_is_a_start_up_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "def registr_bots(register): pass\n")
    with pytest.raises(
        PluginError, match=r"plugin 'dice' has no hook, so it registers nothing; .*register_bots"
    ):
        load_plugins()


def test_plugin_of_the_program_itself_need_not_state_a_version() -> None:
    assert load_plugins([Plugin()], entry_points=False).deprecations() == []


def test_deprecated_hook_is_called_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compatibility.DEPRECATED_HOOKS, "register_bots", SETTLED)
    plugins = load_plugins([stating(1)], entry_points=False)
    assert plugins.types("bots").keys() == {"menu"}
    assert plugins.deprecations() == [
        ("Stating", "hook register_bots is deprecated and gone in plugin API 3; use register_assistants")
    ]


def test_other_warnings_of_a_plugin_go_where_warnings_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import warnings\nwarnings.warn('mind the step', UserWarning)\ncentralita_api = 1\n"
    install(tmp_path, monkeypatch, source + HOOK)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_plugins()
    assert "mind the step" in [str(one.message) for one in caught]


def test_what_is_said_outside_of_loading_is_a_warning() -> None:
    with pytest.warns(PluginDeprecationWarning, match="hook register_bots is deprecated"):
        compatibility.warn(SETTLED)


async def test_operator_reads_in_the_log_what_a_start_found_deprecated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        compatibility.DEPRECATED_MEMBERS,
        ("bots", "take_turn"),
        Deprecated(what="Bot.take_turn", gone_in=3, instead="use Bot.turn"),
    )
    configuration: Configuration = loads(
        CONFIG + '[bots.first]\ntype = "menu"\nnote = "old"\n[bots.second]\ntype = "menu"\n', folder=tmp_path
    )
    with structlog.testing.capture_logs() as logs:
        async with open_engine(
            configuration, plugins=[House(), stating(1)], entry_points=False, journal=MemoryJournal()
        ):
            pass
    told = [(one["plugin"], one["words"]) for one in logs if one["event"] == "plugin_deprecated"]
    assert told == [
        ("Stating", "Context.folder is deprecated and gone in plugin API 3; use Context.data"),
        ("Stating", "Bot.take_turn is deprecated and gone in plugin API 3; use Bot.turn"),
    ]


def test_module_states_its_version_as_an_object_does() -> None:
    module = types.ModuleType("newer")
    module.centralita_api = 9  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="plugin 'newer' was built for plugin API 9"):
        load_plugins([module], entry_points=False)
