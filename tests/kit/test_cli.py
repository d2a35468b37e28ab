"""`centralita plugin check` and `centralita plugin checks`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from centralita import compatibility
from centralita.testing import CHECKS
from centralita_cli.main import cli


@pytest.fixture(autouse=True)
def logs_as_before() -> None:
    structlog.reset_defaults()


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["plugin", *arguments])
    structlog.reset_defaults()
    return result


def test_type_is_checked_and_every_check_told() -> None:
    result = call("check", "memory")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("journal, type memory of ")
    assert any(line.split()[:2] == ["905", "passed"] for line in lines)
    assert any(line.split()[:2] == ["909", "exempt"] for line in lines)
    assert lines[-1].endswith("3 exempt")


def test_name_of_a_plugin_means_all_its_types() -> None:
    found = json.loads(call("check", "http", "--only", "101", "--json").stdout)["reports"]
    assert [(one["kind"], one["type"]) for one in found] == [("front_doors", "http")]
    found = json.loads(call("check", "built_in", "--only", "101", "--json").stdout)["reports"]
    assert [(one["kind"], one["type"]) for one in found] == [
        ("channels", "program"),
        ("journal", "sqlite"),
        ("journal", "memory"),
    ]


def test_settings_of_a_configuration_are_used_and_its_folders_left_alone(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        'default_queue = "help"\n[queues.help]\n[kpi_sinks.lines]\ntype = "jsonl"\nfolder = "export"\n'
    )
    result = call("check", "jsonl", "--config", str(tmp_path / "c.toml"), "--only", "504", "--json")
    (report,) = json.loads(result.stdout)["reports"]
    assert report["settings"] == {"folder": "export"}
    assert [one["outcome"] for one in report["results"]] == ["passed"]
    assert [path.name for path in tmp_path.iterdir()] == ["c.toml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "no type and no plugin 'nothing' is installed; types: "),
        (["jsonl", "--set", "folder=x"], "--set folder=x: not KEY=VALUE as in TOML"),
        (
            ["jsonl", "--set", "fold=1"],
            "kpi_sinks.kit: Object contains unknown field `fold`; did you mean folder? known: content",
        ),
        (["jsonl", "--only", "7"], "--only 7: no such check"),
        (
            ["jsonl", "--driver", "nowhere:Driver"],
            "driver 'nowhere:Driver' can't be had: ModuleNotFoundError",
        ),
        (["jsonl", "--driver", "json:JSONDecoder"], "must be a centralita.testing.Driver"),
        (["jsonl", "--config", "gone.toml"], "gone.toml: no such file"),
    ],
)
def test_what_can_not_be_used_is_said(arguments: list[str], words: str) -> None:
    result = call("check", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_configuration_without_the_type_is_said(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('default_queue = "help"\n[queues.help]\n')
    result = call("check", "jsonl", "-c", str(tmp_path / "c.toml"))
    assert (result.exit_code, "no table has the type kpi_sinks.jsonl" in result.stderr) == (2, True)


def test_deprecated_use_is_a_warning_and_with_strict_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    goes = compatibility.Deprecated(what="hook register_kpi_sinks", gone_in=2, instead="use another")
    monkeypatch.setitem(compatibility.DEPRECATED_HOOKS, "register_kpi_sinks", goes)
    result = call("check", "jsonl", "--only", "101")
    assert result.exit_code == 0
    assert f"deprecated: {goes}" in result.stdout.splitlines()
    assert call("check", "jsonl", "--only", "101", "--strict").exit_code == 1


def test_checks_are_listed_with_their_claims() -> None:
    found = json.loads(call("checks", "--json").stdout)["checks"]
    assert [one["number"] for one in found] == sorted(CHECKS)
    lines = call("checks", "bots").stdout.splitlines()
    assert any(line.startswith("806") and "restart would lose" in line for line in lines)
    assert not any(line.startswith("301") for line in lines)
