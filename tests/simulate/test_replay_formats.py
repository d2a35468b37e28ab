"""Recordings of every kind: what is read, what is left out and counted, and how a fault is said."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from centralita.config import Agent, ChannelRule, EngineConfig, Queue
from centralita.journal import Encoder, SqliteJournal
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    ConnectContact,
    Customer,
    EndContact,
    IdentifyContact,
    Record,
    ReportConnection,
    SendOffer,
    SetStatus,
    SignIn,
    SignOut,
)
from centralita.personal import part
from centralita.simulate.drive import Drive
from centralita.simulate.journal_demand import Demand, read_journal
from centralita.simulate.queue_log import read_queue_log
from centralita.simulate.recorded import Presence, Recorded, Recording, RecordingError
from centralita.simulate.replay import parts_of, replay, world_of
from centralita.simulate.replay_world import World
from centralita.simulate.table import load_map, read_table
from centralita.simulate.whatif import playable
from centralita_cli.replay import replay as replay_command
from tests.kpi.histories import History

S = 1_000_000_000

LOG = """\
1700000000|NONE|sales|SIP/eva|ADDMEMBER|
1700000000|NONE|sales|SIP/tom|ADDMEMBER|
1700000005|c1|sales|NONE|DID|555
1700000005|c1|sales|NONE|ENTERQUEUE||2025550100|1
1700000009|c1|sales|SIP/tom|RINGNOANSWER|3000
1700000012|c1|sales|SIP/eva|CONNECT|7|c1-b|2
1700000020|c2|sales|NONE|ENTERQUEUE||2025550101|1
1700000050|c2|sales|NONE|ABANDON|1|1|30
1700000060|c3|sales|NONE|ENTERQUEUE||2025550102|1
1700000072|c1|sales|SIP/eva|COMPLETECALLER|7|60|1
1700000090|c3|sales|NONE|EXITWITHTIMEOUT|1|1|30
1700000100|NONE|sales|SIP/tom|PAUSE|
1700000110|c4|sales|NONE|ENTERQUEUE||2025550103|1
1700000111.5|c4|sales|SIP/eva|CONNECT|1|c4-b|1
1700000131.25|c4|sales|SIP/eva|BLINDTRANSFER|200|default|1|20|1
1700000140|c5|sales|NONE|ENTERQUEUE||2025550104|1
1700000145|c5|sales|NONE|MUSIC|jazz
1700000150|c9|sales|SIP/eva|COMPLETEAGENT|1|20|1
"""


def _log(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_queue_log_tells_waits_calls_and_who_was_there(tmp_path: Path) -> None:
    recording = read_queue_log(_log(tmp_path / "queue_log", LOG))
    told = [
        (
            one.id.split("/")[0],
            one.outcome,
            one.waited_ns / S,
            one.handling_ns / S,
            one.agent,
            one.answer_ns / S,
        )
        for one in recording.contacts
    ]
    assert told == [
        ("c1", "served", 7, 60, "SIP/eva", 2),
        ("c2", "abandoned", 30, 0, "", 0),
        ("c3", "turned_away", 30, 0, "", 0),
        ("c4", "served", 1.5, 19.75, "SIP/eva", 1),
    ]
    assert recording.contacts[0].customer == "2025550100"
    assert recording.presences == (
        Presence(agent="SIP/eva", from_ns=1_700_000_000 * S, until_ns=1_700_000_150 * S),
        Presence(agent="SIP/tom", from_ns=1_700_000_000 * S, until_ns=1_700_000_100 * S),
    )
    assert recording.unread == (
        ("COMPLETEAGENT without CONNECT", 1),
        ("still there at the end", 1),
        ("unknown event MUSIC", 1),
    )


def test_whoever_is_a_member_somewhere_and_not_paused_there_is_there(tmp_path: Path) -> None:
    log = """\
