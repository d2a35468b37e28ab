"""The sinks and the CRM inside a running engine, over a restart, as an operator configures them.

They work in threads, which virtual time does not wait for; so this runs in real time, and waits for what
it expects instead of sleeping.
"""

from __future__ import annotations

import json
from pathlib import Path

import trio
import trio.testing

import centralita_crm_sqlite
import centralita_kpi_jsonl
import centralita_kpi_prometheus
from centralita import open_engine
from centralita.config import loads
from centralita.messages import AdmitContact, EndContact, PostMessage
from centralita.runner.switchboard import LiveSwitchboard
from tests.runner.house import CONFIG, House, sign_in

TAKEN_IN_S = 60
PLUGINS = [centralita_crm_sqlite, centralita_kpi_jsonl, centralita_kpi_prometheus]
SETTINGS = """
[crms.people]
type = "crm_sqlite"
country_code = "34"
[kpi_sinks.metrics]
type = "prometheus"
[kpi_sinks.lines]
type = "jsonl"
folder = "exports"
"""


async def one_contact(folder: Path, *, number: int) -> int:
    """A life of the engine in which one customer comes, says something, and is served by Ana."""
    house = House({"desks.floor": lambda desk: setattr(desk, "accepts", True)})
    async with open_engine(
        loads(CONFIG + SETTINGS, folder=folder),
        plugins=[house, *PLUGINS],
        entry_points=False,
    ) as switchboard:
        assert {one.state for one in switchboard.components()} <= {"up", "starting"}
        await sign_in(switchboard, "ana")
        admission = AdmitContact(
            channel="shop", provider_id=f"p{number}", handle="+34600111222", customer_name="Eva", text="hola"
        )
        contact = (await switchboard.submit(admission)).contact
        await house["channels.shop"].wait_for("connect", 1)
        await trio.testing.wait_all_tasks_blocked()
        await switchboard.submit(PostMessage(contact=contact, author="agent", author_id="ana", text="buenas"))
        await switchboard.submit(EndContact(contact=contact, by="ana"))
        with trio.fail_after(TAKEN_IN_S):
            while contact not in [one.contact for one in await switchboard.history(None, handle="600111222")]:
                await trio.sleep(0.01)
        await _known(switchboard, contact)
        assert {one.state for one in switchboard.components()} == {"up"}
    return contact


async def _known(switchboard: LiveSwitchboard, contact: int) -> None:
    past = await switchboard.history(None, handle="600111222")
    assert past[0].contact == contact
    assert {one.agent for one in past} == {"ana"}
    assert [message["text"] for message in past[0].messages] == ["hola", "buenas"]


async def test_figures_lines_and_history_go_on_over_a_restart(tmp_path: Path) -> None:
    contacts = [await one_contact(tmp_path, number=number) for number in (1, 2, 3)]
    assert len(set(contacts)) == 3
    lines = [json.loads(line) for line in (tmp_path / "exports" / "contacts.jsonl").read_text().splitlines()]
    assert [line["contact"] for line in lines] == contacts
    assert {line["outcome"] for line in lines} == {"served"}
    (state,) = tmp_path.rglob("figures.state")
    assert b"centralita state" in state.read_bytes()
    (file,) = tmp_path.rglob("crm.sqlite3")
    assert file.parent.name == "people"
