"""How an attempt ended, read off the contact's last event, and what follows for its record."""

from __future__ import annotations

from typing import Final

from centralita.messages import ContactEnded
from centralita.structs import Frozen
from centralita_dialler.settings import Campaign, Result

REASONS: Final[dict[str, Result]] = {
    "busy": "busy",
    "": "no_answer",
    "no answer": "no_answer",
    "time limit": "no_answer",
    "hung up": "no_answer",
    "rejected": "rejected",
    "machine": "machine",
}
"""What a channel's reason for not reaching somebody means; every other one is `failed`."""


class Verdict(Frozen):
    """What became of an attempt. `result` None: it never reached the customer's side and does not count.

    `again_s` is after how long the record is tried again, None: never.
    """

    result: Result | None
    again_s: float | None
    stopped: bool = False
    """Somebody took the record out by hand: it is not tried again."""


def verdict(event: ContactEnded, disposition: str, campaign: Campaign, attempts: int) -> Verdict:
    """Judge an attempt; `attempts` counts those before it, `disposition` is what the agent wrote, if anything."""
    if event.outcome == "cancelled" and event.by not in ("rules", ""):
        return Verdict(result=None, again_s=None, stopped=True)
    if event.outcome == "unreachable" and event.by == "customer":
        result: Result = REASONS.get(event.reason, "failed")
    elif event.outcome == "served" or event.talk_ns:
        result = campaign.dispositions.get(disposition, "answered")
    elif event.outcome == "lost":
        result = "failed"
    else:
        return Verdict(result=None, again_s=campaign.retry_ours_s)
    again_s = campaign.retry_s.get(result)
    return Verdict(result=result, again_s=again_s if attempts + 1 < campaign.attempts_max else None)