1000|NONE|q1|ann|PAUSE|
1010|NONE|q1|eva|ADDMEMBER|
1010|NONE|q2|eva|ADDMEMBER|
1020|NONE|q1|eva|PAUSE|
1030|NONE|q2|eva|PAUSE|
1040|NONE|NONE|eva|UNPAUSEALL|
1050|NONE|q1|eva|REMOVEMEMBER|
1060|NONE|NONE|eva|PAUSEALL|
1070|NONE|q1|ann|UNPAUSE|
1075|c1|q1|NONE|ENTERQUEUE||2025550100|1
1080|c1|q1|tom|CONNECT|5|x|1
1090|c1|q1|tom|COMPLETEAGENT|5|10|1
1100|NONE|q1|ann|REMOVEMEMBER|
"""
    told = read_queue_log(_log(tmp_path / "queue_log", log)).presences
    assert told is not None
    assert [(one.agent, one.from_ns // S, one.until_ns // S) for one in told] == [
        ("eva", 1010, 1030),
        ("eva", 1040, 1060),
        ("ann", 1070, 1100),
        ("tom", 1080, 1090),  # from queues.conf: only what was done is known
    ]


def test_a_queue_log_goes_through_the_engine(tmp_path: Path) -> None:
    found = replay(read_queue_log(_log(tmp_path / "queue_log", LOG)))
    # c3 was sent away by a time limit that the replay hasn't: eva is free for it at 1700000072.
    assert found.outcomes_recorded == {"abandoned": 1, "served": 2, "turned_away": 1}
    assert found.outcomes_engine == {"abandoned": 1, "served": 3}
    assert found.total.engine.asked == 4


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("17x|c1|q|NONE|ENTERQUEUE||1", ":2: time was '17x'; expected seconds since 1970"),
        ("1700000001|c1|q|NONE", ":2: has 4 columns; expected at least time, call, queue, agent, event"),
        ("1700000001|c0|q|a|CONNECT|soon|x", ":2: CONNECT's holdtime was 'soon'; expected whole seconds"),
        ("1699999999|c0|q|NONE|ABANDON|1|1|3", ":1: time: call 'c0' goes back in time"),
    ],
)
def test_a_line_of_a_queue_log_that_cannot_be_read_is_named(tmp_path: Path, line: str, says: str) -> None:
    path = _log(tmp_path / "queue_log", f"1700000000|c0|q|NONE|ENTERQUEUE||1\n{line}\n")
    with pytest.raises(RecordingError) as caught:
        read_queue_log(path)
    assert f"{path}{says}" in str(caught.value)


MAP = """\
time_format = "unix"
target_s = 15
[columns]
id = "uuid"
kind = "cc_queue"
asked = "joined"
answered = "answered"
ended = "terminated"
agent = "cc_agent"
outcome = "cc_cause"
customer = "caller"
priority = "score"
credit = "base"
[outcomes]
answered = "served"
Cancel = "abandoned"
"""
TABLE = """\
uuid,cc_queue,joined,answered,terminated,cc_agent,cc_cause,caller,score,base
u1,support,1700000000,1700000004,1700000064,eva,answered,2025550100,2,30
u2,support,1700000010,,1700000040,,Cancel,2025550101,,
"""


def _table(folder: Path, table: str = TABLE, layout: str = MAP) -> Recording:
    (folder / "calls.csv").write_text(table)
    (folder / "map.toml").write_text(layout)
    return read_table(folder / "calls.csv", load_map(folder / "map.toml"))


def test_a_table_is_read_by_its_map(tmp_path: Path) -> None:
    recording = _table(tmp_path)
    first, second = recording.contacts
    assert (first.waited_ns, first.handling_ns, first.priority, first.credit_s) == (4 * S, 60 * S, 2, 30.0)
    assert (second.outcome, second.waited_ns, second.agent, second.credit_s) == (
        "abandoned",
        30 * S,
        "",
        None,
    )
    assert recording.target_s == 15


def test_times_are_read_as_the_map_says_with_zones_and_fractions(tmp_path: Path) -> None:
    layout = MAP.replace('"unix"', '"iso"')
    rows = TABLE.replace("1700000000", "2023-11-14T23:13:20.5+01:00").splitlines()[:2]
    rows[1] = (
        rows[1].replace("1700000004", "2023-11-14 22:13:24").replace("1700000064", "2023-11-14 22:14:24")
    )
    (contact,) = _table(tmp_path, "\n".join(rows), layout).contacts
    assert contact.queued_ns == 1_700_000_000 * S + S // 2
    assert (contact.waited_ns, contact.handling_ns) == (3 * S + S // 2, 60 * S)


@pytest.mark.parametrize(
    ("was", "became", "says"),
    [
        (
            "u1,support,1700000000",
            "u1,support,monday",
            "calls.csv:2: joined was 'monday'; expected a number (unix)",
        ),
        ("eva,answered", "eva,Answered", "calls.csv:2: cc_cause was 'Answered'; known: answered, Cancel"),
        ("1700000004", "1699999990", "calls.csv:2: terminated less joined: waited was -10 s"),
        ("1700000040,,Cancel", ",,Cancel", "calls.csv:3: terminated less joined: waited is not known"),
        ("u2,", "u1,", "calls.csv:3: uuid was 'u1'; it stands in line 2 already"),
        ("uuid,", "id,", "calls.csv:1: no column uuid; there are: id, cc_queue"),
        (
            "u2,support,1700000010,,1700000040,,Cancel,2025550101,,",
            "u2,support",
            "calls.csv:3: cc_cause: there is",
        ),
    ],
)
def test_a_cell_of_a_table_that_cannot_be_read_is_named(
    tmp_path: Path, was: str, became: str, says: str
) -> None:
    assert was in TABLE
    with pytest.raises(RecordingError) as caught:
        _table(tmp_path, TABLE.replace(was, became))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("was", "became", "says"),
    [
        ('answered = "answered"\n', "", "columns: answered or waited must be named"),
        ('ended = "terminated"\n', "", "columns: ended or handling must be named"),
        ('id = "uuid"\n', "", "missing required field `id`"),
        ('"served"', '"won"', "Invalid enum value 'won'"),
        ("target_s", "target", "unknown field `target`"),
    ],
)
def test_a_map_that_cannot_be_used_says_why(tmp_path: Path, was: str, became: str, says: str) -> None:
    with pytest.raises(RecordingError) as caught:
        _table(tmp_path, layout=MAP.replace(was, became, 1))
    assert says in str(caught.value)
    assert "map.toml" in str(caught.value)


def test_the_command_reads_every_kind_and_says_what_is_missing(tmp_path: Path) -> None:
    _table(tmp_path)
    run = CliRunner()
    table, layout = str(tmp_path / "calls.csv"), str(tmp_path / "map.toml")
    good = run.invoke(replay_command, [table, "--format", "table", "--columns", layout, "--json"])
    assert good.exit_code == 0, good.output
    assert '"served": 1' in good.output
    bad = run.invoke(replay_command, [table, "--format", "table"])
    assert bad.exit_code == 2
    assert "--format table and --columns go together" in bad.output
    log = _log(tmp_path / "queue_log", LOG)
    shown = run.invoke(replay_command, [str(log), "--format", "queue_log"])
    assert shown.exit_code == 0, shown.output
    assert "Left out: 1 still there at the end." in shown.output


def recorded(
    number: int, at_s: float, *, wait_s: float, spent_s: float, agent: str, **more: object
) -> Recorded:
    """A served contact of kind `q`."""
    at_ns = round((1_700_000_000 + at_s) * S)
    fields = {
        "id": str(number), "kind": "q", "customer": f"+1202555{number:04}", "credit_s": None, "arrived_ns": at_ns,
        "queued_ns": at_ns, "waited_ns": round(wait_s * S), "handling_ns": round(spent_s * S), "agent": agent,
        "outcome": "served", **more,
    }  # fmt: skip
    return Recorded(**fields)  # type: ignore[arg-type]  # the caller's words are the contact's


def written(folder: Path, world: World) -> Path:
    """Run a world and keep its records in a journal's file."""
    records: list[Record] = []
    engine = world.drive.engine
    world.drive.follows(
        lambda step, command: records.append(
            Record(seq=step.seq, at_ns=engine.now_ns, command=command, events=list(step.events))
        )
    )
    world.run()
    return journal_of(folder, records)


