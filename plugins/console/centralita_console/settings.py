"""The settings of `[routes.console]`, and what of them the pages are told.

Nothing here is secret: the pages read it after somebody has signed in with any token.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

QUICK_TEXTS_MAX = 200

Key = Annotated[str, Meta(pattern=r"^[\w-]{1,24}$")]
Share = Annotated[float, Meta(gt=0, le=1)]


class QuickText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ready-made text, called with `/key`. `{customer}` and `{agent}` are filled in.

    Without a `language` it is offered in every conversation, with one where the contact speaks it.
    """

    key: Key
    title: Annotated[str, Meta(min_length=1, max_length=80)]
    text: Annotated[str, Meta(min_length=1, max_length=10_000)]
    language: Literal["", "en", "es"] = ""


class ConsoleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[routes.console]`.

    `service_level_goal` is the share of contacts that should be answered within their queue's target,
    and `service_level_alarm` the share below which the wall board calls it bad.
    """

    quick_texts: Annotated[tuple[QuickText, ...], Meta(max_length=QUICK_TEXTS_MAX)] = ()
    service_level_goal: Share = 0.8
    service_level_alarm: Share = 0.6
