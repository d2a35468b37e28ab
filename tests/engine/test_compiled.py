"""The compiled way of a contact decides, changes and remembers as the Python stages do: two engines, the same histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from centralita import engine as engine_module
from centralita.config import EngineConfig, Overflow, Queue
from centralita.engine import Engine
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    ClassificationStarted,
    ClassifyContact,
    ContactAdmitted,
    ContactClassified,
    ContactConnected,
    ContactEnded,
    ContactIdentified,
    ContactOffered,
    ContactQueued,
    Customer,
    EndContact,
    FinishWrapUp,
    IdentificationStarted,
    IdentifyContact,
    OfferAccepted,
    Record,
    ReportConnection,
    SendOffer,
    ServiceEnded,
    SignIn,
    WrapUpEnded,
    WrapUpStarted,
)
from centralita.simulate.torture import centre as torture_centre
from centralita.simulate.torture import day as torture_day
from centralita.simulate.torture.day import Day
from centralita.simulate.torture.evening import close
from centralita.stages import DECIDE
from centralita.state import ENDED_KEPT_MAX, Contact, Ended, provider_key
from tests.engine import histories
from tests.engine.histories import Centre, commands
from tests.engine.pair import Pair, same_engines

COMPILED_COMMANDS = frozenset(
    {
        AbandonContact,
        AdmitContact,
        AnswerOffer,
        ClassifyContact,
        EndContact,
        FinishWrapUp,
        IdentifyContact,
        ReportConnection,
    }
)
COMPILED_EVENTS = frozenset(
    {
        ClassificationStarted,
        ContactAdmitted,
        ContactClassified,
        ContactConnected,
        ContactEnded,
        ContactIdentified,
        ContactOffered,
        ContactQueued,
        IdentificationStarted,
        OfferAccepted,
        ServiceEnded,
        WrapUpEnded,
        WrapUpStarted,
    }
)


@pytest.fixture
def paired(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes an engine from here on makes a pair."""
    monkeypatch.setattr(histories, "Engine", Pair)
    monkeypatch.setattr(torture_day, "Engine", Pair)


def tight(chance: Random) -> EngineConfig:
    """The small centre with lines that are soon full, or that nobody may wait in."""
    config = histories.centre(identify=chance.random() < 0.7)
    queues = {
        name: replace(queue, max_waiting=chance.choice((None, 0, 1, 3)), when_full=chance.choice(FULL))
        if name != "overflow"
        else queue
        for name, queue in config.queues.items()
    }
    return torture_centre.as_journalled(replace(config, queues=queues))


FULL = (
    Overflow(do="queue", queue="overflow"),
    Overflow(do="refuse", text="Sorry."),
    Overflow(do="callback"),
    Overflow(do="message", text="It takes a little longer."),
)


def more(engine: Engine, seed: int, steps: int) -> Iterator[tuple[float, AnyCommand]]:
    """A random history with more of what the compiled deciders look at before they decide."""
    chance = Random(f"more {seed}")
    for number, (later_s, command) in enumerate(commands(engine, seed, steps)):
        live = list(engine.state.contacts.values())
        if live and chance.random() < 0.25:
            yield 0.0, _looked_at(chance, chance.choice(live), number)
        rules = isinstance(command, ApplyConfiguration)
        yield later_s, ApplyConfiguration(config=tight(chance)) if rules else command


def _looked_at(chance: Random, contact: Contact, number: int) -> AnyCommand:
    here, agents = contact.id, (*contact.works, *histories.AGENTS)
    agent = chance.choice(agents[: chance.choice((1, len(agents)))])
    held = contact.works.get(agent)
    offer = held.offer if held is not None else 0
    customer = Customer(id=str(chance.randrange(3)), preferred_agent=chance.choice(("", "dan", "nobody")))
    return chance.choice(
        (
            AdmitContact(
                channel=chance.choice(("web", "mail", "phone")),
                provider_id=f"more{number}",
                handle=chance.choice(("", "+34600111222")),
                customer_name=chance.choice(("", "Eva")),
                priority=chance.choice((0, -1000, 1000, 1001)),
                credit_s=chance.choice((None, 0, 2.5, -20.0)),
                attributes=chance.choice((None, {}, {"vip": "yes"})),
                conversation=chance.choice((0, 0, 7)),
                outbound=chance.random() < 0.3,
            ),
            IdentifyContact(contact=here, customer=customer, conversation=chance.choice((0, 0, number))),
            IdentifyContact(contact=here, customer=customer),
            ClassifyContact(
                contact=here,
                queue=chance.choice(("", "overflow", "nowhere")),
                skills=chance.choice((None, {}, {"tech": 1}, {"klingon": 1})),
                priority=chance.choice((None, 0, 5, -1001)),
                attributes=chance.choice((None, {"why": "bill"})),
                preferred_agent=chance.choice(("", "bob")),
                by="rules",
            ),
            AnswerOffer(contact=here, agent=agent, offer=offer + chance.randrange(2), accept=True),
            ReportConnection(contact=here, agent=agent, made=True),
            EndContact(
                contact=here, by=chance.choice((agent, agent, "boss")), reason=chance.choice(("", "so"))
            ),
            FinishWrapUp(contact=here, agent=agent, disposition=chance.choice(("", "open", "unheard of"))),
            AbandonContact(contact=here, reason=chance.choice(("", "gone"))),
        )
    )


