"""A flow to check the menu bot with, for `centralita.testing`, where no operator's is given."""

from __future__ import annotations

from typing import ClassVar

from centralita.testing import Driver


class MenuDriver(Driver):
    """A menu, a question, an answer and a person."""

    example: ClassVar = {
        "start": "main",
        "languages": ["en", "es"],
        "greeting": {"en": "Welcome.", "es": "Bienvenido."},
        "menus": {
            "main": {
                "say": {"en": "How can we help?", "es": "¿En qué podemos ayudarle?"},
                "choices": [
                    {"key": "1", "label": "opening hours", "go": "hours"},
                    {"key": "2", "label": "an order", "go": "order"},
                    {"key": "0", "label": "a person", "words": ["help"], "go": "person"},
                ],
            }
        },
        "questions": {
            "order": {"say": "Which number?", "attribute": "order", "accept": "digits", "go": "person"}
        },
        "answers": {"hours": {"say": "From nine to two."}},
        "hand_overs": {"person": {"say": "One moment."}},
    }
