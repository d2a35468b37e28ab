"""What every test shares: the profiles of the property tests, and logs as they are unless set up."""

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# No deadline: a busy machine must not fail a test. A failure prints the blob that reruns it.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


@pytest.fixture(autouse=True)
def logs_as_they_are() -> Iterator[None]:
    """A command run in the test's own process sets up its logs; the next test on this worker has them plain."""
    yield
    structlog.reset_defaults()
