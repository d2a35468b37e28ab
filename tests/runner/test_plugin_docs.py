"""docs/plugins.md and the code say the same: every hook, every method, every parameter, every limit."""

import ast
import inspect
import re
import tomllib
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from centralita import compatibility, hookspecs, protocols
from centralita.config import ChannelRule
from centralita.journal import Journal
from centralita.runner import (
    asks,
    channels,
    desks,
    followers,
    inbox,
    lanes,
    recent,
    service,
    supervise,
    switchboard,
    thread,
)

DOCS = Path(__file__).parents[2] / "docs"
PLUGINS = (DOCS / "plugins.md").read_text(encoding="utf-8")
EMBEDDING = (DOCS / "embedding.md").read_text(encoding="utf-8")
KINDS = (
    protocols.Component,
    protocols.Inbox,
    protocols.Channel,
    protocols.CanForward,
    protocols.HasControls,
    protocols.Desk,
    protocols.Follower,
    protocols.KpiSink,
    protocols.Crm,
    protocols.KeepsPersonalData,
    protocols.Classifier,
    protocols.Bot,
    protocols.HasRoutes,
    protocols.FrontDoor,
    Journal,
)
PARTS = ("**When:**", "**Limit:**", "**Cancelled:**", "**Errors:**", "```python")


def signature(function: Callable[..., Any]) -> str:
    found = inspect.signature(function)
    parameters = [one for one in found.parameters.values() if one.name != "self"]
    return re.sub(r"'([^']+)'", r"\1", str(found.replace(parameters=parameters))).replace("= ''", '= ""')


def expected() -> Iterator[tuple[str, Callable[..., Any] | None]]:
    for name, hook in vars(hookspecs).items():
        if name.startswith("register_"):
            yield f"{name}{signature(hook)}", hook
    for kind in KINDS:
        for name, member in vars(kind).items():
            if name.startswith("_"):
                continue
            if inspect.isfunction(member):
                yield f"{kind.__name__}.{name}{signature(member)}", member
            elif isinstance(member, property):
                yield f"{kind.__name__}.{name}", None


EXPECTED = dict(expected())
SECTIONS = dict(re.findall(r"^### `(.+?)`\n(.*?)(?=^##|\Z)", PLUGINS, re.MULTILINE | re.DOTALL))


def test_every_hook_and_method_has_a_heading_with_its_signature_and_nothing_else_has() -> None:
    assert sorted(SECTIONS) == sorted(EXPECTED)


@pytest.mark.parametrize("heading", [heading for heading, function in EXPECTED.items() if function])
def test_section_says_all_and_its_example_has_the_parameters_of_the_code(heading: str) -> None:
    section, function = SECTIONS[heading], EXPECTED[heading]
    assert function is not None
    if not heading.startswith("register_"):
        assert [part for part in PARTS if part not in section] == []
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    tree = ast.parse(example)
    if heading.startswith("Inbox"):
        return
    made = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    (defined,) = [node for node in made if node.name == function.__name__]
    arguments = [*defined.args.args, *defined.args.kwonlyargs]
    assert [argument.arg for argument in arguments] == list(inspect.signature(function).parameters)
    assert isinstance(defined, ast.AsyncFunctionDef) == inspect.iscoroutinefunction(function)


def test_limits_in_the_docs_are_those_of_the_code() -> None:
    def says(heading: str, *words: str) -> None:
        (section,) = [text for name, text in SECTIONS.items() if name.startswith(heading)]
        flat = " ".join(section.split())
        assert [word for word in words if word not in flat] == [], heading

    first, longest = f"{supervise.FIRST_DELAY_S:g} s", f"{supervise.LONGEST_DELAY_S:g} s"
    says("Component.run", f"{supervise.START_S:g} s", f"after {first}, doubling to {longest}", "A minute up")
    assert supervise.STABLE_S == 60
    says("Inbox.submit", f"{inbox.COMPONENT_COMMANDS_MAX:,}")
    says(
        "Channel.send",
        f"{channels.CALL_S:g} s",
        f"{channels.RETRY_FIRST_S:g} s, doubling to {channels.RETRY_LONGEST_S:g} s",
        "three times more",
    )
    says("Channel.disconnect", "tried four times in all")
    assert channels.TRIES_AFTER_END_MAX == 4
    for method in ("announce", "disconnect", "hold", "join", "part", "signal"):
        says(f"Channel.{method}", f"**Limit:** {channels.CALL_S:g} s")
    for method in ("offer", "withdraw", "update", "signal"):
        says(f"Desk.{method}", f"**Limit:** {desks.CALL_S:g} s")
    says("Follower.write", f"{followers.BATCH_RECORDS_MAX:,}", f"{followers.WRITE_S:g} s")
    says("Crm.history", f"{switchboard.HISTORY_S:g} s")
    flat = " ".join(PLUGINS.split())
    assert (
        f"at most {lanes.WORKERS_MAX} at once for a channel or a desk, {asks.STAGE_WORKERS_MAX} for" in flat
    )
    assert "three in a row" in PLUGINS
    assert supervise.HANGS_MAX == 3


def test_version_of_the_api_in_the_docs_is_that_of_the_code() -> None:
    flat = " ".join(PLUGINS.split())
    assert f"This is version {compatibility.API_VERSION}." in flat
    assert f"{compatibility.ATTRIBUTE} = {compatibility.API_VERSION}" in flat
    assert compatibility.UNSTATED.gone_in == 2
    assert "from version 2 on it won't be loaded" in flat
    assert f"`{compatibility.PluginDeprecationWarning.__name__}`" in flat


def test_limits_told_to_embedders_are_those_of_the_code() -> None:
    flat = " ".join(EMBEDDING.split())
    for words in (
        f"what components were asked may finish for {service.STOP_ASKS_S:g} s",
        f"read to the last record ({service.STOP_FOLLOW_S:g} s at most)",
        f"At most {thread.CALLS_MAX:,} calls are on their way",
        f"one of the last {recent.ENDED_SHOWN_MAX:,} that ended",
    ):
        assert words in flat


@pytest.mark.parametrize("struct", [protocols.Context, protocols.Capabilities])
def test_every_field_a_plugin_is_given_or_gives_is_named(struct: type) -> None:
    missing = [name for name in typing.get_type_hints(struct) if f"`{name}`" not in PLUGINS]
    assert missing == []


def test_keys_that_the_engine_reads_of_a_channel_are_named() -> None:
    keys = ", ".join(f"`{name}`" for name in ChannelRule.__struct_fields__)
    assert f"the keys that the engine reads of a channel ({keys})" in PLUGINS


def test_every_method_of_the_switchboard_is_described_to_embedders() -> None:
    described = set(re.findall(r"^\| `(\w+)", EMBEDDING, re.MULTILINE))
    methods = {name for name, member in vars(protocols.Switchboard).items() if inspect.isfunction(member)}
    assert {name for name in methods if not name.startswith("_")} | {"submit"} <= described


@pytest.mark.parametrize("text", [PLUGINS, EMBEDDING], ids=["plugins.md", "embedding.md"])
def test_code_in_the_docs_is_well_formed(text: str) -> None:
    for language, code in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            compile(code, "docs", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        elif language == "toml":
            tomllib.loads(code)
