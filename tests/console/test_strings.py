"""The words of the pages: every one in both languages, with the same gaps, and every one that is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import centralita_console
from centralita import matching, state
from centralita.messages import REFUSAL_CODES, Outcome

STATIC = Path(centralita_console.__file__).parent / "static"
SOURCES = {
    path.relative_to(STATIC).as_posix(): path.read_text(encoding="utf-8") for path in STATIC.rglob("*.js")
}
WORDS = "shared/strings.js"
CODE = "\n".join(text for name, text in SOURCES.items() if name != WORDS)

GENERAL_REFUSALS = {
    "unknown_agent",
    "unknown_queue",
    "unknown_channel",
    "unknown_skill",
    "bad_value",
    "bad_configuration",
}
"""Refusals whose own message names what was wrong, so the page shows that one."""


def strings() -> dict[str, list[str]]:
    text = SOURCES[WORDS]
    found: dict[str, list[str]] = json.loads(text[text.index("{\n") : text.rindex("}") + 1])
    return found


def test_every_word_is_there_in_both_languages_with_the_same_gaps() -> None:
    for key, pair in strings().items():
        assert len(pair) == 2, key
        english, spanish = pair
        assert english.strip(), key
        assert spanish.strip(), key
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", spanish)), key
        assert english.count("|") == spanish.count("|"), key


def test_counted_nouns_have_a_singular() -> None:
    never_one = {"composer.too_many_files", "waiting.first"}
    for key, pair in strings().items():
        for text in pair:
            counted = re.search(r"\{(?:n|busy|away)\} [a-z]+s\b", text)
            assert counted is None or "|" in text or key in never_one, f"{key}: {text!r} is said of one, too"


def test_no_key_stands_twice() -> None:
    keys = re.findall(r'^  "([\w.]+)": \[', SOURCES[WORDS], re.MULTILINE)
    assert sorted(keys) == sorted(set(keys))
    assert set(keys) == set(strings())


def test_every_word_that_is_asked_for_exists() -> None:
    asked = set(re.findall(r'\bt\(\s*"([\w.]+)"', CODE)) | set(re.findall(r'"(keys\.\w+)"', CODE))
    assert asked - set(strings()) == set()


def test_every_word_is_asked_for() -> None:
    asked = set(re.findall(r'"([a-z_]+\.\w+)"', CODE))
    prefixes = set(re.findall(r"`([a-z_]+\.(?:\w+_)?)\$\{", CODE)) | {
        f"{name}." for name in re.findall(r'\bword\(\s*"(\w+)"', CODE)
    }
    unused = [
        key
        for key in strings()
        if key not in asked and not any(key.startswith(prefix) for prefix in prefixes)
    ]
    assert unused == []


def test_the_engines_words_have_translations() -> None:
    known = set(strings())
    wanted = {f"phase.{phase}" for phase in state.Phase.__args__}  # type: ignore[attr-defined]  # what a Literal is made of
    wanted |= {f"state.{one}" for one in state.AgentState.__args__}  # type: ignore[attr-defined]  # as above
    wanted |= {f"outcome.{one}" for one in Outcome.__args__}  # type: ignore[attr-defined]  # as above
    wanted |= {f"rule.{rule}" for rule in matching.protocol.BARRED_RULES}
    wanted |= {f"refusal.{code}" for code in REFUSAL_CODES if code not in GENERAL_REFUSALS}
    assert wanted - known == set()


def test_every_shortcut_of_the_overlay_is_in_the_documentation() -> None:
    document = (Path(__file__).parents[2] / "docs" / "console.md").read_text(encoding="utf-8")
    keys = re.findall(r'\["(Alt [^"]+|Enter|/|\?)", "keys\.', SOURCES["desk/keys.js"])
    assert len(keys) > 15
    for key in keys:
        last = key.split(" ")[-1].split("…")[0]
        assert re.search(rf"\|[^|]*{re.escape(last)}[^|]*\|", document) or f"`{key}`" in document, key
