"""What a scenario may not say, and that it is told with its place; what it says twice or at odd times, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from centralita import simulate
from centralita.config import loads as configuration
from centralita.errors import ConfigurationError
from centralita.simulate.distributions import LONGEST_NS, stream
from centralita.simulate.figures import summarise
from centralita.simulate.scenario import Shift
from centralita.simulate.shifts import presences

HOUR_NS = 3600 * 1_000_000_000
SCENARIO = """
skills = ["general"]
[hours.day]
time_zone = "Europe/Madrid"
week = { mon = ["09:00-17:00"] }
[queues.calls]
skills = { general = 1 }
hours = "day"
wrap_up_s = 0
[simulate]
start = "2026-01-05T09:00"
duration_s = 3600
[simulate.customers.callers]
credit_s = 0
arrivals = { kind = "poisson", per_hour = 60 }
handling = { kind = "exponential", mean_s = 60 }
patience = { kind = "exponential", mean_s = 60 }
[simulate.crews.desk]
agents = 2
skills = { general = 5 }
shifts = [{ start = "09:00", end = "17:00", days = ["mon"], breaks = [{ at = "11:00", for_s = 1200 }] }]
"""
POISSON = 'arrivals = { kind = "poisson", per_hour = 60 }'
HANDLING = 'handling = { kind = "exponential", mean_s = 60 }'


def problems(old: str, new: str, folder: Path = Path()) -> list[str]:
    assert SCENARIO.count(old) == 1
    with pytest.raises(ConfigurationError) as caught:
        simulate.loads(SCENARIO.replace(old, new), folder=folder)
    return caught.value.problems


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "credit_s = 0",
            "credit_s = nan",
            "simulate.customers.callers.credit_s: Expected `float` >= -31536000.0",
        ),
        (
            "credit_s = 0",
            "credit_s = 1e300",
            "simulate.customers.callers.credit_s: Expected `float` <= 31536000.0",
        ),
        (
            POISSON,
            'arrivals = { kind = "listed", at_s = [inf] }',
            "simulate.customers.callers.arrivals.at_s[0]: Expected `float` <= 315360000.0",
        ),
        (
            POISSON,
            'arrivals = { kind = "listed" }',
            "simulate.customers.callers.arrivals: at_s or file must give at least one value",
        ),
        (
            POISSON,
            'arrivals = { kind = "listed", at_s = [1], file = "moments.txt" }',
            "simulate.customers.callers.arrivals: at_s and file say the same; one of them must go",
        ),
        (
            POISSON,
            'arrivals = { kind = "piecewise", per_hour = [6], piece_s = 1e-12 }',
            "simulate.customers.callers.arrivals.piece_s: Expected `float` >= 1.0",
        ),
        (
            HANDLING,
            'handling = { kind = "empirical", file = "a\\u0000b" }',
            "simulate.customers.callers.handling.file was 'a\\x00b'; can't be read: embedded null byte",
        ),
        (
            "2026-01-05T09:00",
            "0001-01-01",
            "simulate.start was '0001-01-01', duration_s 3600; allowed: from 1970-01-01 on, over by 2041-01-01",
        ),
        (
            "2026-01-05T09:00",
            "2040-12-31T23:30",
            "simulate.start was '2040-12-31T23:30', duration_s 3600;"
            " allowed: from 1970-01-01 on, over by 2041-01-01",
        ),
        (
            'start = "09:00", end',
            'start = "9:00", end',
            "simulate.crews.desk.shifts[0].start: expected a time of day, 00:00 to 24:00",
        ),
        (
            'days = ["mon"]',
            'days = ["Mon"]',
            "simulate.crews.desk.shifts[0].days[0]: Invalid enum value 'Mon';"
            " known: mon, tue, wed, thu, fri, sat, sun",
        ),
        (
            'days = ["mon"]',
            "days = []",
            "simulate.crews.desk.shifts[0].days: Expected `array` of length >= 1",
        ),
        (
            'at = "11:00"',
            'at = "17:00"',
            "simulate.crews.desk.shifts[0].breaks[0].at was '17:00'; must be within the shift, 09:00 to 17:00",
        ),
        (
            "for_s = 1200 }",
            'for_s = 1200 }, { at = "11:19", for_s = 60 }',
            "simulate.crews.desk.shifts[0].breaks[1].at was '11:19'; another break takes that time",
        ),
        (
            "for_s = 1200 }",
            'for_s = 1200, reason = "tea" }',
            "simulate.crews.desk.shifts[0].breaks[0].reason was 'tea'; known: coffee, lunch, meeting, training",
        ),
        (
            '"09:00-17:00"',
            '"9-17"',
            'hours.day.week.mon[0] was \'9-17\'; must be like "09:00-14:00", at most until "24:00"',
        ),
        (
            "Europe/Madrid",
            "Mars/Olympus",
            "hours.day.time_zone was 'Mars/Olympus'; must be an IANA name such as Europe/Madrid",
        ),
    ],
)
def test_a_fault_is_told_once_with_its_place(old: str, new: str, said: str) -> None:
    assert problems(old, new) == [said]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", " values.txt: there must be at least one value"),
        (b"12\n-3\n", " values.txt:2 was '-3'; expected seconds, 0 to 315,360,000"),
        (b"12\nnan\n", " values.txt:2 was 'nan'; expected seconds, 0 to 315,360,000"),
        (b"12\x00\n", " values.txt:1 was '12\\x00'; expected seconds, 0 to 315,360,000"),
        (
            b"\xff12\n",
            " was 'values.txt'; can't be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ],
)
def test_a_file_of_values_says_where_it_is_wrong(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "values.txt").write_bytes(content)
    found = problems(HANDLING, 'handling = { kind = "empirical", file = "values.txt" }', tmp_path)
    assert found == [f"simulate.customers.callers.handling.file{said}"]


def test_a_spreadsheets_file_of_values_is_read(tmp_path: Path) -> None:
    (tmp_path / "values.txt").write_bytes(b"\xef\xbb\xbf5\r\n6,note\r\n")
    text = SCENARIO.replace(HANDLING, 'handling = { kind = "empirical", file = "values.txt" }')
    handling = simulate.loads(text, folder=tmp_path).world.customers["callers"].handling
    assert handling.expected_s() == 5.5


def test_a_file_nested_without_end_is_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text("x = " + "[" * 5000 + "]" * 5000)
    for read in (simulate.load, lambda path: configuration(path.read_text(), where=str(path))):
        with pytest.raises(ConfigurationError, match="recursion"):
            read(path)


def test_shifts_that_overlap_are_one_stretch_however_they_are_listed() -> None:
    day_ns = 24 * HOUR_NS
    late, early = Shift(start="12:00", end="17:00"), Shift(start="08:00", end="13:00")
    (found,) = presences((late, early), 0, day_ns)
    assert (found.start_ns, found.end_ns) == (8 * HOUR_NS, 17 * HOUR_NS)
    apart = list(presences((Shift(start="13:00", end="17:00"), early), 0, day_ns))
    assert [one.start_ns // HOUR_NS for one in apart] == [8, 13]


def test_whoever_has_two_shifts_that_meet_stays_for_both() -> None:
    text = SCENARIO.replace(
        'shifts = [{ start = "09:00", end = "17:00", days = ["mon"], breaks = [{ at = "11:00", for_s = 1200 }] }]',
        'shifts = [{ start = "09:30", end = "10:00" }, { start = "09:00", end = "09:30" }]',
    )
    assert simulate.run(simulate.loads(text)).staffed_ns == {"desk-1": HOUR_NS, "desk-2": HOUR_NS}


def test_queues_open_and_close_by_the_wall_whatever_the_zone() -> None:
    text = SCENARIO.replace("2026-01-05T09:00", "2026-03-30T08:00").replace("3600", "43_200")
    found = simulate.run(simulate.loads(text))
    refused = {row.arrived_ns for row in found.rows() if row.outcome == "refused"}
    taken = {row.arrived_ns for row in found.rows() if row.outcome != "refused"}
    opens_ns, closes_ns = found.start_ns + HOUR_NS, found.start_ns + 9 * HOUR_NS
    assert refused
    assert all(at_ns < opens_ns or at_ns >= closes_ns for at_ns in refused)
    assert all(opens_ns <= at_ns < closes_ns for at_ns in taken)


def test_a_break_is_a_break_for_whoever_missed_an_offer_before_it() -> None:
    text = (
        SCENARIO.replace("agents = 2", "agents = 1\nno_answer = 1\nback_after_s = 120")
        .replace("duration_s = 3600", "duration_s = 10_800")
        .replace(POISSON, 'arrivals = { kind = "listed", at_s = [7_170] }')
    )
    found = simulate.run(simulate.loads(text))
    # Two hours less 10 s of them out of the line, since the offer rings for 20 s, and the last 40 minutes.
    assert found.staffed_ns["desk-1"] == (7_190 + 2_400) * 1_000_000_000


def test_who_is_never_served_is_offered_in_every_row() -> None:
    text = SCENARIO.replace('patience = { kind = "exponential", mean_s = 60 }\n', "").replace(
        "skills = { general = 5 }\nshifts", "shifts"
    )
    scenario = simulate.loads(text)
    found = summarise(simulate.run(scenario), scenario)
    offered = found.total["offered"]
    assert offered
    assert found.total["unfinished"] == offered
    for rows in (found.queues, found.customers, found.hours, found.queue_hours["calls"]):
        assert sum(row["offered"] or 0 for row in rows.values()) == offered
        assert all(row["of_offered"] == 0 for row in rows.values())


def desk_alone(arrivals_s: list[int], shifts: str, *, handling_s: int, wrap_up_s: int = 0) -> simulate.Run:
    """What comes of one agent, always there or with these shifts, and customers at these moments who wait for ever."""
    head, _, _ = SCENARIO.partition("shifts = ")
    text = (
        head.replace("agents = 2", "agents = 1")
        .replace(POISSON, f'arrivals = {{ kind = "listed", at_s = {arrivals_s} }}')
        .replace(HANDLING, f'handling = {{ kind = "deterministic", value_s = {handling_s} }}')
        .replace('patience = { kind = "exponential", mean_s = 60 }\n', "")
        .replace("wrap_up_s = 0", f"wrap_up_s = {wrap_up_s}")
    )
    return simulate.run(simulate.loads(text + shifts))


def test_an_agent_is_there_to_the_end_though_the_last_customer_waited_for_after_work() -> None:
    found = desk_alone([5, 10], "", handling_s=100, wrap_up_s=30)
    assert [row.waited_ns for row in found.rows()] == [0, 125_000_000_000]
    assert found.staffed_ns == {"desk-1": HOUR_NS}


@pytest.mark.parametrize(
    ("arrival_s", "there_s"),
    [
        (500, 2400),  # free when the break begins at 600 s
        (590, 2490),  # ninety seconds in it: finished first
    ],
)
def test_who_is_busy_when_a_break_begins_is_there_until_it_is_over(arrival_s: int, there_s: int) -> None:
    shifts = 'shifts = [{ start = "09:00", end = "10:00", breaks = [{ at = "09:10", for_s = 1200 }] }]\n'
    found = desk_alone([arrival_s], shifts, handling_s=100)
    assert found.staffed_ns["desk-1"] == there_s * 1_000_000_000
    assert found.busy_ns()["desk-1"] == 100_000_000_000


def test_breaks_of_shifts_that_overlap_are_over_when_both_are() -> None:
    shifts = (
        'shifts = [{ start = "09:00", end = "09:50", breaks = [{ at = "09:10", for_s = 600 }] },'
        ' { start = "09:05", end = "10:00", breaks = [{ at = "09:15", for_s = 600 }] }]\n'
    )
    found = desk_alone([1_300], shifts, handling_s=100)
    assert [row.waited_ns for row in found.rows()] == [200_000_000_000]
    assert found.staffed_ns["desk-1"] == (3600 - 900) * 1_000_000_000


@pytest.mark.parametrize(
    "arrivals",
    [
        '{ kind = "poisson", per_hour = 1e-300 }',
        '{ kind = "poisson", per_hour = 1e-12 }',
        '{ kind = "piecewise", per_hour = [1e-300] }',
    ],
)
def test_nobody_comes_at_a_rate_next_to_nothing(arrivals: str) -> None:
    found = simulate.run(simulate.loads(SCENARIO.replace(POISSON, f"arrivals = {arrivals}")))
    assert found.contacts_n == 0


def test_days_that_hardly_differ_are_alike() -> None:
    hardly = POISSON.replace("60 }", "60, busy_cv = 1e-300 }")
    assert simulate.run(simulate.loads(SCENARIO.replace(POISSON, hardly))).contacts_n


@pytest.mark.parametrize("kind", ["lognormal", "gamma"])
def test_whoever_would_wait_for_centuries_waits_on(kind: str) -> None:
    patience = f'patience = {{ kind = "{kind}", mean_s = 31_536_000, cv = 100 }}'
    text = SCENARIO.replace('patience = { kind = "exponential", mean_s = 60 }', patience)
    sampler = simulate.loads(text).world.customers["callers"].patience
    assert sampler is not None
    draw = sampler.sampler(stream(1, kind))
    assert max(draw() for _ in range(200_000)) == LONGEST_NS
