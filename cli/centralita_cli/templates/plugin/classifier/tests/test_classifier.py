"""What the kit can't know: which words lead where."""

from pathlib import Path

import my_plugin
import pytest
import trio

import centralita
from centralita.errors import ConfigurationError
from centralita.messages import AdmitContact

RULES = [{"words": ["Invoice", "refund"], "queue": "billing"}, {"words": ["help"], "priority": 5}]


def classified(folder: Path, text: str, rules: object = RULES) -> tuple[str, int]:
    """The queue and the priority of a contact with these words."""

    async def main() -> tuple[str, int]:
        raw = {
            "domain": {"data": str(folder)},
            "journal": {"type": "memory"},
            "queues": {"help": {}, "billing": {}},
            "channels": {"shop": {"type": "program", "queue": "help"}},
            "classifiers": {"words": {"type": "my_plugin", "rules": rules}},
        }
        async with centralita.open_engine(raw, plugins=[my_plugin], entry_points=False) as switchboard:
            command = AdmitContact(channel="shop", provider_id="1", text=text)
            contact = (await switchboard.submit(command)).contact
            with trio.fail_after(10):
                while True:
                    view = switchboard.contact(contact)
                    if view is not None and view.phase == "waiting":
                        return view.queue, view.priority
                    await trio.sleep(0.01)

    return trio.run(main)


@pytest.mark.parametrize(
    ("text", "queue", "priority"),
    [
        ("Where is my INVOICE?", "billing", 0),
        ("Help! My refund!", "billing", 0),
        ("please HELP me", "help", 5),
        ("Hello", "help", 0),
    ],
)
def test_first_rule_with_one_of_the_words_decides(
    tmp_path: Path, text: str, queue: str, priority: int
) -> None:
    assert classified(tmp_path, text) == (queue, priority)


def test_queue_that_does_not_exist_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"classifiers\.words\.rules\[0\]\.queue: 'vip' is no queue"):
        classified(tmp_path, "x", [{"words": ["x"], "queue": "vip"}])
