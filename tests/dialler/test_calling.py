"""Lists are called: as fast as agents are free, within hours, as often as the rules say, and never who must not be."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from centralita import MemoryJournal
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    CancelContact,
    NoteContact,
    SetStatus,
    Target,
    TransferContact,
)
from centralita_dialler.dialler import Dialler
from centralita_dialler.store import Entry
from tests.dialler.floor import RING_S, TALK_S, Company, Script, calling, no_threads  # noqa: F401  # a fixture
from tests.runner.house import START_NS
from tests.runner.test_recovery import as_of_now

pytestmark = pytest.mark.usefixtures("no_threads")

SPAIN = [f"+3460000{number:04d}" for number in range(1000)]
NEW_YORK = "+12125550123"
MADRID = "+34911234567"
MOBILE = SPAIN[0]
"""May be in Madrid, or on the Canary Islands, where it is an hour earlier."""
MADRID_6_00 = 1_772_427_600 * 10**9
"""Monday, 2 March 2026, 6:00 in Madrid (UTC+1)."""
HOUR_S = 3600


async def test_every_number_is_called_once_and_no_agent_twice_at_a_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with calling(tmp_path) as company:
        await company.add(*SPAIN[:10])
        await company.start()
        assert await company.settled() == {
            "pending": 0,
            "live": 0,
            "done": 10,
            "stopped": 0,
            "do_not_call": 0,
        }
        assert sorted(company.numbers()) == SPAIN[:10]
        assert Counter(agent for _, _, agent in company.rung) == {"ana": 5, "bea": 5}
        for agent in ("ana", "bea"):
            times = [at_s for at_s, _, one in company.rung if one == agent]
            gaps = [after - before for before, after in itertools.pairwise(times)]
            assert all(RING_S + TALK_S <= gap < RING_S + TALK_S + 3 for gap in gaps)
        assert await company.results() == {"answered": 10}


async def test_nobody_is_called_before_the_campaign_is_started_nor_after_it_is_paused(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with calling(tmp_path) as company:
        await company.add(*SPAIN[:50])
        await trio.sleep(60)
        assert company.rung == []
        await company.start()
        await company.until(lambda: len(company.rung) == 4)
        await company.dialler.set_running("renewals", running=False)
        await trio.sleep(600)
        assert len(company.rung) == 4
        counts = await company.counts()
        assert (counts["live"], counts["pending"]) == (0, 46)


async def test_customers_who_wait_come_before_the_list(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    extra = '[channels.web]\ntype = "scripted"\nqueue = "renewals"\nmedium = "voice"\n'
    async with calling(tmp_path, extra=extra, agents=("ana",)) as company:
        await company.switchboard.submit(SetStatus(agent="ana", status="break"))
        await company.add(*SPAIN[:3])
        await company.start()
        customer = (await company.switchboard.submit(AdmitContact(channel="web", provider_id="x"))).contact
        await company.switchboard.submit(SetStatus(agent="ana", status="available"))
        await trio.sleep(10)
        view = company.switchboard.contact(customer)
        assert view is not None
        assert view.phase == "offered"
        assert company.rung == []


async def test_preview_offers_the_record_and_dials_when_the_agent_accepts(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with calling(tmp_path, campaign='mode = "preview"', agents=("ana",)) as company:
        await company.add(
            SPAIN[0], name="Eva", language="es", attributes={"contract": "A-17"}, zones=("Europe/Madrid",)
        )
        await company.start()
        await company.until(lambda: company.switchboard.contacts(phase="offered"))
        (view,) = company.switchboard.contacts(phase="offered")
        assert (view.handle, view.customer_name, view.subject, view.language) == (
            SPAIN[0],
            "Eva",
            "Renewals",
            "es",
        )
        assert view.attributes == {"contract": "A-17", "campaign": "renewals", "attempt": "1"}
        assert view.direction == "outbound"
        await trio.sleep(5)
        assert company.rung == []
        (work,) = view.works
        await company.switchboard.submit(
            AnswerOffer(contact=view.id, agent="ana", offer=work.offer, accept=True)
        )
        assert (await company.settled())["done"] == 1
        assert company.numbers() == [SPAIN[0]]


async def test_results_are_told_apart_and_each_is_tried_again_by_its_rule(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    busy, silent, rejecting, failing, machine, sold = SPAIN[:6]
    script = Script()
    script.plan |= {
        busy: ["busy", "busy", "answered"],
        silent: ["no answer"] * 5,
        rejecting: ["rejected"],
        failing: ["unknown number", "answered"],
    }
    script.disposition = {machine: "machine", sold: "sold"}
    rules = (
        'dispositions = { machine = "machine" }\n'
        "retry_s = { busy = 600, no_answer = 7200, machine = 3600, failed = 1800 }"
    )
    async with calling(tmp_path, script, campaign=rules) as company:
        await company.add(*SPAIN[:6])
        await company.start()
        assert (await company.settled())["done"] == 6
        assert Counter(company.numbers()) == {
            busy: 3,
            silent: 3,
            rejecting: 1,
            failing: 2,
            machine: 3,
            sold: 1,
        }
        assert await company.results() == {
            "answered": 3, "busy": 2, "no_answer": 3, "rejected": 1, "failed": 1, "machine": 3,
        }  # fmt: skip
        for number, gap_s in ((busy, 600), (silent, 7200), (failing, 1800), (machine, 3600)):
            times = [at_s for at_s, one, _ in company.rung if one == number]
            for before, after in itertools.pairwise(times):
                assert gap_s <= after - before < gap_s + 120, number
        rows = await company.dialler.records("renewals", state="done", after=0, limit=10)
        told = {row.number: (row.result, row.attempts, row.disposition) for row in rows}
        assert told[silent] == ("no_answer", 3, "")
        assert told[sold] == ("answered", 1, "sold")


async def test_fault_of_ours_does_not_count_and_the_agent_is_spared_for_a_while(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    script = Script()
    script.plan[SPAIN[0]] = ["agent: no answer"] * 4
    async with calling(tmp_path, script, campaign="attempts_max = 1", agents=("ana",)) as company:
        await company.add(SPAIN[0])
        await company.start()
        assert (await company.settled())["done"] == 1
        assert await company.results() == {"answered": 1}
        times = [at_s for at_s, _, _ in company.rung]
        assert len(times) == 5
        assert all(after - before >= 60 for before, after in itertools.pairwise(times))


async def test_numbers_are_called_by_the_clock_where_they_are(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with calling(tmp_path, campaign='hours = "calling"', start_ns=MADRID_6_00) as company:
        await company.add(MADRID, MOBILE, NEW_YORK)
        await company.add("+34600999999", zones=("Pacific/Auckland",))  # said to be there, where it is 18:00
        begun_s = trio.current_time()
        await company.start()
        assert (await company.settled())["done"] == 4
        at_h = {number: 6 + (at_s - begun_s) / HOUR_S for at_s, number, _ in company.rung}
        assert at_h["+34600999999"] < 6.1
        assert 9 <= at_h[MADRID] < 9.1
        assert 10 <= at_h[MOBILE] < 10.1
        assert 15 <= at_h[NEW_YORK] < 15.1


async def test_record_that_waits_for_an_agent_is_taken_back_when_its_hours_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    almost_20 = MADRID_6_00 + (14 * HOUR_S - 30) * 10**9
    rules = 'hours = "calling"\nmode = "preview"'
    async with calling(tmp_path, campaign=rules, start_ns=almost_20, agents=("ana",)) as company:
        await company.add(MADRID)
        await company.start()
        await company.until(lambda: company.switchboard.contacts(phase="offered"))
        await trio.sleep(60)
        assert company.switchboard.contacts() == []
        counts = await company.counts()
        assert (counts["pending"], counts["live"]) == (1, 0)
        (row,) = await company.dialler.records("renewals", state="pending", after=0, limit=10)
        assert row.next_ns == MADRID_6_00 + 27 * HOUR_S * 10**9
        assert (row.attempts, company.rung) == (0, [])


async def test_numbers_on_the_do_not_call_list_are_not_called(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    script = Script()
    script.disposition = {SPAIN[3]: "never again"}
    rules = 'never_again = ["never again"]\nretry_s = { answered = 60 }'
    async with calling(tmp_path, script, campaign=rules) as company:
        await company.dialler.block([SPAIN[0]], "asked us")
        added = await company.dialler.add("renewals", [])
        await company.add(*SPAIN[:2])
        await company.dialler.block([SPAIN[1]], "wrote to us")
        await company.add(SPAIN[3])
        await company.start()
        counts = await company.settled()
        assert counts == {"pending": 0, "live": 0, "done": 1, "stopped": 0, "do_not_call": 1}
        assert company.numbers() == [SPAIN[3]]
        assert [number for number, _, _ in await company.dialler.blocked("", 10)] == [
            SPAIN[0],
            SPAIN[1],
            SPAIN[3],
        ]
        assert added.added == 0
        assert await company.dialler.unblock(SPAIN[0])
        assert not await company.dialler.unblock(SPAIN[0])


async def test_number_that_is_blocked_while_it_waits_is_taken_back(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with calling(tmp_path, campaign='mode = "preview"', agents=("ana",)) as company:
        await company.add(SPAIN[0])
        await company.start()
        await company.until(lambda: company.switchboard.contacts(phase="offered"))
        await company.dialler.block([SPAIN[0]], "asked us")
        await trio.sleep(5)
        assert company.switchboard.contacts() == []
        assert (await company.counts())["do_not_call"] == 1


async def test_record_that_a_supervisor_takes_out_is_not_called_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with calling(tmp_path, campaign='mode = "preview"', agents=("ana",)) as company:
        await company.add(SPAIN[0])
        await company.start()
        await company.until(lambda: company.switchboard.contacts(phase="offered"))
        (view,) = company.switchboard.contacts(phase="offered")
        await company.switchboard.submit(CancelContact(contact=view.id, by="supervisor"))
        assert (await company.settled())["stopped"] == 1
        assert company.rung == []


async def test_no_more_than_so_many_are_begun_in_a_minute(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    script = Script()
    script.plan |= {number: ["busy"] for number in SPAIN[:40]}
    rules = "per_minute_max = 6\nretry_s = { rejected = 60 }"
    async with calling(tmp_path, script, campaign=rules) as company:
        await company.add(*SPAIN[:20])
        await company.start()
        await company.settled()
        times = sorted(at_s for at_s, _, _ in company.rung)
        assert len(times) == 20
        assert all(times[index + 6] - times[index] >= 59 for index in range(14))


async def test_order_is_by_priority_and_then_as_put_on_the_list(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with calling(tmp_path, agents=("ana",)) as company:
        await company.add(*SPAIN[:3])
        await company.add(SPAIN[3], priority=5)
        await company.add(SPAIN[0])  # stands on it already
        await company.start()
        await company.settled()
        assert company.numbers() == [SPAIN[3], *SPAIN[:3]]


async def test_restart_goes_on_where_it_was(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    journal, script = MemoryJournal(), Script()
    company: Company | None = None
    now_ns = START_NS
    for _ in range(6):
        began_s = trio.current_time()
        async with calling(tmp_path, script, journal=journal, start_ns=now_ns, company=company) as company:
            if now_ns == START_NS:
                await company.add(*SPAIN[:12])
                await company.start()
            await trio.sleep(55)
        now_ns += round((trio.current_time() - began_s) * 10**9) + 10**9
    async with calling(tmp_path, script, journal=journal, start_ns=now_ns, company=company) as company:
        assert (await company.settled())["done"] == 12
        counted = Counter(company.numbers())
        assert set(counted) == set(SPAIN[:12])
        assert sum((await company.results()).values()) >= 12


@pytest.mark.parametrize("seed", range(3))
async def test_crashes_of_the_dialler_lose_no_record_and_call_nobody_twice(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """It dies before or after any piece of work on its database, again and again, and is run again."""
    chance = random.Random(seed)
    script = Script()
    script.plan |= {number: chance.choices(["busy", "no answer", "answered"], k=3) for number in SPAIN[:20]}
    plan = {number: list(ends) for number, ends in script.plan.items()}
    whole = Dialler._blocking
    crashes = 0

    async def dying(self: Dialler, ask: Callable[[], Any]) -> Any:
        nonlocal crashes
        when = chance.random()
        if when < 0.04:
            crashes += 1
            raise RuntimeError("died before")
        answer: Any = await whole(self, ask)
        if when > 0.96:
            crashes += 1
            raise RuntimeError("died after")
        return answer

    rules = "retry_s = { busy = 60, no_answer = 90 }"
    async with calling(tmp_path, script, campaign=rules) as company:
        await company.add(*SPAIN[:20])
        await company.start()
        with monkeypatch.context() as crashing:
            crashing.setattr(Dialler, "_blocking", dying)
            await trio.sleep(HOUR_S)
        assert crashes > 20
        await trio.sleep(120)
        assert (await company.settled())["done"] == 20
        rung = Counter(company.numbers())
        for number, ends in plan.items():
            until_answered = ends.index("answered") + 1 if "answered" in ends else 3
            assert rung[number] == until_answered, (number, ends)
        results = await company.results()
        assert sum(results.values()) == sum(rung.values())


@pytest.mark.parametrize("seed", range(3))
async def test_killed_daemon_that_is_started_again_has_lost_no_record(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, seed: int
) -> None:
    """What was durable of the journal and of the database at one moment is all that is left."""
    chance = random.Random(seed)
    script = Script()
    journal = MemoryJournal()
    now_ns = START_NS
    company: Company | None = None
    for life in range(5):
        folder = tmp_path / str(life)
        began_s = trio.current_time()
        async with calling(folder, script, journal=journal, start_ns=now_ns, company=company) as company:
            if life == 0:
                await company.add(*SPAIN[:8])
                await company.start()
            await trio.sleep(chance.uniform(1, 90))
            journal = as_of_now(journal)
            (database,) = folder.rglob("lists.sqlite")
            left = tmp_path / str(life + 1) / database.relative_to(folder)
            left.parent.mkdir(parents=True)
            company.dialler._store._open.execute("VACUUM INTO ?", (str(left),))
        now_ns += round((trio.current_time() - began_s) * 10**9) + 5 * 10**9
    async with calling(tmp_path / "5", script, journal=journal, start_ns=now_ns, company=company) as company:
        counts = await company.settled()
        assert counts["done"] == 8
        assert set(company.numbers()) == set(SPAIN[:8])


async def test_what_the_agent_wrote_before_a_restart_counts_after_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    rules = 'never_again = ["never again"]'
    async with calling(tmp_path, campaign=rules, journal=journal) as company:
        await company.add(SPAIN[0])
        await company.start()
        await company.until(lambda: company.switchboard.contacts(phase="connected"))
        (view,) = company.switchboard.contacts(phase="connected")
        await company.switchboard.submit(
            NoteContact(contact=view.id, agent=view.agent, disposition="never again")
        )
        await company.add(SPAIN[1])  # so that the journal is read on beyond the note
        await company.until(lambda: len(company.rung) == 2)
    now_ns = START_NS + round(trio.current_time() * 10**9)
    async with calling(
        tmp_path, campaign=rules, journal=journal, start_ns=now_ns, company=company
    ) as company:
        await company.settled()
        assert [number for number, _, _ in await company.dialler.blocked("", 10)] == [SPAIN[0]]
        (told,) = [
            row
            for row in await company.dialler.records("renewals", state="", after=0, limit=10)
            if row.number == SPAIN[0]
        ]
        assert (told.result, told.agent, told.disposition) == ("answered", view.agent, "never again")


async def test_customer_who_was_reached_before_a_restart_is_not_taken_back_after_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    async with calling(tmp_path, journal=journal) as company:
        await company.add(SPAIN[0])
        await company.start()
        await company.until(lambda: company.switchboard.contacts(phase="connected"))
        (view,) = company.switchboard.contacts(phase="connected")
        await company.add(SPAIN[1])  # so that the journal is read on beyond the connection
        await company.until(lambda: len(company.rung) == 2)
        await company.switchboard.submit(SetStatus(agent=view.agent, status="break"))
        passed = TransferContact(contact=view.id, agent=view.agent, target=Target(queue="renewals"))
        assert (await company.switchboard.submit(passed)).refusal is None
        await company.dialler.set_running("renewals", running=False)
    now_ns = START_NS + round(trio.current_time() * 10**9)
    other = ({"ana", "bea"} - {view.agent}).pop()
    async with calling(
        tmp_path, journal=journal, start_ns=now_ns, company=company, agents=(other,)
    ) as company:
        await trio.sleep(TALK_S / 2)
        still = company.switchboard.contact(view.id)
        assert still is not None
        assert still.phase == "waiting"


async def test_changed_hours_hold_from_the_next_start(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal = MemoryJournal()
    script = Script()
    script.plan |= {MADRID: ["busy"]}
    retry = "retry_s = { busy = 7200 }"
    async with calling(tmp_path, script, campaign=retry, journal=journal, start_ns=MADRID_6_00) as company:
        await company.add(MADRID)
        await company.start()
        await company.until(lambda: len(company.rung) == 1)
        await trio.sleep(60)
    began_s = trio.current_time()
    now_ns = MADRID_6_00 + round(began_s * 10**9)
    rules = f'hours = "calling"\n{retry}'
    async with calling(
        tmp_path, script, campaign=rules, journal=journal, start_ns=now_ns, company=company
    ) as company:
        await company.add(SPAIN[0])
        await trio.sleep(60)
        rows = await company.dialler.records("renewals", state="pending", after=0, limit=10)
        # The mobile may be on the Canary Islands, where the hours begin an hour later.
        assert {row.number: row.next_ns for row in rows}[SPAIN[0]] == MADRID_6_00 + 4 * HOUR_S * 10**9
    now_ns = MADRID_6_00 + round(trio.current_time() * 10**9)
    async with calling(
        tmp_path, script, campaign=retry, journal=journal, start_ns=now_ns, company=company
    ) as company:
        await company.settled()
        at_s = {number: at_s for at_s, number, _ in company.rung}
        assert at_s[SPAIN[0]] < 600
        assert 7200 <= at_s[MADRID] < 7300


async def test_number_that_may_be_called_again_is_called_when_it_is_put_on_the_list_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with calling(tmp_path) as company:
        await company.add(SPAIN[0], name="Eva")
        await company.dialler.block([SPAIN[0]], "asked us")
        again = [Entry(number=SPAIN[0], name="Eva Ruiz")]
        assert (await company.dialler.add("renewals", again)).blocked == 1
        assert await company.dialler.unblock(SPAIN[0])
        await company.start()
        await trio.sleep(60)
        assert company.rung == []
        assert (await company.dialler.add("renewals", again)).added == 1
        assert (await company.dialler.add("renewals", again)).duplicates == 1
        assert (await company.settled())["done"] == 1
        assert company.numbers() == [SPAIN[0]]
        (row,) = await company.dialler.records("renewals", state="", after=0, limit=10)
        assert row.name == "Eva Ruiz"
