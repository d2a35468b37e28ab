"""Figures whose values anybody can work out by hand, and what their document promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from centralita.config import Agent, ChannelRule, EngineConfig, Limits, Queue
from centralita.engine import Engine
from centralita.kpi import Figures
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    CancelContact,
    EndContact,
    FinishWrapUp,
    HoldContact,
    MoveContact,
    Record,
    ReportConnection,
    RequestCallback,
    ResumeContact,
    SetStatus,
    SignIn,
    Tick,
)

S = 1_000_000_000
# Ten seconds after a quarter of an hour began.
START_NS = 1_699_999_200 * S + 10 * S
DOCUMENT = Path(__file__).parents[2] / "docs" / "figures.md"
CONFIG = EngineConfig(
    queues={
        "sales": Queue(answer_target_s=20, short_abandon_s=5, wrap_up_s=600, offer_s=3600, connect_s=3600),
        "other": Queue(answer_target_s=20, short_abandon_s=5),
    },
    agents={"ana": Agent()},
    channels={"phone": ChannelRule(medium="voice", queue="sales", can_dial=True)},
    limits=Limits(grace_s=0),
)


class House:
    """One agent, two queues, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.figures = Figures()
        self.now_ns = START_NS
        self.give(ApplyConfiguration(config=CONFIG))

    def give(self, command: AnyCommand, *, after_s: float = 0) -> int:
        self.now_ns += round(after_s * S)
        step = self.engine.handle(command, now_ns=self.now_ns)
        assert step.refusal is None, step.refusal
        if step.events:
            record = Record(seq=step.seq, at_ns=self.now_ns, command=command, events=step.events)
            self.figures.fold(record)
        return step.contact

    def admit(self, queue: str = "sales") -> int:
        return self.give(
            AdmitContact(channel="phone", provider_id=f"p{self.engine.seq}", queue=queue, handle="+1")
        )

    def answer(self, contact: int) -> None:
        work = self.engine.state.contacts[contact].works["ana"]
        self.give(AnswerOffer(contact=contact, agent="ana", offer=work.offer, accept=True))
        self.give(ReportConnection(contact=contact, agent="ana", made=True))

    def serve(self, contact: int, *, talk_s: float = 10) -> None:
        self.answer(contact)
        self.give(EndContact(contact=contact, by="ana"), after_s=talk_s)
        self.give(FinishWrapUp(contact=contact, agent="ana"))

    def of(self, queue: str) -> dict[str, Any]:
        found: dict[str, Any] = self.figures.as_dict(self.now_ns)["queues"][queue]
        return found


@pytest.fixture
def busy() -> House:
    """Sales: 3 answered (waits 0, 10, 30 s), 3 abandoned (2, 20, 40 s), 1 callback, 1 moved on, 1
    cancelled, 1 waiting; the target is 20 s, a short abandon less than 5 s."""
    house = House()
    moved, called_back, cancelled = house.admit(), house.admit(), house.admit()
    house.give(MoveContact(contact=moved, by="boss", queue="other"))
    house.give(RequestCallback(contact=called_back), after_s=15)
    house.give(CancelContact(contact=cancelled))
    house.give(CancelContact(contact=called_back))
    house.give(CancelContact(contact=moved))
    for wait_s in (2, 20, 40):
        house.give(AbandonContact(contact=house.admit()), after_s=wait_s)
    house.give(SignIn(agent="ana"))
    house.serve(house.admit())
    for wait_s in (10, 30):
        house.give(SetStatus(agent="ana", status="break", reason="coffee"))
        contact = house.admit()
        house.give(SetStatus(agent="ana", status="available"), after_s=wait_s)
        house.serve(contact)
    house.give(SetStatus(agent="ana", status="break", reason="lunch"))
    house.admit()
    house.give(Tick(), after_s=7)
    return house


