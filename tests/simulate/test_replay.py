"""A recording through the engine: what is given stays as given, and the totals add up."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from centralita.engine import Engine
from centralita.messages import AnyCommand, Record
from centralita.simulate.anonbank import COLUMNS, read_anonbank
from centralita.simulate.drive import Drive
from centralita.simulate.recorded import RecordingError
from centralita.simulate.replay import replay
from centralita.simulate.replay_floor import presences
from centralita.state import agent_state

MONTH = Path(__file__).parents[3] / "shared" / "data" / "anonbank_october1999.tsv.gz"
SMALL = [
    "AA0101 1 0 0 PS 991001 0:24:58 0:25:12 14 0:00:00 0:00:00 0 HANG 0:00:00 0:00:00 0 NO_SERVER",
    "AA0101 2 7 2 PS 991001 8:00:00 8:00:05 5 0:00:00 0:00:00 0 AGENT 8:00:05 8:02:05 120 eva",
    "AA0101 3 8 1 PS 991001 8:00:10 8:00:15 5 8:00:15 8:02:05 110 AGENT 8:02:05 8:03:05 60 eva",
    "AA0101 4 9 2 PS 991001 8:00:40 8:00:45 5 8:00:45 8:03:05 140 AGENT 8:03:05 8:03:35 30 eva",
    "AA0102 5 0 0 PS 991001 8:01:00 8:01:10 10 8:01:10 8:01:30 20 HANG 0:00:00 0:00:00 0 NO_SERVER",
    "AA0102 6 0 0 PS 991001 8:01:00 8:01:10 10 8:01:10 8:01:30 20 PHANTOM 0:00:00 0:00:00 0 NO_SERVER",
]


def _written(path: Path, lines: list[str], *, header: tuple[str, ...] = COLUMNS) -> Path:
    rows = ["\t".join(header), *("\t".join(line.split()) for line in lines)]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_customer_with_credit_overtakes_and_one_without_patience_leaves(tmp_path: Path) -> None:
    found = replay(read_anonbank(_written(tmp_path / "small.tsv", SMALL)))
    assert found.records == 6
    assert found.outcomes_engine == {"abandoned": 1, "ignored": 1, "left_in_self_service": 1, "served": 3}
    # The second to come has 90 s of credit and came 30 s after the first: it goes first.
    assert found.total.engine.waited_s_max == (30 + 120) - 10
    assert found.total.engine.waited_s_mean == pytest.approx((0 + 80 + 140) / 3, abs=0.001)
    assert found.total.recorded.waited_s_max == 140


def test_both_cores_replay_the_same(tmp_path: Path) -> None:
    recording = read_anonbank(_written(tmp_path / "small.tsv", SMALL))
    assert replay(recording, core="native") == replay(recording, core="naive")


def test_an_agent_is_taken_to_be_there_from_first_to_last_service(tmp_path: Path) -> None:
    contacts = read_anonbank(_written(tmp_path / "small.tsv", SMALL)).contacts
    (there,) = presences(contacts, 1800 * 10**9)
    assert (there.agent, (there.until_ns - there.from_ns) // 10**9) == ("eva", 210)


def test_a_compressed_recording_reads_as_the_plain_one(tmp_path: Path) -> None:
    plain = _written(tmp_path / "small.tsv", SMALL)
    packed = tmp_path / "small.tsv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_anonbank(packed).contacts == read_anonbank(plain).contacts


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (SMALL[1].replace("8:00:00", "eight"), ":2: vru_entry was 'eight'"),
        (SMALL[1].replace("AGENT", "TRANSFER"), ":2: outcome was 'TRANSFER'; known: AGENT, HANG, PHANTOM"),
        (SMALL[1].replace("991001", "1999-10-01"), ":2: date was '1999-10-01'; expected yymmdd"),
        (SMALL[1].rsplit(" ", 1)[0], ":2: has 16 columns; expected 17"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, broken: str, says: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read_anonbank(_written(tmp_path / "bad.tsv", [broken]))
    assert says in str(caught.value)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="the columns were a, b"):
        read_anonbank(_written(tmp_path / "bad.tsv", [], header=("a", "b")))
    with pytest.raises(RecordingError, match="can't be read"):
        read_anonbank(tmp_path / "nowhere.tsv")


@pytest.mark.skipif(
    not MONTH.is_file() or bool(os.environ.get("CI")), reason="needs ../shared/data; never in CI"
)
def test_the_bank_s_month_adds_up() -> None:
    recording = read_anonbank(MONTH)
    lived: list[Record] = []
    engines: list[Engine] = []

    def watch(drive: Drive) -> None:
        engines.append(drive.engine)
        drive.follows(lambda step, command: lived.append(_record(step.seq, drive.now_ns, command)))

    found = replay(recording, watch=watch)
    assert found.records == 34_623
    assert found.outcomes_recorded == {
        "abandoned": 2_106, "ignored": 147, "left_in_self_service": 1_509, "served": 30_861,
    }  # fmt: skip
    assert sum(found.outcomes_engine.values()) == 34_623
    assert found.outcomes_engine["ignored"] == 147
    assert found.outcomes_engine["left_in_self_service"] == 1_509
    assert found.outcomes_engine["served"] + found.outcomes_engine["abandoned"] == 30_861 + 2_106
    assert found.outcomes_engine["served"] >= 30_861  # nobody who waited to be served is lost
    (engine,) = engines
    assert engine.state.admitted_n == engine.state.ended_n == 34_623 - 147
    assert all(agent_state(engine.state, agent) == "offline" for agent in engine.state.agents.values())
    assert [record.seq for record in lived] == list(range(1, engine.seq + 1))


def _record(seq: int, at_ns: int, command: AnyCommand) -> Record:
    return Record(seq=seq, at_ns=at_ns, command=command, events=[])
