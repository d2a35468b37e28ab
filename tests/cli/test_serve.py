"""The daemon as an operator starts and stops it."""

import json
import os
import pty
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.daemon import CENTRALITA, STOP_S, environment, run, running


def set_up(folder: Path) -> None:
    assert run("init", cwd=folder).returncode == 0
    checked = run("check", "--strict", cwd=folder)
    assert (checked.returncode, checked.stdout) == (0, "centralita.toml: nothing to mend\n")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_init_check_serve_in_a_clean_folder_and_a_signal_ends_it_with_0(tmp_path: Path, sign: int) -> None:
    set_up(tmp_path)
    before = signal.signal(sign, signal.SIG_DFL)
    with running(tmp_path) as daemon:
        signal.signal(sign, before)  # what is ignored, as SIGHUP under nohup, would be inherited
        asked = run("status", cwd=tmp_path)
        assert asked.returncode == 0, asked.stderr
        assert daemon.stop(sign) == 0
        events = [json.loads(line)["event"] for line in daemon.log.read_text().splitlines()]
    assert events[-1] == "stopped"
    assert run("status", cwd=tmp_path).returncode == 3
    assert run("journal", "verify", cwd=tmp_path).returncode == 0
    compacted = run("journal", "compact", cwd=tmp_path)
    assert compacted.returncode == 0, compacted.stderr


def closed(folder: Path, redirections: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """One call without some of the three streams that every process is given."""
    shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", *CENTRALITA, *arguments]
    return subprocess.run(
        shell, cwd=folder, capture_output=True, text=True, timeout=STOP_S, env=environment(), check=False
    )


def test_commands_run_without_the_streams_that_they_are_given(tmp_path: Path) -> None:
    set_up(tmp_path)
    with running(tmp_path):
        # A daemon that comes as far as the journal of the other has set up its log.
        assert closed(tmp_path, "<&- 2>&-", "serve").returncode == 4
        unanswered = closed(tmp_path, "<&-", "customer", "erase", "ana@example.org")
        assert (unanswered.returncode, unanswered.stderr.splitlines()[-1]) == (
            4,
            "Error: ana@example.org was not forgotten: the question was not answered with yes "
            "(--yes doesn't ask)",
        )
        unseen = closed(tmp_path, ">&-", "top")
        assert (unseen.returncode, unseen.stderr) == (5, "Error: stdout can't be written: it is closed\n")


def test_daemon_goes_on_where_it_was(tmp_path: Path) -> None:
    set_up(tmp_path)
    with running(tmp_path) as daemon:
        admitted = daemon.post("/api/contacts", {"channel": "help", "provider_id": "p1", "text": "Hello?"})
        assert daemon.stop() == 0
    with running(tmp_path) as daemon:
        contacts = json.loads(run("contacts", "--json", cwd=tmp_path).stdout)
        status = json.loads(run("status", "--json", cwd=tmp_path).stdout)
        assert status["admitted"] == 1
        # The web chat has never heard of this page: it ends the contact as lost, or keeps it.
        assert [one["id"] for one in contacts] in ([], [admitted["contact"]])
        assert daemon.stop() == 0


def test_port_in_use_is_named_and_ends_with_5(tmp_path: Path) -> None:
    set_up(tmp_path)
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1] == (
        "Error: front_doors.http did not start: front_doors.http: can't listen on "
        f"127.0.0.1:{port}: Address already in use"
    )
    assert "Traceback" not in done.stderr


def test_data_folder_that_cannot_be_made_is_named_and_ends_with_5(tmp_path: Path) -> None:
    set_up(tmp_path)
    (tmp_path / "data").touch()
    done = run("serve", "--port", "0", cwd=tmp_path)
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1] == "Error: data/journal: can't be made: Not a directory"


def test_second_daemon_on_the_same_journal_is_refused_with_4(tmp_path: Path) -> None:
    set_up(tmp_path)
    with running(tmp_path) as daemon:
        done = run("serve", "--port", "0", cwd=tmp_path)
        assert done.returncode == 4
        assert f"is in use by process {daemon.process.pid}" in done.stderr
        assert run("status", cwd=tmp_path).returncode == 0
        assert daemon.stop() == 0


def test_damaged_journal_is_called_so_and_ends_with_5(tmp_path: Path) -> None:
    set_up(tmp_path)
    with running(tmp_path):
        pass
    journal = tmp_path / "data" / "journal" / "journal.sqlite"
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("UPDATE batches SET payload = x'00'")
        connection.commit()
    done = run("serve", "--port", "0", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (5, "")
    assert "Error: the journal is damaged: " in done.stderr
    assert done.stderr.endswith("; `centralita journal verify` says where\n")
    assert run("journal", "verify", cwd=tmp_path).returncode == 1


def test_log_is_json_unless_on_a_terminal(tmp_path: Path) -> None:
    set_up(tmp_path)
    with running(tmp_path) as daemon:
        daemon.stop()
        lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert {"event", "level", "timestamp"} <= lines[0].keys()
    shown = on_a_terminal(tmp_path, "serve", "--port", "0")
    assert "started" in shown
    assert "\x1b[" in shown
    assert '"event"' not in shown
    assert '"event": "started"' in on_a_terminal(tmp_path, "serve", "--port", "0", "--log-json")


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What a daemon writes to a terminal from its start to its orderly stop."""
    master, slave = pty.openpty()
    with subprocess.Popen([*CENTRALITA, *arguments], cwd=folder, stderr=slave, env=environment()) as process:
        os.close(slave)
        said = b""
        stopping = False
        while True:
            try:
                said += os.read(master, 65_536)
            except OSError:
                break  # what a terminal says when its last writer has gone
            if b"started" in said and not stopping:
                stopping = True
                process.terminate()
        os.close(master)
        assert process.wait(STOP_S) == 0, said
    return said.decode()
