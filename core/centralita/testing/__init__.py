"""The checks that every plugin is held to, ours and yours: numbered, asynchronous on trio, free of pytest.

    report = await check_channel("line_chat", settings={"port": 0})
    assert report.passed, report.of("failed")

`centralita plugin check line_chat` does the same from a shell, `centralita.testing.pytest_plugin` makes each
check a test. What the checks can't know of a component's world, its author says with a driver
(`drivers.py`). docs/plugin-kit.md has all of it, each check with its number.

`checks.py` is what a check is, `bench.py` the fresh place that each gets, `house.py` the real engine in it;
`of_….py` are the checks, by kind.
"""

from centralita.testing import (
    of_channel,
    of_component,
    of_desk,
    of_follower,
    of_journal,
    of_plugin,
    of_question,
    of_routes,
)
from centralita.testing.bench import Bench, Subject
from centralita.testing.checks import (
    CHECKS,
    Check,
    CheckFailed,
    CheckInapplicable,
    CheckSkipped,
    Outcome,
    Report,
    Result,
    checks_of,
)
from centralita.testing.drivers import (
    DRIVER_GROUP,
    ChannelDriver,
    Customer,
    DeskDriver,
    Driver,
    FollowerDriver,
    Seat,
    load_driver,
)
from centralita.testing.house import House
from centralita.testing.limits import Limits
from centralita.testing.run import (
    check_bot,
    check_channel,
    check_classifier,
    check_crm,
    check_desk,
    check_front_door,
    check_journal,
    check_kpi_sink,
    check_routes,
    check_subject,
    run_check,
)

MODULES = (
    of_plugin, of_component, of_channel, of_desk, of_follower, of_question, of_journal, of_routes,
)  # fmt: skip
"""Where the checks are."""

__all__ = [
    "CHECKS",
    "DRIVER_GROUP",
    "MODULES",
    "Bench",
    "ChannelDriver",
    "Check",
    "CheckFailed",
    "CheckInapplicable",
    "CheckSkipped",
    "Customer",
    "DeskDriver",
    "Driver",
    "FollowerDriver",
    "House",
    "Limits",
    "Outcome",
    "Report",
    "Result",
    "Seat",
    "Subject",
    "check_bot",
    "check_channel",
    "check_classifier",
    "check_crm",
    "check_desk",
    "check_front_door",
    "check_journal",
    "check_kpi_sink",
    "check_routes",
    "check_subject",
    "checks_of",
    "load_driver",
    "run_check",
]
