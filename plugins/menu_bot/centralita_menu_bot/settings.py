"""What an operator writes in `[bots.NAME] type = "menu"`: steps, and where each leads.

A step is a menu (the customer chooses), a question (the customer says something that is kept), an answer (we
say something) or a hand-over (a person takes it). All steps of a bot share one set of names. What can't work
together is `faults.py`'s business.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from centralita.config import Configuration, Level, Priority
from centralita.structs import Frozen

Words = Annotated[str, Meta(max_length=4000)]
Text = Words | dict[str, Words]
"""What the bot says: the same in every language, or by language."""

Key = Annotated[str, Meta(pattern=r"^[0-9A-Za-z*#]$")]
Retries = Annotated[int, Meta(ge=0, le=20)]

BACK: Final = "back"
REPEAT: Final = "repeat"
"""Targets that are no steps: the menu or question before this one, and this one again."""


class Part(Frozen, forbid_unknown_fields=True):
    """A piece of a flow."""


class Choice(Part):
    """One way out of a menu. The customer presses or types `key`, or says `label` or one of `words`.

    `language` is spoken from then on; `attributes` are kept with the contact.
    """

    go: str
    key: Key | None = None
    label: Text = ""
    words: tuple[Words, ...] = ()
    language: str = ""
    attributes: dict[str, str] = {}


class Menu(Part):
    """The customer chooses. The labels are listed after `say`, as the medium needs it.

    `retries` unusable answers are answered with `retry` and the menu once more; then `otherwise` follows.
    None and empty: as the bot says. On a telephone `spoken` is said instead, without a list: a recording of it all.
    """

    say: Text
    choices: tuple[Choice, ...]
    spoken: Text = ""
    retry: Text = ""
    retries: Retries | None = None
    otherwise: str = ""


class Question(Part):
    """What the customer answers is kept as `attribute`, if it is as it must be.

    `digits` takes digits, however they are grouped, and a closing #. `pattern` is a regular expression
    that the whole answer must match; lengths are in characters, after the grouping is gone.
    """

    say: Text
    attribute: str
    go: str
    spoken: Text = ""
    accept: Literal["text", "digits"] = "text"
    pattern: str = ""
    length_min: Annotated[int, Meta(ge=1, le=1000)] = 1
    length_max: Annotated[int, Meta(ge=1, le=1000)] = 200
    retry: Text = ""
    retries: Retries | None = None
    otherwise: str = ""


class Answer(Part):
    """We say something; then comes the step `go`, or, when it is empty, the matter is resolved."""

    say: Text
    go: str = ""
    spoken: Text = ""


class HandOver(Part):
    """A person takes over: from `queue`, or the contact's own when empty, with what was learnt.

    `summary` is what the agent reads first; empty: what was chosen and answered, in order.
    """

    say: Text = ""
    spoken: Text = ""
    queue: Text = ""
    skills: dict[str, Level] = {}
    priority: Priority | None = None
    attributes: dict[str, str] = {}
    summary: Words = ""


class Phrases(Part):
    """What the bot says by itself in one language. {key} and {label} are a choice's."""

    retry: Words = ""
    listed: Words = ""
    spoken: Words = ""


class Settings(Part):
    """One bot.

    `languages` are those it speaks; the first is for customers whose language it does not. `anywhere` are
    choices that every step has besides its own. `language_skills` are required of the agent, by the language
    in which the customer was spoken to.
    """

    start: str
    languages: Annotated[tuple[str, ...], Meta(min_length=1)] = ("en",)
    greeting: Text = ""
    menus: dict[str, Menu] = {}
    questions: dict[str, Question] = {}
    answers: dict[str, Answer] = {}
    hand_overs: dict[str, HandOver] = {}
    anywhere: tuple[Choice, ...] = ()
    retries: Retries = 2
    otherwise: str = ""
    turns_max: Annotated[int, Meta(ge=1, le=500)] = 100
    language_skills: dict[str, dict[str, Level]] = {}
    phrases: dict[str, Phrases] = {}

    def problems(self, configuration: Configuration) -> list[str]:
        """What can't work, each with its place below the bot's table."""
        from centralita_menu_bot.faults import faults

        return faults(self, configuration)


Step = Menu | Question | Answer | HandOver
KINDS: Final = ("menus", "questions", "answers", "hand_overs")
