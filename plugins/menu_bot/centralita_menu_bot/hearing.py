"""Which choice a customer means: by key, or by a word anywhere in what was said.

Case, accents and punctuation don't count. Of several that are named, the longest phrase wins ("invoice copy"
before "invoice"); when two choices are named equally well, none is meant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from centralita_menu_bot.settings import Choice, Question

HEARD_CHARS_MAX: Final = 1000
"""What is longer than this is no answer to a menu or a question."""

_WORD: Final = re.compile(r"\w+")
_KEY: Final = re.compile(r"\s*([0-9a-z*#])\s*[.)#]?\s*", re.IGNORECASE)
_GROUPING: Final = re.compile(r"[\s.\-/()]+")


def plain(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return tuple(_WORD.findall(bare))


def phrases_of(choice: Choice) -> list[tuple[str, ...]]:
    """Everything by which a choice may be named, as words; the label in all its languages."""
    labels = [choice.label] if isinstance(choice.label, str) else choice.label.values()
    return [words for text in (*choice.words, *labels) if (words := plain(text))]


def by_key(choices: Iterable[Choice], text: str) -> Choice | None:
    """The choice whose key is all that was said (`2`, `2.`, `2#`)."""
    match = _KEY.fullmatch(text) if len(text) <= HEARD_CHARS_MAX else None
    if match is None:
        return None
    pressed = match[1].lower()
    return next((choice for choice in choices if choice.key and choice.key.lower() == pressed), None)


def by_word(choices: Sequence[Choice], text: str, *, whole: bool = False) -> Choice | None:
    """The choice that is named in what was said; with `whole`, only if nothing else was said."""
    if len(text) > HEARD_CHARS_MAX:
        return None
    said = plain(text)
    best, found = 0, []
    for choice in choices:
        length = max((len(one) for one in phrases_of(choice) if _within(one, said, whole)), default=0)
        if length > best:
            best, found = length, [choice]
        elif length and length == best:
            found.append(choice)
    return found[0] if len(found) == 1 else None


def _within(phrase: tuple[str, ...], said: tuple[str, ...], whole: bool) -> bool:
    if whole:
        return phrase == said
    length = len(phrase)
    return any(said[at : at + length] == phrase for at in range(len(said) - length + 1))


def answer_to(question: Question, text: str) -> str | None:
    """The answer as it is kept; None when it is not as it must be."""
    if len(text) > HEARD_CHARS_MAX:
        return None
    kept = text.strip()
    if question.accept == "digits":
        kept = _GROUPING.sub("", kept).removesuffix("#")
        if not (kept.isascii() and kept.isdigit()):
            return None
    if not question.length_min <= len(kept) <= question.length_max:
        return None
    if question.pattern and not re.fullmatch(question.pattern, kept):
        return None
    return kept
