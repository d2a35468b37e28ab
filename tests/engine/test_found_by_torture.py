"""What `centralita torture` has found, each as the shortest story that shows it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from centralita.explain import explain_contact
from centralita.messages import (
    ApplyConfiguration,
    Customer,
    IdentifyContact,
    MoveContact,
    ReportConnection,
    RequestCallback,
    Target,
    TransferContact,
)
from tests.engine.floor import Floor

CRM = '[crms.local]\ntype = "crm"\n'


def test_answer_of_a_crm_that_comes_late_leaves_the_bot_its_time_limit() -> None:
    bot = '[limits]\nidentify_s = 2\nbot_turn_s = 20\n[channels.menu]\ntype = "x"\nmedium = "voice"\nbot = "menu"\n[bots.menu]\ntype = "menu"\n'
    floor = Floor(more=CRM + bot)
    number = floor.admit("menu")
    floor.pass_time(3)
    assert floor.phase(number) == "self_service"
    floor.do(IdentifyContact(contact=number, customer=Customer(id="1")))
    floor.pass_time(30)
    assert floor.phase(number) == "waiting"


def test_answer_of_a_crm_that_comes_late_leaves_a_waiting_contact_its_longest_wait() -> None:
    floor = Floor("max_wait_s = 60", more=CRM)
    number = floor.admit()
    floor.pass_time(3)
    floor.do(IdentifyContact(contact=number, customer=Customer(id="1")))
    floor.pass_time(70)
    assert floor.phase(number) == "ended"


def test_wrap_up_ends_in_time_while_the_contact_is_offered_to_the_next_agent() -> None:
    floor = Floor("offer_s = 60\nwrap_up_s = 5")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.sign_in("bob")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob")))
    assert floor.asked(number) == ["bob"]
    floor.pass_time(6)
    assert list(floor.contact(number).works) == ["bob"]


def test_wrap_up_ends_in_time_while_the_next_agent_is_being_connected() -> None:
    floor = Floor("wrap_up_s = 30\nconnect_s = 120")
    floor.sign_in("ana")
    number = floor.admit()
    floor.serve(number, "ana")
    floor.sign_in("bob")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(agent="bob")))
    floor.answer(number, "bob")
    floor.pass_time(31)
    assert list(floor.contact(number).works) == ["bob"]


def test_rules_may_lose_rings_that_a_waiting_contact_has_passed() -> None:
    rings = "skills = {en = 5}\nrings = [{after_s = 5, lower = {en = 4}}, {after_s = 10, lower = {en = 1}}]"
    floor = Floor(rings)
    number = floor.admit()
    floor.pass_time(11)
    for left in (1, 0):
        rules = floor.engine.state.config
        sales = replace(rules.queues["sales"], rings=rules.queues["sales"].rings[:left])
        floor.do(ApplyConfiguration(config=replace(rules, queues={"sales": sales})))
        explain_contact(floor.engine, number)
    floor.sign_in("bob")
    assert floor.asked(number) == []
    floor.sign_in("ana")
    assert floor.asked(number) == ["ana"]


def test_callback_that_waits_for_its_moment_is_told_no_place_in_line_when_moved() -> None:
    floor = Floor(
        "announce_every_s = 5\ncallback_retry_s = 60",
        more="[queues.other]\nannounce_every_s = 5\n[queues.third]\nannounce_every_s = 5\n",
    )
    number = postponed(floor)
    floor.do(MoveContact(contact=number, by="boss", queue="third"))
    floor.pass_time(30)
    assert floor.phase(number) == "waiting"


def postponed(floor: Any) -> int:
    """A contact that was answered, returned, asked to be called back, and could not be reached."""
    floor.sign_in("ana")
    number: int = floor.admit()
    floor.serve(number, "ana")
    floor.do(TransferContact(contact=number, agent="ana", target=Target(queue="other")))
    floor.do(RequestCallback(contact=number, handle="+34600"))
    floor.sign_in("bob")
    floor.answer(number, "bob")
    floor.do(ReportConnection(contact=number, agent="bob", made=False, customer_gone=True))
    assert floor.contact(number).due_ns
    return number
