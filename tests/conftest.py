"""Profiles of Hypothesis: the number of examples in the tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# No example has a time limit, because the machines that run tests are noisy. Examples are the same
# in every run, unless a profile says otherwise.
settings.register_profile("usual", derandomize=True, deadline=None, max_examples=100, database=None)
# For runs that measure coverage and mutants.
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
