"""Contacts, records and words to try a plugin with: made by the real engine, the same at each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from centralita.config import EngineConfig, decode
from centralita.engine import Engine, Step
from centralita.look import contact_view
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    Attachment,
    Customer,
    EndContact,
    FinishWrapUp,
    HoldContact,
    IdentifyContact,
    MarkComponentDown,
    NoteContact,
    PostMessage,
    RateContact,
    Record,
    ReportConnection,
    RequestCallback,
    ResumeContact,
    SetStatus,
    SignIn,
    SignOut,
)
from centralita.views import ContactView

START_NS: Final = 1_772_000_000_000_000_000
SECOND_NS: Final = 1_000_000_000

WORDS: Final = (
    "Hello?",
    "¿Me oyen? Ñandú, çedilla, 价格, مرحبا",
    "👩‍👩‍👧‍👦 🇪🇸",
    '\'; DROP TABLE contacts; -- <b>"%s" {0} ${x} \\n',
    "  blanks  at  both  ends",
)
"""What people write. All of it is one line, without blanks at its ends that a protocol could lose."""

TEXTS: Final = tuple(text.strip() for text in WORDS)
HANDLES: Final = tuple(f"+3460000{number:04}" for number in range(3))
"""Where the people of the plain records are reached: Person 0, Person 1 and Person 2."""

LONG: Final = "Ω and so on. " * 400

_PROGRAM: Final = {"type": "program", "medium": "chat"}
_RAW: Final[dict[str, Any]] = {
    "skills": ["es"],
    "default_queue": "help",
    "queues": {"help": {"wrap_up_s": 30, "offer_s": 20}},
    "agents": {
        "ana": {"title": "Ana", "capacity": 100_000},
        "luis": {"skills": {"es": 5}, "capacity": 100_000},
    },
    "channels": {"shop": _PROGRAM, "phone": {**_PROGRAM, "medium": "voice"}},
}


def config(**more: Any) -> EngineConfig:
    """A small company's rules."""
    return decode({**_RAW, **more}).engine


class History:
    """An engine that writes down what it does, a second after a second."""

    def __init__(self, rules: EngineConfig) -> None:
        self.engine = Engine()
        self.records: list[Record] = []
        self.now_ns = START_NS
        self.do(ApplyConfiguration(config=rules))

    def do(self, command: AnyCommand) -> Step:
        """Hand in a command, a second later. What is refused is not written down, as in life."""
        self.now_ns += SECOND_NS
        step = self.engine.handle(command, now_ns=self.now_ns)
        if step.seq:
            self.records.append(
                Record(seq=step.seq, at_ns=self.now_ns, command=command, events=list(step.events))
            )
        return step

    def admit(self, provider_id: str, **fields: Any) -> int:
        """A contact comes in on the shop's chat."""
        return self.do(AdmitContact(**{"channel": "shop", "provider_id": provider_id, **fields})).contact

    def view(self, contact: int) -> ContactView:
        """A contact as a plugin sees it."""
        view = contact_view(self.engine, contact)
        assert view is not None
        return view

    def serve(self, contact: int) -> str:
        """Whoever is offered the contact takes it; returns who it is."""
        works = self.engine.state.contacts[contact].works
        agent, offer = next((name, work.offer) for name, work in works.items() if work.state == "offered")
        self.do(AnswerOffer(contact=contact, agent=agent, offer=offer, accept=True))
        self.do(ReportConnection(contact=contact, agent=agent, made=True))
        return agent

    def finish(self, contact: int, agent: str) -> None:
        """The conversation ends, and the agent's after-work too."""
        self.do(EndContact(contact=contact, by=agent))
        self.do(FinishWrapUp(contact=contact, agent=agent, disposition="", notes="done"))


def plain_records() -> list[Record]:
    """Thirty short conversations of known people, one after the other."""
    history = History(config())
    history.do(SignIn(agent="ana"))
    for number in range(1, 31):
        contact = history.admit(
            f"plain-{number}",
            handle=HANDLES[number % 3],
            customer_name=f"Person {number % 3}",
            subject=f"matter {number}",
            text="Hello?",
        )
        agent = history.serve(contact)
        history.do(PostMessage(contact=contact, author="agent", author_id=agent, text="From nine to two."))
        history.finish(contact, agent)
    return history.records


def busy_records() -> list[Record]:
    """Records with everything that is odd but allowed: signs, lengths, empty fields, endings of every kind."""
    history = History(config())
    history.do(SignIn(agent="ana"))
    history.do(SetStatus(agent="ana", status="break", reason="coffee"))
    files = (Attachment(id="f1", name="Ω 'x'.pdf", media_type="application/pdf", bytes_n=0),)
    for number, words in enumerate((*TEXTS, LONG, "", "\n\n")):
        contact = history.admit(
            f"busy {number} {words[:20]}",
            handle=words[:200],
            customer_name=words[:100],
            subject=words[:200],
            text=words,
            attributes={words[:20]: words[:50]},
        )
        history.do(PostMessage(contact=contact, author="customer", text=words, attachments=files))
        history.do(PostMessage(contact=contact, author="system", text=words, internal=True))
        history.do(NoteContact(contact=contact, agent="ana", notes=words))
        history.do(IdentifyContact(contact=contact, customer=Customer(id=words[:20] or "0", name=words[:50])))
        if number % 3 == 0:
            history.do(AbandonContact(contact=contact, reason=words[:50]))
        elif number % 3 == 1:
            history.do(RequestCallback(contact=contact, handle="+34600000009"))
    history.do(MarkComponentDown(component="crms.kit", error=TEXTS[3]))
    history.do(SetStatus(agent="ana", status="available"))
    for contact in list(history.engine.state.contacts):
        live = history.engine.state.contacts.get(contact)
        if live is not None and any(work.state == "offered" for work in live.works.values()):
            agent = history.serve(contact)
            history.do(HoldContact(contact=contact, agent=agent))
            history.do(ResumeContact(contact=contact, agent=agent))
            history.finish(contact, agent)
            history.do(RateContact(contact=contact, score=5, comment=TEXTS[2]))
    history.do(SignOut(agent="ana"))
    return history.records


def state_after(records: Sequence[Record], seq: int) -> bytes:
    """The engine's state after record `seq`, in the engine's own bytes."""
    return Engine.restore(None, [record for record in records if record.seq <= seq]).snapshot()
