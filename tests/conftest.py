"""What every test shares: Ctrl-C as it is, the profiles of the property tests, and logs as they are unless set up."""

import os
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# Started in the background by a shell, we would ignore SIGINT, and so would every program that a test starts and
# interrupts: what is ignored is inherited, while a handler is not. Each worker imports this for itself.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline, and no judging of how long examples take to make: a busy machine must not fail a test. A failure
# prints the blob that reruns it.
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("default", BUSY)
settings.register_profile("ci", BUSY, derandomize=True)
settings.register_profile("thorough", BUSY, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


@pytest.fixture(autouse=True)
def logs_as_they_are() -> Iterator[None]:
    """A command run in the test's own process sets up its logs; the next test on this worker has them plain."""
    yield
    structlog.reset_defaults()
