"""Who the customer is: a CRM's answer, its silence, or an agent's correction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from centralita.messages import ContactIdentified, IdentifyContact, Refusal
from centralita.stages import arrive
from centralita.stages.refuse import no_contact
from centralita.state import Contact, customer_key

if TYPE_CHECKING:
    from centralita.engine import Engine


def identify(engine: Engine, command: IdentifyContact) -> Refusal | None:
    """Take an answer; a late one is still worth knowing, though the contact has gone on."""
    contact = engine.state.contacts.get(command.contact)
    if contact is None:
        return no_contact(command.contact)
    if command.customer is None and contact.phase != "identifying":
        return Refusal(code="already", message=f"contact {contact.id} has gone on without an answer")
    conversation = command.conversation or _conversation(engine, contact, command)
    engine.emit(ContactIdentified(contact=contact.id, customer=command.customer, conversation=conversation))
    if contact.phase == "identifying":
        arrive.go_on(engine, contact)
    return None


def time_out(engine: Engine, contact: Contact) -> None:
    """No CRM answered in time: the contact goes on unknown."""
    engine.emit(ContactIdentified(contact=contact.id, timed_out=True))
    arrive.go_on(engine, contact)


def _conversation(engine: Engine, contact: Contact, command: IdentifyContact) -> int:
    """The conversation that the same customer's oldest other contact is in, else 0: its own."""
    customer = command.customer
    if customer is None:
        return 0
    theirs = engine.state.by_customer.get(customer_key(customer), {})
    oldest = min((number for number in theirs if number != contact.id), default=0)
    return engine.state.contacts[oldest].conversation if oldest else 0
