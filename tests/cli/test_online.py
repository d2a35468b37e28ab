"""Commands that ask a running daemon: tables for people, JSON for programs, refusals with their code."""

import json
import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.cli.conftest import Call
from tests.cli.daemon import Daemon, run


def told(result: Any) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def waiting(ask: Call) -> list[dict[str, Any]]:
    contacts: list[dict[str, Any]] = told(ask("contacts", "--json"))
    return contacts


def test_status_of_a_healthy_daemon_ends_with_0(ask: Call, daemon: Daemon) -> None:
    result = ask("status")
    assert result.exit_code == 0
    assert daemon.url in result.stdout
    assert re.search(r"^channels\.help +webchat +up ", result.stdout, re.MULTILINE)
    assert re.search(r"^live +2, consultations included$", result.stdout, re.MULTILINE)
    assert told(ask("status", "--json"))["live"] == 2


def test_the_admin_token_is_told_to_its_own_daemon_alone(ask: Call, daemon: Daemon) -> None:
    heard: list[str | None] = []

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers["Authorization"])
            self.send_error(401)

    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        url = f"http://127.0.0.1:{stranger.server_port}"
        listening = Thread(target=stranger.serve_forever)
        listening.start()
        refused = ask("status", "--url", url)
        ask("status", "--url", url, "--token", "one of theirs")
        stranger.shutdown()
        listening.join()
    assert heard == [None, "Bearer one of theirs"]
    assert refused.exit_code == 4
    assert "give --token" in refused.stderr
    assert ask("status", "--url", daemon.url.replace("127.0.0.1", "localhost")).exit_code == 0


@pytest.mark.parametrize("url", ["ftp://here", "http://", "http://here:99999", "http://[here", "here:8470"])
def test_an_address_that_is_none_is_told(ask: Call, url: str) -> None:
    result = ask("status", "--url", url)
    assert result.exit_code == 2
    assert f"--url was {url!r}; allowed: http://HOST[:PORT]" in result.stderr


def test_queues_show_who_waits(ask: Call) -> None:
    queues = {queue["name"]: queue for queue in told(ask("queues", "--json"))}
    assert list(queues) == ["sales", "ventas", "support", "soporte", "billing"]
    assert queues["support"]["waiting"] == 2
    assert re.search(r"^support +Support +open +2 ", ask("queues").stdout, re.MULTILINE)
    assert told(ask("queues", "support", "--json"))["name"] == "support"


def test_agents_show_who_is_here(ask: Call) -> None:
    assert ask("agents").stdout == "nobody is signed in; 6 are offline (--all shows them)\n"
    assert re.search(r"^ana +Ana +offline ", ask("agents", "--all").stdout, re.MULTILINE)
    assert told(ask("agents", "ana", "--json"))["skills"]["spanish"] == 10


def test_contacts_stand_in_order_without_their_words(ask: Call) -> None:
    listed = waiting(ask)
    assert [contact["customer_name"] for contact in listed] == ["Caller 1", "Caller 2"]
    shown = ask("contacts").stdout
    assert shown.splitlines()[0].split()[:3] == ["CONTACT", "CHANNEL", "PHASE"]
    assert "flickers" not in shown + json.dumps(listed)
    assert ask("contacts", "--queue", "sales").stdout == "no live contact\n"


def test_one_contact_is_shown_with_its_words(ask: Call) -> None:
    first = waiting(ask)[0]
    shown = ask("contacts", str(first["id"])).stdout
    assert "1 customer: My lamp flickers." in shown
    assert re.search(r"^customer +Caller 1$", shown, re.MULTILINE)


def test_why_explains_a_waiting_contact_and_an_agent(ask: Call) -> None:
    second = waiting(ask)[1]
    explained = told(ask("why", str(second["id"]), "--json"))
    assert (explained["phase"], explained["capable"], explained["available"]) == ("waiting", 0, 0)
    shown = ask("why", str(second["id"])).stdout
    assert explained["words"] in shown
    # After half a minute a ring lowers what is required.
    assert re.search(
        r"^requires +support 4, english 4\nnext ring +in \d+s$"
        r"|^requires +support 2, english 4\nrings passed +1$",
        shown,
        re.MULTILINE,
    )
    assert told(ask("why", "ana", "--json"))["agent"] == "ana"
    assert ask("why", "ana").stdout.strip()


def test_components_are_all_up(ask: Call) -> None:
    assert {one["state"] for one in told(ask("components", "--json"))} == {"up"}
    assert "front_doors.http" in ask("components").stdout


def test_top_in_a_pipe_is_one_screen(ask: Call) -> None:
    shown = ask("top")
    assert shown.exit_code == 0
    assert re.search(r"^support +2 ", shown.stdout, re.MULTILINE)
    assert "nobody is signed in" in shown.stdout
    assert "\x1b" not in shown.stdout
    board = told(ask("top", "--json", "--once"))
    assert {"now_ns", "queues", "agents", "contacts", "figures", "components"} <= board.keys()


def test_what_is_unknown_is_refused_with_4(ask: Call) -> None:
    for command, words in (
        (["why", "999999"], "contact 999999"),
        (["contacts", "999999"], "contact 999999"),
        (["queues", "sails"], "sails"),
        (["agents", "zoe"], "zoe"),
        (["why", "zoe"], "zoe"),
    ):
        result = ask(*command)
        assert result.exit_code == 4, command
        assert words in result.stderr


