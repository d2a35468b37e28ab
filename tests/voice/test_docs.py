"""docs/voice.md and the code say the same: every setting, every control, every code."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from centralita.config import loads
from centralita_asterisk.controls import AGENT_WORDS, SUPERVISOR_WORDS
from centralita_asterisk.incoming import FIELDS
from centralita_asterisk.settings import (
    DeskSettings,
    Phrases,
    Server,
    Speech,
    VoicemailSettings,
    VoiceSettings,
)

PAGE = (Path(__file__).parents[2] / "docs" / "voice.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", [VoiceSettings, DeskSettings, Server, Phrases, Speech, VoicemailSettings])
def test_every_setting_is_in_the_docs(table: type[msgspec.Struct]) -> None:
    missing = [name for name in table.__struct_fields__ if not re.search(rf"`{name}`|\b{name} = ", PAGE)]
    assert missing == []


@pytest.mark.parametrize("table", [VoiceSettings, DeskSettings, Speech])
def test_defaults_are_those_that_the_docs_say(table: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(table):
        row = re.search(rf"^\| `{field.name}` \| .* \| (.*) \|$", PAGE, re.MULTILINE)
        if row is None or not row[1].strip() or field.default is msgspec.NODEFAULT:
            continue
        default = field.default
        shown = (
            {None: "none", True: "true", False: "false", (): "[]"}.get(default)
            if not isinstance(default, (int, float)) or isinstance(default, bool)
            else f"{default:g}"
        )
        if shown is None:
            shown = msgspec.json.encode(default).decode()
        assert row[1].strip("`") == shown, field.name


def test_every_control_is_in_the_docs() -> None:
    assert [word for word in (*AGENT_WORDS, *SUPERVISOR_WORDS) if f"`{word}`" not in PAGE] == []


def test_every_word_of_the_dialplan_is_in_the_docs() -> None:
    assert [word for word in FIELDS if f"`{word}`" not in PAGE] == []


def test_configurations_in_the_docs_can_be_used() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    whole = loads("\n".join(blocks))
    assert {one.type for one in whole.components} == {"asterisk", "asterisk_voicemail"}
    for one in whole.components:
        kind = {"channels": VoiceSettings, "desks": DeskSettings}[one.kind]
        msgspec.convert(one.settings, VoicemailSettings if one.type == "asterisk_voicemail" else kind)
