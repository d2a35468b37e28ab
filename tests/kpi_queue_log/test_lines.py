"""The lines: a day told word by word, the figures that a reader gets, and the form that app_queue itself writes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from centralita.kpi import recount
from centralita.messages import (
    AbandonContact,
    ApplyConfiguration,
    EndConsultation,
    EndContact,
    PlaceContact,
    Record,
    RequestCallback,
    SetStatus,
    SignOut,
    StartConsultation,
    Target,
    Tick,
    TransferContact,
)
from centralita.simulate.queue_log import read_queue_log
from centralita_kpi_queue_log.lines import Scribe
from centralita_kpi_queue_log.memory import Memory
from centralita_kpi_queue_log.settings import Settings
from tests.engine.floor import Floor
from tests.kpi.histories import History

REAL = (Path(__file__).parent / "data" / "app_queue_22.log").read_text(encoding="utf-8")
"""What Asterisk 22 wrote of calls through its own Queue(), of each event that it could be made to write."""

SEEDS = range(25)


def written(records: list[Record], **settings: Any) -> str:
    scribe = Scribe(Settings(**settings), Memory())
    return b"".join(scribe.take(record) for record in records).decode()


def told(records: list[Record], **settings: Any) -> list[str]:
    """The lines without their times."""
    return [line.partition("|")[2] for line in written(records, **settings).splitlines()]


class Day(Floor):
    """A floor that begins on a whole second and tells the lines that came since it was last asked."""

    def __init__(self, rules: str = "wrap_up_s = 0", *, more: str = "", **settings: Any) -> None:
        super().__init__(rules, more=more)
        self.settings = settings
        self.told_n = len(told(self.records, **settings))

    def lines(self) -> list[str]:
        lines = told(self.records, **self.settings)
        new, self.told_n = lines[self.told_n :], len(lines)
        return [re.sub(r"\b\d{4,}\.(\d+)", r"ID.\1", line) for line in new]


def test_call_is_told_from_entering_to_its_end() -> None:
    day = Day()
    day.sign_in("ana")
    assert day.lines() == ["NONE|sales|ana|ADDMEMBER|"]
    call = day.admit("phone", handle="+34600111222")
    day.pass_time(7)
    day.serve(call, "ana")
    day.pass_time(65)
    day.do(AbandonContact(contact=call))
    assert day.lines() == [
        f"ID.{call}|sales|NONE|ENTERQUEUE||+34600111222|1",
        f"ID.{call}|sales|ana|CONNECT|7|ID.{call}-ana|7",
        f"ID.{call}|sales|ana|COMPLETECALLER|7|65|1",
    ]
    call = day.admit("phone")
    day.serve(call, "ana")
    day.do(EndContact(contact=call, by="ana"))
    assert day.lines()[-1] == f"ID.{call}|sales|ana|COMPLETEAGENT|0|0|1"


def test_customers_who_leave_are_told_with_their_places() -> None:
    day = Day()
    calls = [day.admit("phone") for _ in range(3)]
    day.pass_time(30)
    day.do(AbandonContact(contact=calls[0]))
    day.do(AbandonContact(contact=calls[2]))
    assert day.lines()[-2:] == [
        f"ID.{calls[0]}|sales|NONE|ABANDON|1|1|30",
        f"ID.{calls[2]}|sales|NONE|ABANDON|2|3|30",
    ]


def test_agent_who_does_not_answer_and_customer_who_leaves_while_it_rings() -> None:
    day = Day("wrap_up_s = 0\noffer_s = 15\nno_answer = 'stay'")
    day.sign_in("ana")
    call = day.admit("phone")
    day.pass_time(15)
    day.do(Tick())
    day.pass_time(2)
    day.do(AbandonContact(contact=call))
    assert day.lines()[-3:] == [
        f"ID.{call}|sales|ana|RINGNOANSWER|15000",
        f"ID.{call}|sales|ana|RINGCANCELED|2000",
        f"ID.{call}|sales|NONE|ABANDON|1|1|17",
    ]


def test_transfers_are_told_with_their_targets() -> None:
    day = Day()
    day.sign_in("ana", "bob")
    call = day.admit("phone")
    day.serve(call, day.asked(call)[0])
    first = day.contact(call).agent
    other = "bob" if first == "ana" else "ana"
    day.pass_time(20)
    day.lines()
    day.do(TransferContact(contact=call, agent=first, target=Target(agent=other)))
    day.serve(call, other)
    assert day.lines() == [
        f"ID.{call}|sales|{first}|BLINDTRANSFER|{other}|agent|0|20|1",
        f"ID.{call}|sales|NONE|ENTERQUEUE|||1",
        f"ID.{call}|sales|{other}|CONNECT|0|ID.{call}-{other}|0",
    ]
    consultation = day.do(StartConsultation(contact=call, agent=other, target=Target(agent=first))).contact
    day.serve(consultation, first)
    day.pass_time(5)
    day.do(EndConsultation(contact=call, agent=other, then="transfer"))
    day.do(EndContact(contact=call, by=first))
    assert day.lines() == [f"ID.{call}|sales|{other}|ATTENDEDTRANSFER|BRIDGE|ID.{call}-{first}|0|5|1"]


def test_who_leaves_a_queue_by_its_rules_is_told_by_the_nearest_word() -> None:
    more = '[queues.back]\n[queues.full]\nmax_waiting = 1\nwhen_full = { do = "queue", queue = "back" }'
    day = Day('wrap_up_s = 0\nmax_wait_s = 60\nwhen_waited = { do = "queue", queue = "back" }', more=more)
    call, key = day.admit("phone", handle="+34600111222"), day.admit("phone", handle="+34600111223")
    day.do(RequestCallback(contact=key))
    day.pass_time(60)
    day.do(Tick())
    first, second = day.admit("phone", queue="full"), day.admit("phone", queue="full")
    day.do(EndContact(contact=first, by="supervisor"))
    assert day.lines()[2:] == [
        f"ID.{key}|sales|NONE|EXITWITHKEY|callback|2|2|0",
        f"ID.{call}|sales|NONE|EXITWITHTIMEOUT|1|1|60",
        f"ID.{call}|back|NONE|ENTERQUEUE||+34600111222|1",
        f"ID.{first}|full|NONE|ENTERQUEUE|||1",
        f"ID.{second}|full|NONE|ENTERQUEUE|||2",
        f"ID.{second}|full|NONE|EXITEMPTY|2|2|0",
        f"ID.{second}|back|NONE|ENTERQUEUE|||2",
        f"ID.{first}|full|NONE|EXITEMPTY|1|1|0",
    ]


def test_breaks_and_leaving_are_told_of_every_queue() -> None:
    day = Day(more="[queues.spanish]\nskills = { es = 4 }")
    day.sign_in("ana")
    day.do(SetStatus(agent="ana", status="break", reason="coffee"))
    day.do(SetStatus(agent="ana", status="available"))
    day.do(SignOut(agent="ana"))
    day.sign_in("bob")
    assert day.lines() == [
        "NONE|sales|ana|ADDMEMBER|",
        "NONE|spanish|ana|ADDMEMBER|",
        "NONE|NONE|ana|PAUSEALL|coffee",
        "NONE|sales|ana|PAUSE|coffee",
        "NONE|spanish|ana|PAUSE|coffee",
        "NONE|NONE|ana|UNPAUSEALL|",
        "NONE|sales|ana|UNPAUSE|",
        "NONE|spanish|ana|UNPAUSE|",
        "NONE|sales|ana|REMOVEMEMBER|",
        "NONE|spanish|ana|REMOVEMEMBER|",
        "NONE|sales|bob|ADDMEMBER|",
    ]


def test_new_configuration_changes_who_is_a_member() -> None:
    day = Day()
    day.sign_in("bob")
    day.lines()
    config = Floor(more="[queues.english]\nskills = { en = 3 }").engine.state.config
    day.do(ApplyConfiguration(config=config))
    assert day.lines() == ["NONE|NONE|NONE|CONFIGRELOAD|", "NONE|english|bob|ADDMEMBER|"]


def test_customer_who_is_handed_on_to_a_number_is_passed_on() -> None:
    day = Day()
    day.sign_in("ana")
    call = day.admit("phone")
    day.serve(call, "ana")
    day.pass_time(20)
    day.lines()
    day.do(TransferContact(contact=call, agent="ana", target=Target(number="+34911222333")))
    assert day.lines() == [f"ID.{call}|sales|ana|BLINDTRANSFER|+34911222333|number|0|20|1"]


def test_settings_choose_media_ids_names_and_times() -> None:
    day = Day(media=("voice",), call_id="provider", agent_prefix="Agent/", caller=False)
    day.sign_in("ana")
    chat, call = day.admit("web"), day.admit("phone", handle="+34600111222")
    day.do(AbandonContact(contact=chat))
    day.serve(call, "ana")
    assert day.lines() == [
        "NONE|sales|Agent/ana|ADDMEMBER|",
        "p2|sales|NONE|ENTERQUEUE|||1",
        "p2|sales|Agent/ana|CONNECT|0|p2-ana|0",
    ]
    assert re.match(r"^1000\.000000\|", written(day.records, fractions=True))
    assert written(day.records).startswith("1000|")


def test_calls_that_an_agent_places_are_in_no_queue() -> None:
    day = Day()
    day.sign_in("ana")
    day.lines()
    call = day.do(PlaceContact(agent="ana", channel="phone", provider_id="x", handle="+34600")).contact
    day.do(EndContact(contact=call, by="ana"))
    assert day.lines() == []


def test_separators_in_names_and_addresses_are_no_separators() -> None:
    day = Day()
    call = day.admit("phone", handle="eva|1\n2")
    assert day.lines() == [f"ID.{call}|sales|NONE|ENTERQUEUE||eva 1 2|1"]


@pytest.mark.parametrize("seed", SEEDS)
def test_reader_of_the_log_gets_our_own_figures(seed: int, tmp_path: Path) -> None:
    history = History(seed)
    history.play(1500)
    records = history.drain()
    path = tmp_path / "queue_log"
    path.write_text(written(records, fractions=True), encoding="utf-8")
    recording = read_queue_log(path)
    assert recording.unread == ()
    outcomes = Counter((one.kind, one.outcome) for one in recording.contacts)
    waited_ns: dict[str, int] = defaultdict(int)
    for one in recording.contacts:
        waited_ns[one.kind] += one.waited_ns if one.outcome == "served" else 0
    for name, tally in recount(records).queues.items():
        if not name:
            continue
        assert outcomes[name, "served"] == tally.answered
        assert outcomes[name, "abandoned"] == tally.abandoned
        gone = tally.became_callbacks + tally.flowed_out + tally.removed
        assert outcomes[name, "turned_away"] == gone


def test_waits_that_a_reader_gets_are_those_of_the_figures(tmp_path: Path) -> None:
    """Without overflow, transfers and returns, a stay is the whole wait."""
    day = Day()
    waits = [3, 10, 25, 61]
    for seconds in waits:
        call = day.admit("phone")
        day.pass_time(seconds)
        day.sign_in("ana")
        day.serve(call, "ana")
        day.pass_time(30)
        day.do(EndContact(contact=call, by="ana"))
        day.do(SignOut(agent="ana"))
    path = tmp_path / "queue_log"
    path.write_text(written(day.records), encoding="utf-8")
    contacts = read_queue_log(path).contacts
    assert [one.waited_ns // 10**9 for one in contacts] == waits
    path.write_text(written(day.records, fractions=True), encoding="utf-8")
    contacts = read_queue_log(path).contacts
    tally = recount(day.records).queues["sales"]
    assert sum(one.waited_ns for one in contacts) == tally.wait_ns == sum(waits) * 10**9
    assert sum(one.handling_ns for one in contacts) == tally.talk_ns == 4 * 30 * 10**9


def forms(log: str) -> dict[str, set[tuple[str, ...]]]:
    """Of each event, what its columns look like: a number, a word, nothing."""
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for line in log.splitlines():
        time, call, queue, agent, event, *rest = line.split("|")
        assert re.fullmatch(r"\d{10}", time)
        kinds = tuple("n" if re.fullmatch(r"\d+", cell) else "w" if cell else "" for cell in rest)
        found[event].add((*("NONE" if cell == "NONE" else "w" for cell in (call, queue, agent)), *kinds))
    return found


def test_lines_have_the_form_of_those_that_app_queue_writes() -> None:
    ours: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for seed in SEEDS:
        for event, shapes in forms(written(History(seed).play(1500), caller=False)).items():
            ours[event] |= shapes
    theirs = forms(REAL.replace("|MANAGER|", "|NONE|").replace("600111222", ""))
    assert set(ours) - set(theirs) == {"ATTENDEDTRANSFER"}
    assert set(theirs) - set(ours) == set()
    for event, shapes in theirs.items():
        widths = {len(shape) for shape in shapes}
        for shape in ours[event]:
            assert len(shape) in widths, event
            if event not in ("PAUSE", "PAUSEALL", "UNPAUSE", "UNPAUSEALL", "EXITWITHKEY", "BLINDTRANSFER"):
                assert shape in shapes, event
    assert ours["ATTENDEDTRANSFER"] == {("w", "w", "w", "w", "w", "n", "n", "n")}


def test_reader_reads_what_app_queue_wrote() -> None:
    recording = read_queue_log(Path(__file__).parent / "data" / "app_queue_22.log")
    outcomes = Counter(one.outcome for one in recording.contacts)
    assert outcomes == {
        "served": REAL.count("|CONNECT|"),
        "abandoned": REAL.count("|ABANDON|"),
        "turned_away": 3,
    }
    assert recording.unread == ()
