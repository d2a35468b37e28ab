"""Who stands before a waiting contact for the same people, and by what.

The order is the queue's own; here each of those before is named with the part of the rule (`matching/`) that puts
them there: a higher priority, a longer wait, a head start, a rate. So whenever a contact's place gets worse, somebody
is named who came in before it and how. It refuses to know how many there are in all: `Lines.ahead` counts them.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from centralita.views import AheadView

if TYPE_CHECKING:
    from centralita.engine import Engine
    from centralita.state import Contact

LOOKED_AT_MAX: Final = 1000
"""How many of the order are looked at: with many queues, most of them wait for other people."""
_NS_PER_S: Final = 1_000_000_000


def named_ahead(engine: Engine, contact: Contact, *, limit: int) -> tuple[AheadView, ...]:
    """The first `limit` in the order who stand before a waiting contact for the same people."""
    present = {
        tuple(sorted(engine.state.config.agents[name].skills.items()))
        for name, agent in engine.state.agents.items()
        if agent.present
    }
    skilled: dict[tuple[tuple[str, int], ...], set[tuple[tuple[str, int], ...]]] = {}

    def could_serve(one: Contact) -> set[tuple[tuple[str, int], ...]]:
        asked = tuple(sorted(engine.lines.wanted(one).items()))
        if asked not in skilled:
            skilled[asked] = {
                profile
                for profile in present
                if all(dict(profile).get(skill, 0) >= level for skill, level in asked)
            }
        return skilled[asked]

    mine = could_serve(contact)
    found: list[AheadView] = []
    order = engine.lines.in_order(now_ns=engine.now_ns, at_first=2 * limit)
    for number in islice(order, LOOKED_AT_MAX):
        if number == contact.id or len(found) == limit:
            break
        other = engine.state.contacts[number]
        # While nobody is there who could serve it, those of its own queue count (`Lines.ahead`).
        if mine & could_serve(other) if mine else other.queue == contact.queue:
            found.append(_view(engine, other, contact))
    return tuple(found)


def _view(engine: Engine, other: Contact, contact: Contact) -> AheadView:
    """Compared as the rule compares: priority, then rate x (waited + credit), then arrival."""
    theirs, ours = (one.priority + engine.lines.raised(one) for one in (other, contact))
    longer_s = (contact.queued_ns - other.queued_ns) / _NS_PER_S
    # In whole numbers: who has just as much as another is before them by having come first.
    gain_ns = contact.queued_ns - other.queued_ns + other.credit_ns - contact.credit_ns
    head_starts = tuple(one.credit_ns / _NS_PER_S for one in (other, contact))
    rates = tuple(one.rate_thousandths / 1000 for one in (other, contact))
    if theirs > ours:
        by, words = "priority", f"priority {theirs} against {ours}"
    elif longer_s >= 0 and (
        (rates[0] >= rates[1] and head_starts[0] >= head_starts[1])
        or _urgency(engine, other) == _urgency(engine, contact)
    ):
        by, words = (
            "wait",
            f"has waited {longer_s:.0f} s longer" if longer_s >= 1 else "came a moment earlier",
        )
    elif gain_ns > 0 or (gain_ns == 0 and rates[0] == rates[1]):
        by = "head_start" if longer_s < 0 else "wait"
        words = (
            f"came {-longer_s:.0f} s later with a head start of {head_starts[0]:.0f} s against {head_starts[1]:.0f} s"
            if longer_s < 0
            else f"has waited {longer_s:.0f} s longer"
        )
    else:
        by, words = "rate", f"gains urgency at rate {rates[0]:g} against {rates[1]:g}"
    return AheadView(
        contact=other.id,
        queue=other.queue,
        by=by,
        priority=theirs,
        waited_s=(engine.now_ns - other.queued_ns) / _NS_PER_S,
        head_start_s=head_starts[0],
        rate=rates[0],
        words=words,
    )


def _urgency(engine: Engine, one: Contact) -> int:
    return one.rate_thousandths * (engine.now_ns - one.queued_ns + one.credit_ns)
