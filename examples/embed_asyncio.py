"""The engine beside an asyncio program: it runs in a thread of its own, and futures lead to it.

Run it: python examples/embed_asyncio.py
"""

from __future__ import annotations

import asyncio

import centralita
from centralita.messages import AdmitContact, ContactOffered, SignIn
from centralita.protocols import Switchboard

CONFIG = {
    "queues": {"help": {"wrap_up_s": 0}},
    "agents": {"ana": {}},
    "channels": {"app": {"type": "program", "queue": "help"}},
}


async def main() -> None:
    engine = centralita.EngineThread(CONFIG, entry_points=False, journal=centralita.MemoryJournal())
    # Starting reads the journal and stopping writes it, so neither is done in the event loop.
    await asyncio.to_thread(engine.start)
    try:
        # One command, awaited like anything else.
        admitted = await asyncio.wrap_future(
            engine.submit_soon(AdmitContact(channel="app", provider_id="session-1", customer_name="Luis"))
        )
        print(f"Luis is contact {admitted.contact}")
        # Many at once: the engine decides them in batches.
        await asyncio.gather(
            *(
                asyncio.wrap_future(
                    engine.submit_soon(AdmitContact(channel="app", provider_id=f"session-{number}"))
                )
                for number in range(2, 101)
            )
        )
        # A question is asked in the engine's thread; the answer is frozen and may be kept.
        queue = await asyncio.to_thread(engine.look, lambda switchboard: switchboard.queue("help"))
        assert queue is not None
        print(f"{queue.waiting} wait")
        # Anything longer runs beside the engine, in trio, and its result comes back.
        offered = asyncio.wrap_future(engine.run_soon(first_offer))
        await asyncio.wrap_future(engine.submit_soon(SignIn(agent="ana")))
        print(f"Ana is offered contact {await offered}")
    finally:
        await asyncio.to_thread(engine.stop)


async def first_offer(switchboard: Switchboard) -> int:
    """Follow the records (in trio) until somebody is offered a contact."""
    async with switchboard.follow(after_seq=0) as batches:
        async for batch in batches:
            for event in (event for record in batch for event in record.events):
                if isinstance(event, ContactOffered):
                    return event.contact
    raise centralita.EngineStopped("the engine stopped before anybody was offered a contact")


if __name__ == "__main__":
    asyncio.run(main())
