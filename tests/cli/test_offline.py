"""Commands that need no daemon: init, check, token, journal, plugin list, completion, version, help."""

import codecs
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from centralita import __version__, compatibility
from centralita_cli.main import BUILT_IN, cli
from tests.cli.conftest import Call
from tests.cli.daemon import run

SMALL = """
[queues.help]
[agents.ana]
[channels.help]
type = "webchat"
queue = "help"
[desks.console]
type = "websocket"
[front_doors.http]
type = "http"
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "centralita.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_init_writes_a_configuration_that_passes_the_strict_check(call: Call, tmp_path: Path) -> None:
    assert call("init").exit_code == 0
    assert (
        (tmp_path / "centralita.toml").read_text(encoding="utf-8").startswith("# Centralita's configuration.")
    )
    result = call("check", "--strict")
    assert (result.exit_code, result.stdout) == (0, "centralita.toml: nothing to mend\n")


def test_init_writes_over_nothing_unless_forced(call: Call, small: Path) -> None:
    result = call("init")
    assert result.exit_code == 4
    assert "centralita.toml is there already; --force writes over it" in result.stderr
    assert small.read_text(encoding="utf-8") == SMALL
    assert call("init", "--force").exit_code == 0
    assert small.read_text(encoding="utf-8") != SMALL


def test_init_into_a_folder_that_is_not_there_is_wrong_usage(call: Call) -> None:
    result = call("init", "nowhere/centralita.toml")
    assert result.exit_code == 2
    assert "nowhere/centralita.toml: can't be written: No such file or directory" in result.stderr


def test_check_of_a_sound_file_ends_with_0(call: Call, small: Path) -> None:
    assert call("check", str(small)).exit_code == 0


def test_file_that_begins_with_a_byte_order_mark_is_read(call: Call, small: Path) -> None:
    small.write_bytes(codecs.BOM_UTF8 + small.read_bytes())
    assert call("check", str(small)).exit_code == 0


def test_check_ends_with_1_on_warnings_only_when_strict(call: Call, small: Path) -> None:
    small.write_text(SMALL.replace("[queues.help]", "[queues.help]\nwrap_up_s = 3600\nwrap_up_max_s = 3600"))
    result = call("check")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "warning queues.help.wrap_up_s: was 3600: agents are kept 1 h after every contact"
    )
    assert result.stdout.endswith("centralita.toml: 0 errors, 1 warning\n")
    assert call("check", "--strict").exit_code == 1


def test_check_ends_with_1_on_a_linters_error(call: Call, small: Path) -> None:
    small.write_text(
        'skills = ["sales"]\n' + SMALL.replace("[queues.help]", "[queues.help]\nskills = { sales = 3 }")
    )
    result = call("check")
    assert result.exit_code == 1
    assert "error queues.help.skills.sales: no agent has 'sales'" in result.stdout


def test_check_names_a_plugins_setting_and_the_calendar_too(call: Call, small: Path) -> None:
    small.write_text(
        SMALL.replace('queue = "help"', 'queue = "help"\ntitel = "Help"').replace(
            "[queues.help]", '[queues.help]\nhours = "office"'
        )
        + '[hours.office]\ntime_zone = "Europe/Atlantis"\nweek = { mon = ["09:00-18:00"] }\n'
    )
    result = call("check")
    assert result.exit_code == 1
    assert "error channels.help: Object contains unknown field `titel`" in result.stdout
    assert "error hours.office.time_zone: was 'Europe/Atlantis'" in result.stdout


def test_check_of_a_missing_file_is_wrong_usage(call: Call) -> None:
    result = call("check")
    assert result.exit_code == 2
    assert "centralita.toml: no such file; `centralita init` writes one" in result.stderr


def test_check_as_json_tells_each_problem_apart(call: Call, small: Path) -> None:
    small.write_text(SMALL.replace('type = "webchat"', 'type = "wbchat"'))
    result = call("check", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["errors"], found["warnings"]) == (1, 0)
    (problem,) = found["problems"]
    assert (problem["level"], problem["path"]) == ("error", "channels.help.type")
    assert problem["message"].startswith("was 'wbchat'; known: ")
    assert "webchat" in problem["message"]


def test_token_is_made_listed_and_revoked_without_a_daemon(call: Call, small: Path) -> None:
    made = json.loads(call("token", "create", "Ana", "--role", "agent", "--agent", "ana", "--json").stdout)
    assert made["token"].startswith(f"ctl_{made['id']}_")
    listed = call("token", "list").stdout
    assert made["id"] in listed
    assert made["token"] not in listed
    assert call("token", "revoke", made["id"]).exit_code == 0
    (one,) = json.loads(call("token", "list", "--json").stdout)
    assert one["revoked_ns"] > 0
    assert "token" not in one


def test_token_of_nobody_is_refused(call: Call, small: Path) -> None:
    result = call("token", "create", "x", "--role", "agent", "--agent", "bob")
    assert (result.exit_code, result.stderr) == (2, "Error: --agent was 'bob'; known: ana\n")
    result = call("token", "create", "x", "--role", "agent")
    assert result.exit_code == 2
    assert "--agent is missing; a token of role agent belongs to one agent, known: ana" in result.stderr
    result = call("token", "revoke", "123456789abc")
    assert result.exit_code == 4


def test_plugin_list_shows_what_each_registers(call: Call) -> None:
    plugins = {one["name"]: one for one in json.loads(call("plugin", "list", "--json").stdout)["plugins"]}
    assert plugins["webchat"]["types"] == {"channels": ["webchat"]}
    assert plugins["http"]["types"] == {"desks": ["websocket"], "front_doors": ["http"]}
    assert {one["api_version"] for one in plugins.values()} == {1}
    lines = [line.split() for line in call("plugin", "list").stdout.splitlines()]
    assert ["webchat", "channels", "webchat", "centralita-webchat", __version__, "1"] in lines
    assert ["sqlite", "journal", "built_in", "centralita", __version__, "1"] in lines


def test_plugin_that_is_deprecated_is_told_by_list_and_check(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        compatibility.DEPRECATED_HOOKS,
        "register_channels",
        compatibility.Deprecated(what="hook register_channels", gone_in=2, instead="use another"),
    )
    words = "hook register_channels is deprecated and gone in plugin API 2; use another"
    assert f"plugin webchat: {words}" in call("plugin", "list").stdout.splitlines()
    (tmp_path / "centralita.toml").write_text('default_queue = "help"\n[queues.help]\n')
    checked = call("check", "--json")
    problems = {one["path"]: one for one in json.loads(checked.stdout)["problems"]}
    assert problems["plugin webchat"] == {"level": "warning", "path": "plugin webchat", "message": words}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(call: Call, shell: str) -> None:
    result = call("completion", shell)
    assert result.exit_code == 0
    assert "_CENTRALITA_COMPLETE" in result.stdout


def test_shell_completes_commands_and_options(tmp_path: Path) -> None:
    asked = {"_CENTRALITA_COMPLETE": "bash_complete", "COMP_WORDS": "centralita stat", "COMP_CWORD": "1"}
    assert run(cwd=tmp_path, **asked).stdout == "plain,status\n"
    asked |= {"COMP_WORDS": "centralita check --st", "COMP_CWORD": "2"}
    assert run(cwd=tmp_path, **asked).stdout == "plain,--strict\n"


def test_version_names_every_distribution(call: Call) -> None:
    versions = json.loads(call("version", "--json").stdout)
    assert {"centralita", "centralita-cli", "centralita-http", "python"} <= versions.keys()


@pytest.mark.parametrize("name", BUILT_IN)
def test_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    with cli.make_context("centralita", ["--help"], resilient_parsing=True) as context:
        command = cli.get_command(context, name)
    assert command is not None
    assert (command.help or "").partition("\n\n")[0] == BUILT_IN[name]


def test_command_line_starts_without_the_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys; from centralita_cli.main import cli; cli(['version', '--json'], standalone_mode=False);"
        "print(*sorted({'trio', 'litestar', 'rich.live', 'pluggy', 'sqlite3'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stderr == "\n"


def test_plugin_adds_a_command_of_its_own(tmp_path: Path) -> None:
    third_party(
        tmp_path,
        "import click\nfrom centralita.hookspecs import hookimpl\n"
        "@click.command('greet')\ndef greet():\n    'Say hello.'\n    click.echo('hello')\n"
        "@hookimpl\ndef register_commands(add):\n    add(greet)\n",
    )
    assert run("greet", cwd=tmp_path, PYTHONPATH=str(tmp_path)).stdout == "hello\n"
    told = run("--help", cwd=tmp_path, PYTHONPATH=str(tmp_path)).stdout
    assert re.search(r"^ +greet +Say hello\.$", told, re.MULTILINE)


def test_broken_plugin_is_named_and_our_own_commands_go_on(tmp_path: Path) -> None:
    third_party(tmp_path, "raise RuntimeError('not today')\n")
    done = run("greet", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "plugin 'third_party'" in done.stderr
    assert "RuntimeError: not today" in done.stderr
    assert (
        "They can't be loaded: plugin 'third_party'"
        in run("--help", cwd=tmp_path, PYTHONPATH=str(tmp_path)).stdout
    )
    assert run("version", cwd=tmp_path, PYTHONPATH=str(tmp_path)).returncode == 0


def test_plugin_cannot_take_the_name_of_a_command_of_ours(tmp_path: Path) -> None:
    third_party(
        tmp_path,
        "import click\nfrom centralita.hookspecs import hookimpl\n"
        "@hookimpl\ndef register_commands(add):\n    add(click.Command('serve'))\n",
    )
    shown = run("--help", cwd=tmp_path, PYTHONPATH=str(tmp_path)).stdout
    assert "the command 'serve' is given twice" in " ".join(shown.split())


def third_party(folder: Path, code: str) -> None:
    """Lay out an installed distribution with a plugin, found through its entry point."""
    (folder / "third_party.py").write_text(code, encoding="utf-8")
    info = folder / "third_party-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[centralita]\nthird_party = third_party\n")


def test_without_a_daemon_a_command_says_so_and_ends_with_3(call: Call) -> None:
    for command in (["status"], ["queues"], ["why", "7"], ["top", "--once"]):
        result = call(*command, "--url", "http://127.0.0.1:9", "--token", "x")
        assert result.exit_code == 3, command
        assert "the daemon at http://127.0.0.1:9 can't be reached: nothing listens there" in result.stderr


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8470",
        "http://desk one:8470",
        "http://localhost:8470/centralita",
        "http://me:mine@localhost:8470",
        "http://localhost:8470?token=x",
        "http://localhost:8470#x",
    ],
)
def test_address_that_is_none_is_wrong_usage(call: Call, url: str) -> None:
    result = call("status", "--url", url, "--token", "x")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: --url was {url!r}; allowed: http://HOST[:PORT] or https://HOST[:PORT]\n",
    )


def test_configuration_without_a_front_door_cannot_be_asked(call: Call, small: Path) -> None:
    small.write_text(SMALL.replace('[front_doors.http]\ntype = "http"\n', ""))
    result = call("status")
    assert result.exit_code == 2
    assert "front_doors: none, so the daemon can't be asked" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("replay", "none.tsv", "--format", "anonbank"),
        ("replay", "none.log", "--format", "queue_log"),
        ("replay", "none.csv", "--format", "table", "--columns", "none.toml"),
        ("simulate", "none.toml"),
        ("staff", "none.toml"),
    ],
    ids=" ".join,
)
def test_file_that_is_not_there_is_named_once_and_why(call: Call, command: tuple[str, ...]) -> None:
    result = call(*command)
    assert result.exit_code == 2
    assert "can't be read: No such file or directory\n" in result.stderr
    assert "Errno" not in result.stderr


def test_contacts_in_a_phase_that_there_is_not_is_wrong_usage(call: Call) -> None:
    result = call("contacts", "--phase", "gone")
    assert result.exit_code == 2
    assert "'gone' is not one of 'arrived', 'identifying'" in result.stderr


def test_journal_that_is_not_there_is_a_problem(call: Call, small: Path) -> None:
    for command in ("info", "verify", "export", "compact"):
        result = call("journal", command)
        assert result.exit_code == 1, command
        assert "journal.sqlite: there is no such file" in result.stderr


LONG = "x" * 300
"""No file can have this name: asking after it fails, as it does for who may not look into a folder."""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("check", LONG), 2),
        (("serve", "-c", LONG), 2),
        (("journal", "info", LONG), 1),
        (("journal", "verify", LONG), 1),
        (("journal", "export", LONG), 5),
        (("journal", "compact", LONG), 1),
        (("journal", "backup", LONG), 5),
        (("figures", LONG), 1),
        (("replay", LONG, "--format", "journal"), 2),
        (("plugin", "new", "x", "--kind", "bot", "--directory", LONG), 5),
    ],
    ids=lambda one: " ".join(one).replace(LONG, "LONG") if isinstance(one, tuple) else str(one),
)
def test_what_is_out_of_reach_is_named_and_why(
    call: Call, small: Path, command: tuple[str, ...], code: int
) -> None:
    result = call(*command)
    assert result.exit_code == code
    assert f"Error: {LONG}" in result.stderr
    assert result.stderr.endswith(": File name too long\n")


def test_journal_of_another_type_is_wrong_usage(call: Call, small: Path) -> None:
    small.write_text(SMALL + '[journal]\ntype = "memory"\n')
    result = call("journal", "info")
    assert result.exit_code == 2
    assert "journal.type was 'memory'; these commands know: sqlite" in result.stderr


def test_columns_stand_two_blanks_apart_in_a_pipe(call: Call) -> None:
    """Cells may hold a blank: two tell a program where the next one begins."""
    lines = call("version").stdout.splitlines()
    assert len(lines) > 5
    assert {len(line.split("  ", 1)) for line in lines} == {2}


def test_every_command_explains_itself() -> None:
    runner = CliRunner()
    for name in BUILT_IN:
        result = runner.invoke(cli, [name, "--help"])
        assert result.exit_code == 0, name
        assert "Usage: " in result.stdout


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_option_takes_what_is_no_number(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for option in command.params:
        if isinstance(option.type, click.FloatRange):
            with pytest.raises(click.BadParameter, match="'nan' is not a number in the range"):
                option.type("nan")


def test_environment_of_these_tests_names_no_daemon(call: Call) -> None:
    assert not any(name.startswith("CENTRALITA_") for name in os.environ)


def test_a_mistyped_command_is_told_what_was_meant(call: Call) -> None:
    near, far = call("chek"), call("zzzzzz")
    assert (near.exit_code, far.exit_code) == (2, 2)
    assert "No such command 'chek'. Did you mean 'check'?" in near.stderr
    assert "Did you mean" not in far.stderr


def test_a_command_whose_reader_has_gone_ends_quietly_with_a_code_of_its_own() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = "from centralita_cli.main import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", command, "version"],
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_tokens_that_cannot_be_opened_are_named(call: Call, small: Path) -> None:
    folder = small.parent / "data/front_doors/http"
    folder.mkdir(parents=True)
    (folder / "tokens.sqlite3").write_text("no database, this is")
    done = call("token", "list", "-c", str(small))
    assert done.exit_code == 5
    assert "tokens.sqlite3: the tokens can't be opened: file is not a database" in done.stderr
