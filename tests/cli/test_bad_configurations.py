"""Configurations that can't be used: each fault is told with its place and what is allowed, and nothing runs."""

from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.cli.daemon import run

GOOD = """
skills = ["sales"]

[queues.help]
skills = { sales = 1 }

[agents.ana]
skills = { sales = 5 }

[channels.web]
type = "webchat"
queue = "help"

[desks.console]
type = "websocket"

[front_doors.http]
type = "http"
port = 0
"""

BAD: list[tuple[str, tuple[str, str], str]] = [
    ("not TOML", ("[queues.help]", "[queues.help"), "centralita.toml: not TOML: Expected ']'"),
    ("unknown table", ("[queues.help]", "[queue.x]\n[queues.help]"), "queue: unknown table; known: agents, bots"),
    (
        "misspelt setting",
        ("[queues.help]", "[queues.help]\nofer_s = 20"),
        "queues.help: Object contains unknown field `ofer_s`; did you mean offer_s? known: ",
    ),
    ("wrong kind of value", ("[queues.help]", "[queues.help]\noffer_s = '20 s'"), "queues.help.offer_s: Expected `float`, got `str`"),
    ("level out of range", ("sales = 5", "sales = 11"), "agents.ana.skills.sales: Expected `int` <= 10"),
    ("unknown skill", ("{ sales = 1 }", "{ sails = 1 }"), "queues.help.skills was 'sails'; known: sales"),
    ("unknown queue", ('queue = "help"', 'queue = "helps"'), "channels.web.queue was 'helps'; known: help"),
    ("unknown type of plugin", ('"webchat"', '"wbchat"'), "channels.web.type was 'wbchat'; known: "),
    ("type left out", ('type = "webchat"\n', ""), "channels.web.type: missing; it names the plugin's type"),
    (
        "unknown setting of a plugin",
        ('type = "webchat"', 'type = "webchat"\ntitel = "Help"'),
        "channels.web: Object contains unknown field `titel`",
    ),
    (
        "overflow into itself",
        ("[queues.help]", '[queues.help]\nmax_waiting = 3\nwhen_full = { do = "queue", queue = "help" }'),
        "queues.help.when_full.queue was 'help': a queue can't overflow into itself",
    ),
    (
        "rings out of order",
        ("[queues.help]", "[queues.help]\nrings = [{ after_s = 9, raise_priority = 1 }, { after_s = 9 }]"),
        "queues.help.rings[1].after_s was 9; must be more than 9",
    ),
    (
        "hours in a zone that is none",
        ("[queues.help]", '[hours.office]\ntime_zone = "Mars/Olympus"\n[queues.help]\nhours = "office"'),
        "hours.office.time_zone was 'Mars/Olympus'",
    ),
    ("a place that is none", ("[queues.help]", '[domain]\ntime_zone = "Mars/Olympus"\n[queues.help]'), "domain.time_zone was 'Mars/Olympus'; must be an IANA name such as Europe/Madrid"),
    ("name with a blank", ("[agents.ana]", '[agents."Ana B"]'), "agents.Ana B: the name was 'Ana B'; allowed: "),
    ("two front doors", ("[desks.console]", '[front_doors.b]\ntype = "http"\n[desks.console]'), "front_doors.b, front_doors.http; at most 1"),
]  # fmt: skip

UNSAFE = (
    ("port = 0", 'port = 0\nhost = "0.0.0.0"'),
    "front_doors.http.host was '0.0.0.0', which others can reach",
)
"""Only building the front door finds this one: the checks of a plugin's own stand in its `build`."""


def write(folder: Path, change: tuple[str, str]) -> None:
    assert change[0] in GOOD
    (folder / "centralita.toml").write_text(GOOD.replace(*change, 1), encoding="utf-8")


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_daemon_names_the_fault_and_ends_with_2(
    call: Call, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    write(tmp_path, change)
    result = call("serve")
    assert result.exit_code == 2
    assert "centralita.toml can't be used:\n" in result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists()
    checked = call("check")
    assert checked.exit_code == 1
    assert checked.stdout.startswith("error ")


def test_daemon_names_what_only_a_plugin_can_find(tmp_path: Path) -> None:
    change, words = UNSAFE
    write(tmp_path, change)
    done = run("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_every_fault_of_a_file_is_told_at_once(call: Call, tmp_path: Path) -> None:
    (tmp_path / "centralita.toml").write_text(
        '[queues.a]\nofer_s = 3\n[queues.b]\noffer_s = "x"\n[agents.ana]\ncapacity = 0\n[nothing]\n',
        encoding="utf-8",
    )
    result = call("serve")
    assert result.exit_code == 2
    places = [line.split(":")[0].strip() for line in result.stderr.splitlines()[1:]]
    assert places == ["nothing", "queues.a", "queues.b.offer_s", "agents.ana.capacity"]


def test_file_that_is_a_folder_or_missing_is_wrong_usage(call: Call, tmp_path: Path) -> None:
    assert call("serve").exit_code == 2
    assert call("serve", "-c", str(tmp_path)).exit_code == 2
