"""Events change the state here and nowhere else; recovery does nothing but this.

`APPLY[type(event)](state, event, at_ns)` performs one event. The phase it leads to comes from the
table in `state.py`; an event that can't come now raises InvalidTransition, which is a bug in a stage or
a journal that isn't ours, never something a customer did. A module for each subject says what its events
change; here all of them are one table.
"""

from __future__ import annotations

from typing import Final

from centralita.apply import agents, arrivals, centre, ends, line, offers, service, words
from centralita.apply.phases import Change
from centralita.messages import AnyEvent
from centralita.state import State


def apply(state: State, event: AnyEvent, at_ns: int) -> None:
    """Perform one event. Raises InvalidTransition and KeyError for what can't be."""
    APPLY[type(event)](state, event, at_ns)


APPLY: Final[dict[type, Change]] = {
    **arrivals.CHANGES,
    **line.CHANGES,
    **offers.CHANGES,
    **service.CHANGES,
    **words.CHANGES,
    **ends.CHANGES,
    **agents.CHANGES,
    **centre.CHANGES,
}
