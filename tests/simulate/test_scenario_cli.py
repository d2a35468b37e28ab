"""`centralita simulate` and `centralita staff`, and the scenarios among the examples."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

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
    assert re.search(r"^appointments 17:00 ", output, re.MULTILINE)
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


def test_a_page_of_a_day_to_which_nobody_came_says_so(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    scenario, page = tmp_path / "quiet.toml", tmp_path / "quiet.html"
    scenario.write_text(
        'skills = ["general"]\n[queues.calls]\nskills = { general = 1 }\n[simulate]\nduration_s = 60\n'
        '[simulate.customers.callers]\narrivals = { kind = "listed", at_s = [60] }\n'
        'handling = { kind = "deterministic", value_s = 60 }\n',
        encoding="utf-8",
    )
    invoke("simulate", str(scenario), "--replications", "2", "--workers", "1", "--plots", str(page))
    assert "nobody came" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_scenarios_pass_the_check(path: Path) -> None:
    assert "0 errors" in (output := invoke("check", str(path))) or "nothing to mend" in output


def test_check_says_of_a_scenario_what_nobody_in_it_can_serve(tmp_path: Path) -> None:
    path = tmp_path / "clinic.toml"
    text = Path(CLINIC).read_text()
    path.write_text(
        text.replace("appointments = 3, prescriptions = 6", "appointments = 3, prescriptions = 2")
    )
    assert "queues.prescriptions" in invoke("check", str(path), code=1)
    path.write_text(text.replace('queue = "prescriptions"', 'queue = "pills"'))
    assert "simulate.customers.repeats.queue: was 'pills'" in invoke("check", str(path), code=1)


def test_a_scenarios_channels_need_no_plugin() -> None:
    text = Path(CLINIC).read_text() + '[channels.chat]\nmedium = "chat"\nqueue = "appointments"\n'
    assert set(simulate.loads(text).config.channels) == {"chat"}


def test_ctrl_c_ends_the_command_without_a_traceback_of_its_workers() -> None:
    command = "from centralita_cli.main import main; main()"
    arguments = ("simulate", CLINIC, "--replications", "2000", "--workers", "2")
    running = subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        start_new_session=True,
    )
    # Workers have started once the kernel shows children; whatever they do then, they must not speak.
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    while running.poll() is None and len(children.read_text().split()) < 3:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    said, complained = running.communicate(timeout=120)
    assert (running.returncode, said, complained.strip()) == (130, "", "Aborted!")


def test_a_page_names_hours_by_the_clock_and_follows_the_readers_light(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "clinic.html"
    invoke("simulate", CLINIC, "--replications", "2", "--workers", "1", "--plots", str(path))
    page = path.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in page
    assert "#000000" not in page
    assert page.count("<svg") == 3
    assert ">08:00<" in page
    assert "<td>prescriptions (60 s)</td>" in page
    identities = re.findall(r' id="([^"]+)"', page)
    assert all(f"#{identity}" in page for identity in identities)


def test_many_queues_are_rows_of_fields_and_several_at_once_fit(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    queues = [f"a_name_that_is_much_too_long_for_a_drawing_{number}" for number in range(plots.LINES_MAX + 1)]
    text = ['skills = ["any"]', "[simulate]", "duration_s = 1800"]
    text += ["[simulate.crews.chatters]", "agents = 2", "skills = { any = 1 }"]
    text += ["[channels.site]", 'type = "webchat"', 'medium = "chat"', f'queue = "{queues[0]}"']
    for queue in queues:
        text += [
            f"[queues.{queue}]",
            "skills = { any = 1 }",
            f"[simulate.customers.{queue}]",
            f'queue = "{queue}"',
        ]
        text += [
            'arrivals = { kind = "poisson", per_hour = 20 }',
            'handling = { kind = "deterministic", value_s = 100 }',
        ]
    scenario, path = tmp_path / "many.toml", tmp_path / "many.html"
    scenario.write_text("\n".join(text))
    found = json.loads(
        invoke(
            "simulate", str(scenario), "--replications", "2", "--workers", "1", "--plots", str(path), "--json"
        )
    )
    assert found["crews"]["chatters"]["occupancy"]["mean"] > 1.1
    page = path.read_text(encoding="utf-8")
    assert "<image" in page
    assert ">a_name_that_…a_drawing_8<" in page
    assert ">200%<" in page


def test_what_can_not_be_written_is_said_before_the_run_or_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pyarrow")
    for option, name in (("--plots", "page.html"), ("--table", "stays.csv")):
        folder = tmp_path / name
        folder.mkdir()
        assert re.search(r"is a (folder|directory)", invoke("simulate", CLINIC, option, str(folder), code=2))
        assert "no folder" in invoke("simulate", CLINIC, option, str(tmp_path / "none" / name), code=2)
        # A name of the greatest length is a good one; what is being written has a longer one.
        long = f"{'n' * (255 - len(Path(name).suffix))}{Path(name).suffix}"
        arguments = ("--replications", "1", "--workers", "1", option, str(tmp_path / long))
        assert "can't be written: File name too long" in invoke("simulate", CLINIC, *arguments, code=5)
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "stays.csv"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "calls", "--format", "queue_log", "--away-after", "nan"),
        ("replay", "calls", "--format", "queue_log", "--wrap-up", "inf"),
        ("staff", CLINIC, "--level", "nan"),
        ("staff", CLINIC, "--within", "1e300"),
        ("fit", "calls", "--format", "queue_log", "--step", "nan"),
        ("figures", "journal.sqlite", "--target", "nan"),
        ("journal", "compact", "journal.sqlite", "--keep-days", "nan"),
    ],
    ids=lambda arguments: " ".join((arguments[0], *arguments[-2:])),
)
def test_a_number_that_is_none_is_refused(arguments: tuple[str, ...]) -> None:
    assert (
        "is not in the range" in (output := invoke(*arguments, code=2))
        or "is not a number in the range" in output
    )


def ended(redirected: str) -> subprocess.CompletedProcess[str]:
    """The installed command with its stdout redirected by a shell."""
    command = "from centralita_cli.main import main; main()"
    line = f'"{sys.executable}" -c "{command}" simulate "{CLINIC}" --replications 1 --workers 1 {redirected}'
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("redirected", "said"),
    [
        (">/dev/full", "No space left on device"),
        ("--json >/dev/full", "No space left on device"),
        (">&-", "it is closed"),
    ],
)
def test_a_stdout_that_takes_nothing_is_told_without_a_traceback(redirected: str, said: str) -> None:
    found = ended(redirected)
    assert (found.returncode, found.stderr) == (5, f"Error: stdout can't be written: {said}\n")


def test_a_reader_who_has_seen_enough_is_told_nothing() -> None:
    assert ended("--hours --json | head -c 1 >/dev/null").stderr == ""


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