def journal_of(folder: Path, records: Sequence[Record]) -> Path:
    """A journal's file with these records."""
    journal = SqliteJournal(folder)
    batch = Encoder().encode(records, after_seq=0, after_ns=0)
    journal.append(batch, expected_seq=0)
    journal.close()
    return journal.path


def test_our_own_journal_gives_back_the_demand_it_was_made_from(tmp_path: Path) -> None:
    contacts = (
        recorded(1, 0.1, wait_s=0, spent_s=100.7, agent="eva"),
        recorded(2, 10.3, wait_s=90.5, spent_s=60.1, agent="eva", priority=2, credit_s=15.0),
        recorded(3, 20.9, wait_s=30.2, spent_s=0, agent="", outcome="abandoned"),
        recorded(4, 300.4, wait_s=0, spent_s=20, agent="eva"),
    )
    there = (Presence(agent="eva", from_ns=1_700_000_000 * S, until_ns=1_700_000_400 * S),)
    given = Recording(contacts=contacts, source="given", presences=there)
    world, _ = world_of(given, wrap_up_s=5)
    recording = read_journal(written(tmp_path, world))
    assert recording.presences == there
    assert [(one.outcome, one.handling_ns, one.priority, one.credit_s) for one in recording.contacts] == [
        ("served", 100_700_000_000, 0, None),
        ("served", 60_100_000_000, 2, 15.0),
        ("abandoned", 0, 0, None),
        ("served", 20 * S, 0, None),
    ]
    # Eva is free 5 s of after-work after the first conversation, not when the recording says.
    assert [one.waited_ns / S for one in recording.contacts] == [0, 95.5, 30.2, 0]
    # Put through once more, nothing changes.
    again, _ = world_of(recording, wrap_up_s=5)
    again.run()
    assert [again.fates[one.id].waited_ns for one in recording.contacts] == [
        one.waited_ns for one in recording.contacts
    ]


