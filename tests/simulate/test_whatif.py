"""Recorded demand under another configuration: what must stay the same does, and what should change does."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from centralita.config import Agent, EngineConfig
from centralita.errors import ConfigurationError
from centralita.simulate.journal_demand import Demand, records_of
from centralita.simulate.recorded import Presence, Recorded, Recording
from centralita.simulate.replay import world_of
from centralita.simulate.whatif import whatif
from centralita.simulate.whatif_figures import ALL, LEVELS
from centralita.simulate.whatif_parts import Parts, Patience
from centralita_cli.whatif import whatif as whatif_command
from tests.simulate.test_replay_formats import S, recorded, written

START_NS = 1_700_000_000 * S
NEW = """\
skills = ["q"]
[queues.q]
skills = { q = 1 }
wrap_up_s = 10
[agents.eva]
skills = { q = 1 }
[agents.tom]
skills = { q = 1 }
[agents.ann]
skills = { q = 1 }
[channels.recorded]
type = "phone"
medium = "voice"
queue = "q"
"""


@lru_cache
def _busy_day() -> Recording:
    """Two agents, a customer every 70 s or so for three hours, who wait for two minutes on average."""
    rng = random.Random(7)
    contacts: list[Recorded] = []
    at_s = 0.0
    while at_s < 3 * 3600:
        at_s += rng.expovariate(1 / 70)
        spent_s, gives_up_s = rng.expovariate(1 / 120), rng.expovariate(1 / 120)
        leaves = rng.random() < 0.3
        contacts.append(
            recorded(
                len(contacts), at_s, wait_s=gives_up_s if leaves else 0, spent_s=0 if leaves else spent_s,
                agent="" if leaves else rng.choice(("eva", "tom")), outcome="abandoned" if leaves else "served",
            )
        )  # fmt: skip
    there = tuple(
        Presence(agent=agent, from_ns=START_NS, until_ns=START_NS + 14_000 * S) for agent in ("eva", "tom")
    )
    return Recording(contacts=tuple(contacts), source="busy", presences=there)


def _lived(folder: Path) -> tuple[Recording, EngineConfig, Path]:
    """The day as the engine lived it, out of its own journal."""
    world, _ = world_of(_busy_day(), wrap_up_s=10)
    path = written(folder, world)
    demand = Demand()
    for record in records_of(path):
        demand.fold(record)
    assert demand.config is not None
    return demand.recording("journal"), demand.config, path


def test_the_same_configuration_gives_what_was_recorded_again(tmp_path: Path) -> None:
    recording, config, _ = _lived(tmp_path)
    found = whatif(recording, config, present=config, replications=3)
    whole = found.cell()
    assert whole.recorded["offered"] == len(_busy_day().contacts)
    for measure, value in whole.recorded.items():
        assert whole.present[measure] == whole.proposed[measure]
        assert whole.change[measure].mean in (0, None)
        if measure != "occupancy":  # nobody asked for it here
            assert whole.present[measure].mean == pytest.approx(value), measure
    assert not found.agents_new
    assert not found.agents_gone


def test_one_more_agent_shortens_waits_and_everybody_is_accounted_for(tmp_path: Path) -> None:
    recording, config, _ = _lived(tmp_path)
    more = replace(config, agents={**config.agents, "ann": Agent(skills={"q": 1})})
    found = whatif(recording, more, present=config, replications=5)
    whole = found.cell()
    assert found.agents_new == ("ann",)
    asa, level, busy = whole.change["asa_s"], whole.change["of_offered"], whole.change["occupancy"]
    assert asa.mean is not None
    assert asa.half_width is not None
    assert asa.mean + asa.half_width < 0
    assert level.mean is not None
    assert level.mean > 0
    assert busy.mean is not None
    assert busy.mean < 0
    hours = [cell for cell in found.cells if cell.queue == ALL and cell.hour >= 0]
    assert sum(cell.recorded["offered"] or 0 for cell in hours) == whole.recorded["offered"]
    for cell in found.cells:
        for side in (cell.present, cell.proposed):
            assert side["offered"].mean == cell.recorded["offered"]


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    recording, config, _ = _lived(tmp_path)
    alone = whatif(recording, config, present=config, replications=3, seed=5)
    assert whatif(recording, config, present=config, replications=3, seed=5, workers=2) == alone


def test_what_the_proposed_configuration_has_no_place_for_is_named(tmp_path: Path) -> None:
    recording, config, _ = _lived(tmp_path)
    strange = replace(
        recording,
        contacts=(
            replace(recording.contacts[0], kind="gone", skills={"latin": 1}, channel="fax"),
            *recording.contacts[1:],
        ),
    )
    with pytest.raises(ConfigurationError) as caught:
        whatif(strange, config, present=config)
    assert caught.value.problems == [
        "queues: 'gone' is in the recording, but not here; known: q",
        "channels: 'fax' is in the recording, but not here; known: recorded",
        "skills: 'latin' is in the recording, but not here; known: q",
    ]


def test_unknown_patience_is_longer_than_what_was_waited_and_drawn_by_its_estimate() -> None:
    rng = random.Random(3)
    contacts = []
    for number in range(4000):
        patience_s, needed_s = rng.expovariate(1 / 60), rng.expovariate(1 / 40)
        left = patience_s < needed_s
        contacts.append(
            recorded(
                number, number, wait_s=min(patience_s, needed_s), spent_s=10, agent="" if left else "eva",
                outcome="abandoned" if left else "served",
            )
        )  # fmt: skip
    patience = Patience(contacts)
    drawn = [patience.beyond(0, rng) for _ in range(4000)]
    mean_s = sum(one for one in drawn if one is not None) / len(drawn) / S
    assert mean_s == pytest.approx(60, rel=0.1)  # without memory, though half of it was never seen
    later = [patience.beyond(50 * S, rng) for _ in range(2000)]
    assert all(one is not None and one > 50 * S for one in later)
    assert sum(one for one in later if one is not None) / len(later) / S == pytest.approx(110, rel=0.1)
    far = patience.beyond(10_000 * S, rng)
    assert far is not None
    assert far > 10_000 * S


def test_nobody_gives_up_where_nobody_ever_did() -> None:
    calls = [recorded(n, 10 * n, wait_s=5, spent_s=30, agent="eva") for n in range(5)]
    parts = Parts(calls).draw(1, 0)
    assert all(part.patience_ns is None for part in parts.values())
    assert [part.handling_ns for part in parts.values()] == [30 * S] * 5


def test_draws_are_the_same_for_the_same_replication_and_differ_for_another() -> None:
    parts = Parts(_busy_day().contacts)
    assert parts.draw(1, 0) == parts.draw(1, 0)
    assert parts.draw(1, 0) != parts.draw(1, 1)
    for contact in _busy_day().contacts:
        if contact.outcome == "abandoned":
            assert parts.draw(1, 1)[contact.id].patience_ns == contact.waited_ns


def test_the_command_lays_the_sides_out(tmp_path: Path) -> None:
    *_, path = _lived(tmp_path)
    new = tmp_path / "new.toml"
    new.write_text(NEW)
    run = CliRunner()
    arguments = [str(path), "--config", str(new), "--replications", "2", "--workers", "1"]
    shown = run.invoke(whatif_command, arguments)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("journal.sqlite: ")
    assert "New agents: ann." in shown.output
    for level in LEVELS:
        assert level in shown.output
    told = run.invoke(whatif_command, [*arguments, "--json"])
    assert told.exit_code == 0, told.output
    document = json.loads(told.output)
    whole = next(cell for cell in document["cells"] if (cell["queue"], cell["hour"]) == ("", -1))
    assert whole["recorded"]["occupancy"] == pytest.approx(whole["present"]["occupancy"]["mean"], abs=0.02)
    bad = run.invoke(whatif_command, [*arguments, "--queue", "q=nowhere"])
    assert bad.exit_code == 2
    assert "--queue was 'q=nowhere'; expected THEIRS=OURS, ours one of: q" in bad.output
