"""Rows and Arrow tables: a figure computed from them is the figure of the fold."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas
import pandas.testing
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
import pytest

from centralita import frames
from centralita.kpi import recount
from centralita.messages import Record
from centralita.rows import COLUMNS, KINDS
from centralita.tallies import AGENT_STATES, mean_s, ratio, seconds
from centralita.trend import Series
from tests.kpi.histories import AGENTS, QUEUES, History, S

SEEDS = range(8)


@cache
def records_of(seed: int, *, over: bool = False) -> list[Record]:
    history = History(seed)
    history.play(700)
    if over:
        history.drain()
    return history.records


@pytest.fixture(params=SEEDS, ids="seed={}".format)
def records(request: pytest.FixtureRequest) -> list[Record]:
    """A history that stops in the middle of everything."""
    return records_of(request.param)


def total(column: Any) -> int:
    return pc.sum(column).as_py() or 0


def where(found: pa.Table, **values: Any) -> pa.Table:
    for name, value in values.items():
        found = found.filter(pc.equal(found[name], value))
    return found


def in_ns(found: pa.Table) -> pa.Table:
    """Moments as whole numbers: Python's own have no nanoseconds."""
    moment = pa.timestamp("ns", "UTC")
    kinds = [(one.name, pa.int64() if one.type == moment else one.type) for one in found.schema]
    return found.cast(pa.schema(kinds))


@pytest.mark.parametrize("queue", QUEUES)
def test_figures_of_stays_are_those_of_the_fold(records: list[Record], queue: str) -> None:
    figures = recount(records).as_dict()["queues"][queue]
    stays = where(frames.table(records, "stays"), queue=queue)
    fates = {fate: where(stays, fate=fate) for fate in pc.unique(stays["fate"]).to_pylist()}

    def counted(fate: str, **values: Any) -> int:
        return int(where(fates.get(fate, stays.slice(0, 0)), **values).num_rows)

    answered, abandoned = counted("answered"), counted("abandoned")
    met, left = counted("answered", in_target=True), counted("abandoned", in_target=True)
    left_early = fates.get("abandoned", stays.slice(0, 0))
    short = left_early.filter(pc.less(left_early["wait_ns"], left_early["short_abandon_ns"])).num_rows
    callbacks = counted("became_callback", in_target=True)
    offered, decided = stays.num_rows, stays.num_rows - counted("waiting")
    assert {
        "offered": offered,
        "answered": answered,
        "answered_in_target": met,
        "abandoned": abandoned,
        "abandoned_in_target": left,
        "short_abandons": short,
        "became_callbacks": counted("became_callback"),
        "flowed_out": counted("flowed_out"),
        "removed": counted("removed"),
        "waiting": counted("waiting"),
        "asa_s": mean_s(total(fates.get("answered", stays.slice(0, 0))["wait_ns"]), answered),
        "abandon_wait_s": mean_s(total(left_early["wait_ns"]), abandoned),
        "service_levels": {
            "of_offered": ratio(met, decided),
            "of_answered": ratio(met, answered),
            "of_patient": ratio(met, decided - left),
            "asterisk_sl": ratio(met, answered),
            "asterisk_sl2": ratio(met + left, answered + abandoned),
            "genesys": ratio(met, answered + abandoned),
            "genesys_without_short_abandons": ratio(met, answered + abandoned - short),
            "genesys_with_flow_outs": ratio(met, answered + abandoned + counted("flowed_out")),
            "amazon_connect": ratio(met + left + callbacks, offered),
        },
    }.items() <= figures.items()


def test_outcomes_and_handling_times_are_those_of_the_fold(records: list[Record]) -> None:
    figures = recount(records).as_dict()
    contacts = frames.table(records, "contacts")
    customers = contacts.filter(pc.not_equal(contacts["direction"], "consultation"))
    assert figures["contacts"]["admitted"] == customers.num_rows
    assert figures["contacts"]["live"] == customers["ended_at"].null_count
    consultations = figures["consultations"]
    assert consultations["admitted"] == contacts.num_rows - customers.num_rows
    for queue in QUEUES:
        here, told = where(customers, queue=queue), figures["queues"][queue]
        handled = where(here, handled=True)
        assert told["handled"] == handled.num_rows
        for name in ("talk", "hold", "wrap_up"):
            assert told[f"{name}_s"] == mean_s(total(handled[f"{name}_ns"]), handled.num_rows)
        outcomes = {one: where(here, outcome=one).num_rows for one in told["outcomes"]}
        assert outcomes == told["outcomes"]


