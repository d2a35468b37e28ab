"""`centralita journal table`, `simulate --table`, `replay --table`: files that Arrow reads, and what is told instead."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet
import pytest

from centralita.frames import table
from centralita.kpi import recount
from centralita.messages import Record
from tests.cli.conftest import Call
from tests.cli.test_figures import kept
from tests.kpi.histories import History

CLINIC = str(Path(__file__).parents[2] / "examples" / "scenarios" / "clinic.toml")


@pytest.fixture(scope="module")
def records() -> list[Record]:
    history = History(23)
    history.play(400)
    return history.records


def test_a_journals_table_is_that_of_its_records(call: Call, tmp_path: Path, records: list[Record]) -> None:
    to = tmp_path / "offers.parquet"
    result = call(
        "journal", "table", str(kept(tmp_path, records)), "--kind", "offers", "-o", str(to), "--json"
    )
    assert result.exit_code == 0, result.stderr
    made = table(records, "offers")
    assert pyarrow.parquet.read_table(to).equals(made)
    assert json.loads(result.stdout) == {"file": str(to), "kind": "offers", "rows": made.num_rows}


def test_without_a_file_it_is_the_configurations_journal_and_stays(
    call: Call, tmp_path: Path, records: list[Record]
) -> None:
    (tmp_path / "centralita.toml").write_text("[queues.help]\n")
    kept(tmp_path / "data" / "journal", records)
    result = call("journal", "table", "-o", "stays.csv")
    rows = recount(records).as_dict()["total"]["offered"]
    assert (result.exit_code, result.stdout) == (0, f"stays.csv: {rows:,} rows of stays\n")
    assert len((tmp_path / "stays.csv").read_text().splitlines()) == 1 + rows


def test_a_simulations_table_counts_what_the_simulation_counts(call: Call, tmp_path: Path) -> None:
    to = tmp_path / "contacts.parquet"
    result = call("simulate", CLINIC, "--replications", "1", "--workers", "1", "--json", "--table", str(to),
                  "--kind", "contacts")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    contacts = pyarrow.parquet.read_table(to)
    assert f"{to}: {contacts.num_rows:,} rows of contacts" in result.stderr
    served = pc.sum(pc.equal(contacts["outcome"], "served")).as_py()
    assert found["total"]["served"]["mean"] == served > 100


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-o", "made.xlsx"), 2, "made.xlsx: tables are written as .parquet, .arrow, .csv"),
        (("-o", "none/made.csv"), 2, "none/made.csv: there is no folder none"),
        ((), 2, "Missing option '-o'"),
        (("-o", "made.csv", "--kind", "calls"), 2, "'calls' is not one of 'stays', 'contacts'"),
        (("-o", "made.csv", "--interval", "0"), 2, "0 is not in the range 1<=x<=31536000"),
        (("nowhere.sqlite", "-o", "made.csv"), 1, "nowhere.sqlite: there is no such file"),
        (("made.toml", "-o", "made.csv"), 1, "made.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_made_is_told(
    call: Call, tmp_path: Path, records: list[Record], arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "made.toml").write_text("[queues.help]\n")
    named = bool(arguments) and not arguments[0].startswith("-")
    result = call("journal", "table", *(() if named else (str(kept(tmp_path, records)),)), *arguments)
    assert (result.exit_code, words in result.stderr) == (code, True), result.stderr
    assert not (tmp_path / "made.csv").exists()
