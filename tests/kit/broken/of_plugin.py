"""The plugin and its settings: 101 to 106."""

from __future__ import annotations

import msgspec

from centralita.protocols import Context
from tests.kit.broken.registry import BROKEN, Broken, breaks, plugin
from tests.kit.good import GoodClassifier, Settings

BROKEN[101] = Broken("classifiers", plugin("classifiers", GoodClassifier, api=None))


class LoosePart(msgspec.Struct, frozen=True):
    """Lets unknown fields through, one level down."""

    depth: int = 0


class LooseSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strict itself."""

    parts: dict[str, tuple[LoosePart, ...]] = {}


class ThawedPart(msgspec.Struct, forbid_unknown_fields=True):
    """Can be changed, one level down."""

    depth: int = 0


class ThawedSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frozen itself."""

    other: ThawedPart | None = None


BROKEN[102] = Broken("classifiers", plugin("classifiers", GoodClassifier, LooseSettings))
BROKEN[103] = Broken("classifiers", plugin("classifiers", GoodClassifier, ThawedSettings))


@breaks(104, "classifiers")
class Moody(GoodClassifier):
    """Says what is wrong, but not where."""

    def __init__(self, settings: Settings, context: Context) -> None:
        if not settings.mood.isascii():
            raise ValueError("what a mood")
        super().__init__(settings, context)


class OneForAll:
    """Builds once."""

    def __init__(self) -> None:
        self.made: dict[str, GoodClassifier] = {}

    def __call__(self, settings: Settings, context: Context) -> GoodClassifier:
        return self.made.setdefault(context.name, GoodClassifier(settings, context))


BROKEN[105] = Broken("classifiers", plugin("classifiers", OneForAll()))


@breaks(106, "classifiers")
class Early(GoodClassifier):
    """Writes before it runs."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        (context.data / "early").touch()
