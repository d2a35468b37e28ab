"""The figures held against what the state shows now and what the books have counted."""

from __future__ import annotations

from typing import Final

from centralita.kpi import Figures
from centralita.messages import (
    ContactOffered,
    ContactRated,
    MessagePosted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    TransferStarted,
)
from centralita.simulate.torture.books import Books
from centralita.simulate.torture.violation import Violation
from centralita.state import Agent, State


def check_figures(state: State, books: Books, figures: Figures) -> None:
    """The figures equal what the state shows now and what the books have counted."""
    counts, consultations = figures.contacts(), figures.consultations()
    consulting = sum(page.parent != 0 for page in books.pages.values())
    live = (counts["live"], consultations["live"])
    if live != (len(books.pages) - consulting, consulting):
        raise Violation(
            "figures", f"live are {live}; by the books {len(books.pages)}, {consulting} consulting"
        )
    for one in (counts, consultations):
        if one["admitted"] != one["ended"] + one["live"]:
            raise Violation("figures", f"{one}")
    total: dict[str, int] = {}
    for name, tally in figures.queues.items():
        fates = tally.answered + tally.abandoned + tally.became_callbacks + tally.flowed_out + tally.removed
        if tally.offered != fates + len(tally.waiting):
            raise Violation(
                "figures", f"queue {name!r}: {tally.offered} offered, {fates} gone, {len(tally.waiting)}"
            )
        for outcome, count in tally.outcomes.items():
            total[outcome] = total.get(outcome, 0) + count
    if {outcome: count for outcome, count in total.items() if count} != books.outcomes:
        raise Violation("figures", f"outcomes are {total}, by the books {books.outcomes}")
    for field, kind in _COUNTED:
        counted = sum(getattr(tally, field) for tally in figures.queues.values())
        if counted != books.counts.get(kind, 0):
            raise Violation("figures", f"{field} are {counted}, by the books {books.counts.get(kind, 0)}")
    said = sum(sum(tally.messages.values()) for tally in figures.queues.values())
    if said != books.counts.get(MessagePosted, 0):
        raise Violation("figures", f"messages are {said}, by the books {books.counts.get(MessagePosted, 0)}")
    for name, agent in state.agents.items():
        _check_agents_figures(state, name, agent, figures)


def _check_agents_figures(state: State, name: str, agent: Agent, figures: Figures) -> None:
    now = {"offered": 0, "connected": 0, "wrapping": 0}
    for number in agent.contacts:
        what = state.contacts[number].works[name].state
        now["connected" if what == "connecting" else what] += 1
    tally = figures.agents[name]
    counted = {"offered": tally.offered, "connected": tally.connected, "wrapping": tally.wrapping}
    if counted != now:
        raise Violation("figures", f"{name} has {now} now, by the figures {counted}")


_COUNTED: Final = (
    ("offers_made", ContactOffered),
    ("offers_accepted", OfferAccepted),
    ("offers_declined", OfferDeclined),
    ("offers_expired", OfferExpired),
    ("offers_withdrawn", OfferWithdrawn),
    ("transfers_blind", TransferStarted),
    ("csat_count", ContactRated),
)
"""Figures over all queues and the events they count."""
