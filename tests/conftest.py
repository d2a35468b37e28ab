"""What every test shares: the profiles of the property tests."""

import os

from hypothesis import settings

# No deadline: a busy machine must not fail a test. A failure prints the blob that reruns it.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))
