"""What can't work in a flow: found before anybody calls, each with its place and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator

from centralita.config import Configuration
from centralita_menu_bot.flow import PLACEHOLDER, attributes_of
from centralita_menu_bot.hearing import phrases_of
from centralita_menu_bot.phrases import phrase
from centralita_menu_bot.settings import (
    BACK,
    KINDS,
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

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def faults(settings: Settings, configuration: Configuration) -> list[str]:
    """Everything that can't work, in the order of the file; ways are judged once all names are right."""
    steps: dict[str, Step] = {}
    found = list(_names(settings, steps))
    found += _targets(settings, steps)
    found += _choices(settings)
    found += _texts(settings)
    found += _questions(settings)
    found += _elsewhere(settings, configuration)
    return found or list(_ways(settings, steps))


def _names(settings: Settings, steps: dict[str, Step]) -> Iterator[str]:
    kinds: dict[str, str] = {}
    for kind in KINDS:
        for name, step in getattr(settings, kind).items():
            if not _NAME.fullmatch(name) or name in (BACK, REPEAT):
                yield f"{kind}.{name}: the name was {name!r}; allowed: {_NAME.pattern}, not {BACK} or {REPEAT}"
            if name in kinds:
                yield f"{kind}.{name}: {kinds[name]} has a step of this name too; steps share one set of names"
            kinds[name] = kind
            steps[name] = step
    for index, language in enumerate(settings.languages):
        if settings.languages.index(language) != index:
            yield f"languages[{index}] was {language!r}, which stands there twice"


def _places(settings: Settings) -> Iterator[tuple[str, Choice]]:
    """Every choice with its place."""
    for name, menu in settings.menus.items():
        for index, choice in enumerate(menu.choices):
            yield f"menus.{name}.choices[{index}]", choice
    for index, choice in enumerate(settings.anywhere):
        yield f"anywhere[{index}]", choice


def _targets(settings: Settings, steps: Collection[str]) -> Iterator[str]:
    named: list[tuple[str, str, bool]] = [("start", settings.start, False)]
    for place, choice in _places(settings):
        named.append((f"{place}.go", choice.go, True))
    for name, question in settings.questions.items():
        named.append((f"questions.{name}.go", question.go, False))
    for name, answer in settings.answers.items():
        if answer.go:
            named.append((f"answers.{name}.go", answer.go, True))
    for kind in ("menus", "questions"):
        for name, step in getattr(settings, kind).items():
            if step.otherwise:
                named.append((f"{kind}.{name}.otherwise", step.otherwise, False))
    if settings.otherwise:
        named.append(("otherwise", settings.otherwise, False))
    for place, target, may_return in named:
        if target not in steps and not (may_return and target in (BACK, REPEAT)):
            yield f"{place} was {target!r}{_known(target, steps)}"


def _known(target: str, names: Collection[str]) -> str:
    alike = difflib.get_close_matches(target, names, n=1)
    hint = f"; did you mean {alike[0]}?" if alike else ";"
    return f"{hint} known: {', '.join(sorted(names)) or 'none'}"


def _choices(settings: Settings) -> Iterator[str]:
    for name, menu in settings.menus.items():
        if not menu.choices:
            yield f"menus.{name}.choices: none; nobody could ever leave it"
    for place, choice in _places(settings):
        if not choice.key and not phrases_of(choice):
            yield f"{place}: has no key, label or words, so that nobody can choose it"
        if choice.language and choice.language not in settings.languages:
            yield f"{place}.language was {choice.language!r}; known: {', '.join(settings.languages)}"
        for attribute in choice.attributes:
            if not _ATTRIBUTE.fullmatch(attribute):
                yield f"{place}.attributes: {attribute!r} is no name; allowed: {_ATTRIBUTE.pattern}"
    anywhere = [(f"anywhere[{index}]", choice) for index, choice in enumerate(settings.anywhere)]
    yield from _clashes(anywhere)
    for name, menu in settings.menus.items():
        own = [(f"menus.{name}.choices[{index}]", choice) for index, choice in enumerate(menu.choices)]
        yield from _clashes([*anywhere, *own], since=len(anywhere))


