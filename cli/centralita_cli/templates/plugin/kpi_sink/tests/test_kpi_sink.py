"""What the kit can't know: what is counted, and on which day."""

import sqlite3
from contextlib import closing
from pathlib import Path

import my_plugin
import pytest
import trio

import centralita
from centralita.errors import ConfigurationError
from centralita.messages import AbandonContact, AdmitContact


def settings(folder: Path, **sink: str) -> dict[str, object]:
    return {
        "domain": {"data": str(folder)},
        "journal": {"type": "memory"},
        "queues": {"help": {}},
        "channels": {"shop": {"type": "program", "queue": "help"}},
        "kpi_sinks": {"counts": {"type": "my_plugin", **sink}},
    }


def test_every_contact_that_ended_is_counted_by_its_outcome(tmp_path: Path) -> None:
    async def main() -> None:
        async with centralita.open_engine(
            settings(tmp_path), plugins=[my_plugin], entry_points=False
        ) as switchboard:
            for number in range(3):
                outcome = await switchboard.submit(AdmitContact(channel="shop", provider_id=str(number)))
                await switchboard.submit(AbandonContact(contact=outcome.contact))

    trio.run(main)
    # Followers read to the end before an engine stops.
    with closing(sqlite3.connect(tmp_path / "kpi_sinks" / "counts" / "counts.sqlite")) as db:
        rows = db.execute("SELECT queue, outcome, sum(ended) FROM counts GROUP BY queue, outcome").fetchall()
    assert rows == [("help", "abandoned", 3)]


def test_time_zone_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    async def main() -> None:
        raw = settings(tmp_path, time_zone="Mars/Olympus")
        async with centralita.open_engine(raw, plugins=[my_plugin], entry_points=False):
            pass

    with pytest.raises(ConfigurationError, match=r"kpi_sinks\.counts\.time_zone was 'Mars/Olympus'"):
        trio.run(main)