def test_every_service_level_is_its_formula(busy: House) -> None:
    sales = busy.of("sales")
    assert sales["offered"] == 10
    assert (sales["answered"], sales["answered_in_target"]) == (3, 2)
    assert (sales["abandoned"], sales["abandoned_in_target"], sales["short_abandons"]) == (3, 2, 1)
    assert (sales["became_callbacks"], sales["flowed_out"], sales["removed"], sales["waiting"]) == (
        1,
        1,
        1,
        1,
    )
    assert sales["service_levels"] == {
        "of_offered": pytest.approx(2 / 9, abs=1e-6),
        "of_answered": pytest.approx(2 / 3, abs=1e-6),
        "of_patient": pytest.approx(2 / 7, abs=1e-6),
        "asterisk_sl": pytest.approx(2 / 3, abs=1e-6),
        "asterisk_sl2": pytest.approx(4 / 6, abs=1e-6),
        "genesys": pytest.approx(2 / 6, abs=1e-6),
        "genesys_without_short_abandons": pytest.approx(2 / 5, abs=1e-6),
        "genesys_with_flow_outs": pytest.approx(2 / 7, abs=1e-6),
        "amazon_connect": pytest.approx(5 / 10, abs=1e-6),
    }
    assert sales["service_level"] == sales["service_levels"]["of_offered"]


def test_waits_are_means_and_maxima_of_their_stays(busy: House) -> None:
    sales = busy.of("sales")
    assert sales["asa_s"] == pytest.approx(40 / 3, abs=0.001)
    assert sales["wait_s_max"] == 30
    assert sales["abandon_wait_s"] == pytest.approx(62 / 3, abs=0.001)
    assert sales["abandon_wait_s_max"] == 40
    assert sales["longest_wait_s"] == 7
    histogram = sales["wait_histogram"]
    by_bound = dict(zip(histogram["bounds_s"], histogram["answered"], strict=False))
    assert {bound: n for bound, n in by_bound.items() if n} == {1: 1, 10: 1, 30: 1}
    assert len(histogram["answered"]) == len(histogram["bounds_s"]) + 1


def test_moved_contact_is_offered_to_both_queues_and_admitted_to_the_first(busy: House) -> None:
    assert busy.of("sales")["admitted"] == 10
    other = busy.of("other")
    assert (other["admitted"], other["offered"], other["removed"]) == (0, 1, 1)
    total = busy.figures.as_dict()["total"]
    assert (total["admitted"], total["offered"]) == (10, 11)


def test_a_callback_to_whom_we_would_dial_moves_with_its_contact() -> None:
    house = House()
    dialled = AdmitContact(channel="phone", provider_id="p", queue="sales", handle="+1", outbound=True)
    contact = house.give(dialled)
    house.give(RequestCallback(contact=contact))
    house.give(MoveContact(contact=contact, by="boss", queue="other"))
    assert house.of("other")["callbacks_waiting"] == 1
    house.give(CancelContact(contact=contact))
    assert (house.of("sales")["callbacks_requested"], house.of("other")["callbacks_unreached"]) == (1, 1)


def test_handling_is_talk_hold_and_wrap_up_of_contact_and_agent() -> None:
    house = House()
    house.give(SignIn(agent="ana"))
    contact = house.admit()
    house.answer(contact)
    house.give(HoldContact(contact=contact, agent="ana"), after_s=30)
    house.give(ResumeContact(contact=contact, agent="ana"), after_s=12)
    house.give(EndContact(contact=contact, by="ana"), after_s=18)
    house.give(FinishWrapUp(contact=contact, agent="ana"), after_s=40)
    house.now_ns += 100 * S
    parts = {"talk_s": 48, "hold_s": 12, "wrap_up_s": 40, "aht_s": 100}
    assert {name: house.of("sales")[name] for name in parts} == parts
    ana = house.figures.as_dict(house.now_ns)["agents"]["ana"]
    assert {name: ana[name] for name in parts} == parts
    assert ana["time_s"] == {
        "break": 0, "lost": 0, "idle": 100, "offered": 0, "connected": 60, "wrapping": 40,
    }  # fmt: skip
    assert ana["occupancy"] == 0.5
    assert ana["signed_in_s"] == 200


