"""Everything a run leaves behind is searched for what must not be there: tokens, secrets, and customers' words.

The daemon is the real one; people talk, things go wrong, it is killed, started again and stopped. Then each
file, each answer and each line of the log is read. A customer's words may lie in the web chat's and the CRM's own
files and nowhere else; a secret nowhere but in the one file that is made to hold it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from tests.cli.daemon import run
from tests.end_to_end.exchange import PATIENCE_S, Exchange, company
from tests.end_to_end.people import Agent, Customer, Floor, open_socket
from tests.ports import held_port

pytestmark = pytest.mark.slow

WORD: Final = "zebraquartz"
"""In everything the customers say; such a word is nowhere by chance."""
EMAIL: Final = "velvetlantern@example.org"
PHONE: Final = "+34600987123"
SAID: Final = (WORD, "velvetlantern", PHONE)
OWN_FILES: Final = re.compile(r"(crm\.sqlite3|sessions\.sqlite)(-wal|-shm)?$")
"""Where a customer's words belong."""
MORE: Final = """
[journal]
type = "sealed"
snapshot_every = 50
[channels.line]
type = "program"
queue = "first"
[kpi_sinks.metrics]
type = "prometheus"
[kpi_sinks.lines]
type = "jsonl"
content = "events"
"""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    with held_port() as port:
        (tmp_path / "centralita.toml").write_text(company(agents_n=1, port=port) + MORE, encoding="utf-8")
        made = Exchange(tmp_path, port)
        yield made
        made.end()


async def live_through(exchange: Exchange) -> dict[str, str]:
    """Two lives with everything in them; returns the secrets there were."""
    secrets: dict[str, str] = {}
    await exchange.start()
    secrets["admin"] = exchange.token
    secrets["agent"] = await exchange.token_for("agent", "agent00")
    secrets["revoked"] = await exchange.token_for("supervisor")
    customer = Customer(exchange.port, EMAIL, [f"my {WORD} is broken", f"{WORD} again #bye"], score=3)
    floor = Floor()
    agent = Agent(exchange.port, "agent00", secrets["agent"], floor)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agent.run)
            await customer.run()
            nursery.cancel_scope.cancel()
    secrets["session"] = customer._secret
    await misbehave(exchange, secrets)
    await exchange.kill()
    await exchange.start()
    await misbehave(exchange, secrets)
    return secrets


async def misbehave(exchange: Exchange, secrets: dict[str, str]) -> None:
    """Requests, frames and heads that can't be read, with words and secrets in them."""
    number = exchange.lives
    admission: dict[str, Any] = {
        "channel": "line", "provider_id": f"{PHONE}-{number}", "handle": PHONE, "customer_name": WORD,
        "subject": WORD, "text": WORD, "attributes": {WORD: WORD},
    }  # fmt: skip
    async with exchange.client() as client:
        admitted = await client.post("/api/contacts", json=admission)
        assert admitted.status_code == 201, admitted.text
        contact = admitted.json()["contact"]
        await client.post(f"/api/contacts/{contact}/messages", json={"author": "customer", "text": WORD})
        for body in ({**admission, "channel": 7}, {**admission, "skills": WORD}, {**admission, WORD: 1}):
            assert (await client.post("/api/contacts", json=body)).status_code == 400
        for path in (f"/{WORD}", f"/api/queues/{WORD}", f"/api/agents/{WORD}?token={secrets['agent']}"):
            assert (await client.get(path)).status_code == 404
        assert (await client.put("/api/configuration", content=f'password = "{WORD}"')).status_code == 400
        refused = await client.post(f"/api/contacts/{contact}/end", json={"reason": WORD})
        assert refused.status_code in {200, 409}
        revoked = secrets["revoked"].split("_")[1]
        assert (await client.delete(f"/api/tokens/{revoked}")).status_code == 204
    for token in (secrets["revoked"], f"ctl_{WORD}", secrets["session"]):
        async with exchange.client(token) as client:
            assert (await client.get("/api/status")).status_code == 401
    for path, frames in (
        (
            "/chat/shop/ws",
            [f'{{"type": "hello", "session": "{WORD}", "secret": "{secrets["session"]}"}}', WORD],
        ),
        ("/ws/desk", [f'{{"type": "auth", "token": "{secrets["revoked"]}"}}']),
    ):
        try:
            async with open_socket(exchange.port, path) as socket:
                for frame in frames:
                    await socket.send_message(frame)
                    with trio.move_on_after(1):
                        await socket.get_message()
        except* Exception:  # noqa: BLE001  # that it is sent away is not what is looked at
            pass
    stream = await trio.open_tcp_stream("127.0.0.1", exchange.port)
    async with stream:
        await stream.send_all(
            f"GET /{WORD} HTTP/1.1\r\n{WORD}\r\nAuthorization: {secrets['agent']}\r\n\r\n".encode()
        )
        with trio.move_on_after(5):
            while await stream.receive_some():
                pass