def _clashes(choices: list[tuple[str, Choice]], since: int = 0) -> Iterator[str]:
    """Two choices that answer to the same key or word; those before `since` were compared already."""
    keys: dict[str, str] = {}
    words: dict[tuple[str, ...], str] = {}
    for index, (place, choice) in enumerate(choices):
        key = (choice.key or "").lower()
        if key and key in keys and index >= since:
            yield f"{place}.key was {choice.key!r}, which is the key of {keys[key]}"
        keys.setdefault(key, place)
        for phrase_ in phrases_of(choice):
            other = words.setdefault(phrase_, place)
            if other != place and index >= since:
                yield f"{place}: {' '.join(phrase_)!r} also names {other}"


def _texts(settings: Settings) -> Iterator[str]:
    attributes = attributes_of(settings)
    for place, text, needed in _all_texts(settings):
        if not isinstance(text, str):
            for language in text:
                if language not in settings.languages:
                    yield f"{place}.{language}: the bot does not speak it; languages: {', '.join(settings.languages)}"
            missing = [language for language in settings.languages if language not in text]
            if missing:
                yield f"{place}: not said in {', '.join(missing)}"
        spoken = [text] if isinstance(text, str) else list(text.values())
        if needed and not all(words.strip() for words in spoken):
            yield f"{place} is empty"
        for name in sorted({name for words in spoken for name in PLACEHOLDER.findall(words)}):
            if name not in attributes:
                yield f"{place}: {{{name}}} is nothing that is asked; known: {', '.join(sorted(attributes))}"
    for language in settings.phrases:
        if language not in settings.languages:
            yield f"phrases.{language}: the bot does not speak it; languages: {', '.join(settings.languages)}"
    for language in settings.languages:
        lacking = [name for name in ("retry", "listed", "spoken") if not phrase(settings, language, name)]
        if lacking:
            yield f"phrases.{language}: needs {', '.join(lacking)}, since none are built in for it"
    for language in settings.language_skills:
        if language not in settings.languages:
            yield f"language_skills.{language}: the bot does not speak it; languages: {', '.join(settings.languages)}"


def _all_texts(settings: Settings) -> Iterator[tuple[str, Text, bool]]:
    """(place, text, whether it must say something)."""
    yield "greeting", settings.greeting, False
    for place, choice in _places(settings):
        yield f"{place}.label", choice.label, False
    for kind in KINDS:
        for name, step in getattr(settings, kind).items():
            yield f"{kind}.{name}.say", step.say, kind != "hand_overs"
            yield f"{kind}.{name}.spoken", step.spoken, False
            if isinstance(step, Menu | Question):
                yield f"{kind}.{name}.retry", step.retry, False
            if isinstance(step, HandOver):
                yield f"{kind}.{name}.summary", step.summary, False
                for attribute, value in step.attributes.items():
                    yield f"{kind}.{name}.attributes.{attribute}", value, False


def _questions(settings: Settings) -> Iterator[str]:
    for name, question in settings.questions.items():
        place = f"questions.{name}"
        if not _ATTRIBUTE.fullmatch(question.attribute):
            yield f"{place}.attribute was {question.attribute!r}; allowed: {_ATTRIBUTE.pattern}"
        if question.length_min > question.length_max:
            yield f"{place}.length_min was {question.length_min}; at most length_max, {question.length_max}"
        try:
            re.compile(question.pattern)
        except re.error as error:
            yield f"{place}.pattern was {question.pattern!r}: {error}"


