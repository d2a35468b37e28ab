"""What is no command, or holds what no command can: compiled or not, the same comes of it, and nothing breaks."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Any

import msgspec
import pytest

from centralita.engine import Engine
from centralita.matching import QueueBrokenError
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    AnyEvent,
    ClassifyContact,
    Customer,
    EndContact,
    FinishWrapUp,
    IdentifyContact,
    ReportConnection,
    SignIn,
    Tick,
)
from tests.engine.histories import Centre, centre

HUGE = 2**70


class Channel(StrEnum):
    """As somebody may name channels."""

    WEB = "web"


class Mixed(str, Enum):  # noqa: UP042  # a StrEnum is formatted as its value
    """A str that Python formats otherwise."""

    WEB = "web"


class Known(Customer, frozen=True, kw_only=True):
    """A CRM's own kind of customer."""

    crm: str = "own"
    since: int = 2020


def _arrived(centre: Centre) -> None:
    centre.do(AdmitContact(channel="web", provider_id="0", preferred_agent="ana"))


def _identified(centre: Centre) -> None:
    _arrived(centre)
    centre.do(IdentifyContact(contact=1))


def _offered(centre: Centre) -> None:
    centre.do(SignIn(agent="ana", desk="d1"))
    _identified(centre)
    centre.do(ClassifyContact(contact=1))


def _connecting(centre: Centre) -> None:
    _offered(centre)
    centre.do(AnswerOffer(contact=1, agent="ana", offer=2, accept=True))


def _served(centre: Centre) -> None:
    _connecting(centre)
    centre.do(ReportConnection(contact=1, agent="ana", made=True))


def _wrapping(centre: Centre) -> None:
    _served(centre)
    centre.do(EndContact(contact=1, by="ana"), after_s=3)


def _nothing(centre: Centre) -> None:
    """As it is."""


NUMBERS: tuple[Any, ...] = ("x", None, 1.0, True, [], HUGE, -1)
NAMES: tuple[Any, ...] = (None, 5, [], "nobody")
WRONG: dict[Callable[[Centre], None], tuple[AnyCommand, dict[str, tuple[Any, ...]]]] = {
    _nothing: (
        AdmitContact(channel="web", provider_id="1"),
        {
            "channel": (*NAMES, Channel.WEB, Mixed.WEB),
            "provider_id": (None, "", 5, b"x", [], Mixed.WEB),
            "handle": (None, 5),
            "queue": NAMES,
            "skills": ({}, (), [], 0, {"en": 1}, {"en": "x"}, {"en": 11}, "en"),
            "priority": (None, HUGE, -HUGE, 1001, True, "3"),
            "credit_s": (float("inf"), float("nan"), 1e300, -1e300, True, "3", 4, -3.5, 3.2e7),
            "preferred_agent": NAMES,
            "attributes": ({}, 5),
            "conversation": (None, 2**63, -1, 1.5, "x", True),
            "text": (None, 0, "hello"),
            "outbound": (1, 0, None, True),
        },
    ),
    _arrived: (
        IdentifyContact(contact=1, customer=Customer(id="1")),
        {
            "contact": NUMBERS,
            "customer": (None, Known(id="1"), Customer(id=5)),  # type: ignore[arg-type]
            "conversation": (None, 7, 2**63),
        },
    ),
    _identified: (
        ClassifyContact(contact=1),
        {
            "contact": NUMBERS,
            "queue": NAMES,
            "skills": ((), {}, "en", {"en": 2}),
            "priority": (HUGE, True, 1001),
            "attributes": ((), {"a": "b"}),
            "preferred_agent": NAMES,
        },
    ),
    _offered: (
        AnswerOffer(contact=1, agent="ana", offer=2, accept=True),
        {"contact": NUMBERS, "agent": NAMES, "offer": (2.0, HUGE, "2", None), "accept": (1, 0, None)},
    ),
    _connecting: (
        ReportConnection(contact=1, agent="ana", made=True),
        {"contact": NUMBERS, "agent": NAMES, "made": (1, 0, None)},
    ),
    _served: (EndContact(contact=1, by="ana"), {"contact": NUMBERS, "by": NAMES, "reason": (5, None)}),
    _wrapping: (
        FinishWrapUp(contact=1, agent="ana"),
        {"contact": NUMBERS, "agent": NAMES, "disposition": (None, 5, [], "solved"), "notes": (5, None)},
    ),
}


def _cases() -> list[Any]:
    return [
        pytest.param(begin, command, field, value, id=f"{type(command).__name__}-{field}-{value!r}")
        for begin, (command, fields) in WRONG.items()
        for field, values in fields.items()
        for value in values
    ]


def became(core: str, begin: Callable[[Centre], None], command: Any) -> tuple[Any, ...]:
    """What came of a command, and whether the state is another: an error by its kind, all else to its bytes."""
    there = Centre(core=core, config=centre())
    begin(there)
    before = there.engine.state_hash()
    try:
        step = there.engine.handle(command, now_ns=there.now_ns)
    except Exception as error:  # noqa: BLE001  # which it is, is what is compared
        return type(error), there.engine.state_hash() != before
    return step, _encoded(step.events), there.engine.state_hash()


def _encoded(events: list[AnyEvent]) -> bytes:
    return msgspec.msgpack.encode(events)


@pytest.mark.parametrize(("begin", "command", "field", "value"), _cases())
def test_a_wrong_field_is_the_same_compiled_and_not(
    begin: Callable[[Centre], None], command: AnyCommand, field: str, value: Any
) -> None:
    wrong = msgspec.structs.replace(command, **{field: value})
    assert became("native", begin, wrong) == became("naive", begin, wrong)


