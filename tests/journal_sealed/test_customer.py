"""One customer handed out and forgotten, through the real front door, over everything that keeps words."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from centralita import open_engine
from centralita.engine import Engine
from centralita.errors import CustomerKept
from centralita.journal import Encoder, verify
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    EraseContacts,
    FinishWrapUp,
    RateContact,
    Record,
)
from centralita.protocols import Person
from centralita.recovery import replay, restore
from centralita_journal_sealed import SealedJournal
from tests.webchat.house import PATIENCE_S, House, Page, configuration, listening_port

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(20) + b"passport-bytes"
EMAIL, NAME, WORDS = "ana.garcia@example.org", "Ana Garcia Lorca", "my card is 4929 1111"
NOTES, COMMENT, FILE = "she sounded upset", "too slow for words", "passport-scan.png"
SECRETS = [secret.encode() for secret in (EMAIL, NAME, WORDS, NOTES, COMMENT, FILE)] + [b"passport-bytes"]
OTHER = ("eva@example.org", "Eva Otra", "nothing special")


def company(folder: Path, *, journal: str = "sealed", **more: Any) -> dict[str, Any]:
    made = configuration(folder, queue={"wrap_up_s": 600})
    made["channels"]["line"] = {"type": "program", "queue": "shop"}
    made["crms"] = {"crm": {"type": "crm_sqlite"}}
    made["kpi_sinks"] = {
        "lines": {"type": "jsonl", "content": "events", "personal": True},
        "queues": {"type": "queue_log"},
    }
    made["journal"] = {"type": journal, "snapshot_every": 20}
    return made | more


@asynccontextmanager
async def open_company(folder: Path, **settings: Any) -> AsyncIterator[House]:
    async with open_engine(company(folder, **settings)) as switchboard:
        yield House(switchboard, await listening_port(folder, switchboard))


def admin(house: House, folder: Path) -> httpx.AsyncClient:
    (path,) = folder.rglob("cli.token")
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{house.port}",
        headers={"Authorization": f"Bearer {path.read_text().strip()}"},
        timeout=PATIENCE_S,
    )


async def whole_life(house: House) -> tuple[int, Page]:
    """A chat with words in every place that takes some, to its end."""
    page = Page(house.base)
    await house.sign_in()
    async with page.open():
        await page.send("m0", "hello", name=NAME, email=EMAIL)
        contact = await house.accept()
        async with httpx.AsyncClient() as client:
            sent = await client.post(
                f"http://{house.base}/attachments",
                data={"session": page.session, "secret": page.secret},
                files={"file": (FILE, PNG)},
            )
        assert sent.status_code == 201, sent.text
        await page.send("m1", WORDS, attachments=[sent.json()["id"]])
        await page.wait_for("received", message_id="m1")
        await house.say(contact, f"you said: {WORDS}")
        await house.end(contact)
        await page.wait_for("ended")
        await house.submit(FinishWrapUp(contact=contact, agent="ana", notes=NOTES))
        await house.submit(RateContact(contact=contact, score=2, comment=COMMENT))
    return contact, page


async def another(house: House) -> int:
    """Somebody else's contact, which has ended too."""
    email, name, words = OTHER
    outcome = await house.switchboard.submit(
        AdmitContact(channel="line", provider_id="other-1", handle=email, customer_name=name, text=words)
    )
    await house.submit(AbandonContact(contact=outcome.contact))
    return outcome.contact


async def followed(house: House) -> None:
    """Wait until every record has reached the CRM and the sink."""
    status = house.switchboard.status
    with trio.fail_after(PATIENCE_S):
        while status()["figures_seq"] < status()["journal_seq"]:
            await trio.sleep(0.01)
        for path in ("crms.crm", "kpi_sinks.lines", "kpi_sinks.queues"):
            (one,) = [part for part in house.switchboard._open.supervised if part.path == path]  # type: ignore[attr-defined]
            while await one.component.position() < status()["journal_seq"]:
                await trio.sleep(0.01)


