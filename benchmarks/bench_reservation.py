"""Show how long voice waits when chats fragment every agent, with and without reservations.

    python benchmarks/bench_reservation.py [--agents 20] [--hours 8] [--seed 1]

Chats of 33 units keep agents of 100 units partly busy; calls of 100 units arrive among them. Time is virtual
and every draw comes from the seed, so the same command prints the same figures.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random

from centralita.matching import NEVER_NS, MatchingQueue

S = 1_000_000_000
CHAT_S, CALL_S = 360.0, 240.0
CHAT_SHARE, CALL_SHARE = 0.80, 0.10


def waits_s(
    *, agents_n: int, hours: float, seed: int, reserve_after_s: float | None
) -> dict[str, list[float]]:
    """Return the waits of those served, and of those still waiting at the end until then, by medium."""
    draw, queue = random.Random(seed), MatchingQueue()
    voice, chat = queue.medium("voice"), queue.medium("chat")
    units = {"voice": queue.requirement([], voice, 100), "chat": queue.requirement([], chat, 33)}
    after_ns = NEVER_NS if reserve_after_s is None else int(reserve_after_s * S)
    orders = {
        "voice": queue.order(["longest_idle"], reserve_after_ns=after_ns),
        "chat": queue.order(["least_loaded", "longest_idle"]),
    }
    profile = queue.profile([], 100)
    for agent in range(agents_n):
        queue.add_agent(agent, profile, now_ns=0)
    gap_s = {"chat": CHAT_S / (CHAT_SHARE * 3 * agents_n), "voice": CALL_S / (CALL_SHARE * agents_n)}
    events: list[tuple[int, int, str, int]] = []
    number, ends_ns = 0, int(hours * 3600 * S)
    for medium, gap in gap_s.items():
        at_s = draw.expovariate(1 / gap)
        while at_s * S < ends_ns:
            number += 1
            heapq.heappush(events, (int(at_s * S), number, medium, -1))
            at_s += draw.expovariate(1 / gap)
    arrived: dict[int, tuple[int, str]] = {}
    waited: dict[str, list[float]] = {"voice": [], "chat": []}
    service_s = {
        number: draw.expovariate(1 / (CALL_S if medium == "voice" else CHAT_S))
        for _, number, medium, _ in sorted(events)
    }
    while events and events[0][0] < ends_ns:
        now_ns, contact, medium, agent = heapq.heappop(events)
        while queue.next_deadline_ns() <= now_ns:
            queue.advance(now_ns=now_ns)
        if agent < 0:
            arrived[contact] = (now_ns, medium)
            queue.enqueue(contact, units[medium], orders[medium], queued_ns=now_ns)
        else:
            queue.finish(contact, agent, now_ns=now_ns)
        for given, by in queue.match(now_ns=now_ns):
            since_ns, kind = arrived.pop(given)
            waited[kind].append((now_ns - since_ns) / S)
            heapq.heappush(events, (now_ns + int(service_s[given] * S), given, kind, by))
    for since_ns, kind in arrived.values():
        waited[kind].append((ends_ns - since_ns) / S)
    return waited


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for reserve_after_s in (None, 60.0, 20.0, 0.0):
        waited = waits_s(
            agents_n=args.agents, hours=args.hours, seed=args.seed, reserve_after_s=reserve_after_s
        )
        told: dict[str, object] = {"reserve_after_s": reserve_after_s}
        for medium, waits in waited.items():
            ordered = sorted(waits)
            told[medium] = {
                "n": len(ordered),
                "mean_s": round(sum(ordered) / len(ordered), 1),
                "p90_s": round(ordered[len(ordered) * 9 // 10], 1),
                "max_s": round(ordered[-1], 1),
            }
        print(json.dumps(told))


if __name__ == "__main__":
    main()
