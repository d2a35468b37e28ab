"""The engine beside a program of plain threads: any thread may submit, and waits for what became of it.

Run it: python examples/embed_thread.py
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import centralita
from centralita.messages import AdmitContact, AnswerOffer, SignIn

CONFIG = {
    "queues": {"help": {"wrap_up_s": 0}},
    "agents": {"ana": {}},
    "channels": {"app": {"type": "program", "queue": "help"}},
}


def main() -> None:
    journal = centralita.MemoryJournal()
    with centralita.EngineThread(CONFIG, entry_points=False, journal=journal) as engine:

        def admit(number: int) -> int:
            outcome = engine.submit(AdmitContact(channel="app", provider_id=f"order-{number}"), timeout_s=10)
            return outcome.contact

        with ThreadPoolExecutor(max_workers=8) as pool:
            contacts = list(pool.map(admit, range(40)))
        print(
            f"{len(set(contacts))} contacts, and a repetition is the same contact: {admit(0) == contacts[0]}"
        )

        engine.submit(SignIn(agent="ana"))
        offered = engine.look(lambda switchboard: switchboard.contacts(phase="offered"))[0]
        work = offered.works[0]
        answer = engine.submit(
            AnswerOffer(contact=offered.id, agent=work.agent, offer=work.offer, accept=True)
        )
        print(f"Ana takes contact {offered.id}: {'refused' if answer.refusal else 'accepted'}")
    print(f"stopped at record {journal.last_seq}")


if __name__ == "__main__":
    main()
