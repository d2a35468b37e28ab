"""The engine alone, without trio, clock or journal: a day of virtual time in the blink of an eye.

`Engine.handle` is a plain function call: commands in, events and asks out, at the time the caller says.
Whoever has a loop of their own (a game server, a test, a simulation) drives it like this.

Run it: python examples/own_loop.py
"""

from __future__ import annotations

import heapq
from itertools import count

from centralita.config import decode
from centralita.engine import Engine
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    ConnectContact,
    ContactConnected,
    ContactEnded,
    EndContact,
    ReportConnection,
    SendOffer,
    SignIn,
    Tick,
)

S = 1_000_000_000
CONFIG = {
    "queues": {"help": {"wrap_up_s": 30}},
    "agents": {"ana": {}, "bea": {}},
    "channels": {"phone": {"type": "none", "medium": "voice", "queue": "help"}},
}
CALLS = 300
ARRIVES_EVERY_S = 100
TALKS_S = 150


def main() -> None:
    engine, order = Engine(), count()
    calendar: list[tuple[int, int, AnyCommand]] = []

    def at(when_ns: int, command: AnyCommand) -> None:
        heapq.heappush(calendar, (when_ns, next(order), command))

    at(0, ApplyConfiguration(config=decode(CONFIG).engine))
    at(0, SignIn(agent="ana"))
    at(0, SignIn(agent="bea"))
    for call in range(CALLS):
        at(call * ARRIVES_EVERY_S * S, AdmitContact(channel="phone", provider_id=f"call-{call}"))

    waits_s, ended = [], 0
    while calendar or engine.state.contacts:
        # What comes first: something of ours, or one of the engine's own limits (a wrap-up that is over).
        due_ns = engine.next_deadline_ns()
        if calendar and calendar[0][0] <= due_ns:
            now_ns, _, command = heapq.heappop(calendar)
        else:
            now_ns, command = due_ns, Tick()
        step = engine.handle(command, now_ns=now_ns)
        assert step.refusal is None, step.refusal

        # Asks are what the world must do now; here it does so at once.
        for ask in step.asks:
            if isinstance(ask, SendOffer):
                at(
                    now_ns + 2 * S,
                    AnswerOffer(contact=ask.contact, agent=ask.agent, offer=ask.offer, accept=True),
                )
            elif isinstance(ask, ConnectContact):
                at(now_ns, ReportConnection(contact=ask.contact, agent=ask.agent, made=True))
        for event in step.events:
            if isinstance(event, ContactConnected):
                waits_s.append(event.waited_ns / S)
                at(now_ns + TALKS_S * S, EndContact(contact=event.contact, by=event.agent))
            elif isinstance(event, ContactEnded):
                ended += 1

    hours = engine.now_ns / S / 3600
    print(f"{ended} calls in {hours:.1f} hours; they waited {sum(waits_s) / len(waits_s):.0f} s on average")


if __name__ == "__main__":
    main()
