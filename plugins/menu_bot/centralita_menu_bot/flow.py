"""Where a conversation stands, worked out from what the customer has said, and what the bot says next.

A fold: it keeps nothing between turns, so a restart, a second daemon or a turn asked twice give the same
words. Each message moves the conversation by one input; steps that need none are passed on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from centralita.protocols import BotTurn
from centralita_menu_bot.hearing import answer_to, by_key, by_word
from centralita_menu_bot.phrases import phrase, primary, spoken_in
from centralita_menu_bot.settings import (
    BACK,
    REPEAT,
    Answer,
    Choice,
    HandOver,
    Menu,
    Question,
    Settings,
    Step,
    Text,
)

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
NAME: Final = "name"
"""The placeholder of the customer's name."""
LANGUAGE: Final = "language"
"""The attribute that says which language the customer has chosen."""
SPOKEN_MEDIA: Final = ("voice", "video")

_NOBODY_SAID_WHERE: Final = HandOver()


@dataclass(frozen=True)
class Who:
    """What is known of the customer before the first word."""

    name: str = ""
    language: str = ""
    medium: str = ""


@dataclass
class _Conversation:
    language: str
    attributes: dict[str, str] = field(default_factory=dict)
    trail: list[str] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)
    """The menus and questions on the way; the last is the one that is open."""
    unusable_n: int = 0
    said: list[str] = field(default_factory=list)
    over: Literal["", "hand_over", "resolved"] = ""
    end: HandOver = _NOBODY_SAID_WHERE


