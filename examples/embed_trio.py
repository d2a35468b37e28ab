"""The engine inside a trio program: two customers, one agent, and every change as it becomes durable.

Run it: python examples/embed_trio.py
"""

from __future__ import annotations

import trio

import centralita
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    ContactConnected,
    ContactEnded,
    ContactOffered,
    EndContact,
    SignIn,
)
from centralita.protocols import Switchboard

CONFIG = {
    "skills": ["spanish"],
    "queues": {"help": {"skills": {"spanish": 5}, "wrap_up_s": 0}},
    "agents": {"ana": {"title": "Ana", "skills": {"spanish": 9}}},
    "channels": {"app": {"type": "program", "queue": "help"}},
}


async def main() -> None:
    # The journal is in memory, so nothing outlives this program; without `journal` it would be SQLite in
    # ./data. `entry_points=False`: no installed plugin is loaded.
    async with centralita.open_engine(
        CONFIG, entry_points=False, journal=centralita.MemoryJournal()
    ) as switchboard:
        await switchboard.submit(SignIn(agent="ana"))
        async with trio.open_nursery() as nursery:
            await nursery.start(be_ana, switchboard)
            for customer in ("Luis", "Marta"):
                outcome = await switchboard.submit(
                    AdmitContact(channel="app", provider_id=f"session-{customer}", customer_name=customer)
                )
                # The outcome is durable: it may be promised to the customer now.
                print(f"{customer} is contact {outcome.contact}")


async def be_ana(switchboard: Switchboard, *, task_status: trio.TaskStatus[None]) -> None:
    """Take each offer as it comes, end each conversation as soon as it begins, go home after two."""
    ended = 0
    async with switchboard.follow() as batches:
        task_status.started()
        async for batch in batches:
            for event in [event for record in batch for event in record.events]:
                if isinstance(event, ContactOffered):
                    await switchboard.submit(
                        AnswerOffer(contact=event.contact, agent=event.agent, offer=event.offer, accept=True)
                    )
                elif isinstance(event, ContactConnected):
                    await switchboard.submit(EndContact(contact=event.contact, by="ana"))
                elif isinstance(event, ContactEnded):
                    print(f"contact {event.contact}: {event.outcome}")
                    ended += 1
            if ended == 2:
                return


if __name__ == "__main__":
    trio.run(main)
