"""Forgetting: contacts whose customer asked for it, once nobody needs their words any more.

What is decided here is only that it may be, so that it stands in the journal with its time and who asked. The words
go where they lie: keys, CRMs, channels (runner/customers.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.messages import ContactsErased, EraseContacts, Refusal
from centralita.stages.refuse import wrong_phase

if TYPE_CHECKING:
    from centralita.engine import Engine


def erase(engine: Engine, command: EraseContacts) -> Refusal | None:
    """Forget contacts that have ended; all of them or none."""
    if not command.contacts:
        return Refusal(code="bad_value", message="contacts was empty; allowed: one number or more")
    unknown = [number for number in command.contacts if not 0 < number <= engine.state.last_id]
    if unknown:
        return Refusal(code="unknown_contact", message=f"contact {unknown[0]} never was")
    for number in command.contacts:
        live = engine.state.contacts.get(number)
        if live is not None:
            return wrong_phase(live, "ended")
    engine.emit(ContactsErased(contacts=command.contacts, by=command.by))
    return None