def pair_of(engine: Engine) -> Pair:
    assert isinstance(engine, Pair)
    return engine


@pytest.mark.usefixtures("paired")
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_random_history_is_the_same_compiled_and_not(seed: int) -> None:
    centre = Centre(config=tight(Random(seed)))
    pair, chance, told = pair_of(centre.engine), Random(seed), []
    capture = None
    for number, (later_s, command) in enumerate(more(centre.engine, seed, 700)):
        step = centre.do(command, after_s=later_s)
        told += [msgspec.msgpack.encode(event) for event in step.events]
        if capture is None and not number % 60:
            capture = pair.begin_capture()
        elif capture is not None and capture.step(1 + chance.randrange(4)):
            pair.end_capture()
            capture = None
    pair.look()
    # What has been told has not been changed by what came later.
    kept = [msgspec.msgpack.encode(event) for record in centre.records[1:] for event in record.events]
    assert kept == told
    centre.pass_time(2_000)
    pair.look()


@pytest.mark.usefixtures("paired")
@pytest.mark.parametrize("seed", range(4))
def test_each_recovers_what_the_other_has_written(seed: int) -> None:
    centre = Centre()
    snapshots: list[tuple[int, bytes | None]] = [(0, None)]
    for number, (later_s, command) in enumerate(commands(centre.engine, seed, 600)):
        centre.do(command, after_s=later_s)
        if not number % 97:
            snapshots.append((len(centre.records), centre.engine.snapshot()))
    journal = msgspec.msgpack.encode(centre.records)
    for done, snapshot in snapshots:
        one = Engine.restore(snapshot, msgspec.msgpack.decode(journal, type=list[Record])[done:])
        other = Engine.restore(
            snapshot, msgspec.msgpack.decode(journal, type=list[Record])[done:], core="naive"
        )
        same_engines(one, other, f"seed {seed}, from record {done}")
        assert one.state_hash() == centre.engine.state_hash()


def odd(config: EngineConfig, chance: Random) -> EngineConfig:
    """What the torture's own rules leave out: lines in which nobody may wait, no dispositions, rules of nobody's."""
    queues: dict[str, Queue] = {}
    for name, queue in config.queues.items():
        roll = chance.random()
        queues[name] = replace(
            queue,
            max_waiting=0 if roll < 0.15 and name != "overflow" else queue.max_waiting,
            wrap_up_s=0 if 0.1 < roll < 0.3 else queue.wrap_up_s,
            prefer_for_s=20 if roll > 0.7 else queue.prefer_for_s,
        )
    return replace(config, queues=queues, dispositions=() if chance.random() < 0.3 else config.dispositions)


def lived(seed: int, steps: int) -> Day:
    """A day of the torture in which every engine is two."""
    day = Day(f"compiled/{seed}")
    for _ in range(steps):
        day.step()
    close(day)
    return day


def _odd_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, changed = torture_centre.centre, torture_centre.changed

    def other(make: Callable[..., EngineConfig]) -> Callable[..., EngineConfig]:
        def made(*given: Any) -> EngineConfig:
            return torture_centre.as_journalled(odd(make(*given), given[-1]))

        return made

    monkeypatch.setattr(torture_day, "centre", other(plain))
    monkeypatch.setattr(torture_day, "changed", other(changed))
    monkeypatch.setattr("centralita.simulate.torture.people.changed", other(changed))


