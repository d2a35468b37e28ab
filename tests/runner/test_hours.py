"""Queues open and close by a wall clock: time zones, holidays, and the two odd days of the year."""

import random
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import trio
import trio.testing

from centralita.calendars import Calendar, calendars, day_of, zone_named
from centralita.config import NS_PER_S, Hours, loads
from centralita.errors import ConfigurationError
from centralita.matching.protocol import NEVER_NS
from centralita.messages import ApplyConfiguration, CloseQueue, OpenQueue
from tests.runner.house import CONFIG, House

WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ("09:00-14:00", "16:00-20:00"))
OFFICE = """
[hours.office]
time_zone = "Europe/Madrid"
week = { mon = ["09:00-14:00", "16:00-20:00"], tue = ["09:00-14:00"] }
holidays = ["2026-01-06"]
"""


def calendar(**settings: object) -> Calendar:
    return calendars({"office": Hours(**settings)})["office"]  # type: ignore[arg-type]


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NS_PER_S


def iso(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M")


def changes(of: Calendar, since: str, count: int) -> list[tuple[str, bool]]:
    found, now_ns = [], at(since)
    for _ in range(count):
        now_ns = of.next_change_ns(now_ns)
        found.append((iso(now_ns), of.is_open(now_ns)))
    return found


def test_spans_hold_their_first_minute_and_not_their_last() -> None:
    office = calendar(time_zone="Europe/Madrid", week=WEEK)
    monday = "2026-03-02T"
    assert [
        office.is_open(at(monday + time, "Europe/Madrid")) for time in ("08:59", "09:00", "13:59", "14:00")
    ] == [
        False,
        True,
        True,
        False,
    ]


def test_week_goes_on_over_the_weekend_and_the_zone() -> None:
    office = calendar(time_zone="Europe/Madrid", week=WEEK)
    assert changes(office, "2026-03-06T12:00", 4) == [
        ("2026-03-06T13:00", False),
        ("2026-03-06T15:00", True),
        ("2026-03-06T19:00", False),
        ("2026-03-09T08:00", True),
    ]


def test_holiday_is_closed_and_extra_day_has_its_own_spans() -> None:
    office = calendar(
        time_zone="UTC",
        week=WEEK,
        holidays=("2026-03-03",),
        extra={"2026-03-04": ("10:00-11:00",), "2026-03-07": ("12:00-13:00",)},
    )
    assert changes(office, "2026-03-02T21:00", 4) == [
        ("2026-03-04T10:00", True),
        ("2026-03-04T11:00", False),
        ("2026-03-05T09:00", True),
        ("2026-03-05T14:00", False),
    ]
    assert office.is_open(at("2026-03-07T12:30"))


def test_opening_moves_by_an_hour_of_utc_when_summer_begins() -> None:
    office = calendar(time_zone="Europe/Madrid", week={"fri": ("09:00-10:00",), "mon": ("09:00-10:00",)})
    assert [moment for moment, opens in changes(office, "2026-03-27T00:00", 4) if opens] == [
        "2026-03-27T08:00",
        "2026-03-30T07:00",
    ]


def test_span_that_begins_in_the_hour_spring_leaves_out_opens_when_it_would_be_over() -> None:
    # In Madrid on 2026-03-29, 02:00 becomes 03:00 (01:00 UTC).
    office = calendar(time_zone="Europe/Madrid", week={"sun": ("02:30-05:00",)})
    assert changes(office, "2026-03-28T12:00", 2) == [("2026-03-29T01:00", True), ("2026-03-29T03:00", False)]


def test_span_within_the_hour_spring_leaves_out_never_opens() -> None:
    office = calendar(time_zone="Europe/Madrid", week={}, extra={"2026-03-29": ("02:10-02:50",)})
    assert office.next_change_ns(at("2026-03-28T12:00")) == NEVER_NS


def test_span_within_the_hour_autumn_repeats_is_open_both_times() -> None:
    # In Madrid on 2026-10-25, 03:00 becomes 02:00 (01:00 UTC).
    office = calendar(time_zone="Europe/Madrid", week={}, extra={"2026-10-25": ("02:10-02:50",)})
    assert changes(office, "2026-10-24T12:00", 4) == [
        ("2026-10-25T00:10", True),
        ("2026-10-25T00:50", False),
        ("2026-10-25T01:10", True),
        ("2026-10-25T01:50", False),
    ]


def test_night_written_as_two_spans_does_not_close_at_midnight() -> None:
    night = calendar(time_zone="UTC", week={"mon": ("22:00-24:00",), "tue": ("00:00-06:00",)})
    assert changes(night, "2026-03-02T12:00", 2) == [("2026-03-02T22:00", True), ("2026-03-03T06:00", False)]


def test_always_open_never_changes() -> None:
    always = calendar(
        time_zone="America/New_York", week=dict.fromkeys((*WEEK, "sat", "sun"), ("00:00-24:00",))
    )
    assert always.next_change_ns(at("2026-03-01T00:00")) == NEVER_NS


@pytest.mark.parametrize(
    "zone", ["Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
)
def test_next_change_agrees_with_asking_every_minute(zone: str) -> None:
    seed = 20260308
    print(f"seed {seed} zone {zone}")
    chance = random.Random(seed)
    for _ in range(3):
        edges = sorted(chance.sample(range(0, 24 * 60, 5), 4))
        spans = tuple(
            f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
            for start, end in (edges[:2], edges[2:])
        )
        of = calendar(time_zone=zone, week=dict.fromkeys((*WEEK, "sat", "sun"), spans))
        for since in (
            "2026-03-07T18:00",
            "2026-03-28T12:00",
            "2026-04-04T06:00",
            "2026-10-24T12:00",
            "2026-10-31T22:00",
        ):
            now_ns = at(since)
            slow = next(
                moment
                for moment in range(now_ns + 60 * NS_PER_S, now_ns + 40 * 3600 * NS_PER_S, 60 * NS_PER_S)
                if of.is_open(moment) != of.is_open(now_ns)
            )
            assert iso(of.next_change_ns(now_ns)) == iso(slow), (since, spans)


@pytest.mark.parametrize(
    ("zone", "within", "begins", "ends"),
    [
        ("UTC", "2026-02-25T06:13:20+00:00", "2026-02-25T00:00:00+00:00", "2026-02-26T00:00:00+00:00"),
        ("Europe/Madrid", "2026-03-29T21:59:59+00:00", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        ("Europe/Madrid", "2026-10-25T12:00:00+00:00", "2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00"),
        # Spring leaves out midnight itself: the day begins at one.
        ("America/Sao_Paulo", "2018-11-04T08:00:00+00:00", "2018-11-04T03:00:00+00:00", "2018-11-05T02:00:00+00:00"),
        # Autumn repeats the hour before midnight: the evening is one hour longer.
        ("America/Sao_Paulo", "2019-02-17T02:30:00+00:00", "2019-02-16T02:00:00+00:00", "2019-02-17T03:00:00+00:00"),
        ("Pacific/Apia", "2026-01-01T00:00:00+00:00", "2025-12-31T11:00:00+00:00", "2026-01-01T11:00:00+00:00"),
    ],
)  # fmt: skip
def test_day_is_from_midnight_to_midnight_where_the_zone_is(
    zone: str, within: str, begins: str, ends: str
) -> None:
    found = day_of(at(within), zone_named(zone, "zone"))
    assert found == (at(begins), at(ends))
    assert day_of(found[0], zone_named(zone, "zone")) == found
    assert day_of(found[1] - 1, zone_named(zone, "zone")) == found


def test_faults_are_told_all_with_their_paths() -> None:
    with pytest.raises(ConfigurationError) as raised:
        calendars(
            {
                "office": Hours(
                    time_zone="Europe/Madird",
                    week={"mon": ("9-14",), "lun": (), "tue": ("10:00-12:00", "11:00-13:00")},
                    holidays=("6 January",),
                    extra={"2026-02-30": ("10:00-11:00",)},
                )
            }
        )
    assert raised.value.problems == [
        "hours.office.time_zone was 'Europe/Madird'; must be an IANA name such as Europe/Madrid",
        "hours.office.week: day was 'lun'; known: mon, tue, wed, thu, fri, sat, sun",
        'hours.office.week.mon[0] was \'9-14\'; must be like "09:00-14:00", at most until "24:00"',
        "hours.office.week.tue[1] was '11:00-13:00'; must begin after the span before it has ended",
        "hours.office.holidays[0] was '6 January'; must be a date like \"2026-12-25\"",
        "hours.office.extra was '2026-02-30'; must be a date like \"2026-12-25\"",
    ]


async def test_queue_is_told_its_hours_at_start_and_at_each_change(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    hours = OFFICE + '[queues.office]\nhours = "office"\n'
    async with House().open(tmp_path, hours, start_ns=at("2026-01-05T12:00")) as switchboard:
        seen = []
        async with switchboard.follow() as batches:
            async for batch in batches:
                for record in batch:
                    if isinstance(record.command, OpenQueue | CloseQueue):
                        seen.append((iso(record.at_ns), type(record.command).__name__))
                if len(seen) >= 4:
                    break
    # Tuesday the 6th is a holiday: the next opening is on Monday the 12th.
    assert seen == [
        ("2026-01-05T13:00", "CloseQueue"),
        ("2026-01-05T15:00", "OpenQueue"),
        ("2026-01-05T19:00", "CloseQueue"),
        ("2026-01-12T08:00", "OpenQueue"),
    ]


async def test_queue_outside_its_hours_is_closed_at_start_and_by_a_new_configuration(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    hours = OFFICE + '[queues.office]\nhours = "office"\n[queues.night]\n'
    async with House().open(tmp_path, hours, start_ns=at("2026-01-05T22:00")) as switchboard:
        await trio.testing.wait_all_tasks_blocked()
        office, night = switchboard.queue("office"), switchboard.queue("night")
        assert office is not None
        assert night is not None
        assert (office.open, night.open) == (False, True)
        changed = CONFIG + OFFICE + '[queues.office]\n[queues.night]\nhours = "office"\n'
        outcome = await switchboard.submit(ApplyConfiguration(config=loads(changed).engine))
        assert outcome.refusal is None
        await trio.testing.wait_all_tasks_blocked()
        night = switchboard.queue("night")
        assert night is not None
        assert not night.open


async def test_what_is_closed_by_hand_stands_until_the_calendars_next_change_whatever_else_is_configured(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    hours = OFFICE + '[queues.office]\nhours = "office"\n'
    async with House().open(tmp_path, hours, start_ns=at("2026-01-05T12:00")) as switchboard:
        assert (await switchboard.submit(CloseQueue(queue="office", reason="fire"))).refusal is None
        other = loads(CONFIG + hours + "wrap_up_s = 5\n").engine
        assert (await switchboard.submit(ApplyConfiguration(config=other))).refusal is None
        await trio.testing.wait_all_tasks_blocked()
        office = switchboard.queue("office")
        assert office is not None
        assert not office.open
        await trio.sleep(3 * 3600 + 1)  # closed at 13:00, open again at 15:00 (UTC)
        office = switchboard.queue("office")
        assert office is not None
        assert office.open
