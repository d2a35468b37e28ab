"""What can't work in a flow is told with its place, before anything runs; and docs/menu-bot.md names every setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from centralita.errors import ConfigurationError
from centralita_menu_bot import settings as written
from tests.cli.daemon import run
from tests.menu_bot.flows import DOCS, SHOWN, settings_of


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        settings_of(text)
    return [problem.removeprefix("bots.reception.") for problem in raised.value.problems]


def changed(old: str, new: str) -> str:
    assert old in SHOWN
    return SHOWN.replace(old, new, 1)


STEPS = "known: account, billing, goodbye, hours, main, more, sales, someone"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (changed('go = "sales"', 'go = "slaes"'), f"menus.main.choices[2].go was 'slaes'; did you mean sales? {STEPS}"),
        (changed('start = "main"', 'start = "begin"'), f"start was 'begin'; {STEPS}"),
        (changed('start = "main"', 'start = "back"'), f"start was 'back'; {STEPS}"),
        (changed('go = "more"', 'go = "mroe"'), f"answers.hours.go was 'mroe'; did you mean more? {STEPS}"),
        (changed('go = "billing"', 'go = "back"'), f"questions.account.go was 'back'; {STEPS}"),
        (changed('otherwise = "someone"', 'otherwise = "some"'), f"otherwise was 'some'; did you mean someone? {STEPS}"),
        (SHOWN + '[bots.reception.answers.lamps]\nsay = "x"\n', "answers.lamps: nothing leads to it"),
        (
            SHOWN + '[bots.reception.answers.main]\nsay = "x"\n',
            "answers.main: menus has a step of this name too; steps share one set of names",
        ),
        (
            SHOWN + '[bots.reception.answers.back]\nsay = "x"\n',
            "answers.back: the name was 'back'; allowed: [a-z0-9][a-z0-9_.-]{0,63}, not back or repeat",
        ),
        (changed('key = "3"', 'key = "2"'), "menus.main.choices[2].key was '2', which is the key of menus.main.choices[1]"),
        (changed('key = "3"', 'key = "0"'), "menus.main.choices[2].key was '0', which is the key of anywhere[0]"),
        (changed('words = ["buy"', 'words = ["Bill"'), "menus.main.choices[2]: 'bill' also names menus.main.choices[1]"),
        (changed('words = ["buy"', 'words = ["atras"'), "menus.main.choices[2]: 'atras' also names anywhere[1]"),
        (
            changed('{ key = "*", words = ["back", "volver", "atrás"], go = "back" }', '{ go = "back" }'),
            "anywhere[1]: has no key, label or words, so that nobody can choose it",
        ),
        (changed('language = "es"', 'language = "fr"'), "menus.main.choices[3].language was 'fr'; known: en, es"),
        (changed('es = "Abrimos de 9 a 18."', 'it = "Aperto"'), "answers.hours.say: not said in es"),
        (
            changed('es = "Abrimos de 9 a 18."', 'es = "x", it = "Aperto"'),
            "answers.hours.say.it: the bot does not speak it; languages: en, es",
        ),
        (changed('en = "Goodbye!"', 'en = " "'), "answers.goodbye.say is empty"),
        (
            changed("account {account}", "account {acount}"),
            "hand_overs.billing.say: {acount} is nothing that is asked; known: account, language, name",
        ),
        (changed('attribute = "account"', 'attribute = "the account"'), "questions.account.attribute was 'the account'"),
        (changed("length_min = 6", "length_min = 7"), "questions.account.length_min was 7; at most length_max, 6"),
        (changed("length_min = 6", 'pattern = "[0-9"'), "questions.account.pattern was '[0-9': unterminated character set"),
        (changed('queue = "billing"', 'queue = "biling"'), "hand_overs.billing.queue was 'biling'; did you mean billing?"),
        (changed('queue = "billing"', 'queue = { en = "billing" }'), "hand_overs.billing.queue: none given for es"),
        (changed("priority = 1", "skills = { french = 1 }"), "hand_overs.billing.skills: 'french' is no skill; known: "),
        (changed("es = { spanish = 4 }", "es = { french = 4 }"), "language_skills.es: 'french' is no skill; known: "),
        (changed("es = { spanish = 4 }", "fr = { spanish = 4 }"), "language_skills.fr: the bot does not speak it"),
        (changed('languages = ["en", "es"]', 'languages = ["en", "es", "en"]'), "languages[2] was 'en', which stands there twice"),
        (changed('languages = ["en", "es"]', 'languages = ["en", "es", "fr"]'), "phrases.fr: needs retry, listed, spoken"),
        (SHOWN + '[bots.reception.phrases.fr]\nretry = "x"\n', "phrases.fr: the bot does not speak it"),
        (changed('start = "main"', 'start = "goodbye"'), "menus.main: nothing leads to it"),
        (
            SHOWN.replace('say = { en = "Goodbye!", es = "¡Hasta pronto!" }', 'say = "Bye"\ngo = "ciao"')
            + '[bots.reception.answers.ciao]\nsay = "Ciao"\ngo = "goodbye"\n',
            "answers.goodbye.go: leads back to itself, and nobody is asked anything on the way",
        ),
        (SHOWN + '[bots.reception.menus.empty]\nsay = "x"\nchoices = []\n', "menus.empty.choices: none; nobody could ever leave it"),
    ],
)  # fmt: skip
def test_fault_is_told_with_its_place(text: str, told: str) -> None:
    assert any(problem.startswith(told) for problem in problems(text)), problems(text)


def test_circle_that_no_choice_leads_out_of_is_told_once() -> None:
    flow = """
    [queues.help]
    [channels.shop]
    type = "webchat"
    queue = "help"
    bot = "reception"
    [bots.reception]
    type = "menu"
    start = "a"
    otherwise = "end"
    [bots.reception.menus.a]
    say = "a"
    choices = [{ key = "1", go = "b" }, { key = "2", go = "repeat" }]
    [bots.reception.menus.b]
    say = "b"
    choices = [{ key = "1", go = "c" }, { key = "2", go = "back" }]
    [bots.reception.answers.c]
    say = "c"
    go = "a"
    [bots.reception.hand_overs.end]
    """
    assert problems(flow) == ["menus.a: no choice leads to an end, only round in a, b, c"]
    settings_of(flow.replace('{ key = "2", go = "repeat" }', '{ key = "2", go = "end" }'))
    anywhere = flow.replace('start = "a"', 'start = "a"\nanywhere = [{ words = ["person"], go = "end" }]')
    settings_of(anywhere)


def test_flow_that_goes_back_before_it_has_begun_is_refused() -> None:
    text = SHOWN.replace('start = "main"', 'start = "hours"').replace('go = "more"', 'go = "back"')
    assert problems(text)[0].endswith("nothing leads to it")
    assert any(problem.startswith("start was 'hours', which goes back") for problem in problems(text))


def test_check_names_every_fault_of_a_flow(tmp_path: Path) -> None:
    text = changed('go = "sales"', 'go = "slaes"').replace('queue = "billing"', 'queue = "biling"')
    (tmp_path / "centralita.toml").write_text(text, encoding="utf-8")
    done = run("check", cwd=tmp_path)
    assert done.returncode == 1
    shown = " ".join(done.stdout.split())
    assert "bots.reception.menus.main.choices[2].go" in shown
    assert "bots.reception.hand_overs.billing.queue" in shown
    (tmp_path / "centralita.toml").write_text(SHOWN, encoding="utf-8")
    assert "bots" not in run("check", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "part", [written.Settings, written.Choice, written.Menu, written.Question, written.Answer, written.HandOver, written.Phrases]
)  # fmt: skip
def test_every_setting_is_in_the_docs(part: type[written.Part]) -> None:
    assert [name for name in part.__struct_fields__ if not re.search(rf"`{name}`|\b{name} = ", DOCS)] == []
