"""What must hold after every match, said without either queue's rules of choice."""

from __future__ import annotations

from collections.abc import Iterable

from centralita.matching import MatchingQueueProtocol


def check_invariants(
    queue: MatchingQueueProtocol,
    *,
    now_ns: int,
    agents: Iterable[int],
) -> None:
    """Assert that nobody eligible is left and that each contact is in one place only."""
    held: dict[int, set[int]] = {}
    for agent in agents:
        try:
            hands = queue.hands(agent)
        except KeyError:
            continue
        for contact, _, _, _ in hands:
            held.setdefault(contact, set()).add(agent)
        assert queue.held_units(agent) == sum(units for _, _, units, _ in hands)
    waiting = queue.in_order(now_ns=now_ns, limit=1 << 30)
    assert len(set(waiting)) == len(waiting) == queue.waiting_n()
    assert not set(waiting) & set(held)
    for contact, holders in held.items():
        assert set(queue.holders(contact)) == holders
    for contact in waiting:
        lines = queue.explain(contact, now_ns=now_ns, limit=0)
        assert all(line.rule != "eligible" for line in lines), (contact, lines)
        assert sum(line.agents for line in lines) == queue.agents_n()
