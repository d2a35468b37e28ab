"""What the menu bot says and where it leads: the flow of docs/menu-bot.md, and its corners."""

from __future__ import annotations

import pytest

from tests.menu_bot.flows import SHOWN, Talk, settings_of

RECEPTION = settings_of(SHOWN)
MENU_EN = "How can we help?\n1. opening hours\n2. an invoice\n3. buying a lamp\n9. en español"

SMALL = """
[queues.help]
[channels.shop]
type = "webchat"
bot = "b"
queue = "help"
[bots.b]
type = "menu"
start = "main"
{}
"""


def test_greeting_and_menu_are_the_first_words_in_the_customers_language() -> None:
    assert Talk(RECEPTION).turn.texts == ("Welcome to Lumen.", MENU_EN)
    spanish = Talk(RECEPTION, language="es-MX").turn.texts
    assert spanish[0] == "Bienvenido a Lumen."
    assert spanish[1].startswith("¿En qué podemos ayudarle?\n1. horarios")
    assert Talk(RECEPTION, language="fr").turn.texts[0] == "Welcome to Lumen."


def test_choices_are_spoken_on_the_phone_and_listed_in_a_chat() -> None:
    spoken = Talk(RECEPTION, medium="voice").turn.texts[1]
    assert spoken.startswith("How can we help? For opening hours, press 1. For an invoice, press 2.")
    assert "Para horarios, pulse 1." in Talk(RECEPTION, medium="voice", language="es").turn.texts[1]


def test_recording_is_played_on_the_phone_in_the_place_of_the_text_and_its_list() -> None:
    text = SHOWN.replace(
        'say = { en = "How can we help?"',
        'spoken = { en = "sound:main-en", es = "sound:main-es" }\nsay = { en = "How can we help?"',
    ).replace('say = { en = "We are open', 'spoken = "sound:hours"\nsay = { en = "We are open')
    settings = settings_of(text)
    assert Talk(settings, medium="voice", language="es").turn.texts[1] == "sound:main-es"
    assert Talk(settings, medium="voice").say("1").texts[0] == "sound:hours"
    assert Talk(settings).turn.texts[1] == MENU_EN


@pytest.mark.parametrize(
    "said",
    [
        "2",
        " 2. ",
        "2#",
        "invoice",
        "INVOICE!",
        "I have a question about an invoice",
        "Una factura, por favor",
    ],
)
def test_choice_is_made_by_key_and_by_word(said: str) -> None:
    talk = Talk(RECEPTION)
    assert talk.say(said).texts == ("Your account number, please: six digits.",)


def test_what_was_learnt_goes_to_the_agent() -> None:
    talk = Talk(RECEPTION)
    talk.say("2")
    turn = talk.say("123-456")
    assert turn.then == "hand_over"
    assert turn.texts == ("Thank you. A colleague will look at account 123456.",)
    assert (turn.queue, turn.priority, turn.skills) == ("billing", 1, None)
    assert turn.attributes == {"account": "123456", "topic": "invoice"}
    assert turn.summary == "an invoice; account: 123456"


def test_answer_is_said_and_the_flow_goes_on_until_it_is_resolved() -> None:
    talk = Talk(RECEPTION)
    texts = talk.say("when are you open?").texts
    assert texts == ("We are open from 9 to 18.", "Is there anything else?\n1. yes\n2. no")
    assert talk.say("no, thanks").then == "resolved"
    assert talk.turn.texts == ("Goodbye!",)
    assert talk.turn.summary == "opening hours; no"


def test_unusable_answers_are_asked_again_and_then_a_person_takes_over() -> None:
    talk = Talk(RECEPTION)
    for _ in range(2):
        turn = talk.say("bananas")
        assert (turn.then, turn.texts) == ("continue", ("Sorry, I did not understand that.", MENU_EN))
    turn = talk.say("bananas")
    assert (turn.then, turn.texts, turn.queue) == ("hand_over", ("One moment.",), "")


@pytest.mark.parametrize("answer", ["12345", "1234567", "12345a", "", "१२३४५६", "1" * 2000])
def test_question_keeps_no_answer_that_is_not_as_it_must_be(answer: str) -> None:
    talk = Talk(RECEPTION)
    talk.say("2")
    turn = talk.say(answer)
    assert turn.texts == ("An account number has six digits.", "Your account number, please: six digits.")
    assert talk.say("654321").attributes == {"account": "654321", "topic": "invoice"}


