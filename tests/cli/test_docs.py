"""The pages docs/cli.md and docs/configuration.md name every command, exit code and setting; their examples work."""

import re
from pathlib import Path

import pytest

from centralita import config
from centralita_cli import exits
from centralita_cli.main import BUILT_IN

DOCS = Path(__file__).parents[2] / "docs"
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")

TABLES = [
    config.Domain, config.Queue, config.Ring, config.Overflow, config.Agent, config.Medium, config.ChannelRule,
    config.Hours, config.Limits,
]  # fmt: skip


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_command_is_in_the_docs(name: str) -> None:
    assert re.search(rf"`{name}[ `]", CLI)


def test_every_exit_code_is_in_the_docs() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d) \|", CLI, re.MULTILINE)}
    codes = (exits.OK, exits.PROBLEM, exits.USAGE, exits.UNREACHABLE, exits.REFUSED, exits.BROKEN)
    assert documented == set(codes)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_setting_is_in_the_docs(table: type[config.Part]) -> None:
    assert [
        name for name in table.__struct_fields__ if not re.search(rf"`{name}`|\b{name} = ", CONFIGURATION)
    ] == []


def test_every_table_is_in_the_docs() -> None:
    missing = [kind for kind in config.COMPONENT_KINDS if f"`[{kind}.NAME]`" not in CONFIGURATION]
    assert missing == []


def test_examples_in_the_docs_can_be_used() -> None:
    first, *others = re.findall(r"```toml\n(.*?)```", CONFIGURATION, re.DOTALL)
    assert config.loads(first).engine.queues["sales"].max_wait_s == 600
    for example in others:
        config.loads(example)


def test_settings_of_each_table_have_the_defaults_that_the_docs_say() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+?) \|$", CONFIGURATION, re.MULTILINE))
    for part in (config.Queue(), config.Limits(), config.Medium(), config.Agent(), config.Domain()):
        for name in part.__struct_fields__:
            value = getattr(part, name)
            if name in rows and isinstance(value, int | float) and not isinstance(value, bool):
                assert float(rows[name].replace(",", "")) == value, name
