"""A small centre with shorthands, for tests that tell one contact's story."""

from __future__ import annotations

from typing import Any

from centralita.config import loads
from centralita.engine import Step
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    EndContact,
    FinishWrapUp,
    ReportConnection,
    SignIn,
)
from centralita.state import Contact
from tests.engine.histories import Centre

BASE = """
skills = ["en", "es"]
default_queue = "sales"
[channels.web]
type = "webchat"
medium = "chat"
can_dial = true
[channels.phone]
type = "phone"
medium = "voice"
can_dial = true
can_forward = true
[channels.mail]
type = "mail"
medium = "email"
[agents.ana]
skills = {en = 5, es = 5}
[agents.bob]
skills = {en = 3}
"""


class Floor(Centre):
    """A centre whose queue `sales` has the given rules."""

    def __init__(self, rules: str = "", *, more: str = "") -> None:
        super().__init__(config=loads(f"{BASE}\n[queues.sales]\n{rules}\n{more}").engine)
        self._provider = 0

    def admit(self, channel: str = "web", **fields: Any) -> int:
        """A contact comes in."""
        self._provider += 1
        return self.do(AdmitContact(channel=channel, provider_id=f"p{self._provider}", **fields)).contact

    def sign_in(self, *agents: str) -> None:
        """Agents come, available."""
        for agent in agents:
            self.do(SignIn(agent=agent, desk="desk"))

    def contact(self, number: int) -> Contact:
        """A live contact."""
        return self.engine.state.contacts[number]

    def phase(self, number: int) -> str:
        """Where a contact is; "ended" when it no longer lives."""
        contact = self.engine.state.contacts.get(number)
        return contact.phase if contact else "ended"

    def asked(self, number: int) -> list[str]:
        """The agents to whom a contact is offered."""
        works = self.contact(number).works
        return [name for name, work in works.items() if work.state == "offered"]

    def answer(self, number: int, agent: str, *, accept: bool = True) -> Step:
        """An agent answers the open offer."""
        offer = self.contact(number).works[agent].offer
        return self.do(AnswerOffer(contact=number, agent=agent, offer=offer, accept=accept, reason="busy"))

    def serve(self, number: int, agent: str) -> None:
        """An agent accepts and is connected."""
        self.answer(number, agent)
        self.do(ReportConnection(contact=number, agent=agent, made=True))

    def finish(self, number: int, agent: str) -> None:
        """An agent ends the conversation and the after-work."""
        self.do(EndContact(contact=number, by=agent))
        if self.phase(number) == "wrapping":
            self.do(FinishWrapUp(contact=number, agent=agent))

    def refused(self, command: AnyCommand) -> str:
        """The code with which a command is refused; it must change nothing."""
        before = self.engine.seq
        step = self.do(command)
        assert step.events == []
        assert self.engine.seq == before
        assert step.refusal is not None, command
        return step.refusal.code


def kinds(step: Step) -> list[str]:
    """The names of a step's events."""
    return [type(event).__name__ for event in step.events]