def test_break_time_is_kept_by_reason_even_when_the_reason_changes_in_a_break() -> None:
    house = House()
    house.give(SignIn(agent="ana"))
    house.give(SetStatus(agent="ana", status="break", reason="coffee"), after_s=10)
    house.give(SetStatus(agent="ana", status="break", reason="lunch"), after_s=20)
    house.give(SetStatus(agent="ana", status="available"), after_s=30)
    house.give(SetStatus(agent="ana", status="break", reason="coffee"), after_s=40)
    house.now_ns += 5 * S
    ana = house.figures.as_dict(house.now_ns)["agents"]["ana"]
    assert ana["break_s"] == {"coffee": 25, "lunch": 30}
    assert ana["time_s"]["idle"] == 50


def test_new_target_does_not_rewrite_the_past(busy: House) -> None:
    config = CONFIG.queues | {"sales": Queue(answer_target_s=1000)}
    before = busy.of("sales")["answered_in_target"]
    agents, channels = CONFIG.agents, CONFIG.channels
    busy.give(ApplyConfiguration(config=EngineConfig(queues=config, agents=agents, channels=channels)))
    assert busy.of("sales")["answered_in_target"] == before
    assert busy.of("sales")["answer_target_s"] == 1000


def test_means_and_ratios_over_nothing_are_null() -> None:
    figures = House().figures.as_dict()
    assert figures["total"]["asa_s"] is figures["total"]["aht_s"] is figures["total"]["csat_mean"] is None
    assert set(figures["queues"]["sales"]["service_levels"].values()) == {None}
    assert figures["agents"]["ana"]["occupancy"] is None


def test_intervals_of_a_long_silence_are_there_and_empty(busy: House) -> None:
    offered = busy.of("sales")["offered"]
    busy.give(AbandonContact(contact=busy.admit()), after_s=3 * 3600)
    minutes = busy.figures.as_dict(busy.now_ns)["trends"]["minutes"]
    assert len(minutes["start_ns"]) == 121
    assert [b - a for a, b in zip(minutes["start_ns"], minutes["start_ns"][1:], strict=False)] == [
        60 * S
    ] * 120
    assert minutes["total"]["offered"] == [0] * 121
    assert minutes["total"]["abandoned"] == [0] * 120 + [1]
    assert minutes["total"]["waiting"] == [2] * 120 + [1]
    quarters = busy.figures.as_dict(busy.now_ns)["trends"]["quarters"]
    assert sum(quarters["queues"]["sales"]["offered"]) == offered + 1


def test_reading_changes_nothing(busy: House) -> None:
    before = busy.figures.snapshot()
    busy.figures.as_dict(busy.now_ns + 10_000 * S)
    assert busy.figures.snapshot() == before


def test_snapshot_of_another_version_is_refused() -> None:
    snapshot = Figures().snapshot()
    with pytest.raises(ValueError, match="version 999; known: 1"):
        Figures.restore(snapshot.replace(b"\xa7version\x01", b"\xa7version\xcd\x03\xe7"))
    with pytest.raises(ValueError, match="can't be read"):
        Figures.restore(snapshot[:-1])


def test_figures_are_json_and_every_key_is_in_the_document(busy: House) -> None:
    figures = busy.figures.as_dict(busy.now_ns)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    named = set(re.findall(r"`([a-z0-9_]+)`", DOCUMENT.read_text(encoding="utf-8")))
    named |= set(re.findall(r'"([a-z0-9_]+)"', DOCUMENT.read_text(encoding="utf-8")))
    keys = (
        set(figures) | set(figures["contacts"]) | set(figures["trends"]) | set(figures["trends"]["minutes"])
    )
    for part in (
        figures["total"], figures["total"]["service_levels"], figures["total"]["wait_histogram"],
        figures["total"]["outcomes"], figures["total"]["messages"], figures["agents"]["ana"],
        figures["agents"]["ana"]["time_s"], figures["trends"]["minutes"]["total"],
    ):  # fmt: skip
        keys |= set(part)
    assert keys - named == set()


def test_trends_can_be_left_out(busy: House) -> None:
    assert "trends" not in busy.figures.as_dict(trends=False)