def test_a_contact_s_own_skills_are_left_out_of_a_replay() -> None:
    contact = recorded(1, 0, wait_s=0, spent_s=10, agent="eva", skills={"latin": 3})
    found = replay(Recording(contacts=(contact,), source="one"))
    assert found.outcomes_engine == {"served": 1}


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(RecordingError, match=r"notes\.txt"):
        read_journal(tmp_path / "notes.txt")
    with pytest.raises(RecordingError, match="no such file"):
        read_journal(tmp_path / "nowhere.sqlite")


def test_a_journal_tells_breaks_declines_and_whom_a_customer_would_rather_have(tmp_path: Path) -> None:
    config = EngineConfig(
        skills=("q",),
        queues={"q": Queue(skills={"q": 1}, wrap_up_s=0, prefer_for_s=5)},
        agents={name: Agent(skills={"q": 1}) for name in ("eva", "tom")},
        channels={"line": ChannelRule(medium="voice", queue="q")},
        crms=("crm",),
    )
    drive, records = Drive(), list[Record]()
    drive.follows(
        lambda step, command: records.append(
            Record(seq=step.seq, at_ns=drive.now_ns, command=command, events=list(step.events))
        )
    )
    offers: list[SendOffer] = []
    drive.plays(SendOffer, offers.append)

    def at(second: int, *commands: AnyCommand) -> None:
        for command in commands:
            drive.at((1_700_000_000 + second) * S, partial(drive.do, command))

    def answer(second: int, *, accept: bool) -> None:
        drive.at(
            (1_700_000_000 + second) * S,
            lambda: drive.do(
                AnswerOffer(
                    contact=offers[-1].contact, agent=offers[-1].agent, offer=offers[-1].offer, accept=accept
                )
            ),
        )

    at(0, ApplyConfiguration(config=config), SignIn(agent="eva"), SignIn(agent="tom"))
    at(10, AdmitContact(channel="line", provider_id="1", handle="+12025550100"))
    at(11, IdentifyContact(contact=1, customer=Customer(id="7", preferred_agent="eva")))
    answer(12, accept=False)  # eva declines, tom is asked
    answer(15, accept=True)
    drive.plays(ConnectContact, lambda ask: drive.do(ReportConnection(contact=1, agent=ask.agent, made=True)))
    at(20, SetStatus(agent="eva", status="break"))
    at(40, EndContact(contact=1, by="tom"))
    at(50, SetStatus(agent="eva", status="available"))
    at(60, SetStatus(agent="tom", status="break"), SignOut(agent="eva"))
    at(70, SignOut(agent="tom"))
    drive.run()
    recording = read_journal(journal_of(tmp_path, records))
    (contact,) = recording.contacts
    assert (contact.preferred_agent, contact.declined_by, contact.agent) == ("eva", ("eva",), "tom")
    assert (contact.waited_ns, contact.answer_ns, contact.handling_ns) == (4 * S, 3 * S, 25 * S)

    def since(presence: Presence) -> tuple[str, int, int, int | None]:
        moments = (presence.from_ns, presence.until_ns, presence.gone_ns)
        first, last, gone = (moment and moment // S - 1_700_000_000 for moment in moments)
        return presence.agent, first or 0, last or 0, gone

    assert recording.presences is not None
    assert [since(one) for one in recording.presences] == [
        ("eva", 0, 20, 50),  # on a break until 50
        ("tom", 0, 60, 70),
        ("eva", 50, 60, None),
    ]
    again = World(
        recording.contacts,
        parts_of(recording.contacts),
        recording.presences,
        playable(config, recording.contacts, like=config),
    ).run()
    (fate,) = again.fates.values()
    # The decline takes as long as the answer: tom is asked after 3 s, and answers after 3 more.
    assert (fate.outcome, fate.waited_ns) == ("served", 6 * S)
    assert [agent.status for agent in again.drive.engine.state.agents.values()] == ["offline", "offline"]


def test_a_journal_tells_who_found_a_queue_closed_without_customers_words_too() -> None:
    history = History(5)
    history.play(1500)
    whole, bare = Demand(), Demand()
    for record in history.records:
        whole.fold(record)
        bare.fold(part(record)[0])
    told = whole.recording("x").contacts
    assert sum(contact.outcome == "ignored" for contact in told) > 0
    assert bare.recording("x").contacts == tuple(replace(contact, customer="") for contact in told)


def test_replay_ends_though_somebody_waits_whom_nobody_can_serve(tmp_path: Path) -> None:
    history = History(5)
    history.play(1500)
    history.drain()
    found = replay(read_journal(journal_of(tmp_path, history.records)))
    assert sum(found.outcomes_engine.values()) == found.records
    assert found.outcomes_engine["live"] > 0