def test_offers_and_works_are_those_of_the_fold(records: list[Record]) -> None:
    figures = recount(records).as_dict()["agents"]
    offers, works = frames.table(records, "offers"), frames.table(records, "works")
    for agent in AGENTS:
        mine, told = where(offers, agent=agent), figures[agent]
        assert mine.num_rows == told["offers_made"]
        for fate in ("accepted", "declined", "expired", "withdrawn"):
            assert where(mine, fate=fate).num_rows == told[f"offers_{fate}"], fate
        done = where(works, agent=agent)
        done = done.filter(pc.is_valid(done["ended_at"]))
        talks = where(done, part="conversation", consultation=False)
        assert talks.num_rows == told["contacts"]
        assert where(done, part="conversation", consultation=True).num_rows == told["consultations"]
        wraps = where(done, part="wrap_up", consultation=False)
        for name, rows in (("talk", talks), ("hold", talks), ("wrap_up", wraps)):
            assert told[f"{name}_s"] == mean_s(total(rows[f"{name}_ns"]), told["contacts"])


def test_no_offer_of_a_whole_history_is_left_pending() -> None:
    records = records_of(3, over=True)
    assert "pending" not in frames.table(records, "offers")["fate"].to_pylist()
    assert "waiting" not in frames.table(records, "stays")["fate"].to_pylist()
    assert frames.table(records, "works")["ended_at"].null_count == 0


def test_agents_time_is_that_of_the_fold_and_leaves_no_gap(records: list[Record]) -> None:
    figures = recount(records).as_dict()["agents"]
    found = frames.table(records, "agents")
    for agent in AGENTS:
        mine, told = in_ns(where(found, agent=agent)).to_pylist(), figures[agent]
        spent = dict.fromkeys(AGENT_STATES, 0)
        for row in mine:
            spent[row["state"]] += row["spent_ns"]
        del spent["offline"]
        assert {state: seconds(ns) for state, ns in spent.items()} == told["time_s"]
        breaks: dict[str, int] = {}
        for row in mine:
            if row["state"] == "break":
                breaks[row["reason"]] = breaks.get(row["reason"], 0) + row["spent_ns"]
        assert {reason: seconds(ns) for reason, ns in breaks.items()} == told["break_s"]
        assert [row["until_at"] for row in mine[:-1]] == [row["from_at"] for row in mine[1:]]
        assert mine[-1]["until_at"] is None


@pytest.mark.parametrize("interval_s", [60, 900])
def test_intervals_are_those_of_the_trends(records: list[Record], interval_s: int) -> None:
    found = frames.table(records, "intervals", interval_s=interval_s)
    figures = recount(records).as_dict()
    for queue in QUEUES:
        mine, told = where(found, queue=queue), figures["queues"][queue]
        for name in ("offered", "answered", "answered_in_target", "abandoned", "handled"):
            assert total(mine[name]) == told[name]
        kept = figures["trends"]["minutes" if interval_s == 60 else "quarters"]
        rows = dict(zip(kept["start_ns"], kept["queues"][queue]["offered"], strict=True))
        begins = mine["begins_at"].cast(pa.int64()).to_pylist()
        offered = dict(zip(begins, mine["offered"].to_pylist(), strict=True))
        assert {at: number for at, number in rows.items() if number} == {
            at: number for at, number in offered.items() if number and at in rows
        }


def test_ratings_are_those_of_the_fold() -> None:
    rated = 0
    for seed in SEEDS:
        figures = recount(records_of(seed)).as_dict()["total"]
        ratings = frames.table(records_of(seed), "ratings")
        assert ratings.num_rows == figures["csat_count"]
        assert ratio(total(ratings["score"]), ratings.num_rows) == figures["csat_mean"]
        rated += ratings.num_rows
    assert rated


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_columns_types_and_rows(kind: str) -> None:
    found = frames.table(records_of(1), kind)
    assert found.schema == frames.schema(kind)
    assert found.column_names == list(COLUMNS[kind])
    assert found.num_rows
    for field in found.schema:
        if field.name.endswith("_at") or field.name == "waiting_since":
            assert field.type == pa.timestamp("ns", "UTC")
        if field.name.endswith("_ns"):
            assert field.type == pa.int64()


def read_csv(path: Path, shape: pa.Schema) -> pa.Table:
    types = pyarrow.csv.ConvertOptions(column_types=shape, strings_can_be_null=True)
    return pyarrow.csv.read_csv(path, convert_options=types)


