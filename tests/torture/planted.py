"""Bugs to plant, one by one, into the seams of engine, journal and figures: the torture must find each.

Each is a function that patches what is named in it, and the steps within which a torture of seed 1 must
break a rule. None is a flag in the product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from centralita import capture, engine, stages
from centralita.engine import Engine
from centralita.fold import Fold
from centralita.journal.codec import Encoder
from centralita.lines import GRACE, WORK, Lines
from centralita.messages import (
    AgentConnectionLost,
    CallbackPostponed,
    CallbackRequested,
    ContactAdmitted,
    ContactEnded,
    ContactHeld,
    ContactOffered,
    ContactReturned,
    ContactsErased,
    DeliveryFailed,
    DeliveryMade,
    LoseAgent,
    MessagePosted,
    OfferDeclined,
    WaitAnnounced,
    WrapUpEnded,
    WrapUpStarted,
)
from centralita.simulate.torture import disk
from centralita.simulate.torture.disk import ModelDisk
from centralita.stages import attend, configure, end, match, offer, serve, wait
from centralita.state import Contact


@dataclass(frozen=True)
class Planted:
    """A bug, and within how many steps of seed 1 it must be found, on the compiled queue."""

    name: str
    plant: Callable[[pytest.MonkeyPatch], None]
    within: int


def effects(patch: pytest.MonkeyPatch, kind: type, *, apply: Any = None, follow: Any = None) -> None:
    """Put something else in the place of what an event does."""
    ask, old_apply, old_follow = engine._EFFECTS[kind]
    patch.setitem(
        engine._EFFECTS,
        kind,
        (ask, apply(old_apply) if apply else old_apply, follow(old_follow) if follow else old_follow),
    )


def nothing(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


def lost_requeue(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offer, "come_back", nothing)


def double_offer(patch: pytest.MonkeyPatch) -> None:
    once = match.offer_to

    def twice(engine: Engine, number: int, agent: str) -> None:
        once(engine, number, agent)
        for other in engine.state.agents.values():
            if other.receiving and other.name not in engine.state.contacts[number].works:
                once(engine, number, other.name)
                return

    patch.setattr(match, "offer_to", twice)


def second_owner(patch: pytest.MonkeyPatch) -> None:
    accept = offer._accept

    def for_two(engine: Engine, contact: Contact, command: Any) -> None:
        accept(engine, contact, command)
        for name in list(engine.state.agents):
            if name not in contact.works and engine.state.agents[name].receiving:
                match.offer_to(engine, contact.id, name)
                return

    patch.setattr(offer, "_accept", for_two)
    patch.setitem(
        engine._EFFECTS,
        ContactOffered,
        (None, lambda state, event, at_ns: None, None),
    )


def forgotten_deadline_of_hold(patch: pytest.MonkeyPatch) -> None:
    effects(patch, ContactHeld, follow=lambda _: None)


def forgotten_moment_of_callback(patch: pytest.MonkeyPatch) -> None:
    def without_timers(follow: Any) -> Any:
        def replaced(lines: Lines, event: CallbackRequested, now_ns: int) -> None:
            lines.replace(lines.state.contacts[event.contact], now_ns=now_ns)

        return replaced

    effects(patch, CallbackRequested, follow=without_timers)


def grace_without_end(patch: pytest.MonkeyPatch) -> None:
    def untimed(follow: Any) -> Any:
        def lost(lines: Lines, event: AgentConnectionLost, now_ns: int) -> None:
            follow(lines, event, now_ns)
            lines.timers.cancel(GRACE, lines.state.agents[event.agent].number)

        return lost

    effects(patch, AgentConnectionLost, follow=untimed)


def capacity_off_by_one_contact(patch: pytest.MonkeyPatch) -> None:
    profile = Lines.profile

    def roomier(self: Lines, name: str, rules: Any) -> int:
        from msgspec.structs import replace

        more = {medium: limit + 1 for medium, limit in rules.limits.items()}
        return profile(self, name, replace(rules, capacity=rules.capacity + 1, limits=more))

    patch.setattr(Lines, "profile", roomier)


def exclusion_forgotten(patch: pytest.MonkeyPatch) -> None:
    def forgetful(apply: Any) -> Any:
        def declined(state: Any, event: OfferDeclined, at_ns: int) -> None:
            before = dict(state.contacts[event.contact].excluded or {})
            apply(state, event, at_ns)
            state.contacts[event.contact].excluded = before or None

        return declined

    def without(follow: Any) -> Any:
        def given_back(lines: Lines, event: OfferDeclined, now_ns: int) -> None:
            number = lines.state.agents[event.agent].number
            lines.queue.give_back(event.contact, number, now_ns=now_ns, exclude=False)
            lines.changed = True

        return given_back

    effects(patch, OfferDeclined, apply=forgetful, follow=without)


def figure_not_counted(patch: pytest.MonkeyPatch) -> None:
    def uncounted(self: Any, event: OfferDeclined, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._drop(live, event.agent, at_ns)

    patch.setattr(Fold, "_declined", uncounted)


def event_not_applied_in_recovery(patch: pytest.MonkeyPatch) -> None:
    reapply = Engine.reapply

    def skipping(self: Engine, record: Any) -> None:
        from msgspec.structs import replace

        kept = [event for event in record.events if type(event) is not WaitAnnounced]
        reapply(self, replace(record, events=kept))

    patch.setattr(Engine, "reapply", skipping)


def wrap_up_timer_lost_in_recovery(patch: pytest.MonkeyPatch) -> None:
    reapply = Engine.reapply

    def without_timer(self: Engine, record: Any) -> None:
        reapply(self, record)
        for event in record.events:
            if type(event) is WrapUpStarted:
                self.lines.timers.cancel(WORK, event.contact)

    patch.setattr(Engine, "reapply", without_timer)


def acknowledged_before_it_is_safe(patch: pytest.MonkeyPatch) -> None:
    def claimed(self: ModelDisk) -> int:
        batches = self._written or self._safe
        return batches[-1].last_seq if batches else 0

    patch.setattr(ModelDisk, "last_seq", property(claimed))


def torn_write_taken_for_whole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(disk, "checksum", lambda batch: 0)


def snapshot_not_of_one_moment(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(capture.Capture, "before", nothing)


def record_written_with_another_time(patch: pytest.MonkeyPatch) -> None:
    encode = Encoder.encode

    def late(self: Encoder, records: Any, **settings: Any) -> Any:
        from msgspec.structs import replace

        return encode(self, [*records[:-1], replace(records[-1], at_ns=records[-1].at_ns + 1)], **settings)

    patch.setattr(Encoder, "encode", late)


def admission_key_forgotten(patch: pytest.MonkeyPatch) -> None:
    def without_key(apply: Any) -> Any:
        def admitted(state: Any, event: ContactAdmitted, at_ns: int) -> None:
            apply(state, event, at_ns)
            state.by_provider.clear()

        return admitted

    effects(patch, ContactAdmitted, apply=without_key)


def message_id_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(serve, "_posted", lambda contact, command: False)


def message_number_left_out(patch: pytest.MonkeyPatch) -> None:
    def skipping(apply: Any) -> Any:
        def posted(state: Any, event: MessagePosted, at_ns: int) -> None:
            apply(state, event, at_ns)
            state.contacts[event.contact].messages_n += event.number == 3

        return posted

    effects(patch, MessagePosted, apply=skipping)


def place_lost_on_return(patch: pytest.MonkeyPatch) -> None:
    def to_the_back(apply: Any) -> Any:
        def returned(state: Any, event: ContactReturned, at_ns: int) -> None:
            apply(state, event, at_ns)
            state.contacts[event.contact].queued_ns = at_ns

        return returned

    effects(patch, ContactReturned, apply=to_the_back)


def credit_forgotten_in_line(patch: pytest.MonkeyPatch) -> None:
    enqueue = Lines.enqueue

    def without_credit(self: Lines, contact: Contact, *, waiting: bool = True) -> None:
        credit_ns, contact.credit_ns = contact.credit_ns, 0
        enqueue(self, contact, waiting=waiting)
        contact.credit_ns = credit_ns

    patch.setattr(Lines, "enqueue", without_credit)


def agent_kept_taken_after_wrap_up(patch: pytest.MonkeyPatch) -> None:
    effects(patch, WrapUpEnded, follow=lambda _: None)


def consultation_outlives_its_contact(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(end, "end_consultation", nothing)


def agent_never_let_go_when_free(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attend, "settle", nothing)


def asks_not_asked_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "open_asks", lambda self: [])


def failed_delivery_forgotten(patch: pytest.MonkeyPatch) -> None:
    effects(patch, DeliveryFailed, apply=lambda _: nothing)


def id_given_out_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "next_id", lambda self: self.state.last_id)


def waiting_time_not_counted(patch: pytest.MonkeyPatch) -> None:
    join = wait.join

    def forgetful(engine: Engine, contact: Contact, *args: Any, **settings: Any) -> None:
        join(engine, contact, *args, **settings)
        contact.wait_from_ns = engine.now_ns

    patch.setattr(wait, "join", forgetful)


def unusable_rules_applied(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(configure, "problems_of", lambda config: [])


def owed_words_forgotten_at_the_end(patch: pytest.MonkeyPatch) -> None:
    def forgetful(apply: Any) -> Any:
        def ended(state: Any, event: ContactEnded, at_ns: int) -> None:
            state.contacts[event.contact].undelivered = 0
            apply(state, event, at_ns)

        return ended

    effects(patch, ContactEnded, apply=forgetful)


def one_delivery_taken_for_all(patch: pytest.MonkeyPatch) -> None:
    def credulous(apply: Any) -> Any:
        def made(state: Any, event: DeliveryMade, at_ns: int) -> None:
            apply(state, event, at_ns)
            contact = state.contacts.get(event.contact)
            if contact is not None:
                contact.undelivered = 0

        return made

    effects(patch, DeliveryMade, apply=credulous)


def grace_begun_anew_at_each_loss(patch: pytest.MonkeyPatch) -> None:
    lose = attend.lose

    def again(engine: Engine, command: LoseAgent) -> Any:
        agent = engine.state.agents.get(command.agent)
        if agent is not None and agent.present:
            agent.grace_until_ns = 0
        return lose(engine, command)

    patch.setitem(stages.DECIDE, LoseAgent, again)


def reservation_not_kept(patch: pytest.MonkeyPatch) -> None:
    terms = Lines._terms

    def without(self: Lines, name: str, rules: Any) -> Any:
        return terms(self, name, replace(rules, reserve_after_s=None))

    patch.setattr(Lines, "_terms", without)


def callback_tried_for_ever(patch: pytest.MonkeyPatch) -> None:
    unreached = serve.unreached

    def patiently(engine: Engine, contact: Contact, reason: str) -> None:
        if contact.callback_handle:
            engine.emit(CallbackPostponed(contact=contact.id, due_ns=engine.now_ns + 5_000_000_000))
        else:
            unreached(engine, contact, reason)

    patch.setattr(serve, "unreached", patiently)


def callback_in_line_before_its_moment(patch: pytest.MonkeyPatch) -> None:
    def impatient(follow: Any) -> Any:
        def postponed(lines: Lines, event: CallbackPostponed, now_ns: int) -> None:
            follow(lines, event, now_ns)
            lines.enqueue(lines.state.contacts[event.contact])

        return postponed

    effects(patch, CallbackPostponed, follow=impatient)


def agents_rules_not_learnt_anew(patch: pytest.MonkeyPatch) -> None:
    """Whoever is signed in keeps the skills and the capacity of the first configuration they were in."""
    profile = Lines.profile

    def as_first_seen(self: Lines, name: str, rules: Any) -> int:
        first = self.__dict__.setdefault("first_rules", {})
        return profile(self, name, first.setdefault(name, rules))

    patch.setattr(Lines, "profile", as_first_seen)


def conference_that_is_nobodys(patch: pytest.MonkeyPatch) -> None:
    def left(apply: Any) -> Any:
        def started(state: Any, event: WrapUpStarted, at_ns: int) -> None:
            apply(state, event, at_ns)
            contact = state.contacts[event.contact]
            if event.hold and contact.agent:
                contact.agent = ""

        return started

    effects(patch, WrapUpStarted, apply=left)


def erased_customer_remembered(patch: pytest.MonkeyPatch) -> None:
    effects(patch, ContactsErased, apply=lambda _: nothing)


BUGS = (
    Planted("a lost requeue", lost_requeue, 5_000),
    Planted("a double offer", double_offer, 5_000),
    Planted("a second owner", second_owner, 5_000),
    Planted("a hold without its limit", forgotten_deadline_of_hold, 10_000),
    Planted("a callback without its moment", forgotten_moment_of_callback, 20_000),
    Planted("a grace time without an end", grace_without_end, 20_000),
    Planted("one contact too many", capacity_off_by_one_contact, 50_000),
    Planted("an exclusion forgotten", exclusion_forgotten, 20_000),
    Planted("a figure not counted", figure_not_counted, 20_000),
    Planted("an event not applied in a recovery", event_not_applied_in_recovery, 20_000),
    Planted("after-work without its timer", wrap_up_timer_lost_in_recovery, 100_000),
    Planted("an acknowledgement before it is safe", acknowledged_before_it_is_safe, 50_000),
    Planted("a torn write taken for whole", torn_write_taken_for_whole, 100_000),
    Planted("a snapshot of two moments", snapshot_not_of_one_moment, 50_000),
    Planted("a record with another time", record_written_with_another_time, 20_000),
    Planted("a provider's id forgotten", admission_key_forgotten, 5_000),
    Planted("a message's id forgotten", message_id_forgotten, 20_000),
    Planted("a message's number left out", message_number_left_out, 5_000),
    Planted("a place lost on return", place_lost_on_return, 5_000),
    Planted("a credit forgotten in line", credit_forgotten_in_line, 20_000),
    Planted("an agent taken for ever", agent_kept_taken_after_wrap_up, 20_000),
    Planted("a consultation that outlives its contact", consultation_outlives_its_contact, 50_000),
    Planted("an agent never let go", agent_never_let_go_when_free, 50_000),
    Planted("asks not asked again", asks_not_asked_again, 50_000),
    Planted("a failed delivery forgotten", failed_delivery_forgotten, 20_000),
    Planted("an id given out twice", id_given_out_twice, 20_000),
    Planted("a waiting time not counted", waiting_time_not_counted, 20_000),
    Planted("unusable rules applied", unusable_rules_applied, 20_000),
    Planted("owed words forgotten at the end", owed_words_forgotten_at_the_end, 20_000),
    Planted("one delivery taken for all", one_delivery_taken_for_all, 20_000),
    Planted("a grace begun anew", grace_begun_anew_at_each_loss, 20_000),
    Planted("a reservation not kept", reservation_not_kept, 50_000),
    Planted("a callback tried for ever", callback_tried_for_ever, 20_000),
    Planted("a callback in line before its moment", callback_in_line_before_its_moment, 20_000),
    Planted("agents' rules not learnt anew", agents_rules_not_learnt_anew, 100_000),
    Planted("an erased customer remembered", erased_customer_remembered, 100_000),
    Planted("a conference that is nobody's", conference_that_is_nobodys, 100_000),
)
