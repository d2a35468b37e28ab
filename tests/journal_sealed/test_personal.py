"""What is a customer's is said in one place, of every field, and taken apart and put together without loss."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centralita import personal
from centralita.journal import Decoder, Encoder
from centralita.messages import (
    AdmitContact,
    AnyCommand,
    AnyEvent,
    Attachment,
    ContactAdmitted,
    Customer,
    MessagePosted,
    PlaceContact,
    PostMessage,
    Record,
    Tick,
)
from centralita.personal import ERASED, NOT_PERSONAL, PERSONAL
from centralita.state import Agent, Contact, Ended, Message, Queue, State, Work
from tests.journal.samples import values_of

COMMANDS, EVENTS = get_args(AnyCommand), get_args(AnyEvent)
KINDS = (*COMMANDS, *EVENTS, Contact, Message, Ended)
FEW = settings(max_examples=settings().max_examples // 4)


def can_hold_words(kind: Any) -> bool:
    """Whether a value of a type can be text, or hold some."""
    if isinstance(kind, typing.NewType):
        return can_hold_words(kind.__supertype__)
    if get_origin(kind) is Literal:
        return False
    if kind is str or kind is bytes or kind is Any:
        return True
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return True
    return any(can_hold_words(part) for part in get_args(kind) if part is not types.NoneType)


def undecided(kind: type[msgspec.Struct]) -> list[str]:
    hints = typing.get_type_hints(kind)
    return [
        name
        for name in kind.__struct_fields__
        if can_hold_words(hints[name])
        and name not in PERSONAL.get(kind, ())
        and name not in NOT_PERSONAL
        and f"{kind.__name__}.{name}" not in NOT_PERSONAL
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_field_that_can_hold_words_is_declared(kind: type[msgspec.Struct]) -> None:
    assert undecided(kind) == [], (
        f"say in centralita/personal.py whether these fields of {kind.__name__} are a customer's"
    )


def test_field_that_nobody_declared_is_found() -> None:
    careless = msgspec.defstruct("Careless", [("contact", int), ("agent", str), ("birthday", str)])
    assert undecided(careless) == ["birthday"]


def test_declaration_names_only_what_is_there() -> None:
    for kind, names in PERSONAL.items():
        assert set(names) <= set(kind.__struct_fields__), kind
    named = {name for kind in KINDS for name in kind.__struct_fields__}
    qualified = {f"{kind.__name__}.{name}" for kind in KINDS for name in kind.__struct_fields__}
    assert set(NOT_PERSONAL) <= named | qualified


def test_state_has_no_customers_words_outside_contacts() -> None:
    # `by_provider` and `by_customer` are indexes, left out of a sealed snapshot; the rest is declared here.
    known = {
        State: {"config", "contacts", "agents", "queues", "ended", "by_provider", "by_customer", "components_down"},
        Agent: {"name", "reason", "desk", "busy"},
        Queue: {"name"},
        Work: {"medium"},
    }  # fmt: skip
    for kind, names in known.items():
        hints = typing.get_type_hints(kind)
        assert {name for name in kind.__struct_fields__ if can_hold_words(hints[name])} == names


class MemorySeal:
    """A seal whose keys are a set of numbers: what is not in it is erased."""

    def __init__(self) -> None:
        self.erased: set[int] = set()

    def close(self, seq: int, contact: int, words: bytes) -> bytes | None:
        return None if contact in self.erased else bytes(byte ^ 0x55 for byte in words)

    def open(self, seq: int, contact: int, sealed: bytes) -> bytes | None:
        return None if contact in self.erased else bytes(byte ^ 0x55 for byte in sealed)


@pytest.mark.parametrize("kind", [*COMMANDS, *EVENTS], ids=lambda kind: kind.__name__)
@given(data=st.data())
@FEW
def test_every_message_comes_back_through_a_seal(kind: Any, data: st.DataObject) -> None:
    admitted = ContactAdmitted(
        contact=7, conversation=7, channel="c", medium="chat", provider_id="p", direction="inbound"
    )
    message = data.draw(values_of(kind))
    record = Record(seq=1, at_ns=5, command=Tick(), events=[admitted])
    if kind in COMMANDS:
        record = Record(seq=1, at_ns=5, command=message, events=[admitted])
    else:
        record = Record(seq=1, at_ns=5, command=Tick(), events=[message, message])
    seal = MemorySeal()
    batch = Encoder(seal).encode([record], after_seq=0, after_ns=0)
    if kind.__name__ != "ReconcileChannel" and getattr(message, "contact", 7) != 0:
        assert Decoder(seal).decode(batch) == [record]
    bare = personal.part(record)[0]
    assert Decoder().decode(batch) == [bare], "without the keys it reads as if all were erased"
    seal.erased = {getattr(message, "contact", 7), 7}
    assert Decoder(seal).decode(batch) == [bare]
    assert personal.part(bare)[0] == bare, "what is erased stays as it is"


def test_erased_words_show_as_such_and_ids_stay_apart() -> None:
    attachment = Attachment(id="f1", name="passport.png", media_type="image/png", bytes_n=9)
    record = Record(
        seq=1,
        at_ns=5,
        command=PostMessage(contact=3, author="customer", text="secret", attachments=(attachment,)),
        events=[
            MessagePosted(
                contact=3, number=1, author="customer", text="secret", message_id="<x@ana.example>"
            ),
            MessagePosted(contact=4, number=1, author="agent", text=""),
        ],
    )
    bare, parts = personal.part(record)
    assert list(parts) == [3]
    assert bare.command == PostMessage(
        contact=3,
        author="customer",
        text=ERASED,
        attachments=(Attachment(id="", name=ERASED, media_type="image/png", bytes_n=9),),
    )
    assert bare.events == [
        MessagePosted(contact=3, number=1, author="customer", text=ERASED),
        MessagePosted(contact=4, number=1, author="agent", text=""),
    ]


@pytest.mark.parametrize(
    "command",
    [
        AdmitContact(channel="c", provider_id="+34600", handle="+34600", text="hello", attributes={"a": "b"}),
        PlaceContact(agent="ana", channel="c", provider_id="+34600", handle="+34600", subject="debt"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_admission_is_sealed_with_the_contact_it_became(command: Any) -> None:
    events: list[Any] = [
        ContactAdmitted(
            contact=contact,
            conversation=contact,
            channel="c",
            medium="voice",
            provider_id="+34600",
            direction="inbound",
            handle="+34600",
        )
        for contact in (7, 9)
    ]
    bare, parts = personal.part(Record(seq=1, at_ns=5, command=command, events=events))
    assert [place for place, _ in parts[7]] == [1, 0]
    assert "600" not in str(bare)
    assert bare.events[0].provider_id != bare.events[1].provider_id  # type: ignore[union-attr]
    assert bare.command.handle == "", "nobody is made known by an erased address"  # type: ignore[union-attr]


def test_erased_customer_keeps_what_routing_used() -> None:
    customer = Customer(id="12", name="Ana", language="es", vip=True, preferred_agent="eva", crm="house")
    assert personal.erased("customer", customer, 5) == Customer(
        id="erased-5", name=ERASED, vip=True, preferred_agent="eva", crm="house"
    )