class Flow:
    """The flow of one bot."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._steps: dict[str, Step] = {
            **settings.menus,
            **settings.questions,
            **settings.answers,
            **settings.hand_overs,
        }

    def turn(self, who: Who, opening: Sequence[str], heard: Sequence[str]) -> BotTurn:
        """What the bot says after the last of `heard`, the customer's messages since its first words.

        `opening` are those from before. A flow that has ended before the last message ends again.
        """
        settings = self._settings
        language = primary(who.language)
        talk = _Conversation(language if language in settings.languages else settings.languages[0])
        self._begin(talk, who, opening)
        for number, text in enumerate(heard, 1):
            if talk.over:
                break
            talk.said.clear()
            if number > settings.turns_max:
                self._give_up(talk, who)
            else:
                self._hear(talk, who, text)
        return self._turn(talk, who)

    def _begin(self, talk: _Conversation, who: Who, opening: Sequence[str]) -> None:
        start = self._steps[self._settings.start]
        if greeting := self._fill(talk, who, self._settings.greeting):
            talk.said.append(greeting)
        if isinstance(start, Menu):
            choices = (*start.choices, *self._settings.anywhere)
            named = (by_word(choices, text) for text in opening)
            meant = next((choice for choice in named if choice is not None), None)
            if meant is not None and meant.go not in (BACK, REPEAT):
                talk.visited.append(self._settings.start)
                self._choose(talk, who, meant)
                return
        self._enter(talk, who, self._settings.start)

    def _hear(self, talk: _Conversation, who: Who, text: str) -> None:
        step = self._steps[talk.visited[-1]]
        anywhere = self._settings.anywhere
        if isinstance(step, Menu):
            choices = (*step.choices, *anywhere)
            choice = by_key(choices, text) or by_word(step.choices, text) or by_word(anywhere, text)
            if choice is not None:
                self._choose(talk, who, choice)
                return
        elif isinstance(step, Question):
            kept = answer_to(step, text)
            choice = by_word(anywhere, text, whole=True)
            if choice is None and (kept is None or step.accept == "text"):
                choice = by_key(anywhere, text)
            if choice is not None:
                self._choose(talk, who, choice)
                return
            if kept is not None:
                talk.attributes[step.attribute] = kept
                talk.trail.append(f"{step.attribute}: {kept}")
                self._enter(talk, who, step.go)
                return
        self._not_understood(talk, who, step)

    def _choose(self, talk: _Conversation, who: Who, choice: Choice) -> None:
        talk.attributes |= choice.attributes
        if choice.language:
            talk.language = talk.attributes[LANGUAGE] = choice.language
        if choice.go not in (BACK, REPEAT):
            name = spoken_in(choice.label, self._settings.languages[0])
            talk.trail.append(name or next(iter(choice.words), "") or choice.key or choice.go)
        self._enter(talk, who, choice.go)

    def _not_understood(self, talk: _Conversation, who: Who, step: Step) -> None:
        assert isinstance(step, Menu | Question)
        talk.unusable_n += 1
        retries = self._settings.retries if step.retries is None else step.retries
        if talk.unusable_n > retries:
            self._otherwise(talk, who, step.otherwise)
            return
        words = self._fill(talk, who, step.retry) or phrase(self._settings, talk.language, "retry")
        talk.said += [words, self._prompt(talk, who, step)]

    def _otherwise(self, talk: _Conversation, who: Who, target: str) -> None:
        target = target or self._settings.otherwise
        if target:
            self._enter(talk, who, target)
        else:
            talk.over = "hand_over"

    def _give_up(self, talk: _Conversation, who: Who) -> None:
        """A person takes over, whatever the flow would still ask."""
        talk.over = "hand_over"
        if isinstance(self._steps.get(self._settings.otherwise), HandOver):
            self._enter(talk, who, self._settings.otherwise)

    def _enter(self, talk: _Conversation, who: Who, target: str) -> None:
        """Go to a step, and on to the next one that waits for the customer or ends it."""
        talk.unusable_n = 0
        if target == BACK and len(talk.visited) > 1:
            talk.visited.pop()
        if target in (BACK, REPEAT):
            target = talk.visited.pop()
        step = self._steps[target]
        while isinstance(step, Answer):
            talk.said.append(self._words(talk, who, step))
            if not step.go:
                talk.over = "resolved"
                return
            target = step.go
            if target in (BACK, REPEAT):
                target = talk.visited.pop()
            step = self._steps[target]
        if isinstance(step, HandOver):
            talk.over, talk.end = "hand_over", step
            if words := self._words(talk, who, step):
                talk.said.append(words)
            return
        # Coming round again is no way back to where one has just been.
        if target in talk.visited:
            del talk.visited[talk.visited.index(target) :]
        talk.visited.append(target)
        talk.said.append(self._prompt(talk, who, step))

    def _prompt(self, talk: _Conversation, who: Who, step: Menu | Question) -> str:
        said = self._words(talk, who, step)
        spoken = who.medium in SPOKEN_MEDIA
        if isinstance(step, Question) or (spoken and step.spoken):
            return said
        form = phrase(self._settings, talk.language, "spoken" if spoken else "listed")
        listed = [
            form.replace("{key}", choice.key).replace("{label}", label)
            for choice in step.choices
            if choice.key and (label := spoken_in(choice.label, talk.language))
        ]
        return (" " if spoken else "\n").join([said, *listed])

    def _words(self, talk: _Conversation, who: Who, step: Step) -> str:
        """What a step says, as it is said on this medium."""
        spoken = step.spoken if who.medium in SPOKEN_MEDIA else ""
        return self._fill(talk, who, spoken or step.say)

    def _fill(self, talk: _Conversation, who: Who, text: Text) -> str:
        values = {NAME: who.name, LANGUAGE: talk.language, **talk.attributes}
        return PLACEHOLDER.sub(lambda found: values.get(found[1], ""), spoken_in(text, talk.language))

    def _turn(self, talk: _Conversation, who: Who) -> BotTurn:
        texts = tuple(text for text in talk.said if text)
        if not talk.over:
            return BotTurn(texts=texts)
        end = talk.end
        summary = self._fill(talk, who, end.summary) or "; ".join(talk.trail)
        if talk.over == "resolved":
            return BotTurn(texts=texts, then="resolved", summary=summary)
        skills = {**end.skills, **self._settings.language_skills.get(talk.language, {})}
        own = {name: self._fill(talk, who, value) for name, value in end.attributes.items()}
        return BotTurn(
            texts=texts,
            then="hand_over",
            queue=spoken_in(end.queue, talk.language),
            skills=skills or None,
            priority=end.priority,
            attributes={**talk.attributes, **own} or None,
            summary=summary,
        )


def attributes_of(settings: Settings) -> frozenset[str]:
    """Every attribute that a customer's answers can set, and what is known without asking."""
    choices = [*settings.anywhere, *(one for menu in settings.menus.values() for one in menu.choices)]
    set_by_choice = {name for choice in choices for name in choice.attributes}
    asked = {question.attribute for question in settings.questions.values()}
    return frozenset(asked | set_by_choice | {NAME, LANGUAGE})
