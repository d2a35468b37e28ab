"""The engine as the runner holds it: one that can still show the contacts which ended a short while ago.

The engine forgets a contact when it ends; the journal and the CRMs have it for good. In between, a customer
rates, a desk refreshes, somebody asks what became of it. So the last ones are kept, a bounded number.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from msgspec.structs import replace

from centralita.engine import Engine, Step
from centralita.look import contact_view, view_of
from centralita.matching import Core
from centralita.messages import AnyCommand, ContactEnded, EraseContacts, Outcome, Record
from centralita.state import Contact
from centralita.views import ContactView

ENDED_SHOWN_MAX: Final = 1_000
"""Ended contacts that can still be shown."""


class RecentEngine(Engine):
    """An Engine whose ended contacts can be seen a little longer. Nothing else differs."""

    def __init__(self, *, core: Core = "native") -> None:
        super().__init__(core=core)
        self.at_end = self._remember
        self._ended: OrderedDict[int, tuple[Contact, Outcome]] = OrderedDict()
        self.erased: list[int] = []
        """Contacts whose erasure was among the records recovered from: a crash may have come before it was done."""

    def reapply(self, record: Record) -> None:
        """Apply one journalled record."""
        super().reapply(record)
        if type(record.command) is EraseContacts:
            self.erased += record.command.contacts

    def handle(self, command: AnyCommand, *, now_ns: int) -> Step:
        """Decide a command; what is erased is shown no more."""
        step = super().handle(command, now_ns=now_ns)
        if type(command) is EraseContacts and step.refusal is None:
            for number in command.contacts:
                self._ended.pop(number, None)
        return step

    def _remember(self, contact: Contact, event: ContactEnded) -> None:
        self._ended[contact.id] = (contact, event.outcome)
        if len(self._ended) > ENDED_SHOWN_MAX:
            self._ended.popitem(last=False)

    def parent_of(self, contact: int) -> int:
        """The customer's contact that a consultation belongs to; 0 for any other contact."""
        live = self.state.contacts.get(contact)
        if live is None and (ended := self._ended.get(contact)) is not None:
            live = ended[0]
        return live.parent if live is not None else 0

    def view(self, contact: int, *, messages: bool = True) -> ContactView | None:
        """A contact, live or ended a short while ago; None when unknown."""
        live = contact_view(self, contact, messages=messages)
        if live is None and (ended := self._ended.get(contact)) is not None:
            contact_at_end, outcome = ended
            return replace(view_of(self, contact_at_end, messages=messages), phase="ended", outcome=outcome)
        return live