@pytest.mark.parametrize("field", AdmitContact.__struct_fields__)
def test_a_deleted_field_is_said_as_python_says_it(field: str) -> None:
    said = []
    for core in ("native", "naive"):
        there = Centre(core=core)
        command = AdmitContact(channel="web", provider_id="1")
        vars(AdmitContact)[field].__delete__(command)
        with pytest.raises(AttributeError) as raised:
            there.do(command)
        said.append(str(raised.value))
    assert said[0] == said[1] == f"'AdmitContact' object has no attribute '{field}'"


@pytest.mark.parametrize("field", ["works", "phase", "queue", "talk_ns"])
def test_an_engine_goes_on_with_others_when_a_contact_lost_a_field(field: str) -> None:
    there = Centre()
    _served(there)
    object.__delattr__(there.engine.state.contacts[1], field)
    with pytest.raises(AttributeError, match=f"'Contact' object has no attribute '{field}'"):
        there.do(EndContact(contact=1, by="ana"))
    assert there.do(AdmitContact(channel="web", provider_id="2")).contact


@pytest.mark.parametrize("core", ["native", "naive"])
@pytest.mark.parametrize("now_ns", [2**61, 2**63 - 1, 2**63, HUGE, -HUGE])
def test_a_moment_that_no_queue_can_hold_changes_nothing(core: str, now_ns: int) -> None:
    there = Centre(core=core)
    with pytest.raises(ValueError, match=r"now_ns was .*; allowed: "):
        there.engine.handle(AdmitContact(channel="web", provider_id="1"), now_ns=now_ns)
    assert there.engine.now_ns == there.now_ns
    assert not there.engine.state.contacts


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        ("Tick", "str"),
        (None, "NoneType"),
        (5, "int"),
        (object(), "object"),
        (Customer(id="1"), "Customer"),
        (AdmitContact, "the class AdmitContact"),
    ],
)
def test_what_is_no_command_is_a_type_error(wrong: Any, got: str) -> None:
    assert became("native", _nothing, wrong) == became("naive", _nothing, wrong) == (TypeError, False)
    with pytest.raises(TypeError, match=f"an engine takes commands .*, got {got}$"):
        Engine().handle(wrong, now_ns=0)


def test_struct_that_the_compiled_engine_does_not_know_is_said_with_the_place() -> None:
    program = """
import msgspec, centralita.state
centralita.state.Agent = msgspec.defstruct("Agent", ["name", "nicknames"])
from centralita.engine import Engine
Engine()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ImportError" in done.stderr
    assert 'the fields ["name", "nicknames"]' in done.stderr
    assert "routing_rs/src/engine/records.rs" in done.stderr


def test_a_bug_in_the_compiled_engine_is_no_panic_and_is_said_from_then_on() -> None:
    engine = Engine()
    with pytest.raises(QueueBrokenError, match="its message is on stderr"):
        engine._panic()
    with pytest.raises(QueueBrokenError, match="an earlier call broke this engine"):
        engine.handle(Tick(), now_ns=1)


class Failing:
    """A capture that ends what it is told of."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def before(self, event: AnyEvent) -> None:
        raise self.error


@pytest.mark.parametrize("core", ["native", "naive"])
@pytest.mark.parametrize("error", [ValueError("full"), KeyboardInterrupt()])
def test_what_a_capture_raises_comes_before_anything_has_changed(core: str, error: BaseException) -> None:
    there = Centre(core=core)
    before = there.engine.state_hash()
    there.engine._capture = Failing(error)  # type: ignore[assignment]
    with pytest.raises(type(error)):
        there.do(AdmitContact(channel="web", provider_id="1"))
    there.engine.end_capture()
    assert there.engine.state_hash() == before
    assert there.do(AdmitContact(channel="web", provider_id="1")).contact == 1


class Holding(Engine):
    """An engine with a beginning of its own."""

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.held = held


class Unbegun(Engine):
    """An engine whose author has forgotten its beginning."""

    def __init__(self) -> None:
        pass


def test_an_engine_may_have_a_beginning_of_its_own() -> None:
    assert Holding(5).handle(Tick(), now_ns=1).events == []
    with pytest.raises(TypeError, match="is not the engine's State"):
        Unbegun().handle(Tick(), now_ns=1)


class Own(Engine):
    """An engine that keeps its own ends."""

    def __init__(self) -> None:
        super().__init__()
        self.at_end = self.keep

    def keep(self, contact: Any, event: AnyEvent) -> None:
        """Nothing."""


class Captured(Engine):
    """An engine that captures itself, whoever may want that."""

    def __init__(self) -> None:
        super().__init__()
        self._capture = self  # type: ignore[assignment]


class Around(Engine):
    """An engine whose capture holds it."""

    def __init__(self) -> None:
        super().__init__()
        self._capture = Failing(ValueError(self))  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Own, Captured, Around])
def test_engines_in_a_cycle_are_collected(kind: type[Engine]) -> None:
    kind()
    gc.collect()
    # A weak reference would not do: the collector clears it before it knows whether the cycle can be broken.
    assert not [held for held in gc.get_objects() if type(held) is kind]


def test_a_state_that_lost_a_field_begins_nothing() -> None:
    engine = Engine()
    del engine.state.ended
    with pytest.raises(AttributeError, match="'State' object has no attribute 'ended'"):
        engine.begin(engine.state, engine.lines, {}, {}, usual_here=True)
