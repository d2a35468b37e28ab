"""Who stands before a contact is named with what put them there, and no place worsens unexplained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from centralita.engine import Engine
from centralita.explain import explain_contact
from centralita.messages import ApplyConfiguration, MoveContact, SetStatus, SignIn, SignOut, Tick
from centralita.state import Contact
from centralita.views import ContactExplanation
from tests.engine.floor import Floor
from tests.engine.histories import Centre, centre, commands

QUEUES = """
[queues.plain]
[queues.gold]
priority = 2
[queues.old]
credit_s = 600
[queues.fast]
rate = 10
"""


def waiting(engine: Engine) -> Iterator[tuple[Contact, ContactExplanation]]:
    for contact in engine.state.contacts.values():
        if contact.phase == "waiting" and not contact.due_ns:
            told = explain_contact(engine, contact.id)
            assert told is not None
            yield contact, told


def test_each_before_is_named_with_what_puts_them_there() -> None:
    floor = Floor(more=QUEUES)
    floor.sign_in("ana")
    floor.serve(floor.admit("phone"), "ana")
    earlier = floor.admit("phone")
    floor.pass_time(20)
    mine = floor.admit("phone")
    floor.pass_time(20)
    gold, old, fast = (floor.admit("phone", queue=queue) for queue in ("gold", "old", "fast"))
    floor.do(Tick(), after_s=30)
    told = explain_contact(floor.engine, mine)
    assert told is not None
    assert {one.contact: (one.by, one.words) for one in told.before} == {
        gold: ("priority", "priority 2 against 0"),
        old: ("head_start", "came 20 s later with a head start of 600 s against 0 s"),
        fast: ("rate", "gains urgency at rate 10 against 1"),
        earlier: ("wait", "has waited 20 s longer"),
    }
    assert told.before[0].contact == gold
    assert told.position == len(told.before) + 1


def test_who_waits_for_other_people_is_not_before() -> None:
    floor = Floor("skills = {en = 1}", more="[queues.ayuda]\nskills = {es = 1}")
    floor.sign_in("bob")
    floor.serve(floor.admit("phone"), "bob")
    floor.admit("phone", queue="ayuda")
    mine = floor.admit("phone")
    told = explain_contact(floor.engine, mine)
    assert told is not None
    assert (told.ahead, told.before) == (0, ())


def test_who_waits_for_other_people_in_the_same_queue_is_not_before_whom_a_ring_has_let_in() -> None:
    floor = Floor("skills = {en = 5}\nrings = [{after_s = 10, lower = {en = 3}}]")
    floor.sign_in("bob")
    floor.do(SetStatus(agent="bob", status="break"))
    floor.admit("phone", skills={"es": 1})
    mine = floor.admit("phone")
    floor.pass_time(10)
    told = explain_contact(floor.engine, mine)
    assert told is not None
    assert (told.position, told.before) == (1, ())


def test_head_start_that_is_just_enough_is_named_as_one() -> None:
    floor = Floor(more=QUEUES)
    floor.do(SignIn(agent="bob", desk="desk", status="break"))
    moved = floor.admit("phone")
    mine = floor.admit("phone")
    floor.pass_time(20)
    floor.do(MoveContact(contact=moved, by="eva", queue="plain"))
    told = explain_contact(floor.engine, mine)
    assert told is not None
    assert [(one.contact, one.by) for one in told.before] == [(moved, "head_start")]


def test_at_most_twenty_are_named_and_all_are_counted() -> None:
    floor = Floor()
    floor.sign_in("bob")
    numbers = [floor.admit("phone") for _ in range(40)]
    told = explain_contact(floor.engine, numbers[-1])
    assert told is not None
    assert [one.contact for one in told.before] == numbers[1:21]
    assert told.ahead == 38


def urgency(engine: Engine, contact: Contact) -> tuple[int, int, int]:
    """The rule's key, worked out from the contact alone: the greater goes first."""
    waited_ns = engine.now_ns - contact.queued_ns
    priority = contact.priority + engine.lines.raised(contact)
    return priority, contact.rate_thousandths * (waited_ns + contact.credit_ns), -contact.id


@pytest.mark.parametrize("core", ["native", "naive"])
@pytest.mark.parametrize("seed", range(8))
def test_no_place_worsens_without_somebody_named_who_came_before(seed: int, core: str) -> None:
    history = Centre(core=core)
    engine = history.engine
    history.do(ApplyConfiguration(config=centre()))
    for agent in engine.state.config.agents:
        history.do(SignIn(agent=agent, desk="desk"))
    places: dict[int, tuple[int, frozenset[int]]] = {}
    worsened = 0
    for after_s, command in commands(engine, seed, 600):
        history.do(command, after_s=after_s)
        now: dict[int, tuple[int, frozenset[int]]] = {}
        for contact, told in waiting(engine):
            named = frozenset(one.contact for one in told.before)
            now[contact.id] = told.ahead, named
            assert len(named) == min(told.ahead, 20)
            for one in told.before:
                other = engine.state.contacts[one.contact]
                assert urgency(engine, other) > urgency(engine, contact), one
                if one.by == "priority":
                    assert urgency(engine, other)[0] > urgency(engine, contact)[0]
                elif one.by == "wait":
                    assert other.queued_ns <= contact.queued_ns
                elif one.by == "head_start":
                    assert other.queued_ns > contact.queued_ns
                    assert other.credit_ns > contact.credit_ns
                elif urgency(engine, other)[1] >= 0:
                    assert other.rate_thousandths > contact.rate_thousandths
                else:
                    # Before the time that a negative credit gives away, the slower rate is ahead.
                    assert other.rate_thousandths < contact.rate_thousandths
            then = places.get(contact.id)
            if then is not None and told.ahead > then[0]:
                worsened += 1
                assert named - then[1] or told.ahead > 20, (contact.id, then, told.before)
        places = now
    assert worsened, "nothing got worse in this history: it tests nothing"


def test_with_one_rule_for_all_a_newcomer_never_stands_before_who_waits() -> None:
    floor = Floor()
    floor.sign_in("ana")
    floor.serve(floor.admit("phone"), "ana")
    first = [floor.admit("phone") for _ in range(6)]
    places = {
        number: floor.engine.lines.ahead(floor.contact(number), now_ns=floor.engine.now_ns)
        for number in first
    }
    for _ in range(10):
        floor.pass_time(7)
        floor.admit("phone")
        for number, place in places.items():
            assert floor.engine.lines.ahead(floor.contact(number), now_ns=floor.engine.now_ns) == place
    floor.do(SignIn(agent="bob", desk="desk"))
    floor.do(SignOut(agent="bob"))
    told = {contact.id: told.before for contact, told in waiting(floor.engine)}
    assert all(one.by == "wait" and one.contact < number for number, before in told.items() for one in before)
    assert all(floor.engine.lines.wanted(floor.contact(number)) == {} for number in told)