def test_unusable_answers_count_for_each_step_by_itself() -> None:
    talk = Talk(RECEPTION)
    talk.say("bananas")
    talk.say("2")
    for _ in range(2):
        assert talk.say("none").then == "continue"
    assert talk.say("none").then == "hand_over"


def test_back_leads_to_the_step_before_and_at_the_beginning_nowhere() -> None:
    talk = Talk(RECEPTION)
    assert talk.say("back").texts == (MENU_EN,)
    talk.say("2")
    assert talk.say("atras").texts == (MENU_EN,)
    talk.say("1")
    assert talk.say("*").texts == (MENU_EN,)
    talk.say("1")
    assert talk.say("yes").texts == (MENU_EN,)
    assert talk.say("back").texts == (MENU_EN,)


def test_language_that_is_chosen_is_spoken_and_asked_of_the_agent() -> None:
    talk = Talk(RECEPTION)
    assert talk.say("en español").texts[0].startswith("¿En qué podemos ayudarle?")
    turn = talk.say("0")
    assert turn.texts == ("Un momento.",)
    assert turn.skills == {"spanish": 4}
    assert turn.attributes == {"language": "es"}


def test_first_words_that_name_a_choice_make_it() -> None:
    turn = Talk(RECEPTION, "Hello, I want to buy a lamp").turn
    assert (turn.texts, turn.then, turn.queue) == (("Welcome to Lumen.",), "hand_over", "sales")
    assert Talk(RECEPTION, "hello").turn.texts == ("Welcome to Lumen.", MENU_EN)
    assert Talk(RECEPTION, "2").turn.texts == ("Welcome to Lumen.", MENU_EN)
    asked = Talk(RECEPTION, "an invoice")
    assert asked.turn.texts == ("Welcome to Lumen.", "Your account number, please: six digits.")
    assert asked.say("back").texts == (MENU_EN,)


def test_two_choices_named_equally_well_are_none_and_the_longer_phrase_wins() -> None:
    talk = Talk(RECEPTION)
    assert talk.say("invoice or buy?").texts[0] == "Sorry, I did not understand that."
    assert talk.say("a person about the invoice").texts == ("Your account number, please: six digits.",)


def test_number_that_is_an_answer_is_no_key_of_a_choice_that_stands_everywhere() -> None:
    settings = settings_of(
        SMALL.format("""
anywhere = [{ key = "0", words = ["person"], go = "end" }]
[bots.b.questions.main]
say = "How many lamps?"
attribute = "lamps"
accept = "digits"
length_max = 1
go = "end"
[bots.b.hand_overs.end]
summary = "{lamps} lamps for {name}"
""")
    )
    talk = Talk(settings, name="Eva")
    turn = talk.say("0")
    assert (turn.attributes, turn.summary) == ({"lamps": "0"}, "0 lamps for Eva")
    assert Talk(settings).say("person").attributes is None
    assert Talk(settings).say("a person").then == "continue"


def test_flow_that_asks_in_circles_ends_after_turns_max() -> None:
    settings = settings_of(SHOWN.replace('otherwise = "someone"', 'otherwise = "someone"\nturns_max = 4'))
    talk = Talk(settings)
    for _ in range(4):
        assert talk.say("back").then == "continue"
    turn = talk.say("back")
    assert (turn.then, turn.texts) == ("hand_over", ("One moment.",))
    assert talk.say("and on").then == "hand_over"


def test_turn_depends_on_nothing_but_the_messages() -> None:
    said = ["bananas", "1", "yes", "factura", "12", "9", "123456", "more"]
    one_flow = Talk(RECEPTION)
    turns = [one_flow.say(text) for text in said]
    for number in range(len(said)):
        fresh = Talk(RECEPTION)
        fresh.heard = said[: number + 1]
        assert fresh.turn == turns[number] == one_flow.flow.turn(fresh.who, (), said[: number + 1])


def test_answer_that_goes_back_returns_to_the_menu_it_was_chosen_from() -> None:
    settings = settings_of(
        SMALL.format("""
[bots.b.menus.main]
say = "?"
retry = "Eh?"
retries = 0
otherwise = "over"
choices = [{ words = ["hours"], go = "hours" }, { words = ["person"], go = "over" }]
[bots.b.answers.hours]
say = "9 to 18."
go = "back"
[bots.b.hand_overs.over]
""")
    )
    talk = Talk(settings)
    assert talk.say("hours").texts == ("9 to 18.", "?")
    turn = talk.say("x")
    assert (turn.then, turn.texts, turn.summary) == ("hand_over", (), "hours")
