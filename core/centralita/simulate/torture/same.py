"""Whether two engines are in the same state: what they know, in the order of their tables, what they look at later, and
whom the matching queue has where. What differs is said in a few lines.
"""

from __future__ import annotations

from centralita.engine import Engine
from centralita.lines import GRACE, STAGE, WORK
from centralita.matching.protocol import TIME_LIMIT_NS
from centralita.simulate.torture.checks import WITH_LIMIT
from centralita.simulate.torture.violation import Violation


def same_state(one: Engine, other: Engine, rule: str) -> None:
    """Two engines are in the same state, in the order of their tables too where decisions go by it."""
    if one.seq != other.seq or one.state_hash() != other.state_hash() or one.state != other.state:
        raise Violation(rule, difference(one, other))
    same_queue = one.lines.queue.state_hash() == other.lines.queue.state_hash()
    now_ns = max(one.now_ns, other.now_ns)
    if missed := timers_after(one, now_ns) ^ timers_after(other, now_ns):
        raise Violation("deadlines", f"only one of two engines in the same state looks at {sorted(missed)}")
    if not same_queue and _comparable(one, now_ns) and _comparable(other, now_ns):
        raise Violation(rule, "the matching queues differ")


def timers_after(engine: Engine, now_ns: int) -> set[tuple[int, int, int]]:
    """(when, kind, subject) of all that is looked at later than now and would then find something to do. The
    end of silence is left out: it is put off without an event."""
    timers, contacts = engine.lines.timers, engine.state.contacts
    held = timers.pop_due(TIME_LIMIT_NS)
    for at_ns, kind, subject in held:
        timers.schedule(kind, subject, at_ns)

    def acts(kind: int, subject: int) -> bool:
        if kind == GRACE:
            return True
        contact = contacts.get(subject)
        if contact is None or kind == WORK:
            return contact is not None
        phase = contact.phase
        return phase == "waiting" or (kind == STAGE and phase in WITH_LIMIT and phase != "connected")

    return {one for one in held if one[0] > now_ns and acts(one[1], one[2])}


def _comparable(engine: Engine, now_ns: int) -> bool:
    """Whether the matching queue holds nothing that is no event: the end of a preference, which a recovered
    queue passes with its first Tick, and reservations, which it makes again when they are first needed."""
    queue = engine.lines.queue
    return queue.next_deadline_ns() > now_ns and all(
        queue.reserved_for(number) == -1 for number in engine.lines.agent_of
    )


def difference(one: Engine, other: Engine) -> str:
    """Where two states differ, in a few lines."""
    found = [f"{one.seq} / {other.seq} records"] if one.seq != other.seq else []
    for field in one.state.__struct_fields__:
        left, right = getattr(one.state, field), getattr(other.state, field)
        if isinstance(left, dict) and left != right:
            keys = [key for key in (*left, *right) if left.get(key) != right.get(key)]
            found += [f"{field}.{key}: {left.get(key)} / {right.get(key)}" for key in keys[:3]]
        elif left != right:
            found.append(f"{field}: {left} / {right}")
        elif isinstance(left, dict) and list(left) != list(right):
            found.append(f"{field}: the order is {list(left)[:20]} / {list(right)[:20]}")
    return "\n".join(found)
