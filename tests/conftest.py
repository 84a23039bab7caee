"""How the tests run: the amount of searching that Hypothesis does."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# The machines that run tests are noisy, so no example has a time limit; and the same tests give
# the same answer everywhere, so nothing is left to chance unless asked for.
settings.register_profile("usual", derandomize=True, deadline=None, max_examples=100, database=None)
# For what does not look for errors, but at what the tests reach.
settings.register_profile("few", derandomize=True, deadline=None, max_examples=20, database=None)
settings.register_profile(
    "large",
    derandomize=False,  # which Hypothesis itself sets in CI, and which ignores a seed
    deadline=None,
    max_examples=5_000,
    suppress_health_check=[HealthCheck.too_slow],
)
# For `python -m tests.seeded`, which gives a seed and counts the examples up to the first failure.
settings.register_profile(
    "seeded",
    derandomize=False,
    deadline=None,
    max_examples=100,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("CHATFSM_HYPOTHESIS") or "usual")
