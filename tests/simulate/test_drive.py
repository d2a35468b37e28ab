"""The calendar of a simulation: its order, what it hands out, and that it is let go of."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from centralita import simulate
from centralita._routing import PeopleHeld
from centralita.matching import Core
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyEvent,
    ApplyConfiguration,
    ContactAdmitted,
    ContactOffered,
    OfferExpired,
    SendOffer,
    SignIn,
    Tick,
)
from centralita.simulate.drive import Drive
from centralita.simulate.scenario import LINE

S = 1_000_000_000
CENTRE = """
skills = ["general"]
[queues.calls]
skills = { general = 1 }
offer_s = 20
[simulate]
duration_s = 600
[simulate.customers.callers]
queue = "calls"
arrivals = { kind = "poisson", per_hour = 600 }
handling = { kind = "exponential", mean_s = 60 }
patience = { kind = "exponential", mean_s = 120 }
[simulate.crews.all]
agents = 5
skills = { general = 1 }
"""
CORES: tuple[Core, ...] = ("native", "naive")


@pytest.fixture(params=CORES)
def drive(request: pytest.FixtureRequest) -> Drive:
    scenario = simulate.loads(CENTRE)
    made = Drive(core=request.param, start_ns=S)
    made.do(ApplyConfiguration(config=scenario.config))
    made.do(SignIn(agent=next(iter(scenario.config.agents)), desk="test"))
    return made


def admission(name: str) -> AdmitContact:
    return AdmitContact(channel=LINE, provider_id=name, queue="calls")


def test_entries_come_by_time_then_by_when_they_were_entered(drive: Drive) -> None:
    done: list[tuple[str, int]] = []

    def note(word: str) -> None:
        done.append((word, drive.now_ns))

    drive.at(5 * S, note, "third")
    drive.at(3 * S, note, "first")
    drive.at(3 * S, note, "second")
    drive.at(0, note, "past")
    drive.run(until_ns=4 * S)
    assert done == [("past", S), ("first", 3 * S), ("second", 3 * S)]
    assert drive.now_ns == 4 * S
    drive.run()
    assert done[3:] == [("third", 5 * S)]
    assert drive.now_ns == 5 * S


def test_a_command_and_a_call_keep_their_order(drive: Drive) -> None:
    seen: list[int] = []
    drive.at(2 * S, lambda: seen.append(drive.engine.state.last_id))
    drive.do_at(2 * S, admission("1"))
    drive.at(2 * S, lambda: seen.append(drive.engine.state.admitted_n))
    drive.run()
    assert seen[1] == 1
    assert drive.commands_n == 3


def test_what_is_due_comes_before_what_was_entered_for_the_same_time(drive: Drive) -> None:
    order: list[str] = []
    drive.watches(OfferExpired, lambda event: order.append("expired"))
    drive.do_at(2 * S, admission("1"))
    drive.at(22 * S, order.append, "entered")
    drive.run()
    assert order == ["expired", "entered"]


def test_what_a_tick_enters_is_done_before_the_time_is_up(drive: Drive) -> None:
    done: list[int] = []

    def note() -> None:
        done.append(drive.now_ns)

    drive.watches(OfferExpired, lambda event: drive.at(drive.now_ns + S, note))
    drive.do(admission("1"))
    drive.run(until_ns=60 * S)
    assert done == [22 * S]
    assert drive.now_ns == 60 * S


def test_what_a_deadline_enters_comes_before_the_next_deadline(drive: Drive) -> None:
    seen: list[tuple[str, int]] = []

    def note(word: str) -> None:
        seen.append((word, drive.now_ns // S))

    def expired(event: OfferExpired) -> None:
        note("expired")
        drive.at(drive.now_ns + S, note, "entered")

    drive.watches(OfferExpired, expired)
    drive.do(SignIn(agent=list(drive.engine.state.agents)[1], desk="test"))
    drive.do_at(2 * S, admission("1"))
    drive.do_at(4 * S, admission("2"))
    drive.at(30 * S, note, "last")
    drive.run()
    assert seen == [("expired", 22), ("entered", 23), ("expired", 24), ("entered", 25), ("last", 30)]


def test_watchers_hear_before_edges_and_followers_before_both(drive: Drive) -> None:
    heard: list[str] = []
    drive.follows(lambda step, command: heard.append(type(command).__name__))
    drive.plays(SendOffer, lambda ask: heard.append("replaced"))
    drive.plays(
        SendOffer,
        lambda ask: drive.do(AnswerOffer(contact=ask.contact, agent=ask.agent, offer=ask.offer, accept=True)),
    )
    drive.watches(ContactAdmitted, lambda event: heard.append("admitted"))
    drive.watches(ContactOffered, lambda event: heard.append("offered"))
    drive.watches(ContactOffered, lambda event: heard.append("offered again"))
    drive.do(admission("1"))
    assert heard == ["AdmitContact", "admitted", "offered", "offered again", "AnswerOffer"]


def test_what_an_action_raises_ends_the_run_and_the_rest_can_go_on(drive: Drive) -> None:
    done: list[int] = []
    drive.at(2 * S, lambda: 1 // 0)
    drive.at(3 * S, done.append, 3)
    with pytest.raises(ZeroDivisionError):
        drive.run()
    drive.run()
    assert done == [3]


def test_next_is_an_entry_or_a_deadline(drive: Drive) -> None:
    drive.at(50 * S, lambda: None)
    assert drive.next_ns() == 50 * S
    drive.do(admission("1"))
    assert drive.next_ns() == 21 * S


def _drives() -> int:
    gc.collect()
    # A weak reference would not do: the collector clears it before it knows whether the cycle can be broken.
    return sum(type(held) is Drive for held in gc.get_objects())


@pytest.mark.parametrize("core", CORES)
def test_a_run_that_is_over_is_let_go_of(core: Core) -> None:
    before = _drives()
    simulate.run(simulate.loads(CENTRE), 1, core=core)
    assert _drives() == before


def test_a_drive_whose_engine_calls_it_is_let_go_of() -> None:
    before = _drives()
    drive = Drive()
    drive.engine.at_end = drive.do  # type: ignore[assignment]  # it is never called
    del drive
    assert _drives() == before


class Unbegun(Drive):
    """A drive whose author has forgotten its beginning."""

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    "asked",
    [lambda drive: drive.do(Tick()), lambda drive: drive.run(until_ns=S), lambda drive: drive.next_ns()],
)
def test_a_drive_without_a_beginning_says_so(asked: Callable[[Drive], object]) -> None:
    with pytest.raises(RuntimeError, match="a drive begins with an engine"):
        asked(Unbegun())


def test_people_without_a_drive_say_so() -> None:
    with pytest.raises(RuntimeError, match="a world has a drive from its beginning"):
        PeopleHeld().play()


class Robbing:
    """A capture that takes the step of its drive what it is for."""

    def __init__(self, drive: Drive) -> None:
        self.drive = drive

    def before(self, event: AnyEvent) -> None:
        if hasattr(self.drive.engine._step, "asks"):
            del self.drive.engine._step.asks


@pytest.mark.parametrize(
    "asked", [lambda drive: drive.do(admission("1")), lambda drive: drive.run()], ids=["do", "run"]
)
def test_a_step_that_lost_a_field_is_an_error_as_python_says_it(
    drive: Drive, asked: Callable[[Drive], object]
) -> None:
    drive.engine._capture = Robbing(drive)  # type: ignore[assignment]
    drive.do_at(S, admission("entered"))
    with pytest.raises(AttributeError, match="'Step' object has no attribute 'asks'"):
        asked(drive)