def found_in(content: bytes, words: dict[str, str]) -> list[str]:
    return [name for name, word in words.items() if word.encode() in content]


async def test_no_secret_and_no_customers_word_is_where_it_must_not_be(exchange: Exchange) -> None:
    secrets = await live_through(exchange)
    words = {word: word for word in SAID}
    told: dict[str, str] = {}
    async with exchange.client() as client:
        for path in ("/api/figures", "/api/status", "/api/components", "/api/configuration", "/api/tokens",
                     "/metrics", "/schema/openapi.json", "/api/queues", "/api/agents"):  # fmt: skip
            answer = await client.get(path)
            assert answer.status_code == 200, path
            told[path] = answer.text
    commands = (
        ("status", "--json"), ("components",), ("agents", "--json"), ("token", "list", "--json"), ("journal", "info"),
    )  # fmt: skip
    for command in commands:
        said = await trio.to_thread.run_sync(lambda: run(*command, cwd=exchange.folder))  # noqa: B023
        told[" ".join(command)] = said.stdout + said.stderr
    listed = await trio.to_thread.run_sync(lambda: run("contacts", "--json", cwd=exchange.folder))
    assert found_in(listed.stdout.encode(), secrets) == []
    assert await exchange.stop() == 0
    for place, text in told.items():
        assert found_in(text.encode(), words | secrets) == [], place

    leaked: dict[str, list[str]] = {}
    for file in sorted(exchange.folder.rglob("*")):
        if not file.is_file():
            continue
        content = file.read_bytes()
        allowed = {"admin"} if file.name == "cli.token" else set()
        if OWN_FILES.search(file.name):
            allowed |= set(words)
        if here := set(found_in(content, words | secrets)) - allowed:
            leaked[str(file.relative_to(exchange.folder))] = sorted(here)
    assert leaked == {}
    logs = "".join(one.read_text() for one in exchange.folder.glob("log-*.jsonl"))
    assert "started" in logs, "the log was looked at, and says something"
    (own,) = exchange.folder.rglob("crm.sqlite3")
    assert WORD.encode() in own.read_bytes() or any(
        WORD.encode() in one.read_bytes() for one in exchange.folder.rglob("crm.sqlite3-wal")
    ), "the words are where they belong, so the search can find them"


async def test_faulty_configuration_is_told_without_its_secrets(exchange: Exchange) -> None:
    faulty = f"""
[channels.phone]
type = "asterisk"
queue = "first"
[channels.phone.servers.main]
url = 7
user = "x"
password = "{WORD}"
"""
    path = exchange.folder / "centralita.toml"
    path.write_text(path.read_text() + faulty)
    for command in (("check",), ("serve",), ("check", "--json")):
        said = await trio.to_thread.run_sync(lambda: run(*command, cwd=exchange.folder))  # noqa: B023
        assert said.returncode != 0
        assert "channels.phone" in said.stdout + said.stderr
        assert WORD not in said.stdout + said.stderr, command
    path.write_text(path.read_text().replace("url = 7", f'url = "http://127.0.0.1:9"\nsecret = "{WORD}"'))
    said = await trio.to_thread.run_sync(lambda: run("check", cwd=exchange.folder))
    assert said.returncode != 0
    assert WORD not in said.stdout + said.stderr