@pytest.mark.usefixtures("paired")
@pytest.mark.parametrize("seed", range(6))
def test_a_tortured_day_is_the_same_compiled_and_not(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed % 2:
        _odd_rules(monkeypatch)
    pair_of(lived(seed, 3_000).engine).look()


@pytest.mark.usefixtures("paired")
def test_what_is_compiled_is_what_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python stage and the Python effect of each type are asked by the naive engine, always; by the native one never for
    what is compiled, unless it meets something unusual."""
    asked: Counter[type] = Counter()
    applied: Counter[type] = Counter()

    def counted(counts: Counter[type], kind: type, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any) -> Any:
            counts[kind] += 1
            return call(*given)

        return counting

    effects = engine_module._EFFECTS
    for kind, stage in list(DECIDE.items()):
        monkeypatch.setitem(DECIDE, kind, counted(asked, kind, stage))
    for event, (ask, apply, follow) in list(effects.items()):
        monkeypatch.setitem(effects, event, (ask, counted(applied, event, apply), follow))
    commands_n: Counter[type] = Counter()
    events_n: Counter[type] = Counter()
    for seed in range(40, 44):
        centre = Centre(config=histories.centre() if seed % 2 else tight(Random(seed)))
        for later_s, command in more(centre.engine, seed, 1_200):
            centre.do(command, after_s=later_s)
        pair = pair_of(centre.engine)
        commands_n += pair.commands_n
        events_n += pair.events_n
    compiled = {kind: 2 * n - asked[kind] for kind, n in commands_n.items()}
    assert {kind for kind, n in compiled.items() if n} == COMPILED_COMMANDS
    assert {kind for kind, n in events_n.items() if applied[kind] != 2 * n} == COMPILED_EVENTS
    for kind in COMPILED_COMMANDS:
        assert compiled[kind] >= 30, f"{kind.__name__}: {compiled[kind]}"
    for kind in COMPILED_EVENTS:
        assert applied[kind] == events_n[kind] >= 30, f"{kind.__name__}: {events_n[kind]}"


def test_every_last_bit_of_the_means_is_the_same() -> None:
    """How uneven gaps are is a power, which C libraries round otherwise than a product once in a thousand times."""
    chance = Random(11)
    pair = Pair()
    centre = Centre()
    centre.engine = pair
    centre.do(ApplyConfiguration(config=histories.centre(identify=False)))
    centre.do(SignIn(agent="dan", desk="d1"))
    step = centre.do(AdmitContact(channel="web", provider_id="1"))
    (offer,) = (ask for ask in step.asks if isinstance(ask, SendOffer))
    centre.do(AnswerOffer(contact=offer.contact, agent="dan", offer=offer.offer, accept=True))
    connected = ContactConnected(contact=offer.contact, agent="dan", queue="sales", waited_ns=0, first=True)
    assert pair.naive is not None
    for _ in range(20_000):
        gap_ns, since_ns = chance.random() * 1e12, chance.randrange(pair.now_ns)
        for engine in (pair, pair.naive):
            engine.state.contacts[offer.contact].phase = "connecting"
            queue = engine.state.queues["sales"]
            queue.gap_ns, queue.last_start_ns, queue.backlog_at_last_start = gap_ns, since_ns, True
            queue.gap_unevenness = 0.0  # else the last bit is lost in what was there
            engine.again(connected)
        assert pair.state.queues["sales"] == pair.naive.state.queues["sales"]


@pytest.mark.parametrize("core", ["native", "naive"])
def test_a_gap_after_thousands_at_one_moment_is_as_uneven_as_can_be(core: str) -> None:
    centre = Centre(core=core, config=histories.centre(identify=False))
    centre.do(SignIn(agent="dan", desk="d1"))
    (offer,) = (
        ask
        for ask in centre.do(AdmitContact(channel="web", provider_id="1")).asks
        if isinstance(ask, SendOffer)
    )
    centre.do(AnswerOffer(contact=offer.contact, agent="dan", offer=offer.offer, accept=True))
    queue = centre.engine.state.queues["sales"]
    queue.gap_ns, queue.last_start_ns, queue.backlog_at_last_start = 1e-200, centre.now_ns - 1, True
    centre.do(ReportConnection(contact=offer.contact, agent="dan", made=True))
    assert queue.gap_unevenness == 1.0 + 99.0 * 0.005


@pytest.mark.parametrize("core", ["native", "naive"])
def test_the_older_half_is_forgotten_with_the_first_end_too_many(core: str) -> None:
    centre = Centre(core=core, config=histories.centre(identify=False))
    state = centre.engine.state
    for number in range(10**6, 10**6 + ENDED_KEPT_MAX - 1):
        state.ended[number] = Ended("web", str(number), "sales", "", centre.now_ns)
        state.by_provider[provider_key("web", str(number))] = number
    kept_n = []
    for name in ("one", "two"):
        contact = centre.do(AdmitContact(channel="web", provider_id=name)).contact
        centre.do(AbandonContact(contact=contact))
        kept_n.append(len(state.ended))
    assert kept_n == [ENDED_KEPT_MAX, ENDED_KEPT_MAX + 1 - (ENDED_KEPT_MAX + 1) // 2]