def test_token_decides_what_may_be_asked(ask: Call, daemon: Daemon) -> None:
    made = told(ask("token", "create", "Ana", "--role", "agent", "--agent", "ana", "--json"))
    assert ask("queues", "--token", made["token"]).exit_code == 0
    assert ask("contacts", "--token", made["token"]).exit_code == 4
    assert ask("queues", "--token", "ctl_000000000000_" + "0" * 64).exit_code == 4
    nobody = ask("queues", "--token", "")
    assert nobody.exit_code == 4
    assert "give --token or $CENTRALITA_TOKEN" in nobody.stderr


def test_environment_names_daemon_token_and_configuration(daemon: Daemon, tmp_path: Path) -> None:
    done = run("queues", cwd=tmp_path, CENTRALITA_URL=daemon.url, CENTRALITA_TOKEN=daemon.token)
    assert (done.returncode, done.stderr) == (0, "")
    for other in (
        run("queues", cwd=tmp_path, CENTRALITA_CONFIG=str(daemon.config)),
        run("queues", cwd=daemon.folder),
    ):
        assert other.stdout.split()[:10] == done.stdout.split()[:10]


def test_pipe_gets_whole_words_without_colours(daemon: Daemon) -> None:
    shown = run("agents", "--all", cwd=daemon.folder, COLUMNS="40", TERM="xterm-256color").stdout
    assert "sales 8, support 6, billing 3, english 8, spanish 10\n" in shown
    assert "\x1b" not in shown
    assert "…" not in shown


def test_journal_of_a_running_daemon_can_be_read_but_not_compacted(ask: Call, tmp_path: Path) -> None:
    seq = told(ask("status", "--json"))["durable_seq"]
    info = told(ask("journal", "info", "--json"))
    assert info["last_seq"] >= seq
    assert told(ask("journal", "verify", "--json"))["problems"] == []
    lines = ask("journal", "export").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines][:seq] == list(range(1, seq + 1))
    copy = tmp_path / "copy.sqlite"
    assert ask("journal", "backup", str(copy)).exit_code == 0
    again = ask("journal", "backup", str(copy))
    assert again.exit_code == 4
    assert "a backup is never written over" in again.stderr
    refused = ask("journal", "compact")
    assert refused.exit_code == 4
    assert "is in use by process" in refused.stderr


def test_damaged_journal_is_told_with_1(ask: Call, call: Call, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    assert ask("journal", "backup", str(copy)).exit_code == 0
    content = bytearray(copy.read_bytes())
    place = content.find(b"flickers")
    content[place] ^= 0xFF
    copy.write_bytes(content)
    result = call("journal", "verify", str(copy))
    assert result.exit_code == 1
    assert re.search(r"^damaged: .*checksum", result.stdout, re.MULTILINE)
    assert call("journal", "export", str(copy)).exit_code == 1


@pytest.mark.parametrize("command", ["status", "queues", "agents", "contacts", "components"])
def test_every_answer_is_one_json_document(ask: Call, command: str) -> None:
    assert ask(command, "--json").stdout.count("\n") == 1


def test_agent_whose_name_is_all_digits_is_asked_about_as_one(ask: Call) -> None:
    assert "there is no contact 101" in ask("why", "101").stderr
    assert "there is no agent '101'" in ask("why", "101", "--agent").stderr
    assert "there is no agent '²'" in ask("why", "²").stderr


def test_control_characters_of_a_customer_do_not_reach_the_terminal(ask: Call, daemon: Daemon) -> None:
    contact = {"channel": "help", "provider_id": "sly", "customer_name": "Eve\x1b]0;mine\x9b2J"}
    number = daemon.post("/api/contacts", {**contact, "text": "red \x1b[31m\nnext"})["contact"]
    shown = ask("contacts", str(number))
    assert shown.exit_code == 0
    assert "Eve␛]0;mine\ufffd2J" in shown.stdout
    assert "red ␛[31m\nnext" in shown.stdout
    assert not {"\x1b", "\x9b"} & set(shown.stdout)
    daemon.post(f"/api/contacts/{number}/cancel", {"reason": "seen"})


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_tables_and_json_can_be_read_where_the_terminal_has_few_signs(daemon: Daemon, encoding: str) -> None:
    where = {"CENTRALITA_CONFIG": str(daemon.config), "PYTHONIOENCODING": encoding}
    named = {"channel": "help", "provider_id": encoding, "customer_name": "Łucja – 李"}
    number = str(daemon.post("/api/contacts", {**named, "text": "hi"})["contact"])
    agents = run("agents", "--all", cwd=daemon.folder, **where)
    assert (agents.returncode, agents.stderr) == (0, "")
    assert " - " in agents.stdout
    assert "?ucja - ?" in run("contacts", number, cwd=daemon.folder, **where).stdout
    told = json.loads(run("contacts", number, "--json", cwd=daemon.folder, **where).stdout)
    assert told["customer_name"] == "Łucja – 李"
    daemon.post(f"/api/contacts/{number}/cancel", {"reason": "seen"})


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("queues", "\udcff"), 4),
        (("contacts", "--queue", "\udcff"), 4),
        (("status", "--token", "€"), 2),
        (("status", "--token", "a\nb"), 2),
        (("status", "--url", "http://a..b"), 2),
        (("token", "revoke", "\udcff"), 4),
        (("token", "create", "\udcff", "--role", "admin"), 2),
        (("token", "create", "red\x1b[31m", "--role", "admin"), 2),
        (("journal", "info", "\udcff"), 1),
        (("journal", "export", "--after", "9" * 30), 2),
        (("journal", "export", "-o", "/"), 5),
        (("customer", "export", "eve", "-o", "/proc/eve.json"), 5),
    ],
)
def test_what_a_shell_may_hand_over_is_answered_in_words(
    daemon: Daemon, arguments: tuple[str, ...], code: int
) -> None:
    done = run(*arguments, cwd=daemon.folder)
    assert done.returncode == code, done.stderr
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