READERS: dict[str, Callable[[Path, pa.Schema], pa.Table]] = {
    ".parquet": lambda path, _: pyarrow.parquet.read_table(path),
    ".arrow": lambda path, _: pyarrow.ipc.open_file(str(path)).read_all(),
    ".csv": read_csv,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", frames.FORMATS)
def test_files_are_read_back_as_they_were(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"made{suffix}"
    made = frames.table(records_of(2), kind)
    assert frames.write(path, kind, records_of(2)) == made.num_rows
    found = READERS[suffix](path, frames.schema(kind))
    assert found.cast(made.schema).equals(made)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_pandas_reads_every_kind_from_each_form_alike(tmp_path: Path, kind: str) -> None:
    made = frames.table(records_of(2), kind)
    expected = made.to_pandas()
    assert list(expected.columns) == made.schema.names
    assert len(expected) == made.num_rows > 0
    read = {".parquet": pandas.read_parquet, ".arrow": pandas.read_feather, ".csv": pandas.read_csv}
    assert set(read) == set(frames.FORMATS)
    for suffix, reader in read.items():
        frames.write(tmp_path / f"made{suffix}", kind, records_of(2))
        found = reader(tmp_path / f"made{suffix}")
        if suffix == ".csv":  # which knows no types
            assert list(found.columns) == list(expected.columns)
            assert len(found) == len(expected)
        else:
            pandas.testing.assert_frame_equal(found, expected)
    for name, kind_of in zip(made.schema.names, made.schema.types, strict=True):
        if pa.types.is_timestamp(kind_of):
            assert str(expected[name].dtype) == "datetime64[ns, UTC]", name


def test_figures_of_a_pandas_frame_are_those_of_the_fold() -> None:
    figures = recount(records_of(3)).as_dict()["total"]
    stays = frames.table(records_of(3), "stays").to_pandas()
    answered = stays[stays["fate"] == "answered"]
    assert len(answered) == figures["answered"] > 0
    assert int(answered["in_target"].sum()) == figures["answered_in_target"]
    assert seconds(int(answered["wait_ns"].sum()) // len(answered)) == figures["asa_s"]


def test_a_long_history_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = frames.table(records_of(4), "stays")
    monkeypatch.setattr(frames, "ROWS_AT_ONCE", 7)
    pieces = list(frames.batches(records_of(4), "stays"))
    assert len(pieces) > 3
    assert max(piece.num_rows for piece in pieces) < 30
    assert pa.Table.from_batches(pieces).equals(whole)


def test_a_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def torn() -> Any:
        yield from records_of(0)[:50]
        raise OSError("torn")

    with pytest.raises(OSError, match="torn"):
        frames.write(tmp_path / "x.parquet", "stays", torn())
    assert list(tmp_path.iterdir()) == []


def test_a_history_that_begins_in_the_middle_leaves_out_what_it_cannot_know() -> None:
    records = records_of(5)
    later = records[len(records) // 2 :]
    for kind in KINDS:
        frames.table(later, kind)
    counted = recount(later).as_dict()["total"]["offered"]
    assert frames.table(later, "stays").num_rows == counted


def test_what_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind was 'calls'; known: stays, contacts"):
        frames.table([], "calls")
    with pytest.raises(ValueError, match="interval_s was 0; must be a whole number of seconds"):
        frames.table([], "intervals", interval_s=0)
    with pytest.raises(frames.TableError, match=r"tables are written as \.parquet, \.arrow, \.csv"):
        frames.write(tmp_path / "made.xlsx", "stays", [])
    with pytest.raises(frames.TableError, match="there is no folder"):
        frames.write(tmp_path / "none" / "made.csv", "stays", [])


def test_without_pyarrow_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from centralita import frames\n"
        "try: frames.table([], 'stays')\n"
        "except frames.TableError as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=180
    )
    assert told.stdout == "tables need pyarrow: pip install 'centralita[arrow]'\n"


def test_an_empty_history_gives_an_empty_table() -> None:
    assert frames.table([], "intervals").num_rows == 0
    assert Series(S, 1).rows == []


PAGE = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_every_column_of_a_kind_and_no_other(kind: str) -> None:
    section = PAGE.partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]
    named = [
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert sorted(named) == sorted(COLUMNS[kind])


def test_python_in_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    space: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "docs/tables.md", "exec"), space)
    assert space["stays"].num_rows > 100
    assert len(space["waits"]) > 1
    assert (space["waits"] >= 0).all()
