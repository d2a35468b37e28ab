"""`centralita simulate` and `centralita staff`, and the scenarios among the examples."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from centralita import simulate
from centralita.simulate.scenario import World
from centralita_cli import plots
from centralita_cli.main import cli

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "scenarios").glob("*.toml"))
CLINIC = str(ROOT / "examples" / "scenarios" / "clinic.toml")
PAGE = (ROOT / "docs" / "simulate.md").read_text(encoding="utf-8")


def invoke(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_scenarios_can_be_run(path: Path) -> None:
    scenario = simulate.load(path)
    assert scenario.world.customers


@pytest.mark.parametrize("number", range(PAGE.count("```toml\n")))
def test_scenarios_in_the_docs_can_be_used(number: int) -> None:
    text = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[number]
    if "[simulate]" in text:
        simulate.loads(text)


def test_python_in_the_docs_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = [
        text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "examples/scenarios" in text
    ]
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/simulate.md", "exec"), {})


@pytest.mark.parametrize("name", World.__struct_fields__)
def test_every_setting_of_the_world_is_in_the_docs(name: str) -> None:
    assert f"`{name}`" in PAGE or f"`{name}." in PAGE


def test_simulate_shows_figures_with_intervals() -> None:
    output = invoke(
        "simulate", CLINIC, "--replications", "2", "--workers", "1", "--hours", "--agents", "--calibrate"
    )
    assert re.search(r"^prescriptions \(60 s\) +[\d,]+ ± ", output, re.MULTILINE)
    assert re.search(r"^appointments 09 ", output, re.MULTILINE)
    assert re.search(r"^nurses-4 ", output, re.MULTILINE)
    assert re.search(r"^appointments +any +[\d,]+ +80%", output, re.MULTILINE)


def test_simulate_writes_json_that_is_the_same_again() -> None:
    arguments = ("simulate", CLINIC, "--replications", "2", "--workers", "1", "--json")
    first = json.loads(invoke(*arguments))
    assert first == json.loads(invoke(*arguments))
    assert first != json.loads(invoke(*arguments, "--seed", "2"))
    assert first["runs"] == 2
    level = first["queues"]["appointments"]["of_offered"]
    assert 0 < level["mean"] <= 1
    assert level["half_width"] > 0


@pytest.mark.parametrize("ending", plots.FORMATS)
def test_plots_are_written(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"clinic{ending}"
    invoke("simulate", CLINIC, "--replications", "2", "--workers", "1", "--calibrate", "--plots", str(path))
    drawn = path.read_bytes()
    assert drawn.startswith({".html": b"<!doctype html>", ".svg": b"<?xml", ".png": b"\x89PNG"}[ending])
    if ending == ".html":
        assert b"<svg" in drawn
        assert b"src=" not in drawn


def test_plots_without_matplotlib_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(name: str, package: str | None = None) -> None:
        return None

    monkeypatch.setattr(plots, "find_spec", nothing)
    assert importlib.util.find_spec("click") is not None
    output = invoke("simulate", CLINIC, "--plots", str(tmp_path / "page.html"), code=2)
    assert "pip install 'centralita-cli[plots]'" in output


def test_plots_in_an_unknown_form_are_refused_before_the_run(tmp_path: Path) -> None:
    assert ".html, .svg, .png" in invoke("simulate", CLINIC, "--plots", str(tmp_path / "page.gif"), code=2)


def test_faults_of_a_scenario_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(Path(CLINIC).read_text().replace('queue = "prescriptions"', 'queue = "pills"'))
    output = invoke("simulate", str(path), code=2)
    assert "simulate.customers.repeats.queue was 'pills'; known: appointments, prescriptions" in output


def test_staff_shows_a_plan_and_what_agents_buy(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(Path(CLINIC).read_text().replace("duration_s = 36_000", "duration_s = 7200"))
    arguments = ("staff", str(path), "--replications", "4", "--workers", "1", "--level", "0.7")
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    found = json.loads(result.output)
    assert result.exit_code == (0 if found["met"] else 1)
    assert [interval["start"] for interval in found["intervals"]] == ["08:00", "09:00"]
    assert {step["change"] for step in found["steps"]} >= {"as planned", "+1 nurses", "-1 front_desk"}
    shown = CliRunner().invoke(cli, list(arguments)).output
    assert re.search(r"^08:00 +\d+ \(\d+\)", shown, re.MULTILINE)
    assert "What an agent more or less buys" in shown
