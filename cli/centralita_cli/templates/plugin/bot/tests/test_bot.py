"""What the kit can't know: what is answered, and when a person takes over."""

from collections.abc import Sequence
from pathlib import Path

import my_plugin
import trio

import centralita
from centralita.messages import AdmitContact, PostMessage

GREETING = "Hello! Ask me about: hours. Or write: person."
SORRY = "I don't know that. I know: hours. Or write: person."


def conversation(folder: Path, questions: Sequence[str]) -> tuple[list[str], str, str]:
    """What the bot says to a customer who asks these, the contact's phase then, and what was learnt."""

    async def main() -> tuple[list[str], str, str]:
        raw = {
            "domain": {"data": str(folder)},
            "journal": {"type": "memory"},
            "queues": {"help": {}},
            "channels": {"shop": {"type": "program", "queue": "help", "bot": "first"}},
            "bots": {"first": {"type": "my_plugin"}},
        }
        async with centralita.open_engine(raw, plugins=[my_plugin], entry_points=False) as switchboard:
            contact = (await switchboard.submit(AdmitContact(channel="shop", provider_id="1"))).contact

            async def answered(said_n: int) -> None:
                with trio.fail_after(10):
                    while (view := switchboard.contact(contact)) is not None:
                        texts = [one for one in view.messages if one.author == "bot"]
                        if len(texts) >= said_n or view.phase != "self_service":
                            return
                        await trio.sleep(0.01)

            await answered(1)
            for number, question in enumerate(questions, 1):
                await switchboard.submit(
                    PostMessage(contact=contact, author="customer", text=question, message_id=str(number))
                )
                await answered(number + 1)
            view = switchboard.contact(contact)
            assert view is not None
            return [one.text for one in view.messages if one.author == "bot"], view.phase, view.summary

    return trio.run(main)


def test_known_topic_is_answered(tmp_path: Path) -> None:
    said, phase, _ = conversation(tmp_path, ["What are your HOURS?"])
    assert (said, phase) == ([GREETING, "We are open from nine to two."], "self_service")


def test_person_takes_over_when_asked_for(tmp_path: Path) -> None:
    said, phase, learnt = conversation(tmp_path, ["A person, please"])
    assert (said, phase, learnt) == ([GREETING], "waiting", "asked for a person")


def test_person_takes_over_when_the_bot_knows_nothing(tmp_path: Path) -> None:
    said, phase, learnt = conversation(tmp_path, ["Mars?", "Venus?", "Pluto?"])
    assert (said, phase) == ([GREETING, SORRY, SORRY], "waiting")
    assert learnt == "asked 3 times for what the bot does not know"
