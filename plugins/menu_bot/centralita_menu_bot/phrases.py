"""What the bot says by itself, in the languages that it knows of itself."""

from __future__ import annotations

from typing import Final

from centralita_menu_bot.settings import Phrases, Settings, Text

BUILT_IN: Final = {
    "en": Phrases(
        retry="Sorry, I did not understand that.", listed="{key}. {label}", spoken="For {label}, press {key}."
    ),
    "es": Phrases(
        retry="Perdone, no le he entendido.", listed="{key}. {label}", spoken="Para {label}, pulse {key}."
    ),
}
NO_PHRASES: Final = Phrases()


def phrase(settings: Settings, language: str, name: str) -> str:
    """The operator's own words, or ours; empty when nobody has any."""
    own: str = getattr(settings.phrases.get(language, NO_PHRASES), name)
    return own or getattr(BUILT_IN.get(language, NO_PHRASES), name)


def spoken_in(text: Text, language: str) -> str:
    """A text in one language."""
    return text if isinstance(text, str) else text.get(language, "")


def primary(language: str) -> str:
    """The primary subtag of a language tag (RFC 5646, section 2.2.1): `es` of `es-MX`."""
    return language.replace("_", "-").partition("-")[0].lower()
