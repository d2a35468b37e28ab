"""What an operator says about campaigns: which channel and queue, when, how often, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from centralita.config import Configuration, Priority
from centralita.structs import Frozen
from centralita_dialler.numbers import is_region

Result = Literal["answered", "machine", "busy", "no_answer", "rejected", "failed"]
"""How an attempt to reach a customer ended. `answered` is a person or, unless somebody says so, a machine."""

RETRY_S: Final[dict[Result, float]] = {"busy": 600, "no_answer": 7200, "machine": 14_400, "failed": 3600}
"""After which result, and how much later, a number is tried again, unless the campaign says otherwise."""

Seconds = Annotated[float, Meta(ge=1, le=31_536_000)]


class Campaign(Frozen, forbid_unknown_fields=True):
    """One list and its rules.

    `progressive` dials as soon as an agent is free, and accepts for them; `preview` offers the record, and the agent's
    accepting dials. `hours` names a table `[hours.NAME]`, whose week, holidays and extra days are kept by the clock where
    the number is; without one any time is right. `retry_s` says, for each result, after how long a number is tried
    again; a result that it does not name is final. `retry_ours_s` is for attempts that failed on our side, which don't
    count. `dispositions` says what result an agent's disposition means; `never_again` are dispositions that put
    the number on the do-not-call list. At most `per_minute_max` numbers a minute are begun; with `ahead`, so many
    records wait although no agent is free.
    """

    channel: str
    queue: str
    title: str = ""
    mode: Literal["preview", "progressive"] = "progressive"
    hours: str = ""
    priority: Priority = 0
    attempts_max: Annotated[int, Meta(ge=1, le=100)] = 3
    retry_s: dict[Result, Seconds] = msgspec.field(default_factory=RETRY_S.copy)
    retry_ours_s: Seconds = 60
    dispositions: dict[str, Result] = {}
    never_again: tuple[str, ...] = ()
    per_minute_max: Annotated[int, Meta(ge=1, le=60_000)] = 600
    ahead: Annotated[int, Meta(ge=0, le=1000)] = 0


class Settings(Frozen, forbid_unknown_fields=True):
    """The dialler of a domain. `region` is the country (ISO 3166, as `ES`) of numbers that are written without
    one. `records_max` is how many records all lists may hold."""

    region: str = ""
    campaigns: dict[str, Campaign] = {}
    records_max: Annotated[int, Meta(ge=1, le=100_000_000)] = 1_000_000

    def problems(self, configuration: Configuration) -> Iterator[str]:
        """What does not fit the rest of the configuration, each with its place below the table."""
        if self.region and not is_region(self.region):
            yield f"region was {self.region!r}; must be a country of ISO 3166, as ES"
        diallers = [one.name for one in configuration.of_kind("routes") if one.type == "dialler"]
        if len(diallers) > 1:
            yield f"type: {', '.join(diallers)} are diallers; one serves all campaigns"
        engine = configuration.engine
        for name, campaign in self.campaigns.items():
            known: tuple[tuple[str, str, Any], ...] = (
                ("channel", campaign.channel, engine.channels),
                ("queue", campaign.queue, engine.queues),
                ("hours", campaign.hours, configuration.hours),
            )
            for field, value, names in known:
                if value not in names and (value or field != "hours"):
                    told = ", ".join(sorted(names)) or "none"
                    yield f"campaigns.{name}.{field} was {value!r}; known: {told}"
            for disposition in (*campaign.dispositions, *campaign.never_again):
                if engine.dispositions and disposition not in engine.dispositions:
                    told = ", ".join(engine.dispositions)
                    yield f"campaigns.{name}: {disposition!r} is no disposition; known: {told}"
            channel = engine.channels.get(campaign.channel)
            if channel is not None and channel.can_dial is False:
                yield f"campaigns.{name}.channel was {campaign.channel!r}, which may not dial"
