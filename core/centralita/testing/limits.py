"""How long the kit waits. Its own patience is generous; the limits of the contract are the runner's own."""

from __future__ import annotations

from centralita.runner import channels, desks, followers, service, supervise
from centralita.structs import Frozen


class Limits(Frozen):
    """Seconds, of trio's clock unless it says otherwise."""

    start_s: float = supervise.START_S
    """Until `started()`."""
    stop_s: float = service.STOP_PART_S
    """Until `run` has ended once it is cancelled."""
    channel_call_s: float = channels.CALL_S
    desk_call_s: float = desks.CALL_S
    write_s: float = followers.WRITE_S
    question_s: float = 2.0
    """For a CRM's or a classifier's answer: the default of `limits.identify_s` and `limits.classify_s`."""
    block_s: float = 0.25
    """How long one step of a task may hold the thread, by the thread's own clock or waiting for the system."""
    patience_s: float = 10.0
    """How long something that must come is waited for."""
    quiet_s: float = 0.3
    """How long nothing must come where nothing is to come."""
    check_s: float = 120.0
    """A whole check; beyond that it has failed."""
