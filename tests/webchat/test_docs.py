"""What docs/webchat.md must name: every setting, every frame with its fields, every error code."""

import re
from pathlib import Path
from typing import get_args

import pytest

from centralita_webchat import frames
from centralita_webchat.settings import WebchatSettings

TEXT = (Path(__file__).parents[2] / "docs" / "webchat.md").read_text(encoding="utf-8")
WIDGET = Path(__file__).parents[2] / "plugins" / "webchat" / "centralita_webchat" / "static" / "widget"


@pytest.mark.parametrize("setting", WebchatSettings.__struct_fields__)
def test_setting_is_documented(setting: str) -> None:
    assert f"| `{setting}` |" in TEXT


@pytest.mark.parametrize(
    "frame",
    [*get_args(frames.AnyClientFrame), *get_args(frames.AnyServerFrame)],
    ids=lambda frame: frame.__name__,
)
def test_frame_is_documented_with_its_fields(frame: type[frames.ClientFrame | frames.ServerFrame]) -> None:
    rows = re.findall(rf"^\| `{frame.__struct_config__.tag}` \|.*$", TEXT, flags=re.MULTILINE)
    wanted = {f"`{field}`" for field in frame.__struct_fields__}
    assert any(wanted <= set(re.findall(r"`[^`]*`", row)) for row in rows)


@pytest.mark.parametrize("code", frames.ERROR_CODES)
def test_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in TEXT


def test_widget_says_the_same_things_in_both_languages() -> None:
    words = (WIDGET / "words.js").read_text(encoding="utf-8")
    english, spanish = words.split("\n  es: {")
    keys = [re.findall(r"(\w+): (?=[\"(])", part) for part in (english, spanish)]
    assert keys[0] == keys[1]
    assert len(keys[0]) > 40


def test_widget_makes_no_markup_from_text() -> None:
    for path in WIDGET.glob("*.js"):
        script = path.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script
        )


def test_every_word_of_the_widget_is_used() -> None:
    words = (WIDGET / "words.js").read_text(encoding="utf-8").split("\n  es: {")[0]
    rest = "".join(
        path.read_text(encoding="utf-8") for path in WIDGET.glob("*.js") if path.name != "words.js"
    )
    unused = [
        key for key in re.findall(r"(\w+): (?=[\"(])", words) if not re.search(rf"\bsay\.{key}\b", rest)
    ]
    assert unused == []
