"""Campaigns as people handle them: over HTTP by their roles, by `centralita campaign`, from CSV files, with wrong input."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

import centralita_http
from centralita import open_engine
from centralita.config import loads
from centralita.errors import ConfigurationError
from centralita.plugins import load_plugins
from centralita_dialler.numbers import BadNumber, e164
from centralita_dialler.results import REASONS
from centralita_dialler.settings import Campaign, Settings
from centralita_dialler.store import STATES, Store, StoreError
from centralita_dialler.table_file import BadLine, BadTable, read_table
from tests.cli.daemon import run
from tests.dialler.floor import COMPANY, Lists

DOCS = (Path(__file__).parents[2] / "docs" / "dialler.md").read_text(encoding="utf-8")
PATIENCE_S = 60
DOOR = '[front_doors.http]\ntype = "http"\nport = 0\n'


class House:
    """Where the front door listens, and its tokens by role."""

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        self.url = url
        self.tokens = tokens

    def client(self, role: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=PATIENCE_S, trust_env=False, verify=False
        )

    async def command(self, *words: str, cwd: Path) -> Any:
        """`centralita campaign …`, as a process of its own."""
        options = ("--url", self.url, "--token", self.tokens["supervisor"])
        return await trio.to_thread.run_sync(partial(run, "campaign", *words, *options, cwd=cwd))


@asynccontextmanager
async def house_of(folder: Path) -> AsyncIterator[House]:
    configuration = loads(COMPANY.format(campaign="") + DOOR, folder=folder)
    async with open_engine(
        configuration, plugins=[Lists(), centralita_http], entry_points=False
    ) as switchboard:
        with trio.fail_after(PATIENCE_S):
            while any(one.state != "up" for one in switchboard.components()):
                await trio.sleep(0.01)
        (port,) = folder.rglob("http.port")
        (admin,) = folder.rglob("cli.token")
        house = House(f"http://127.0.0.1:{port.read_text().strip()}", {"admin": admin.read_text().strip()})
        async with house.client("admin") as client:
            for role, own in (
                ("supervisor", {}),
                ("agent", {"agent": "ana"}),
                ("channel", {"channel": "phone"}),
            ):
                made = await client.post("/api/tokens", json={"name": role, "role": role, **own})
                assert made.status_code == 201, made.text
                house.tokens[role] = made.json()["token"]
        yield house


ROUTES = [
    ("GET", "/api/campaigns", "supervisor"),
    ("GET", "/api/campaigns/renewals", "supervisor"),
    ("POST", "/api/campaigns/renewals/start", "supervisor"),
    ("POST", "/api/campaigns/renewals/pause", "supervisor"),
    ("GET", "/api/campaigns/renewals/records", "supervisor"),
    ("POST", "/api/campaigns/renewals/records", "supervisor"),
    ("GET", "/api/do-not-call", "supervisor"),
    ("POST", "/api/do-not-call", "supervisor"),
    ("DELETE", "/api/do-not-call/+34600000000", "admin"),
]
BODIES: dict[str, Any] = {
    "/api/campaigns/renewals/records": {"records": []},
    "/api/do-not-call": {"numbers": []},
}


async def test_each_route_is_for_its_roles_and_documented(tmp_path: Path) -> None:
    async with house_of(tmp_path) as house:
        for role in ("", "channel", "agent", "supervisor", "admin"):
            async with house.client(role) as client:
                for method, path, least in ROUTES:
                    body = BODIES.get(path) if method == "POST" else None
                    answer = await client.request(method, path, json=body)
                    allowed = role == "admin" or role == least
                    refused = 401 if not role else 403
                    assert (answer.status_code not in (401, 403)) if allowed else answer.status_code == refused, (
                        role, method, path, answer.text,
                    )  # fmt: skip
                    shown = path.replace("renewals", "{name}").replace("+34600000000", "{number}")
                    assert f"`{method} {shown}`" in DOCS


async def test_records_are_put_on_a_list_looked_at_and_blocked(tmp_path: Path) -> None:
    async with house_of(tmp_path) as house, house.client("supervisor") as client:
        records = [
            {"number": "600 11 22 33", "name": "Eva", "attributes": {"contract": "A-1"}},
            {"number": "+34 600112233"},
            {"number": "12"},
            {"number": "+12125550123", "zone": "Mars/Olympus"},
            {"number": "+12125550123", "zone": "America/New_York", "priority": 3},
        ]
        answer = await client.post(
            "/api/campaigns/renewals/records", json={"records": records, "check": True}
        )
        assert answer.json()["valid"] == 3
        answer = await client.post("/api/campaigns/renewals/records", json={"records": records})
        told = answer.json()
        assert {key: told[key] for key in ("added", "duplicates", "blocked", "no_room")} == {
            "added": 2, "duplicates": 1, "blocked": 0, "no_room": 0,
        }  # fmt: skip
        assert [one["index"] for one in told["invalid"]] == [2, 3]
        assert "'12'" in told["invalid"][0]["message"]
        assert "no time zone" in told["invalid"][1]["message"]
        rows = (await client.get("/api/campaigns/renewals/records", params={"only": "pending"})).json()
        assert [(row["number"], row["name"], row["attributes"]) for row in rows] == [
            ("+34600112233", "Eva", {"contract": "A-1"}),
            ("+12125550123", "", {}),
        ]
        after = {"after": rows[0]["id"], "limit": 1}
        assert len((await client.get("/api/campaigns/renewals/records", params=after)).json()) == 1
        block = await client.post(
            "/api/do-not-call", json={"numbers": ["600112233", "x"], "reason": "asked us"}
        )
        assert block.json()["added"] == 1
        assert len(block.json()["invalid"]) == 1
        listed = (await client.get("/api/do-not-call")).json()
        assert [(one["number"], one["reason"]) for one in listed] == [("+34600112233", "asked us")]
        standing = (await client.get("/api/campaigns/renewals")).json()
        assert standing["records"] == {"pending": 1, "live": 0, "done": 0, "stopped": 0, "do_not_call": 1}
        assert standing["running"] is False
        assert (await client.post("/api/campaigns/renewals/start")).json()["running"] is True
        assert (await client.get("/api/campaigns")).json()[0]["running"] is True
        assert (await client.post("/api/campaigns/renewals/pause")).json()["running"] is False
        async with house.client("admin") as admin:
            assert (await admin.delete("/api/do-not-call/+34600112233")).json() == {"removed": "+34600112233"}
            assert (await admin.delete("/api/do-not-call/+34600112233")).status_code == 404
            assert (await admin.delete("/api/do-not-call/12")).status_code == 400


WRONG: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/api/campaigns/nothing", None, 404, "there is no campaign 'nothing'"),
    ("POST", "/api/campaigns/nothing/start", None, 404, "there is no campaign"),
    ("GET", "/api/campaigns/renewals/records?only=lost", None, 400, "only was 'lost'; known: pending"),
    ("GET", "/api/campaigns/renewals/records?limit=0", None, 400, "limit"),
    ("POST", "/api/campaigns/renewals/records", {"records": [{}]}, 400, "number"),
    ("POST", "/api/campaigns/renewals/records", {"records": [{"number": "1"}] * 501}, 400, "500"),
    ("POST", "/api/campaigns/renewals/records", {"entries": []}, 400, "entries"),
    ("POST", "/api/do-not-call", {"numbers": "600"}, 400, "array"),
]


async def test_wrong_request_is_told_what_is_wrong(tmp_path: Path) -> None:
    async with house_of(tmp_path) as house, house.client("supervisor") as client:
        for method, path, body, status, words in WRONG:
            answer = await client.request(method, path, json=body)
            assert answer.status_code == status, answer.text
            assert words in answer.json()["message"]


async def test_command_imports_shows_starts_and_pauses(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(
        "number;name;contract\n600112233;Eva Ruiz;A-1\n+34 611 22 33 44;Lola;A-2\n12;Nobody;\n",
        encoding="utf-8",
    )
    async with house_of(tmp_path / "data") as house:
        done = await house.command("import", "renewals", str(file), "--check", cwd=tmp_path)
        assert (done.returncode, "valid 2, unusable 1" in done.stdout) == (1, True), done
        done = await house.command("import", "renewals", str(file), cwd=tmp_path)
        assert done.returncode == 1
        assert "list.csv: line 4: '12' is no" in done.stdout
        assert "renewals: added 2, duplicates 0, blocked 0, no room 0, unusable 1" in done.stdout
        done = await house.command("do-not-call", "611223344", "--reason", "asked us", cwd=tmp_path)
        assert (done.returncode, done.stdout.strip()) == (0, "do-not-call: added 1, unusable 0")
        done = await house.command("start", "renewals", cwd=tmp_path)
        assert re.search(r"renewals +open +progressive +renewals +1 +0 +0 +1", done.stdout), done.stdout
        done = await house.command("pause", "renewals", "--json", cwd=tmp_path)
        assert json.loads(done.stdout)["running"] is False
        done = await house.command("status", "--json", cwd=tmp_path)
        assert json.loads(done.stdout)[0]["records"]["pending"] == 1
        assert (await house.command("status", "nothing", cwd=tmp_path)).returncode == 4
        done = await house.command("import", "renewals", str(tmp_path / "none.csv"), cwd=tmp_path)
        assert done.returncode == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,contract\nEva,1\n", "line 1 has no column 'number'; it has: name, contract"),
        ("", "line 1 has no column 'number'; it has: nothing"),
        ("number,name,name\n1,2,3\n", "line 1 has 'name' twice"),
        ("number,,x\n1,2,3\n", "line 1 has a column without a name"),
        ('number,name\n600112233,"Eva\n', "can't be read: unexpected end of data"),
        ("number\n\xff\n", "can't be read"),
    ],
)
def test_table_that_is_none_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadTable, match=re.escape(words)):
        list(read_table(file))


async def test_line_that_can_not_be_used_keeps_no_other_off_the_list(tmp_path: Path) -> None:
    lines = [
        "number;name;priority;note",
        "600112233;Eva;1;",
        "600112234;Eva;1;;more",
        "600112235;Eva;high;",
        "600112236;Eva;5000;",
        f"600112237;{'E' * 201};1;",
        f"600112238;Eva;1;{'n' * 2001}",
        "12;Eva;1;",
        "600112239;Eva;1;",
    ]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    async with house_of(tmp_path) as house:
        done = await house.command("import", "renewals", str(file), "--json", cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        told = json.loads(done.stdout)
        assert told["added"] == 2
        assert [(one["line"], one["message"]) for one in told["invalid"]] == [
            (3, "it has more cells than line 1 has names"),
            (4, "priority was 'high'; must be a number"),
            (5, "priority was 5000; allowed: -1000 to 1000"),
            (6, "name has 201 letters; allowed: 200"),
            (7, "note has 2001 letters; allowed: 2000"),
            (8, "'12' is no number of ES"),
        ]


def test_table_is_read_whatever_its_delimiter_and_mark(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    for delimiter in ",;\t|":
        lines = [
            "number,name,language,zone,priority,note",
            '600,"Ruiz, Eva",es,Europe/Madrid,2,hola',
            "601,,,,,",
        ]
        if delimiter != ",":
            lines = [line.replace("Ruiz, Eva", "Ruiz Eva").replace(",", delimiter) for line in lines]
        file.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
        (first, second) = read_table(file)
        assert not isinstance(first[1], BadLine)
        assert first[1]["attributes"] == {"note": "hola"}
        assert (first[1]["zone"], first[1]["priority"], second) == (
            "Europe/Madrid",
            2,
            (3, {"number": "601"}),
        )


@pytest.mark.parametrize(
    ("text", "region", "spelt"),
    [
        ("600 11 22 33", "ES", "+34600112233"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("+52 81 1234 5678", "", "+528112345678"),
        ("0034600112233", "ES", "+34600112233"),
    ],
)
def test_number_has_one_spelling(text: str, region: str, spelt: str) -> None:
    assert e164(text, region) == spelt


@pytest.mark.parametrize(
    ("text", "region"), [("600112233", ""), ("hello", "ES"), ("", "ES"), ("+34 12", ""), ("112", "ES")]
)
def test_what_is_no_number_is_refused(text: str, region: str) -> None:
    with pytest.raises(BadNumber):
        e164(text, region)


@pytest.mark.parametrize(
    ("campaign", "words"),
    [
        ('channel = "fax"', "campaigns.other.channel was 'fax'; known: phone"),
        ('queue = "nowhere"', "campaigns.other.queue was 'nowhere'; known: renewals"),
        ('hours = "night"', "campaigns.other.hours was 'night'; known: calling"),
        (
            'never_again = ["no"]',
            "campaigns.other: 'no' is no disposition; known: sold, machine, never again",
        ),
        ("attempts_max = 0", "`int` >= 1"),
        ('mode = "predictive"', "Invalid enum value 'predictive'"),
        ("retry_s = { drunk = 5 }", "Invalid enum value 'drunk'"),
    ],
)
def test_campaign_that_fits_nothing_is_told_with_its_place(campaign: str, words: str) -> None:
    given = dict(line.split(" = ", 1) for line in ('channel = "phone"', 'queue = "renewals"', campaign))
    table = "\n".join(f"{key} = {value}" for key, value in given.items())
    configuration = loads(COMPANY.format(campaign="") + f"[routes.lists.campaigns.other]\n{table}\n")
    with pytest.raises(ConfigurationError) as raised:
        load_plugins([Lists()], entry_points=False).prepare(
            configuration.components, configuration=configuration
        )
    assert words in raised.value.problems[0]


def test_region_and_second_dialler_are_refused() -> None:
    text = (
        COMPANY.format(campaign="").replace('region = "ES"', 'region = "Spain"')
        + '[routes.more]\ntype = "dialler"\n'
    )
    configuration = loads(text)
    with pytest.raises(ConfigurationError) as raised:
        load_plugins([Lists()], entry_points=False).prepare(
            configuration.components, configuration=configuration
        )
    assert "routes.lists.region was 'Spain'; must be a country of ISO 3166, as ES" in raised.value.problems
    assert "routes.lists.type: lists, more are diallers; one serves all campaigns" in raised.value.problems


def test_database_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lists.sqlite"
    store = Store(path)
    store.open()
    store.close()
    store.open()
    store._open.execute("PRAGMA user_version = 9")
    store.close()
    with pytest.raises(StoreError, match=r"lists\.sqlite is no list of ours of version 1"):
        store.open()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("part", [Settings, Campaign])
def test_every_setting_result_and_state_is_in_the_docs(part: type[Any]) -> None:
    assert [name for name in part.__struct_fields__ if f"`{name}`" not in DOCS] == []
    assert [
        name for name in (*STATES, *REASONS.values(), *filter(None, REASONS)) if f"`{name}`" not in DOCS
    ] == []