def readable(folder: Path) -> dict[str, list[bytes]]:
    """The secrets that can be read in each file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if here := [secret for secret in SECRETS if secret in content]:
                found[path.name] = here
    return found


async def test_export_has_everything_and_erasing_leaves_nothing(tmp_path: Path) -> None:
    async with open_company(tmp_path) as house, admin(house, tmp_path) as client:
        contact, page = await whole_life(house)
        other = await another(house)
        await followed(house)
        exported = await client.post("/api/customers/export", json={"handle": EMAIL.upper()})
        assert exported.status_code == 200, exported.text
        told = exported.json()
        assert told["contacts"] == [contact]
        (customer,) = told["components"]["crms.crm"]["customers"]
        assert customer["customer"]["name"] == NAME
        (session,) = told["components"]["channels.shop_chat"]["sessions"]
        assert [base64.b64decode(file["base64"]) for file in session["files"]] == [PNG]
        assert "secret" not in json.dumps(session)
        assert EMAIL in str(told["components"]["kpi_sinks.queues"]["lines"])
        for secret in SECRETS[:-1]:
            assert secret.decode() in json.dumps(told["journal"]), secret
        assert not [text for text in OTHER if text in exported.text]

        erased = await client.post("/api/customers/erase", json={"handle": EMAIL})
        assert erased.status_code == 200, erased.text
        assert erased.json() == {
            "contacts": 1,
            "records_still_readable": 0,
            "components": {
                "channels.shop_chat": 1,
                "crms.crm": erased.json()["components"]["crms.crm"],
                "kpi_sinks.lines": erased.json()["components"]["kpi_sinks.lines"],
                "kpi_sinks.queues": 1,
            },
        }
        assert min(erased.json()["components"].values()) >= 1
        view = house.switchboard.contact(contact)
        assert view is None, "not shown from memory either"
        again = await client.post("/api/customers/export", json={"handle": EMAIL})
        assert again.json()["contacts"] == []
        assert again.json()["components"]["channels.shop_chat"] == {"sessions": []}
        # Erased with the page away: its secret opens nothing any more.
        async with page.open():
            assert not page.lines
        events = await client.get("/api/contacts")
        assert events.status_code == 200
    assert readable(tmp_path) == {}
    (journal,) = tmp_path.rglob("journal.sqlite")
    assert verify(journal).problems == ()
    assert replay(journal).problems == ()
    async with open_company(tmp_path) as house, admin(house, tmp_path) as client:
        told = (await client.post("/api/customers/export", json={"handle": OTHER[0]})).json()
        assert told["contacts"] == [other], "nobody else's words are gone"
        assert OTHER[2] in json.dumps(told["journal"])
        figures = house.switchboard.figures()
        assert figures["contacts"]["ended"] == 2, "figures stay"
    assert readable(tmp_path) == {}


async def test_live_customer_is_not_erased(tmp_path: Path) -> None:
    async with open_company(tmp_path) as house, admin(house, tmp_path) as client:
        outcome = await house.switchboard.submit(
            AdmitContact(channel="line", provider_id="1", handle=EMAIL, text=WORDS)
        )
        refused = await client.post("/api/customers/erase", json={"handle": EMAIL})
        assert (refused.status_code, refused.json()["code"]) == (409, "live")
        assert f"contact {outcome.contact} is not over yet" in refused.json()["message"]
        view = house.switchboard.contact(outcome.contact)
        assert view is not None
        assert view.messages[0].text == WORDS
        refusal = (await house.switchboard.submit(EraseContacts(contacts=(outcome.contact,), by="x"))).refusal
        assert refusal is not None
        assert refusal.code == "wrong_phase"


async def test_journal_without_keys_says_that_it_keeps(tmp_path: Path) -> None:
    async with open_company(tmp_path, journal="sqlite") as house, admin(house, tmp_path) as client:
        await another(house)
        await followed(house)
        refused = await client.post("/api/customers/erase", json={"handle": OTHER[0]})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_sealed")
        kept = await client.post("/api/customers/export", json={"handle": OTHER[0]})
        assert kept.json()["components"]["crms.crm"]["customers"], "nothing was half erased"


async def test_words_from_before_the_seal_are_said_to_remain(tmp_path: Path) -> None:
    async with open_company(tmp_path, journal="sqlite") as house:
        await another(house)
        await followed(house)
    async with open_company(tmp_path) as house, admin(house, tmp_path) as client:
        erased = (await client.post("/api/customers/erase", json={"handle": OTHER[0]})).json()
        assert erased["records_still_readable"] > 0


async def test_person_is_found_by_the_crms_id_and_over_all_channels(tmp_path: Path) -> None:
    async with open_company(tmp_path) as house, admin(house, tmp_path) as client:
        contacts = []
        for number, handle in enumerate(("+34 600 111 222", "0034600111222", "+34600111333")):
            outcome = await house.switchboard.submit(
                AdmitContact(channel="line", provider_id=str(number), handle=handle, text=WORDS)
            )
            await house.submit(AbandonContact(contact=outcome.contact))
            contacts.append(outcome.contact)
        await followed(house)
        found = (await client.post("/api/customers/export", json={"handle": "+34600111222"})).json()
        assert found["contacts"] == contacts[:2], "one number, however it was written; and no other"
        (one,) = (await client.post("/api/customers/export", json={"customer": "1"})).json()["customers"]
        assert one == {"crm": "crm", "id": "1"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "either handle or customer"),
        ({"handle": "a", "customer": "1"}, "either handle or customer"),
        ({"handle": "a", "crm": "crm"}, "goes with customer"),
        ({"customer": "1", "crm": "no"}, "body.crm was 'no'; known: crm"),
        ({"handle": "x" * 300}, "handle"),
        ({"who": "a"}, "who"),
    ],
)
async def test_unclear_person_is_refused(tmp_path: Path, body: dict[str, str], message: str) -> None:
    async with open_company(tmp_path) as house, admin(house, tmp_path) as client:
        for what in ("export", "erase"):
            answer = await client.post(f"/api/customers/{what}", json=body)
            assert answer.status_code == 400
            assert message in answer.json()["message"]


async def test_component_that_fails_stops_the_erasing_before_anything_is_lost(tmp_path: Path) -> None:
    async with open_company(tmp_path) as house:
        await another(house)
        await followed(house)
        (sink,) = [one for one in house.switchboard._open.supervised if one.path == "kpi_sinks.lines"]  # type: ignore[attr-defined]

        async def broken(person: Person) -> int:
            raise RuntimeError("a customer's words")

        sink.component.erase_person = broken
        with pytest.raises(CustomerKept) as caught:
            await house.switchboard.erase_customer(Person(handles=(OTHER[0],)), by="test")
        assert caught.value.code == "failed"
        assert "words" not in str(caught.value)
        del sink.component.erase_person
        done = await house.switchboard.erase_customer(Person(handles=(OTHER[0],)), by="test")
        assert done["contacts"] == 1, "the second try finds what the first had left"


async def test_command_line_exports_and_erases(tmp_path: Path) -> None:
    async def centralita(*arguments: str, answer: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return await trio.run_process(
            [sys.executable, "-c", "from centralita_cli.main import main; main()", "customer", *arguments],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            stdin=answer,
            env=os.environ | {"CENTRALITA_URL": url, "CENTRALITA_TOKEN": token},
        )

    async with open_company(tmp_path / "data") as house:
        url = f"http://127.0.0.1:{house.port}"
        (path,) = (tmp_path / "data").rglob("cli.token")
        token = path.read_text().strip()
        await whole_life(house)
        await followed(house)
        made = await centralita("export", EMAIL, "-o", str(tmp_path / "ana.zip"))
        assert made.returncode == 0, made.stderr
        assert stat.S_IMODE((tmp_path / "ana.zip").stat().st_mode) == 0o600
        with zipfile.ZipFile(tmp_path / "ana.zip") as archive:
            assert archive.namelist() == [f"files/1-{FILE}", "data.json"]
            assert archive.read(f"files/1-{FILE}") == PNG
            assert WORDS in archive.read("data.json").decode()
        assert (await centralita("export", EMAIL, "-o", str(tmp_path / "ana.zip"))).returncode == 4
        made = await centralita("export", "1", "-o", str(tmp_path / "ana.json"), "--json")
        assert json.loads(made.stdout)["files"] == 1
        assert json.loads((tmp_path / "ana.json").read_text())["customers"] == [{"crm": "crm", "id": "1"}]
        assert (await centralita("export", EMAIL, "-o", str(tmp_path / "ana.txt"))).returncode == 2
        for answer in (b"n\n", b"\n", b""):
            unsure = await centralita("erase", EMAIL, answer=answer)
            assert (unsure.returncode, unsure.stdout) == (4, b"")
            assert f"{EMAIL} was not forgotten".encode() in unsure.stderr
        assert readable(tmp_path / "data"), "nothing was asked of the daemon"
        assert (await centralita("erase", EMAIL, answer=b"y\n")).returncode == 0
        gone = await centralita("erase", EMAIL, "--yes", "--json")
        assert json.loads(gone.stdout)["contacts"] == 0
    assert readable(tmp_path / "data") == {}


async def test_erasing_that_a_crash_cut_short_is_finished_at_the_next_start(tmp_path: Path) -> None:
    async with open_company(tmp_path) as house:
        contact = await another(house)
    # The decision is in the journal, and the process ended before the key was deleted.
    (path,) = tmp_path.rglob("journal.sqlite")
    with closing(SealedJournal(path.parent)) as journal:
        engine = restore(journal, kind=Engine)
        command = EraseContacts(contacts=(contact,), by="test")
        step = engine.handle(command, now_ns=engine.now_ns)
        record = Record(seq=step.seq, at_ns=engine.now_ns, command=command, events=step.events)
        encoded = Encoder(journal.seal).encode(
            [record], after_seq=journal.last_seq, after_ns=journal.last_at_ns
        )
        journal.append(encoded, expected_seq=journal.last_seq)
        assert OTHER[2] in str(list(journal.read()))
    async with open_company(tmp_path):
        pass
    with closing(SealedJournal(path.parent)) as journal:
        assert OTHER[2] not in str(list(journal.read()))
