"""What nobody in their right mind hands in, of a contact and an agent picked at random: most of it must be refused and
change nothing, and all of it leaves every rule as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    CancelContact,
    EndConsultation,
    EndContact,
    EraseContacts,
    ExtendWrapUp,
    FinishWrapUp,
    HoldContact,
    IdentifyContact,
    LeaveContact,
    LoseAgent,
    MarkComponentDown,
    MarkComponentUp,
    MoveContact,
    OpenQueue,
    PickContact,
    PlaceContact,
    PostMessage,
    RateContact,
    ReconcileChannel,
    ReportConnection,
    ReportDelivery,
    RequestCallback,
    ResumeContact,
    SetStatus,
    SignIn,
    StartConsultation,
    Target,
    Tick,
    TransferContact,
)
from centralita.simulate.torture.edge import CUSTOMERS

BAD_TARGETS: Final = (
    Target(),
    Target(queue="nowhere"),
    Target(agent="nobody"),
    Target(skills={"klingon": 1}),
)

NONSENSE: Final[tuple[Callable[[int, str], AnyCommand], ...]] = (
    lambda contact, agent: AnswerOffer(contact=contact, agent=agent, offer=contact + 1, accept=True),
    lambda contact, agent: ReportConnection(contact=contact, agent=agent, made=True),
    lambda contact, agent: ReportConnection(contact=contact, agent=agent, made=False, customer_gone=True),
    lambda contact, agent: FinishWrapUp(contact=contact, agent=agent, disposition="unheard of"),
    lambda contact, agent: FinishWrapUp(contact=contact, agent=agent),
    lambda contact, agent: EndContact(contact=contact, by=agent),
    lambda contact, agent: CancelContact(contact=contact, by=agent),
    lambda contact, agent: AbandonContact(contact=contact),
    lambda contact, agent: AdmitContact(channel="nowhere", provider_id="1"),
    lambda contact, agent: AdmitContact(channel="web", provider_id=""),
    lambda contact, agent: AdmitContact(channel="web", provider_id=f"q{contact}"),
    lambda contact, agent: PlaceContact(agent=agent, channel="mail", provider_id="x", handle="y"),
    lambda contact, agent: TransferContact(contact=contact, agent=agent, target=BAD_TARGETS[contact % 4]),
    lambda contact, agent: StartConsultation(contact=contact, agent=agent, target=BAD_TARGETS[contact % 4]),
    lambda contact, agent: PostMessage(contact=contact, author="agent", author_id=agent, text="x"),
    lambda contact, agent: PostMessage(contact=contact, author="customer", text=""),
    lambda contact, agent: RateContact(contact=contact, score=contact % 7),
    lambda contact, agent: RateContact(contact=contact, score=5),
    lambda contact, agent: MoveContact(contact=contact, by=agent, skills={"klingon": 3}),
    lambda contact, agent: MoveContact(contact=contact, by=agent, priority=1001),
    lambda contact, agent: SetStatus(agent=agent, status="break", reason="surfing"),
    lambda contact, agent: SignIn(agent=agent, status="offline"),
    lambda contact, agent: LoseAgent(agent=agent, desk="d3"),
    lambda contact, agent: HoldContact(contact=contact, agent=agent),
    lambda contact, agent: ResumeContact(contact=contact, agent=agent),
    lambda contact, agent: LeaveContact(contact=contact, agent=agent),
    lambda contact, agent: EndConsultation(contact=contact, agent=agent, then="join"),
    lambda contact, agent: ExtendWrapUp(contact=contact, agent=agent, seconds=3),
    lambda contact, agent: PickContact(contact=contact, agent=agent, by="boss"),
    lambda contact, agent: RequestCallback(contact=contact, handle="+1", due_ns=1),
    lambda contact, agent: IdentifyContact(contact=contact, customer=CUSTOMERS[contact % 12]),
    lambda contact, agent: OpenQueue(queue="nowhere"),
    lambda contact, agent: Tick(),
    lambda contact, agent: ReportDelivery(contact=contact, number=9_999, made=bool(contact % 2)),
    lambda contact, agent: ReconcileChannel(channel="nowhere", alive=("x",)),
    lambda contact, agent: MarkComponentUp(component="bots.menu"),
    lambda contact, agent: MarkComponentDown(component="bots.menu", error="gone"),
    lambda contact, agent: EraseContacts(contacts=(), by=agent),
)