def _elsewhere(settings: Settings, configuration: Configuration) -> Iterator[str]:
    """Queues and skills must be the engine's."""
    engine = configuration.engine
    for name, end in settings.hand_overs.items():
        queues = [end.queue] if isinstance(end.queue, str) else list(end.queue.values())
        for queue in queues:
            if queue and queue not in engine.queues:
                yield f"hand_overs.{name}.queue was {queue!r}{_known(queue, engine.queues)}"
        if not isinstance(end.queue, str):
            missing = [language for language in settings.languages if language not in end.queue]
            if missing:
                yield f"hand_overs.{name}.queue: none given for {', '.join(missing)}"
        for skill in end.skills:
            if skill not in engine.skills:
                yield f"hand_overs.{name}.skills: {skill!r} is no skill{_known(skill, engine.skills)}"
    for language, skills in settings.language_skills.items():
        for skill in skills:
            if skill not in engine.skills:
                yield f"language_skills.{language}: {skill!r} is no skill{_known(skill, engine.skills)}"


def _ways(settings: Settings, steps: dict[str, Step]) -> Iterator[str]:
    """Steps that nobody reaches, circles without a question, and circles that nobody can leave."""
    kinds = {name: kind for kind in KINDS for name in getattr(settings, kind)}
    chosen = {name: _leads_to(step) for name, step in steps.items()}
    anywhere = [choice.go for choice in settings.anywhere if choice.go in steps]
    for name, step in steps.items():
        if isinstance(step, Menu | Question):
            chosen[name] += anywhere
    every = {
        name: [*chosen[name], *([step.otherwise] if isinstance(step, Menu | Question) else [])]
        for name, step in steps.items()
    }
    reached = _reachable(settings.start, every)
    if settings.otherwise:
        reached |= _reachable(settings.otherwise, every)
    for name in steps:
        if name not in reached:
            yield f"{kinds[name]}.{name}: nothing leads to it"
    if _begins_by_going_back(settings.start, steps):
        yield f"start was {settings.start!r}, which goes back to a menu before there is one"
    for name in _silent_circles(steps):
        yield f"answers.{name}.go: leads back to itself, and nobody is asked anything on the way"
    yield from _no_exit(steps, chosen, reached, kinds)


def _leads_to(step: Step) -> list[str]:
    if isinstance(step, Menu):
        return [choice.go for choice in step.choices if choice.go not in (BACK, REPEAT)]
    if isinstance(step, Question):
        return [step.go]
    if isinstance(step, Answer):
        return [step.go] if step.go and step.go not in (BACK, REPEAT) else []
    return []


def _reachable(start: str, leads: dict[str, list[str]]) -> set[str]:
    reached: set[str] = set()
    pending = [start]
    while pending:
        name = pending.pop()
        if name and name not in reached:
            reached.add(name)
            pending += leads[name]
    return reached


def _begins_by_going_back(start: str, steps: dict[str, Step]) -> bool:
    name = start
    for _ in steps:
        step = steps.get(name)
        if not isinstance(step, Answer):
            break
        name = step.go
    return name in (BACK, REPEAT)


def _silent_circles(steps: dict[str, Step]) -> Iterator[str]:
    for start in steps:
        name = start
        for _ in steps:
            step = steps[name]
            if not isinstance(step, Answer) or step.go not in steps:
                break
            name = step.go
            if name == start:
                yield start
                break


def _no_exit(
    steps: dict[str, Step], chosen: dict[str, list[str]], reached: set[str], kinds: dict[str, str]
) -> Iterator[str]:
    """Being handed over for wrong answers is no exit: a customer must be able to choose one."""
    leaves = {
        name
        for name, step in steps.items()
        if isinstance(step, HandOver) or (isinstance(step, Answer) and not step.go)
    }
    while True:
        more = {name for name, targets in chosen.items() if name not in leaves and leaves & set(targets)}
        if not more:
            break
        leaves |= more
    # An answer that goes back returns to whoever asked: it shuts nobody in by itself.
    returning = {
        name for name, step in steps.items() if isinstance(step, Answer) and step.go in (BACK, REPEAT)
    }
    told: set[frozenset[str]] = set()
    for name in steps:
        circle = frozenset(_reachable(name, chosen) - returning)
        if name in reached and name not in leaves | returning and circle not in told:
            told.add(circle)
            yield f"{kinds[name]}.{name}: no choice leads to an end, only round in {', '.join(sorted(circle))}"
