"""How the tests run: the amount of searching that Hypothesis does."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The machines that run tests are noisy, so no example has a time limit.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, database=None)
settings.register_profile("local", deadline=None, max_examples=100)
settings.register_profile(
    "large",
    deadline=None,
    max_examples=5_000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(
    os.environ.get("CHATFSM_HYPOTHESIS") or ("ci" if "CI" in os.environ else "local")
)
